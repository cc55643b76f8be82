"""Subscriptions at the hub: pending → active → expired or failed.

The hub's own verification makes one active, nothing else.
"""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["subscriptions_of_channel"] = (
    Conflict,
    "subscription already exists for this channel and callback URL",
)

# A lease is renewed at half its time, a little earlier or later, so that thousands don't come due in the same
# minute.
RENEW_AT, RENEW_SPREAD = 0.45, 0.10
# A hub that is down is asked again after a minute, then twice as long each time up to this; an outage lasts
# days, and asking is cheap.
MOST_BACKOFF_SECONDS = 6 * 3600
# A hub that takes a request verifies it within seconds; after this long it is asked again.
VERIFICATION_SECONDS = 900
# A hub that refuses may have a bad day: on 2021-02-26 YouTube's answered 4xx for every topic. It is asked
# again after 6 to 24 hours.
REFUSED_SECONDS, REFUSED_SPREAD = 6 * 3600, 18 * 3600

_COLUMNS = """id, channel_id, topic_url, callback_url, callback_token, hub_url, status, failure, asked_seconds, lease_seconds, expires_at, secret,
    previous_secret, rotated_at, last_verified_at, last_push_at, ask_at, attempts, created_at, updated_at"""

# Later than every time before, whichever statement waited for which: the receiver goes by it
# (callbacks.save).
_CHANGED = "greatest(updated_at + interval '1 microsecond', clock_timestamp())"


def add(tx: db.Transaction, row: dict[str, Any]) -> dict[str, Any]:
    """Pending, and due at once unless the caller asks the hub itself. Raises Conflict."""
    found = db.one(
        tx,
        f"""
        INSERT INTO feed.subscriptions (channel_id, topic_url, callback_url, callback_token, hub_url, asked_seconds, lease_seconds, secret, ask_at, attempts)
        VALUES (:channel_id, :topic_url, :callback_url, :callback_token, :hub_url, :lease_seconds, :lease_seconds, :secret,
                now() + make_interval(secs => :wait), 1)
        RETURNING {_COLUMNS}
        """,
        wait=VERIFICATION_SECONDS,
        **row,
    )
    if found is None:
        raise AssertionError("an INSERT gives its row")
    db.run(
        tx,
        "INSERT INTO feed.polls (channel_id, poll_at) VALUES (:channel_id, now() + interval '1 minute') ON CONFLICT DO NOTHING",
        channel_id=row["channel_id"],
    )
    return found


def find(tx: db.Transaction, subscription_id: int) -> dict[str, Any] | None:
    return db.one(tx, f"SELECT {_COLUMNS} FROM feed.subscriptions WHERE id = :id", id=subscription_id)


def get(tx: db.Transaction, subscription_id: int) -> dict[str, Any]:
    found = find(tx, subscription_id)
    if found is None:
        raise NotFound(f"subscription with id {subscription_id} not found")
    return found


def renew_now(tx: db.Transaction, subscription_id: int) -> dict[str, Any]:
    """The row, due in a minute: should its removal stop half-way, the schedule sees to it.

    Raises NotFound.
    """
    found = db.one(
        tx,
        f"UPDATE feed.subscriptions SET ask_at = now() + interval '1 minute' WHERE id = :id RETURNING {_COLUMNS}",
        id=subscription_id,
    )
    if found is None:
        raise NotFound(f"subscription with id {subscription_id} not found")
    return found


def remove(tx: db.Transaction, subscription_id: int) -> None:
    """One that is gone already stays so."""
    found = db.one(
        tx, "DELETE FROM feed.subscriptions WHERE id = :id RETURNING channel_id", id=subscription_id
    )
    if found is None:
        return
    db.run(
        tx,
        "DELETE FROM feed.polls p WHERE channel_id = :channel_id AND NOT EXISTS (SELECT 1 FROM feed.subscriptions s WHERE s.channel_id = p.channel_id)",
        channel_id=found["channel_id"],
    )


def renew(
    tx: db.Transaction, subscription_id: int, lease_seconds: int | None, secret: bytes | None
) -> dict[str, Any]:
    """The row that the hub is asked about now: a failed or expired one is pending again.

    With a new secret the one that the hub verified last, or none, stays
    valid beside it until a verification follows, however many new ones come meanwhile."""
    found = db.one(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET status = CASE WHEN status = 'active' AND expires_at > now() THEN 'active' ELSE 'pending' END, failure = NULL, attempts = 1,
               asked_seconds = coalesce(:lease_seconds, asked_seconds),
               previous_secret = CASE WHEN :secret::bytea IS NOT NULL THEN coalesce(previous_secret, secret, '') ELSE previous_secret END,
               secret = coalesce(:secret, secret), rotated_at = CASE WHEN :secret::bytea IS NOT NULL THEN clock_timestamp() ELSE rotated_at END,
               ask_at = now() + make_interval(secs => :wait), updated_at = {_CHANGED}
         WHERE id = :id RETURNING {_COLUMNS}
        """,
        id=subscription_id,
        lease_seconds=lease_seconds,
        secret=secret,
        wait=VERIFICATION_SECONDS,
    )
    if found is None:
        raise NotFound(f"subscription with id {subscription_id} not found")
    return found


def save_verified(tx: db.Transaction, subscription_id: int, lease_seconds: int, at: str) -> bool:
    """The hub keeps its lease from `at` on, and signs with the newest secret.

    False when something newer is known, or the subscription is gone.
    """
    return bool(
        db.run(
            tx,
            f"""
            UPDATE feed.subscriptions
               SET status = CASE WHEN :at::timestamptz + make_interval(secs => :lease) > now() THEN 'active' ELSE 'expired' END,
                   previous_secret = CASE WHEN rotated_at > :at::timestamptz THEN previous_secret END,
                   failure = NULL, attempts = 0, lease_seconds = :lease::integer, last_verified_at = :at::timestamptz, last_answer = 'verified',
                   expires_at = :at::timestamptz + make_interval(secs => :lease), updated_at = {_CHANGED},
                   ask_at = :at::timestamptz + make_interval(secs => :lease * (:renew_at + random() * :spread))
             WHERE id = :id AND (last_verified_at IS NULL OR last_verified_at <= :at::timestamptz) AND (denied_at IS NULL OR denied_at < :at::timestamptz)
            """,
            id=subscription_id,
            lease=float(lease_seconds),
            at=at,
            renew_at=RENEW_AT,
            spread=RENEW_SPREAD,
        )
    )


def save_denied(tx: db.Transaction, subscription_id: int, reason: str, at: str) -> None:
    """The hub ends it, whatever lease still ran: failed, and not asked for again until somebody renews it."""
    db.run(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET status = 'failed', ask_at = NULL, denied_at = greatest(denied_at, :at::timestamptz), failure = :reason, last_answer = :reason,
               updated_at = {_CHANGED}
         WHERE id = :id AND (last_verified_at IS NULL OR last_verified_at < :at::timestamptz)
        """,
        id=subscription_id,
        reason=reason,
        at=at,
    )


def save_refused(tx: db.Transaction, subscription_id: int, reason: str, at: str) -> None:
    """The hub refuses what we asked: failed, unless a lease still runs or it has verified since, and asked again when it may have come to its senses."""
    db.run(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET status = CASE WHEN status = 'active' AND expires_at > now() THEN 'active' ELSE 'failed' END,
               ask_at = CASE WHEN status = 'active' AND expires_at > now() OR ask_at IS NULL THEN ask_at
                             ELSE :at::timestamptz + make_interval(secs => :again + random() * :spread) END,
               failure = :reason, last_answer = :reason, updated_at = {_CHANGED}
         WHERE id = :id AND (last_verified_at IS NULL OR last_verified_at < :at::timestamptz)
        """,
        id=subscription_id,
        reason=reason,
        at=at,
        again=float(REFUSED_SECONDS),
        spread=REFUSED_SPREAD,
    )


def save_unavailable(
    tx: db.Transaction, subscription_id: int, reason: str, retry_after: float | None, at: str
) -> None:
    """The hub couldn't be asked: again after what it says, but in half of what is left of a lease, or later each time. Only this subscription waits."""
    db.run(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET last_answer = :reason, updated_at = {_CHANGED},
               ask_at = :at::timestamptz + make_interval(secs => greatest(
                   CASE WHEN expires_at > :at::timestamptz THEN least(:retry_after, greatest(60, extract(epoch FROM expires_at - :at::timestamptz)::float8 / 2))
                        ELSE :retry_after END,
                   least(:most, 60 * power(2, least(attempts, 20) - 1)) * (0.5 + random() / 2)))
         WHERE id = :id AND ask_at IS NOT NULL AND (last_verified_at IS NULL OR last_verified_at < :at::timestamptz)
        """,
        id=subscription_id,
        reason=reason,
        retry_after=retry_after or 0.0,
        most=MOST_BACKOFF_SECONDS,
        at=at,
    )


def expire(tx: db.Transaction) -> int:
    return db.run(
        tx,
        f"UPDATE feed.subscriptions SET status = 'expired', updated_at = {_CHANGED} WHERE status = 'active' AND expires_at <= now()",
    )


def claim_due(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """Those whose hub is to be asked now.

    Each is due again by itself if no answer comes; another caller gets others.
    """
    return db.rows(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET attempts = attempts + 1,
               ask_at = now() + make_interval(secs => greatest(:wait, least(:most, 60 * power(2, least(attempts, 20))) * (0.5 + random() / 2)))
         WHERE id IN (SELECT id FROM feed.subscriptions WHERE ask_at <= now() ORDER BY ask_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,
        limit=limit,
        wait=VERIFICATION_SECONDS,
        most=MOST_BACKOFF_SECONDS,
    )


def count_ending(tx: db.Transaction, hours: int) -> int:
    """Leases that end within the hours, each of which should have been renewed days ago, and those that a hub which is still asked lets end or refuses."""
    return int(
        db.value(
            tx,
            # A short lease is always near its end: it counts in its last tenth. Of what a hub denied somebody
            # has heard by its status.
            """
            SELECT (SELECT count(*) FROM feed.subscriptions
                     WHERE status = 'active' AND expires_at < now() + least(make_interval(hours => :hours), make_interval(secs => lease_seconds / 10.0)))
                 + (SELECT count(*) FROM feed.subscriptions WHERE status IN ('expired', 'failed') AND ask_at IS NOT NULL)
            """,
            hours=hours,
        )
    )

"""Subscriptions at the hub: pending, then active, then expired or failed.

Only the hub's verification makes a subscription active.
"""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["subscriptions_of_channel"] = (
    Conflict,
    "subscription already exists for this channel and callback URL",
)

# A lease is renewed at about half its time. The spread keeps thousands from being due in the same minute.
RENEW_AT, RENEW_SPREAD = 0.45, 0.10
# A hub that is down is called again after a minute, then after twice as long each time, up to this.
MOST_BACKOFF_SECONDS = 6 * 3600
# A hub verifies a request within seconds. After this long without verification it is called again.
VERIFICATION_SECONDS = 900
# A hub may refuse by mistake: on 2021-02-26 YouTube's answered 4xx for every topic. It is called again after
# 6 to 24 hours.
REFUSED_SECONDS, REFUSED_SPREAD = 6 * 3600, 18 * 3600

_COLUMNS = """
    id, channel_id, topic_url, callback_url, callback_token, hub_url, status, failure, asked_seconds,
    lease_seconds, expires_at, secret, previous_secret, rotated_at, last_verified_at, last_push_at, ask_at,
    attempts, created_at, updated_at
"""

# Always later than the last value, even if a statement waited for another: the receiver keeps the row with
# the latest time (callbacks.save).
_CHANGED = "greatest(updated_at + interval '1 microsecond', clock_timestamp())"


def add(tx: db.Transaction, row: dict[str, Any]) -> dict[str, Any]:
    """Add a pending subscription and return it; the caller calls the hub. Raises Conflict."""
    found = db.one(
        tx,
        f"""
        INSERT INTO feed.subscriptions
               (channel_id, topic_url, callback_url, callback_token, hub_url, asked_seconds, lease_seconds,
                secret, ask_at, attempts)
        VALUES (:channel_id, :topic_url, :callback_url, :callback_token, :hub_url, :lease_seconds,
                :lease_seconds, :secret, now() + make_interval(secs => :wait), 1)
        RETURNING {_COLUMNS}
        """,
        wait=VERIFICATION_SECONDS,
        **row,
    )
    if found is None:
        raise AssertionError("an INSERT returns its row")
    db.run(
        tx,
        """
        INSERT INTO feed.polls (channel_id, poll_at) VALUES (:channel_id, now() + interval '1 minute')
        ON CONFLICT DO NOTHING
        """,
        channel_id=row["channel_id"],
    )
    return found


def find(tx: db.Transaction, subscription_id: int) -> dict[str, Any] | None:
    """Return a subscription, None if there is none."""
    return db.one(tx, f"SELECT {_COLUMNS} FROM feed.subscriptions WHERE id = :id", id=subscription_id)


def get(tx: db.Transaction, subscription_id: int) -> dict[str, Any]:
    """Return a subscription. Raises NotFound."""
    found = find(tx, subscription_id)
    if found is None:
        raise NotFound(f"subscription with id {subscription_id} not found")
    return found


def renew_now(tx: db.Transaction, subscription_id: int) -> dict[str, Any]:
    """Make a subscription due in a minute and return it. Raises NotFound.

    The caller removes it; if that stops half-way, the schedule renews it.
    """
    found = db.one(
        tx,
        f"""
        UPDATE feed.subscriptions SET ask_at = now() + interval '1 minute' WHERE id = :id
        RETURNING {_COLUMNS}
        """,
        id=subscription_id,
    )
    if found is None:
        raise NotFound(f"subscription with id {subscription_id} not found")
    return found


def remove(tx: db.Transaction, subscription_id: int) -> None:
    """Delete a subscription if it exists. A channel without another one isn't polled any more."""
    found = db.one(
        tx, "DELETE FROM feed.subscriptions WHERE id = :id RETURNING channel_id", id=subscription_id
    )
    if found is None:
        return
    db.run(
        tx,
        """
        DELETE FROM feed.polls p
         WHERE channel_id = :channel_id
           AND NOT EXISTS (SELECT FROM feed.subscriptions s WHERE s.channel_id = p.channel_id)
        """,
        channel_id=found["channel_id"],
    )


def renew(
    tx: db.Transaction, subscription_id: int, lease_seconds: int | None, secret: bytes | None
) -> dict[str, Any]:
    """Prepare a subscription for a renewal and return it: a failed or expired one is pending again.

    With a new secret the last verified one (or none) stays valid too, until the hub verifies again.
    Raises NotFound.
    """
    found = db.one(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET status = CASE WHEN status = 'active' AND expires_at > now() THEN 'active' ELSE 'pending' END,
               failure = NULL, attempts = 1,
               asked_seconds = coalesce(:lease_seconds, asked_seconds),
               previous_secret = CASE WHEN :secret::bytea IS NOT NULL
                                      THEN coalesce(previous_secret, secret, '') ELSE previous_secret END,
               secret = coalesce(:secret, secret),
               rotated_at = CASE WHEN :secret::bytea IS NOT NULL THEN clock_timestamp() ELSE rotated_at END,
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


def replace_secret(
    tx: db.Transaction, subscription_id: int, secret: bytes, max_age_days: int
) -> dict[str, Any] | None:
    """Give a subscription another sealed secret if its own is too old, and return it; None if it is not.

    The secret before stays valid until the hub has verified the new one. While it does, or without any
    secret, nothing is replaced.
    """
    return db.one(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET previous_secret = secret, secret = :secret, rotated_at = clock_timestamp(),
               updated_at = {_CHANGED}
         WHERE id = :id AND secret IS NOT NULL AND previous_secret IS NULL
           AND coalesce(rotated_at, created_at) < now() - make_interval(days => :max_age_days)
        RETURNING {_COLUMNS}
        """,
        id=subscription_id,
        secret=secret,
        max_age_days=max_age_days,
    )


def secret_ages(tx: db.Transaction, max_age_days: int) -> dict[str, Any]:
    """Return count and oldest_at of the hub secrets, and how many are older than they may be."""
    found = db.one(
        tx,
        """
        SELECT count(*) AS count, min(coalesce(rotated_at, created_at)) AS oldest_at,
               count(*) FILTER (WHERE coalesce(rotated_at, created_at)
                                      < now() - make_interval(days => :max_age_days)) AS overdue
          FROM feed.subscriptions WHERE secret IS NOT NULL
        """,
        max_age_days=max_age_days,
    )
    return found or {}


def save_verified(tx: db.Transaction, subscription_id: int, lease_seconds: int, at: str) -> bool:
    """Save the hub's verification at `at`: the lease begins, and the newest secret is in use.

    False if a newer answer was saved or the subscription doesn't exist.
    """
    return bool(
        db.run(
            tx,
            f"""
            UPDATE feed.subscriptions
               SET status = CASE WHEN :at::timestamptz + make_interval(secs => :lease) > now() THEN 'active'
                                 ELSE 'expired' END,
                   previous_secret = CASE WHEN rotated_at > :at::timestamptz THEN previous_secret END,
                   failure = NULL, attempts = 0, lease_seconds = :lease::integer,
                   last_verified_at = :at::timestamptz, last_answer = 'verified',
                   expires_at = :at::timestamptz + make_interval(secs => :lease), updated_at = {_CHANGED},
                   ask_at = :at::timestamptz + make_interval(
                       secs => :lease * (:renew_at + random() * :spread))
             WHERE id = :id AND (last_verified_at IS NULL OR last_verified_at <= :at::timestamptz)
               AND (denied_at IS NULL OR denied_at < :at::timestamptz)
            """,
            id=subscription_id,
            lease=float(lease_seconds),
            at=at,
            renew_at=RENEW_AT,
            spread=RENEW_SPREAD,
        )
    )


def save_denied(tx: db.Transaction, subscription_id: int, reason: str, at: str) -> None:
    """Save that the hub has ended the subscription. It isn't requested again until somebody renews it."""
    db.run(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET status = 'failed', ask_at = NULL, denied_at = greatest(denied_at, :at::timestamptz),
               failure = :reason, last_answer = :reason, updated_at = {_CHANGED}
         WHERE id = :id AND (last_verified_at IS NULL OR last_verified_at < :at::timestamptz)
        """,
        id=subscription_id,
        reason=reason,
        at=at,
    )


def save_refused(tx: db.Transaction, subscription_id: int, reason: str, at: str) -> None:
    """Save that the hub has refused a request. The subscription has failed unless its lease is still valid.

    A verification since then is kept. The hub is called again later.
    """
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
    """Save that the hub couldn't be reached, and when to call it again.

    That is after `retry_after`, but at the latest at half of the remaining lease; without either, after twice
    as long each time.
    """
    db.run(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET last_answer = :reason, updated_at = {_CHANGED},
               ask_at = :at::timestamptz + make_interval(secs => greatest(
                   CASE WHEN expires_at > :at::timestamptz THEN least(
                            :retry_after,
                            greatest(60, extract(epoch FROM expires_at - :at::timestamptz)::float8 / 2))
                        ELSE :retry_after END,
                   least(:most, 60 * power(2, least(attempts, 20) - 1)) * (0.5 + random() / 2)))
         WHERE id = :id AND ask_at IS NOT NULL
           AND (last_verified_at IS NULL OR last_verified_at < :at::timestamptz)
        """,
        id=subscription_id,
        reason=reason,
        retry_after=retry_after or 0.0,
        most=MOST_BACKOFF_SECONDS,
        at=at,
    )


def expire(tx: db.Transaction) -> int:
    """Mark subscriptions whose lease has ended as expired. Returns their number."""
    return db.run(
        tx,
        f"""
        UPDATE feed.subscriptions SET status = 'expired', updated_at = {_CHANGED}
         WHERE status = 'active' AND expires_at <= now()
        """,
    )


def claim_due(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """Return subscriptions whose hub must be called now, each to one caller only.

    They are due again later if no answer is saved.
    """
    return db.rows(
        tx,
        f"""
        UPDATE feed.subscriptions
           SET attempts = attempts + 1,
               ask_at = now() + make_interval(secs => greatest(
                   :wait, least(:most, 60 * power(2, least(attempts, 20))) * (0.5 + random() / 2)))
         WHERE id IN (SELECT id FROM feed.subscriptions WHERE ask_at <= now()
                       ORDER BY ask_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,
        limit=limit,
        wait=VERIFICATION_SECONDS,
        most=MOST_BACKOFF_SECONDS,
    )


def count_ending(tx: db.Transaction, hours: int) -> int:
    """Count the leases that end within `hours` and those that have ended or failed and are still requested.

    A lease should have been renewed long before. A short one counts in its last tenth.
    """
    return int(
        db.value(
            tx,
            """
            SELECT (SELECT count(*) FROM feed.subscriptions
                     WHERE status = 'active'
                       AND expires_at < now() + least(make_interval(hours => :hours),
                                                      make_interval(secs => lease_seconds / 10.0)))
                 + (SELECT count(*) FROM feed.subscriptions
                     WHERE status IN ('expired', 'failed') AND ask_at IS NOT NULL)
            """,
            hours=hours,
        )
    )

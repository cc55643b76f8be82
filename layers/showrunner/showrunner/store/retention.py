"""What is deleted when it has had its time.

Each removes at most `limit` rows and says how many; rows that somebody holds are left to the next call.

The audit log, the trail of videos' updates and what was paid are never deleted.
"""

from typing import Any

from showrunner.database import db

# A client that repeats a call does so within minutes; a week covers a queue that stood still over a holiday.
IDEMPOTENCY_DAYS = 7
# As long as accounts.find_login knows a place.
PLACE_DAYS = 180
# The longest lock of an account is 15 minutes.
ATTEMPT_HOURS = 24
# What is removed can be brought back by support for this long (the contract's 30 days).
REMOVED_DAYS = 30
# No queue holds a message for longer than 14 days; nobody repeats a notification after a year.
DELIVERY_DAYS, SEEN_DAYS = 15, 400


def remove_windows(tx: db.Transaction, limit: int) -> int:
    """Counts whose bucket and the one after it are over: they say nothing any more.

    The table is small enough to be read whole.
    """
    return db.run(
        tx,
        """
        DELETE FROM access.windows WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.windows WHERE (bucket + 2) * seconds < extract(epoch FROM clock_timestamp()) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_idempotency(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.idempotency WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.idempotency WHERE created_at < now() - make_interval(days => :days) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        days=IDEMPOTENCY_DAYS,
        limit=limit,
    )


def remove_denied_tokens(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.denied_tokens WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.denied_tokens WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_refresh_tokens(tx: db.Transaction, limit: int) -> int:
    """Spent ones too stay until they expire: their reuse tells of a theft."""
    return db.run(
        tx,
        """
        DELETE FROM access.refresh_tokens WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.refresh_tokens WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_refresh_families(tx: db.Transaction, limit: int) -> int:
    """Those without a token left; a day's grace for one whose first token is being written."""
    return db.run(
        tx,
        """
        DELETE FROM access.refresh_families WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.refresh_families f
             WHERE created_at < now() - interval '1 day' AND NOT EXISTS (SELECT FROM access.refresh_tokens t WHERE t.family_id = f.id)
             LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_mail_tokens(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.mail_tokens WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.mail_tokens WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_oauth_states(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.oauth_states WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.oauth_states WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_login_attempts(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.login_attempts WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.login_attempts WHERE last_at < now() - make_interval(hours => :hours) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        hours=ATTEMPT_HOURS,
        limit=limit,
    )


def remove_known_places(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM access.known_places WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM access.known_places WHERE seen_at < now() - make_interval(days => :days) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        days=PLACE_DAYS,
        limit=limit,
    )


def remove_channel_removals(tx: db.Transaction, limit: int) -> int:
    """Confirmations that nobody gave."""
    return db.run(
        tx,
        """
        DELETE FROM studio.channel_removals WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM studio.channel_removals WHERE expires_at < now() LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        limit=limit,
    )


def remove_deliveries(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM feed.deliveries WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM feed.deliveries WHERE taken_at < now() - make_interval(days => :days) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        days=DELIVERY_DAYS,
        limit=limit,
    )


def remove_seen(tx: db.Transaction, limit: int) -> int:
    return db.run(
        tx,
        """
        DELETE FROM feed.seen WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM feed.seen WHERE seen_at < now() - make_interval(days => :days) LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        days=SEEN_DAYS,
        limit=limit,
    )


def list_removed_videos(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """{id, organisation_id} of videos removed a month ago, by themselves or with their channel."""
    return db.rows(
        tx,
        """
        SELECT id, organisation_id FROM studio.videos WHERE deleted_at < now() - make_interval(days => :days) ORDER BY deleted_at, id LIMIT :limit
        """,
        days=REMOVED_DAYS,
        limit=limit,
    )


def remove_video(tx: db.Transaction, video_id: str) -> int:
    """With its log; what it cost stays in the ledger. Not one that was brought back meanwhile."""
    return db.run(
        tx,
        "DELETE FROM studio.videos WHERE id = :video_id AND deleted_at < now() - make_interval(days => :days)",
        video_id=video_id,
        days=REMOVED_DAYS,
    )


def remove_channels(tx: db.Transaction, limit: int) -> int:
    """Those whose videos are gone."""
    return db.run(
        tx,
        """
        DELETE FROM studio.channels WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM studio.channels c
             WHERE deleted_at < now() - make_interval(days => :days) AND NOT EXISTS (SELECT FROM studio.videos v WHERE v.channel_id = c.id)
             LIMIT :limit FOR UPDATE SKIP LOCKED))
        """,
        days=REMOVED_DAYS,
        limit=limit,
    )


def list_unused_assets(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """Return id and object_key of assets that were never uploaded, refused or removed, a day after that.

    Their upload
    addresses have expired, so nothing can be uploaded again."""
    return db.rows(
        tx,
        """
        SELECT id, object_key FROM studio.assets WHERE status <> 'ready' AND created_at < now() - interval '1 day'
         ORDER BY created_at LIMIT :limit
        """,
        limit=limit,
    )


def remove_asset(tx: db.Transaction, asset_id: str) -> int:
    return db.run(tx, "DELETE FROM studio.assets WHERE id = :id AND status <> 'ready'", id=asset_id)


def list_deleted_organisations(tx: db.Transaction, limit: int) -> list[str]:
    """Return the ids of organisations that were deleted a month ago."""
    rows = db.rows(
        tx,
        """
        SELECT id::text FROM accounts.organisations WHERE deleted_at < now() - make_interval(days => :days) ORDER BY deleted_at LIMIT :limit
        """,
        days=REMOVED_DAYS,
        limit=limit,
    )
    return [row["id"] for row in rows]


def remove_organisation(tx: db.Transaction, organisation_id: str) -> int:
    """Delete an organisation's videos, channels, assets and memberships.

    Its row stays without a name, because costs and
    invoices refer to it."""
    db.run(tx, "DELETE FROM studio.videos WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM studio.channels WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM studio.assets WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM access.idempotency WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM accounts.connections WHERE organisation_id = :id", id=organisation_id)
    db.run(tx, "DELETE FROM accounts.members WHERE organisation_id = :id", id=organisation_id)
    return db.run(
        tx,
        "UPDATE accounts.organisations SET name = 'Deleted', deleted_at = 'infinity' WHERE id = :id",
        id=organisation_id,
    )

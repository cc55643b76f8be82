"""Rows that are deleted when their time is over.

Each call deletes at most `limit` rows and returns how many; locked rows are left to the next call. The audit
log, the updates of videos and the costs are never deleted.
"""

from typing import Any

from showrunner.database import db

# A client repeats a call within minutes. A week covers a queue that stood still over a holiday.
IDEMPOTENCY_DAYS = 7
# As long as users.find_login knows a place.
PLACE_DAYS = 180
# The longest lock of an account is 15 minutes.
ATTEMPT_HOURS = 24
# Support can restore what was removed for this long (the contract's 30 days).
REMOVED_DAYS = 30
# No queue keeps a message for longer than 14 days; nobody repeats a notification after a year.
DELIVERY_DAYS, SEEN_DAYS = 15, 400
# A day longer than answers that were not loaded are looked for (replay.LOOKED_BACK).
LOAD_DAYS = 4
# A calendar shows what became of the slots of a year, and of the same month of the year before.
SLOT_DAYS = 400

# Name -> table and condition of the rows to delete.
_EXPIRED = {
    # Counts whose bucket and the next one are over.
    "windows": ("access.windows", "(bucket + 2) * seconds < extract(epoch FROM clock_timestamp())"),
    "idempotency": ("access.idempotency", f"created_at < now() - interval '{IDEMPOTENCY_DAYS} days'"),
    "denied_tokens": ("access.denied_tokens", "expires_at < now()"),
    # Used tokens stay until they expire, because their reuse reveals a theft.
    "refresh_tokens": ("access.refresh_tokens", "expires_at < now()"),
    # Families without a token. The first token of a new family may not have been committed yet.
    "refresh_families": (
        "access.refresh_families f",
        (
            "created_at < now() - interval '1 day'"
            " AND NOT EXISTS (SELECT FROM access.refresh_tokens t WHERE t.family_id = f.id)"
        ),
    ),
    "mail_tokens": ("access.mail_tokens", "expires_at < now()"),
    "oauth_states": ("access.oauth_states", "expires_at < now()"),
    "login_attempts": ("access.login_attempts", f"last_at < now() - interval '{ATTEMPT_HOURS} hours'"),
    "known_places": ("access.known_places", f"seen_at < now() - interval '{PLACE_DAYS} days'"),
    "channel_removals": ("studio.channel_removals", "expires_at < now()"),
    # Open slots stay: the schedule ends each of them with a reason.
    "slots": (
        "studio.slots",
        f"publish_at < now() - interval '{SLOT_DAYS} days' AND state NOT IN ('planned', 'held')",
    ),
    "deliveries": ("feed.deliveries", f"taken_at < now() - interval '{DELIVERY_DAYS} days'"),
    # After them nothing looks for answers that were not loaded (metrics/replay.py).
    "loads": ("metrics.loads", f"loaded_at < now() - interval '{LOAD_DAYS} days'"),
    "seen": ("feed.seen", f"seen_at < now() - interval '{SEEN_DAYS} days'"),
}
EXPIRING = tuple(_EXPIRED)

# Tables whose rows go with their organisation. Those that refer to one of them go by their foreign key.
OF_ORGANISATION = (
    *("studio.videos", "studio.channels", "studio.assets", "metrics.artists", "metrics.airtable_rows"),
    *("rights.change_sets", "rights.searches"),
    *("access.api_keys", "access.service_tokens", "access.refresh_families", "access.mail_tokens"),
    *("access.idempotency", "accounts.connections", "accounts.google_projects", "accounts.voices"),
    *("accounts.organisation_removals", "accounts.members"),
)


def remove_expired(tx: db.Transaction, name: str, limit: int) -> int:
    """Delete expired rows. `name` is one of EXPIRING."""
    return _delete(tx, *_EXPIRED[name], limit)


def remove_channels(tx: db.Transaction, limit: int) -> int:
    """Delete channels that were removed a month ago and have no videos left."""
    condition = f"""
        deleted_at < now() - interval '{REMOVED_DAYS} days'
        AND NOT EXISTS (SELECT FROM studio.videos v WHERE v.channel_id = c.id)
    """
    return _delete(tx, "studio.channels c", condition, limit)


def _delete(tx: db.Transaction, source: str, condition: str, limit: int) -> int:
    sql = f"""
        DELETE FROM {source} WHERE ctid = ANY(ARRAY(
            SELECT ctid FROM {source} WHERE {condition} LIMIT :limit FOR UPDATE SKIP LOCKED))
    """
    return db.run(tx, sql, limit=limit)


def list_removed_videos(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """Return id and organisation_id of videos that were removed a month ago, alone or with their channel."""
    return db.rows(
        tx,
        """
        SELECT id, organisation_id FROM studio.videos
         WHERE deleted_at < now() - make_interval(days => :days) ORDER BY deleted_at, id LIMIT :limit
        """,
        days=REMOVED_DAYS,
        limit=limit,
    )


def remove_video(tx: db.Transaction, video_id: str) -> int:
    """Delete a removed video and its log, unless it was restored meanwhile. Its costs stay."""
    return db.run(
        tx,
        """
        DELETE FROM studio.videos
         WHERE id = :video_id AND deleted_at < now() - make_interval(days => :days)
        """,
        video_id=video_id,
        days=REMOVED_DAYS,
    )


def list_unused_assets(tx: db.Transaction, limit: int) -> list[dict[str, Any]]:
    """Return id and object_key of assets that were never uploaded, refused or removed, a day after that.

    Their upload addresses have expired, so nothing can be uploaded again.
    """
    return db.rows(
        tx,
        """
        SELECT id, object_key FROM studio.assets
         WHERE status <> 'ready' AND created_at < now() - interval '1 day'
         ORDER BY created_at LIMIT :limit
        """,
        limit=limit,
    )


def remove_asset(tx: db.Transaction, asset_id: str) -> int:
    """Delete an asset that isn't in use."""
    return db.run(tx, "DELETE FROM studio.assets WHERE id = :id AND status <> 'ready'", id=asset_id)


def list_deleted_organisations(tx: db.Transaction, limit: int) -> list[str]:
    """Return the ids of organisations that were deleted a month ago."""
    rows = db.rows(
        tx,
        """
        SELECT id::text FROM accounts.organisations
         WHERE deleted_at < now() - make_interval(days => :days) ORDER BY deleted_at LIMIT :limit
        """,
        days=REMOVED_DAYS,
        limit=limit,
    )
    return [row["id"] for row in rows]


def remove_organisation(tx: db.Transaction, organisation_id: str) -> int:
    """Delete all rows of an organisation but those of its content owners (`removal.remove_owner`).

    Its row stays without a name, because costs, invoices and audit records refer to it.
    """
    for table in OF_ORGANISATION:
        db.run(tx, f"DELETE FROM {table} WHERE organisation_id = :id", id=organisation_id)
    return db.run(
        tx,
        "UPDATE accounts.organisations SET name = 'Deleted', deleted_at = 'infinity' WHERE id = :id",
        id=organisation_id,
    )

"""Channels: at most ten for each user.

A YouTube channel belongs to at most one channel of an organisation. Channels of other organisations may name
it too, until one of them has proved by a connection that it owns it.
"""

import json
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["channels_youtube_verified"] = (
    Conflict,
    "This YouTube channel is connected to another channel of this stage already.",
)
db.CONSTRAINTS["channels_youtube_channel_id"] = (
    Conflict,
    "This YouTube channel belongs to another of your channels already.",
)

_ITEM = """
    json_build_object('id', c.id, 'name', c.name, 'niche', c.niche,
                      'youtube_channel_id', c.youtube_channel_id, 'status', c.status,
                      'settings', c.settings || jsonb_build_object('topics', (
                          SELECT coalesce(jsonb_agg(t.topic ORDER BY t.position, t.id), '[]')
                            FROM studio.topics t WHERE t.channel_id = c.id AND t.used_at IS NULL)),
                      'created_at', c.created_at, 'updated_at', c.updated_at)
"""
_VISIBLE = "c.organisation_id = :organisation_id AND c.deleted_at IS NULL"
_SOURCE = f"studio.channels c WHERE {_VISIBLE}"
_LIST = List(
    "channels",
    "studio.channels c",
    _VISIBLE,
    _ITEM,
    {
        "created_at": Column("c.created_at", "timestamptz"),
        "updated_at": Column("c.updated_at", "timestamptz"),
        "name": Column("lower(c.name)", "text"),
        "id": Column("c.id", "uuid"),
    },
    "-created_at",
    {"status": "c.status = :status"},
)


def list_(tx: db.Transaction, organisation_id: str, status: str | None, page: PageRequest) -> PageResult:
    """Return a page of the organisation's channels."""
    return pages.select(tx, _LIST, page, {"organisation_id": organisation_id, "status": status})


def count(tx: db.Transaction, creator: str) -> int:
    """Return how many channels a user or a service has created."""
    return int(
        db.value(
            tx,
            "SELECT count(*) FROM studio.channels WHERE created_by = :creator AND deleted_at IS NULL",
            creator=creator,
        )
    )


def get(tx: db.Transaction, organisation_id: str, channel_id: str) -> str:
    """Return the channel as JSON text. Raises NotFound."""
    text = db.value(
        tx,
        f"SELECT {_ITEM}::text FROM {_SOURCE} AND c.id = :channel_id",
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    return _found(text)


def lock(tx: db.Transaction, organisation_id: str, channel_id: str) -> dict[str, Any]:
    """Return {youtube_channel_id, status} of a channel and lock the row. Raises NotFound."""
    row = db.one(
        tx,
        f"SELECT c.youtube_channel_id, c.status FROM {_SOURCE} AND c.id = :channel_id FOR UPDATE",
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    if row is None:
        raise NotFound("There is no such channel.")
    return row


def get_overview(tx: db.Transaction, organisation_id: str, channel_id: str) -> str:
    """Return {channel, statistics, recent_videos} as JSON text. Raises NotFound."""
    text = db.value(
        tx,
        f"""
        SELECT json_build_object(
            'channel', {_ITEM},
            'statistics', (
                SELECT json_build_object(
                           'videos', count(*),
                           'completed', count(*) FILTER (
                               WHERE status IN ('completed', 'scheduled', 'published')),
                           'failed', count(*) FILTER (WHERE status = 'failed'),
                           'published', count(*) FILTER (WHERE status = 'published'))
                  FROM studio.videos v WHERE v.channel_id = c.id AND v.deleted_at IS NULL),
            'recent_videos', (SELECT coalesce(json_agg(r), '[]') FROM (
                SELECT id, title, status, progress, created_at FROM studio.videos v
                 WHERE v.channel_id = c.id AND v.deleted_at IS NULL
                 ORDER BY created_at DESC, id DESC LIMIT 5) r))::text
          FROM {_SOURCE} AND c.id = :channel_id
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    return _found(text)


def _found(text: str | None) -> str:
    if text is None:
        raise NotFound("There is no such channel.")
    return text


def get_for_production(
    tx: db.Transaction, organisation_id: str, channel_ids: list[str]
) -> dict[str, dict[str, Any]]:
    """Return id -> {id, status, settings} of those of the channels that exist.

    They are locked, so that none is paused or removed before the caller has added its videos.
    """
    found = db.rows(
        tx,
        f"""
        SELECT c.id::text, c.status, c.settings FROM {_SOURCE} AND c.id = ANY(:channel_ids::uuid[])
         ORDER BY c.id FOR SHARE
        """,
        organisation_id=organisation_id,
        channel_ids=channel_ids,
    )
    return {row["id"]: row for row in found}


def add(
    tx: db.Transaction,
    organisation_id: str,
    creator: str,
    name: str,
    niche: str | None,
    youtube_channel_id: str | None,
    settings: dict[str, Any],
    limit: int,
) -> str:
    """Add a channel and return it as JSON text. Raises Conflict if its creator has `limit` channels."""
    # Count and add under one lock, so that two can't both be the last one allowed. A user's channels may
    # belong to several organisations.
    db.value(
        tx,
        "SELECT pg_advisory_xact_lock(hashtextextended(:creator, 0))::text",
        creator=f"channels of {creator}",
    )
    if count(tx, creator) >= limit:
        raise Conflict(f"You can have {limit} channels: remove one first.", code="CHANNEL_LIMIT_REACHED")
    text = db.value(
        tx,
        f"""
        INSERT INTO studio.channels AS c
               (organisation_id, created_by, name, niche, youtube_channel_id, settings)
        VALUES (:organisation_id, :creator, :name, :niche, :youtube_channel_id, :settings)
        RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        creator=creator,
        name=name,
        niche=niche,
        youtube_channel_id=youtube_channel_id,
        settings=json.dumps(settings),
    )
    return str(text)


def save(
    tx: db.Transaction,
    organisation_id: str,
    channel_id: str,
    changes: dict[str, Any],
    settings: dict[str, Any],
) -> str:
    """Save the given columns (name, niche, youtube_channel_id, status) and settings; others stay as they are.

    Returns the channel as JSON text. Raises NotFound, or Conflict if another channel has the YouTube channel.
    """
    text = db.value(
        tx,
        f"""
        UPDATE studio.channels c
           SET name = coalesce(:name, name), status = coalesce(:status, status),
               niche = CASE WHEN :has_niche::boolean THEN :niche ELSE niche END,
               -- The ownership of another YouTube channel must be proved again.
               youtube_verified_at = CASE
                   WHEN :has_youtube::boolean AND youtube_channel_id IS DISTINCT FROM :youtube_channel_id
                   THEN NULL ELSE youtube_verified_at END,
               youtube_channel_id = CASE WHEN :has_youtube::boolean THEN :youtube_channel_id
                                         ELSE youtube_channel_id END,
               settings = settings || :settings::jsonb, planned_through = NULL, updated_at = now()
         WHERE {_VISIBLE} AND c.id = :channel_id RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        name=changes.get("name"),
        status=changes.get("status"),
        has_niche="niche" in changes,
        niche=changes.get("niche"),
        has_youtube="youtube_channel_id" in changes,
        youtube_channel_id=changes.get("youtube_channel_id"),
        settings=json.dumps(settings),
    )
    return _found(text)


def plan_again(tx: db.Transaction, channel_id: str) -> None:
    """Let the next run of the schedule plan the channel's slots and check its backlog."""
    db.run(tx, "UPDATE studio.channels SET planned_through = NULL WHERE id = :id", id=channel_id)


def get_connection(tx: db.Transaction, channel_id: str) -> dict[str, Any]:
    """Return the connection of a channel. Raises NotFound.

    Columns: youtube_channel_id, connection_id, is_connected (an account has proved that it owns the YouTube
    channel, and its permission hasn't ended), lost_reason, scopes, connected_at.
    """
    row = db.one(
        tx,
        """
        SELECT c.youtube_channel_id, c.connection_id::text,
               a.id IS NOT NULL AND c.youtube_verified_at IS NOT NULL
                   AND a.lost_reason IS NULL AS is_connected,
               a.lost_reason, a.scopes, a.connected_at
          FROM studio.channels c LEFT JOIN accounts.connections a ON a.id = c.connection_id
         WHERE c.id = :id
        """,
        id=channel_id,
    )
    if row is None:
        raise NotFound("There is no such channel.")
    return row


def disconnect(tx: db.Transaction, organisation_id: str, channel_id: str) -> None:
    """Release the channel from its YouTube connection. Its youtube_channel_id stays, but proves nothing.

    Raises NotFound, or Conflict while one of its videos is being published.
    """
    busy = db.value(
        tx,
        "SELECT count(*) FROM studio.videos WHERE channel_id = :channel_id AND status = 'publishing'",
        channel_id=channel_id,
    )
    if busy:
        raise Conflict(
            "A video of the channel is being published: wait until it is there, or DELETE it. "
            "DELETE /auth/connections/{id} ends our permission at once."
        )
    changed = db.run(
        tx,
        f"""
        UPDATE studio.channels c
           SET connection_id = NULL, youtube_verified_at = NULL, updated_at = now()
         WHERE {_VISIBLE} AND c.id = :channel_id
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    if not changed:
        raise NotFound("There is no such channel.")


def connect(
    tx: db.Transaction, organisation_id: str, channel_id: str, youtube_channel_id: str, connection_id: str
) -> str:
    """Bind the channel to a YouTube channel whose ownership the connection has proved.

    Returns the channel as JSON text. Raises NotFound, or Conflict if another channel has the YouTube channel.
    """
    text = db.value(
        tx,
        f"""
        UPDATE studio.channels c
           SET youtube_channel_id = :youtube_channel_id, connection_id = :connection_id,
               youtube_verified_at = now(), updated_at = now()
         WHERE {_VISIBLE} AND c.id = :channel_id RETURNING {_ITEM}::text
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        youtube_channel_id=youtube_channel_id,
        connection_id=connection_id,
    )
    return _found(text)


def remove(tx: db.Transaction, organisation_id: str, channel_id: str) -> None:
    """Hide the channel and its videos. They are purged after retention.REMOVED_DAYS. Raises NotFound."""
    hidden = db.run(
        tx,
        f"""
        UPDATE studio.channels c
           SET deleted_at = now(), status = 'disabled', planned_through = NULL, updated_at = now()
         WHERE {_VISIBLE} AND c.id = :channel_id
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
    )
    if not hidden:
        raise NotFound("There is no such channel.")
    db.run(
        tx,
        """
        UPDATE studio.videos SET deleted_at = now(), updated_at = now()
         WHERE channel_id = :channel_id AND deleted_at IS NULL
        """,
        channel_id=channel_id,
    )


def ask_removal(
    tx: db.Transaction, organisation_id: str, channel_id: str, token_sha256: str, minutes: int
) -> None:
    """Save the hash of the token that the second DELETE must have, in place of an earlier one."""
    db.run(
        tx,
        """
        INSERT INTO studio.channel_removals (channel_id, organisation_id, token_sha256, expires_at)
        VALUES (:channel_id, :organisation_id, :token_sha256, now() + make_interval(mins => :minutes))
        ON CONFLICT (channel_id) DO UPDATE
           SET token_sha256 = excluded.token_sha256, expires_at = excluded.expires_at
        """,
        channel_id=channel_id,
        organisation_id=organisation_id,
        token_sha256=token_sha256,
        minutes=minutes,
    )


def confirm_removal(tx: db.Transaction, organisation_id: str, channel_id: str, token_sha256: str) -> bool:
    """Use up the confirmation token. False if it is wrong or has expired."""
    return bool(
        db.run(
            tx,
            """
            DELETE FROM studio.channel_removals
             WHERE channel_id = :channel_id AND organisation_id = :organisation_id
               AND token_sha256 = :token_sha256 AND expires_at > now()
            """,
            channel_id=channel_id,
            organisation_id=organisation_id,
            token_sha256=token_sha256,
        )
    )

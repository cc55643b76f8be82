"""Publications of videos on YouTube: the request, the state of the attempt, and problems of the result."""

import json
from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound, ProductionCancelled

db.CONSTRAINTS["publications_youtube_video_id"] = (
    Conflict,
    "This YouTube video belongs to another video of ours already.",
)

_ROW = """
    p.id::text, p.video_id::text, p.organisation_id::text, p.channel_id::text, p.attempt, p.action, p.is_open,
    p.metadata, p.confirm_repeat, p.youtube_video_id, p.waiting_for, p.problems, p.published_at
"""


def find(tx: db.Transaction, organisation_id: str, video_id: str) -> dict[str, Any] | None:
    """Return the publication of a video of the organisation, None if there is none."""
    return db.one(
        tx,
        f"""
        SELECT {_ROW} FROM studio.publications p
         WHERE p.organisation_id = :organisation_id AND p.video_id = :video_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )


def get_source(tx: db.Transaction, organisation_id: str, video_id: str) -> dict[str, Any]:
    """Return the video of a publication with its channel's settings and connection; lock the video.

    Raises NotFound.
    """
    row = db.one(
        tx,
        """
        SELECT v.id::text AS video_id, v.organisation_id::text, v.channel_id::text, v.status, v.demo, v.title,
               v.description, v.tags, v.product, v.duration_seconds::float8 AS duration_seconds,
               v.thumbnail_asset_id, v.deleted_at IS NOT NULL AS is_removed,
               v.approved_at IS NOT NULL AS is_approved, c.settings, c.youtube_channel_id,
               c.youtube_verified_at IS NOT NULL AS is_verified, c.connection_id::text,
               coalesce(n.scopes, '{}') AS scopes, a.object_key AS thumbnail_key
          FROM studio.videos v
          JOIN studio.channels c ON c.id = v.channel_id
          LEFT JOIN accounts.connections n ON n.id = c.connection_id
          LEFT JOIN studio.assets a ON a.id = v.thumbnail_asset_id
         WHERE v.organisation_id = :organisation_id AND v.id = :video_id FOR UPDATE OF v
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
    if row is None:
        raise NotFound("There is no such video.")
    return row


def open_(
    tx: db.Transaction, source: dict[str, Any], action: str, metadata: dict[str, Any], *, confirm_repeat: bool
) -> dict[str, Any]:
    """Begin the next attempt of a publication and return its row.

    The caller has locked the video and checked that no attempt is open.
    """
    row = db.one(
        tx,
        f"""
        INSERT INTO studio.publications AS p
               (video_id, organisation_id, channel_id, action, metadata, confirm_repeat)
        VALUES (:video_id, :organisation_id, :channel_id, :action, :metadata, :confirm_repeat)
        ON CONFLICT (video_id) DO UPDATE
           SET attempt = p.attempt + 1, action = excluded.action, metadata = excluded.metadata,
               confirm_repeat = excluded.confirm_repeat, is_open = true, begun_at = NULL,
               waiting_for = NULL, updated_at = now()
        RETURNING {_ROW}
        """,
        video_id=source["video_id"],
        organisation_id=source["organisation_id"],
        channel_id=source["channel_id"],
        action=action,
        metadata=json.dumps(metadata),
        confirm_repeat=confirm_repeat,
    )
    if row is None:
        raise AssertionError("an INSERT returns its row")
    return row


def save_status(tx: db.Transaction, video_id: str, status: str) -> None:
    """Set the video's status."""
    db.run(
        tx,
        "UPDATE studio.videos SET status = :status, updated_at = now() WHERE id = :video_id",
        video_id=video_id,
        status=status,
    )


def begin(tx: db.Transaction, video_id: str, attempt: int) -> dict[str, Any]:
    """Return the open attempt as `get_open` does, and record that the machine has started."""
    row = get_open(tx, video_id, attempt)
    db.run(
        tx,
        """
        UPDATE studio.publications SET begun_at = coalesce(begun_at, now()), updated_at = now()
         WHERE video_id = :video_id
        """,
        video_id=video_id,
    )
    return row


def get_open(tx: db.Transaction, video_id: str, attempt: int) -> dict[str, Any]:
    """Return the open attempt and lock it with its video.

    Raises ProductionCancelled if the attempt has ended or there is a newer one.
    """
    row = db.one(
        tx,
        f"""
        SELECT {_ROW} FROM studio.publications p JOIN studio.videos v ON v.id = p.video_id
         WHERE p.video_id = :video_id AND p.attempt = :attempt AND p.is_open FOR UPDATE OF p, v
        """,
        video_id=video_id,
        attempt=attempt,
    )
    if row is None:
        raise ProductionCancelled("This attempt of the publication is over.")
    return row


def save_progress(
    tx: db.Transaction, video_id: str, attempt: int, youtube_video_id: str | None, waiting_for: str | None
) -> None:
    """Save the YouTube id, as soon as it is known, and why the attempt waits. A saved id is never removed."""
    db.run(
        tx,
        """
        UPDATE studio.publications
           SET youtube_video_id = coalesce(:youtube_video_id, youtube_video_id), waiting_for = :waiting_for,
               updated_at = now()
         WHERE video_id = :video_id AND attempt = :attempt AND is_open
        """,
        video_id=video_id,
        attempt=attempt,
        youtube_video_id=youtube_video_id,
        waiting_for=waiting_for,
    )


def close(
    tx: db.Transaction,
    video_id: str,
    attempt: int,
    problems: list[dict[str, str]],
    youtube_video_id: str | None,
    *,
    published: bool,
    is_open: bool = False,
) -> None:
    """Save the result of an attempt.

    With `is_open` the attempt continues, to check YouTube after the time of publication.
    """
    db.run(
        tx,
        """
        UPDATE studio.publications
           SET problems = :problems, youtube_video_id = coalesce(:youtube_video_id, youtube_video_id),
               waiting_for = NULL, is_open = :is_open,
               published_at = CASE WHEN :published::boolean THEN coalesce(published_at, now())
                                   ELSE published_at END,
               updated_at = now()
         WHERE video_id = :video_id AND attempt = :attempt
        """,
        video_id=video_id,
        attempt=attempt,
        problems=json.dumps(problems),
        youtube_video_id=youtube_video_id,
        published=published,
        is_open=is_open,
    )


def list_unstarted(tx: db.Transaction, older_than_seconds: int, limit: int) -> list[dict[str, Any]]:
    """Return video_id, organisation_id and attempt of publications whose execution was never started."""
    return db.rows(
        tx,
        """
        SELECT video_id::text, organisation_id::text, attempt FROM studio.publications
         WHERE is_open AND begun_at IS NULL
           AND updated_at < now() - make_interval(secs => :older_than_seconds)
         ORDER BY updated_at LIMIT :limit
        """,
        older_than_seconds=older_than_seconds,
        limit=limit,
    )

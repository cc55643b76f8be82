"""Readings of channels on YouTube: which is running, and what the last one has found."""

import json
from typing import Any

from showrunner.database import db
from showrunner.errors import ProductionCancelled


def find(tx: db.Transaction, channel_id: str) -> dict[str, Any] | None:
    """Return the channel's last reading, None if there was none.

    Columns: attempt, is_running, begun_at, ended_at, error, shown, shown_at, seconds (since it was begun).
    """
    return db.one(
        tx,
        """
        SELECT attempt, ended_at IS NULL AS is_running, begun_at, ended_at, error, shown, shown_at,
               extract(epoch FROM now() - begun_at)::float8 AS seconds
          FROM studio.channel_syncs WHERE channel_id = :channel_id
        """,
        channel_id=channel_id,
    )


def begin(tx: db.Transaction, organisation_id: str, channel_id: str) -> int:
    """Begin the next reading of a locked channel. Returns its attempt."""
    return int(
        db.value(
            tx,
            """
            INSERT INTO studio.channel_syncs AS s (channel_id, organisation_id)
            VALUES (:channel_id, :organisation_id)
            ON CONFLICT (channel_id) DO UPDATE
               SET attempt = s.attempt + 1, begun_at = now(), ended_at = NULL, error = NULL
            RETURNING attempt
            """,
            channel_id=channel_id,
            organisation_id=organisation_id,
        )
    )


def require_running(tx: db.Transaction, channel_id: str, attempt: int) -> None:
    """Lock the reading. Raises ProductionCancelled if it has ended, or a newer one has begun."""
    row = db.one(
        tx,
        """
        SELECT 1 AS found FROM studio.channel_syncs
         WHERE channel_id = :channel_id AND attempt = :attempt AND ended_at IS NULL FOR UPDATE
        """,
        channel_id=channel_id,
        attempt=attempt,
    )
    if row is None:
        raise ProductionCancelled("This reading of the channel is over.")


def save_channel(tx: db.Transaction, channel_id: str, shown: dict[str, Any]) -> None:
    """Save what YouTube shows of the channel."""
    db.run(
        tx,
        "UPDATE studio.channel_syncs SET shown = :shown, shown_at = now() WHERE channel_id = :channel_id",
        channel_id=channel_id,
        shown=json.dumps(shown),
    )


def end(tx: db.Transaction, channel_id: str, error: str | None = None) -> None:
    """End the running reading, with the reason if it failed."""
    db.run(
        tx,
        """
        UPDATE studio.channel_syncs SET ended_at = now(), error = :error
         WHERE channel_id = :channel_id AND ended_at IS NULL
        """,
        channel_id=channel_id,
        error=error,
    )


def count_videos(tx: db.Transaction, channel_id: str) -> int:
    """Return how many of the channel's videos are on YouTube."""
    return int(
        db.value(
            tx,
            """
            SELECT count(*) FROM studio.publications
             WHERE channel_id = :channel_id AND youtube_video_id IS NOT NULL
            """,
            channel_id=channel_id,
        )
    )


def list_videos(tx: db.Transaction, channel_id: str, after: str, limit: int) -> list[str]:
    """Return the YouTube ids of the channel's videos that come after `after`, in their order."""
    rows = db.rows(
        tx,
        """
        SELECT youtube_video_id FROM studio.publications
         WHERE channel_id = :channel_id AND youtube_video_id > :after
         ORDER BY youtube_video_id LIMIT :limit
        """,
        channel_id=channel_id,
        after=after,
        limit=limit,
    )
    return [row["youtube_video_id"] for row in rows]


def save_videos(tx: db.Transaction, channel_id: str, shown: dict[str, dict[str, Any]]) -> None:
    """Save what YouTube shows of videos, by their YouTube ids. A video that is gone has an empty value.

    That is a problem of the video; one of an earlier reading ends when YouTube shows the video again.
    """
    ids = list(shown)
    db.run(
        tx,
        """
        UPDATE studio.publications p
           SET shown = nullif(f.shown, '{}'), shown_at = now(),
               problems = (SELECT coalesce(jsonb_agg(e) FILTER (WHERE e ->> 'step' <> 'sync'), '[]')
                             FROM jsonb_array_elements(p.problems) e)
                          || CASE WHEN f.shown = '{}' THEN :gone::jsonb ELSE '[]' END
          FROM unnest(:ids::text[], :shown::jsonb[]) AS f (id, shown)
         WHERE p.channel_id = :channel_id AND p.youtube_video_id = f.id
        """,
        channel_id=channel_id,
        ids=ids,
        shown=[json.dumps(shown[each]) for each in ids],
        gone=json.dumps(
            [
                {
                    "step": "sync",
                    "code": "GONE",
                    "message": "YouTube doesn't show the video any more: it was deleted there.",
                    "next_step": "DELETE the video here, too; order it again if you want it back.",
                }
            ]
        ),
    )

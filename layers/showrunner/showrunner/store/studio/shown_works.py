"""The clips and photographs of libraries that a video shows, by their pages."""

from showrunner.database import db


def save(tx: db.Transaction, video_id: str, pages: list[str]) -> None:
    """Save what a video shows, in place of what an earlier attempt showed."""
    db.run(tx, "DELETE FROM studio.shown_works WHERE video_id = :video_id", video_id=video_id)
    db.run(
        tx,
        """
        INSERT INTO studio.shown_works (video_id, page)
        SELECT :video_id::uuid, page FROM unnest(:pages::text[]) AS page ON CONFLICT DO NOTHING
        """,
        video_id=video_id,
        pages=pages,
    )


def list_of_channel(tx: db.Transaction, video_id: str, videos: int) -> list[str]:
    """Return the pages that the last `videos` other videos of the video's channel show.

    Videos of the same order are left out: the same order again shows the same.
    """
    found = db.value(
        tx,
        """
        SELECT coalesce(array_agg(DISTINCT w.page ORDER BY w.page), '{}')
          FROM (SELECT o.id FROM studio.videos o JOIN studio.videos v ON o.channel_id = v.channel_id
                 WHERE v.id = :video_id AND o.id <> v.id AND o.deleted_at IS NULL
                   AND o.request - 'stop_after' <> v.request - 'stop_after'
                 ORDER BY o.created_at DESC, o.id DESC LIMIT :videos) latest
          JOIN studio.shown_works w ON w.video_id = latest.id
        """,
        video_id=video_id,
        videos=videos,
    )
    return list(found or [])

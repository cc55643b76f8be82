"""Production of a video: what the production machine writes into studio.videos and studio.video_log.

Every write names its attempt, so that a late step of an older attempt changes nothing.
"""

import json
from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound, ProductionCancelled

_OPEN = "status IN ('queued', 'processing')"


def begin(tx: db.Transaction, video_id: str, attempt: int, deadline_seconds: int) -> dict[str, Any]:
    """Start an attempt with a deadline and return the video with its channel's settings.

    Raises ProductionCancelled if the video was cancelled or has a newer attempt.
    """
    row = db.one(
        tx,
        f"""
        UPDATE studio.videos v
           SET status = 'processing', current_step = 'prepare', progress = greatest(progress, 1),
               error = NULL, deadline_at = now() + make_interval(secs => :deadline_seconds),
               updated_at = now()
          FROM studio.channels c
         WHERE v.id = :video_id AND v.attempt = :attempt AND v.{_OPEN} AND c.id = v.channel_id
        RETURNING v.id, v.organisation_id, v.attempt, v.request, v.changes, c.name AS channel_name, c.niche,
                  c.settings
        """,
        video_id=video_id,
        attempt=attempt,
        deadline_seconds=deadline_seconds,
    )
    if row is None:
        raise _gone(tx, video_id)
    return row


def advance(tx: db.Transaction, video_id: str, attempt: int, step: str, progress: int, message: str) -> None:
    """Record that the attempt has reached a step. Progress never decreases. Raises ProductionCancelled."""
    changed = db.run(
        tx,
        """
        UPDATE studio.videos
           SET current_step = :step, progress = greatest(progress, :progress), updated_at = now()
         WHERE id = :video_id AND attempt = :attempt AND status = 'processing'
        """,
        video_id=video_id,
        attempt=attempt,
        step=step,
        progress=progress,
    )
    if not changed:
        raise _gone(tx, video_id)
    add_log(tx, video_id, attempt, step, message)


def pause(tx: db.Transaction, video_id: str, attempt: int, message: str) -> None:
    """End the attempt after its script: the video waits for its owner. Raises ProductionCancelled."""
    changed = db.run(
        tx,
        """
        UPDATE studio.videos
           SET status = 'script_ready', current_step = 'script', deadline_at = NULL, updated_at = now()
         WHERE id = :video_id AND attempt = :attempt AND status IN ('processing', 'script_ready')
        """,
        video_id=video_id,
        attempt=attempt,
    )
    if not changed:
        raise _gone(tx, video_id)
    add_log(tx, video_id, attempt, "script", message)


def save_script(
    tx: db.Transaction, video_id: str, attempt: int, title: str, description: str, tags: list[str]
) -> None:
    """Save the metadata that come with the script, but for those that a person has changed."""
    db.run(
        tx,
        """
        UPDATE studio.videos
           SET title = CASE WHEN 'title' = ANY(edited_fields) THEN title ELSE :title END,
               description = CASE WHEN 'description' = ANY(edited_fields) THEN description
                                  ELSE :description END,
               tags = CASE WHEN 'tags' = ANY(edited_fields) THEN tags ELSE :tags::text[] END,
               updated_at = now()
         WHERE id = :video_id AND attempt = :attempt
        """,
        video_id=video_id,
        attempt=attempt,
        title=title,
        description=description,
        tags=tags,
    )


def complete(
    tx: db.Transaction,
    video_id: str,
    attempt: int,
    product: dict[str, Any],
    duration_seconds: float,
    demo: bool,
) -> bool:
    """Save the finished video. False if it was saved before or isn't processing: then no event is sent."""
    changed = db.run(
        tx,
        """
        UPDATE studio.videos
           SET status = 'completed', progress = 100, current_step = 'finish', product = :product,
               duration_seconds = :duration_seconds, demo = :demo, error = NULL, completed_at = now(),
               updated_at = now()
         WHERE id = :video_id AND attempt = :attempt AND status = 'processing'
        """,
        video_id=video_id,
        attempt=attempt,
        product=json.dumps(product),
        duration_seconds=duration_seconds,
        demo=demo,
    )
    if changed:
        add_log(tx, video_id, attempt, "finish", "The video is finished.")
    return bool(changed)


def fail(tx: db.Transaction, video_id: str, attempt: int, error: dict[str, str]) -> bool:
    """Record that the attempt failed at error["step"].

    False if the video was cancelled, finished or retried since.
    """
    changed = db.run(
        tx,
        f"""
        UPDATE studio.videos
           SET status = 'failed', error = :error, current_step = :step, updated_at = now()
         WHERE id = :video_id AND attempt = :attempt AND {_OPEN}
        """,
        video_id=video_id,
        attempt=attempt,
        error=json.dumps(error),
        step=error["step"],
    )
    if changed:
        add_log(tx, video_id, attempt, error["step"], error["message"], level="error")
    return bool(changed)


def list_step_seconds(tx: db.Transaction, video_id: str, attempt: int) -> dict[str, float]:
    """Return how long the steps of an attempt took, from the first log line of one to that of the next."""
    rows = db.rows(
        tx,
        """
        SELECT step, extract(epoch FROM min(at))::float8 AS at FROM studio.video_log
         WHERE video_id = :video_id AND attempt = :attempt GROUP BY step
        """,
        video_id=video_id,
        attempt=attempt,
    )
    begun = {row["step"]: row["at"] for row in rows}
    # A step's line is written when the step before it has been recorded: "voice" after the script, "render"
    # after the timeline.
    spans = {"script": ("prepare", "voice"), "voice": ("voice", "render")}
    return {
        step: round(begun[end] - begun[start], 1)
        for step, (start, end) in spans.items()
        if start in begun and end in begun
    }


def get_step(tx: db.Transaction, video_id: str) -> dict[str, Any]:
    """Return id, organisation_id, channel_id, title, status, attempt, current_step, progress, updated_at.

    Raises NotFound.
    """
    row = db.one(
        tx,
        """
        SELECT id, status, attempt, current_step, progress, organisation_id, channel_id, title, updated_at
          FROM studio.videos WHERE id = :video_id
        """,
        video_id=video_id,
    )
    if row is None:
        raise NotFound(f"There is no video {video_id}.")
    return row


def list_unstarted(tx: db.Transaction, older_than_seconds: int, limit: int) -> list[dict[str, Any]]:
    """Return queued videos that no execution has changed since they were committed: their start was lost."""
    return db.rows(
        tx,
        """
        SELECT id, organisation_id, attempt FROM studio.videos
         WHERE status = 'queued' AND updated_at < now() - make_interval(secs => :older_than_seconds)
         ORDER BY updated_at LIMIT :limit
        """,
        older_than_seconds=older_than_seconds,
        limit=limit,
    )


def list_processing(tx: db.Transaction, quiet_seconds: int, limit: int) -> list[dict[str, Any]]:
    """Return processing videos without a change for `quiet_seconds`, or after their deadline (`overdue`)."""
    return db.rows(
        tx,
        """
        SELECT id, organisation_id, attempt, current_step, deadline_at < now() AS overdue FROM studio.videos
         WHERE status = 'processing'
           AND (updated_at < now() - make_interval(secs => :quiet_seconds) OR deadline_at < now())
         ORDER BY updated_at LIMIT :limit
        """,
        quiet_seconds=quiet_seconds,
        limit=limit,
    )


def list_cancelled(tx: db.Transaction, within_seconds: int, limit: int) -> list[dict[str, Any]]:
    """Return videos that were cancelled recently: their execution may still run."""
    return db.rows(
        tx,
        """
        SELECT id, organisation_id, attempt FROM studio.videos
         WHERE status = 'cancelled' AND cancel_requested_at > now() - make_interval(secs => :within_seconds)
         ORDER BY cancel_requested_at LIMIT :limit
        """,
        within_seconds=within_seconds,
        limit=limit,
    )


def is_any_open(tx: db.Transaction, within_seconds: int) -> bool:
    """Tell whether any video is queued, is processing, or was cancelled in the last `within_seconds`."""
    return bool(
        db.value(
            tx,
            f"""
            SELECT EXISTS (SELECT FROM studio.videos WHERE {_OPEN})
                OR EXISTS (SELECT FROM studio.videos
                            WHERE status = 'cancelled'
                              AND cancel_requested_at > now() - make_interval(secs => :within_seconds))
            """,
            within_seconds=within_seconds,
        )
    )


def add_log(
    tx: db.Transaction, video_id: str, attempt: int, step: str, message: str, level: str = "info"
) -> None:
    """Add a line to the video's processing log, unless the attempt has the same line already."""
    db.run(
        tx,
        """
        INSERT INTO studio.video_log (video_id, attempt, step, level, message)
        SELECT :video_id, :attempt, :step, :level, :message
         WHERE NOT EXISTS (SELECT FROM studio.video_log
                            WHERE video_id = :video_id AND attempt = :attempt AND step = :step
                              AND message = :message)
        """,
        video_id=video_id,
        attempt=attempt,
        step=step,
        level=level,
        message=message,
    )


def _gone(tx: db.Transaction, video_id: str) -> ProductionCancelled:
    row = get_step(tx, video_id)
    return ProductionCancelled(
        f"The video is {row['status']} in attempt {row['attempt']}: this attempt ends here."
    )

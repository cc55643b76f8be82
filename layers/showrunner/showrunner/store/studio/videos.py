"""Videos as their owners see and control them. `productions` has what the production machine writes."""

import json
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult
from showrunner.errors import NotFound

_ITEM = """
    json_build_object('id', v.id, 'channel_id', v.channel_id, 'status', v.status, 'title', v.title,
                      'description', v.description, 'tags', v.tags, 'thumbnail', v.thumbnail_asset_id,
                      'priority', v.priority, 'attempt', v.attempt, 'progress', v.progress,
                      'current_step', v.current_step, 'error', v.error,
                      'duration_seconds', v.duration_seconds, 'demo', v.demo,
                      'request', v.request || v.changes,
                      'created_by', v.created_by,
                      'product', v.product,
                      'publication', (
                          SELECT json_build_object(
                                     'youtube_video_id', p.youtube_video_id,
                                     'privacy', p.metadata -> 'privacy',
                                     'schedule_time', p.metadata -> 'publish_at',
                                     'published_at', p.published_at, 'waiting_for', p.waiting_for,
                                     'problems', p.problems, 'shown', p.shown, 'shown_at', p.shown_at)
                            FROM studio.publications p WHERE p.video_id = v.id),
                      'created_at', v.created_at, 'updated_at', v.updated_at, 'completed_at', v.completed_at)
"""
_VISIBLE = "v.organisation_id = :organisation_id AND v.deleted_at IS NULL"
_ONE = f"studio.videos v WHERE {_VISIBLE} AND v.id = :video_id"
_LIST = List(
    "videos",
    "studio.videos v",
    _VISIBLE,
    # What a table or a grid of cards shows. The texts of 50 briefs would be megabytes.
    """
    json_build_object('id', v.id, 'channel_id', v.channel_id, 'status', v.status, 'title', v.title,
                      'priority', v.priority, 'attempt', v.attempt, 'progress', v.progress,
                      'current_step', v.current_step, 'error', v.error,
                      'duration_seconds', v.duration_seconds, 'demo', v.demo, 'created_by', v.created_by,
                      'created_at', v.created_at,
                      'updated_at', v.updated_at, 'completed_at', v.completed_at)
    """,
    {
        "created_at": Column("v.created_at", "timestamptz"),
        "updated_at": Column("v.updated_at", "timestamptz"),
        "title": Column("lower(coalesce(v.title, ''))", "text"),
        "status": Column("v.status", "text"),
        "priority": Column("v.priority", "bigint"),
        "duration_seconds": Column("coalesce(v.duration_seconds, 0)", "numeric"),
        "id": Column("v.id", "uuid"),
    },
    "-created_at",
    {
        "channel_id": "v.channel_id = :channel_id::uuid",
        "status": "v.status = :status",
        "created_by": "v.created_by = :created_by",
        "date_from": "v.created_at >= :date_from::timestamptz",
        "date_to": "v.created_at < :date_to::timestamptz",
    },
)


def list_(tx: db.Transaction, organisation_id: str, filters: dict[str, Any], page: PageRequest) -> PageResult:
    """Return a page of the organisation's videos.

    `filters`: channel_id, status, created_by, date_from (inclusive), date_to (exclusive).
    """
    return pages.select(tx, _LIST, page, {**filters, "organisation_id": organisation_id})


def get(tx: db.Transaction, organisation_id: str, video_id: str) -> str:
    """Return {video, processing_logs, costs} as JSON text. Raises NotFound.

    The logs are the newest 200 lines, oldest first.
    """
    text = db.value(
        tx,
        f"""
        SELECT json_build_object(
            'video', {_ITEM},
            'processing_logs', (
                SELECT coalesce(json_agg(json_build_object(
                           'at', l.at, 'attempt', l.attempt, 'step', l.step, 'level', l.level,
                           'message', l.message) ORDER BY l.id), '[]')
                  FROM (SELECT * FROM studio.video_log WHERE video_id = v.id ORDER BY id DESC LIMIT 200) l),
            'costs', {_COSTS})::text
          FROM {_ONE}
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
    return _found(text)


_STEPS = ("script", "voice", "visuals", "render", "upload", "storage")
_BREAKDOWN = ", ".join(
    f"'{step}', coalesce(sum(k.amount_usd) FILTER (WHERE k.step = '{step}'), 0)::text" for step in _STEPS
)
_COSTS = f"""
    (SELECT json_build_object(
        'currency', 'USD', 'total_usd', coalesce(sum(k.amount_usd), 0)::text,
        'list_price_only', coalesce(bool_or(k.list_price_only), false),
        'breakdown', json_build_object({_BREAKDOWN}))
       FROM ledger.costs k WHERE k.video_id = v.id)
"""


def get_costs(tx: db.Transaction, organisation_id: str, video_id: str) -> str:
    """Return the sums by step and every charge as JSON text, amounts as decimal strings in USD.

    Raises NotFound.
    """
    text = db.value(
        tx,
        f"""
        SELECT (to_jsonb({_COSTS}) || jsonb_build_object('video_id', v.id, 'charges',
            (SELECT coalesce(jsonb_agg(jsonb_build_object(
                        'step', k.step, 'provider', k.provider, 'item', k.item, 'quantity', k.quantity::text,
                        'unit', k.unit, 'amount_usd', k.amount_usd::text,
                        'list_price_only', k.list_price_only, 'recorded_at', k.recorded_at)
                        ORDER BY k.recorded_at, k.charge), '[]')
               FROM ledger.costs k WHERE k.video_id = v.id)))::text
          FROM {_ONE}
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
    return _found(text)


def get_state(
    tx: db.Transaction, organisation_id: str, video_id: str, *, locked: bool = False
) -> dict[str, Any]:
    """Return a video's state and product; lock the row if `locked`. Raises NotFound."""
    row = db.one(
        tx,
        f"""
        SELECT v.id::text, v.status, v.progress, v.current_step, v.error, v.attempt, v.product, v.title,
               v.demo, v.updated_at, (v.request->>'length_seconds')::int AS length_seconds,
               v.channel_id::text
          FROM {_ONE}{" FOR UPDATE" if locked else ""}
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )
    if row is None:
        raise NotFound("There is no such video.")
    return row


def _found(text: str | None) -> str:
    if text is None:
        raise NotFound("There is no such video.")
    return text


def add(
    tx: db.Transaction,
    organisation_id: str,
    channel_id: str,
    request: dict[str, Any],
    priority: int,
    creator: str,
) -> str:
    """Add a queued video and return its id. creator: a user's id, or service:<name>."""
    return str(
        db.value(
            tx,
            """
            INSERT INTO studio.videos (organisation_id, channel_id, request, priority, created_by)
            VALUES (:organisation_id, :channel_id, :request, :priority, :creator) RETURNING id
            """,
            organisation_id=organisation_id,
            channel_id=channel_id,
            request=json.dumps(request),
            priority=priority,
            creator=creator,
        )
    )


def queue_position(tx: db.Transaction, organisation_id: str, video_id: str) -> int:
    """Return the video's place in its organisation's queue; 1 starts next.

    Each organisation has a share of its own. Priority 1 is the highest.
    """
    return int(
        db.value(
            tx,
            """
            SELECT count(*) FROM studio.videos o, studio.videos v
             WHERE v.id = :video_id AND o.organisation_id = :organisation_id AND o.status = 'queued'
               AND o.deleted_at IS NULL
               AND (o.priority, o.created_at, o.id) <= (v.priority, v.created_at, v.id)
            """,
            organisation_id=organisation_id,
            video_id=video_id,
        )
    )


def restart(tx: db.Transaction, organisation_id: str, video_id: str) -> int:
    """Queue the next attempt and return its number.

    The caller has locked the row and checked that the last attempt has ended.
    """
    return int(
        db.value(
            tx,
            """
            UPDATE studio.videos
               SET attempt = attempt + 1, status = 'queued', error = NULL, current_step = NULL,
                   approved_at = NULL, approved_by = NULL, cancel_requested_at = NULL, deadline_at = NULL,
                   updated_at = now()
             WHERE id = :video_id AND organisation_id = :organisation_id RETURNING attempt
            """,
            organisation_id=organisation_id,
            video_id=video_id,
        )
    )


def clear_stop(tx: db.Transaction, organisation_id: str, video_id: str) -> None:
    """Let the next attempt continue after the script."""
    db.run(
        tx,
        """
        UPDATE studio.videos SET request = request || '{"stop_after": null}', updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )


def change_order(tx: db.Transaction, organisation_id: str, video_id: str, changes: dict[str, Any]) -> None:
    """Let the next attempt differ from what was ordered; earlier changes of other fields stay."""
    db.run(
        tx,
        """
        UPDATE studio.videos SET changes = changes || :changes::jsonb, updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
        changes=json.dumps(changes),
    )


def get_order(tx: db.Transaction, organisation_id: str, video_id: str) -> dict[str, Any]:
    """Return what is asked of a video by now: its order with the changes since. Raises NotFound."""
    row = db.one(
        tx,
        f"SELECT v.request || v.changes AS asked FROM {_ONE}",
        organisation_id=organisation_id,
        video_id=video_id,
    )
    if row is None:
        raise NotFound("There is no such video.")
    found: dict[str, Any] = row["asked"]
    return found


def cancel(tx: db.Transaction, organisation_id: str, video_id: str) -> None:
    """Cancel a video. The caller has locked the row and checked that it is queued or processing."""
    db.run(
        tx,
        """
        UPDATE studio.videos SET status = 'cancelled', cancel_requested_at = now(), updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )


def approve(tx: db.Transaction, organisation_id: str, video_id: str, subject: str) -> None:
    """Record that a video may be published, and by whom."""
    db.run(
        tx,
        """
        UPDATE studio.videos
           SET status = 'completed', approved_at = now(), approved_by = :subject, updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
        subject=subject,
    )


def reject(tx: db.Transaction, organisation_id: str, video_id: str, reason: str) -> None:
    """Cancel a finished video with the reason why it isn't published."""
    db.run(
        tx,
        """
        UPDATE studio.videos
           SET status = 'cancelled', approved_at = NULL, approved_by = NULL, updated_at = now(),
               error = jsonb_build_object('step', 'review', 'code', 'REJECTED', 'message', :reason::text)
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
        reason=reason,
    )


def cancel_all(tx: db.Transaction, organisation_id: str | None, creator: str | None) -> int:
    """Cancel all videos in production of an organisation, or of a user's channels. Returns their number.

    Each step stops before its next paid call; the sweeper stops the executions. The videos can be retried.
    """
    return db.run(
        tx,
        """
        UPDATE studio.videos v SET status = 'cancelled', cancel_requested_at = now(), updated_at = now()
         WHERE v.status IN ('queued', 'processing')
           AND (v.organisation_id = :organisation_id::uuid
                OR v.channel_id IN (SELECT id FROM studio.channels WHERE created_by = :creator::text))
        """,
        organisation_id=organisation_id,
        creator=creator,
    )


def save(tx: db.Transaction, organisation_id: str, video_id: str, changes: dict[str, Any]) -> None:
    """Save those of title, description, tags and thumbnail that are given.

    `thumbnail` is an asset's id, or None for the rendered one.
    """
    db.run(
        tx,
        """
        UPDATE studio.videos
           SET title = coalesce(:title, title), description = coalesce(:description, description),
               tags = coalesce(:tags::text[], tags),
               edited_fields = ARRAY(SELECT DISTINCT unnest(edited_fields || :edited::text[])),
               thumbnail_asset_id = CASE WHEN :has_thumbnail::boolean THEN :thumbnail::uuid
                                         ELSE thumbnail_asset_id END,
               updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
        title=changes.get("title"),
        description=changes.get("description"),
        tags=changes.get("tags"),
        edited=[name for name in ("title", "description", "tags") if changes.get(name) is not None],
        has_thumbnail="thumbnail" in changes,
        thumbnail=changes.get("thumbnail"),
    )


def remove(tx: db.Transaction, organisation_id: str, video_id: str) -> None:
    """Hide the video. Its row and objects are purged after retention.REMOVED_DAYS."""
    db.run(
        tx,
        """
        UPDATE studio.videos SET deleted_at = now(), updated_at = now()
         WHERE id = :video_id AND organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
        video_id=video_id,
    )

"""Slots: when the videos of channels that run themselves are published, and what became of each slot."""

from datetime import date, datetime
from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound

# A channel runs itself once it has had a topic. Its organisation or creator may have been suspended since.
_IS_ACTIVE = """
    (c.status = 'active' AND c.deleted_at IS NULL AND o.suspended_at IS NULL AND o.deleted_at IS NULL
     AND NOT EXISTS (SELECT FROM accounts.users u
                      WHERE u.id::text = c.created_by AND u.suspended_at IS NOT NULL))
"""
_TOPICS = "(SELECT count(*) FROM studio.topics t WHERE t.channel_id = c.id AND t.used_at IS NULL)"
# Of a retried video the time of all attempts would count, so only first attempts are measured.
_CHANNEL = f"""
    c.id::text, c.organisation_id::text, c.created_by, c.settings, {_IS_ACTIVE} AS is_active,
    c.connection_id IS NOT NULL AND c.youtube_verified_at IS NOT NULL AS is_connected,
    c.connection_id::text, {_TOPICS} AS topics,
    (SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY m.seconds)
       FROM (SELECT extract(epoch FROM v.completed_at - v.created_at)::float8 AS seconds
               FROM studio.videos v
              WHERE v.channel_id = c.id AND v.attempt = 1 AND v.completed_at IS NOT NULL
              ORDER BY v.created_at DESC LIMIT 20) m) AS production_seconds
"""
_FROM = "studio.channels c JOIN accounts.organisations o ON o.id = c.organisation_id"
_SLOT = "s.id::text, s.channel_id::text, s.day, s.time, s.planned_at, s.publish_at, s.state, s.reason"
_OPEN = "s.state IN ('planned', 'held')"


def list_channels_to_plan(tx: db.Transaction, through: date, limit: int) -> list[dict[str, Any]]:
    """Return channels whose slots are not planned through this day, or whose settings have changed."""
    return db.rows(
        tx,
        f"""
        SELECT {_CHANNEL} FROM {_FROM}
         WHERE (c.planned_through IS NULL
                OR (c.planned_through < :through AND c.status = 'active' AND c.deleted_at IS NULL))
           AND EXISTS (SELECT FROM studio.topics t WHERE t.channel_id = c.id)
         ORDER BY c.planned_through NULLS FIRST, c.id LIMIT :limit FOR UPDATE OF c SKIP LOCKED
        """,
        through=through,
        limit=limit,
    )


def list_known(tx: db.Transaction, channel_id: str, today: date) -> list[dict[str, Any]]:
    """Return a channel's open slots, and all from `today` on."""
    return db.rows(
        tx,
        f"""
        SELECT {_SLOT} FROM studio.slots s
         WHERE s.channel_id = :channel_id AND ({_OPEN} OR s.day >= :today)
        """,
        channel_id=channel_id,
        today=today,
    )


def add(
    tx: db.Transaction, organisation_id: str, channel_id: str, slots: list[tuple[date, str, datetime]]
) -> None:
    """Add planned slots: (local day, local time, moment)."""
    days, times, moments = (list(column) for column in zip(*slots, strict=True)) if slots else ([], [], [])
    db.run(
        tx,
        """
        INSERT INTO studio.slots (organisation_id, channel_id, day, time, planned_at, publish_at)
        SELECT :organisation_id, :channel_id, n.day, n.time, n.moment, n.moment
          FROM unnest(:days::date[], :times::text[], :moments::timestamptz[]) AS n (day, time, moment)
            ON CONFLICT (channel_id, day, time) DO NOTHING
        """,
        organisation_id=organisation_id,
        channel_id=channel_id,
        days=days,
        times=times,
        moments=moments,
    )


def restore(tx: db.Transaction, slot_id: str, at: datetime) -> None:
    """Plan a slot for its regular time, which may be another than before."""
    db.run(
        tx,
        """
        UPDATE studio.slots
           SET state = 'planned', planned_at = :at, publish_at = :at, reason = NULL, updated_at = now()
         WHERE id = :slot_id AND state IN ('planned', 'held', 'withdrawn')
        """,
        slot_id=slot_id,
        at=at,
    )


def save(
    tx: db.Transaction, slot_id: str, state: str, reason: str | None, publish_at: datetime | None = None
) -> bool:
    """Change an open slot. Returns False if it is open no more."""
    changed = db.run(
        tx,
        f"""
        UPDATE studio.slots s
           SET state = :state, reason = :reason, publish_at = coalesce(:publish_at, publish_at),
               updated_at = now()
         WHERE id = :slot_id AND {_OPEN}
        """,
        slot_id=slot_id,
        state=state,
        reason=reason,
        publish_at=publish_at,
    )
    return bool(changed)


def save_video(tx: db.Transaction, slot_id: str, video_id: str) -> None:
    """Record the video of an ordered slot."""
    db.run(
        tx,
        "UPDATE studio.slots SET video_id = :video_id WHERE id = :slot_id",
        slot_id=slot_id,
        video_id=video_id,
    )


def save_planned(tx: db.Transaction, channel_id: str, through: date) -> None:
    """Record the last day whose slots are planned."""
    db.run(
        tx,
        "UPDATE studio.channels SET planned_through = :through WHERE id = :channel_id",
        channel_id=channel_id,
        through=through,
    )


def list_next(
    tx: db.Transaction, now: datetime, until: datetime, held_before: datetime
) -> list[dict[str, Any]]:
    """Return open slots until `until`; held ones only if they were last looked at before `held_before`."""
    return db.rows(
        tx,
        f"""
        SELECT {_SLOT} FROM studio.slots s
         WHERE {_OPEN} AND s.publish_at <= :until
           AND (s.state = 'planned' OR s.publish_at <= :now OR s.updated_at <= :held_before)
         ORDER BY s.publish_at
        """,
        now=now,
        until=until,
        held_before=held_before,
    )


def list_channels(tx: db.Transaction, channel_ids: list[str]) -> list[dict[str, Any]]:
    """Return what the planner knows of these channels."""
    return db.rows(
        tx,
        f"SELECT {_CHANNEL} FROM {_FROM} WHERE c.id = ANY(:channel_ids::uuid[])",
        channel_ids=channel_ids,
    )


def list_occupied(tx: db.Transaction, channel_ids: list[str], now: datetime) -> list[dict[str, Any]]:
    """Return id, channel_id and publish_at of the channels' coming slots that are open or ordered."""
    return db.rows(
        tx,
        f"""
        SELECT s.id::text, s.channel_id::text, s.publish_at FROM studio.slots s
         WHERE s.channel_id = ANY(:channel_ids::uuid[]) AND s.publish_at > :now
           AND ({_OPEN} OR s.state = 'ordered')
        """,
        channel_ids=channel_ids,
        now=now,
    )


def count_in_production(tx: db.Transaction, organisation_id: str | None) -> int:
    """Return how many videos of slots are not finished yet: their uploads are still to come.

    Of the organisation, which has a Google project of its own; None: of all that have none.
    """
    return int(
        db.value(
            tx,
            """
            SELECT count(*) FROM studio.videos v JOIN studio.slots s ON s.video_id = v.id
             WHERE v.status IN ('queued', 'processing') AND v.deleted_at IS NULL
               AND (v.organisation_id = :organisation_id::uuid
                    OR :organisation_id::uuid IS NULL AND NOT EXISTS (
                        SELECT FROM accounts.google_projects g
                         WHERE g.organisation_id = v.organisation_id))
            """,
            organisation_id=organisation_id,
        )
    )


def get_publish_at(tx: db.Transaction, video_id: str) -> datetime | None:
    """Return when the slot of a video is published. None if the video belongs to no slot."""
    found: datetime | None = db.value(
        tx, "SELECT publish_at FROM studio.slots WHERE video_id = :video_id", video_id=video_id
    )
    return found


def skip(tx: db.Transaction, channel_id: str, slot_id: str) -> None:
    """Let a slot that has not begun pass without a video. Raises NotFound, Conflict."""
    row = db.one(
        tx,
        "SELECT state FROM studio.slots WHERE id = :slot_id AND channel_id = :channel_id FOR UPDATE",
        slot_id=slot_id,
        channel_id=channel_id,
    )
    if row is None:
        raise NotFound("There is no such slot.")
    if row["state"] == "ordered":
        raise Conflict("The production of this slot has begun: cancel its video instead.")
    if row["state"] not in ("planned", "held", "skipped"):
        raise Conflict(f"The slot is {row['state']}: only a planned one can be skipped.")
    save(tx, slot_id, "skipped", "Skipped by a person.")


_STATE = """
    CASE WHEN s.state <> 'ordered' THEN s.state
         WHEN v.id IS NULL OR v.deleted_at IS NOT NULL THEN 'removed'
         WHEN v.status IN ('queued', 'processing', 'script_ready') THEN 'in_production'
         WHEN v.status = 'completed' THEN 'ready'
         ELSE v.status END
"""


def list_calendar(tx: db.Transaction, channel_id: str, date_from: str, date_to: str) -> str:
    """Return the channel's slots from `date_from` to before `date_to` as a JSON array."""
    return str(
        db.value(
            tx,
            f"""
            SELECT coalesce(json_agg(json_build_object(
                       'id', s.id, 'state', {_STATE}, 'publish_at', s.publish_at, 'planned_at', s.planned_at,
                       'local_day', s.day, 'local_time', s.time,
                       'reason', coalesce(s.reason, v.error ->> 'message'),
                       'topic', v.request ->> 'topic', 'video_id', v.id, 'title', v.title,
                       'youtube_video_id', p.youtube_video_id)
                   ORDER BY s.publish_at, s.id), '[]')::text
              FROM studio.slots s
              LEFT JOIN studio.videos v ON v.id = s.video_id
              LEFT JOIN studio.publications p ON p.video_id = v.id
             WHERE s.channel_id = :channel_id
               AND s.publish_at >= :date_from::timestamptz AND s.publish_at < :date_to::timestamptz
            """,
            channel_id=channel_id,
            date_from=date_from,
            date_to=date_to,
        )
    )


def list_low_backlogs(tx: db.Transaction, days: int) -> list[dict[str, Any]]:
    """Return active channels whose backlog has become low, and the owner's email address if they want it.

    Low is less than `days` days of topics. A channel is returned until `save_low_backlog`. Columns: id,
    organisation_id, name, topics, email, unsubscribe_key.
    """
    return db.rows(
        tx,
        f"""
        SELECT c.id::text, c.organisation_id::text, c.name, {_TOPICS} AS topics,
               owner.email, owner.unsubscribe_key::text
          FROM {_FROM}
          LEFT JOIN LATERAL (
               SELECT u.email, u.unsubscribe_key
                 FROM accounts.members m JOIN accounts.users u ON u.id = m.user_id
                WHERE m.organisation_id = c.organisation_id AND m.is_owner
                  AND NOT 'low_backlog' = ANY(u.muted) LIMIT 1) owner ON true
         WHERE c.backlog_low_at IS NULL AND {_IS_ACTIVE}
           AND EXISTS (SELECT FROM studio.topics t WHERE t.channel_id = c.id)
           AND {_TOPICS} < :days * coalesce((c.settings ->> 'videos_per_day')::int, 1)
        """,
        days=days,
    )


def save_low_backlog(tx: db.Transaction, channel_id: str) -> None:
    """Record that the owner was notified of a low backlog."""
    db.run(tx, "UPDATE studio.channels SET backlog_low_at = now() WHERE id = :id", id=channel_id)


def clear_low_backlog(tx: db.Transaction, channel_id: str) -> None:
    """Record that a backlog was filled: the owner is notified when it becomes low the next time."""
    db.run(tx, "UPDATE studio.channels SET backlog_low_at = NULL WHERE id = :id", id=channel_id)

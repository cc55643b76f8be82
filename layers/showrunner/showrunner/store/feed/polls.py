"""When to poll a channel in addition to the hub's notifications, and which videos have no details yet."""

import json
from typing import Any

from showrunner.database import db

# A video that the hub doesn't notify about must be found within the hour. This leaves time for the schedule,
# the queue and a retry.
HEALTHY_SECONDS = 2700
# Interval for channels without an active subscription, and for those where polls found what the hub missed.
SUSPECT_SECONDS = 1200
# After the first failure of a feed it is polled again this soon, together with the playlist.
AGAIN_SECONDS = 300
# For this long after the hub missed a video the channel is polled at the shorter interval.
SUSPECT_DAYS = 7
# https://developers.google.com/youtube/v3/docs/videos/list: one unit for up to 50 ids.
IDS_A_UNIT = 50
# A stream or premiere has no length yet: its details are requested again.
ENRICH_AGAIN_SECONDS = 6 * 3600
# A video may be readable only minutes after the notification, or may become public later. A missing one is
# requested again, each time after twice as long, until its last notification is this old.
MISSING_FIRST_SECONDS, MISSING_SECONDS = 300, 86_400


def playlist_seconds(failing: int, units: int, seconds: float) -> float | None:
    """Return the interval of paid polls of `failing` channels, so that the units last for `seconds`.

    None without units.
    """
    return max(SUSPECT_SECONDS, seconds * failing / units) if units > 0 else None


def count_failing(tx: db.Transaction) -> int:
    """Count the channels whose feed failed at the last poll: their playlist is polled, for a unit each."""
    return int(db.value(tx, "SELECT count(*) FROM feed.polls WHERE failures > 0"))


def claim_due(tx: db.Transaction, limit: int, paid_seconds: float | None) -> list[dict[str, Any]]:
    """Return channel_id and paid of the channels to poll now, and schedule the next poll of each.

    `paid` is set if the channel's feed fails and its last paid poll was `paid_seconds` ago; never if that is
    None.
    """
    return db.rows(
        tx,
        """
        WITH due AS (
            SELECT p.channel_id,
                   p.failures > 0 AND :paid_seconds::float8 IS NOT NULL
                     AND (p.paid_at IS NULL
                          OR p.paid_at <= now() - make_interval(secs => :paid_seconds::float8 * 0.9)) AS paid,
                   CASE WHEN p.failures > 0 OR p.last_found_at > now() - make_interval(days => :suspect_days)
                          OR NOT EXISTS (SELECT FROM feed.subscriptions s
                                          WHERE s.channel_id = p.channel_id AND s.status = 'active')
                        THEN :suspect::float8 ELSE :healthy::float8 END AS wait
              FROM feed.polls p WHERE p.poll_at <= now()
             ORDER BY p.poll_at LIMIT :limit FOR UPDATE OF p SKIP LOCKED
        )
        UPDATE feed.polls p
           SET poll_at = now() + make_interval(secs => due.wait * (0.9 + random() / 10)),
               paid_at = CASE WHEN due.paid THEN now() ELSE p.paid_at END
          FROM due WHERE p.channel_id = due.channel_id RETURNING p.channel_id, due.paid
        """,
        limit=limit,
        paid_seconds=paid_seconds,
        suspect=SUSPECT_SECONDS,
        healthy=HEALTHY_SECONDS,
        suspect_days=SUSPECT_DAYS,
    )


def save(tx: db.Transaction, channel_id: str, error: str | None) -> None:
    """Save a poll's outcome. `error` is that of the free feed, even if the playlist was read instead."""
    db.run(
        tx,
        """
        UPDATE feed.polls
           SET last_polled_at = now(), last_error = :error,
               failures = CASE WHEN :error::text IS NULL THEN 0 ELSE failures + 1 END,
               poll_at = CASE WHEN :error::text IS NOT NULL AND failures = 0
                              THEN least(poll_at, now() + make_interval(secs => :again)) ELSE poll_at END
         WHERE channel_id = :channel_id
        """,
        channel_id=channel_id,
        error=error,
        again=AGAIN_SECONDS,
    )


def save_found(tx: db.Transaction, channel_id: str) -> None:
    """Record that a poll found what the hub had not notified about."""
    db.run(
        tx,
        "UPDATE feed.polls SET last_found_at = now() WHERE channel_id = :channel_id",
        channel_id=channel_id,
    )


def claim_enrichment(tx: db.Transaction, limit: int) -> list[str]:
    """Return the ids of videos to request details of. They are due again in an hour if none are saved."""
    rows = db.rows(
        tx,
        """
        UPDATE feed.videos SET enrich_at = now() + interval '1 hour'
         WHERE video_id IN (SELECT video_id FROM feed.videos WHERE enrich_at <= now()
                             ORDER BY enrich_at LIMIT :limit FOR UPDATE SKIP LOCKED)
        RETURNING video_id
        """,
        limit=limit,
    )
    return [row["video_id"] for row in rows]


def save_details(tx: db.Transaction, videos: list[dict[str, Any]], missing: list[str]) -> None:
    """Save the details of `videos`, as platforms.youtube returns them.

    `missing` are the ids of videos that are private, deleted or not readable yet.
    """
    db.run(
        tx,
        """
        UPDATE feed.videos v
           SET details = x.details, enriched_at = now(),
               enrich_at = CASE WHEN (x.details ->> 'duration_seconds')::numeric > 0 THEN NULL
                                ELSE now() + make_interval(secs => :again) END
          FROM json_to_recordset(:videos::json) AS x(video_id text, details jsonb)
         WHERE x.video_id = v.video_id
        """,
        videos=json.dumps(videos),
        again=ENRICH_AGAIN_SECONDS,
    )
    db.run(
        tx,
        """
        UPDATE feed.videos
           SET enriched_at = now(),
               enrich_at = CASE WHEN last_updated_at > now() - make_interval(secs => :last)
                                THEN now() + greatest(now() - last_updated_at,
                                                      make_interval(secs => :first)) END
         WHERE video_id = ANY(:missing)
        """,
        missing=missing,
        first=MISSING_FIRST_SECONDS,
        last=MISSING_SECONDS,
    )


def prepare_month(tx: db.Transaction, ahead: int) -> None:
    """Create the partitions of the month that is `ahead` months from now, and move early rows into them."""
    db.run(
        tx,
        "SELECT feed.prepare_month((date_trunc('month', now()) + make_interval(months => :ahead))::date)",
        ahead=ahead,
    )


def next_due(tx: db.Transaction) -> float | None:
    """Return when the schedule has work again (epoch seconds), None if there is nothing to do.

    Work is a lease to request or to expire, a channel to poll, or a video to request details of.
    """
    at = db.value(
        tx,
        """
        SELECT extract(epoch FROM least(
                   (SELECT min(ask_at) FROM feed.subscriptions WHERE ask_at IS NOT NULL),
                   (SELECT min(expires_at) FROM feed.subscriptions WHERE status = 'active'),
                   (SELECT min(poll_at) FROM feed.polls),
                   (SELECT min(enrich_at) FROM feed.videos WHERE enrich_at IS NOT NULL)))
        """,
    )
    return None if at is None else float(at)

"""The time series of artists' figures, one row for each run of the same value (metrics/runs.py).

Its key is (artist, platform, metric, at), and each month has a partition.
"""

import json
from datetime import datetime
from typing import Any

from showrunner.database import db

# YouTube's terms allow 30 days for figures of channels that gave no consent, unless they are refreshed. What
# channels state whose owners have connected them is kept until they end that.
# https://developers.google.com/youtube/terms/developer-policies (III.E.4). This runs once a night.
PUBLIC_DAYS = 29


def prepare_month(tx: db.Transaction, months_ahead: int) -> None:
    """Create the partition of the current month (0) or of a later one."""
    db.run(
        tx,
        "SELECT metrics.prepare_month((now() + make_interval(months => :months))::date)",
        months=months_ahead,
    )


def remove_expired(tx: db.Transaction, limit: int) -> int:
    """Delete at most `limit` runs that YouTube's terms no longer allow to store. Returns how many."""
    return db.run(
        tx,
        """
        DELETE FROM metrics.points p
         USING (SELECT artist_id, platform, metric, at FROM metrics.points
                 WHERE platform = 'youtube' AND last_at < now() - make_interval(days => :days)
                   AND NOT EXISTS (SELECT FROM metrics.accounts c
                                    WHERE c.artist_id = points.artist_id AND c.platform = 'youtube'
                                      AND c.connected_at IS NOT NULL)
                 ORDER BY last_at LIMIT :limit FOR UPDATE SKIP LOCKED) e
         WHERE p.artist_id = e.artist_id AND p.platform = e.platform AND p.metric = e.metric AND p.at = e.at
        """,
        days=PUBLIC_DAYS,
        limit=limit,
    )


def remove_responses(tx: db.Transaction, limit: int) -> int:
    """Forget the raw answers about accounts that were not refreshed in time. Returns how many."""
    return db.run(
        tx,
        """
        UPDATE metrics.accounts c SET response = NULL
          FROM (SELECT artist_id, platform FROM metrics.accounts
                 WHERE platform = 'youtube' AND response IS NOT NULL
                   AND checked_at < now() - make_interval(days => :days)
                 LIMIT :limit FOR UPDATE SKIP LOCKED) e
         WHERE c.artist_id = e.artist_id AND c.platform = e.platform
        """,
        days=PUBLIC_DAYS,
        limit=limit,
    )


def list_before(
    tx: db.Transaction, platform: str, artist_ids: list[str], metrics: list[str], at: datetime
) -> dict[tuple[str, str], tuple[datetime, datetime, int, int]]:
    """Return (artist id, metric) -> (at, last_at, value, definition) of the last run that began by `at`."""
    found = db.rows(
        tx,
        """
        SELECT a.id::text AS artist_id, m.metric, p.at, p.last_at, p.value, p.definition
          FROM unnest(:artist_ids::uuid[]) AS a (id)
         CROSS JOIN unnest(:metrics::text[]) AS m (metric)
         CROSS JOIN LATERAL (
            SELECT p.at, p.last_at, p.value, p.definition FROM metrics.points p
             WHERE p.artist_id = a.id AND p.platform = :platform AND p.metric = m.metric
               AND p.at <= :at::timestamptz
             ORDER BY p.at DESC LIMIT 1) p
        """,
        platform=platform,
        artist_ids=artist_ids,
        metrics=metrics,
        at=at,
    )
    return {
        (row["artist_id"], row["metric"]): (row["at"], row["last_at"], row["value"], row["definition"])
        for row in found
    }


def save(tx: db.Transaction, runs: list[dict[str, Any]]) -> None:
    """Write runs, {artist_id, platform, metric, at, last_at, value, definition} each.

    A run with the same artist, platform, metric and `at` is replaced.
    """
    db.run(
        tx,
        """
        INSERT INTO metrics.points (artist_id, platform, metric, at, last_at, value, definition)
        SELECT g.artist_id, g.platform, g.metric, g.at, g.last_at, g.value, g.definition
          FROM json_to_recordset(:runs::json) AS g (artist_id uuid, platform text, metric text,
               at timestamptz, last_at timestamptz, value bigint, definition smallint)
            ON CONFLICT (artist_id, platform, metric, at) DO UPDATE
           SET last_at = excluded.last_at, value = excluded.value, definition = excluded.definition
        """,
        runs=json.dumps(runs, default=datetime.isoformat),
    )


def list_accounts(tx: db.Transaction, artist_id: str) -> list[dict[str, Any]]:
    """Return {platform, account_id, state, lost_reason, checked_at, connected} of the artist's accounts."""
    return db.rows(
        tx,
        """
        SELECT platform, account_id, state, lost_reason, checked_at,
               connected_at IS NOT NULL AND state <> 'disconnected' AS connected
          FROM metrics.accounts
         WHERE artist_id = :artist_id ORDER BY platform
        """,
        artist_id=artist_id,
    )


def list_newest(tx: db.Transaction, artist_id: str, metrics: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Return platform, metric, value, at (of the last observation) and definition of the newest figures.

    metrics: {platform, metric} each. Those without any figure are left out.
    """
    return db.rows(
        tx,
        """
        SELECT m.platform, m.metric, p.value, p.last_at AS at, p.definition
          FROM json_to_recordset(:metrics::json) AS m (platform text, metric text)
         CROSS JOIN LATERAL (
            SELECT p.value, p.last_at, p.definition FROM metrics.points p
             WHERE p.artist_id = :artist_id AND p.platform = m.platform AND p.metric = m.metric
             ORDER BY p.at DESC LIMIT 1) p
        """,
        artist_id=artist_id,
        metrics=json.dumps(metrics),
    )


def list_around(tx: db.Transaction, artist_id: str, moments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the observations next to moments: {platform, metric, days, value, at, definition} each.

    moments: {platform, metric, days, at} each. Of each there are up to two, one until `at` and one after it.
    """
    return db.rows(
        tx,
        """
        SELECT m.platform, m.metric, m.days, p.value, p.at, p.definition
          FROM json_to_recordset(:moments::json)
               AS m (platform text, metric text, days integer, at timestamptz)
         CROSS JOIN LATERAL (
            (SELECT p.value, least(p.last_at, m.at) AS at, p.definition FROM metrics.points p
              WHERE p.artist_id = :artist_id AND p.platform = m.platform AND p.metric = m.metric
                AND p.at <= m.at ORDER BY p.at DESC LIMIT 1)
            UNION ALL
            (SELECT p.value, p.at, p.definition FROM metrics.points p
              WHERE p.artist_id = :artist_id AND p.platform = m.platform AND p.metric = m.metric
                AND p.at > m.at ORDER BY p.at LIMIT 1)) p
        """,
        artist_id=artist_id,
        moments=json.dumps(moments, default=datetime.isoformat),
    )


def list_days(
    tx: db.Transaction, artist_id: str, metrics: list[dict[str, str]], days: int
) -> list[dict[str, Any]]:
    """Return {platform, metric, history} of the last days (UTC), today included.

    history: {day, value} each, with the day's last value, or null on a day without an observation.
    """
    return db.rows(
        tx,
        """
        SELECT m.platform, m.metric,
               json_agg(json_build_object('day', d.day, 'value', p.value) ORDER BY d.day) AS history
          FROM json_to_recordset(:metrics::json) AS m (platform text, metric text)
         CROSS JOIN (SELECT (now() AT TIME ZONE 'UTC')::date - n AS day
                       FROM generate_series(0, :days - 1) n) d
          LEFT JOIN LATERAL (
            SELECT p.value, p.last_at FROM metrics.points p
             WHERE p.artist_id = :artist_id AND p.platform = m.platform AND p.metric = m.metric
               AND p.at < (d.day + 1)::timestamp AT TIME ZONE 'UTC'
             ORDER BY p.at DESC LIMIT 1) p ON p.last_at >= d.day::timestamp AT TIME ZONE 'UTC'
         GROUP BY m.platform, m.metric
        """,
        artist_id=artist_id,
        metrics=json.dumps(metrics),
        days=days,
    )

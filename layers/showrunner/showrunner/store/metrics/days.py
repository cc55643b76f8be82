"""Figures of whole days, each stored once; a later statement of the platform replaces an earlier one."""

import json
from datetime import date, datetime
from typing import Any

from showrunner.database import db
from showrunner.store.metrics import reports, video_days


def save(
    tx: db.Transaction,
    artist_id: str,
    platform: str,
    account_id: str,
    fetched_at: datetime,
    stated: list[dict[str, Any]],
) -> int:
    """Save {metric, day, value} each, which the platform stated at `fetched_at` about this account.

    Nothing is saved if the artist has another account by now, or has ended the permission. Returns how many
    were added or changed.
    """
    return db.run(
        tx,
        """
        INSERT INTO metrics.days AS d (artist_id, platform, metric, day, value, fetched_at)
        SELECT c.artist_id, c.platform, g.metric, g.day, g.value, :fetched_at
          FROM json_to_recordset(:stated::json) AS g (metric text, day date, value numeric)
          JOIN metrics.accounts c ON c.artist_id = :artist_id AND c.platform = :platform
           AND c.account_id = :account_id AND c.connected_at IS NOT NULL
            ON CONFLICT (artist_id, platform, metric, day) DO UPDATE
           SET value = excluded.value, fetched_at = excluded.fetched_at
         WHERE d.fetched_at < excluded.fetched_at
        """,
        artist_id=artist_id,
        platform=platform,
        account_id=account_id,
        fetched_at=fetched_at,
        stated=json.dumps(stated, default=date.isoformat),
    )


def remove_stated(
    tx: db.Transaction,
    artist_id: str,
    platform: str,
    metrics: list[str],
    first: date,
    last: date,
    fetched_at: datetime,
) -> None:
    """Delete what was stated by `fetched_at` about the days from `first` to `last`: it is stated anew."""
    db.run(
        tx,
        """
        DELETE FROM metrics.days
         WHERE artist_id = :artist_id AND platform = :platform AND metric = ANY(:metrics::text[])
           AND day BETWEEN :first::date AND :last::date AND fetched_at <= :fetched_at::timestamptz
        """,
        artist_id=artist_id,
        platform=platform,
        metrics=metrics,
        first=first,
        last=last,
        fetched_at=fetched_at,
    )


def list_gaps(
    tx: db.Transaction, platform: str, metric: str, artist_ids: list[str], since: date, until: date
) -> dict[str, list[date]]:
    """Return artist id -> the days from `since` to `until` without this figure, in their order.

    Artists without a gap are left out.
    """
    found = db.rows(
        tx,
        """
        SELECT a.id::text AS artist_id, array_agg(g.day::date ORDER BY g.day) AS days
          FROM unnest(:artist_ids::uuid[]) AS a (id)
         CROSS JOIN generate_series(:since::date, :until::date, interval '1 day') g (day)
         WHERE NOT EXISTS (SELECT FROM metrics.days d
                            WHERE d.artist_id = a.id AND d.platform = :platform AND d.metric = :metric
                              AND d.day = g.day)
         GROUP BY a.id
        """,
        platform=platform,
        metric=metric,
        artist_ids=artist_ids,
        since=since,
        until=until,
    )
    return {row["artist_id"]: row["days"] for row in found}


def first_gaps(tx: db.Transaction, platform: str, artist_ids: list[str], since: date) -> dict[str, date]:
    """Return artist id -> the first day after `since` that has no views between days that have.

    Artists without such a day are left out.
    """
    found = db.rows(
        tx,
        """
        SELECT artist_id::text, min(day) + 1 AS day
          FROM (SELECT artist_id, day, lead(day) OVER (PARTITION BY artist_id ORDER BY day) AS next
                  FROM metrics.days
                 WHERE platform = :platform AND metric = 'views' AND artist_id = ANY(:artist_ids::uuid[])
                   AND day >= :since::date) known
         WHERE next > day + 1 GROUP BY artist_id
        """,
        platform=platform,
        artist_ids=artist_ids,
        since=since,
    )
    return {row["artist_id"]: row["day"] for row in found}


def remove(tx: db.Transaction, artist_id: str, platform: str) -> None:
    """Delete an artist's days on a platform, and forget which reports of them were loaded."""
    reports.remove(tx, artist_id, platform)
    video_days.remove(tx, artist_id, platform)
    db.run(
        tx,
        "DELETE FROM metrics.days WHERE artist_id = :artist_id AND platform = :platform",
        artist_id=artist_id,
        platform=platform,
    )
    db.run(
        tx,
        """
        UPDATE metrics.readings SET covered_until = NULL, checked_at = NULL, planned_at = NULL
         WHERE artist_id = :artist_id AND platform = :platform
           AND (covered_until IS NOT NULL OR reading = 'reports')
        """,
        artist_id=artist_id,
        platform=platform,
    )


def list_(tx: db.Transaction, artist_id: str, since: date, until: date) -> list[dict[str, Any]]:
    """Return {platform, metric, total, known, stated_at, history} of the days from `since` to `until`.

    stated_at: when the platform stated the newest day. history: {day, value} each, with null on a day that
    the platform hasn't stated.
    """
    return db.rows(
        tx,
        """
        WITH metrics AS (
            SELECT DISTINCT platform, metric FROM metrics.days WHERE artist_id = :artist_id)
        SELECT m.platform, m.metric, sum(d.value)::float8 AS total, count(d.value) AS known,
               (array_agg(d.fetched_at ORDER BY g.day DESC) FILTER (WHERE d.day IS NOT NULL))[1] AS stated_at,
               json_agg(json_build_object('day', g.day::date, 'value', d.value) ORDER BY g.day) AS history
          FROM metrics m CROSS JOIN generate_series(:since::date, :until::date, interval '1 day') g (day)
          LEFT JOIN metrics.days d
            ON d.artist_id = :artist_id AND d.platform = m.platform AND d.metric = m.metric AND d.day = g.day
         GROUP BY m.platform, m.metric ORDER BY m.platform, m.metric
        """,
        artist_id=artist_id,
        since=since,
        until=until,
    )

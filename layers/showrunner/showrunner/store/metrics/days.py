"""Figures of whole days, each stored once; a later statement of the platform replaces an earlier one."""

import json
from datetime import date, datetime
from typing import Any

from showrunner.database import db


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


def remove(tx: db.Transaction, artist_id: str, platform: str) -> None:
    """Delete an artist's days on a platform, and forget until when they were loaded."""
    db.run(
        tx,
        "DELETE FROM metrics.days WHERE artist_id = :artist_id AND platform = :platform",
        artist_id=artist_id,
        platform=platform,
    )
    db.run(
        tx,
        """
        UPDATE metrics.readings SET covered_until = NULL, checked_at = NULL
         WHERE artist_id = :artist_id AND platform = :platform AND covered_until IS NOT NULL
        """,
        artist_id=artist_id,
        platform=platform,
    )


def list_(tx: db.Transaction, artist_id: str, since: date, until: date) -> list[dict[str, Any]]:
    """Return {platform, metric, total, known, history} of the days from `since` to `until`.

    history: {day, value} each, with null on a day that the platform hasn't stated.
    """
    return db.rows(
        tx,
        """
        WITH metrics AS (
            SELECT DISTINCT platform, metric FROM metrics.days WHERE artist_id = :artist_id)
        SELECT m.platform, m.metric, sum(d.value)::float8 AS total, count(d.value) AS known,
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

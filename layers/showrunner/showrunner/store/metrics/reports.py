"""The daily reports of channels that YouTube makes for their owners, and the jobs that make them."""

import json
from datetime import datetime
from typing import Any

from showrunner.database import db

# YouTube keeps reports for 60 days: older ones say nothing about whether they still come.
WATCHED_DAYS = 60
# Each channel is looked at daily: so long without a look means that the looks fail.
UNSEEN_DAYS = 4


def take(tx: db.Transaction, artist_id: str, platform: str, account_id: str, report: dict[str, Any]) -> bool:
    """Record that a report counts for its period: {subject, start_at, end_at, created_at, report_type, key}.

    Returns False if it or a newer one was taken before, or if the account isn't connected any more.
    """
    return bool(
        db.run(
            tx,
            """
            INSERT INTO metrics.reports AS r (artist_id, platform, subject, start_at, end_at, created_at,
                                              report_type, key)
            SELECT c.artist_id, c.platform, g.*
              FROM json_to_record(:report::json) AS g (subject text, start_at timestamptz, end_at timestamptz,
                   created_at timestamptz, report_type text, key text)
              JOIN metrics.accounts c ON c.artist_id = :artist_id AND c.platform = :platform
               AND c.account_id = :account_id AND c.connected_at IS NOT NULL
                ON CONFLICT (artist_id, platform, subject, start_at) DO UPDATE
               SET end_at = excluded.end_at, created_at = excluded.created_at,
                   report_type = excluded.report_type, key = excluded.key
             WHERE r.created_at < excluded.created_at
            """,
            artist_id=artist_id,
            platform=platform,
            account_id=account_id,
            report=json.dumps(report),
        )
    )


def save_jobs(
    tx: db.Transaction, artist_id: str, platform: str, at: datetime, jobs: list[dict[str, Any]]
) -> None:
    """Save what was seen at `at` of an account's jobs.

    jobs: {subject, job_id, report_type, deprecated_at, expires_at, problem} each. An older look changes
    nothing.
    """
    db.run(
        tx,
        """
        INSERT INTO metrics.report_jobs AS j (artist_id, platform, subject, job_id, report_type,
                                              deprecated_at, expires_at, problem, checked_at)
        SELECT c.artist_id, c.platform, g.subject, g.job_id, g.report_type, g.deprecated_at, g.expires_at,
               left(g.problem, 1000), :at
          FROM json_to_recordset(:jobs::json) AS g (subject text, job_id text, report_type text,
               deprecated_at timestamptz, expires_at timestamptz, problem text)
          JOIN metrics.accounts c ON c.artist_id = :artist_id AND c.platform = :platform
           AND c.connected_at IS NOT NULL
            ON CONFLICT (artist_id, platform, subject) DO UPDATE
           SET job_id = excluded.job_id, report_type = excluded.report_type,
               deprecated_at = excluded.deprecated_at, expires_at = excluded.expires_at,
               problem = excluded.problem, checked_at = excluded.checked_at,
               announced_at = CASE WHEN j.report_type = excluded.report_type THEN j.announced_at END
         WHERE j.checked_at < excluded.checked_at
        """,
        artist_id=artist_id,
        platform=platform,
        at=at,
        jobs=json.dumps(jobs),
    )


def save_states(tx: db.Transaction, artist_id: str, platform: str, states: dict[str, str]) -> None:
    """Save how the reports of an account come: subject -> state."""
    db.run(
        tx,
        """
        UPDATE metrics.report_jobs j SET state = g.value FROM json_each_text(:states::json) g
         WHERE j.artist_id = :artist_id AND j.platform = :platform AND j.subject = g.key
        """,
        artist_id=artist_id,
        platform=platform,
        states=json.dumps(states),
    )


def list_unannounced(
    tx: db.Transaction, artist_id: str, platform: str, before: datetime
) -> list[dict[str, Any]]:
    """Return report_type and deprecated_at of an account's types that end before a time.

    Those of which `save_announced` was told for any account of the organisation are left out.
    """
    return db.rows(
        tx,
        """
        SELECT e.report_type, e.deprecated_at FROM metrics.report_jobs e
         WHERE e.artist_id = :artist_id AND e.platform = :platform AND e.announced_at IS NULL
           AND e.deprecated_at < :before AND NOT EXISTS (
            SELECT FROM metrics.report_jobs j
              JOIN metrics.accounts other ON other.artist_id = j.artist_id AND other.platform = j.platform
              JOIN metrics.accounts own ON own.organisation_id = other.organisation_id
             WHERE own.artist_id = :artist_id AND own.platform = :platform AND j.platform = :platform
               AND j.artist_id <> :artist_id AND j.report_type = e.report_type
               AND j.announced_at IS NOT NULL)
         ORDER BY e.report_type
        """,
        artist_id=artist_id,
        platform=platform,
        before=before,
    )


def save_announced(tx: db.Transaction, artist_id: str, platform: str, before: datetime) -> None:
    """Record that people were told of an account's types that end before a time, or need not be."""
    db.run(
        tx,
        """
        UPDATE metrics.report_jobs SET announced_at = now()
         WHERE artist_id = :artist_id AND platform = :platform AND announced_at IS NULL
           AND deprecated_at < :before
        """,
        artist_id=artist_id,
        platform=platform,
        before=before,
    )


def count_standing(tx: db.Transaction, platform: str) -> int:
    """Return how many kinds of reports of connected accounts don't come as they should.

    They are late, have a gap, expire or have failed, or nobody has looked for UNSEEN_DAYS.
    """
    return int(
        db.value(
            tx,
            f"""
            SELECT count(*) FROM metrics.report_jobs j JOIN metrics.accounts c USING (artist_id, platform)
             WHERE j.platform = :platform AND c.connected_at IS NOT NULL
               AND (j.state IN ('late', 'gap', 'expiring', 'failed')
                    OR j.checked_at < now() - interval '{UNSEEN_DAYS} days')
            """,
            platform=platform,
        )
    )


def list_newest(tx: db.Transaction, platform: str, artist_ids: list[str]) -> dict[str, dict[str, str]]:
    """Return artist id -> subject -> createTime (ISO) of the newest report that was loaded."""
    found = db.rows(
        tx,
        """
        SELECT artist_id::text, subject, max(created_at) AS created_at FROM metrics.reports
         WHERE platform = :platform AND artist_id = ANY(:artist_ids::uuid[])
         GROUP BY artist_id, subject
        """,
        platform=platform,
        artist_ids=artist_ids,
    )
    newest: dict[str, dict[str, str]] = {}
    for row in found:
        newest.setdefault(row["artist_id"], {})[row["subject"]] = row["created_at"].isoformat()
    return newest


def list_of(tx: db.Transaction, artist_id: str) -> list[dict[str, Any]]:
    """Return an artist's jobs, each with `reports`: {start_at, end_at, created_at} of the newest days."""
    return db.rows(
        tx,
        f"""
        SELECT j.platform, j.subject, j.report_type, j.deprecated_at, j.expires_at, j.problem, j.checked_at,
               coalesce((SELECT json_agg(json_build_object('start_at', r.start_at, 'end_at', r.end_at,
                                                           'created_at', r.created_at))
                           FROM metrics.reports r
                          WHERE r.artist_id = j.artist_id AND r.platform = j.platform
                            AND r.subject = j.subject
                            AND r.start_at > now() - interval '{WATCHED_DAYS} days'), '[]') AS reports
          FROM metrics.report_jobs j WHERE j.artist_id = :artist_id ORDER BY j.platform, j.subject
        """,
        artist_id=artist_id,
    )


def remove(tx: db.Transaction, artist_id: str, platform: str) -> None:
    """Forget which reports of an account were loaded, and the jobs that make them."""
    db.run(
        tx,
        """
        WITH gone AS (
            DELETE FROM metrics.report_jobs WHERE artist_id = :artist_id AND platform = :platform)
        DELETE FROM metrics.reports WHERE artist_id = :artist_id AND platform = :platform
        """,
        artist_id=artist_id,
        platform=platform,
    )

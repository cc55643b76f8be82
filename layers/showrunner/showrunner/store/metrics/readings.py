"""Keep when an account was last asked for what belongs to it, for each reading (metrics/readings.py)."""

from datetime import date, datetime

from showrunner.database import db
from showrunner.store.metrics.accounts import SLACK_SECONDS, is_due, waited

# Seconds between two questions about an account, by its artist's tier.
type Tiers = tuple[int, int]  # active, standard

_INTERVAL = "CASE WHEN a.tier = 'active' THEN :active::bigint ELSE :standard::bigint END"
_IS_DUE = is_due("r", _INTERVAL)
_WAITED = waited("r", _INTERVAL)
_ACCOUNTS = """
    metrics.accounts c JOIN metrics.artists a ON a.id = c.artist_id
      LEFT JOIN metrics.readings r
        ON r.artist_id = c.artist_id AND r.platform = c.platform AND r.reading = :reading
"""


def claim_due(
    tx: db.Transaction,
    platform: str,
    reading: str,
    tiers: Tiers,
    limit: int,
    run: str,
    now: datetime,
    *,
    is_connected: bool = False,
) -> list[str]:
    """Claim at most `limit` accounts that the platform has and that are due, the most overdue first.

    `is_connected`: only accounts that their owners have connected. Returns their ids. A run that has claimed
    accounts before gets the same ones again.
    """
    claimed = db.rows(
        tx,
        """
        SELECT DISTINCT c.account_id
          FROM metrics.readings r JOIN metrics.accounts c USING (artist_id, platform)
         WHERE r.platform = :platform AND r.reading = :reading AND r.planned_by = :run
        """,
        platform=platform,
        reading=reading,
        run=run,
    ) or db.rows(
        tx,
        f"""
        WITH chosen AS (
            SELECT c.account_id FROM {_ACCOUNTS}
             WHERE c.platform = :platform AND c.state = 'found'
               AND (NOT :is_connected OR c.connected_at IS NOT NULL)
               AND {_IS_DUE}
             GROUP BY c.account_id
             ORDER BY max({_WAITED}) DESC, c.account_id
             LIMIT :limit),
        claimed AS (
            INSERT INTO metrics.readings AS r (artist_id, platform, reading, planned_at, planned_by)
            SELECT c.artist_id, c.platform, :reading, :now, :run
              FROM metrics.accounts c JOIN chosen USING (account_id) WHERE c.platform = :platform
                ON CONFLICT (artist_id, platform, reading) DO UPDATE
               SET planned_at = excluded.planned_at, planned_by = excluded.planned_by)
        SELECT account_id FROM chosen
        """,
        platform=platform,
        reading=reading,
        active=tiers[0],
        standard=tiers[1],
        limit=limit,
        run=run,
        now=now,
        is_connected=is_connected,
    )
    return sorted(row["account_id"] for row in claimed)


def next_due_at(
    tx: db.Transaction, platform: str, reading: str, tiers: Tiers, *, is_connected: bool = False
) -> datetime | None:
    """Return when the next account is due if all claimed ones are loaded, None without an account."""
    found: datetime | None = db.value(
        tx,
        f"""
        SELECT min(coalesce(greatest(r.checked_at, r.planned_at) + make_interval(secs => {_INTERVAL}),
                            c.created_at) - make_interval(secs => {SLACK_SECONDS}))
          FROM {_ACCOUNTS} WHERE c.platform = :platform AND c.state IN ('new', 'found')
           AND (NOT :is_connected OR c.connected_at IS NOT NULL)
        """,
        platform=platform,
        reading=reading,
        active=tiers[0],
        standard=tiers[1],
        is_connected=is_connected,
    )
    return found


def list_covered(tx: db.Transaction, platform: str, reading: str, artist_ids: list[str]) -> dict[str, date]:
    """Return artist id -> the day until which a reading of days has been loaded, for those with one."""
    found = db.rows(
        tx,
        """
        SELECT artist_id::text, covered_until FROM metrics.readings
         WHERE platform = :platform AND reading = :reading AND artist_id = ANY(:artist_ids::uuid[])
           AND covered_until IS NOT NULL
        """,
        platform=platform,
        reading=reading,
        artist_ids=artist_ids,
    )
    return {row["artist_id"]: row["covered_until"] for row in found}


def save_covered(
    tx: db.Transaction, platform: str, reading: str, artist_id: str, at: datetime, until: date | None
) -> None:
    """Record that the platform answered about an artist's days at `at`, the last of which is `until`."""
    db.run(
        tx,
        """
        INSERT INTO metrics.readings AS r (artist_id, platform, reading, checked_at, covered_until)
        SELECT artist_id, platform, :reading, :at, :until::date FROM metrics.accounts
         WHERE platform = :platform AND artist_id = :artist_id
            ON CONFLICT (artist_id, platform, reading) DO UPDATE
           SET checked_at = greatest(r.checked_at, excluded.checked_at),
               covered_until = greatest(r.covered_until, excluded.covered_until)
        """,
        platform=platform,
        reading=reading,
        artist_id=artist_id,
        at=at,
        until=until,
    )


def save_checked(
    tx: db.Transaction, platform: str, reading: str, account_ids: list[str], at: datetime
) -> None:
    """Record that the platform answered about these accounts at `at`."""
    db.run(
        tx,
        """
        INSERT INTO metrics.readings AS r (artist_id, platform, reading, checked_at)
        SELECT artist_id, platform, :reading, :at FROM metrics.accounts
         WHERE platform = :platform AND account_id = ANY(:account_ids::text[])
         ORDER BY artist_id
            ON CONFLICT (artist_id, platform, reading) DO UPDATE
           SET checked_at = greatest(r.checked_at, excluded.checked_at)
        """,
        platform=platform,
        reading=reading,
        at=at,
        account_ids=account_ids,
    )

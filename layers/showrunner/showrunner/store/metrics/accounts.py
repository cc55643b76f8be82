"""When artists' accounts are due to be asked for, and the platforms' newest answers about them.

Several organisations may follow the same account: it is asked for once for all of them.
"""

import json
from datetime import datetime
from typing import Any

from showrunner.database import db

ACTIVE_SECONDS, STANDARD_SECONDS = 3_600, 86_400
# A run begins some minutes after the full hour, and its answers come later still: an account that was asked
# for in the last run must be due in the next one.
SLACK_SECONDS = 900
# A claimed account that was not loaded until then is due again. Shorter than the time between two runs.
CLAIM_SECONDS = 2_700

# An account that the platform doesn't have is asked for daily, in case it comes back.
_INTERVAL = f"""
    CASE WHEN a.tier = 'active' AND c.state <> 'missing' THEN {ACTIVE_SECONDS} ELSE {STANDARD_SECONDS} END
"""


def is_due(row: str, interval: str) -> str:
    """Return the condition that a row's interval (SQL of seconds) is over at :now and no run works on it."""
    return f"""coalesce({row}.checked_at, '-infinity') <= :now::timestamptz
                   - make_interval(secs => {interval} - {SLACK_SECONDS})
               AND coalesce({row}.planned_at, '-infinity') <= :now::timestamptz
                   - make_interval(secs => {CLAIM_SECONDS})"""


def waited(row: str, interval: str) -> str:
    """Return the SQL of how many intervals have passed since a row was checked: the most overdue has most."""
    return f"extract(epoch FROM :now::timestamptz - coalesce({row}.checked_at, '2000-01-01')) / {interval}"


_IS_DUE = is_due("c", _INTERVAL)
_WAITED = waited("c", _INTERVAL)


def claim_due(tx: db.Transaction, platform: str, limit: int, run: str, now: datetime) -> list[str]:
    """Claim at most `limit` accounts that are due, the most overdue first, and return their ids.

    A run that has claimed accounts before gets the same ones again.
    """
    claimed = db.rows(
        tx,
        "SELECT DISTINCT account_id FROM metrics.accounts WHERE platform = :platform AND planned_by = :run",
        platform=platform,
        run=run,
    ) or db.rows(
        tx,
        f"""
        WITH chosen AS (
            SELECT c.account_id
              FROM metrics.accounts c JOIN metrics.artists a ON a.id = c.artist_id
             WHERE c.platform = :platform AND c.state <> 'disconnected'
               AND {_IS_DUE}
             GROUP BY c.account_id
             ORDER BY max({_WAITED}) DESC, c.account_id
             LIMIT :limit)
        UPDATE metrics.accounts c SET planned_at = :now, planned_by = :run
          FROM chosen WHERE c.platform = :platform AND c.account_id = chosen.account_id
        RETURNING c.account_id
        """,
        platform=platform,
        limit=limit,
        run=run,
        now=now,
    )
    return sorted({row["account_id"] for row in claimed})


def claim_artist(
    tx: db.Transaction, organisation_id: str, artist_id: str, platform: str, run: str, now: datetime
) -> list[str]:
    """Claim an artist's account on a platform, due or not. Returns a list with its id, or an empty one."""
    found = db.rows(
        tx,
        """
        UPDATE metrics.accounts SET planned_at = :now, planned_by = :run
         WHERE organisation_id = :organisation_id AND artist_id = :artist_id AND platform = :platform
           AND state <> 'disconnected'
        RETURNING account_id
        """,
        organisation_id=organisation_id,
        artist_id=artist_id,
        platform=platform,
        run=run,
        now=now,
    )
    return [row["account_id"] for row in found]


def next_due_at(tx: db.Transaction, platform: str) -> datetime | None:
    """Return when the platform's next account is due if all claimed ones are loaded, None without one."""
    found: datetime | None = db.value(
        tx,
        f"""
        SELECT min(coalesce(greatest(c.checked_at, c.planned_at), c.created_at - interval '1 day')
                   + make_interval(secs => {_INTERVAL} - {SLACK_SECONDS}))
          FROM metrics.accounts c JOIN metrics.artists a ON a.id = c.artist_id
         WHERE c.platform = :platform AND c.state <> 'disconnected'
        """,
        platform=platform,
    )
    return found


def list_connected(tx: db.Transaction, platform: str, account_ids: list[str]) -> list[dict[str, str]]:
    """Return {organisation_id, artist_id, account_id} of the artists that have connected these accounts."""
    return db.rows(
        tx,
        """
        SELECT organisation_id::text, artist_id::text, account_id FROM metrics.accounts
         WHERE platform = :platform AND account_id = ANY(:account_ids::text[]) AND state <> 'disconnected'
           AND connected_at IS NOT NULL
         ORDER BY artist_id
        """,
        platform=platform,
        account_ids=account_ids,
    )


def list_of_organisation(tx: db.Transaction, organisation_id: str) -> list[dict[str, str]]:
    """Return artist_id and platform of all accounts of the organisation's artists."""
    return db.rows(
        tx,
        "SELECT artist_id::text, platform FROM metrics.accounts WHERE organisation_id = :organisation_id",
        organisation_id=organisation_id,
    )


def save_connected(
    tx: db.Transaction, organisation_id: str, artist_id: str, platform: str, connected_by: str
) -> None:
    """Record that an artist's account was connected now, and by which user. It is there already."""
    db.run(
        tx,
        """
        UPDATE metrics.accounts
           SET connected_at = now(), connected_by = :connected_by, lost_reason = NULL, lost_told_at = NULL,
               planned_at = NULL,
               state = CASE WHEN checked_at IS NULL THEN 'new' ELSE 'found' END
         WHERE organisation_id = :organisation_id AND artist_id = :artist_id AND platform = :platform
        """,
        organisation_id=organisation_id,
        artist_id=artist_id,
        platform=platform,
        connected_by=connected_by,
    )


def connection_ages(tx: db.Transaction, platform: str) -> dict[str, Any]:
    """Return how many accounts are connected to a platform by their artists, and since when the oldest is."""
    found = db.one(
        tx,
        """
        SELECT count(*) AS count, min(connected_at) AS oldest_at FROM metrics.accounts
         WHERE platform = :platform AND connected_at IS NOT NULL AND state <> 'disconnected'
        """,
        platform=platform,
    )
    return found or {}


def save_disconnected(
    tx: db.Transaction, artist_id: str, platform: str, reason: str, at: datetime
) -> dict[str, Any] | None:
    """Record that the platform ended our permission at `at`.

    Returns the artist's name, and the email address of the member who connected the account (None if that
    person is gone), until `save_told` says that this person knows. None if the account isn't connected, or
    was connected again since. A channel on YouTube goes on with its public figures.
    """
    db.run(
        tx,
        """
        UPDATE metrics.accounts c
           SET state = CASE WHEN platform = 'youtube' THEN state ELSE 'disconnected' END,
               connected_at = CASE WHEN platform = 'youtube' THEN NULL ELSE connected_at END,
               lost_reason = :reason
         WHERE artist_id = :artist_id AND platform = :platform AND lost_reason IS NULL
           AND connected_at < :at::timestamptz
        """,
        artist_id=artist_id,
        platform=platform,
        reason=reason[:1000],
        at=at,
    )
    return db.one(
        tx,
        """
        SELECT a.name AS artist,
               (SELECT u.email FROM accounts.users u
                  JOIN accounts.members m ON m.user_id = u.id AND m.organisation_id = c.organisation_id
                 WHERE u.id = c.connected_by) AS email
          FROM metrics.accounts c JOIN metrics.artists a ON a.id = c.artist_id
         WHERE c.artist_id = :artist_id AND c.platform = :platform AND c.lost_reason = :reason
           AND c.lost_told_at IS NULL
        """,
        artist_id=artist_id,
        platform=platform,
        reason=reason[:1000],
    )


def save_told(tx: db.Transaction, artist_id: str, platform: str) -> None:
    """Record that the person who connected a lost account was told."""
    db.run(
        tx,
        """
        UPDATE metrics.accounts SET lost_told_at = now()
         WHERE artist_id = :artist_id AND platform = :platform AND lost_reason IS NOT NULL
        """,
        artist_id=artist_id,
        platform=platform,
    )


def was_connected(tx: db.Transaction, artist_id: str, platform: str, account_id: str, at: datetime) -> bool:
    """Return whether the account is connected, and was by `at` with the permission that holds now."""
    return bool(
        db.value(
            tx,
            """
            SELECT EXISTS (SELECT FROM metrics.accounts
                            WHERE artist_id = :artist_id AND platform = :platform
                              AND account_id = :account_id AND connected_at <= :at)
            """,
            artist_id=artist_id,
            platform=platform,
            account_id=account_id,
            at=at,
        )
    )


def find_connected(tx: db.Transaction, artist_id: str, platform: str) -> dict[str, Any] | None:
    """Return the organisation_id of a connected account, and the email of who connected it.

    The email is None if that person has left the organisation. None if the account isn't connected.
    """
    return db.one(
        tx,
        """
        SELECT c.organisation_id::text,
               (SELECT u.email FROM accounts.users u
                  JOIN accounts.members m ON m.user_id = u.id AND m.organisation_id = c.organisation_id
                 WHERE u.id = c.connected_by) AS email
          FROM metrics.accounts c
         WHERE c.artist_id = :artist_id AND c.platform = :platform AND c.connected_at IS NOT NULL
        """,
        artist_id=artist_id,
        platform=platform,
    )


def save_unconnected(tx: db.Transaction, organisation_id: str, artist_id: str, platform: str) -> None:
    """Record that an artist's account isn't connected any more. Its public figures stay."""
    db.run(
        tx,
        """
        UPDATE metrics.accounts SET connected_at = NULL, lost_reason = NULL
         WHERE organisation_id = :organisation_id AND artist_id = :artist_id AND platform = :platform
        """,
        organisation_id=organisation_id,
        artist_id=artist_id,
        platform=platform,
    )


def lock(
    tx: db.Transaction, platform: str, account_ids: list[str], artist_id: str | None = None
) -> dict[str, str]:
    """Return artist id -> account id of all artists that have one of the accounts, and lock these rows.

    `artist_id`: of this artist alone, whose connection answered.
    """
    found = db.rows(
        tx,
        """
        SELECT artist_id::text, account_id FROM metrics.accounts
         WHERE platform = :platform AND account_id = ANY(:account_ids::text[])
           AND (:artist_id::uuid IS NULL OR artist_id = :artist_id::uuid)
         ORDER BY artist_id FOR UPDATE
        """,
        platform=platform,
        artist_id=artist_id,
        account_ids=account_ids,
    )
    return {row["artist_id"]: row["account_id"] for row in found}


def save_checked(
    tx: db.Transaction,
    platform: str,
    at: datetime,
    answers: list[dict[str, Any]],
    artist_id: str | None = None,
) -> None:
    """Save what the platform answered at `at`: {account_id, response}, where None means that it has none.

    `artist_id`: for this artist alone, whose connection answered. An older answer than the stored one changes
    nothing.
    """
    db.run(
        tx,
        """
        UPDATE metrics.accounts c
           SET checked_at = :at, response = coalesce(g.response, c.response),
               state = CASE WHEN c.state = 'disconnected' THEN c.state
                            WHEN g.response IS NULL THEN 'missing' ELSE 'found' END
          FROM json_to_recordset(:answers::json) AS g (account_id text, response jsonb)
         WHERE c.platform = :platform AND c.account_id = g.account_id
           AND (:artist_id::uuid IS NULL OR c.artist_id = :artist_id::uuid)
           AND coalesce(c.checked_at, '-infinity') < :at::timestamptz
        """,
        platform=platform,
        at=at,
        artist_id=artist_id,
        answers=json.dumps(answers),
    )

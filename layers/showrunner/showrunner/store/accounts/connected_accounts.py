"""Accounts at providers on which an organisation may act.

`subject` is the provider's id of the account, followed by a slash and the channel: one Google account may
have several channels.
"""

from typing import Any

from showrunner.database import db


def save(tx: db.Transaction, connection: dict[str, Any]) -> dict[str, Any]:
    """Add or renew a connection and return its id, provider, scopes and connected_at.

    `connection`: id, organisation_id, provider, subject, user_id (who connects), scopes, own_project (whether
    the organisation's own Google project made it).
    """
    row = db.one(
        tx,
        """
        INSERT INTO accounts.connections
               (id, organisation_id, provider, subject, connected_by, scopes, own_project)
        VALUES (:id, :organisation_id, :provider, :subject, :user_id, :scopes, :own_project)
        ON CONFLICT (id) DO UPDATE
           SET connected_by = excluded.connected_by, scopes = excluded.scopes, connected_at = now(),
               own_project = excluded.own_project, lost_reason = NULL
        RETURNING id::text, provider, scopes, connected_at
        """,
        **connection,
    )
    if row is None:
        raise AssertionError("an INSERT returns its row")
    return row


def mark_lost(tx: db.Transaction, organisation_id: str, connection_id: str, reason: str) -> str | None:
    """Record that the provider has ended our permission.

    Returns the address of the person who connected the account; None if that is gone, or was notified before.
    """
    row = db.one(
        tx,
        """
        UPDATE accounts.connections c SET lost_reason = :reason
         WHERE c.id = :id AND c.organisation_id = :organisation_id AND c.lost_reason IS NULL
        RETURNING (SELECT u.email FROM accounts.users u WHERE u.id = c.connected_by) AS email
        """,
        id=connection_id,
        organisation_id=organisation_id,
        reason=reason,
    )
    return row["email"] if row else None


def list_(tx: db.Transaction, user_id: str) -> list[dict[str, Any]]:
    """Return id, organisation_id and account (subject without channel) of the user's connections."""
    return db.rows(
        tx,
        """SELECT id::text, organisation_id::text, split_part(subject, '/', 1) AS account
             FROM accounts.connections WHERE connected_by = :user_id""",
        user_id=user_id,
    )


def list_ids(tx: db.Transaction, organisation_id: str) -> list[str]:
    """Return the ids of the organisation's connections."""
    rows = db.rows(
        tx,
        "SELECT id::text FROM accounts.connections WHERE organisation_id = :organisation_id",
        organisation_id=organisation_id,
    )
    return [row["id"] for row in rows]


def list_channels(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    """Return id, youtube_channel_id and scopes of the organisation's YouTube connections, newest first.

    Connections without a channel are left out.
    """
    return db.rows(
        tx,
        """
        SELECT id::text, split_part(subject, '/', 2) AS youtube_channel_id, scopes FROM accounts.connections
         WHERE organisation_id = :organisation_id AND provider = 'youtube'
           AND split_part(subject, '/', 2) <> ''
         ORDER BY connected_at DESC
        """,
        organisation_id=organisation_id,
    )


def accounts_in_use(tx: db.Transaction, accounts: list[str]) -> set[str]:
    """Return those of the accounts that still have a connection, in any organisation."""
    rows = db.rows(
        tx,
        """
        SELECT DISTINCT split_part(subject, '/', 1) AS account FROM accounts.connections
         WHERE split_part(subject, '/', 1) = ANY(:accounts)
        """,
        accounts=accounts,
    )
    return {row["account"] for row in rows}


def ages(tx: db.Transaction) -> dict[str, Any]:
    """Return how many connections the providers still permit, and when the oldest was made."""
    sql = "SELECT count(*) AS count, min(connected_at) AS oldest_at FROM accounts.connections"
    return db.one(tx, f"{sql} WHERE lost_reason IS NULL") or {}


def find_person(tx: db.Transaction, connection_id: str) -> str | None:
    """Return the address of the person who connected an account, None if that is gone or nobody has."""
    found = db.value(
        tx,
        """
        SELECT u.email FROM accounts.connections c JOIN accounts.users u ON u.id = c.connected_by
         WHERE c.id = :id
        """,
        id=connection_id,
    )
    return None if found is None else str(found)


def find_with_scope(tx: db.Transaction, organisation_id: str, scope: str) -> str | None:
    """Return the id of the organisation's newest YouTube connection with this permission, None without one.

    One whose permission Google has ended comes after the others.
    """
    found = db.value(
        tx,
        """
        SELECT id::text FROM accounts.connections
         WHERE organisation_id = :organisation_id AND provider = 'youtube' AND :scope = ANY(scopes)
         ORDER BY lost_reason IS NOT NULL, connected_at DESC LIMIT 1
        """,
        organisation_id=organisation_id,
        scope=scope,
    )
    return None if found is None else str(found)

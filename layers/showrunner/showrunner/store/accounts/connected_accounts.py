"""Accounts at providers that an organisation may act on."""

from typing import Any

from showrunner.database import db


def save(tx: db.Transaction, connection: dict[str, Any]) -> dict[str, Any]:
    """`connection`: id, organisation_id, provider, subject, user_id (who connects), scopes. Gives id, provider, scopes, connected_at."""
    row = db.one(
        tx,
        """
        INSERT INTO accounts.connections (id, organisation_id, provider, subject, connected_by, scopes)
        VALUES (:id, :organisation_id, :provider, :subject, :user_id, :scopes)
        ON CONFLICT (id) DO UPDATE SET connected_by = excluded.connected_by, scopes = excluded.scopes, connected_at = now()
        RETURNING id::text, provider, scopes, connected_at
        """,
        **connection,
    )
    if row is None:
        raise AssertionError("an insert gives its row")
    return row


def list_(tx: db.Transaction, user_id: str) -> list[dict[str, Any]]:
    """id, organisation_id of those that the person has connected."""
    return db.rows(tx, "SELECT id::text, organisation_id::text FROM accounts.connections WHERE connected_by = :user_id", user_id=user_id)

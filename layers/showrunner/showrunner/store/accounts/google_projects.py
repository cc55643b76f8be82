"""Google projects that organisations bring: the quotas of each. Their OAuth clients are in SSM."""

from typing import Any

from showrunner.database import db


def find(tx: db.Transaction, organisation_id: str) -> dict[str, Any] | None:
    """Return units_a_day and inserts_a_day of the organisation's project, None if it has none."""
    return db.one(
        tx,
        """
        SELECT units_a_day, inserts_a_day FROM accounts.google_projects
         WHERE organisation_id = :organisation_id
        """,
        organisation_id=organisation_id,
    )


def find_of_connection(tx: db.Transaction, connection_id: str | None) -> dict[str, Any] | None:
    """Return organisation_id and quotas of the project that a connection was made with.

    None for a connection of the stage's own project, and without a connection.
    """
    return db.one(
        tx,
        """
        SELECT g.organisation_id::text, g.units_a_day, g.inserts_a_day
          FROM accounts.connections c JOIN accounts.google_projects g USING (organisation_id)
         WHERE c.id = :connection_id::uuid AND c.own_project
        """,
        connection_id=connection_id,
    )


def list_(tx: db.Transaction) -> list[dict[str, Any]]:
    """Return organisation_id and quotas of all projects that organisations have brought."""
    return db.rows(
        tx,
        """
        SELECT organisation_id::text, units_a_day, inserts_a_day FROM accounts.google_projects
         ORDER BY organisation_id
        """,
    )


def save(tx: db.Transaction, organisation_id: str, units_a_day: int, inserts_a_day: int) -> None:
    """Add or change the organisation's project."""
    db.run(
        tx,
        """
        INSERT INTO accounts.google_projects (organisation_id, units_a_day, inserts_a_day)
        VALUES (:organisation_id, :units_a_day, :inserts_a_day)
        ON CONFLICT (organisation_id) DO UPDATE
           SET units_a_day = excluded.units_a_day, inserts_a_day = excluded.inserts_a_day, set_at = now()
        """,
        organisation_id=organisation_id,
        units_a_day=units_a_day,
        inserts_a_day=inserts_a_day,
    )


def remove(tx: db.Transaction, organisation_id: str) -> None:
    """Remove the organisation's project."""
    db.run(
        tx,
        "DELETE FROM accounts.google_projects WHERE organisation_id = :organisation_id",
        organisation_id=organisation_id,
    )


def count_connections(tx: db.Transaction, organisation_id: str) -> int:
    """Return how many accounts the organisation has connected through its own project."""
    return int(
        db.value(
            tx,
            """
            SELECT count(*) FROM accounts.connections
             WHERE organisation_id = :organisation_id AND own_project
            """,
            organisation_id=organisation_id,
        )
    )

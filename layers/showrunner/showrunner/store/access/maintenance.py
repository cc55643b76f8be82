"""Maintenance mode: while it is on, the API is closed to everybody except platform admins."""

from showrunner.database import db


def save(tx: db.Transaction, message: str | None, minutes: int, subject: str) -> None:
    """Close the API with a message for `minutes`; open it if `message` is None."""
    db.run(tx, "DELETE FROM access.maintenance")
    if message is not None:
        db.run(
            tx,
            """
            INSERT INTO access.maintenance (message, ends_at, started_by)
            VALUES (:message, now() + make_interval(mins => :minutes), :subject)
            """,
            message=message,
            minutes=minutes,
            subject=subject,
        )


def message(tx: db.Transaction) -> str | None:
    """Return the message of the current maintenance, None if the API is open."""
    found: str | None = db.value(tx, "SELECT message FROM access.maintenance")
    return found

"""Which archived answers are loaded, and until which hour of the archive that was looked at."""

from datetime import datetime

from showrunner.database import db


def save(tx: db.Transaction, key: str, at: datetime) -> None:
    """Record that the archived answer `key` was loaded at `at`."""
    db.run(
        tx,
        """
        INSERT INTO metrics.loads (key, loaded_at) VALUES (:key, :at)
            ON CONFLICT (key) DO UPDATE SET loaded_at = excluded.loaded_at
        """,
        key=key,
        at=at,
    )


def list_missing(tx: db.Transaction, keys: list[str]) -> list[str]:
    """Return those of the keys that were not loaded, in their order."""
    found = db.rows(
        tx,
        """
        SELECT g.key FROM unnest(:keys::text[]) WITH ORDINALITY AS g (key, number)
         WHERE NOT EXISTS (SELECT FROM metrics.loads l WHERE l.key = g.key) ORDER BY g.number
        """,
        keys=keys,
    )
    return [row["key"] for row in found]


def find_checked(tx: db.Transaction, platform: str) -> datetime | None:
    """Return the hour before which every answer of a platform is known to be loaded, None at first."""
    found: datetime | None = db.value(
        tx, "SELECT checked_to FROM metrics.archive_checks WHERE platform = :platform", platform=platform
    )
    return found


def save_checked(tx: db.Transaction, platform: str, hour: datetime) -> None:
    """Record the hour before which every answer of a platform is loaded."""
    db.run(
        tx,
        """
        INSERT INTO metrics.archive_checks (platform, checked_to) VALUES (:platform, :hour)
            ON CONFLICT (platform) DO UPDATE SET checked_to = excluded.checked_to
        """,
        platform=platform,
        hour=hour,
    )

"""Cloned voices: all belong to our account at the speech provider, and each to one organisation."""

from showrunner.database import db
from showrunner.errors import Conflict

db.CONSTRAINTS["voices_pkey"] = (Conflict, "One of these voices belongs to another organisation.")


def belongs(tx: db.Transaction, organisation_id: str, provider_id: str) -> bool:
    """Tell whether the voice belongs to the organisation."""
    return bool(
        db.value(
            tx,
            """
            SELECT EXISTS (SELECT FROM accounts.voices
                            WHERE provider_id = :provider_id AND organisation_id = :organisation_id)
            """,
            organisation_id=organisation_id,
            provider_id=provider_id,
        )
    )


def save(tx: db.Transaction, organisation_id: str, provider_ids: list[str]) -> None:
    """Replace the organisation's voices. Raises Conflict if one belongs to another organisation."""
    db.run(
        tx,
        "DELETE FROM accounts.voices WHERE organisation_id = :id AND provider_id <> ALL(:voices::text[])",
        id=organisation_id,
        voices=provider_ids,
    )
    db.run(
        tx,
        """
        INSERT INTO accounts.voices (provider_id, organisation_id)
        SELECT v, :id::uuid FROM unnest(:voices::text[]) v
         WHERE NOT EXISTS (SELECT FROM accounts.voices o
                            WHERE o.provider_id = v AND o.organisation_id = :id::uuid)
        """,
        id=organisation_id,
        voices=provider_ids,
    )

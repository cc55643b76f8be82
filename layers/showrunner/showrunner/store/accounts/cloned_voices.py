"""Cloned voices: the speech provider knows them all, each is one organisation's."""

from showrunner.database import db
from showrunner.errors import Conflict

db.CONSTRAINTS["voices_pkey"] = (Conflict, "One of these voices belongs to another organisation.")


def belongs(tx: db.Transaction, organisation_id: str, provider_id: str) -> bool:
    return bool(
        db.value(
            tx,
            "SELECT EXISTS (SELECT 1 FROM accounts.voices WHERE provider_id = :provider_id AND organisation_id = :organisation_id)",
            organisation_id=organisation_id,
            provider_id=provider_id,
        )
    )


def save(tx: db.Transaction, organisation_id: str, provider_ids: list[str]) -> None:
    """These and no others. Raises Conflict for another organisation's."""
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
         WHERE NOT EXISTS (SELECT 1 FROM accounts.voices o WHERE o.provider_id = v AND o.organisation_id = :id::uuid)
        """,
        id=organisation_id,
        voices=provider_ids,
    )

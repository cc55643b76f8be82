"""Content owners on YouTube, each with the folder of S3 that its reports are dropped into."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict

db.CONSTRAINTS["content_owners_name"] = (
    Conflict,
    "Another organisation has a content owner of this name: the name is the folder of its reports.",
)

db.CONSTRAINTS["content_owners_youtube_id"] = (
    Conflict,
    "Another content owner has this id at YouTube: an id belongs to one organisation.",
)


def find(tx: db.Transaction, name: str) -> dict[str, Any] | None:
    """Return id, organisation_id, name and other_names of an owner whose organisation is not suspended.

    None if there is none.
    """
    return db.one(
        tx,
        """
        SELECT w.id, w.organisation_id::text, w.name, w.other_names
          FROM rights.content_owners w JOIN accounts.organisations o ON o.id = w.organisation_id
         WHERE lower(w.name) = lower(:name) AND o.content_owner
        """,
        name=name,
    )


def list_of(tx: db.Transaction, organisation_id: str) -> list[dict[str, Any]]:
    """Return the organisation's content owners by name.

    Columns: id, name, other_names, youtube_id (or None) and uses_service_account.
    """
    return db.rows(
        tx,
        """
        SELECT id, name, other_names, youtube_id, uses_service_account FROM rights.content_owners
         WHERE organisation_id = :organisation_id ORDER BY lower(name)
        """,
        organisation_id=organisation_id,
    )


def save(
    tx: db.Transaction,
    organisation_id: str,
    name: str,
    other_names: list[str],
    youtube_id: str | None = None,
    *,
    uses_service_account: bool | None = None,
) -> None:
    """Add an organisation's content owner, or change its other names, and the rest where it is given.

    Raises Conflict for a name or id in use.
    """
    changed = db.run(
        tx,
        """
        UPDATE rights.content_owners
           SET other_names = :other_names::text[], youtube_id = coalesce(:youtube_id, youtube_id),
               uses_service_account = coalesce(:uses_service_account, uses_service_account)
         WHERE organisation_id = :organisation_id AND lower(name) = lower(:name)
        """,
        organisation_id=organisation_id,
        name=name,
        other_names=other_names,
        youtube_id=youtube_id,
        uses_service_account=uses_service_account,
    )
    if not changed:
        db.run(
            tx,
            """
            INSERT INTO rights.content_owners (organisation_id, name, other_names, youtube_id,
                                               uses_service_account)
            VALUES (:organisation_id, :name, :other_names::text[], :youtube_id, :uses_service_account)
            """,
            organisation_id=organisation_id,
            name=name,
            other_names=other_names,
            youtube_id=youtube_id,
            uses_service_account=bool(uses_service_account),
        )

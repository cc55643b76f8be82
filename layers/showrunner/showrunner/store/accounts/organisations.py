"""Organisations."""

from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound


def add(tx: db.Transaction, name: str) -> str:
    return str(db.value(tx, "INSERT INTO accounts.organisations (name) VALUES (:name) RETURNING id", name=name))


def get(tx: db.Transaction, organisation_id: str) -> dict[str, Any]:
    row = db.one(
        tx,
        """
        SELECT o.id::text, o.name, o.content_owner, o.created_at, (SELECT count(*) FROM accounts.members m WHERE m.organisation_id = o.id) AS members,
               (SELECT coalesce(json_agg(v.provider_id ORDER BY v.provider_id), '[]') FROM accounts.voices v WHERE v.organisation_id = o.id) AS voices
          FROM accounts.organisations o WHERE o.id = :id
        """,
        id=organisation_id,
    )
    if row is None:
        raise NotFound("There is no such organisation.")
    return row


def save(tx: db.Transaction, organisation_id: str, name: str) -> None:
    db.run(tx, "UPDATE accounts.organisations SET name = :name WHERE id = :id", id=organisation_id, name=name)


def save_content_owner(tx: db.Transaction, organisation_id: str, *, content_owner: bool) -> None:
    if not db.run(tx, "UPDATE accounts.organisations SET content_owner = :mark WHERE id = :id", id=organisation_id, mark=content_owner):
        raise NotFound("There is no such organisation.")

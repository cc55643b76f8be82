"""Searches that the people of an organisation have saved: the filters and the order of a list, by name."""

import json
from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, NotFound

db.CONSTRAINTS["searches_name"] = (
    Conflict,
    "A search of this list has this name already: delete it first, or choose another name.",
)

_ITEM = """
    json_build_object('id', s.id, 'name', s.name, 'list', s.list, 'filters', s.filters,
                      'created_by', s.created_by, 'created_at', s.created_at)
"""


def list_(tx: db.Transaction, organisation_id: str) -> str:
    """Return all searches of the organisation as JSON text, by list and name."""
    return str(
        db.value(
            tx,
            f"""
            SELECT coalesce(json_agg({_ITEM} ORDER BY s.list, lower(s.name)), '[]')::text
              FROM rights.searches s WHERE s.organisation_id = :organisation_id
            """,
            organisation_id=organisation_id,
        )
    )


def count(tx: db.Transaction, organisation_id: str) -> int:
    """Return how many searches the organisation has saved."""
    return int(
        db.value(tx, "SELECT count(*) FROM rights.searches WHERE organisation_id = :id", id=organisation_id)
    )


def add(
    tx: db.Transaction, organisation_id: str, name: str, list_name: str, filters: dict[str, Any], by: str
) -> dict[str, Any]:
    """Save a search and return it. Raises Conflict for a name in use."""
    text = db.value(
        tx,
        f"""
        WITH s AS (
            INSERT INTO rights.searches (organisation_id, name, list, filters, created_by)
            VALUES (:organisation_id, :name, :list, :filters::jsonb, :by) RETURNING *)
        SELECT ({_ITEM})::text FROM s
        """,
        organisation_id=organisation_id,
        name=name,
        list=list_name,
        filters=json.dumps(filters),
        by=by,
    )
    found: dict[str, Any] = json.loads(text)
    return found


def remove(tx: db.Transaction, organisation_id: str, search_id: str) -> None:
    """Delete a search. Raises NotFound."""
    if not db.run(
        tx,
        "DELETE FROM rights.searches WHERE id = :id AND organisation_id = :organisation_id",
        id=search_id,
        organisation_id=organisation_id,
    ):
        raise NotFound("There is no such search.")

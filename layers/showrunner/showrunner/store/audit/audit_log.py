"""Who did what. Rows are only ever added: the database refuses the rest."""

import hashlib
import json
from typing import Any

from showrunner.database import db, pages
from showrunner.database.pages import Column, PageRequest, PageResult

_ITEM = """
    json_build_object('id', e.id, 'at', e.at, 'organisation_id', e.organisation_id, 'subject', e.subject, 'actor', e.actor, 'action', e.action,
                      'thing', e.thing, 'thing_id', e.thing_id, 'change', e.change, 'request_id', e.request_id, 'address', e.address)
"""
# A page of a hundred rows must fit into the 6 MB that Lambda answers, and nobody may fill for good what is
# never deleted.
_LONGEST_VALUE_CHARACTERS = 500
_COLUMNS = {"id": Column("e.id", "bigint")}


def add(
    tx: db.Transaction,
    who: dict[str, str | None],
    action: str,
    thing: str,
    thing_id: str,
    change: dict[str, Any],
) -> None:
    """`who`: organisation_id, subject, actor, request_id, address, of which only the network is kept: rows outlive the person, and nobody is found by a /24 or
    /48. The access log has the whole one as long as logs are kept. `change` says before and after, never a
    secret.
    """
    db.run(
        tx,
        """
        INSERT INTO audit.events (organisation_id, subject, actor, action, thing, thing_id, change, request_id, address)
        VALUES (:organisation_id, :subject, :actor, :action, :thing, :thing_id, :change, :request_id,
                network(set_masklen(:address::inet, CASE family(:address::inet) WHEN 4 THEN 24 ELSE 48 END)))
        """,
        **who,
        action=action,
        thing=thing,
        thing_id=thing_id,
        change=json.dumps(_brief(change), default=str),
    )


def _brief(value: Any) -> Any:
    """The change with each long value told by its length and hash: that it changed can be seen, and what it was can be proven."""
    if isinstance(value, dict):
        return {name: _brief(each) for name, each in value.items()}
    text = json.dumps(value, default=str)
    if len(text) <= _LONGEST_VALUE_CHARACTERS:
        return value
    return {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def list_(tx: db.Transaction, filters: dict[str, Any], wanted: PageRequest) -> PageResult:
    """`filters`: organisation_id, subject, actor, action, thing, thing_id, date_from (inclusive), date_to (exclusive)."""
    conditions = {
        "organisation_id": ("e.organisation_id = :organisation_id::uuid", filters.get("organisation_id")),
        **{
            name: (f"e.{name} = :{name}", filters.get(name))
            for name in ("subject", "actor", "action", "thing", "thing_id")
        },
        "date_from": ("e.at >= :date_from::timestamptz", filters.get("date_from")),
        "date_to": ("e.at < :date_to::timestamptz", filters.get("date_to")),
    }
    return pages.select(tx, "audit.events e WHERE true", _ITEM, _COLUMNS, "-id", wanted, conditions)

"""The audit log. Rows are only added: the database refuses to change or delete them."""

import hashlib
import json
from typing import Any

from showrunner import masking
from showrunner.database import db, pages
from showrunner.database.pages import Column, List, PageRequest, PageResult

_ITEM = """
    json_build_object('id', e.id, 'at', e.at, 'organisation_id', e.organisation_id, 'subject', e.subject,
                      'actor', e.actor, 'action', e.action, 'thing', e.thing, 'thing_id', e.thing_id,
                      'outcome', e.outcome, 'reason', e.reason, 'change', e.change,
                      'request_id', e.request_id, 'address', e.address)
"""
_LIST = List(
    "audit",
    "audit.events e",
    "true",
    _ITEM,
    {"id": Column("e.id", "bigint")},
    "-id",
    {
        "organisation_id": "e.organisation_id = :organisation_id::uuid",
        "subject": "e.subject = :subject",
        "actor": "e.actor = :actor",
        "action": "e.action = :action",
        "thing": "e.thing = :thing",
        "thing_id": "e.thing_id = :thing_id",
        "outcome": "e.outcome = :outcome",
        "date_from": "e.at >= :date_from::timestamptz",
        "date_to": "e.at < :date_to::timestamptz",
    },
)
# Rows are never deleted: a caller must not be able to fill the table with long values.
_LONGEST_VALUE_CHARACTERS = 500


def add(
    tx: db.Transaction,
    who: dict[str, str | None],
    action: str,
    thing: str,
    thing_id: str,
    change: dict[str, Any],
    outcome: str = "success",
    reason: str | None = None,
) -> None:
    """Add an event. `who`: organisation_id, subject, actor, request_id, address.

    outcome: success, failed (a login, a code) or denied (a permission). reason: why.

    Of an address only the network (/24 or /48) is stored, because rows outlive the person; the access log has
    the whole address for as long as logs are kept. `change` has values before and after, never a secret.
    """
    db.run(
        tx,
        """
        INSERT INTO audit.events (organisation_id, subject, actor, action, thing, thing_id, change,
                                  outcome, reason, request_id, address)
        VALUES (:organisation_id, :subject, :actor, :action, :thing, :thing_id, :change,
                :outcome, :reason, :request_id,
                network(set_masklen(:address::inet, CASE family(:address::inet) WHEN 4 THEN 24 ELSE 48 END)))
        """,
        **who,
        action=action,
        thing=thing,
        thing_id=thing_id,
        change=masking.masked(json.dumps(_brief(change), default=str)),
        outcome=outcome,
        reason=masking.masked(reason) if reason else None,
    )


def is_recorded(tx: db.Transaction, action: str, thing: str, thing_id: str, request_id: str) -> bool:
    """Return True if there is an event of the last day with this action, thing and request id."""
    found = db.value(
        tx,
        """
        SELECT EXISTS (SELECT 1 FROM audit.events
                        WHERE at > now() - interval '1 day' AND action = :action AND thing = :thing
                          AND thing_id = :thing_id AND request_id = :request_id)
        """,
        action=action,
        thing=thing,
        thing_id=thing_id,
        request_id=request_id,
    )
    return bool(found)


def prepare_month(tx: db.Transaction, ahead: int) -> None:
    """Make the partition of the month that is so many months ahead, if there is none."""
    db.run(
        tx,
        "SELECT audit.prepare_month((date_trunc('month', now()) + make_interval(months => :ahead))::date)",
        ahead=ahead,
    )


def _brief(value: Any) -> Any:
    """Return the change with each long value replaced by its length and hash."""
    if isinstance(value, dict):
        return {name: _brief(each) for name, each in value.items()}
    text = json.dumps(value, default=str)
    if len(text) <= _LONGEST_VALUE_CHARACTERS:
        return value
    return {"characters": len(text), "sha256": hashlib.sha256(text.encode()).hexdigest()}


def list_(tx: db.Transaction, filters: dict[str, Any], page: PageRequest) -> PageResult:
    """Return a page of events, newest first.

    `filters`: organisation_id, subject, actor, action, thing, thing_id, outcome, date_from (inclusive),
    date_to (exclusive).
    """
    return pages.select(tx, _LIST, page, filters)

"""Add, run and show a change set, for all routes of changes."""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner.database import db
from showrunner.errors import InvalidRequest, ServiceUnavailable
from showrunner.rights import change_runs, proposals
from showrunner.rights.change_files import Proposal
from showrunner.store.rights import change_sets
from showrunner.web import audit
from showrunner.web.fields import timestamp
from showrunner.web.routing import Request


def person(request: Request) -> str:
    """Return who acts: the person behind the token, also of a machine or under impersonation."""
    caller = request.caller
    return caller.actor or caller.creator or caller.subject


def add(tx: db.Transaction, request: Request, kind: str, name: str, rows: list[Proposal]) -> str:
    """Add a change set with its checked rows. Returns its id."""
    change_set_id = change_sets.add(tx, request.organisation_id, kind, name, person(request))
    # All of them before the COPY, during which the connection takes no query.
    checked = list(proposals.check(tx, request.organisation_id, kind, rows))
    change_sets.copy_rows(tx, request.organisation_id, kind, change_set_id, checked)
    audit.record(tx, request, "propose", "change_set", change_set_id, kind=kind, name=name, rows=len(rows))
    return change_set_id


def begin(tx: db.Transaction, request: Request, change_set_id: str) -> None:
    """Run a change set. Raises Conflict, or ServiceUnavailable if no execution can be started."""
    from botocore.exceptions import BotoCoreError, ClientError

    audit.record(tx, request, "run", "change_set", change_set_id)
    try:
        change_runs.begin(tx, request.organisation_id, change_set_id, datetime.now(UTC))
    except (BotoCoreError, ClientError) as error:
        raise ServiceUnavailable("It could not be started; try again in a minute.", 60) from error


def run_at_once(tx: db.Transaction, request: Request, change_set_id: str) -> dict[str, Any]:
    """Run a change set that needs no approval. Returns it."""
    if not change_sets.lock(tx, request.organisation_id, change_set_id)["needs_approval"]:
        begin(tx, request, change_set_id)
    found: dict[str, Any] = json.loads(change_sets.get(tx, request.organisation_id, change_set_id))
    return found


def described(tx: db.Transaction, request: Request, change_set_id: str) -> dict[str, Any]:
    """Return a change set with what the rest of it costs, and when it will be done."""
    found = json.loads(change_sets.get(tx, request.organisation_id, change_set_id))
    expected = change_runs.forecast(tx, found["id"], datetime.now(UTC))
    return {
        "change_set": found,
        "units": expected.units if expected else None,
        "expected_end": timestamp(expected.end) if expected else None,
    }


def shown(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a checked row as the API shows it."""
    target = row["target"]
    return {
        "row": row["number"],
        "change_set_id": None,
        "kind": kind,
        "video_id": row["video_id"] or None,
        **{name: target.get(name) for name in ("asset_id", "claim_id", "content_type")},
        **{name: row[name] for name in ("status", "message", "changes")},
        "before": row["known"],
        "is_exact": False,
        "after": None,
        "queued_at": None,
        "finished_at": None,
    }


def require_valid(rows: list[dict[str, Any]], field: str) -> None:
    """Raise InvalidRequest for the first checked row that breaks a rule."""
    for row in rows:
        if row["status"] == "invalid":
            raise InvalidRequest(row["message"], [{"field": field, "message": row["message"]}])

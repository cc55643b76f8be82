"""Write audit records for requests."""

from typing import Any

from showrunner.database import db
from showrunner.web.routing import Request


def record(
    tx: db.Transaction,
    request: Request,
    action: str,
    thing: str,
    thing_id: str,
    *,
    subject: str | None = None,
    **change: Any,
) -> None:
    """A row in the audit log, in the transaction of what it tells; under impersonation it names both.

    `subject`: who did it, where neither a token nor the
    thing itself says so."""
    from showrunner.store.audit import audit_log

    caller = request.identity
    who = {
        "organisation_id": caller.organisation_id if caller else None,
        "subject": subject or (caller.subject if caller else thing_id),
        "actor": caller.actor if caller else None,
        "request_id": request.id,
        "address": request.address or None,
    }
    audit_log.add(tx, who, action, thing, thing_id, change)


def record_impersonated(request: Request) -> None:
    """What an admin does or reads as somebody else is written down before, whatever the handler itself records."""
    with db.transaction() as tx:
        record(tx, request, request.method.lower(), "route", request.path)

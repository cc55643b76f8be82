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
    """Add a row to the audit log, in the transaction of the change. Under impersonation it names both people.

    subject: who did it, if the request has no token and it was not `thing_id`.
    """
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
    """Record a request of an admin who acts as somebody else, before its handler runs."""
    with db.transaction() as tx:
        record(tx, request, request.method.lower(), "route", request.path)

"""Write audit records for requests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, Forbidden, InvalidRequest, LimitExceeded, Unauthorized
from showrunner.web import log
from showrunner.web.routing import Request


def record(
    tx: db.Transaction,
    request: Request,
    action: str,
    thing: str,
    thing_id: str,
    *,
    subject: str | None = None,
    outcome: Literal["success", "failed", "denied"] = "success",
    reason: str | None = None,
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
    audit_log.add(tx, who, action, thing, thing_id, change, outcome, reason)


@contextmanager
def failures(request: Request, action: str, thing: str, thing_id: str | Callable[[], str]) -> Iterator[None]:
    """Record if the action in the block is refused, in a transaction of its own. Raises the error again.

    A callable as `thing_id` is called only then. Not inside a transaction, which the error would roll back.
    A missing second factor is no failure: it is asked for next.
    """
    try:
        yield
    except (Unauthorized, Forbidden, LimitExceeded, InvalidRequest) as error:
        if error.code != "AUTH_REQUIRED":
            found = thing_id if isinstance(thing_id, str) else thing_id()
            # An error may know a reason for us that its caller isn't told.
            reason = getattr(error, "reason", error.code)
            _record_refusal(request, action, thing, found, "failed", reason)
        raise


def record_denied(request: Request, error: Forbidden) -> None:
    """Record that the caller lacks a permission for the route."""
    _record_refusal(request, request.method.lower(), "route", request.route, "denied", error.code)


def _record_refusal(
    request: Request,
    action: str,
    thing: str,
    thing_id: str,
    outcome: Literal["failed", "denied"],
    reason: str,
) -> None:
    try:
        with db.transaction() as tx:
            record(
                tx, request, action, thing, thing_id, subject=_nobody(request), outcome=outcome, reason=reason
            )
    except DatabaseUnavailable:
        log.warn(request, "a refusal is not in the audit log", action=action, reason=reason)


def _nobody(request: Request) -> str | None:
    """Return "anybody" for a request without identity: its thing's owner may not be who failed."""
    return None if request.identity else "anybody"


def record_impersonated(request: Request) -> None:
    """Record a request of an admin who acts as somebody else, before its handler runs."""
    with db.transaction() as tx:
        record(tx, request, request.method.lower(), "route", request.path)

"""Show the addresses that get no email from us, and let them get email again."""

from typing import Any

from showrunner.admin.schemas import SuppressedAddress, SuppressedEmailList, SuppressedPage
from showrunner.aws import email
from showrunner.database import db
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/admin/emails/suppressed", permission="admin:all", answer=SuppressedEmailList)
def list_suppressed(request: Request, query: SuppressedPage) -> dict[str, Any]:
    """List the addresses that SES doesn't deliver to, because an email bounced or was marked as spam."""
    rows, next_cursor = email.list_suppressed(query.limit, query.cursor)
    with db.transaction() as tx:
        audit.record(tx, request, "read", "email", "all")
    return {"suppressed": [each._asdict() for each in rows], "next_cursor": next_cursor}


@routes.delete("/api/v1/admin/emails/suppressed", permission="admin:all", status=204, errors=(404,))
def unsuppress(request: Request, query: SuppressedAddress) -> Answer:
    """Deliver to an address again, for instance after its owner has repaired the mailbox."""
    email.unsuppress(query.email)
    with db.transaction() as tx:
        audit.record(tx, request, "unsuppress", "email", query.email.rpartition("@")[2])
    return Answer(status=204)

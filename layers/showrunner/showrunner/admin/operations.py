"""Close the API for maintenance, and read the audit log."""

from typing import Any

from showrunner.admin.schemas import AuditEventList, AuditFilter, MaintenanceRequest, MaintenanceState
from showrunner.database import db
from showrunner.store.access import maintenance
from showrunner.store.audit import audit_log
from showrunner.web import answers, audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.post(
    "/api/v1/admin/maintenance", permission="admin:all", answer=MaintenanceState, open_in_maintenance=True
)
def save_maintenance(request: Request, body: MaintenanceRequest) -> dict[str, Any]:
    """Close the API for everybody except admins, or open it again, effective from the next request."""
    message, minutes = (body.message, body.estimated_time) if body.enabled else (None, None)
    with db.transaction() as tx:
        maintenance.save(tx, message, body.estimated_time, request.caller.subject)
        audit.record(
            tx, request, "maintenance", "platform", "all", enabled=body.enabled, message=body.message
        )
    return {"enabled": body.enabled, "message": message, "estimated_time": minutes}


@routes.get("/api/v1/admin/audit", permission="admin:all", answer=AuditEventList, open_in_maintenance=True)
def list_audit(request: Request, query: AuditFilter) -> Answer:
    """List the audit log, newest first."""
    filters = query.model_dump(exclude={"limit", "page", "cursor", "sort"})
    with db.transaction() as tx:
        found = audit_log.list_(tx, filters, query.request())
        audit.record(
            tx, request, "read", "audit", "all", filters=sorted(name for name in filters if filters[name])
        )
    return answers.listed("events", found)

"""List the backups of all tables, make one now, and restore one into a new database."""

from datetime import UTC, datetime
from typing import Any

from showrunner.admin.schemas import BackupList, BackupPage, BackupStarted, RestoreStarted
from showrunner.backups import executions, manifest
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.web import audit
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/backups", permission="admin:all", answer=BackupList, open_in_maintenance=True)
def list_backups(request: Request, query: BackupPage) -> dict[str, Any]:
    """List the backups, newest first, each with size, checksum, age and its newest restore."""
    found, next_cursor = manifest.list_(query.limit, query.cursor)
    return {"backups": [_shown(each) for each in found], "next_cursor": next_cursor}


@routes.post(
    "/api/v1/backups",
    permission="admin:all",
    answer=BackupStarted,
    status=202,
    errors=(409,),
    open_in_maintenance=True,
)
def make_backup(request: Request) -> dict[str, Any]:
    """Begin a backup of all tables now, beside the nightly ones. 409 while one is being made."""
    newest, _ = manifest.list_(1, None)
    if newest and newest[0]["status"] == "running":
        raise Conflict("A backup is being made: GET /api/v1/backups shows when it is complete.")
    backup_id = manifest.new_id()
    with db.transaction() as tx:
        audit.record(tx, request, "make", "backup", backup_id)
    executions.start(f"backup-{backup_id}", kind="manual", step="begin", id=backup_id)
    return {"id": backup_id}


@routes.post(
    "/api/v1/backups/{backup_id}/restore",
    permission="admin:all",
    answer=RestoreStarted,
    status=202,
    errors=(404, 409),
    open_in_maintenance=True,
)
def restore_backup(request: Request, backup_id: str) -> dict[str, Any]:
    """Restore a backup into a new database and compare it; the stage goes on with its own.

    What was deleted on request since the backup is erased in the new database, too. `GET /api/v1/backups`
    shows the result. The new database is deleted after seven days.
    """
    restore_id = manifest.begin_restore(manifest.get(backup_id))
    with db.transaction() as tx:
        audit.record(tx, request, "restore", "backup", backup_id, restore_id=restore_id)
    executions.start(
        f"restore-{restore_id}", kind="restore", step="prepare", id=backup_id, restore_id=restore_id
    )
    return {"id": backup_id, "restore_id": restore_id, "database": manifest.database_of(restore_id)}


def _shown(document: manifest.Manifest) -> dict[str, Any]:
    age = datetime.now(UTC) - datetime.fromisoformat(document["started_at"])
    newest = document.get("restore")
    return {
        **{name: document[name] for name in ("id", "kind", "status", "started_at")},
        **{name: document.get(name) for name in ("finished_at", "rows", "bytes", "sha256", "error")},
        "age_hours": round(age.total_seconds() / 3600, 1),
        "tables": len(document["tables"]),
        "encryption": "aws:kms",
        "storage_class": "STANDARD_IA",
        "restore": newest and _shown_restore(newest),
    }


def _shown_restore(newest: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: newest[name] for name in ("id", "status", "database", "started_at")},
        **{name: newest.get(name) for name in ("finished_at", "erased", "error")},
        "differences": newest.get("differences", []),
    }

"""Put the copy that a restore has made in place of the stage's database.

Both are databases of one server, so the copy gets the stage's name, and the database before it the name of a
copy: switching back is the same command, and after seven days a nightly backup deletes it.
"""

import re
from collections.abc import Callable
from typing import Any

from pg8000.native import Connection

from showrunner import config
from showrunner.backups import deletions, manifest
from showrunner.database import owner
from showrunner.errors import Conflict, InvalidRequest, NotFound
from showrunner.store import backups
from showrunner.store.audit import audit_log
from showrunner.telemetry import logger

# A database that every server has. None can be renamed from a session of its own.
_ELSEWHERE = "postgres"
# Databases that restores create. The stage's own one can't be named so.
_COPY_NAME = re.compile("showrunner_restore_[a-z0-9_]{1,40}")
OPERATOR = {
    "organisation_id": None,
    "subject": "operator",
    "actor": None,
    "request_id": "make switch",
    "address": None,
}


def require_copy(name: str) -> None:
    """Raise InvalidRequest for a name that no restore's database has."""
    if not _COPY_NAME.fullmatch(name):
        raise InvalidRequest("A restore's database is called showrunner_restore_...: this one is not.")


def switch(copy: str, by: str, migrate: Callable[[Connection], list[str]]) -> dict[str, Any]:
    """Put `copy` in place of the stage's database. Returns {"database", "before", "applied", "deleted"}.

    `by`: who switches, for the audit log, which is the copy's from then on.

    The copy first gets the migrations that it lacks. Then the stage's database is closed, which requests wait
    out for seconds; what was deleted on request since the restore is deleted in the copy, and the names
    change in one transaction. A run that was interrupted is repeated from the beginning. Raises
    InvalidRequest for another name than a restore's, NotFound for a copy that isn't there, Conflict for one
    that isn't complete.
    """
    require_copy(copy)
    name, aside = config.setting("DATABASE_NAME"), manifest.database_of(manifest.new_id())
    with owner.session(_ELSEWHERE) as server:
        backups.open_again(server, (name, copy))
        if copy not in backups.list_copies(server):
            raise NotFound(f"There is no database {copy}: GET /api/v1/backups names the restored copies.")
        with owner.session(copy) as restored:
            if not backups.is_whole(restored):
                raise Conflict(f"{copy} is not complete: GET /api/v1/backups shows how its restore ended.")
            applied = migrate(restored.open())
            try:
                with owner.session(name) as live:
                    backups.close_to_others(live, server, name)
                    deleted = deletions.repeat_since(restored, live, manifest.moment_of(copy))
                change = {"database": {"before": aside, "after": copy}, "by": by}
                audit_log.add(restored, OPERATOR, "switch", "database", name, change)
                restored.drop()
                backups.end_sessions(server, copy)
                with owner.transaction(server):
                    backups.exchange(server, name, copy, aside)
            finally:
                backups.open_again(server, (name, aside))
    logger.info("switched", extra={"database": copy, "before": aside})
    return {"database": name, "before": aside, "applied": applied, "deleted": deleted}

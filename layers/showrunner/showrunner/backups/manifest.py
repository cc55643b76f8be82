"""The manifest of a backup: what it holds, how it ended, and the newest restore of it.

It lies in the backup bucket and not in the database, so that it can be read when the database is gone:
`manifests/<id>.json`, and each table as `tables/<id>/<schema>.<table>.gz`.
"""

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from showrunner.aws import backup_bucket
from showrunner.errors import Conflict, NotFound, StorageMissing

Kind = Literal["nightly", "manual"]
Manifest = dict[str, Any]

_FOLDER = "manifests/"
# The machine's own limit. What still runs after this long has ended without saying so.
LONGEST = timedelta(hours=12)


def new_id() -> str:
    """Return a UUID of version 7: ids sort by the millisecond that they were made in."""
    random, variant = secrets.randbits(74), 0b10 << 62
    number = time_bits() << 80 | 7 << 76 | random >> 62 << 64 | variant | random & (1 << 62) - 1
    return str(uuid.UUID(int=number))


def time_bits(before: timedelta = timedelta()) -> int:
    """Return the first 48 bits of an id that is made now, or was made so long before."""
    return int((datetime.now(UTC) - before).timestamp() * 1000)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def create(backup_id: str, kind: str, migrations: list[int]) -> Manifest:
    """Store the manifest of a backup that begins."""
    manifest: Manifest = {
        "id": backup_id,
        "kind": kind,
        "status": "running",
        "started_at": now(),
        "migrations": migrations,
        "sequences": {},
        "snapshots": [],
        "tables": {},
    }
    save(manifest)
    return manifest


def save(manifest: Manifest) -> None:
    backup_bucket.put_json(f"{_FOLDER}{manifest['id']}.json", manifest)


def get(backup_id: str) -> Manifest:
    """Return a backup's manifest. Raises NotFound."""
    try:
        found = backup_bucket.get_json(f"{_FOLDER}{backup_id}.json")
    except StorageMissing as error:
        raise NotFound("There is no such backup: GET /api/v1/backups lists them.") from error
    restore = {"restore": _settled(found["restore"])} if "restore" in found else {}
    return {**_settled(found), **restore}


def _settled(run: dict[str, Any]) -> dict[str, Any]:
    """Return a backup or restore as failed if its execution ended from outside, where no step sees it."""
    began = datetime.fromisoformat(run["started_at"])
    if run["status"] != "running" or datetime.now(UTC) - began < LONGEST:
        return run
    return {**run, "status": "failed", "error": "The execution ended before its last step."}


def list_(limit: int, before: str | None) -> tuple[list[Manifest], str | None]:
    """Return a page of manifests, newest first, and the id after which the next page begins."""
    ids = sorted((key[len(_FOLDER) : -len(".json")] for key in backup_bucket.keys(_FOLDER)), reverse=True)
    rest = [each for each in ids if before is None or each < before]
    page = rest[:limit]
    return [get(each) for each in page], page[-1] if len(rest) > limit else None


def table_key(backup_id: str, title: str) -> str:
    return f"tables/{backup_id}/{title}.gz"


def database_of(restore_id: str) -> str:
    """Return the name of the database that a restore makes."""
    return f"showrunner_restore_{restore_id.replace('-', '')}"


def moment_of(database: str) -> str:
    """Return when the restore began that made this database: the time in its name, in ISO 8601."""
    milliseconds = int(database.removeprefix("showrunner_restore_")[:12], 16)
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat()


def begin_restore(document: Manifest) -> str:
    """Record that a restore begins, and return its id. Raises Conflict if it can't be restored now."""
    if document["status"] != "complete":
        raise Conflict("This backup is not complete: choose another one.")
    if (document.get("restore") or {}).get("status") == "running":
        raise Conflict("This backup is being restored: GET /api/v1/backups shows how it ends.")
    restore_id = new_id()
    started = {"id": restore_id, "status": "running", "database": database_of(restore_id)}
    save({**document, "restore": {**started, "started_at": now()}})
    return restore_id

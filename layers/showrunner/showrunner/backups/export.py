"""Steps of a backup: begin, export (as often as it needs), seal.

An invocation exports tables from one snapshot until its time is over; the next goes on with the rest. Each
table is streamed through gzip into a temporary file and from there to S3, so memory stays small.
"""

import contextlib
import gzip
import hashlib
import tempfile
import time
from datetime import timedelta
from typing import Any

from showrunner.aws import backup_bucket
from showrunner.backups import manifest
from showrunner.database import db, owner
from showrunner.errors import Conflict, DatabaseUnavailable
from showrunner.store import backups
from showrunner.telemetry import logger

# The function has 900 s: this leaves five minutes for the table that has been started.
RUN_SECONDS = 600
# After this long the manifest is stored, so that an invocation that ends early has not worked in vain.
SAVE_SECONDS = 30
# A restored copy costs storage and holds personal data: long enough to compare and to take rows from it.
COPY_DAYS = 7
# The fastest level: a table of text becomes a fifth, and the time goes into reading it anyway.
_LEVEL = 1

State = dict[str, Any]


def begin(state: State) -> State:
    """Store an empty manifest, and delete old copies that restores have made."""
    backup_id = state.get("id") or manifest.new_id()
    with owner.session() as tx:
        _drop_old_copies(tx)
        manifest.create(backup_id, state["kind"], backups.list_migrations(tx))
    return {**state, "id": backup_id, "do": "work", "step": "export"}


def _drop_old_copies(tx: db.Session) -> None:
    oldest = f"showrunner_restore_{manifest.time_bits(timedelta(days=COPY_DAYS)):012x}"
    for name in backups.list_copies(tx):
        if name < oldest:
            with contextlib.suppress(Conflict, DatabaseUnavailable):  # in use: the next backup tries again
                backups.drop_copy(tx, name)
                logger.info("an old copy is deleted", extra={"database": name})


def export(state: State) -> State:
    """Export tables that are missing, all from one snapshot, until the time is over."""
    document = manifest.get(state["id"])
    until = time.monotonic() + RUN_SECONDS
    with owner.session() as tx, owner.transaction(tx, "ISOLATION LEVEL REPEATABLE READ, READ ONLY"):
        tables = backups.list_tables(tx)
        document["snapshots"].append(manifest.now())
        # Of the newest snapshot: a sequence may be ahead of the rows, never behind.
        document["sequences"] = backups.list_sequences(tx)
        saved_at = time.monotonic()
        for table in [each for each in tables if each.title not in document["tables"]]:
            document["tables"][table.title] = _export(tx, document, table)
            if time.monotonic() > until:
                break
            if time.monotonic() - saved_at > SAVE_SECONDS:
                manifest.save(document)
                saved_at = time.monotonic()
    manifest.save(document)
    is_complete = all(table.title in document["tables"] for table in tables)
    return {**state, "do": "work", "step": "seal" if is_complete else "export"}


def _export(tx: db.Transaction, document: manifest.Manifest, table: backups.Table) -> dict[str, Any]:
    rows, checksum = backups.count(tx, table)
    with tempfile.TemporaryFile() as file:
        with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_LEVEL, mtime=0) as packed:
            backups.copy_out(tx, table, packed)
        size = file.tell()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()
        backup_bucket.put_file(manifest.table_key(document["id"], table.title), file, digest)
    return {
        **table._asdict(),
        "rows": rows,
        "checksum": checksum,
        "bytes": size,
        "sha256": digest.hex(),
        "snapshot": len(document["snapshots"]) - 1,
    }


def seal(state: State) -> State:
    """Mark the backup as complete. Its checksum is that of all its tables' digests, in order."""
    document = manifest.get(state["id"])
    tables = document["tables"].values()
    digests = "".join(f"{name} {table['sha256']}\n" for name, table in sorted(document["tables"].items()))
    manifest.save(
        {
            **document,
            "status": "complete",
            "finished_at": manifest.now(),
            "rows": sum(table["rows"] for table in tables),
            "bytes": sum(table["bytes"] for table in tables),
            "sha256": hashlib.sha256(digests.encode()).hexdigest(),
        }
    )
    logger.info("backed up", extra={"backup": state["id"], "tables": len(tables)})
    return {**state, "do": "done"}


def fail(state: State) -> State:
    """Record that the backup failed, if it had begun."""
    if "id" in state:
        document = manifest.get(state["id"])
        error = str(state.get("error", ""))
        manifest.save({**document, "status": "failed", "finished_at": manifest.now(), "error": error})
    return {**state, "do": "done"}

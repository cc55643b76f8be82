"""Steps of a restore: prepare, load (as often as it needs), finish.

A backup is restored into a new database beside the stage's own, compared table by table, and freed of what
was deleted on request since. The stage goes on with its own database meanwhile.
"""

import gzip
import hashlib
import io
import time
from typing import Any

from showrunner.aws import backup_bucket
from showrunner.backups import manifest
from showrunner.backups.deletions import repeat
from showrunner.backups.export import RUN_SECONDS, State
from showrunner.database import db, owner
from showrunner.errors import Conflict
from showrunner.store import backups
from showrunner.telemetry import logger

# How many differences a manifest names. One is enough to distrust the copy.
DIFFERENCES = 20


def prepare(state: State) -> State:
    """Say which database the migrate function has to create, and with which migrations."""
    document = manifest.get(state["id"])
    return {
        **state,
        "do": "database",
        "step": "load",
        "database": manifest.database_of(state["restore_id"]),
        "migrations": document["migrations"],
    }


def load(state: State) -> State:
    """Fill tables that are missing in the copy until the time is over; each is compared as it is filled."""
    document = manifest.get(state["id"])
    until = time.monotonic() + RUN_SECONDS
    tables = {name: _table(known) for name, known in document["tables"].items()}
    with owner.session(state["database"]) as tx:
        with owner.transaction(tx):
            backups.make_ready(tx, list(tables.values()))
        there = backups.list_restored(tx)
        missing = [name for name in tables if name not in there]
        while missing and time.monotonic() < until:
            table = tables[missing.pop(0)]
            with owner.transaction(tx):
                _load(tx, document, table)
                backups.add_restored(tx, table, *backups.count(tx, table))
    return {**state, "do": "work", "step": "load" if missing else "finish"}


def _table(known: dict[str, Any]) -> backups.Table:
    return backups.Table(**{name: known[name] for name in backups.Table._fields})


class _Hashed(io.RawIOBase):
    """A stream of bytes that computes the SHA-256 of what is read from it."""

    def __init__(self, source: Any) -> None:
        self.source, self.digest = source, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self.source.read(len(buffer))
        self.digest.update(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def _load(tx: db.Transaction, document: manifest.Manifest, table: backups.Table) -> None:
    """Fill a table from its object. Raises Conflict if the object is not the one that was stored."""
    hashed = _Hashed(backup_bucket.read(manifest.table_key(document["id"], table.title)))
    with gzip.GzipFile(fileobj=io.BufferedReader(hashed, 1 << 18)) as rows:
        backups.copy_in(tx, table, rows)
    while hashed.readinto(bytearray(1 << 16)):
        pass
    if hashed.digest.hexdigest() != document["tables"][table.title]["sha256"]:
        raise Conflict(f"The stored {table.title} is not what the backup wrote: use another backup.")


def finish(state: State) -> State:
    """Complete the copy, erase in it what was deleted on request since, and store how it compares."""
    document = manifest.get(state["id"])
    with owner.session(state["database"]) as copy, owner.session() as live:
        differences = _differences(document, backups.list_restored(copy))
        deletions = backups.list_deletions(live, document["started_at"])
        with owner.transaction(copy):
            orphans = backups.remove_orphans(copy) if len(document["snapshots"]) > 1 else 0
            backups.finish(copy, document["sequences"])
        repeat(copy, deletions)
    outcome = {
        "status": "different" if differences else "identical",
        "finished_at": manifest.now(),
        "differences": differences[:DIFFERENCES],
        "orphans": orphans,
        "erased": len(deletions),
    }
    _save(state, outcome)
    logger.info("restored", extra={"backup": state["id"], "outcome": outcome["status"]})
    return {**state, "do": "done"}


def _differences(document: manifest.Manifest, there: dict[str, tuple[int, str]]) -> list[str]:
    found = []
    for name, known in document["tables"].items():
        rows, checksum = there[name]
        if rows != known["rows"]:
            found.append(f"{name} had {known['rows']} rows and has {rows}")
        elif checksum != known["checksum"]:
            found.append(f"{name} has other values in its {rows} rows")
    return found


def fail(state: State) -> State:
    """Record that the restore failed. Its database stays to look at until a backup deletes it."""
    error = str(state.get("error", ""))
    _save(state, {"status": "failed", "finished_at": manifest.now(), "error": error})
    return {**state, "do": "done"}


def _save(state: State, outcome: dict[str, Any]) -> None:
    document = manifest.get(state["id"])
    manifest.save({**document, "restore": {**document.get("restore", {}), **outcome}})

"""Deployment → the numbered SQL files that the database lacks are applied, each in a transaction, once."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pg8000.native import Connection

from showrunner import db
from showrunner.errors import Conflict
from showrunner.telemetry import entrypoint, logger

FOLDER = Path(__file__).parent / "sql"

# Any number that nothing else locks; whoever comes second waits for the first and then finds the work done.
LOCK = 7_206_611_407_211

# A migration may rewrite a table: it gets what the function has, less the time to say so. Nothing waits for a lock that long while users wait behind it.
STATEMENT_TIMEOUT_MS = 840_000
LOCK_TIMEOUT = "20s"

TABLE = """
CREATE TABLE IF NOT EXISTS public.migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


def files(folder: Path) -> list[tuple[int, str, str]]:
    """(number, name, SQL) in order; the numbers run from 1 without a gap, so that two branches can't both add the next one unseen."""
    found = [(int(path.name.split("_")[0]), path.stem, path.read_text(encoding="utf-8")) for path in sorted(folder.glob("[0-9]*.sql"))]
    numbers = [number for number, _, _ in found]
    if numbers != list(range(1, len(found) + 1)):
        raise Conflict(f"The migrations are numbered {numbers}, not 1 to {len(found)}: rename the last one.")
    return found


@contextmanager
def locked(connection: Connection) -> Iterator[None]:
    connection.run("SELECT pg_advisory_lock(:lock)", lock=LOCK)
    try:
        yield
    finally:
        connection.run("SELECT pg_advisory_unlock(:lock)", lock=LOCK)


def apply(connection: Connection, number: int, name: str, sql: str) -> None:
    connection.run("BEGIN")
    try:
        connection.run(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        connection.run(sql)
        connection.run("INSERT INTO public.migrations (number, name, sha256) VALUES (:number, :name, :sha256)", number=number, name=name, sha256=checksum(sql))
        connection.run("COMMIT")
    except BaseException:
        connection.run("ROLLBACK")
        raise


def checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def migrate(connection: Connection, folder: Path = FOLDER) -> list[str]:
    """The names of what was applied now. A file that changed after it was applied stops everything: its change belongs in a new file."""
    with locked(connection):
        connection.run(TABLE)
        known = dict(connection.run("SELECT number, sha256 FROM public.migrations"))
        applied = []
        for number, name, sql in files(folder):
            if number not in known:
                apply(connection, number, name, sql)
                applied.append(name)
            elif known[number] != checksum(sql):
                raise Conflict(f"Migration {name} was changed after it had been applied: restore it, and put the change into a new file.")
    return applied


@entrypoint
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    connection = db.connect(STATEMENT_TIMEOUT_MS, socket_timeout_s=None)
    try:
        applied = migrate(connection)
    finally:
        connection.close()
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied}

"""Deployment or `make admin` -> apply the SQL files that the database lacks, or make a platform admin.

The files are numbered. Each is applied once, in a transaction. Then the functions' role gets its password.
"""

import base64
import contextlib
import hashlib
import hmac
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pg8000.native import Connection, identifier

from showrunner import config
from showrunner.accounts import first_admin
from showrunner.aws import ssm
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest
from showrunner.telemetry import entrypoint, logger

FOLDER = Path(__file__).parent / "sql"

# Any number that nothing else locks; whoever comes second waits for the first and then finds the work done.
LOCK = 7_206_611_407_211

# A migration may rewrite a table: it gets what the function has, less the time to say so. Nothing waits for a
# lock that long while users wait behind it.
STATEMENT_TIMEOUT_MS = 840_000
LOCK_TIMEOUT = "20s"

# What the migrations grant to, and what PostgreSQL itself takes for a password.
GRANTED, SCRAM_ROUNDS = "showrunner_functions", 4096

TABLE = """
CREATE TABLE IF NOT EXISTS public.migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


def files(folder: Path) -> list[tuple[int, str, str]]:
    """Return (number, name, SQL) in order. Raises Conflict if two files have the same number.

    Gaps are allowed: a branch may have reserved a number.
    """
    found = [
        (int(path.name.split("_")[0]), path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("[0-9]*.sql"))
    ]
    numbers = [number for number, _, _ in found]
    if len(set(numbers)) != len(numbers):
        raise Conflict(f"The migrations are numbered {numbers}: rename the one whose number stands twice.")
    return found


@contextlib.contextmanager
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
        connection.run(
            "INSERT INTO public.migrations (number, name, sha256) VALUES (:number, :name, :sha256)",
            number=number,
            name=name,
            sha256=checksum(sql),
        )
        connection.run("COMMIT")
    except BaseException:
        connection.run("ROLLBACK")
        raise


def checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()


def migrate(connection: Connection, folder: Path = FOLDER) -> list[str]:
    """Apply the files that are missing and return their names.

    Raises Conflict for a file that changed after it was applied: the change belongs in a new file.
    """
    with locked(connection):
        connection.run(TABLE)
        known = dict(connection.run("SELECT number, sha256 FROM public.migrations"))
        applied = []
        for number, name, sql in files(folder):
            if number not in known:
                apply(connection, number, name, sql)
                applied.append(name)
            elif known[number] != checksum(sql):
                raise Conflict(
                    f"Migration {name} was changed after it had been applied: "
                    "restore it, and put the change into a new file."
                )
    return applied


def admit_functions(connection: Connection) -> None:
    """Create or update the role that the functions log in as, with the password that SSM has now.

    It is a member of the role that the migrations grant to.
    """
    name, password = config.setting("DATABASE_USER"), ssm.secret("database/password")
    role = identifier(name)
    with locked(connection):
        if not connection.run("SELECT 1 FROM pg_roles WHERE rolname = :name", name=name):
            connection.run(f"CREATE ROLE {role}")
        connection.run(f"ALTER ROLE {role} LOGIN PASSWORD '{verifier(password, os.urandom(16))}'")
        connection.run(f"GRANT {GRANTED} TO {role}")


def verifier(password: str, salt: bytes) -> str:
    """Return the SCRAM verifier of a password (RFC 5803), so that no statement or log holds the password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    parts = [
        base64.b64encode(part).decode()
        for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))
    ]
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"


def connect() -> Connection:
    """Connect as the owner of all tables. Other functions connect as a role with fewer rights."""
    owner = config.setting("DATABASE_OWNER"), ssm.secret("database/owner_password")
    return db.connect(STATEMENT_TIMEOUT_MS, socket_timeout_s=None, role=owner)


@contextlib.contextmanager
def owner_transaction() -> Iterator[db.Transaction]:
    """Open one transaction as the owner, for the functions of the stores."""
    session = db.Session()
    session.connection = connect()
    session.command("BEGIN")
    session.depth = 1  # a lost connection ends the work: nothing of it is repeated alone
    try:
        yield session
        session.command("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):
            session.command("ROLLBACK")
        raise
    finally:
        session.drop()


@entrypoint
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """`{}` migrates; `{"command": "admin", "email", "organisation", "by"}` makes a platform admin.

    Whoever may invoke this function may do both.
    """
    if event.get("command") == "admin":
        with owner_transaction() as tx:
            return first_admin.make_admin(tx, event)
    if event:
        raise InvalidRequest("The event is {} or a command that this function knows (admin).")
    with contextlib.closing(connect()) as connection:
        applied = migrate(connection)
        admit_functions(connection)
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied}

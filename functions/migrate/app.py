"""Deployment, `make admin`, restore, `make switch`, rotation -> migrated database, admin, copy, new login.

The files are numbered. Each is applied once, in a transaction. Then the functions' role gets its password. A
rotation of that password admits the other role's new one, and later ends the old one.
"""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pg8000.native import Connection, DatabaseError, identifier

from showrunner.accounts import first_admin
from showrunner.aws import ssm
from showrunner.backups import deletions, switching
from showrunner.database import db, logins
from showrunner.database.owner import connect, session, transaction
from showrunner.errors import Conflict, CredentialRejected, InvalidRequest
from showrunner.store import roles
from showrunner.telemetry import entrypoint, logger

FOLDER = Path(__file__).parent / "sql"

# Any number that nothing else locks; whoever comes second waits for the first and then finds the work done.
LOCK = 7_206_611_407_211

# Nothing waits for a lock as long as a statement may take while users wait behind it.
LOCK_TIMEOUT = "20s"

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


def migrate(connection: Connection, folder: Path = FOLDER, numbers: set[int] | None = None) -> list[str]:
    """Apply the files that are missing and return their names. `numbers`: only these, instead of all.

    Raises Conflict for a file that changed after it was applied: the change belongs in a new file.
    """
    wanted = [file for file in files(folder) if numbers is None or file[0] in numbers]
    if numbers is not None and len(wanted) < len(numbers):
        raise Conflict(
            "This release lacks migrations of the backup: restore it with the release that made it."
        )
    with locked(connection):
        connection.run(TABLE)
        known = dict(connection.run("SELECT number, sha256 FROM public.migrations"))
        applied = []
        for number, name, sql in wanted:
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
    """Create or update the role that the functions log in as, with the password that SSM has now."""
    with locked(connection):
        roles.admit(connection, *logins.read(ssm.secret("database/password")))


def admit_candidate(connection: Connection) -> None:
    """Give the next role of the functions its new password, and try it. Raises CredentialRejected."""
    user, password = logins.read(ssm.secret("candidates/database/password"))
    with locked(connection):
        roles.admit(connection, user, password)
    try:
        db.connect(role=(user, password)).close()
    except DatabaseError as error:
        raise CredentialRejected("The database refuses the new login: the old one stays in use.") from error


def end_logins(connection: Connection) -> None:
    """Let no role of the functions log in that no version of the secret names. Open sessions stay."""
    known = [
        *(ssm.secret("database/password"), ssm.secret("previous/database/password", "")),
        ssm.secret("candidates/database/password", ""),
    ]
    with locked(connection):
        roles.end_others(connection, {logins.read(secret)[0] for secret in known if secret})


def make_copy(database: str, numbers: list[int]) -> dict[str, Any]:
    """Create an empty database for a restore, with the migrations of these numbers. Can be repeated.

    Raises InvalidRequest for a name that a restore doesn't use, Conflict if a migration is missing here.
    """
    switching.require_copy(database)
    with contextlib.closing(connect()) as connection, locked(connection):
        if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=database):
            connection.run(f"CREATE DATABASE {identifier(database)}")
    with contextlib.closing(connect(database)) as connection:
        return {"database": database, "applied": migrate(connection, numbers=set(numbers))}


def change_logins(event: dict[str, Any]) -> dict[str, Any]:
    """Do the rotation's part in the database, and return the machine's next action."""
    ssm.forget()  # a rotation has just written the versions
    with contextlib.closing(connect()) as connection:
        if event["command"] == "admit_login":
            admit_candidate(connection)
        else:
            end_logins(connection)
    if event.get("step"):
        return {"do": "work", "step": event["step"]}
    return {"do": "record", "outcome": event["outcome"]}


@entrypoint
def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """`{}` migrates; `{"command": "admin", "email", "organisation", "by"}` makes a platform admin.

    `{"command": "copy", "database", "migrations"}` creates an empty database for a restore; `deletions`
    (`since`) and `delete` (`deletions`) keep what people deleted deleted after one. `switch` (`database`,
    `by`) puts a restored copy in place of the stage's database. `admit_login` and `end_logins` are commands
    of the rotation machine and answer with its next action. Whoever may invoke this function may do it all.
    """
    command = event.get("command")
    if command == "admin":
        with session() as opened, transaction(opened) as tx:
            return first_admin.make_admin(tx, event)
    if command == "copy":
        return make_copy(event["database"], event["migrations"])
    if command == "deletions":
        return deletions.list_since(event["since"])
    if command == "delete":
        return deletions.repeat_in_stage(event["deletions"])
    if command == "switch":
        return switching.switch(event["database"], event["by"], migrate)
    if command in ("admit_login", "end_logins"):
        return change_logins(event)
    if event:
        known = "admin, copy, deletions, delete, switch, admit_login, end_logins"
        raise InvalidRequest(f"The event is {{}} or a command that this function knows ({known}).")
    with contextlib.closing(connect()) as connection:
        applied = migrate(connection)
        admit_functions(connection)
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied}

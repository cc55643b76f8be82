"""Connections as the owner of all tables, for migrations and backups. Other functions have fewer rights."""

import contextlib
from collections.abc import Iterator

from pg8000.native import Connection

from showrunner import config
from showrunner.aws import ssm
from showrunner.database import db

# A migration may rewrite a table: a statement gets what the function has (900 s), less the time to say so.
STATEMENT_TIMEOUT_MS = 840_000
# A backup uploads a table while its transaction is open, so that all tables are of one moment.
_IDLE_IN_TRANSACTION = "SET idle_in_transaction_session_timeout = '600s'"


def connect(database: str | None = None) -> Connection:
    """Connect as the owner to the stage's database, or to another one of the same server."""
    role = config.setting("DATABASE_OWNER"), ssm.secret("database/owner_password")
    return db.connect(STATEMENT_TIMEOUT_MS, socket_timeout_s=None, role=role, database=database)


@contextlib.contextmanager
def session(database: str | None = None) -> Iterator[db.Session]:
    """Open a session as the owner, for the functions of the stores, and close it at the end.

    A connection that is lost ends the work: nothing is repeated alone.
    """
    opened = db.Session()
    opened.connection = connect(database)
    opened.depth = 1
    opened.command(_IDLE_IN_TRANSACTION)
    try:
        yield opened
    finally:
        opened.drop()


@contextlib.contextmanager
def transaction(tx: db.Session, characteristics: str = "") -> Iterator[db.Transaction]:
    """Run the block in one transaction of this session. `characteristics`: words of SQL after BEGIN."""
    tx.command(f"BEGIN {characteristics}".strip())
    try:
        yield tx
        tx.command("COMMIT")
    except BaseException:
        with contextlib.suppress(Exception):
            tx.command("ROLLBACK")
        raise

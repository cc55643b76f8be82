"""PostgreSQL through pg8000: one connection per environment (in tests per thread), prepared statements.

    with db.transaction() as tx:
        video = db.one(tx, "SELECT … WHERE id = :id", id=video_id)

Pass a Python list for `= ANY(:ids)` and `json.dumps(…)` for a jsonb column.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pg8000.native import Connection, DatabaseError, InterfaceError, PreparedStatement

from showrunner import config
from showrunner.aws import ssm
from showrunner.database import logins
from showrunner.errors import Conflict, DatabaseUnavailable, InvalidRequest, ShowrunnerError

if TYPE_CHECKING:
    import ssl

# API Gateway gives up after 30 s, and a request needs time for more than one statement.
STATEMENT_TIMEOUT_MS = 10_000
# A frozen environment inside a transaction would hold its locks until it thaws.
IDLE_IN_TRANSACTION_MS = 15_000
# Aurora pauses after 300 s without a connection, at the earliest: idle sessions must end before that.
IDLE_SESSION_MS = 240_000
# A paused Aurora accepts a connection and answers when it has resumed: after about 15 s, later if it was
# paused for more than a day. API Gateway gives up after 29 s, and the rest of the request needs time too.
WAKE_SECONDS = 22.0
# Pause before connecting again to a server that is starting up and refuses connections.
WAKE_PAUSE_SECONDS = 0.5
# The socket waits longer than the server's own limit, so that the server's error arrives.
SOCKET_TIMEOUT_S = 12

# Name of a constraint -> error for the caller. Stores add theirs beside the SQL that can violate them.
CONSTRAINTS: dict[str, tuple[type[ShowrunnerError], str]] = {}

# SQLSTATEs with which the server ends a session.
_ENDED = ("57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "08")
# SQLSTATEs of errors that may not occur again when the call is repeated.
_TRANSIENT = ("40001", "40P01", "55P03", "57014", "53")
# "The database system is starting up", and "database is not currently accepting connections", while a copy is
# put in its place.
_NOT_YET = ("57P03", "55000")
# A wrong password, and a role that may not log in any more.
_REFUSED = ("28P01", "28000")
_LOST = (InterfaceError, OSError, struct.error, AttributeError)


class Session:
    """A thread's connection, its prepared statements, and the depth of nested transactions.

    It is the `tx` of the stores.
    """

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.statements: dict[str, tuple[PreparedStatement, list[str]]] = {}
        self.depth = 0

    def open(self) -> Connection:
        """Return the connection, opened if necessary."""
        if self.connection is None:
            self.connection = connect()
        return self.connection

    def drop(self) -> None:
        """Forget the connection; the next statement opens another."""
        connection, self.connection = self.connection, None
        self.statements.clear()
        if connection is not None:
            try:
                connection.close()
            except (*_LOST, DatabaseError):
                pass  # it was lost already

    def execute(
        self, sql: str, params: dict[str, Any]
    ) -> tuple[list[str], PreparedStatement, list[list[Any]]]:
        """Run a prepared statement.

        If the session was lost outside a transaction, run it once more in a new session.
        """
        try:
            return self._execute(sql, params)
        except DatabaseError as error:
            translated = translate(error)
            if not self._is_repeatable(error):
                raise translated from error
        except _LOST as error:
            if "placeholder" in str(error):
                raise
            self.drop()
            if self.depth:
                raise DatabaseUnavailable("The connection to the database was lost: try again.") from error
        try:
            return self._execute(sql, params)
        except DatabaseError as error:
            raise translate(error) from error
        except _LOST as error:
            self.drop()
            raise DatabaseUnavailable("The database doesn't answer: try again.") from error

    def _execute(
        self, sql: str, params: dict[str, Any]
    ) -> tuple[list[str], PreparedStatement, list[list[Any]]]:
        known = self.statements.get(sql)
        if known is None:
            statement = self.open().prepare(sql)
            known = self.statements[sql] = statement, [column["name"] for column in statement.cols or ()]
        statement, columns = known
        return columns, statement, statement.run(**params) or []

    def _is_repeatable(self, error: DatabaseError) -> bool:
        """Drop a session that has ended or has stale plans (0A000, after a migration).

        Returns True if no transaction was open in it: then the statement can be repeated.
        """
        code = _fields(error).get("C", "")
        if code.startswith(_ENDED) or code == "0A000":
            self.drop()
            return self.depth == 0
        return False

    def command(self, sql: str) -> None:
        """Run BEGIN, COMMIT, SAVEPOINT and the like, by the simple protocol."""
        try:
            self.open().execute_simple(sql)
        except DatabaseError as error:
            if _fields(error).get("C", "").startswith(_ENDED):
                self.drop()
            raise translate(error) from error
        except _LOST as error:
            self.drop()
            raise DatabaseUnavailable("The connection to the database was lost: try again.") from error

    def begin(self) -> None:
        """Begin a transaction, in a new session if the server has ended this one."""
        was_open = self.connection is not None
        try:
            self.command("BEGIN")
        except DatabaseUnavailable:
            if not was_open:
                raise  # connecting has waited for the server already
            # The server has ended the session since the last request.
            self.drop()
            self.command("BEGIN")


type Transaction = Session

_threads = threading.local()


def session() -> Session:
    """Return this thread's session."""
    try:
        return _threads.session  # type: ignore[no-any-return]
    except AttributeError:
        _threads.session = Session()
        return _threads.session  # type: ignore[no-any-return]


class transaction:  # noqa: N801 - used like a function
    """Transaction: `with db.transaction() as tx:` commits at the end and rolls back on an exception.

    Inside another transaction it is a SAVEPOINT.
    """

    __slots__ = ("session",)

    def __enter__(self) -> Session:
        self.session = session()
        if self.session.depth:
            self.session.command(f"SAVEPOINT s{self.session.depth}")
        else:
            self.session.begin()
        self.session.depth += 1
        return self.session

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.depth -= 1
        depth = self.session.depth
        if self.session.connection is None:
            return  # the connection was lost: the server has rolled back, and that error is being raised
        if kind is None:
            self.session.command(f"RELEASE s{depth}" if depth else "COMMIT")
        else:
            self._undo(depth)

    def _undo(self, depth: int) -> None:
        try:
            self.session.command(f"ROLLBACK TO s{depth}" if depth else "ROLLBACK")
        except DatabaseUnavailable:
            self.session.drop()  # the first error is the one to raise


class reading:  # noqa: N801 - used like a function
    """Reads without a transaction: `with db.reading() as tx:` saves the round trips of BEGIN and COMMIT.

    Each statement sees the data of its own time.
    """

    __slots__ = ()

    def __enter__(self) -> Session:
        return session()

    def __exit__(self, *_: object) -> None: ...


def one(tx: Transaction, sql: str, **params: Any) -> dict[str, Any] | None:
    """Return the first row by column name, None if there is none."""
    columns, _, rows_ = tx.execute(sql, params)
    return dict(zip(columns, rows_[0], strict=True)) if rows_ else None


def rows(tx: Transaction, sql: str, **params: Any) -> list[dict[str, Any]]:
    """Return all rows by column name."""
    columns, _, rows_ = tx.execute(sql, params)
    return [dict(zip(columns, row, strict=True)) for row in rows_]


def value(tx: Transaction, sql: str, **params: Any) -> Any:
    """Return the first column of the first row, None if there is none."""
    _, _, rows_ = tx.execute(sql, params)
    return rows_[0][0] if rows_ else None


def run(tx: Transaction, sql: str, **params: Any) -> int:
    """Run a statement and return how many rows it changed."""
    _, statement, _ = tx.execute(sql, params)
    # pg8000 has no public row count of a prepared statement.
    return int(statement._context.row_count)  # noqa: SLF001


def copy(tx: Transaction, sql: str, stream: Any) -> None:
    """Run COPY: from the server into `stream.write`, or to it from `stream`, which is read in parts."""
    try:
        tx.open().run(sql, stream=stream)
    except DatabaseError as error:
        raise translate(error) from error
    except _LOST as error:
        tx.drop()
        raise DatabaseUnavailable("The connection to the database was lost: try again.") from error


def copy_in(tx: Transaction, sql: str, blocks: Iterable[bytes]) -> int:
    """Run COPY … FROM STDIN with these blocks of bytes and return how many rows came in.

    What `blocks` raises is raised here; the caller's transaction must then be rolled back.
    """
    faults: list[Exception] = []

    def until_fault() -> Iterator[bytes]:
        # An exception inside the driver would leave the connection in the middle of the COPY.
        try:
            yield from blocks
        except Exception as error:  # noqa: BLE001 - raised again below
            faults.append(error)

    copy(tx, sql, until_fault())
    if faults:
        raise faults[0]
    return int(tx.open().row_count)


@contextlib.contextmanager
def long_statements(tx: Transaction, seconds: int) -> Iterator[None]:
    """Let the statements of this transaction run for `seconds`; those of requests end much earlier."""
    socket_ = tx.open()._usock  # noqa: SLF001 - pg8000 can't change the timeout after connecting
    tx.command(f"SET LOCAL statement_timeout = {seconds * 1000}")
    tx.command(f"SET LOCAL idle_in_transaction_session_timeout = {seconds * 1000}")
    socket_.settimeout(seconds)
    try:
        yield
    finally:
        socket_.settimeout(SOCKET_TIMEOUT_S)


def connect(
    statement_timeout_ms: int = STATEMENT_TIMEOUT_MS,
    socket_timeout_s: float | None = SOCKET_TIMEOUT_S,
    role: tuple[str, str] | None = None,
    database: str | None = None,
) -> Connection:
    """Open a connection as the functions' role, or as `role` (name and password).

    `database`: another one of the same server than DATABASE_NAME.

    Waits up to WAKE_SECONDS for a database that is resuming, starting or being replaced by a copy. A login
    that was replaced while it was in the cache is read once more. The certificate is verified against
    DATABASE_CA, unless that is "none": a server on loopback has no TLS. Raises DatabaseUnavailable.
    """
    deadline = time.monotonic() + WAKE_SECONDS
    reread = role is None
    while True:
        try:
            left_s = max(0.1, deadline - time.monotonic())
            connection = _connect(statement_timeout_ms, left_s, role, database)
            # From here on the timeout is that of a statement, which pg8000 can't set after connecting.
            connection._usock.settimeout(socket_timeout_s)  # noqa: SLF001
            return connection
        except (InterfaceError, OSError) as error:
            raise DatabaseUnavailable("The database can't be reached: try again.") from error
        except DatabaseError as error:
            code = _fields(error).get("C")
            if code in _REFUSED and reread:
                reread = False
                ssm.refused()
                continue
            if code not in _NOT_YET:
                raise translate(error) from error
            if time.monotonic() + WAKE_PAUSE_SECONDS >= deadline:
                raise DatabaseUnavailable("The database is busy or restarting: try again.") from error
            time.sleep(WAKE_PAUSE_SECONDS)


def _connect(
    statement_timeout_ms: int, timeout_s: float, role: tuple[str, str] | None, database: str | None
) -> Connection:
    user, password = role or logins.read(ssm.secret("database/password"))
    settings = {
        "statement_timeout": statement_timeout_ms,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_MS,
        "idle_session_timeout": IDLE_SESSION_MS,
        "timezone": "UTC",
    }
    connection = Connection(
        user,
        host=config.setting("DATABASE_HOST"),
        port=int(config.setting("DATABASE_PORT", "5432")),
        database=database or config.setting("DATABASE_NAME"),
        password=password,
        ssl_context=tls() or False,
        timeout=timeout_s,
        application_name=config.setting("AWS_LAMBDA_FUNCTION_NAME", "showrunner"),
        startup_params={"options": " ".join(f"-c {name}={value}" for name, value in settings.items())},
    )
    # A statement of more than 8 KB is sent in several writes: without this the second write waits 40 ms for
    # the server's acknowledgement of the first. pg8000 has no setting for it.
    connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # noqa: SLF001
    return connection


_context: "list[ssl.SSLContext]" = []


def tls() -> "ssl.SSLContext | None":
    """Return the TLS context with the CA of DATABASE_CA, None for a database without TLS.

    It is made once: pg8000's own default costs 24 ms a connection and verifies nothing.
    """
    path = config.setting("DATABASE_CA", "none")
    if path == "none":
        return None
    if not _context:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=path)
        _context.append(context)
    return _context[0]


def translate(error: DatabaseError) -> ShowrunnerError | DatabaseError:
    """Return our error for one of the server's, by constraint and SQLSTATE.

    An error that only a programming mistake can cause is returned unchanged.
    """
    fields = _fields(error)
    code, constraint = fields.get("C", ""), fields.get("n", "")
    if constraint in CONSTRAINTS:
        kind, message = CONSTRAINTS[constraint]
        return kind(message)
    if code in ("23505", "23P01"):
        return Conflict("It exists already.")
    if code == "23503":
        return Conflict("Something that it refers to is missing, or still refers to it.")
    if code in ("23514", "23502", "22001", "22003", "22021", "22P02", "22P05", "22007", "22008", "22009"):
        return InvalidRequest("A value is outside what the database accepts.")
    if code == "57014":
        return DatabaseUnavailable(
            "It took longer than a request may: narrow what you ask for, or try again."
        )
    if code.startswith((*_ENDED, *_TRANSIENT)):
        return DatabaseUnavailable("The database is busy or restarting: try again.")
    return error


def _fields(error: DatabaseError) -> dict[str, str]:
    fields = error.args[0] if error.args else {}
    return fields if isinstance(fields, dict) else {}


def close() -> None:
    """End this thread's connection."""
    session().drop()

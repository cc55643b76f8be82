"""The local processes of one home: their settings, parallel start, ordered stop."""

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from local import build, processes, setup
from local.processes import Server, Supervisor
from local.settings import HOME, PORTS, ROOT, Refused, address, local_environment, python_of

supervisor = Supervisor(HOME)


def servers() -> list[Server]:
    language, voice = (
        [] if os.environ.get(key) else [server]
        for key, server in (("OPENAI_API_KEY", _language()), ("ELEVENLABS_API_KEY", _voice()))
    )
    return [_postgres(), _engine(), _gateway(), _platforms(), *language, *voice]


def _postgres() -> Server:
    ready = lambda: processes.log_contains(supervisor.log_of("postgres"), "PostgreSQL listens")
    return _server("postgres", "local", ["POSTGRES_PORT"], ready)


def _engine() -> Server:
    return _server(
        "engine", "engine", ["ENGINE_PORT"], _answers(f"{address('ENGINE_PORT')}/_ministack/health")
    )


def _gateway() -> Server:
    # The health path is the gateway's own: /health on the Platform port belongs to the API behind it.
    return _server(
        "gateway",
        "local",
        ["PLATFORM_PORT", "INGESTION_PORT", "LIVE_PORT"],
        _answers(f"{address('PLATFORM_PORT')}/_gateway/health"),
    )


def _platforms() -> Server:
    ready = _answers(f"{address('PLATFORMS_PORT')}/health")
    return _drawing(_server("platforms", "local", ["PLATFORMS_PORT"], ready))


def _language() -> Server:
    ready = _answers(f"{address('LANGUAGE_PORT')}/health")
    return _drawing(_server("language", "models", ["LANGUAGE_PORT"], ready))


def _drawing(server: Server) -> Server:
    """Return a server that has clips or images drawn by the renderer's packages."""
    drawing = {"FOOTAGE_PYTHON": str(python_of("render"))}
    return dataclasses.replace(server, environment={**server.environment, **drawing})


def _voice() -> Server:
    return _server("voice", "models", ["VOICE_PORT"], _answers(f"{address('VOICE_PORT')}/health"))


def _answers(url: str) -> Callable[[], bool]:
    return lambda: processes.is_healthy(url)


def _server(name: str, group: str, port_names: list[str], ready: Callable[[], bool]) -> Server:
    return Server(
        name=name,
        command=(str(python_of(group)), "-m", f"local.{name}"),
        environment={**local_environment(), "PYTHONPATH": str(ROOT)},
        ports={port_name: PORTS[port_name] for port_name in port_names},
        ready=ready,
        version=_version(name, group),
    )


def _version(name: str, group: str) -> str:
    """Return a hash of a server's code, packages and ports. A change replaces the running server."""
    digest = hashlib.sha256(str(sorted(PORTS.items())).encode())
    folder = ROOT / "local" / name
    shared = [ROOT / "local" / "model_server.py", ROOT / "local" / "outcomes.py"]
    files = [
        *sorted(folder.rglob("*")),
        folder.with_suffix(".py"),
        *shared,
        ROOT / "local" / "lock" / f"{group}.txt",
    ]
    for file in files:
        if file.is_file() and file.suffix != ".pyc":
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def up() -> list[str]:
    """Start what is not running and wait for all of it. If one fails, stop those started here. Returns their
    names.
    """
    started_at = time.monotonic()
    all_servers = servers()
    refuse_shared_ports()
    with started(all_servers) as names:
        for server in all_servers:
            supervisor.wait(server)
        if names:
            print(f"Started {', '.join(names)} in {time.monotonic() - started_at:.1f} s.", flush=True)
        return names


def refuse_used_ports() -> None:
    """Raise Refused if another process has a port that the stack needs, or two settings name one port."""
    refuse_shared_ports()
    for server in servers():
        if supervisor.find(server.name) is None:
            processes.refuse_ports_in_use(server)


def refuse_shared_ports() -> None:
    by_port: dict[int, str] = {}
    for name, port in PORTS.items():
        if port in by_port:
            raise Refused(f"{by_port[port]} and {name} are both {port}; give one of them another port")
        by_port[port] = name


@contextlib.contextmanager
def deployed() -> Iterator[None]:
    """Start the stack, deploy the product to it, and run the block. The stack stays up afterwards, also if a
    video failed. What was started here is stopped on interruption.
    """
    # Imported here: stopping a stack needs neither boto3 nor the rest.
    from local import deploy

    with (
        setup.one_at_a_time(HOME / "run" / ".lock", "another start of this stack"),
        concurrent.futures.ThreadPoolExecutor(1) as pool,
    ):
        built = pool.submit(build.build)
        try:
            names = up()
        except BaseException:
            processes.stop_calls()
            raise
        with ended_by(names, BaseException):
            deploy.deploy(built.result())
    with ended_by(names, processes.Interrupted):
        yield


@contextlib.contextmanager
def ended_by(names: list[str], *reasons: type[BaseException]) -> Iterator[None]:
    try:
        yield
    except reasons:
        end(names)
        raise


@contextlib.contextmanager
def started(all_servers: list[Server]) -> Iterator[list[str]]:
    names: list[str] = []
    try:
        for server in all_servers:
            # Start one by one: those before a failure are then known and can be stopped.
            names += [server.name] if supervisor.start(server) else []
        yield names
    except BaseException:
        end(names)
        raise


def end(names: list[str]) -> list[str]:
    """Stop the named servers, the database last since the others write to it. Returns the names of those that
    ran.
    """
    others = [name for name in names if name != "postgres"]
    with concurrent.futures.ThreadPoolExecutor(max(1, len(others))) as pool:
        ended = [name for name, ran in zip(others, pool.map(supervisor.stop, others), strict=True) if ran]
    return ended + [name for name in names if name == "postgres" and supervisor.stop(name)]


def down() -> list[str]:
    return end(supervisor.names())


def logs() -> Path:
    return supervisor.folder / "logs"


def ended() -> str:
    """Return a sentence that names the servers that have ended, with their logs. Empty if all of them run."""
    gone = [server.name for server in servers() if supervisor.find(server.name) is None]
    if not gone:
        return ""
    named = ", ".join(f"{name} (log: {supervisor.log_of(name)})" for name in gone)
    return f"these local servers have ended: {named}; make up starts them again"

"""What every test may ask for: a real PostgreSQL rolled back per test, AWS answered by moto over HTTP, events, and a caller of handlers."""

import contextlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

# Before anything of ours is imported: nothing in a test may reach the developer's own AWS account.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_SESSION_TOKEN="",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    STAGE="test",
    POWERTOOLS_METRICS_DISABLED="true",
    MEDIA_BUCKET="showrunner-media-test",
    EVENT_BUS_NAME="default",
    PLATFORM_URL="http://127.0.0.1:8000",
    PRODUCTION_MACHINE_ARN="arn:aws:states:us-east-1:123456789012:stateMachine:production",
)
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "SHOWRUNNER_HOME"):
    os.environ.pop(_name, None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(aws: str) -> Iterator[Any]:
    """A server of this test process alone, thrown away at its end: parallel workers and other runs don't meet."""
    from functions.migrate.app import migrate
    from local import postgres as server
    from showrunner import config, db

    home = ROOT / ".local" / "test" / f"postgres-{os.getpid()}"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with server.server(home, free_port(), throwaway=True) as running:
            os.environ.update(running.environment)
            config.aws("ssm").put_parameter(Name="/showrunner/test/database/password", Value=running.password, Type="SecureString", Overwrite=True)
            with contextlib.closing(db.connect()) as connection:
                migrate(connection)
            yield running
            db.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def tx(postgres: Any) -> Iterator[Any]:
    """A transaction that the handlers under test join by savepoints, and that leaves nothing behind."""
    from showrunner import db

    class Undone(Exception):
        pass

    with contextlib.suppress(Undone), db.transaction() as transaction:
        yield transaction
        raise Undone


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """moto behind a real port, so that clients sign, send and parse as they do elsewhere. Holds the secrets that functions ask for."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
    from showrunner import config

    config.aws.cache_clear()
    config.forget_secrets()
    config.aws("s3").create_bucket(Bucket=os.environ["MEDIA_BUCKET"])
    yield os.environ["AWS_ENDPOINT_URL"]
    server.stop()


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    """`event("videos.get")` reads events/videos.get.json, so that a broken sample breaks a test."""

    def read(name: str) -> dict[str, Any]:
        return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    return read


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    """`call(0) … call(count - 1)` at the same time, each thread with a connection of its own; results in order, exceptions as values."""
    from showrunner import db

    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def work(number: int) -> None:
        gate.wait()
        try:
            results[number] = call(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[number] = error
        finally:
            db.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

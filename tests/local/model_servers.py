"""Starts a model server as its own process, as the launcher does, and ends it."""

import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".local" / "env" / "models" / "bin" / "python"
# Loading takes 1 to 4 s; on a machine that is busy with the rest of the suite, many times that.
START_S = 60


def process(module: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(PYTHON), "-m", module],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def running(module: str, variable: str, port: int, **environment: str) -> Iterator[str]:
    """The server's address, once it is healthy."""
    server = process(module, **{variable: str(port), **environment})
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(address, server)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(5)
        finally:
            server.kill()


def _wait(address: str, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert server.poll() is None, server.stdout.read() if server.stdout else ""
            time.sleep(0.1)
    raise AssertionError(f"{address} was not healthy within {START_S} s")

"""One attempt of a Batch job: its process, its output in CloudWatch Logs, and how it ended."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

from . import batch_supervisor
from .logs import LogStream, lines_of
from .settings import REGION, Settings

LOG_GROUP = "/aws/batch/job"
# All variables of this machine that a job may see; the rest of its environment is its own.
INHERITED = ("LANG", "LC_ALL", "LC_CTYPE")


@dataclass(frozen=True)
class Ending:
    exit_code: int
    timed_out: bool
    cannot_start: bool


class BatchProcess:
    def __init__(
        self, settings: Settings, command: Sequence[str], environment: dict[str, str], log: LogStream
    ) -> None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.mkdtemp(dir=settings.scratch, prefix="job-")
        self._log = log
        argv = [
            settings.batch_python if command and command[0] in ("python", "python3") else command[0],
            *command[1:],
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", batch_supervisor.__file__, str(settings.batch_stop_seconds), *argv],
            cwd=self._folder,
            env={**_clean_environment(settings, self._folder), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._output = threading.Thread(target=self._ship_output, daemon=True)
        self._output.start()

    def wait(self, timeout_seconds: float | None) -> Ending:
        timed_out = False
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            timed_out = True
            self.terminate()
            self._process.wait()
        # All output is in the pipe by now; only a process that left the group could keep it open.
        self._output.join(5)
        self._close_lifeline()
        shutil.rmtree(self._folder, ignore_errors=True)
        code = self._process.returncode
        return Ending(code if code >= 0 else 128 - code, timed_out, code == batch_supervisor.CANNOT_START)

    def terminate(self) -> None:
        """Send SIGTERM to the whole group, SIGKILL after the stop time."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()

    def _ship_output(self) -> None:
        for lines in lines_of(cast("BufferedReader", self._process.stdout)):
            self._log.write([line for line in lines if line])


def _clean_environment(settings: Settings, folder: str) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in INHERITED if name in os.environ},
        "PATH": os.pathsep.join(
            [str(Path(settings.batch_python).parent), "/usr/local/bin", "/usr/bin", "/bin"]
        ),
        "HOME": folder,
        "TMPDIR": folder,
        "PYTHONPATH": settings.batch_pythonpath,
        # Lines appear in the log at once, as from a container with a terminal.
        "PYTHONUNBUFFERED": "1",
        "AWS_ENDPOINT_URL": settings.endpoint,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }

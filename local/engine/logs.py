"""A CloudWatch Logs stream for functions and jobs to write to while they run."""

import contextvars
import time
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import ClassVar

from ministack.services import cloudwatch_logs

from .expected import expect

expect(cloudwatch_logs, "_create_log_group", "data")
expect(cloudwatch_logs, "_create_log_stream", "data")
expect(cloudwatch_logs, "_put_log_events", "data")
expect(cloudwatch_logs, "_log_groups")

# CloudWatch Logs accepts events of up to 1 MiB; longer lines are split.
EVENT_LIMIT_BYTES = 1024 * 1024 - 1024
# One PutLogEvents accepts 10,000 events.
BATCH_LIMIT_EVENTS = 10_000


def copy_to(folder: Path) -> None:
    """Write what functions and jobs log to files of this folder too, one file for each log group.

    Files of an earlier run are removed, as the launcher does with the logs of its processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.log"):
        file.unlink()
    LogStream.folder = folder


class LogStream:
    """A log stream.

    Any thread may write to it; it uses the account and region of the thread that opened it.
    """

    folder: ClassVar[Path | None] = None

    def __init__(self, group: str, stream: str) -> None:
        self.group, self.stream = group, stream
        self._context = contextvars.copy_context()
        self._call(self._create)

    def write(self, lines: Iterable[str]) -> None:
        lines = list(lines)
        if self.folder:
            with (self.folder / f"{self.group.strip('/').rpartition('/')[2]}.log").open("a") as file:
                file.writelines(f"{line}\n" for line in lines)
        now_ms = int(time.time() * 1000)
        events = [{"timestamp": now_ms, "message": piece} for line in lines for piece in _pieces(line)]
        for first in range(0, len(events), BATCH_LIMIT_EVENTS):
            self._call(self._put, events[first : first + BATCH_LIMIT_EVENTS])

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        # A copy, because two threads cannot enter one context at the same time.
        self._context.copy().run(function, *arguments)

    def _create(self) -> None:
        cloudwatch_logs._create_log_group({"logGroupName": self.group})
        cloudwatch_logs._create_log_stream({"logGroupName": self.group, "logStreamName": self.stream})

    def _put(self, events: list[dict[str, object]]) -> None:
        if self.stream not in cloudwatch_logs._log_groups.get(self.group, {}).get("streams", {}):
            self._create()  # the group was deleted with its stack
        cloudwatch_logs._put_log_events(
            {"logGroupName": self.group, "logStreamName": self.stream, "logEvents": events}
        )


def _pieces(line: str) -> Iterator[str]:
    characters = EVENT_LIMIT_BYTES // 4  # a character has at most four bytes
    for first in range(0, len(line), characters):
        yield line[first : first + characters]


def lines_of(pipe: BufferedReader) -> Iterator[list[str]]:
    """Yield what is written to the pipe as lists of complete lines, at once. A carriage return also ends a
    line, for progress bars.
    """
    rest = b""
    while chunk := pipe.read1(65536):
        *complete, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if len(rest) > EVENT_LIMIT_BYTES:
            complete, rest = [*complete, rest], b""
        yield [line.decode("utf-8", "replace") for line in complete]
    if rest:
        yield [rest.decode("utf-8", "replace")]

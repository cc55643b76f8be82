"""Tell Live clients how far the loading of a report is, from a thread beside the one that loads."""

import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from showrunner.aws import events, rpc
from showrunner.errors import ServiceUnavailable
from showrunner.models import ReportProgressed
from showrunner.reports.rows import Rows
from showrunner.telemetry import logger

# Often enough for a person who watches; a small report has ended before the first.
EVERY_SECONDS = 2.0


class Progress:
    """Says every two seconds how many rows of a report were read, and what happens when all were.

    An event that can't be sent is left out: nothing depends on it. The thread ends with the block.
    """

    def __init__(self, report_id: str, organisation_id: str) -> None:
        self._report_id, self._organisation_id = report_id, organisation_id
        self._reading: tuple[Rows, str, float, float] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def watch(self, reader: Rows, then: str, after: float = 0.0, until: float = 1.0) -> None:
        """Report on this reading, which is the part of the work from `after` to `until`.

        `then`: a sentence about what is done with the rows when all were read, until the next reading.
        """
        self._reading = reader, then, after, until

    def end(self) -> None:
        """Say no more: an event in the middle of being sent must not come after the one of the end."""
        self._ended.set()
        self._thread.join()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_SECONDS):
            if self._reading is not None:
                self._tell(*self._reading)

    def _tell(self, reader: Rows, then: str, after: float, until: float) -> None:
        rows, share = reader.counts.rows, reader.read_share
        at = datetime.now(UTC).isoformat()
        event = ReportProgressed(
            f"{self._report_id}:loading:{at}",
            self._report_id,
            self._organisation_id,
            "loading",
            min(99, int(100 * (after + (until - after) * share))),
            rows,
            f"{rows:,} rows were read. {then}" if share == 1 else f"{rows:,} rows were read.",
            at,
        )
        try:
            events.put([event])
        except (ServiceUnavailable, rpc.AwsError) as error:
            logger.warning("the progress could not be sent", extra={"reason": error.message})

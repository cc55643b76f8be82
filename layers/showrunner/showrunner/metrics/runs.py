"""Store a figure that doesn't change once: as a run, with the times of its first and last observation.

A figure may arrive twice or late, as when a day is loaded again from the archive; the runs stay the same.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

# A longer silence begins a new run, so that the gap stays visible. Daily figures may come half a day late.
MOST_SILENCE = timedelta(hours=36)


class Run(NamedTuple):
    """The same value, observed first at `at` and last at `last_at` (UTC). `at` identifies the run."""

    at: datetime
    last_at: datetime
    value: int
    definition: int


def observe(before: Run | None, at: datetime, value: int, definition: int) -> list[Run]:
    """Return the runs to write for a value observed at `at`; one with the same `at` is replaced.

    `before` is the run that began at `at` or last before it, None without one. A run ends with its month,
    because each month has a partition of its own.
    """
    if before is None or at > before.last_at:
        return [_extended(before, at, value, definition) or Run(at, at, value, definition)]
    if (before.value, before.definition) == (value, definition) or at in (before.at, before.last_at):
        return []
    # A late figure shows that the run had an interruption. Only its ends are known to have been observed.
    first = before._replace(last_at=before.at)
    return [first, Run(at, at, value, definition), before._replace(at=before.last_at)]


def _extended(before: Run | None, at: datetime, value: int, definition: int) -> Run | None:
    """Return the run with a new end, None if the value begins another one."""
    if (
        before is None
        or (before.value, before.definition) != (value, definition)
        or at - before.last_at > MOST_SILENCE
        or (before.at.year, before.at.month) != (at.year, at.month)
    ):
        return None
    return before._replace(last_at=at)

"""Read limits.toml, and count calls in rolling windows and in days."""

import math
import threading
import time
import tomllib
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from local.platforms import clock


def of(platform: str) -> dict[str, Any]:
    """Return the numbers of a platform."""
    return dict(tomllib.loads((Path(__file__).parent / "limits.toml").read_text(encoding="utf-8"))[platform])


class Renewal:
    """Counts that begin again with each day, or month, of a zone, while the totals go on.

    `length` is that of an ISO date that names the time: 10 for a day, 7 for a month.
    """

    def __init__(self, zone: str, length: int = 10) -> None:
        self._zone, self._length, self._time = ZoneInfo(zone), length, ""
        self._before: dict[str, int] = {}
        self._totals: dict[str, int] = {}

    def used(self, name: str, total: int) -> int:
        """Return how much of a total was used since the day, or month, has begun."""
        now = datetime.fromtimestamp(clock.now(), self._zone).isoformat()[: self._length]
        if self._time != now:
            # What was used by then; nothing before the first look.
            self._before = dict(self._totals) if self._time else {}
            self._time = now
        self._totals[name] = total
        return total - self._before.get(name, 0)


class Window:
    """A rolling window that allows `calls` in `seconds`. With `factor` its clock runs so many times as fast.

    `most` is the largest number of calls, refused ones too, that any window so far has held.
    """

    def __init__(self, calls: int, seconds: float, factor: float = 1.0) -> None:
        self.calls, self.seconds, self.factor = calls, seconds, factor
        self.refused, self.most = 0, 0
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def used(self) -> int:
        """Return how many calls the window holds now."""
        with self._lock:
            self._forget(time.monotonic() * self.factor)
            return len(self._times)

    def _forget(self, now: float) -> None:
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()

    def take(self) -> int:
        """Count a call. Returns 0, or the seconds until the next is allowed, which are at least 1."""
        with self._lock:
            now = time.monotonic() * self.factor
            self._forget(now)
            self.most = max(self.most, len(self._times) + 1)
            if len(self._times) < self.calls:
                self._times.append(now)
                return 0
            self.refused += 1
            return max(1, math.ceil(self._times[0] + self.seconds - now))

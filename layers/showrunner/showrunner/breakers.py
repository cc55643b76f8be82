"""Stop calling a platform that keeps failing for a short time (circuit breaker in the state table)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from showrunner.aws import dynamodb
from showrunner.errors import PlatformUnavailable

# After so many failures in a row the platform isn't called until the pause is over.
FAILURES = 5
PAUSE_SECONDS = 30


def check(platform: str, now: float | None = None) -> None:
    """Raise PlatformUnavailable while the platform's breaker is open."""
    at = time.time() if now is None else now
    found = dynamodb.find(f"breaker#{platform}", "state", at)
    if found and found["failures"] >= FAILURES:
        raise PlatformUnavailable(
            f"{platform} has failed {FAILURES} times in a row: try again in {PAUSE_SECONDS} seconds.",
            PAUSE_SECONDS,
        )


@contextmanager
def guard(platform: str) -> Iterator[None]:
    """Guard calls of a platform: refuse them while its breaker is open, and record how they end."""
    check(platform)
    try:
        yield
    except PlatformUnavailable:
        record(platform, answered=False)
        raise
    record(platform, answered=True)


def record(platform: str, *, answered: bool, now: float | None = None) -> None:
    """Record the end of a call: an answer closes the breaker, FAILURES failures in a row open it."""
    if answered:
        dynamodb.remove(f"breaker#{platform}", "state")
        return
    at = time.time() if now is None else now
    before = dynamodb.find(f"breaker#{platform}", "state", at)
    dynamodb.put(
        f"breaker#{platform}",
        "state",
        {"failures": (before["failures"] if before else 0) + 1},
        at + PAUSE_SECONDS,
    )

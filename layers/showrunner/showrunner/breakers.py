"""Stop calling a platform that keeps failing, for a short time (circuit breaker, shared through the state table)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from showrunner.aws import dynamodb
from showrunner.errors import PlatformUnavailable

# ------------------------------------------------------------------------------------------------ Breakers

# So many failures in a row, and nobody waits for the platform's timeout any more until the pause is over.
FAILURES = 5
PAUSE_SECONDS = 30


def check(platform: str, now: float | None = None) -> None:
    """Raises PlatformUnavailable while the platform is known to be down."""
    at = time.time() if now is None else now
    found = dynamodb.find(f"breaker#{platform}", "state", at)
    if found and found["failures"] >= FAILURES:
        raise PlatformUnavailable(
            f"{platform} has failed {FAILURES} times in a row: try again in {PAUSE_SECONDS} seconds.",
            PAUSE_SECONDS,
        )


@contextmanager
def guard(platform: str) -> Iterator[None]:
    """Calls of a platform whose caller waits: refused at once while it is known to be down, and counted."""
    check(platform)
    try:
        yield
    except PlatformUnavailable:
        record(platform, answered=False)
        raise
    record(platform, answered=True)


def record(platform: str, *, answered: bool, now: float | None = None) -> None:
    """Counts a failure; an answer closes the breaker.

    After the pause one failure more opens it again, because the count expires only then.
    """
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

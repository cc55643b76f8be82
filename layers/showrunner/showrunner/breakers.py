"""Guard calls of foreign platforms: measure them, and pause those of one that keeps failing.

That is a circuit breaker. It is an item of the state table, so all functions share it.
"""

import contextlib
import time
from collections.abc import Iterator

from showrunner import masking
from showrunner.aws import correlation, dynamodb, rpc
from showrunner.errors import PlatformUnavailable, ServiceUnavailable, ShowrunnerError

# After so many failures in a row the platform isn't called until the pause is over.
FAILURES = 5
PAUSE_SECONDS = 30
# Failures that lie further apart are not in a row.
WINDOW_SECONDS = 600
# An environment that found no failures calls so long without asking again. A breaker that others open stops
# it that much later, and a batch of twenty calls reads the state table once or twice.
KNOWN_SECONDS = 1
# All platforms that have a breaker; a contract test finds one that is missing.
PLATFORMS = (
    "airtable",
    "commons",
    "content_id",
    "elevenlabs",
    "google",
    "hub",
    "instagram",
    "nasa",
    "openai",
    "pexels",
    "pixabay",
    "second_speech",
    "spotify",
    "tiktok",
    "youtube",
)

# Platform -> until when (time.monotonic()) it counts as one without failures here.
_known: dict[str, float] = {}


@contextlib.contextmanager
def guard(platform: str, operation: str) -> Iterator[None]:
    """Guard and measure a call: refuse it while the platform's breaker is open, and record how it ends.

    If the state table fails, the call goes on: a breaker must not lose an answer that was paid for.
    """
    before = _admit(platform)
    begun = time.perf_counter()
    outcome = "ok"
    try:
        yield
    except Exception as error:
        outcome = type(error).__name__ if isinstance(error, ShowrunnerError) else "Unexpected"
        raise
    finally:
        _measure(platform, operation, outcome, time.perf_counter() - begun)
        answered = outcome != PlatformUnavailable.__name__
        if before or not answered:
            with contextlib.suppress(ServiceUnavailable, rpc.AwsError):
                record(platform, answered=answered)


def check(platform: str, now: float | None = None) -> int:
    """Return how often the platform failed in a row. Raises PlatformUnavailable while its breaker is open."""
    at = time.time() if now is None else now
    found = dynamodb.find(f"breaker#{platform}", "state", at)
    if not found:
        return 0
    failures, retry_at = int(found["failures"]), int(found.get("retry_at", 0))
    if failures >= FAILURES and at < retry_at:
        raise PlatformUnavailable(
            f"{platform} has failed {failures} times in a row: try again in {PAUSE_SECONDS} seconds.",
            max(1, round(retry_at - at)),
            was_sent=False,
        )
    return failures


def record(platform: str, *, answered: bool, now: float | None = None) -> None:
    """Record the end of a call: an answer closes the breaker, FAILURES failures in a row open it.

    After the pause one more failure opens it again.
    """
    key = (f"breaker#{platform}", "state")
    if answered:
        dynamodb.remove(*key)
        return
    _known.pop(platform, None)
    at = time.time() if now is None else now
    before = dynamodb.find(*key, at)
    failures = (int(before["failures"]) if before else 0) + 1
    # Of two failures at the same moment one may not count: the breaker opens a call later.
    dynamodb.put(*key, {"failures": failures, "retry_at": int(at + PAUSE_SECONDS)}, at + WINDOW_SECONDS)


def _admit(platform: str) -> int:
    """Let a call through and return how often the platform failed in a row before.

    After a pause a single call tries whether the platform is back. The others are refused until it is
    answered, or for another pause. Raises PlatformUnavailable for those.
    """
    if time.monotonic() < _known.get(platform, 0):
        return 0
    try:
        failures = check(platform)
        if not failures:
            _known[platform] = time.monotonic() + KNOWN_SECONDS
        if failures < FAILURES or _is_probe(platform, failures):
            return failures
        # Another caller probes, or the platform has answered just now.
        return check(platform)
    except (ServiceUnavailable, rpc.AwsError):
        return 0


def _is_probe(platform: str, failures: int, now: float | None = None) -> bool:
    """Make this call the only one after a pause. Returns False if another caller was first."""
    at = time.time() if now is None else now
    return dynamodb.put_if(
        "retry_at <= :now",
        {"now": int(at)},
        f"breaker#{platform}",
        "state",
        # A probe that never ends is followed by another one.
        {"failures": failures, "retry_at": int(at + PAUSE_SECONDS)},
        at + WINDOW_SECONDS,
    )


def _measure(platform: str, operation: str, outcome: str, seconds: float) -> None:
    """Write the metrics of a call as one log line (CloudWatch's embedded metric format).

    Platforms, operations and outcomes are few and fixed, so the number of metrics is bounded.
    """
    metrics = [{"Name": "Calls", "Unit": "Count"}, {"Name": "CallDuration", "Unit": "Milliseconds"}]
    dimensions = [["platform", "operation", "outcome"]]
    line = {
        "level": "INFO",
        "message": "foreign call",
        "request_id": correlation.current(),
        "platform": platform,
        "operation": operation,
        "outcome": outcome,
        "Calls": 1,
        "CallDuration": round(seconds * 1000, 1),
        "_aws": {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [{"Namespace": "Showrunner", "Dimensions": dimensions, "Metrics": metrics}],
        },
    }
    masking.write_line(line)

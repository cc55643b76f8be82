"""Ask every part that the API depends on whether it works, all at the same time."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as ProbeTimeout
from typing import Any

from showrunner import breakers, config
from showrunner.aws import dynamodb, rpc, s3
from showrunner.database import db
from showrunner.errors import PlatformUnavailable

# Short enough for a load balancer or a person that waits for the answer.
PROBE_SECONDS = 2

type Probe = dict[str, Any]
"""{"status": "ok" or "failed", "milliseconds", "reason"} (schemas.Probe)"""


def run_all() -> tuple[dict[str, Probe], dict[str, Any]]:
    """Run every probe. Returns the results by part, and by part what the probe found."""
    deadline = time.monotonic() + PROBE_SECONDS
    pool = ThreadPoolExecutor(len(PROBES))
    futures = {name: pool.submit(_measure, probe) for name, probe in PROBES.items()}
    results = {name: _result(future, deadline) for name, future in futures.items()}
    pool.shutdown(wait=False)
    return {name: probe for name, (probe, _) in results.items()}, {
        name: found for name, (_, found) in results.items()
    }


def _measure(probe: Callable[[], Any]) -> tuple[float, str | None, Any]:
    """Return the milliseconds, the error class if it failed, and what it found."""
    started_at, reason, found = time.perf_counter(), None, None
    try:
        found = probe()
    except Exception as error:  # noqa: BLE001 - any failure of a part is what health reports
        reason = type(error).__name__
    return round((time.perf_counter() - started_at) * 1000, 1), reason, found


def _result(future: Future[tuple[float, str | None, Any]], deadline: float) -> tuple[Probe, Any]:
    try:
        milliseconds, reason, found = future.result(max(0.0, deadline - time.monotonic()))
    except ProbeTimeout:
        milliseconds, reason, found = PROBE_SECONDS * 1000, f"no answer within {PROBE_SECONDS} s", None
    return {"status": "failed" if reason else "ok", "milliseconds": milliseconds, "reason": reason}, found


def _database() -> None:
    """Use a connection of this thread: one that hangs must not block the request's own."""
    try:
        with db.reading() as tx:
            db.value(tx, "SELECT 1")
    finally:
        db.close()


def _state_table() -> None:
    dynamodb.find("health", "probe")


def _queues() -> dict[str, dict[str, int]]:
    """Return the depth of each queue by its name without the stage."""
    urls = config.setting("QUEUE_URLS").split(",")
    prefix = f"showrunner-{config.setting('STAGE')}-"
    return {url.rpartition("/")[2].removeprefix(prefix): _depth(url) for url in urls}


def _depth(url: str) -> dict[str, int]:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    attributes = rpc.call("sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": list(names)})[
        "Attributes"
    ]
    return {"waiting": int(attributes[names[0]]), "in_flight": int(attributes[names[1]])}


def _breakers() -> dict[str, str]:
    return {platform: "open" if _is_open(platform) else "closed" for platform in breakers.PLATFORMS}


def _is_open(platform: str) -> bool:
    try:
        breakers.check(platform)
    except PlatformUnavailable:
        return True
    return False


PROBES: dict[str, Callable[[], Any]] = {
    "database": _database,
    "object_store": s3.probe,
    "state_table": _state_table,
    "queues": _queues,
    "breakers": _breakers,
}

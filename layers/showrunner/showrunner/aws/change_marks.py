"""Mark in the state table which attempt of a change set runs, who works on it, and that it is stopped.

One worker at a time has a batch, and none begins while one of an earlier attempt may still be at work: an
execution that was aborted ends without its functions, and a call of a function may be made twice.
"""

import time
import uuid
from typing import NamedTuple

from showrunner.aws import dynamodb

# Longer than the longest execution.
KEPT_SECONDS = 30 * 86_400
# No function lives longer: who has had a batch for so long has died.
WORKER_SECONDS = 905


class Marks(NamedTuple):
    """Tell a worker of an attempt what it must know before it begins a row.

    is_stopped: a person has stopped the change set, or a newer attempt has taken this one's place.
    is_busy: a worker of an earlier attempt may still be at work.
    """

    is_stopped: bool
    is_busy: bool


def let_run(change_set_id: str, attempt: int) -> None:
    """Take back an earlier stop, and end the work of earlier attempts."""
    dynamodb.put(_key(change_set_id), "attempt", {"number": attempt}, time.time() + KEPT_SECONDS)
    dynamodb.remove(_key(change_set_id), "stop")


def stop(change_set_id: str) -> None:
    """Tell those who carry out the change set to begin no further row."""
    dynamodb.put(_key(change_set_id), "stop", {}, time.time() + KEPT_SECONDS)


def read(change_set_id: str, attempt: int) -> Marks:
    """Return what is marked, for a worker of this attempt. The read is consistent."""
    found = dict(dynamodb.list_(_key(change_set_id)))
    # An execution of the release before has no attempt here.
    newest = found.get("attempt", {}).get("number", attempt)
    workers = (each["attempt"] for name, each in found.items() if name.startswith("worker#"))
    return Marks("stop" in found or newest > attempt, any(each < attempt for each in workers))


def take(change_set_id: str, attempt: int, batch: int) -> str | None:
    """Take a batch for the time of this call. Returns the name to give it back with, None if it is taken."""
    name, now = uuid.uuid4().hex, time.time()
    is_mine = dynamodb.put_if(
        "attribute_not_exists(pk) OR expires_at < :now",
        {"now": int(now)},
        _key(change_set_id),
        _worker(attempt, batch),
        {"attempt": attempt, "worker": name},
        now + WORKER_SECONDS,
    )
    return name if is_mine else None


def give_back(change_set_id: str, attempt: int, batch: int, name: str) -> None:
    """Let others have the batch, unless somebody has it already because this worker took too long."""
    found = dynamodb.find(_key(change_set_id), _worker(attempt, batch))
    if found and found["worker"] == name:
        dynamodb.remove(_key(change_set_id), _worker(attempt, batch))


def _key(change_set_id: str) -> str:
    return f"change_set#{change_set_id}"


def _worker(attempt: int, batch: int) -> str:
    return f"worker#{attempt}#{batch}"

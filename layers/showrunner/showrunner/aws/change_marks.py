"""Mark in the state table which attempt of a change set runs, who works on it, and that it is stopped.

One worker at a time has a batch, and none begins while one of an earlier attempt may still be at work: an
execution that was aborted ends without its functions, and a call of a function may be made twice. One worker
at a time, of all change sets, makes a claim.
"""

import time
import uuid
from typing import NamedTuple

from showrunner.aws import dynamodb

# Longer than the longest execution.
KEPT_SECONDS = 30 * 86_400
# A worker has its batch for so long after it was last seen. It says so before each call of YouTube's, unless
# it has just done so: a call has 130 s left at least, and takes no longer (platforms.youtube_studio).
LEASE_SECONDS = 150
RENEWED_SECONDS = 20
# No function lives longer. A claim that its worker was making when it died may be made until then.
FUNCTION_SECONDS = 905


class Marks(NamedTuple):
    """Tell a worker of an attempt what it must know before it begins a row.

    is_stopped: a person has stopped the change set, the attempt has ended, or a newer one has begun.
    is_busy: a worker of an earlier attempt may still be at work.
    """

    is_stopped: bool
    is_busy: bool


class LeaseLost(Exception):
    """A lease has expired or was taken over. Its holder must stop: another worker may be doing the same."""


class Lease:
    """Hold an item of the state table for one worker at a time.

    It is free again after `give_back`, or LEASE_SECONDS after the last `take` or `keep`.
    """

    def __init__(self, pk: str, sk: str, values: dict[str, dynamodb.Value]) -> None:
        self._pk, self._sk = pk, sk
        self._values = {**values, "worker": uuid.uuid4().hex}
        self._renewed_at = 0.0

    def take(self) -> bool:
        """Take it, unless somebody has it. Returns whether this worker has it now."""
        # Its own worker: the answer to a first try may have been lost.
        is_free = "attribute_not_exists(pk) OR expires_at < :now OR worker = :worker"
        return self._put(is_free, LEASE_SECONDS)

    def keep(self, seconds: int = LEASE_SECONDS) -> None:
        """Keep it for `seconds` from now on, before a call that needs it. Raises LeaseLost."""
        is_fresh = time.monotonic() - self._renewed_at < RENEWED_SECONDS
        if is_fresh and seconds == LEASE_SECONDS:
            return
        # Expired is lost too, though nobody may have taken it: time has passed that this worker didn't see.
        if not self._put("worker = :worker AND expires_at >= :now", seconds):
            raise LeaseLost

    def give_back(self) -> None:
        """Let others have it, unless somebody has it already because this worker took too long."""
        found = dynamodb.find(self._pk, self._sk)
        if found and found["worker"] == self._values["worker"]:
            dynamodb.remove(self._pk, self._sk)

    def _put(self, condition: str, seconds: int) -> bool:
        # Read before the call: it may seem to end earlier than it does, never later.
        at, now = time.monotonic(), time.time()
        parameters = {"worker": self._values["worker"], "now": int(now)}
        is_mine = dynamodb.put_if(condition, parameters, self._pk, self._sk, self._values, now + seconds)
        if is_mine:
            self._renewed_at = at
        return is_mine


def let_run(change_set_id: str, attempt: int) -> None:
    """Take back an earlier stop, and end the work of earlier attempts."""
    dynamodb.put(_key(change_set_id), "attempt", {"number": attempt}, time.time() + KEPT_SECONDS)
    dynamodb.remove(_key(change_set_id), "stop")


def stop(change_set_id: str) -> None:
    """Tell those who carry out the change set to begin no further row."""
    dynamodb.put(_key(change_set_id), "stop", {}, time.time() + KEPT_SECONDS)


def end(change_set_id: str, attempt: int) -> None:
    """Tell those who carry out this attempt to begin no further row: its execution has ended."""
    dynamodb.put(_key(change_set_id), f"ended#{attempt}", {}, time.time() + KEPT_SECONDS)


def read(change_set_id: str, attempt: int) -> Marks:
    """Return what is marked, for a worker of this attempt. The read is consistent."""
    found = dict(dynamodb.list_(_key(change_set_id)))
    # An execution of the release before has no attempt here.
    newest = found.get("attempt", {}).get("number", attempt)
    workers = (each["attempt"] for name, each in found.items() if name.startswith("worker#"))
    is_stopped = "stop" in found or f"ended#{attempt}" in found or newest > attempt
    return Marks(is_stopped, any(each < attempt for each in workers))


def lease_of_batch(change_set_id: str, attempt: int, batch: int) -> Lease:
    """Return the lease on a batch."""
    return Lease(_key(change_set_id), f"worker#{attempt}#{batch}", {"attempt": attempt})


def lease_of_claim(content_owner: str, video_id: str, asset_id: str, content_type: str) -> Lease:
    """Return the lease on a claim at YouTube, whoever makes it. `content_owner`: its id at YouTube."""
    return Lease(f"claim#{content_owner}#{video_id}#{asset_id}", content_type, {})


def _key(change_set_id: str) -> str:
    return f"change_set#{change_set_id}"

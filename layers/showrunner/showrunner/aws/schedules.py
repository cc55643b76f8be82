"""Record in the state table when a schedule has work, so that it doesn't ask the database every minute.

A database that nobody asks pauses, and costs nothing while it does.
"""

import time

from showrunner.aws import dynamodb

# How long a mark of expected work is valid. Longer than any transaction, because the mark may be set before
# the work is committed.
WORK_SECONDS = 900
# In case a mark was lost, the schedules look again this often, all in the same minute: each waking of the
# database costs a quarter of an hour of it.
LOOK_AGAIN_SECONDS = 6 * 3600

_words: dict[str, float] = {}


def expect_work(schedule: str) -> None:
    """Record that the schedule has work, now or when the caller's transaction commits.

    One execution environment renews the mark at most once in half the time that it is valid.
    """
    now = time.time()
    if now - _words.get(schedule, 0.0) > WORK_SECONDS / 2:
        dynamodb.put(f"schedule#{schedule}", "expected", {}, now + WORK_SECONDS)
        _words[schedule] = now


def is_work_due(schedule: str, now: float | None = None) -> bool:
    """Return whether the schedule must look for work: somebody expects it, or its next time has come.

    True if nothing is known.
    """
    at = time.time() if now is None else now
    named = dynamodb.find(f"schedule#{schedule}", "next", at)
    return named is None or dynamodb.find(f"schedule#{schedule}", "expected", at) is not None


def look_again(schedule: str, at: float | None, now: float | None = None) -> None:
    """Record when the schedule must look next. `at` is None when nothing is due."""
    latest = ((time.time() if now is None else now) // LOOK_AGAIN_SECONDS + 1) * LOOK_AGAIN_SECONDS
    dynamodb.put(f"schedule#{schedule}", "next", {}, latest if at is None else min(at, latest))

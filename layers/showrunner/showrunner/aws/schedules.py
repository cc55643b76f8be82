"""When a schedule has to look for work, kept in the state table: a database that nobody uses pauses only while the schedules don't ask it every minute."""

import time

from showrunner.aws import dynamodb

# Somebody's word that there is work holds for so long, which is longer than any transaction: it may come
# before the commit of the work or after it.
WORK_SECONDS = 900
# Should a word have been lost, the schedules look again this often, all of them in the same minute: waking
# the database costs a quarter of an hour of it.
LOOK_AGAIN_SECONDS = 6 * 3600

_words: dict[str, float] = {}


def expect_work(schedule: str) -> None:
    """There is work for the schedule, or will be at once.

    An environment says so once in half the time that it holds.
    """
    now = time.time()
    if now - _words.get(schedule, 0.0) > WORK_SECONDS / 2:
        dynamodb.put(f"schedule#{schedule}", "expected", {}, now + WORK_SECONDS)
        _words[schedule] = now


def is_work_due(schedule: str, now: float | None = None) -> bool:
    """Whether the schedule is to look: somebody said so, or the time that it named itself has come.

    True where nothing is known.
    """
    at = time.time() if now is None else now
    named = dynamodb.find(f"schedule#{schedule}", "next", at)
    return named is None or dynamodb.find(f"schedule#{schedule}", "expected", at) is not None


def look_again(schedule: str, at: float | None, now: float | None = None) -> None:
    """The schedule has looked and names the time of what it knows to come; None is nothing."""
    latest = ((time.time() if now is None else now) // LOOK_AGAIN_SECONDS + 1) * LOOK_AGAIN_SECONDS
    dynamodb.put(f"schedule#{schedule}", "next", {}, latest if at is None else min(at, latest))

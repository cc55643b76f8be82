"""Tell the scheduled functions that a request leaves work for them.

If they can't be told, the request goes on: they look by themselves every few hours.
"""

import time
from collections.abc import Callable

from showrunner.aws import rpc, schedules
from showrunner.errors import ServiceUnavailable
from showrunner.web import log
from showrunner.web.routing import Request


def expect_work(request: Request, schedule: str) -> None:
    """Tell a schedule that runs every minute, before the commit, that it has work."""
    _tell(request, schedule, lambda: schedules.expect_work(schedule))


def look_at_next_run(request: Request, schedule: str) -> None:
    """Tell a schedule that runs less often, after the commit, to look at its next run for what is due."""
    _tell(request, schedule, lambda: schedules.look_again(schedule, time.time()))


def _tell(request: Request, schedule: str, tell: Callable[[], None]) -> None:
    try:
        tell()
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "the schedule's mark is missing", schedule=schedule, reason=error.message)

"""Tell the scheduled functions that a request leaves work for them."""

from showrunner.aws import rpc, schedules
from showrunner.errors import ServiceUnavailable
from showrunner.web import log
from showrunner.web.routing import Request


def expect_work(request: Request, schedule: str) -> None:
    """Tell a schedule, before the commit, that it has work: without that it looks only every few hours.

    If the mark can't be written, the request goes on.
    """
    try:
        schedules.expect_work(schedule)
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "the schedule's mark is missing", schedule=schedule, reason=error.message)

"""Schedule, every minute -> due renewals, polls and look-ups go to the queues of feed_hub and feed_poll."""

from typing import Any

from showrunner.aws import schedules as work
from showrunner.feed import schedules
from showrunner.telemetry import entrypoint, logger


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    if not work.is_work_due("subscriptions"):
        return {}
    counts = schedules.run()
    logger.info("due", extra=counts)
    return counts

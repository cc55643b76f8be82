"""Schedule, every minute -> plan and order the videos of channels that run themselves."""

from datetime import UTC, datetime
from typing import Any

from showrunner.aws import schedules
from showrunner.channels import schedule
from showrunner.telemetry import entrypoint, logger


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    if not schedules.is_work_due("channels"):
        return {}
    counts, next_at = schedule.run(datetime.now(UTC))
    schedules.look_again("channels", next_at.timestamp() if next_at else None)
    logger.info("channels planned", extra=counts)
    return counts

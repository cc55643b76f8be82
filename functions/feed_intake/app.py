"""Queue of notifications, polls and the hub's answers -> rows of the feed, and an event for each update.

What can't be processed is recorded with its reason and copied to the dead-letter queue.
"""

from typing import Any

from showrunner import config
from showrunner.aws import queues
from showrunner.feed import intake
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.process_together(
        event, intake.CLASSES, intake.process, config.setting("NOTIFICATIONS_DEAD_URL")
    )

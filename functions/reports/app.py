"""Queue of dropped files -> the rows of their reports in the database, and an event for each report.

A file that can't be read is recorded as refused. What fails three times on our side is copied to the
dead-letter queue.
"""

from typing import Any

from showrunner import config
from showrunner.aws import queues
from showrunner.rights import loading
from showrunner.rights.messages import ReportDropped
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.process(event, [ReportDropped], loading.load, config.setting("REPORTS_DEAD_URL"))

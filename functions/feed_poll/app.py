"""Queue -> YouTube's feeds and Data API are read; what was found goes to feed_intake. No database."""

from typing import Any

from showrunner.aws import queues
from showrunner.feed import polling
from showrunner.feed.messages import LookUpVideos, PollChannel
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.process(event, (PollChannel, LookUpVideos), polling.work)

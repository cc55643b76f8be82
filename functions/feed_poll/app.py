"""Queue of polls and look-ups -> YouTube's feeds and Data API are read; what they say goes to feed_intake. [no database]"""

from typing import Any

from showrunner.aws import queues
from showrunner.feed import polling
from showrunner.feed.messages import LookUpVideos, PollChannel
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.process(event, (PollChannel, LookUpVideos), polling.work)

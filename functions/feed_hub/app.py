"""Queue -> the hub is asked to subscribe, renew or unsubscribe; answers go to feed_intake. No database."""

from typing import Any

from showrunner.aws import queues
from showrunner.feed import hub
from showrunner.feed.messages import HubRequest
from showrunner.telemetry import entrypoint


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return queues.process(event, (HubRequest,), hub.ask)

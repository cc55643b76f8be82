"""Events of ours on the stage's EventBridge bus: Live and outgoing webhooks consume them off the critical path."""

import json
from typing import Any

from showrunner import config
from showrunner.aws import rpc
from showrunner.errors import ServiceUnavailable

SOURCE = "showrunner"
# EventBridge takes so many entries a call.
BATCH = 10


def emit_all(kind: str, details: list[dict[str, Any]]) -> None:
    """Events of one kind, for instance "video.completed". At least once: consumers tell repeats by detail["event_id"]. Raises ServiceUnavailable."""
    bus = config.setting("EVENT_BUS_NAME")
    entries = [{"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus} for detail in details]
    for start in range(0, len(entries), BATCH):
        answer = rpc.call("events", "PutEvents", {"Entries": entries[start : start + BATCH]})
        if answer.get("FailedEntryCount"):
            raise ServiceUnavailable(f"EventBridge refused {answer['FailedEntryCount']} events of {kind}: try again.")

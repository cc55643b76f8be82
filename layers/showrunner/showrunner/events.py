"""Events of ours on the stage's EventBridge bus: Live and outgoing webhooks consume them off the critical path."""

import json
from typing import Any

from showrunner import config, signed
from showrunner.errors import ServiceUnavailable

SOURCE = "showrunner"


def emit(kind: str, detail: dict[str, Any]) -> None:
    """One event, for instance "video.completed". At least once: consumers tell repeats by detail["event_id"]."""
    entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": config.setting("EVENT_BUS_NAME")}
    answer = config.aws("events").put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        raise RuntimeError(f"EventBridge refused the event {kind}: {answer['Entries'][0].get('ErrorMessage')}")


def emit_all(kind: str, details: list[dict[str, Any]]) -> None:
    """Many events, ten a call, without boto3."""
    bus = config.setting("EVENT_BUS_NAME")
    entries = [{"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus} for detail in details]
    for start in range(0, len(entries), 10):
        answer = signed.call("events", "PutEvents", {"Entries": entries[start : start + 10]})
        if answer.get("FailedEntryCount"):
            raise ServiceUnavailable(f"EventBridge refused {answer['FailedEntryCount']} events: try again.")

"""Events of ours on the stage's EventBridge bus: Live and outgoing webhooks consume them off the critical path."""

import json
from typing import Any

from showrunner import config

SOURCE = "showrunner"


def emit(kind: str, detail: dict[str, Any]) -> None:
    """One event, for instance "video.completed". At least once: consumers tell repeats by detail["event_id"]."""
    entry = {"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": config.setting("EVENT_BUS_NAME")}
    answer = config.aws("events").put_events(Entries=[entry])
    if answer.get("FailedEntryCount"):
        raise RuntimeError(f"EventBridge refused the event {kind}: {answer['Entries'][0].get('ErrorMessage')}")

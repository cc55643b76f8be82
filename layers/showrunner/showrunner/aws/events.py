"""Put events on the stage's EventBridge bus, and read them.

An event is a NamedTuple whose field `kind` is the detail-type. Producer and consumer import the same class.
"""

import json
from collections.abc import Sequence
from typing import Any

from showrunner import config
from showrunner.aws import correlation, rpc
from showrunner.aws.queues import Message
from showrunner.errors import ServiceUnavailable

SOURCE = "showrunner"
# EventBridge takes so many entries a call.
BATCH = 10


def put(events: Sequence[Message]) -> None:
    """Put events on the bus, each at least once: consumers tell repeats by detail["event_id"].

    Raises ServiceUnavailable.
    """
    bus = config.setting("EVENT_BUS_NAME")
    entries = [
        {"Source": SOURCE, "DetailType": each.kind, "Detail": json.dumps(_detail(each)), "EventBusName": bus}
        for each in events
    ]
    for start in range(0, len(entries), BATCH):
        answer = rpc.call("events", "PutEvents", {"Entries": entries[start : start + BATCH]})
        if answer.get("FailedEntryCount"):
            raise ServiceUnavailable(f"EventBridge refused {answer['FailedEntryCount']} events: try again.")


def _detail(event: Message) -> dict[str, Any]:
    detail = {name: value for name, value in event._asdict().items() if name != "kind"}
    request_id = correlation.current()
    return detail | ({"request_id": request_id} if request_id else {})


def read[Event](event_class: type[Event], event: dict[str, Any]) -> Event:
    """Read an event that EventBridge delivered.

    Fields that the class doesn't have are ignored. Raises TypeError if one is missing.
    """
    detail = event["detail"]
    known = {name: detail[name] for name in event_class._fields if name in detail}  # type: ignore[attr-defined]
    return event_class(**known | {"kind": event["detail-type"]})

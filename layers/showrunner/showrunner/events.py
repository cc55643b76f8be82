"""Events of ours on the stage's EventBridge bus: Live and outgoing webhooks consume them off the critical path."""

import json
from typing import Any

from showrunner import config, signed
from showrunner.errors import ServiceUnavailable
from showrunner.telemetry import logger

SOURCE = "showrunner"
# EventBridge takes so many entries a call.
BATCH = 10


def emit_all(kind: str, details: list[dict[str, Any]]) -> None:
    """Events of one kind, for instance "video.completed". At least once: consumers tell repeats by detail["event_id"]. Raises ServiceUnavailable."""
    bus = config.setting("EVENT_BUS_NAME")
    entries = [{"Source": SOURCE, "DetailType": kind, "Detail": json.dumps(detail), "EventBusName": bus} for detail in details]
    for start in range(0, len(entries), BATCH):
        answer = signed.call("events", "PutEvents", {"Entries": entries[start : start + BATCH]})
        if answer.get("FailedEntryCount"):
            raise ServiceUnavailable(f"EventBridge refused {answer['FailedEntryCount']} events of {kind}: try again.")


def announce(kind: str, video: dict[str, Any], **more: Any) -> None:
    """What became of a video; `video` is what productions.get_step gives, and `more` what only this kind of event has."""
    row = {name: video[name] for name in ("attempt", "title", "status", "progress", "current_step")}
    ids = {name: str(video[name]) for name in ("organisation_id", "channel_id")}
    detail = {"event_id": f"{video['id']}:{video['attempt']}:{kind}", "video_id": str(video["id"]), **ids, **row, "at": video["updated_at"].isoformat()}
    emit_all(kind, [detail | more])


def announce_progress(video: dict[str, Any], message: str) -> None:
    """The video reached a step. Only Live shows it, and the next step shows it too: a bus that is away stops no production."""
    try:
        announce("video.progress", video, message=message, event_id=f"{video['id']}:{video['attempt']}:video.progress:{video['current_step']}")
    except (ServiceUnavailable, signed.Refused):
        logger.warning("progress not announced", exc_info=True)

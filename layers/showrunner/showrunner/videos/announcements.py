"""Put events about videos on the bus."""

from typing import Any

from showrunner.aws import events, rpc
from showrunner.errors import ServiceUnavailable
from showrunner.telemetry import logger


def announce(kind: str, video: dict[str, Any], **more: Any) -> None:
    """What became of a video; `video` is what productions.get_step gives, and `more` what only this kind of event has."""
    row = {name: video[name] for name in ("attempt", "title", "status", "progress", "current_step")}
    ids = {name: str(video[name]) for name in ("organisation_id", "channel_id")}
    detail = {"event_id": f"{video['id']}:{video['attempt']}:{kind}", "video_id": str(video["id"]), **ids, **row, "at": video["updated_at"].isoformat()}
    events.emit_all(kind, [detail | more])


def announce_progress(video: dict[str, Any], message: str) -> None:
    """The video reached a step. Only Live shows it, and the next step shows it too: a bus that is away stops no production."""
    try:
        announce("video.progress", video, message=message, event_id=f"{video['id']}:{video['attempt']}:video.progress:{video['current_step']}")
    except (ServiceUnavailable, rpc.AwsError):
        logger.warning("progress not announced", exc_info=True)

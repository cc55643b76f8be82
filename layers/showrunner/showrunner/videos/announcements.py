"""Put events about videos on the bus."""

from typing import Any

from showrunner.aws import events, rpc
from showrunner.errors import ServiceUnavailable
from showrunner.models import VideoEvent, VideoEventKind
from showrunner.telemetry import logger


def announce(
    kind: VideoEventKind,
    video: dict[str, Any],
    message: str,
    error: dict[str, str] | None = None,
    step: str = "",
) -> None:
    """Put one event of a video, a row of productions.get_step, on the bus.

    `step` tells the progress events of one attempt apart.

    Raises ServiceUnavailable or AwsError.
    """
    event_id = ":".join((str(video["id"]), str(video["attempt"]), kind, *([step] if step else [])))
    row: dict[str, Any] = {"video_id": str(video["id"])} | {
        name: str(video[name]) for name in ("organisation_id", "channel_id")
    }
    row |= {name: video[name] for name in ("attempt", "title", "status", "progress", "current_step")}
    events.put(
        [
            VideoEvent(
                event_id, **row, at=video["updated_at"].isoformat(), message=message, kind=kind, error=error
            )
        ]
    )


def announce_progress(video: dict[str, Any], message: str) -> None:
    """Announce that a video reached a step.

    Only Live shows it, and the next step shows it too: a bus that is away stops no production.
    """
    try:
        announce("video.progress", video, message, step=str(video["current_step"]))
    except (ServiceUnavailable, rpc.AwsError):
        logger.warning("progress not announced", exc_info=True)

"""Turn events of the bus and of S3 into messages for Live clients, with their topics and their order."""

from collections.abc import Callable
from typing import Any, NamedTuple

from showrunner.aws import events, s3
from showrunner.errors import InvalidRequest, StorageMissing
from showrunner.live import delivery
from showrunner.models import VideoEvent, VideoUpdate
from showrunner.production import files, progress


class Update(NamedTuple):
    """An event's messages for the subscribers of `topics`. `messages` is called only if there are any."""

    delivery: delivery.Delivery
    topics: list[str]
    messages: Callable[[], list[dict[str, Any]]]


def read(event: dict[str, Any]) -> Update:
    """Read an event. Raises InvalidRequest or TypeError for one that the template's rules don't allow."""
    return KINDS[event["detail-type"].partition(".")[0]](event)


def _video(event: dict[str, Any]) -> Update:
    """A video of an organisation reached a step or its end."""
    video = events.read(VideoEvent, event)
    row = {"video_id": video.video_id, "title": video.title, "status": video.status}
    step = {
        name: getattr(video, name)
        for name in ("video_id", "status", "progress", "current_step", "attempt", "message")
    }
    messages = [
        {"type": "video_update", **row, "last_updated": video.at},
        {"type": "processing_update", **step, "timestamp": video.at},
    ]
    topic = f"video:{video.video_id}"
    order = delivery.delivery(
        video.organisation_id, topic, video.event_id, video.at, final=video.status != "processing"
    )
    return Update(order, [topic, "videos"], lambda: messages)


def _render(event: dict[str, Any]) -> Update:
    """The render wrote its progress into S3.

    The key, which only a render can write, says whose video it is.
    """
    key = event["detail"]["object"]["key"]
    found = files.parse_progress_key(key)
    if found is None:
        raise InvalidRequest(f"{key} is no progress of a render: the rule lets too much through.")
    organisation_id, video_id = found

    def messages() -> list[dict[str, Any]]:
        try:
            percent = progress.rendering(s3.get_json(key))
        except StorageMissing:
            return []  # the render has ended meanwhile, which is an event of its own
        step = {
            "video_id": video_id,
            "status": "processing",
            "progress": percent,
            "current_step": "render",
            "message": "The video is being rendered.",
        }
        return [{"type": "processing_update", **step, "timestamp": event["time"]}]

    topic = f"video:{video_id}"
    return Update(
        delivery.delivery(organisation_id, topic, event["id"], event["time"]), [topic, "videos"], messages
    )


def _feed(event: dict[str, Any]) -> Update:
    """A channel on YouTube published, renamed or deleted a video. Public, so of no organisation."""
    video = events.read(VideoUpdate, event)
    row = {"video_id": video.video_id, "title": video.title, "status": video.update_type}
    order = delivery.delivery("", f"feed:{video.video_id}", video.event_id, event["time"])
    return Update(order, ["feed"], lambda: [{"type": "video_update", **row, "last_updated": event["time"]}])


def _report(event: dict[str, Any]) -> Update:
    """A report of a content owner is being loaded, or has ended."""
    detail = event["detail"]
    row = {name: detail[name] for name in ("report_id", "status", "progress", "message")}
    # The release before sends no rows.
    row |= {"rows": detail["rows"]} if "rows" in detail else {}
    order = delivery.delivery(
        detail["organisation_id"],
        f"report:{detail['report_id']}",
        detail["event_id"],
        detail["at"],
        final=detail["status"] != "loading",
    )
    return Update(
        order, ["reports"], lambda: [{"type": "processing_update", **row, "timestamp": detail["at"]}]
    )


def _sync(event: dict[str, Any]) -> Update:
    """A change of a video was written at YouTube or refused; without a video it is that of an asset."""
    detail = event["detail"]
    row = {"video_id": detail["video_id"] or None, "status": detail["status"]}
    asset_id = detail.get("asset_id")
    if asset_id:
        row["asset_id"] = asset_id
    subject = f"sync:{detail['video_id']}:{asset_id or ''}"
    order = delivery.delivery(detail["organisation_id"], subject, detail["event_id"], detail["at"])
    return Update(
        order, ["syncs"], lambda: [{"type": "sync_status_update", **row, "timestamp": detail["at"]}]
    )


# By the first word of the event's detail-type; the template's rules let these through.
KINDS: dict[str, Callable[[dict[str, Any]], Update]] = {
    "video": _video,
    "feed": _feed,
    "report": _report,
    "sync": _sync,
    "Object Created": _render,
}

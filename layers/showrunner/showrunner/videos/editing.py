"""Change the texts and the thumbnail of a video, and remove it."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest
from showrunner.store.studio import assets, videos
from showrunner.videos import publishing
from showrunner.videos.attempts import UNFINISHED
from showrunner.videos.schemas import VideoChanges
from showrunner.web import audit
from showrunner.web.routing import Request


def change(
    tx: db.Transaction, request: Request, video_id: str, changes: VideoChanges
) -> tuple[str, dict[str, Any] | None]:
    """Save the given fields.

    Returns the video as JSON text, and the publication to start if YouTube shows the video.

    Raises NotFound, Conflict, InvalidRequest.
    """
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] in UNFINISHED:
        raise Conflict(f"The video is {state['status']}: its texts are still being written.")
    if changes.thumbnail:
        _require_thumbnail(tx, request.organisation_id, changes.thumbnail)
    videos.save(tx, request.organisation_id, video_id, changes.model_dump(exclude_unset=True))
    audit.record(tx, request, "change", "video", state["id"], fields=sorted(changes.model_fields_set))
    publication = publishing.change(tx, request.organisation_id, video_id)
    return videos.get(tx, request.organisation_id, video_id), publication


def _require_thumbnail(tx: db.Transaction, organisation_id: str, asset_id: str) -> None:
    if not any(row["kind"] == "thumbnail" for row in assets.list_ready(tx, organisation_id, [asset_id])):
        message = "not a thumbnail of yours that is uploaded completely"
        raise InvalidRequest("The thumbnail can't be used.", [{"field": "thumbnail", "message": message}])


def remove(tx: db.Transaction, request: Request, video_id: str) -> tuple[dict[str, Any] | None, str | None]:
    """Remove a video that isn't being made.

    Returns what publishing.remove does. Raises NotFound, Conflict.
    """
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] in UNFINISHED:
        raise Conflict(f"The video is {state['status']}: cancel it first.")
    ordered = publishing.remove(tx, request.organisation_id, video_id)
    videos.remove(tx, request.organisation_id, video_id)
    audit.record(tx, request, "remove", "video", state["id"])
    return ordered

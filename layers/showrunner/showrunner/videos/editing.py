"""Change the texts and the thumbnail of a video, and remove it."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest
from showrunner.store.studio import assets, videos
from showrunner.videos import ordering, publishing, upload_state
from showrunner.videos.attempts import UNFINISHED
from showrunner.videos.schemas import VideoChanges, VideoResponse
from showrunner.web import audit
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import MEGABYTE
from showrunner.web.routing import Request

routes = Routes()


# A picture of 3 MB takes 4 MB in base64; Lambda takes 6 MB.
CHANGE_BYTES = 5 * MEGABYTE


@routes.put(
    "/api/v1/videos/{video_id}",
    permission="videos:write",
    answer=VideoResponse,
    max_bytes=CHANGE_BYTES,
    errors=(409,),
)
def change(request: Request, video_id: str, body: VideoChanges) -> Answer:
    """Change title, description, tags or thumbnail of a video that isn't being made, on YouTube too."""
    changes = body.model_dump(exclude_unset=True, exclude={"thumbnail_image"})
    if body.thumbnail_image:
        changes["thumbnail"] = _store_thumbnail(request, video_id, body.thumbnail_image)
    elif body.thumbnail:
        ordering.check_uploads(request, [body.thumbnail])
    with db.transaction() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        _require_editable(state)
        if changes.get("thumbnail"):
            _require_thumbnail(tx, request.organisation_id, changes["thumbnail"])
        videos.save(tx, request.organisation_id, video_id, changes)
        audit.record(tx, request, "change", "video", state["id"], fields=sorted(body.model_fields_set))
        publication = publishing.change(tx, request.organisation_id, video_id)
        video = videos.get(tx, request.organisation_id, video_id)
    if publication:
        publishing.start_patiently(request, publication)
    return Answer(video)


def _store_thumbnail(request: Request, video_id: str, text: str) -> str:
    """Store the picture of a video that can be changed. Returns the asset's id."""
    from showrunner.videos import uploads

    picture = uploads.read_thumbnail(text)
    with db.reading() as tx:
        _require_editable(videos.get_state(tx, request.organisation_id, video_id))
    return uploads.store_thumbnail(request, picture)


def _require_editable(state: dict[str, Any]) -> None:
    if state["status"] in UNFINISHED:
        raise Conflict(f"The video is {state['status']}: its texts are still being written.")


def _require_thumbnail(tx: db.Transaction, organisation_id: str, asset_id: str) -> None:
    if not any(row["kind"] == "thumbnail" for row in assets.list_ready(tx, organisation_id, [asset_id])):
        message = "not a thumbnail of yours that is uploaded completely"
        raise InvalidRequest("The thumbnail can't be used.", [{"field": "thumbnail", "message": message}])


@routes.delete("/api/v1/videos/{video_id}", permission="videos:write", status=204, errors=(409,))
def remove(request: Request, video_id: str) -> Answer:
    """Remove a video that isn't being made, on YouTube too. An upload that is under way stops."""
    with db.transaction() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        if state["status"] in UNFINISHED:
            raise Conflict(f"The video is {state['status']}: cancel it first.")
        publication, stopped = publishing.remove(tx, request.organisation_id, video_id)
        videos.remove(tx, request.organisation_id, video_id)
        audit.record(tx, request, "remove", "video", state["id"])
    if stopped:
        upload_state.cancel(stopped)
    if publication:
        publishing.start_patiently(request, publication)
    return Answer(status=204)

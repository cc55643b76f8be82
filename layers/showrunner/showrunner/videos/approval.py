"""Approve or reject a finished video of a channel with `review`. Nothing is published before."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.store.studio import videos
from showrunner.videos import ordering, publishing
from showrunner.videos.schemas import Rejection, VideoProgress
from showrunner.web import audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.routing import Request


def approve(request: Request, video_id: str) -> Answer:
    """Approve a video and publish it, if its channel publishes automatically. Raises NotFound, Conflict."""
    ordering.announce_work(request)
    begun: list[dict[str, Any]] = []

    def work(tx: db.Transaction) -> Answer:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        _require_finished(state)
        videos.approve(tx, request.organisation_id, state["id"], request.caller.subject)
        audit.record(tx, request, "approve", "video", state["id"])
        row = publishing.publish_automatically(tx, request.organisation_id, state["id"])
        if row:
            begun.append(row)
        return Answer(_progress(tx, request, state["id"]), 202)

    answer = idempotency.once(request, work)
    for row in begun:
        publishing.start_patiently(request, row)
    return answer


def reject(request: Request, video_id: str, body: Rejection) -> Answer:
    """Reject a video: it is cancelled with the reason. A retry makes it again. Raises NotFound, Conflict."""

    def work(tx: db.Transaction) -> Answer:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        _require_finished(state)
        videos.reject(tx, request.organisation_id, state["id"], body.reason)
        audit.record(tx, request, "reject", "video", state["id"], reason=body.reason)
        return Answer(_progress(tx, request, state["id"]))

    return idempotency.once(request, work)


def _require_finished(state: dict[str, Any]) -> None:
    if state["status"] not in ("review", "completed"):
        message = (
            f"The video is {state['status']}: only a finished one that is not published can be reviewed."
        )
        raise Conflict(message)


def _progress(tx: db.Transaction, request: Request, video_id: str) -> VideoProgress:
    state = videos.get_state(tx, request.organisation_id, video_id)
    return VideoProgress(
        video_id=state["id"],
        status=state["status"],
        progress=state["progress"],
        current_step=state["current_step"],
        attempt=state["attempt"],
        errors=[state["error"]] if state["error"] else [],
    )

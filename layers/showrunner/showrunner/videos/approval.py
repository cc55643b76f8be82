"""Approve or reject a finished video of a channel with `review`. Nothing is published before."""

from typing import Any

from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.store.studio import videos
from showrunner.videos import files, ordering, publishing
from showrunner.videos.schemas import Rejection, VideoProgress
from showrunner.web import audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import LATER, Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.post(
    "/api/v1/videos/{video_id}/approve",
    permission="videos:publish",
    **LATER,
    answer=VideoProgress,
    errors=(409,),
)
def approve(request: Request, video_id: str) -> Answer:
    """Approve a finished video of a channel with `review`. It is published as the channel's settings say."""
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


@routes.post(
    "/api/v1/videos/{video_id}/reject",
    permission="videos:publish",
    answer=VideoProgress,
    idempotent=True,
    errors=(409,),
)
def reject(request: Request, video_id: str, body: Rejection) -> Answer:
    """Reject a finished video with the reason. It is cancelled; a retry makes it again."""

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
    return files.show_progress(
        request.organisation_id, videos.get_state(tx, request.organisation_id, video_id)
    )

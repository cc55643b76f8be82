"""Retry and cancel the production of a video."""

from typing import Any

from showrunner.access import limits
from showrunner.database import db
from showrunner.errors import Conflict
from showrunner.store.ledger import billing
from showrunner.store.studio import videos
from showrunner.videos import executions
from showrunner.videos.ordering import BASE_SECONDS
from showrunner.videos.schemas import OrderedVideo, VideoProgress
from showrunner.web import audit, log
from showrunner.web.routing import Request

UNFINISHED = ("queued", "processing")


def is_dead(state: dict[str, Any]) -> bool:
    """Return whether an unfinished video has no running execution. Asks Step Functions: no transaction may be open."""
    return state["status"] in UNFINISHED and executions.status(state["id"], state["attempt"]) != "RUNNING"


def retry(tx: db.Transaction, request: Request, seen: dict[str, Any], *, dead: bool) -> tuple[OrderedVideo, int]:
    """Queue the next attempt and return it with its number. `seen` is the state for which `dead` was found.

    Raises Conflict if the video is neither failed, cancelled nor dead, PaymentRequired, LimitExceeded."""
    state = videos.get_state(tx, request.organisation_id, seen["id"], locked=True)
    moved = (state["status"], state["attempt"]) != (seen["status"], seen["attempt"])
    if moved or not (dead or state["status"] in ("failed", "cancelled")):
        raise Conflict(f"The video is {state['status']}: only one that failed or was cancelled can be retried.")
    # A rejected script is written again: a retry can cost as much as a new video.
    billing.require_credit(tx, request.organisation_id)
    limits.spend(tx, limits.windows(f"retry:{request.caller.holder}", ((limits.DAY, limits.GENERATE_A_DAY),))[0])
    return queue_next(tx, request, state, "retry")


def queue_next(tx: db.Transaction, request: Request, state: dict[str, Any], action: str) -> tuple[OrderedVideo, int]:
    """Queue the next attempt of a locked video and record `action` in the audit log."""
    attempt = videos.restart(tx, request.organisation_id, state["id"])
    audit.record(tx, request, action, "video", state["id"], attempt=attempt)
    ordered = OrderedVideo(
        job_id=executions.name(state["id"], attempt),
        video_id=state["id"],
        estimated_time=BASE_SECONDS,
        queue_position=videos.queue_position(tx, request.organisation_id, state["id"]),
    )
    return ordered, attempt


def cancel(tx: db.Transaction, request: Request, video_id: str) -> VideoProgress:
    """Cancel a video; cancelling it twice is no error. Raises Conflict if it is finished."""
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] in UNFINISHED:
        videos.cancel(tx, request.organisation_id, state["id"])
        audit.record(tx, request, "cancel", "video", state["id"], attempt=state["attempt"])
    elif state["status"] != "cancelled":
        raise Conflict(f"The video is {state['status']}: there is nothing to cancel.")
    return VideoProgress(
        video_id=state["id"],
        status="cancelled",
        progress=state["progress"],
        current_step=state["current_step"],
        attempt=state["attempt"],
        errors=[],
    )


def stop(request: Request, video_id: str, attempt: int) -> None:
    """Stop an execution, and with it its render job. The sweeper repeats this if the call fails."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        executions.stop(video_id, attempt, "The user cancelled the video.")
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "not stopped", video_id=video_id, reason=str(error)[:500])

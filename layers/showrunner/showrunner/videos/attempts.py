"""Retry and cancel the production of a video."""

import json
from collections.abc import Callable
from typing import Any

from showrunner.access import limits
from showrunner.database import db, pages
from showrunner.errors import Conflict, DatabaseUnavailable, ShowrunnerError
from showrunner.production.estimate import BASE_SECONDS
from showrunner.store.ledger import billing
from showrunner.store.studio import videos
from showrunner.videos import executions, ordering
from showrunner.videos.orders import BURST
from showrunner.videos.schemas import (
    MAX_BATCH,
    BulkRetry,
    BulkRetryResult,
    OrderedVideo,
    RetriedVideo,
    VideoProgress,
)
from showrunner.web import answers, audit, idempotency, log
from showrunner.web.answers import Answer
from showrunner.web.application import LATER, Routes
from showrunner.web.routing import Request

routes = Routes()

UNFINISHED = ("queued", "processing")
# What a cancelled video may have been.
CANCELLABLE = (*UNFINISHED, "script_ready")


@routes.post(
    "/api/v1/videos/{video_id}/retry",
    permission="videos:write",
    **LATER,
    answer=OrderedVideo,
    errors=(402, 409),
)
def retry(request: Request, video_id: str) -> Answer:
    """Start a new attempt of a video that failed, was cancelled or lost its execution.

    Finished work is reused.
    """
    with db.reading() as tx:
        seen = videos.get_state(tx, request.organisation_id, video_id)
    dead = _is_dead(seen)
    return start_next(request, seen["id"], lambda tx: _queue_retry(tx, request, seen, dead=dead))


@routes.post(
    "/api/v1/videos/retry",
    permission="videos:write",
    **LATER,
    answer=BulkRetryResult,
    limits=BURST,
    errors=(402,),
)
def retry_each(request: Request, body: BulkRetry) -> Answer:
    """Retry up to 50 failed or cancelled videos after an outage, each on its own; the oldest first.

    With `dry_run` the videos that match are returned, and nothing is changed.
    """
    filters = body.model_dump(exclude={"dry_run"})
    page = pages.PageRequest(MAX_BATCH, None, None, "created_at")
    if body.dry_run:
        with db.reading() as tx:
            found, more = _matching(tx, request, filters, page)
        results = [RetriedVideo(video_id=seen["id"], status="matches") for seen in found]
        return Answer(BulkRetryResult(dry_run=True, results=results, more=more), 202)
    ordering.announce_work(request)
    queued: list[tuple[str, int]] = []

    def add(tx: db.Transaction) -> Answer:
        found, more = _matching(tx, request, filters, page)
        results = [_retry_one(request, seen, queued) for seen in found]
        return Answer(BulkRetryResult(dry_run=False, results=results, more=more), 202)

    answer = idempotency.once(request, add)
    for video_id, attempt in queued:
        ordering.start(request, [video_id], attempt)
    return answer


def _matching(
    tx: db.Transaction, request: Request, filters: dict[str, Any], page: pages.PageRequest
) -> tuple[list[dict[str, Any]], bool]:
    listed = videos.list_(tx, request.organisation_id, filters, page)
    return json.loads(listed.rows), listed.pagination["next_cursor"] is not None


def _retry_one(request: Request, seen: dict[str, Any], queued: list[tuple[str, int]]) -> RetriedVideo:
    """Retry one video in a savepoint. A refused one stops no other."""
    try:
        with db.transaction() as inner:
            _, attempt = _queue_retry(inner, request, seen, dead=False)
    except DatabaseUnavailable:
        raise
    except ShowrunnerError as error:
        return RetriedVideo(video_id=seen["id"], status="rejected", error=answers.rejection(request, error))
    queued.append((seen["id"], attempt))
    return RetriedVideo(video_id=seen["id"], status="accepted")


@routes.post(
    "/api/v1/videos/{video_id}/continue",
    permission="videos:write",
    **LATER,
    answer=OrderedVideo,
    errors=(402, 409),
)
def proceed(request: Request, video_id: str) -> Answer:
    """Go on with a video that stopped after its script. The script is not paid for again."""
    return start_next(request, video_id.lower(), lambda tx: _queue_rest(tx, request, video_id))


def start_next(
    request: Request, video_id: str, queue: Callable[[db.Transaction], tuple[OrderedVideo, int]]
) -> Answer:
    ordering.announce_work(request)
    queued: list[int] = []

    def add(tx: db.Transaction) -> Answer:
        ordered, attempt = queue(tx)
        queued.append(attempt)
        return Answer(ordered, 202)

    answer = idempotency.once(request, add)
    for attempt in queued:
        ordering.start(request, [video_id], attempt)
    return answer


@routes.post(
    "/api/v1/videos/{video_id}/cancel",
    permission="videos:write",
    answer=VideoProgress,
    idempotent=True,
    errors=(409,),
)
def cancel(request: Request, video_id: str) -> Answer:
    """Cancel a video: no new paid call begins, and a running render is stopped."""
    ordering.announce_work(request)
    cancelled: list[int] = []

    def end(tx: db.Transaction) -> Answer:
        progress = _cancel(tx, request, video_id)
        cancelled.append(progress.attempt)
        return Answer(progress)

    answer = idempotency.once(request, end)
    for attempt in cancelled:
        _stop(request, video_id.lower(), attempt)
    return answer


def _is_dead(state: dict[str, Any]) -> bool:
    """Return whether an unfinished video has no running execution.

    Asks Step Functions: no transaction may be open.
    """
    return state["status"] in UNFINISHED and executions.status(state["id"], state["attempt"]) != "RUNNING"


def _queue_retry(
    tx: db.Transaction, request: Request, seen: dict[str, Any], *, dead: bool
) -> tuple[OrderedVideo, int]:
    """Queue the next attempt and return it with its number. `seen` is the state for which `dead` was found.

    Raises Conflict if the video is neither failed, cancelled nor dead, PaymentRequired, LimitExceeded."""
    state = videos.get_state(tx, request.organisation_id, seen["id"], locked=True)
    moved = (state["status"], state["attempt"]) != (seen["status"], seen["attempt"])
    if moved or not (dead or state["status"] in ("failed", "cancelled")):
        raise Conflict(
            f"The video is {state['status']}: only one that failed or was cancelled can be retried."
        )
    # A rejected script is written again: a retry can cost as much as a new video.
    billing.require_credit(tx, request.organisation_id)
    limits.spend_videos(tx, request.caller, "retry")
    return queue_next(tx, request, state, "retry")


def queue_next(
    tx: db.Transaction, request: Request, state: dict[str, Any], action: str
) -> tuple[OrderedVideo, int]:
    """Queue the next attempt of a locked video and record `action` in the audit log."""
    attempt = videos.restart(tx, request.organisation_id, state["id"])
    audit.record(tx, request, action, "video", state["id"], attempt=attempt)
    ordered = OrderedVideo(
        job_id=executions.job_id(state["id"], attempt),
        video_id=state["id"],
        estimated_time=BASE_SECONDS,
        queue_position=videos.queue_position(tx, request.organisation_id, state["id"]),
        estimated_duration=state["length_seconds"] or 0,
        warnings=[],
    )
    return ordered, attempt


def _queue_rest(tx: db.Transaction, request: Request, video_id: str) -> tuple[OrderedVideo, int]:
    """Queue the rest of a production that stopped after its script. Raises Conflict, PaymentRequired."""
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] != "script_ready":
        raise Conflict(f"The video is {state['status']}: only one with status script_ready can be continued.")
    billing.require_credit(tx, request.organisation_id)
    videos.clear_stop(tx, request.organisation_id, state["id"])
    return queue_next(tx, request, state, "continue")


def _cancel(tx: db.Transaction, request: Request, video_id: str) -> VideoProgress:
    """Cancel a video; cancelling it twice is no error. Raises Conflict if it is finished."""
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] in CANCELLABLE:
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


def _stop(request: Request, video_id: str, attempt: int) -> None:
    """Stop an execution, and with it its render job. The sweeper repeats this if the call fails."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        executions.stop(video_id, attempt, "The user cancelled the video.")
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "not stopped", video_id=video_id, reason=str(error)[:500])

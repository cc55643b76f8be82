"""Platform API: /api/v1/videos -> video rows, executions of the production machine, signed links."""

from typing import Any

from showrunner.database import db, pages
from showrunner.store.studio import videos
from showrunner.videos import attempts, editing, files, ordering, publishing, upload_state
from showrunner.videos.schemas import (
    Batch,
    BatchResult,
    Brief,
    CostSheet,
    DownloadLinks,
    OrderedVideo,
    Publication,
    PublishRequest,
    VideoChanges,
    VideoFilter,
    VideoList,
    VideoProgress,
    VideoResponse,
)
from showrunner.web import answers, application, audit, fields, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.routing import Request

app = Application("videos")


@app.post(
    "/api/v1/videos/generate",
    permission="videos:write",
    answer=OrderedVideo,
    status=202,
    idempotent=True,
    errors=(402, 404, 409),
    verified=True,
)
def generate(request: Request, body: Brief) -> Answer:
    """Order a video. The brief becomes a queued video, and its production starts."""
    ordering.check_uploads(request, body.assets)
    ordering.announce_work(request)
    added: list[str] = []

    def order(tx: db.Transaction) -> Answer:
        ordered = ordering.accept(tx, request, body)
        added.append(ordered.video_id)
        return Answer(ordered, 202)

    answer = idempotency.once(request, order)
    ordering.start(request, added)
    return answer


@app.post(
    "/api/v1/videos/generate/batch",
    permission="videos:write",
    answer=BatchResult,
    status=202,
    max_bytes=2 * fields.MEGABYTE,
    idempotent=True,
    errors=(409,),
    verified=True,
)
def generate_batch(request: Request, body: Batch) -> Answer:
    """Order up to 50 videos. Each brief is accepted or refused on its own."""
    briefs = ordering.read_briefs(body)
    ordering.check_uploads(request, [asset for brief in briefs if isinstance(brief, Brief) for asset in brief.assets])
    ordering.announce_work(request)
    added: list[str] = []

    def order(_: db.Transaction) -> Answer:
        result = ordering.accept_each(request, briefs)
        added.extend(each["video_id"] for each in result.results if each["status"] == "accepted")
        return Answer(result, 202)

    answer = idempotency.once(request, order)
    ordering.start(request, added)
    return answer


@app.get("/api/v1/videos", permission="videos:read", answer=VideoList)
def list_videos(request: Request, query: VideoFilter) -> Answer:
    """List the organisation's videos, newest first."""
    filters = query.model_dump(include={"channel_id", "status", "date_from", "date_to"})
    page = pages.PageRequest(query.limit, query.page, query.cursor, query.sort)
    with db.reading() as tx:
        return answers.listed("videos", videos.list_(tx, request.organisation_id, filters, page))


@app.get("/api/v1/videos/{video_id}", permission="videos:read", answer=VideoResponse)
def show(request: Request, video_id: str) -> Answer:
    """Return one video with its log and costs."""
    with db.reading() as tx:
        return Answer(videos.get(tx, request.organisation_id, video_id))


@app.get("/api/v1/videos/{video_id}/status", permission="videos:read", answer=VideoProgress)
def show_status(request: Request, video_id: str) -> VideoProgress:
    """Return how far the production is, and its error if it failed."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    return VideoProgress(
        video_id=state["id"],
        status=state["status"],
        progress=files.current_progress(request.organisation_id, state),
        current_step=state["current_step"],
        attempt=state["attempt"],
        errors=[state["error"]] if state["error"] else [],
    )


@app.get("/api/v1/videos/{video_id}/cost", permission="videos:read", answer=CostSheet)
def show_cost(request: Request, video_id: str) -> Answer:
    """Return what the video cost so far, by step and by charge."""
    with db.reading() as tx:
        return Answer(videos.get_costs(tx, request.organisation_id, video_id))


@app.get("/api/v1/videos/{video_id}/download", permission="videos:read", answer=DownloadLinks, errors=(409,))
def download(request: Request, video_id: str) -> DownloadLinks:
    """Return signed links to the finished files. They expire after an hour."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    return DownloadLinks(video_id=state["id"], **files.download_links(state))


@app.put("/api/v1/videos/{video_id}", permission="videos:write", answer=VideoResponse, errors=(409,))
def change(request: Request, video_id: str, body: VideoChanges) -> Answer:
    """Change title, description, tags or thumbnail of a video that isn't being made."""
    ordering.check_uploads(request, [body.thumbnail] if body.thumbnail else [])
    with db.transaction() as tx:
        video, publication = editing.change(tx, request, video_id, body)
    if publication:
        publishing.start_patiently(request, publication)
    return Answer(video)


@app.delete("/api/v1/videos/{video_id}", permission="videos:write", status=204, errors=(409,))
def remove(request: Request, video_id: str) -> Answer:
    """Remove a video that isn't being made, on YouTube too. An upload that is under way stops."""
    with db.transaction() as tx:
        publication, stopped = editing.remove(tx, request, video_id)
    if stopped:
        upload_state.cancel(stopped)
    if publication:
        publishing.start_patiently(request, publication)
    return Answer(status=204)


@app.post(
    "/api/v1/videos/{video_id}/publish",
    permission="videos:write",
    answer=Publication,
    status=202,
    idempotent=True,
    errors=(409,),
    verified=True,
)
def publish(request: Request, video_id: str, body: PublishRequest) -> Answer:
    """Publish a finished video on YouTube, or repeat what is missing of one that is there. Two calls at once make one upload."""
    ordering.announce_work(request)
    begun: list[dict[str, Any]] = []

    def work(tx: db.Transaction) -> Answer:
        row, begins = publishing.publish(tx, request.organisation_id, video_id, body)
        if begins:
            begun.append(row)
            audit.record(tx, request, "publish", "video", row["video_id"], attempt=row["attempt"], privacy=row["metadata"]["privacy"])
        return Answer(publishing.describe(row, videos.get_state(tx, request.organisation_id, video_id)["status"]), 202)

    answer = idempotency.once(request, work)
    for row in begun:
        publishing.start_patiently(request, row)
    return answer


@app.post(
    "/api/v1/videos/{video_id}/retry",
    permission="videos:write",
    answer=OrderedVideo,
    status=202,
    idempotent=True,
    errors=(402, 409),
    verified=True,
)
def retry(request: Request, video_id: str) -> Answer:
    """Start a new attempt of a video that failed, was cancelled or lost its execution. Finished work is reused."""
    with db.reading() as tx:
        seen = videos.get_state(tx, request.organisation_id, video_id)
    dead = attempts.is_dead(seen)
    ordering.announce_work(request)
    queued: list[int] = []

    def queue(tx: db.Transaction) -> Answer:
        ordered, attempt = attempts.retry(tx, request, seen, dead=dead)
        queued.append(attempt)
        return Answer(ordered, 202)

    answer = idempotency.once(request, queue)
    for attempt in queued:
        ordering.start(request, [seen["id"]], attempt)
    return answer


@app.post("/api/v1/videos/{video_id}/cancel", permission="videos:write", answer=VideoProgress, idempotent=True, errors=(409,))
def cancel(request: Request, video_id: str) -> Answer:
    """Cancel a video: no new paid call begins, and a running render is stopped."""
    ordering.announce_work(request)
    cancelled: list[int] = []

    def end(tx: db.Transaction) -> Answer:
        progress = attempts.cancel(tx, request, video_id)
        cancelled.append(progress.attempt)
        return Answer(progress)

    answer = idempotency.once(request, end)
    for attempt in cancelled:
        attempts.stop(request, video_id.lower(), attempt)
    return answer


handler = application.handler(app)

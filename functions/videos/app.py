"""Platform API: /api/v1/videos -> video rows, executions of the production machine, signed links."""

from showrunner.database import db, pages
from showrunner.store.studio import videos
from showrunner.videos import (
    approval,
    attempts,
    editing,
    files,
    ordering,
    publish_orders,
    publishing,
    scripts,
    upload_state,
)
from showrunner.videos.schemas import (
    Batch,
    BatchResult,
    Brief,
    BulkRetry,
    BulkRetryResult,
    CostSheet,
    DownloadLinks,
    OrderedVideo,
    Publication,
    PublishRequest,
    Rejection,
    ScriptChanges,
    Transcript,
    VideoChanges,
    VideoEstimate,
    VideoFilter,
    VideoList,
    VideoProgress,
    VideoResponse,
    VideoScript,
    VoiceList,
)
from showrunner.web import answers, application, fields
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.routing import Request

app = Application("videos")

# Calls a minute: a batch is one call. Enough for a person, too few for a loop that orders by mistake.
BURST = ((60, 10),)


@app.post(
    "/api/v1/videos/generate",
    permission="videos:write",
    limits=BURST,
    answer=OrderedVideo,
    status=202,
    idempotent=True,
    errors=(402, 404, 409),
    verified=True,
)
def generate(request: Request, body: Brief) -> Answer:
    """Order a video. The brief becomes a queued video, and its production starts."""
    return ordering.order_one(request, body)


@app.post(
    "/api/v1/videos/generate/batch",
    permission="videos:write",
    limits=BURST,
    answer=BatchResult,
    status=202,
    max_bytes=2 * fields.MEGABYTE,
    idempotent=True,
    errors=(409,),
    verified=True,
)
def generate_batch(request: Request, body: Batch) -> Answer:
    """Order up to 50 videos. Each brief is accepted or refused on its own."""
    return ordering.order_each(request, body)


@app.post("/api/v1/videos/estimate", permission="videos:write", answer=VideoEstimate, errors=(404, 409))
def estimate(request: Request, body: Brief) -> VideoEstimate:
    """Return what a brief would take and cost, without ordering it."""
    with db.reading() as tx:
        return ordering.estimate_brief(tx, request, body)


@app.get("/api/v1/voices", permission="videos:read", answer=VoiceList)
def list_voices(request: Request) -> VoiceList:
    """List the voices and the languages that they speak on this stage."""
    return ordering.list_voices()


@app.get("/api/v1/videos", permission="videos:read", answer=VideoList)
def list_videos(request: Request, query: VideoFilter) -> Answer:
    """List the organisation's videos, newest first."""
    filters = query.model_dump(include={"channel_id", "status", "created_by", "date_from", "date_to"})
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
    """Publish a finished video on YouTube, or repeat what is missing of one that is there.

    Two calls at once make one upload.
    """
    return publish_orders.order(request, video_id, body)


@app.post(
    "/api/v1/videos/{video_id}/approve",
    permission="videos:publish",
    answer=VideoProgress,
    status=202,
    idempotent=True,
    errors=(409,),
    verified=True,
)
def approve(request: Request, video_id: str) -> Answer:
    """Approve a finished video of a channel with `review`. It is published as the channel's settings say."""
    return approval.approve(request, video_id)


@app.post(
    "/api/v1/videos/{video_id}/reject",
    permission="videos:publish",
    answer=VideoProgress,
    idempotent=True,
    errors=(409,),
)
def reject(request: Request, video_id: str, body: Rejection) -> Answer:
    """Reject a finished video with the reason. It is cancelled; a retry makes it again."""
    return approval.reject(request, video_id, body)


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
    """Start a new attempt of a video that failed, was cancelled or lost its execution.

    Finished work is reused.
    """
    return attempts.retry_video(request, video_id)


@app.post(
    "/api/v1/videos/retry",
    permission="videos:write",
    limits=BURST,
    answer=BulkRetryResult,
    status=202,
    idempotent=True,
    errors=(402,),
    verified=True,
)
def retry_each(request: Request, body: BulkRetry) -> Answer:
    """Retry up to 50 failed or cancelled videos after an outage, each on its own; the oldest first.

    With `dry_run` the videos that match are returned, and nothing is changed.
    """
    return attempts.retry_each(request, body)


@app.get("/api/v1/videos/{video_id}/script", permission="videos:read", answer=VideoScript, errors=(409,))
def show_script(request: Request, video_id: str) -> VideoScript:
    """Return the script, and what the rest of the production would cost."""
    return scripts.show(request, video_id)


@app.get("/api/v1/videos/{video_id}/transcript", permission="videos:read", answer=Transcript, errors=(409,))
def show_transcript(request: Request, video_id: str) -> Transcript:
    """Return what is spoken in the video, with the times of each passage."""
    return scripts.transcribe(request, video_id)


@app.put("/api/v1/videos/{video_id}/script", permission="videos:write", answer=VideoScript, errors=(409,))
def edit_script(request: Request, video_id: str, body: ScriptChanges) -> VideoScript:
    """Edit the script of a video that waits for its owner (script_ready)."""
    return scripts.edit(request, video_id, body)


@app.post(
    "/api/v1/videos/{video_id}/continue",
    permission="videos:write",
    answer=OrderedVideo,
    status=202,
    idempotent=True,
    errors=(402, 409),
    verified=True,
)
def proceed(request: Request, video_id: str) -> Answer:
    """Go on with a video that stopped after its script. The script is not paid for again."""
    return attempts.continue_video(request, video_id)


@app.post(
    "/api/v1/videos/{video_id}/cancel",
    permission="videos:write",
    answer=VideoProgress,
    idempotent=True,
    errors=(409,),
)
def cancel(request: Request, video_id: str) -> Answer:
    """Cancel a video: no new paid call begins, and a running render is stopped."""
    return attempts.cancel_video(request, video_id)


handler = application.handler(app)

"""List videos, and show one with its progress, its costs and its files."""

from showrunner.database import db
from showrunner.store.studio import videos
from showrunner.videos import files
from showrunner.videos.schemas import (
    CostSheet,
    DownloadLinks,
    VideoFilter,
    VideoList,
    VideoProgress,
    VideoResponse,
)
from showrunner.web import answers
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/videos", permission="videos:read", answer=VideoList)
def list_videos(request: Request, query: VideoFilter) -> Answer:
    """List the organisation's videos, newest first."""
    filters = query.model_dump(include={"channel_id", "status", "created_by", "date_from", "date_to"})
    with db.reading() as tx:
        return answers.listed("videos", videos.list_(tx, request.organisation_id, filters, query.request()))


@routes.get("/api/v1/videos/{video_id}", permission="videos:read", answer=VideoResponse)
def show(request: Request, video_id: str) -> Answer:
    """Return one video with its log and costs."""
    with db.reading() as tx:
        return Answer(videos.get(tx, request.organisation_id, video_id))


@routes.get("/api/v1/videos/{video_id}/status", permission="videos:read", answer=VideoProgress)
def show_status(request: Request, video_id: str) -> VideoProgress:
    """Return how far the production is, and its error if it failed."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    return files.show_progress(request.organisation_id, state)


@routes.get("/api/v1/videos/{video_id}/cost", permission="videos:read", answer=CostSheet)
def show_cost(request: Request, video_id: str) -> Answer:
    """Return what the video cost so far, by step and by charge."""
    with db.reading() as tx:
        return Answer(videos.get_costs(tx, request.organisation_id, video_id))


@routes.get(
    "/api/v1/videos/{video_id}/download", permission="videos:read", answer=DownloadLinks, errors=(409,)
)
def download(request: Request, video_id: str) -> DownloadLinks:
    """Return signed links to the finished files. They expire after an hour."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    return DownloadLinks(video_id=state["id"], **files.download_links(state))

"""The routes that search a content owner's videos, assets, claims and conflicts."""

from typing import Any

from showrunner.database import db
from showrunner.database.pages import List
from showrunner.errors import NotFound
from showrunner.rights.catalogue_schemas import (
    CmsAssetFilter,
    CmsAssetList,
    CmsClaimFilter,
    CmsClaimList,
    CmsConflictFilter,
    CmsConflictList,
    CmsVideoDetails,
    CmsVideoFilter,
    CmsVideoList,
)
from showrunner.store.rights import catalogue
from showrunner.web import answers
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.fields import Page
from showrunner.web.routing import Request

routes = Routes()


@routes.get("/api/v1/cms/videos", permission="cms:read", answer=CmsVideoList)
def list_videos(request: Request, query: CmsVideoFilter) -> Answer:
    """List the videos of the newest reports, newest first, each once."""
    return _page(request, catalogue.VIDEOS, query)


@routes.get("/api/v1/cms/videos/{video}", permission="cms:read", answer=CmsVideoDetails)
def show_video(request: Request, video: str) -> Answer:
    """Show a video by its id on YouTube: all columns of its report, its claims, and what has changed."""
    if len(video) > 100:
        raise NotFound("There is no such video in the reports.")
    with db.reading() as tx:
        return Answer(catalogue.get_video(tx, request.organisation_id, video))


@routes.get("/api/v1/cms/assets", permission="cms:read", answer=CmsAssetList)
def list_assets(request: Request, query: CmsAssetFilter) -> Answer:
    """List the assets of the newest reports, by their views of a day."""
    return _page(request, catalogue.ASSETS, query)


@routes.get("/api/v1/cms/claims", permission="cms:read", answer=CmsClaimList)
def list_claims(request: Request, query: CmsClaimFilter) -> Answer:
    """List the claims of the newest reports, newest first."""
    return _page(request, catalogue.CLAIMS, query)


@routes.get("/api/v1/cms/conflicts", permission="cms:read", answer=CmsConflictList)
def list_conflicts(request: Request, query: CmsConflictFilter) -> Answer:
    """List the conflicts of ownership, those with the most views first."""
    return _page(request, catalogue.CONFLICTS, query)


def _page(request: Request, definition: List, query: Page) -> Answer:
    filters: dict[str, Any] = query.model_dump(exclude=set(Page.model_fields))
    with db.transaction() as tx:
        found = catalogue.select(tx, definition, request.organisation_id, filters, query.request())
    return answers.listed(definition.name, found)

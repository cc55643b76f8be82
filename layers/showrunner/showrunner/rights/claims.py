"""The routes of a video's claims and policy, and of a channel, as the content owner has them."""

import re
from typing import Any

from showrunner.database import db
from showrunner.errors import NotFound
from showrunner.rights import change_requests, proposals
from showrunner.rights.catalogue_schemas import CmsChannelDetails
from showrunner.rights.change_files import Proposal
from showrunner.rights.change_schemas import ClaimsChange, DryRun, NewClaim, PolicyChoice
from showrunner.store.rights import catalogue
from showrunner.web import idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

VIDEO = "/api/v1/cms/videos/{video}"
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)


@routes.post(
    f"{VIDEO}/claims", permission="cms:write", answer=ClaimsChange, status=202, errors=(409,), idempotent=True
)
def claim_video(request: Request, video: str, body: NewClaim, query: DryRun) -> Answer:
    """Claim a video for an asset, as a change set of one row: `?dry_run=true` only shows it.

    If YouTube has a claim for this video, asset and content type, it is left as it is. It is sent at once,
    unless the organisation requires that a second person approves it.
    """
    if not _VIDEO_ID.fullmatch(video):
        raise NotFound("There is no such video on YouTube.")
    proposal = Proposal(1, video, body.model_dump(exclude_none=True), None)
    return _change(request, "claim", f"Claim of {video}", [proposal], is_dry=query.dry_run)


@routes.put(
    f"{VIDEO}/policy", permission="cms:write", answer=ClaimsChange, status=202, errors=(409,), idempotent=True
)
def set_policy(request: Request, video: str, body: PolicyChoice, query: DryRun) -> Answer:
    """Give all of your claims on a video another policy: `?dry_run=true` only shows it.

    It is a change set with a row for each claim that hasn't ended in the newest reports.
    """
    with db.reading() as tx:
        found = catalogue.list_claims_on(tx, request.organisation_id, [video])
    if not found:
        raise NotFound("The newest reports have no claim of yours on this video: POST …/claims makes one.")
    policy = body.model_dump(exclude_none=True)
    rows = [
        Proposal(number, video, {**policy, "claim_id": each["claim_id"]}, None)
        for number, each in enumerate(found, 1)
    ]
    return _change(request, "claim_policy", f"Policy of {video}", rows, is_dry=query.dry_run)


def _change(request: Request, kind: str, name: str, rows: list[Proposal], *, is_dry: bool) -> Answer:
    """Check the rows, and unless it is a dry run make a change set of them and run it."""

    def work(tx: db.Transaction) -> Answer:
        checked = list(proposals.check(tx, request.organisation_id, kind, rows))
        if is_dry:
            return _answer(None, [change_requests.shown(kind, row) for row in checked])
        change_requests.require_valid(checked, "video")
        change_set_id = change_requests.add(tx, request, kind, name, rows)
        found = change_requests.run_at_once(tx, request, change_set_id)
        shown = [change_requests.shown(kind, row) for row in checked]
        return _answer(found, [row | {"change_set_id": change_set_id} for row in shown])

    return idempotency.once(request, work, variant="?dry_run=true" if is_dry else "")


def _answer(change_set: dict[str, Any] | None, rows: list[dict[str, Any]]) -> Answer:
    return Answer({"change_set": change_set, "rows": rows}, 202)


@routes.get("/api/v1/cms/channels/{channel}", permission="cms:read", answer=CmsChannelDetails)
def show_channel(request: Request, channel: str) -> Answer:
    """Show a YouTube channel by its id, as the newest reports have it: its videos, and claims on them."""
    if len(channel) > 100:
        raise NotFound("There is no such channel in the reports.")
    with db.reading() as tx:
        found = catalogue.find_channel(tx, request.organisation_id, channel)
    if found is None:
        raise NotFound("There is no such channel in the reports.")
    return Answer(found)

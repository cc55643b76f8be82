"""The routes of changes on YouTube, of one video or many: dry run, approval, run, stop, undo."""

from typing import Any

from showrunner.aws import change_marks
from showrunner.database import db
from showrunner.errors import Conflict, Forbidden, InvalidRequest, NotFound
from showrunner.rights import change_requests, proposals
from showrunner.rights.change_costs import ASSET_METADATA
from showrunner.rights.change_files import Proposal
from showrunner.rights.change_schemas import (
    ChangedRows,
    ChangeSetFilter,
    ChangeSetList,
    ChangeSetResponse,
    CmsVideoChanges,
    DryRun,
    NewChangeSet,
    RowFilter,
    SyncFilter,
    SyncList,
    VideoChange,
)
from showrunner.store.rights import catalogue, change_sets
from showrunner.web import answers, audit, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Routes
from showrunner.web.routing import Request

routes = Routes()

PATH = "/api/v1/cms/changes"
VIDEO = "/api/v1/cms/videos/{video}"
# A function takes 6 MB, and the quotes of CSV double inside its JSON.
MOST_BYTES = 4 << 20


# ------------------------------------------------------------------------------------------------ One video


@routes.patch(VIDEO, permission="cms:write", answer=VideoChange, status=202, errors=(409,))
def change_video(request: Request, video: str, body: CmsVideoChanges, query: DryRun) -> Answer:
    """Change a video on YouTube, as a change set of one row: `?dry_run=true` only shows it.

    It is sent at once, unless the organisation requires that a second person approves it.
    """
    with db.transaction() as tx:
        _require_video(tx, request, video)
        parts = proposals.of_video(tx, request.organisation_id, video, body)
        return _change(tx, request, [(*each, f"Change of {video}") for each in parts], is_dry=query.dry_run)


def _change(
    tx: db.Transaction, request: Request, parts: list[tuple[str, Proposal, str]], *, is_dry: bool
) -> Answer:
    """Make change sets of one row each, and run them. Parts: kind, proposal and name, of the video first.

    Raises InvalidRequest for a row that breaks a rule, unless it is a dry run.
    """
    checked = [
        (kind, next(proposals.check(tx, request.organisation_id, kind, [proposal])))
        for kind, proposal, _ in parts
    ]
    made: list[dict[str, Any]] = [
        {"change_set": None, "row": change_requests.shown(kind, row)} for kind, row in checked
    ]
    if not is_dry:
        change_requests.require_valid([row for _, row in checked], "video")
        for each, (kind, proposal, name) in zip(made, parts, strict=True):
            id_ = change_requests.add(tx, request, kind, name, [proposal])
            each["change_set"] = change_requests.run_at_once(tx, request, id_)
            each["row"]["change_set_id"] = id_
    return Answer(made[0] | {"asset_change": made[1] if len(made) > 1 else None}, 202)


@routes.post(
    f"{VIDEO}/sync", permission="cms:write", answer=VideoChange, status=202, idempotent=True, errors=(409,)
)
def sync_video(request: Request, video: str) -> Answer:
    """Send a video's newest changes again, if they have failed."""

    def work(tx: db.Transaction) -> Answer:
        _require_video(tx, request, video)
        failed = change_sets.list_failed(tx, request.organisation_id, video)
        if not failed:
            raise Conflict("The newest changes of this video have not failed: GET /cms/syncs?video_id=…")
        parts = [(each["kind"], Proposal(1, video, _fields(each), None), each["name"]) for each in failed]
        try:
            return _change(tx, request, parts, is_dry=False)
        except InvalidRequest as error:
            raise Conflict(error.message) from error

    return idempotency.once(request, work)


def _fields(failed: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a row that has failed, as they are proposed."""
    fields = {
        name: int(value) if name == "category_id" else value
        for name, value in failed["changes"].items()
        if name in CmsVideoChanges.model_fields and value is not None
    }
    is_asset = failed["kind"] == ASSET_METADATA
    return fields | {"asset_id": failed["target"]["asset_id"]} if is_asset else fields


def _require_video(tx: db.Transaction, request: Request, video: str) -> None:
    """Raise NotFound if the organisation's reports have no such video."""
    if not catalogue.find_videos(tx, request.organisation_id, [video]):
        raise NotFound("There is no such video in the reports.")


@routes.get("/api/v1/cms/syncs", permission="cms:read", answer=SyncList)
def list_syncs(request: Request, query: SyncFilter) -> Answer:
    """List the changes that were sent to YouTube or wait for it, newest first, each with its result."""
    filters = query.model_dump(include={"status", "video_id"})
    with db.reading() as tx:
        found = change_sets.list_syncs(tx, request.organisation_id, filters, query.request())
    return answers.listed("syncs", found)


# ------------------------------------------------------------------------------------------------ Many videos


@routes.post(
    PATH,
    permission="cms:write",
    answer=ChangeSetResponse,
    status=201,
    idempotent=True,
    max_bytes=MOST_BYTES,
)
def propose(request: Request, body: NewChangeSet) -> Answer:
    """Propose changes of videos, claims or policies: each row is checked and shown, and nothing is sent.

    `POST …/run` sends them, after `POST …/approve` if the organisation requires that.
    """
    rows = proposals.read(body)

    def work(tx: db.Transaction) -> Answer:
        change_set_id = change_requests.add(tx, request, body.kind, body.name, rows)
        return Answer(change_requests.described(tx, request, change_set_id), 201)

    return idempotency.once(request, work)


@routes.get(PATH, permission="cms:read", answer=ChangeSetList)
def list_change_sets(request: Request, query: ChangeSetFilter) -> Answer:
    """List the organisation's change sets, newest first."""
    with db.reading() as tx:
        found = change_sets.list_(tx, request.organisation_id, query.status, query.request())
    return answers.listed("changes", found)


@routes.get(f"{PATH}/{{change_set_id}}", permission="cms:read", answer=ChangeSetResponse)
def show(request: Request, change_set_id: str) -> Answer:
    """Show a change set: how far it is, what the rest costs and when it will be done."""
    with db.reading() as tx:
        return Answer(change_requests.described(tx, request, change_set_id))


@routes.get(f"{PATH}/{{change_set_id}}/rows", permission="cms:read", answer=ChangedRows)
def list_rows(request: Request, change_set_id: str, query: RowFilter) -> Answer:
    """List the rows of a change set: what each changes, and what became of it."""
    with db.reading() as tx:
        change_sets.get(tx, request.organisation_id, change_set_id)
        found = change_sets.list_rows(tx, change_set_id, query.status, query.request())
    return answers.listed("rows", found)


@routes.post(
    f"{PATH}/{{change_set_id}}/approve", permission="cms:write", answer=ChangeSetResponse, errors=(409,)
)
def approve(request: Request, change_set_id: str) -> Answer:
    """Approve a change set that somebody else has proposed."""
    with db.transaction() as tx:
        row = change_sets.lock(tx, request.organisation_id, change_set_id)
        if row["status"] != "ready":
            raise Conflict(f"It is {row['status']}, and only one that is ready can be approved.")
        if row["created_by"] == change_requests.person(request):
            raise Forbidden("A second person must approve it: you have proposed it.")
        change_sets.approve(tx, row["id"], change_requests.person(request))
        audit.record(tx, request, "approve", "change_set", row["id"])
        return Answer(change_requests.described(tx, request, row["id"]))


@routes.post(
    f"{PATH}/{{change_set_id}}/run",
    permission="cms:write",
    answer=ChangeSetResponse,
    status=202,
    errors=(409,),
)
def run(request: Request, change_set_id: str) -> Answer:
    """Send the changes to YouTube, or go on with a change set that was stopped.

    It runs within the day's quota; `finish_at` says when it will be done at the latest. Rows that had an
    error are sent again, those that failed are not.
    """
    with db.transaction() as tx:
        row = change_sets.lock(tx, request.organisation_id, change_set_id)
        if row["status"] in ("running", "stopping"):
            raise Conflict(f"It is {row['status']} already.")
        if row["needs_approval"] and row["status"] == "ready":
            raise Conflict("A second person must approve it first: POST …/approve.")
        change_requests.begin(tx, request, row["id"])
        return Answer(change_requests.described(tx, request, row["id"]), 202)


@routes.post(
    f"{PATH}/{{change_set_id}}/stop", permission="cms:write", answer=ChangeSetResponse, errors=(409,)
)
def stop(request: Request, change_set_id: str) -> Answer:
    """Stop a change set that runs: no further row is begun, and within 15 minutes it has stopped."""
    with db.transaction() as tx:
        row = change_sets.lock(tx, request.organisation_id, change_set_id)
        if row["status"] not in ("running", "stopping"):
            raise Conflict(f"It is {row['status']} and doesn't run.")
        change_sets.mark_stopping(tx, row["id"])
        audit.record(tx, request, "stop", "change_set", row["id"])
        change_marks.stop(row["id"])
        return Answer(change_requests.described(tx, request, row["id"]))


@routes.post(
    f"{PATH}/{{change_set_id}}/undo",
    permission="cms:write",
    answer=ChangeSetResponse,
    status=201,
    idempotent=True,
    errors=(409,),
)
def undo(request: Request, change_set_id: str) -> Answer:
    """Propose the change set that restores what another one has written; run it like any other.

    A row whose fields somebody has changed since fails instead of being written over. Claims that were made
    are released; those that were released are made anew, with another id.
    """

    def work(tx: db.Transaction) -> Answer:
        row = change_sets.lock(tx, request.organisation_id, change_set_id)
        if row["status"] not in ("done", "stopped"):
            raise Conflict(f"It is {row['status']}: only what has ended can be undone.")
        name = f"Undo of {row['name']}"[:200]
        kind, by = change_sets.inverse_kind(row["kind"]), change_requests.person(request)
        undo_id = change_sets.add(tx, request.organisation_id, kind, name, by, row["id"])
        if not change_sets.add_inverse(tx, row["id"], row["kind"], undo_id):
            raise Conflict("It has written nothing that could be undone.")
        audit.record(tx, request, "undo", "change_set", row["id"], undo_id=undo_id)
        return Answer(change_requests.described(tx, request, undo_id), 201)

    return idempotency.once(request, work)

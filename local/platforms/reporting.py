"""YouTube Reporting API v1: types, jobs and reports of content owners and channels, and their files.

Calls are checked against the discovery document in google-api-python-client. YouTube makes some jobs by
itself (system-managed); reports are put in by POST /_state or by tests, and those of channels are invented
(channel_reports.py). A report is deleted after 60 days, one of the time before its job after 30.
https://developers.google.com/youtube/reporting
"""

import gzip
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.platforms import channel_reports, clock, discovery, owner, schemas, youtube
from local.platforms.http import Reply, Request
from local.platforms.rights import Jobs
from local.platforms.world import World
from local.platforms.youtube import ApiError

Json = dict[str, Any]
API = "youtubereporting.v1"
PREFIX = "/v1/"
PATHS = ("/v1/reportTypes", "/v1/jobs", "/v1/media")
MONETARY = "https://www.googleapis.com/auth/yt-analytics-monetary.readonly"
PAGE = 50
KEPT_DAYS, BACKFILL_DAYS = 60, 30


def answer(world: World, request: Request) -> Reply | None:
    """Return the reply to a call of this API, None for other paths. Raises owner.HangUp."""
    if not request.path.startswith(PATHS):
        return None
    media = re.fullmatch(r"/v1/media/(.+)", request.path)
    name = "media.download" if media and request.method == "GET" else ""
    path: dict[str, str] = {"resourceName": media[1]} if media else {}
    if media:
        called = discovery.document(API)["resources"]["media"]["methods"]["download"]
    else:
        found = discovery.match(API, request.method, request.path)
        if found is None:
            return Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html")
        called, path = found
        name = called["id"].removeprefix("youtubereporting.")
    if name not in METHODS:
        return Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html")
    fault = world.library.take_fault(name)
    try:
        owner.scripted(fault, before=True)
        reply = METHODS[name](_Call(world, request, called, path))
        owner.scripted(fault, before=False)
    except ApiError as error:
        return Reply.json(error.body, error.status)
    return reply


class _Call:
    """A checked call. `account`: the content owner that it is for, or the address of the person."""

    def __init__(self, world: World, request: Request, called: Json, path: dict[str, str]) -> None:
        youtube.raise_outcome(world.outcomes.take())
        grant = owner.granted(world, request, called)
        if problem := discovery.check(API, called, request.query):
            raise ApiError(400, problem.reason, problem.message, "global", "INVALID_ARGUMENT")
        owner_id = request.query.get("onBehalfOfContentOwner")
        if owner_id is not None and owner_id not in world.rights.members.get(grant.email, []):
            raise ApiError(403, "forbidden", "The caller has no permission.", "global", "PERMISSION_DENIED")
        self.world, self.request, self.query, self.path = world, request, request.query, path
        self.grant, self.called = grant, called
        # An account's channel: the one that it has chosen, or its first.
        channel_id = grant.channel or next(iter(world.owned.get(grant.email) or []), "")
        self.is_channel = owner_id is None and bool(channel_id)
        self.account = owner_id or channel_id or grant.email
        self.state: Jobs = world.reporting

    @property
    def types(self) -> dict[str, Json]:
        """The types that there are for the account."""
        return (channel_reports.TYPES if self.is_channel else {}) | self.state.types

    def reports(self) -> dict[str, Json]:
        """Return the reports that YouTube has made and not deleted yet, of all jobs."""
        now = clock.now()
        for id_, job in self.state.jobs.items():
            if job["account"] == self.account and self.is_channel:
                made = channel_reports.made(self.world, self.account, id_, job, now)
                self.state.reports = made | self.state.reports
        return {id_: each for id_, each in self.state.reports.items() if _is_kept(self.state, each, now)}

    def job(self) -> Json:
        found = self.state.jobs.get(self.path["jobId"])
        if found is None or found["account"] != self.account:
            raise ApiError(404, "notFound", "Requested entity was not found.", "global", "NOT_FOUND")
        if found.get("monetary") and MONETARY not in self.grant.scopes:
            raise ApiError(403, "forbidden", "The caller has no permission.", "global", "PERMISSION_DENIED")
        return found


def _page(call: _Call, name: str, items: list[Json]) -> Reply:
    first = call.query.get("pageToken", "0")
    if not first.isdigit() or int(first) > len(items):
        raise ApiError(400, "invalidPageToken", "Invalid page token.", "global", "INVALID_ARGUMENT")
    end = int(first) + int(call.query.get("pageSize") or PAGE)
    document: Json = {name: items[int(first) : end]} if items else {}
    return Reply.json(document | ({"nextPageToken": str(end)} if end < len(items) else {}))


def _is_shown(call: _Call, each: Json) -> bool:
    return call.query.get("includeSystemManaged") == "true" or not each.get("systemManaged")


def list_types(call: _Call) -> Reply:
    items = [{"id": id_, **each} for id_, each in call.types.items() if _is_shown(call, each)]
    return _page(call, "reportTypes", items)


def _job(id_: str, job: Json) -> Json:
    return {"id": id_, **{name: each for name, each in job.items() if name not in ("account", "monetary")}}


def list_jobs(call: _Call) -> Reply:
    mine = [
        _job(id_, each)
        for id_, each in call.state.jobs.items()
        if each["account"] == call.account and _is_shown(call, each)
    ]
    return _page(call, "jobs", mine)


def create_job(call: _Call) -> Reply:
    try:
        body: Json = json.loads(call.request.body)
    except ValueError as error:
        raise ApiError(400, "parseError", "Parse Error", "global") from error
    if problem := schemas.check_body(API, call.called, body):
        raise ApiError(400, problem.reason, problem.message, "global", "INVALID_ARGUMENT")
    type_ = call.types.get(body.get("reportTypeId", ""))
    if type_ is None or type_.get("systemManaged") or not body.get("name"):
        raise ApiError(400, "badRequest", "The report type can't have a job.", "global", "INVALID_ARGUMENT")
    jobs = call.state.jobs
    if any(
        each["account"] == call.account and each["reportTypeId"] == body["reportTypeId"]
        for each in jobs.values()
    ):
        raise ApiError(409, "alreadyExists", "Requested entity already exists", "global", "ALREADY_EXISTS")
    id_ = f"job-{len(jobs) + 1}"
    created = datetime.fromtimestamp(clock.now(), UTC).isoformat().replace("+00:00", "Z")
    jobs[id_] = {"account": call.account, **body, "createTime": created}
    return Reply.json(_job(id_, jobs[id_]))


def list_reports(call: _Call) -> Reply:
    """Answer jobs.reports.list, newest first."""
    call.job()
    after, first = call.query.get("createdAfter", ""), call.query.get("startTimeAtOrAfter", "")
    before = call.query.get("startTimeBefore", "")
    items = [
        {
            "id": id_,
            **{name: each[name] for name in ("jobId", "startTime", "endTime", "createTime")},
            "downloadUrl": f"{call.request.base}/v1/media/{call.account}/jobs/{each['jobId']}/reports/{id_}"
            "?alt=media",
        }
        for id_, each in call.reports().items()
        if each["jobId"] == call.path["jobId"]
        and (not after or _moment(each["createTime"]) > _moment(after))
        and (not first or _moment(each["startTime"]) >= _moment(first))
        and (not before or _moment(each["startTime"]) < _moment(before))
    ]
    return _page(call, "reports", sorted(items, key=lambda each: str(each["createTime"]), reverse=True))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, "badRequest", "Invalid time.", "global", "INVALID_ARGUMENT") from error


def _is_kept(state: Jobs, report: Json, now: float) -> bool:
    """Return whether YouTube still has a report: 60 days, 30 for one of the time before its job."""
    begun = state.jobs.get(report["jobId"], {}).get("createTime")
    is_backfill = begun is not None and _moment(report["endTime"]) <= _moment(begun)
    kept = BACKFILL_DAYS if is_backfill else KEPT_DAYS
    return now - _moment(report["createTime"]).timestamp() < kept * 86_400


def download(call: _Call) -> Reply:
    """Answer media.download: gzip, in parts if the caller asks for a range."""
    report = call.reports().get(call.path["resourceName"].rpartition("/")[2])
    job = call.state.jobs.get(report["jobId"]) if report else None
    mine = (call.account, call.grant.email, *call.world.rights.members.get(call.grant.email, []))
    if report is None or job is None or job["account"] not in mine or call.query.get("alt") != "media":
        raise ApiError(404, "notFound", "Requested entity was not found.", "global", "NOT_FOUND")
    headers = call.request.headers
    is_packed = "gzip" in headers.get("accept-encoding", "")
    if "file" in report:
        content = Path(report["file"]).read_bytes()
        content = content if is_packed else gzip.decompress(content)
    else:
        content = report["content"].encode()
        content = gzip.compress(content, mtime=0) if is_packed else content
    asked = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
    if not asked or not call.state.ranges:
        return Reply(200, content, "text/csv")
    first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
    if first > last:
        return Reply(416, b"", "text/csv", {"content-range": f"bytes */{len(content)}"})
    shown = {"content-range": f"bytes {first}-{last}/{len(content)}"}
    return Reply(206, content[first : last + 1], "text/csv", shown)


METHODS: dict[str, Callable[[_Call], Reply]] = {
    "reportTypes.list": list_types,
    "jobs.list": list_jobs,
    "jobs.create": create_job,
    "jobs.reports.list": list_reports,
    "media.download": download,
}

"""Platform API: what belongs to no other function -> health, documents, keys, /api/v1/admin; and, as the $default route, 404 and 405."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from showrunner import breakers, config, quotas
from showrunner.access import roles, sessions, tokens
from showrunner.aws import dynamodb, rpc, s3, ssm
from showrunner.database import db, pages
from showrunner.errors import Conflict, Forbidden, PlatformUnavailable
from showrunner.store import figures
from showrunner.store.access import maintenance
from showrunner.store.accounts import cloned_voices, members, organisations, users
from showrunner.store.audit import audit_log
from showrunner.web import answers, application, audit, docs, fields
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.fields import Body, Id, Line, Moment, Page
from showrunner.web.routing import Request

app = docs.serve(Application("admin"), Path(__file__).with_name("openapi.json"))


class KeySet(TypedDict):
    keys: list[dict[str, str]]


@app.get("/.well-known/jwks.json", permission=roles.PUBLIC, unlimited=True, answer=KeySet, max_age=300)
def jwks(request: Request) -> Any:
    """The public keys that our tokens are signed with."""
    return Answer(ssm.secret("auth/jwks"))


# Whether everything works

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
# A probe that takes longer is as good as failed: whoever asks has other things to do.
PROBE_SECONDS = 2
# Those whose caller waits behind a breaker (state.breaker); a contract test finds one that is missing.
BREAKERS = ("google", "youtube")
# What a day gives, by project and bucket: https://developers.google.com/youtube/v3/determine_quota_cost.
QUOTAS = {"youtube": {"general": 10_000}}


class Probe(TypedDict):
    status: Literal["ok", "failed"]
    milliseconds: float
    reason: str | None


class Depth(TypedDict):
    """Messages of a queue: those that wait, and those that somebody is at work on."""

    waiting: int
    in_flight: int


class SystemHealth(TypedDict):
    status: Literal["ok", "degraded", "down"]
    reasons: list[str]
    probes: dict[str, Probe]
    queues: dict[str, Depth]
    breakers: dict[str, Literal["closed", "open"]]
    timestamp: str


class Quota(TypedDict):
    project: str
    bucket: str
    day: str
    used: int
    limit: int
    resets_at: str


class Quotas(TypedDict):
    quotas: list[Quota]


@app.get("/api/v1/admin/system/health", permission="internal:read", answer=SystemHealth, open_in_maintenance=True, outlives_database=True)
@app.get("/api/v1/admin/health", permission="internal:read", answer=SystemHealth, open_in_maintenance=True, outlives_database=True)
def system_health(request: Request) -> SystemHealth:
    """What the API depends on. `down` is without the database; `degraded` without another part, or where a person is waited for: `reasons` say what."""
    probes, found = _probe_all()
    queues, states = found["queues"] or {}, found["breakers"] or {}
    reasons = [f"{name}: {probe['reason']}" for name, probe in probes.items() if probe["reason"]]
    reasons += [f"{name}: {depth['waiting']} messages were given up; mend why and send them again" for name, depth in queues.items() if _is_left(name, depth)]
    reasons += [
        f"{name}: it failed {breakers.FAILURES} times in a row and is left alone for {breakers.PAUSE_SECONDS} s"
        for name, is_ in states.items()
        if is_ == "open"
    ]
    status: Literal["ok", "degraded", "down"] = "down" if probes["database"]["reason"] else "degraded" if reasons else "ok"
    return {"status": status, "reasons": reasons, "probes": probes, "queues": queues, "breakers": states, "timestamp": docs.now()}


def _is_left(queue: str, depth: Depth) -> bool:
    return depth["waiting"] > 0 and queue.endswith(("-dead", "undelivered-events"))


def _probe_all() -> tuple[dict[str, Probe], dict[str, Any]]:
    """Outcome and answer of every probe, all asked at the same time."""
    until = time.monotonic() + PROBE_SECONDS
    pool = ThreadPoolExecutor(len(PROBES))
    asked = {name: pool.submit(_timed, probe) for name, probe in PROBES.items()}
    told = {name: _probed(future, until) for name, future in asked.items()}
    pool.shutdown(wait=False)
    return {name: probe for name, (probe, _) in told.items()}, {name: answer for name, (_, answer) in told.items()}


def _timed(probe: Callable[[], Any]) -> tuple[float, str | None, Any]:
    """Milliseconds, why it failed, and what it found."""
    begun, reason, answer = time.perf_counter(), None, None
    try:
        answer = probe()
    except Exception as error:  # noqa: BLE001 - whatever a part fails with is what health is asked for
        reason = type(error).__name__
    return round((time.perf_counter() - begun) * 1000, 1), reason, answer


def _probed(asked: Future[tuple[float, str | None, Any]], until: float) -> tuple[Probe, Any]:
    try:
        milliseconds, reason, answer = asked.result(max(0.0, until - time.monotonic()))
    except TookTooLong:
        milliseconds, reason, answer = PROBE_SECONDS * 1000, f"no answer within {PROBE_SECONDS} s", None
    return {"status": "failed" if reason else "ok", "milliseconds": milliseconds, "reason": reason}, answer


def _ask_database() -> None:
    """On a connection of its own thread, so that one that hangs doesn't take the request's with it."""
    try:
        with db.reading() as tx:
            db.value(tx, "SELECT 1")
    finally:
        db.close()


def _ask_state_table() -> None:
    dynamodb.find("health", "probe")


def _ask_queues() -> dict[str, Depth]:
    """By the queue's name without that of the stage."""
    urls = config.setting("QUEUE_URLS").split(",")
    return {url.rpartition("/")[2].removeprefix(f"showrunner-{config.setting('STAGE')}-"): _depth(url) for url in urls}


def _depth(url: str) -> Depth:
    names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    told = rpc.call("sqs", "GetQueueAttributes", {"QueueUrl": url, "AttributeNames": list(names)})["Attributes"]
    return {"waiting": int(told[names[0]]), "in_flight": int(told[names[1]])}


def _ask_breakers() -> dict[str, Literal["closed", "open"]]:
    return {platform: "open" if _is_broken(platform) else "closed" for platform in BREAKERS}


def _is_broken(platform: str) -> bool:
    try:
        breakers.check(platform)
    except PlatformUnavailable:
        return True
    return False


PROBES: dict[str, Callable[[], Any]] = {
    "database": _ask_database,
    "object_store": s3.probe,
    "state_table": _ask_state_table,
    "queues": _ask_queues,
    "breakers": _ask_breakers,
}


@app.get("/api/v1/admin/system/metrics", permission="internal:read", content_type=PROMETHEUS, open_in_maintenance=True)
@app.get("/api/v1/admin/metrics", permission="internal:read", content_type=PROMETHEUS, open_in_maintenance=True)
def system_metrics(request: Request) -> Answer:
    """Figures in Prometheus' text format. What can't be asked now is left out, and `showrunner_up` says so."""
    with db.reading() as tx:
        families = figures.list_(tx)
    lines = []
    for name, (words, samples) in (families | _figures_of_parts()).items():
        lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
        lines += [f"{name}{{{_labels(labels)}}} {value}" if labels else f"{name} {value}" for labels, value in samples]
    return Answer("\n".join(lines) + "\n", content_type=PROMETHEUS)


def _figures_of_parts() -> figures.Figures:
    probes, found = _probe_all()
    queues, states = found["queues"] or {}, found["breakers"] or {}
    messages = [({"queue": name, "state": kind}, depth[kind]) for name, depth in queues.items() for kind in ("waiting", "in_flight")]
    return {
        "showrunner_up": ("1 for each part that answers.", [({"part": name}, int(probe["status"] == "ok")) for name, probe in probes.items()]),
        "showrunner_queue_messages": ("Messages in the queues.", messages),
        "showrunner_breaker_open": (
            "1 while a platform is left alone after failing.",
            [({"platform": name}, int(is_ == "open")) for name, is_ in states.items()],
        ),
    }


def _labels(labels: dict[str, str]) -> str:
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for name, value in labels.items()}
    return ",".join(f'{name}="{value}"' for name, value in escaped.items())


@app.get("/api/v1/admin/quotas", permission="admin:all", answer=Quotas, open_in_maintenance=True)
def list_quotas(request: Request) -> Quotas:
    """What has been spent today of each platform's daily quota."""
    at = datetime.now(UTC)
    day, resets_at = quotas.pacific_day(at), quotas.pacific_midnight(at).isoformat().replace("+00:00", "Z")
    return {
        "quotas": [
            {"project": project, "bucket": bucket, "day": day, "used": quotas.spent(project, bucket, at), "limit": limit, "resets_at": resets_at}
            for project, buckets in QUOTAS.items()
            for bucket, limit in buckets.items()
        ]
    }


# What only platform admins do


class Maintenance(Body):
    """`estimated_time` in minutes."""

    enabled: Annotated[bool, Field(strict=True)]
    message: Annotated[Line, Field(max_length=500)] = "We are working on the system and will be back soon."
    estimated_time: Annotated[int, Field(ge=1, le=1440, strict=True)] = 15


class ContentOwner(Body):
    content_owner: Annotated[bool, Field(strict=True)] = True


class Voices(Body):
    """The speech provider's ids of the voices that were cloned for an organisation; these and no others."""

    voice_ids: Annotated[list[Annotated[str, Field(pattern="^[A-Za-z0-9]{10,40}$")]], Field(max_length=100)]


class UserFilter(Page):
    email: Annotated[str, Field(max_length=254, pattern="^[A-Za-z0-9@._+-]+$")] | None = None


class AuditFilter(Page):
    organisation_id: Id | None = None
    subject: Annotated[str, Field(max_length=200)] | None = None
    actor: Annotated[str, Field(max_length=200)] | None = None
    action: Annotated[str, Field(max_length=100)] | None = None
    thing: Annotated[str, Field(max_length=100)] | None = None
    thing_id: Annotated[str, Field(max_length=200)] | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None


class Users(TypedDict):
    users: list[dict[str, Any]]
    pagination: fields.Pagination


class Acting(TypedDict):
    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    user: dict[str, Any]


class MaintenanceTold(TypedDict):
    enabled: bool
    message: str | None
    estimated_time: int | None


class Events(TypedDict):
    events: list[dict[str, Any]]
    pagination: fields.Pagination


class Organisation(TypedDict):
    organisation: dict[str, Any]


@app.get("/api/v1/admin/users", permission="admin:all", answer=Users, open_in_maintenance=True)
def list_users(request: Request, query: UserFilter) -> Answer:
    """Everybody, newest first; `email` is a part of the address."""
    with db.reading() as tx:
        return answers.listed("users", users.list_(tx, query.email, _wanted(query)))


def _wanted(query: Page) -> pages.PageRequest:
    return pages.PageRequest(query.limit, query.page, query.cursor, query.sort)


@app.post("/api/v1/admin/users/{user_id}/impersonate", permission="admin:all", answer=Acting, errors=(409,), open_in_maintenance=True)
def impersonate(request: Request, user_id: str) -> Acting:
    """A token to act as somebody for half an hour. Everything done with it is in the audit log under both names."""
    caller = request.caller
    if caller.actor is not None:
        raise Forbidden("Nobody acts as somebody while acting as somebody else.")
    with db.transaction() as tx:
        member = members.get(tx, user_id)
        if member["platform_admin"]:
            raise Conflict("Nobody acts as an admin.")
        audit.record(tx, request, "impersonate", "user", member["user_id"])
    token = sessions.access_token(member, actor=caller.subject, family=caller.family)
    user = {name: member[name] for name in ("email", "full_name", "organisation_id")} | {"id": member["user_id"], "role": member["role"]}
    return {"access_token": token, "token_type": "Bearer", "expires_in": tokens.IMPERSONATION_SECONDS, "user": user}


@app.post("/api/v1/admin/maintenance", permission="admin:all", answer=MaintenanceTold, open_in_maintenance=True)
def maintain(request: Request, body: Maintenance) -> MaintenanceTold:
    """Closes the API for everybody but admins, or opens it again; the next request of anyone knows."""
    with db.transaction() as tx:
        maintenance.save(tx, body.message if body.enabled else None, body.estimated_time, request.caller.subject)
        audit.record(tx, request, "maintenance", "platform", "all", enabled=body.enabled, message=body.message)
    shown = body.enabled
    return {"enabled": shown, "message": body.message if shown else None, "estimated_time": body.estimated_time if shown else None}


@app.get("/api/v1/admin/audit", permission="admin:all", answer=Events, open_in_maintenance=True)
def list_audit(request: Request, query: AuditFilter) -> Answer:
    """Who did what, newest first."""
    filters = query.model_dump(exclude={"limit", "page", "cursor", "sort"})
    with db.reading() as tx:
        return answers.listed("events", audit_log.list_(tx, filters, _wanted(query)))


@app.post("/api/v1/admin/organisations/{organisation_id}/content-owner", permission="admin:all", answer=Organisation, open_in_maintenance=True)
def mark_content_owner(request: Request, organisation_id: str, body: ContentOwner) -> dict[str, Any]:
    """Gives an organisation's users and services the permissions on Content ID from their next login on, or takes them at once."""
    with db.transaction() as tx:
        organisations.save_content_owner(tx, organisation_id, content_owner=body.content_owner)
        audit.record(tx, request, "content_owner", "organisation", organisation_id.lower(), after={"content_owner": body.content_owner})
        return {"organisation": organisations.get(tx, organisation_id)}


@app.put("/api/v1/admin/organisations/{organisation_id}/voices", permission="admin:all", answer=Organisation, errors=(409,), open_in_maintenance=True)
def save_voices(request: Request, organisation_id: str, body: Voices) -> dict[str, Any]:
    """Says which cloned voices are an organisation's own: its channels may speak with those and nobody else's may."""
    with db.transaction() as tx:
        organisations.get(tx, organisation_id)
        cloned_voices.save(tx, organisation_id, sorted(set(body.voice_ids)))
        audit.record(tx, request, "voices", "organisation", organisation_id.lower(), after={"voices": body.voice_ids})
        return {"organisation": organisations.get(tx, organisation_id)}


handler = application.handler(app)

"""Platform API: /api/v1/videos -> video rows, executions of the production machine, signed URLs."""

import re
from typing import Annotated, Any, ClassVar, Literal, TypedDict

from pydantic import ConfigDict, Field, field_validator

from showrunner import errors
from showrunner.access import limits
from showrunner.aws import rpc, schedules
from showrunner.database import db, pages
from showrunner.errors import Conflict, InvalidRequest, NotFound, ServiceUnavailable, ShowrunnerError
from showrunner.production import voices
from showrunner.production.progress import rendering
from showrunner.store.accounts import cloned_voices
from showrunner.store.ledger import billing
from showrunner.store.studio import assets, channels, videos
from showrunner.videos import executions
from showrunner.web import answers, application, audit, fields, idempotency, log
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import checked, parse
from showrunner.web.fields import Body, Id, Line, Moment, Page, Text
from showrunner.web.routing import Request

app = Application("videos")

LENGTHS = {"short": 45, "medium": 240, "long": 600}
MOST_IN_A_BATCH = 50
# A signed link lives as long as an access token: long enough for a big file to begin, short enough that a forwarded one is soon worth nothing.
LINK_SECONDS = 3600
# How long a video takes: a start of about a minute, then twice its length for voice and render. Measured on two cores; only a hint.
BASE_SECONDS, SECONDS_PER_SECOND = 60, 2

Status = Literal["draft", "queued", "processing", "completed", "scheduled", "published", "failed", "cancelled"]
Aspect = Literal["9:16", "16:9", "1:1"]


class Brief(Body):
    """What a video is to be. One of topic, source_text and manual_script must be there; `length_seconds` goes before `length`."""

    model_config: ClassVar[ConfigDict] = {
        "json_schema_extra": {"anyOf": [{"required": [name], "properties": {name: {"type": "string"}}} for name in ("topic", "source_text", "manual_script")]}
    }

    channel_id: Id
    topic: Annotated[Line, Field(max_length=500)] | None = None
    source_text: Annotated[Text, Field(max_length=100_000)] | None = None
    manual_script: Annotated[Text, Field(max_length=60_000)] | None = None
    style: Literal["educational", "entertainment", "news"] | None = None
    length: Literal["short", "medium", "long"] = "short"
    length_seconds: Annotated[int, Field(ge=10, le=3600, strict=True)] | None = None
    voice: Literal["male1", "female1", "ai_clone"] | None = None
    aspect: Aspect | Annotated[list[Aspect], Field(min_length=1, max_length=3, json_schema_extra={"uniqueItems": True})] = "9:16"
    priority: Annotated[int, Field(ge=1, le=3, strict=True)] = 2
    assets: Annotated[list[Id], Field(max_length=50)] = Field(default_factory=list)

    @field_validator("aspect")
    @classmethod
    def _each_once(cls, value: str | list[str]) -> list[str]:
        aspects = [value] if isinstance(value, str) else value
        if len(set(aspects)) != len(aspects):
            raise ValueError("name each aspect once")
        return aspects


class Batch(Body):
    """Each entry is checked on its own, as the body of POST /videos/generate: one that is refused doesn't stop the others."""

    videos: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_IN_A_BATCH)]


class Changes(Body):
    """What may be changed of a video; what is left out stays."""

    title: Annotated[Line, Field(max_length=100)] | None = None
    description: Annotated[Text, Field(max_length=5000, description="At most 5,000 bytes in UTF-8.")] | None = None
    thumbnail: Annotated[Id | None, Field(description="The id of an uploaded thumbnail; null goes back to the rendered one.")] = None
    tags: (
        Annotated[list[Annotated[Line, Field(max_length=500)]], Field(max_length=500, description="At most 500 characters in all, by YouTube's counting.")]
        | None
    ) = None

    @field_validator("description")
    @classmethod
    def _bytes(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) > 5000:
            raise ValueError("must have at most 5,000 bytes in UTF-8")
        return value

    @field_validator("tags")
    @classmethod
    def _youtube_length(cls, value: list[str] | None) -> list[str] | None:
        from showrunner.production.script import TAGS_CHARACTERS, tags_length

        if value is not None and tags_length(value) > TAGS_CHARACTERS:
            raise ValueError("must have at most 500 characters in all, commas and the quotes around tags with spaces included")
        return value


class Filter(Page):
    channel_id: Id | None = None
    status: Status | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None


class Job(TypedDict):
    job_id: str
    video_id: str
    estimated_time: int
    queue_position: int


class Settled(TypedDict):
    accepted: int
    rejected: int
    results: list[dict[str, Any]]


class Summary(TypedDict):
    id: str
    channel_id: str
    status: Status
    title: str | None
    priority: int
    attempt: int
    progress: int
    current_step: str | None
    error: dict[str, Any] | None
    duration_seconds: float | None
    demo: bool
    created_at: str
    updated_at: str
    completed_at: str | None


class Video(Summary):
    description: str | None
    tags: list[str]
    thumbnail: str | None
    request: dict[str, Any]
    product: dict[str, Any]


class Videos(TypedDict):
    videos: list[Summary]
    pagination: fields.Pagination


class LogLine(TypedDict):
    at: str
    attempt: int
    step: str
    level: Literal["info", "warning", "error"]
    message: str


class Breakdown(TypedDict):
    script: str
    voice: str
    visuals: str
    render: str
    upload: str
    storage: str


class Costs(TypedDict):
    currency: Literal["USD"]
    total_usd: str
    list_price_only: bool
    breakdown: Breakdown


class CostSheet(Costs):
    video_id: str
    charges: list[dict[str, Any]]


class Whole(TypedDict):
    video: Video
    processing_logs: list[LogLine]
    costs: Costs


class Progress(TypedDict):
    video_id: str
    status: Status
    progress: int
    current_step: str | None
    attempt: int
    errors: list[dict[str, Any]]


class Links(TypedDict):
    video_id: str
    outputs: list[dict[str, Any]]
    expires_at: str


@app.post("/api/v1/videos/generate", permission="videos:write", answer=Job, status=202, idempotent=True, errors=(402, 404, 409), verified=True)
def generate(request: Request, body: Brief) -> Answer:
    """A brief becomes a queued video, and its production starts."""
    check_uploads(request, body.assets)
    will_be_swept(request)
    answer = idempotency.once(request, lambda tx: Answer(accept(tx, request, body, ""), 202))
    start(request, [str(_body(answer)["video_id"])])
    return answer


@app.post(
    "/api/v1/videos/generate/batch",
    permission="videos:write",
    answer=Settled,
    status=202,
    max_bytes=2 * fields.MEGABYTE,
    idempotent=True,
    errors=(409,),
    verified=True,
)
def generate_batch(request: Request, body: Batch) -> Answer:
    """Up to 50 briefs at once; each is accepted or refused on its own."""
    briefs = [read_brief(each) for each in body.videos]
    check_uploads(request, [asset for brief in briefs if isinstance(brief, Brief) for asset in brief.assets])
    will_be_swept(request)
    answer = idempotency.once(request, lambda tx: Answer(settle(tx, request, briefs), 202))
    start(request, [result["video_id"] for result in _body(answer)["results"] if result["status"] == "accepted"])
    return answer


def _body(answer: Answer) -> Any:
    return answer.body if isinstance(answer.body, dict) else parse(answer.body.encode())


def read_brief(given: dict[str, Any]) -> Brief | InvalidRequest:
    try:
        return checked(Brief, given)
    except InvalidRequest as error:
        return error


def settle(tx: db.Transaction, request: Request, briefs: list[Brief | InvalidRequest]) -> Settled:
    results = [{"index": index, **_settled(tx, request, brief, index)} for index, brief in enumerate(briefs)]
    accepted = sum(result["status"] == "accepted" for result in results)
    return {"accepted": accepted, "rejected": len(results) - accepted, "results": results}


def _settled(tx: db.Transaction, request: Request, brief: Brief | InvalidRequest, index: int) -> dict[str, Any]:
    try:
        if isinstance(brief, InvalidRequest):
            raise brief
        with db.transaction() as inner:
            return {"status": "accepted", **accept(inner, request, brief, f"videos.{index}.")}
    except errors.DatabaseUnavailable:
        raise
    except ShowrunnerError as error:
        told = answers.refusal(request, error).body["error"]
        return {"status": "rejected", "error": {name: told[name] for name in ("code", "message", "details")}}


def accept(tx: db.Transaction, request: Request, brief: Brief, prefix: str) -> Job:
    """The video's row. Raises NotFound (channel), Conflict (channel not active), InvalidRequest (voice, assets), PaymentRequired (credits), or
    LimitExceeded (the day's share)."""
    if not (brief.topic or brief.source_text or brief.manual_script):
        message = "Give a topic, a source_text or a manual_script."
        raise InvalidRequest(message, [{"field": f"{prefix}topic", "message": message}], code="MISSING_FIELD")
    organisation_id, channel_id = request.organisation_id, brief.channel_id.lower()
    channel = channels.get_for_production(tx, organisation_id, [channel_id]).get(channel_id)
    if channel is None:
        raise NotFound("There is no such channel.")
    if channel["status"] != "active":
        raise Conflict(f"The channel is {channel['status']}: set it active first.")
    order = _order(brief, channel["settings"], prefix)
    _require_voice(tx, organisation_id, order["voice"], channel["settings"], prefix)
    _require_assets(tx, request, order["assets"], prefix)
    billing.require_credit(tx, organisation_id)
    limits.spend(tx, limits.windows(f"generate:{request.caller.holder}", ((limits.DAY, limits.GENERATE_A_DAY),))[0])
    video_id = videos.add(tx, organisation_id, channel_id, order, brief.priority)
    audit.record(tx, request, "add", "video", video_id, channel_id=channel_id)
    seconds = BASE_SECONDS + SECONDS_PER_SECOND * order["length_seconds"] * len(order["aspect"])
    position = videos.queue_position(tx, organisation_id, video_id)
    return {"job_id": executions.name(video_id, 1), "video_id": video_id, "estimated_time": seconds, "queue_position": position}


def _order(brief: Brief, settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    """What the row keeps: the brief with the channel's defaults put in. Raises InvalidRequest for a language without this voice."""
    order = brief.model_dump(exclude={"channel_id", "length"})
    order["length_seconds"] = brief.length_seconds or LENGTHS[brief.length]
    order["style"] = brief.style or settings.get("style") or "educational"
    order["voice"] = brief.voice or settings.get("voice") or "female1"
    order["assets"] = [asset.lower() for asset in brief.assets]
    language = settings.get("language", "en")
    if voices.find(language, order["voice"], settings.get("voice_clone_id")) is None:
        message = f"There is no voice {order['voice']} for language {language}."
        raise InvalidRequest(message, [{"field": f"{prefix}voice", "message": message}])
    return order


def _require_voice(tx: db.Transaction, organisation_id: str, voice: str, settings: dict[str, Any], prefix: str) -> None:
    """The channel's cloned voice may have been taken from the organisation since it was set."""
    clone = settings.get("voice_clone_id")
    if voice == "ai_clone" and clone and not voices.is_configured(clone) and not cloned_voices.belongs(tx, organisation_id, clone):
        raise InvalidRequest("The channel's cloned voice can't be used.", [{"field": f"{prefix}voice", "message": "not a voice of your organisation"}])


def _require_assets(tx: db.Transaction, request: Request, wanted: list[str], prefix: str) -> None:
    ready = {str(row["id"]) for row in assets.list_ready(tx, request.organisation_id, wanted)} if wanted else set()
    missing = [
        {"field": f"{prefix}assets.{number}", "message": "not there, or not uploaded completely"} for number, asset in enumerate(wanted) if asset not in ready
    ]
    if missing:
        raise InvalidRequest("Some assets can't be used.", missing)


def check_uploads(request: Request, asset_ids: list[str]) -> None:
    """Assets that were uploaded but never looked at are checked now, before a transaction is open. Raises Conflict for more than a request can read."""
    wanted = list({asset.lower() for asset in asset_ids})
    if not wanted:
        return
    from showrunner.videos import uploads

    with db.reading() as tx:
        pending = assets.list_pending(tx, request.organisation_id, wanted)
    if sum(asset["bytes"] for asset in pending) > max(uploads.MOST_BYTES.values()):
        raise Conflict(f"Too much was uploaded that nobody has looked at yet: GET /assets/{pending[0]['id']} first, and so each of the others.")
    for asset in pending:
        uploads.check(request.organisation_id, asset["id"])


def will_be_swept(request: Request) -> None:
    """The sweeper, which puts right what fails between here and the machine, looks only when it knows of something; else it looks every few hours."""
    try:
        schedules.expect_work("sweep")
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "the sweeper was not told", reason=error.message)


def start(request: Request, video_ids: list[str], attempt: int = 1) -> None:
    """Starts executions. One that doesn't start stays queued, and the sweeper starts it under the same name."""
    from botocore.exceptions import BotoCoreError, ClientError

    for video_id in video_ids:
        try:
            executions.start(video_id, request.organisation_id, attempt)
        except (BotoCoreError, ClientError) as error:
            log.warn(request, "not started", video_id=video_id, reason=str(error)[:500])


@app.get("/api/v1/videos", permission="videos:read", answer=Videos)
def list_videos(request: Request, query: Filter) -> Answer:
    """The organisation's videos, newest first."""
    filters = {"channel_id": query.channel_id, "status": query.status, "date_from": query.date_from, "date_to": query.date_to}
    with db.reading() as tx:
        found = videos.list_(tx, request.organisation_id, filters, pages.PageRequest(query.limit, query.page, query.cursor, query.sort))
    return answers.listed("videos", found)


@app.get("/api/v1/videos/{video_id}", permission="videos:read", answer=Whole)
def show(request: Request, video_id: str) -> Answer:
    """One video with its log and its costs."""
    with db.reading() as tx:
        return Answer(videos.get(tx, request.organisation_id, video_id))


@app.get("/api/v1/videos/{video_id}/status", permission="videos:read", answer=Progress)
def show_status(request: Request, video_id: str) -> Progress:
    """Where its making stands."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    progress = _rendered(request, state) if state["current_step"] == "render" and state["status"] == "processing" else state["progress"]
    told = {name: state[name] for name in ("status", "current_step", "attempt")}
    return {"video_id": state["id"], **told, "progress": progress, "errors": [state["error"]] if state["error"] else []}


def _rendered(request: Request, state: dict[str, Any]) -> int:
    """The render says how far it is by an object beside its outputs; it has no database."""
    from showrunner.aws import s3
    from showrunner.production.files import video_folder

    said = s3.find_json(f"{video_folder(request.organisation_id, state['id'])}/render/progress.json")
    return max(int(state["progress"]), rendering(said or {}))


@app.get("/api/v1/videos/{video_id}/cost", permission="videos:read", answer=CostSheet)
def show_cost(request: Request, video_id: str) -> Answer:
    """What it cost so far, by step and by charge."""
    with db.reading() as tx:
        return Answer(videos.get_costs(tx, request.organisation_id, video_id))


@app.get("/api/v1/videos/{video_id}/download", permission="videos:read", answer=Links, errors=(409,))
def download(request: Request, video_id: str) -> Links:
    """Signed links to the finished files."""
    with db.reading() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id)
    if state["status"] == "failed":
        reason = (state["error"] or {}).get("message", "")
        raise Conflict(f"The production failed, so there is nothing to download. {reason} POST …/retry resumes it.", code="VIDEO_GENERATION_FAILED")
    if not state["product"].get("outputs"):
        raise Conflict(f"The video is {state['status']}: there is nothing to download yet.")
    return {"video_id": state["id"], **_links(state)}


def _links(state: dict[str, Any]) -> dict[str, Any]:
    from datetime import UTC, datetime, timedelta

    from showrunner.aws import s3

    stem = re.sub(r"[^a-z0-9]+", "-", (state["title"] or "video").lower()).strip("-")[:60] or "video"
    expires_at = datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)
    outputs = []
    for output in state["product"]["outputs"]:
        files = {kind: output[kind] for kind in ("video", "thumbnail", "srt", "vtt") if output.get(kind)}
        signed = {kind: s3.presigned_get(key, LINK_SECONDS, f"{stem}.{output['name']}.{key.rpartition('.')[2]}") for kind, key in files.items()}
        outputs.append({**{name: value for name, value in output.items() if name not in files}, **signed})
    return {"outputs": outputs, "expires_at": expires_at}


@app.put("/api/v1/videos/{video_id}", permission="videos:write", answer=Whole, errors=(409,))
def change(request: Request, video_id: str, body: Changes) -> Answer:
    """Title, description, tags, thumbnail."""
    check_uploads(request, [body.thumbnail] if body.thumbnail else [])
    with db.transaction() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        if state["status"] in ("queued", "processing"):
            raise Conflict(f"The video is {state['status']}: its texts are still being written.")
        _require_thumbnail(tx, request, body.thumbnail)
        videos.save(tx, request.organisation_id, video_id, body.model_dump(exclude_unset=True))
        audit.record(tx, request, "change", "video", state["id"], fields=sorted(body.model_fields_set))
        return Answer(videos.get(tx, request.organisation_id, video_id))


def _require_thumbnail(tx: db.Transaction, request: Request, asset_id: str | None) -> None:
    if asset_id and not any(row["kind"] == "thumbnail" for row in assets.list_ready(tx, request.organisation_id, [asset_id])):
        raise InvalidRequest("The thumbnail can't be used.", [{"field": "thumbnail", "message": "not a thumbnail of yours that is uploaded completely"}])


@app.delete("/api/v1/videos/{video_id}", permission="videos:write", status=204, errors=(409,))
def remove(request: Request, video_id: str) -> Answer:
    """Removes a video that isn't being made."""
    with db.transaction() as tx:
        state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
        if state["status"] in ("queued", "processing"):
            raise Conflict(f"The video is {state['status']}: cancel it first.")
        videos.remove(tx, request.organisation_id, video_id)
        audit.record(tx, request, "remove", "video", state["id"])
    return Answer(status=204)


@app.post("/api/v1/videos/{video_id}/retry", permission="videos:write", answer=Job, status=202, idempotent=True, errors=(402, 409), verified=True)
def retry(request: Request, video_id: str) -> Answer:
    """A new attempt of a video that failed, was cancelled, or whose machine has died. Finished work is not done or paid for again."""
    with db.reading() as tx:
        seen = videos.get_state(tx, request.organisation_id, video_id)
    dead = seen["status"] in ("queued", "processing") and executions.status(seen["id"], seen["attempt"]) != "RUNNING"
    will_be_swept(request)
    answer = idempotency.once(request, lambda tx: Answer(_retried(tx, request, seen, dead=dead), 202))
    _, attempt = executions.parse_name(_body(answer)["job_id"])
    start(request, [seen["id"]], attempt)
    return answer


def _retried(tx: db.Transaction, request: Request, seen: dict[str, Any], *, dead: bool) -> Job:
    state = videos.get_state(tx, request.organisation_id, seen["id"], locked=True)
    moved = (state["status"], state["attempt"]) != (seen["status"], seen["attempt"])
    if moved or not (dead or state["status"] in ("failed", "cancelled")):
        raise Conflict(f"The video is {state['status']}: only one that failed or was cancelled can be retried.")
    # A script that was refused is asked for anew: a retry can cost as much as a new video.
    billing.require_credit(tx, request.organisation_id)
    limits.spend(tx, limits.windows(f"retry:{request.caller.holder}", ((limits.DAY, limits.GENERATE_A_DAY),))[0])
    attempt = videos.restart(tx, request.organisation_id, state["id"])
    audit.record(tx, request, "retry", "video", state["id"], attempt=attempt)
    position = videos.queue_position(tx, request.organisation_id, state["id"])
    return {"job_id": executions.name(state["id"], attempt), "video_id": state["id"], "estimated_time": BASE_SECONDS, "queue_position": position}


@app.post("/api/v1/videos/{video_id}/cancel", permission="videos:write", answer=Progress, idempotent=True, errors=(409,))
def cancel(request: Request, video_id: str) -> Answer:
    """Ends the making of a video: no new paid call is begun, and a running render is ended."""
    will_be_swept(request)
    answer = idempotency.once(request, lambda tx: Answer(_cancelled(tx, request, video_id)))
    told = _body(answer)
    _stop(request, told["video_id"], told["attempt"])
    return answer


def _cancelled(tx: db.Transaction, request: Request, video_id: str) -> Progress:
    state = videos.get_state(tx, request.organisation_id, video_id, locked=True)
    if state["status"] in ("queued", "processing"):
        videos.cancel(tx, request.organisation_id, state["id"])
        audit.record(tx, request, "cancel", "video", state["id"], attempt=state["attempt"])
    elif state["status"] != "cancelled":
        raise Conflict(f"The video is {state['status']}: there is nothing to cancel.")
    told = {name: state[name] for name in ("current_step", "attempt", "progress")}
    return {"video_id": state["id"], **told, "status": "cancelled", "errors": []}


def _stop(request: Request, video_id: str, attempt: int) -> None:
    """Stops the execution, which ends its render job. The sweeper repeats it for a while where this call doesn't get through."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        executions.stop(video_id, attempt, "The user cancelled the video.")
    except (BotoCoreError, ClientError) as error:
        log.warn(request, "not stopped", video_id=video_id, reason=str(error)[:500])


handler = application.handler(app)

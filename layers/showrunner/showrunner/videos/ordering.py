"""Order videos: check briefs, add rows, start executions."""

from typing import Any

from showrunner import config, errors
from showrunner.access import limits
from showrunner.aws import rpc, schedules
from showrunner.database import db
from showrunner.errors import Conflict, InvalidRequest, NotFound, ServiceUnavailable, ShowrunnerError
from showrunner.production import voices
from showrunner.store.accounts import cloned_voices
from showrunner.store.ledger import billing
from showrunner.store.studio import assets, channels, videos
from showrunner.videos import executions
from showrunner.videos.schemas import Batch, BatchResult, Brief, OrderedVideo
from showrunner.web import answers, audit, log
from showrunner.web.body import checked
from showrunner.web.routing import Request

LENGTHS = {"short": 45, "medium": 240, "long": 600}
# A production starts in about a minute, then voice and render take twice the length. Measured on two cores; a hint.
BASE_SECONDS, SECONDS_PER_SECOND = 60, 2


def read_briefs(batch: Batch) -> list[Brief | InvalidRequest]:
    """Return each brief of a batch, or the error of one that isn't valid."""
    return [_read_brief(each) for each in batch.videos]


def _read_brief(given: dict[str, Any]) -> Brief | InvalidRequest:
    try:
        return checked(Brief, given)
    except InvalidRequest as error:
        return error


def accept_each(request: Request, briefs: list[Brief | InvalidRequest]) -> BatchResult:
    """Add a video for each valid brief, in savepoints of the transaction that is open. A refused one gets its error in `results` and stops no other."""
    results = [{"index": index, **_accept_one(request, brief, index)} for index, brief in enumerate(briefs)]
    accepted = sum(result["status"] == "accepted" for result in results)
    return BatchResult(accepted=accepted, rejected=len(results) - accepted, results=results)


def _accept_one(request: Request, brief: Brief | InvalidRequest, index: int) -> dict[str, Any]:
    try:
        if isinstance(brief, InvalidRequest):
            raise brief
        with db.transaction() as inner:
            return {"status": "accepted", **accept(inner, request, brief, f"videos.{index}.").model_dump()}
    except errors.DatabaseUnavailable:
        raise
    except ShowrunnerError as error:
        refused = answers.refusal(request, error).body["error"]
        return {"status": "rejected", "error": {name: refused[name] for name in ("code", "message", "details")}}


def accept(tx: db.Transaction, request: Request, brief: Brief, prefix: str = "") -> OrderedVideo:
    """Add a queued video; `prefix` stands before the field names of errors.

    Raises NotFound (channel), Conflict (channel not active), InvalidRequest (voice, assets), PaymentRequired
    (credits), LimitExceeded (videos of the day)."""
    order = check(tx, request, brief, prefix)
    organisation_id, channel_id = request.organisation_id, brief.channel_id.lower()
    billing.require_credit(tx, organisation_id)
    limits.spend(tx, limits.windows(f"generate:{request.caller.holder}", ((limits.DAY, limits.GENERATE_A_DAY),))[0])
    video_id = videos.add(tx, organisation_id, channel_id, order, brief.priority)
    audit.record(tx, request, "add", "video", video_id, channel_id=channel_id)
    return OrderedVideo(
        job_id=executions.name(video_id, 1),
        video_id=video_id,
        estimated_time=BASE_SECONDS + SECONDS_PER_SECOND * order["length_seconds"] * len(order["aspect"]),
        queue_position=videos.queue_position(tx, organisation_id, video_id),
    )


def check(tx: db.Transaction, request: Request, brief: Brief, prefix: str) -> dict[str, Any]:
    """Return the order that a valid brief becomes: the brief with the channel's defaults filled in.

    Raises NotFound, Conflict, InvalidRequest."""
    if not (brief.topic or brief.source_text or brief.manual_script):
        message = "Give a topic, a source_text or a manual_script."
        raise InvalidRequest(message, [{"field": f"{prefix}topic", "message": message}], code="MISSING_FIELD")
    channel_id = brief.channel_id.lower()
    channel = channels.get_for_production(tx, request.organisation_id, [channel_id]).get(channel_id)
    if channel is None:
        raise NotFound("There is no such channel.")
    if channel["status"] != "active":
        raise Conflict(f"The channel is {channel['status']}: set it active first.")
    order = _order(brief, channel["settings"], prefix)
    _require_voice(tx, request.organisation_id, order["voice"], channel["settings"], prefix)
    _require_assets(tx, request, order["assets"], prefix)
    return order


def _order(brief: Brief, settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    order = brief.model_dump(exclude={"channel_id", "length"})
    order["length_seconds"] = brief.length_seconds or LENGTHS[brief.length]
    order["style"] = brief.style or settings.get("style") or "educational"
    order["voice"] = brief.voice or settings.get("voice") or "female1"
    order["assets"] = [asset.lower() for asset in brief.assets]
    language = settings.get("language", "en")
    if voices.find(language, order["voice"], settings.get("voice_clone_id"), setting=config.setting("VOICES", " ")) is None:
        reason = voices.missing(language, order["voice"])
        message = f"{reason[0].upper()}{reason[1:]}."
        raise InvalidRequest(message, [{"field": f"{prefix}voice", "message": message}])
    return order


def _require_voice(tx: db.Transaction, organisation_id: str, voice: str, settings: dict[str, Any], prefix: str) -> None:
    """Raise InvalidRequest if the channel's cloned voice no longer belongs to the organisation."""
    clone = settings.get("voice_clone_id")
    if voice != "ai_clone" or not clone or voices.is_configured(clone, setting=config.setting("VOICES", " ")):
        return
    if not cloned_voices.belongs(tx, organisation_id, clone):
        raise InvalidRequest(
            "The channel's cloned voice can't be used.",
            [{"field": f"{prefix}voice", "message": "not a voice of your organisation"}],
        )


def _require_assets(tx: db.Transaction, request: Request, asset_ids: list[str], prefix: str) -> None:
    ready = {str(row["id"]) for row in assets.list_ready(tx, request.organisation_id, asset_ids)} if asset_ids else set()
    missing = [
        {"field": f"{prefix}assets.{number}", "message": "not there, or not uploaded completely"}
        for number, asset in enumerate(asset_ids)
        if asset not in ready
    ]
    if missing:
        raise InvalidRequest("Some assets can't be used.", missing)


def check_uploads(request: Request, asset_ids: list[str]) -> None:
    """Check the content of uploaded assets that nobody has checked yet, before a transaction is open.

    Raises Conflict if they are larger than one request can read."""
    wanted = list({asset.lower() for asset in asset_ids})
    if not wanted:
        return
    from showrunner.videos import uploads

    with db.reading() as tx:
        pending = assets.list_pending(tx, request.organisation_id, wanted)
    if sum(asset["bytes"] for asset in pending) > max(uploads.MAX_BYTES.values()):
        raise Conflict(f"Too many bytes were uploaded that have not been checked yet: GET /assets/{pending[0]['id']} first, and each of the others.")
    for asset in pending:
        uploads.check(request.organisation_id, asset["id"])


def announce_work(request: Request) -> None:
    """Tell the sweeper, before the commit, that it has work: without that it looks only every few hours.

    The sweeper starts what fails to start here. If it can't be told, the order goes on."""
    try:
        schedules.expect_work("sweep")
    except (ServiceUnavailable, rpc.AwsError) as error:
        log.warn(request, "the sweeper was not told", reason=error.message)


def start(request: Request, video_ids: list[str], attempt: int = 1) -> None:
    """Start executions. A video whose start fails stays queued; the sweeper starts it under the same name."""
    from botocore.exceptions import BotoCoreError, ClientError

    for video_id in video_ids:
        try:
            executions.start(video_id, request.organisation_id, attempt)
        except (BotoCoreError, ClientError) as error:
            log.warn(request, "not started", video_id=video_id, reason=str(error)[:500])

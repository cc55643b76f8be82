"""Check briefs, add the rows of videos, start executions."""

from decimal import Decimal
from typing import Any

from showrunner import config, errors
from showrunner.access import limits
from showrunner.database import db
from showrunner.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    ScriptRejected,
    ShowrunnerError,
)
from showrunner.production import estimate, planning, voices
from showrunner.store.accounts import cloned_voices
from showrunner.store.ledger import billing
from showrunner.store.studio import assets, channels, topics, videos
from showrunner.videos import budgets, executions, paces, promises, voice_checks
from showrunner.videos.schemas import (
    Batch,
    BatchResult,
    Brief,
    EstimatedCosts,
    OrderedVideo,
    VideoEstimate,
)
from showrunner.web import answers, audit, background, log
from showrunner.web.body import checked
from showrunner.web.routing import Request

LENGTHS = {"short": 45, "medium": 240, "long": 600}
# The longest video, as length_seconds has it.
MAX_SECONDS = 3600
# A length that differs by more than this from what was asked for is worth a warning.
TOLERANCE = 0.10


def read_briefs(batch: Batch) -> list[Brief | InvalidRequest]:
    """Return each brief of a batch, or the error of one that isn't valid."""
    return [_read_brief(each) for each in batch.videos]


def _read_brief(given: dict[str, Any]) -> Brief | InvalidRequest:
    try:
        return checked(Brief, given)
    except InvalidRequest as error:
        return error


def accept_each(request: Request, briefs: list[Brief | InvalidRequest]) -> BatchResult:
    """Add a video for each valid brief, in savepoints of the transaction that is open.

    A refused one gets its error in `results` and stops no other.
    """
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
        return {"status": "rejected", "error": answers.rejection(request, error)}


def accept(tx: db.Transaction, request: Request, brief: Brief, prefix: str = "") -> OrderedVideo:
    """Add a queued video; `prefix` stands before the field names of errors.

    Raises NotFound (channel), Conflict (channel not active), InvalidRequest (voice, assets), PaymentRequired
    (credits, budgets), LimitExceeded (videos of the day)."""
    order = check(tx, request, brief, prefix)
    found, warnings = _estimate(brief, order, prefix)
    del order["words_per_minute"]
    organisation_id, channel_id = request.organisation_id, brief.channel_id.lower()
    billing.require_credit(tx, organisation_id)
    budgets.require(tx, organisation_id, channel_id, Decimal(found.cost_usd["total"]))
    limits.spend_videos(tx, request.caller, "generate")
    video_id = videos.add(tx, organisation_id, channel_id, order, brief.priority, request.caller.subject)
    if not has_subject(brief):
        topics.use(tx, channel_id, order["topic"], video_id)
    audit.record(tx, request, "add", "video", video_id, channel_id=channel_id)
    return OrderedVideo(
        job_id=executions.job_id(video_id, 1),
        video_id=video_id,
        estimated_time=found.ready_seconds,
        queue_position=videos.queue_position(tx, organisation_id, video_id),
        estimated_duration=found.duration_seconds,
        warnings=warnings,
    )


def estimate_brief(tx: db.Transaction, request: Request, brief: Brief) -> VideoEstimate:
    """Return what a brief would take and cost. Raises as `accept`, but for credits and limits."""
    order = check(tx, request, brief, "")
    found, warnings = _estimate(brief, order, "")
    return VideoEstimate(
        estimated_duration=found.duration_seconds,
        estimated_time=found.ready_seconds,
        cost_usd=EstimatedCosts(**found.cost_usd),
        warnings=warnings,
    )


def expected_usd(channel_id: str, settings: dict[str, Any]) -> Decimal:
    """Return what a video of the channel's backlog is expected to cost. Raises InvalidRequest."""
    brief = Brief(channel_id=channel_id)
    found, _ = _estimate(brief, _order(brief, settings, ""), "")
    return Decimal(found.cost_usd["total"])


def _estimate(brief: Brief, order: dict[str, Any], prefix: str) -> tuple[estimate.Estimate, list[str]]:
    """Return the estimate of an order and its warnings.

    Checks every limit of the later steps for a given script.

    Raises InvalidRequest for a script that can't be spoken, or not within one video."""
    pace, outputs = order["words_per_minute"], len(order["aspect"])
    speech_model = config.setting("ELEVENLABS_MODEL", "-")
    if not brief.manual_script:
        models = config.setting("OPENAI_MODEL", "-"), speech_model
        return estimate.of_length(
            order["length_seconds"], pace, len(brief.source_text or ""), outputs, models
        ), []
    try:
        script = planning.finished(
            planning.manual(brief.manual_script, brief.topic, order["language"]), order["language"]
        )
    except InvalidRequest as error:
        error.details = [{**each, "field": f"{prefix}{each['field']}"} for each in error.details]
        raise
    except ScriptRejected as error:
        raise _unspoken(f"The script has too many parts: {error.message}.", prefix) from error
    found = estimate.of_passages(script.passages, pace, outputs, speech_model)
    if found.duration_seconds > MAX_SECONDS:
        minutes = round(found.duration_seconds / 60)
        raise _unspoken(
            f"The script takes about {minutes} minutes to speak; at most 60 fit a video. Split it.", prefix
        )
    asked = brief.length_seconds or (LENGTHS[brief.length] if "length" in brief.model_fields_set else None)
    if asked is None or abs(found.duration_seconds - asked) <= TOLERANCE * asked:
        return found, []
    warning = (
        f"The script determines the length: the video takes about {found.duration_seconds} s, "
        f"not the {asked} s asked for."
    )
    return found, [warning]


def _unspoken(message: str, prefix: str) -> InvalidRequest:
    return InvalidRequest(message, [{"field": f"{prefix}manual_script", "message": message}])


def spoken_languages() -> list[str]:
    """Return the languages that the stage's speech service speaks, by the parameter VoiceLanguages."""
    return config.setting("VOICE_LANGUAGES", "en").split(",")


def check(tx: db.Transaction, request: Request, brief: Brief, prefix: str) -> dict[str, Any]:
    """Return the order that a valid brief becomes: the brief with the channel's defaults filled in.

    Raises NotFound, Conflict, InvalidRequest."""
    channel_id = brief.channel_id.lower()
    channel = channels.get_for_production(tx, request.organisation_id, [channel_id]).get(channel_id)
    if channel is None:
        raise NotFound("There is no such channel.")
    if channel["status"] != "active":
        raise Conflict(f"The channel is {channel['status']}: set it active first.")
    order = _order(brief, channel["settings"], prefix)
    if not has_subject(brief):
        order["topic"] = topics.lock_next(tx, channel_id)
        if order["topic"] is None:
            message = "Give a topic, a source_text or a manual_script: the channel's backlog is empty."
            details = [{"field": f"{prefix}topic", "message": message}]
            raise InvalidRequest(message, details, code="MISSING_FIELD")
    _require_voice(tx, request.organisation_id, order["voice"], channel["settings"], prefix)
    _require_assets(tx, request, order["assets"], prefix)
    promises.require_source(tx, request.organisation_id, order, channel["settings"], prefix)
    return order


def has_subject(brief: Brief) -> bool:
    """Return whether the brief says what the video is about. Otherwise the next topic of the backlog does."""
    return bool(brief.topic or brief.source_text or brief.manual_script)


def _order(brief: Brief, settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    order = brief.model_dump(exclude={"channel_id", "length"})
    order["length_seconds"] = brief.length_seconds or LENGTHS[brief.length]
    order["style"] = brief.style or settings.get("style") or "educational"
    order["visual_style"] = brief.visual_style or settings.get("visual_style") or "mixed"
    order["voice"] = brief.voice or settings.get("voice") or "female1"
    order["assets"] = [asset.lower() for asset in brief.assets]
    language = order["language"] = brief.language or settings.get("language", "en")
    if language not in spoken_languages():
        message = (
            f"No voice of this stage speaks {language}; it speaks {', '.join(spoken_languages())}. "
            "Choose one of these, or set the parameter VoiceLanguages (on one machine: ELEVENLABS_API_KEY)."
        )
        raise InvalidRequest(message, [{"field": f"{prefix}language", "message": message}])
    voice = voices.find(
        language, order["voice"], settings.get("voice_clone_id"), setting=config.setting("VOICES", " ")
    )
    if voice is None:
        reason = voices.missing(language, order["voice"])
        message = f"{reason[0].upper()}{reason[1:]}."
        raise InvalidRequest(message, [{"field": f"{prefix}voice", "message": message}])
    if problem := voice_checks.find_problem(voice.provider_id):
        message = (
            f"The speech provider can't speak with the voice {order['voice']}: {problem} "
            "Choose another voice (GET /voices), or tell the operator."
        )
        raise InvalidRequest(message, [{"field": f"{prefix}voice", "message": message}])
    order["words_per_minute"] = paces.known(voice, config.setting("ELEVENLABS_MODEL", "-"), language)
    return order


def _require_voice(
    tx: db.Transaction, organisation_id: str, voice: str, settings: dict[str, Any], prefix: str
) -> None:
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
    ready = (
        {str(row["id"]) for row in assets.list_ready(tx, request.organisation_id, asset_ids)}
        if asset_ids
        else set()
    )
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
        raise Conflict(
            "Too many bytes were uploaded that have not been checked yet: "
            f"GET /assets/{pending[0]['id']} first, and each of the others."
        )
    for asset in pending:
        uploads.check(request.organisation_id, asset["id"])


def announce_work(request: Request) -> None:
    """Tell the sweeper that it has work. It starts what fails to start here."""
    background.expect_work(request, "sweep")


def start(request: Request, video_ids: list[str], attempt: int = 1) -> None:
    """Start executions. A video whose start fails stays queued; the sweeper starts it under the same name."""
    from botocore.exceptions import BotoCoreError, ClientError

    for video_id in video_ids:
        try:
            executions.start(video_id, request.organisation_id, attempt)
        except (BotoCoreError, ClientError) as error:
            log.warn(request, "not started", video_id=video_id, reason=str(error)[:500])

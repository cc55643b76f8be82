"""Step Prepare: a started execution -> the video is processing, its job document is in S3.

The steps without a database read that document.
"""

from typing import Any

from showrunner import config
from showrunner.aws import correlation, s3
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.production import costs, files, palettes, voices
from showrunner.production.job import SIZES, Asset, Job, Output
from showrunner.store.studio import assets, productions, shown_works
from showrunner.telemetry import entrypoint
from showrunner.videos import announcements, paces, promises

# The render may wait a day for GPU capacity (the state's timeout); the rest takes minutes. A video that isn't
# done by then never will be.
DEADLINE_SECONDS = 26 * 3600
# A day: Spot capacity of a GPU comes back within hours; afterwards nobody waits for the video any more.
RENDER_SECONDS = 24 * 3600
# With RenderPlatform auto the GPU has this long to come and to render; then the CPU queue takes over.
FALL_BACK_SECONDS = 3600
# Nobody remembers a clip of longer ago.
OTHER_VIDEOS = 30
# Up to this much video a Fargate task is done before a GPU instance has started (about four minutes).
CPU_SECONDS = 90


def _rendering(job: Job, priority: int) -> dict[str, Any]:
    """Return where the video is rendered, how long the machine waits for it, and its priority.

    Batch runs the higher number first within the organisation's share.
    """
    wanted = config.setting("RENDER_PLATFORM")
    short = job.length_seconds * len(job.outputs) <= CPU_SECONDS
    platform = "cpu" if wanted == "cpu" or (wanted == "auto" and short) else "gpu"
    wait = FALL_BACK_SECONDS if wanted == "auto" and platform == "gpu" else RENDER_SECONDS
    return {
        "platform": platform,
        "may_fall_back": wanted == "auto",
        "render_timeout_seconds": wait,
        "scheduling_priority": 100 * (4 - priority),
    }


def _assets(tx: db.Transaction, row: dict[str, Any]) -> dict[str, Asset]:
    """Return the ready assets that the brief or the brand names, by id."""
    wanted = [str(asset) for asset in row["request"].get("assets") or []]
    logo = _brand(row).get("logo")
    found = {
        str(each["id"]): each
        for each in assets.list_ready(tx, str(row["organisation_id"]), [*wanted, *([logo] if logo else [])])
    }
    missing = [asset for asset in wanted if asset not in found]
    if missing:
        raise InvalidRequest(
            f"These assets are not there or not uploaded completely: {', '.join(missing)}. "
            "Upload them and retry the video."
        )
    return {
        key: Asset(
            id=key,
            kind=_kind(each),
            key=each["object_key"],
            sha256=each["sha256"],
            licence=each["licence"],
            name=each["name"] or "",
            tags=each["tags"],
        )
        for key, each in found.items()
    }


def _kind(asset: dict[str, Any]) -> Any:
    return "image" if asset["kind"] == "thumbnail" else asset["kind"]


def _brand(row: dict[str, Any]) -> dict[str, Any]:
    return row["settings"].get("brand") or {}


def _channel(row: dict[str, Any]) -> dict[str, str]:
    """Return the description of the channel for the script's prompt."""
    described = {
        "niche": row["niche"],
        **{name: row["settings"].get(name) for name in ("description", "audience")},
    }
    return {name: text for name, text in described.items() if text}


def _job(row: dict[str, Any], found: dict[str, Asset], used: list[str]) -> Job:
    ordered, settings, brand = row["request"], row["settings"], _brand(row)
    request = {**ordered, **row["changes"]}
    language = request.get("language") or settings.get("language", "en")
    voice = voices.find(
        language, request["voice"], settings.get("voice_clone_id"), setting=config.setting("VOICES", " ")
    )
    if voice is None:
        raise InvalidRequest(f"The voice can't be used: {voices.missing(language, request['voice'])}.")
    voice = paces.measured(voice, config.setting("ELEVENLABS_MODEL"), language)
    aspects = [request["aspect"]] if isinstance(request["aspect"], str) else request["aspect"]
    organisation_id, video_id = str(row["organisation_id"]), str(row["id"])
    # Orders of earlier releases name no style.
    style: Any = request.get("visual_style") or "mixed"
    return Job(
        video_id=video_id,
        organisation_id=organisation_id,
        attempt=row["attempt"],
        topic=request.get("topic"),
        source_text=request.get("source_text"),
        manual_script=request.get("manual_script"),
        style=request["style"],
        language=language,
        length_seconds=request["length_seconds"],
        voice=voice,
        voice_name=request["voice"],
        palette={**palettes.DEFAULT, **(brand.get("palette") or {})},
        font=brand.get("font"),
        logo=found.get(str(brand.get("logo"))),
        caption_preset=request.get("caption_preset") or brand.get("caption_preset"),
        outputs=[
            Output(name=name, width=width, height=height)
            for name, width, height in (SIZES[aspect] for aspect in aspects)
        ],
        assets=[found[str(asset)] for asset in request.get("assets") or []],
        demo=config.setting("DEMO", "false") == "true",
        # 31 bits: what every random generator of the renderer accepts.
        stop_after=request.get("stop_after"),
        pace=settings.get("pace") or "normal",
        visual_style=style,
        promised_motion=promises.motion(settings, style),
        music_start_seconds=request.get("music_start_seconds") or 0.0,
        music_search=request.get("music_search"),
        channel=_channel(row),
        used_sources=used,
        # By the order, whatever was changed since: a remake shows the same where nothing else was asked for.
        seed=int(files.digest(organisation_id, {**ordered, "stop_after": None})[:8], 16) & 0x7FFFFFFF,
    )


def _measure_usd(job: Job) -> str:
    """Return what measuring the job's voice costs; empty if that isn't needed.

    The pace is known, or no script is written for it.
    """
    model = config.setting("ELEVENLABS_MODEL")
    if job.manual_script or paces.find(job.voice, model, job.language) is not None:
        return ""
    return str(costs.speech_charge("", model, len(voices.SAMPLES[job.language]), None).amount_usd)


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    with db.transaction() as tx:
        row = productions.begin(tx, event["video_id"], event["attempt"], DEADLINE_SECONDS)
        used = shown_works.list_of_channel(tx, event["video_id"], OTHER_VIDEOS)
        job = _job(row, _assets(tx, row), used)
        message = f"Attempt {job.attempt}: {job.length_seconds} s, about {job.words_target} words."
        productions.add_log(tx, job.video_id, job.attempt, "prepare", message)
        video = productions.get_step(tx, job.video_id)
    s3.put_json(files.job_key(job.folder), job.model_dump(mode="json"))
    announcements.announce_progress(video, message)
    pointers = {
        "video_id": job.video_id,
        "organisation_id": job.organisation_id,
        "attempt": job.attempt,
        "request_id": correlation.current(),
        "folder": job.folder,
        "stop_after": job.stop_after or "",
        "measure_usd": _measure_usd(job),
    }
    return {**pointers, **_rendering(job, row["request"].get("priority", 2))}

"""Steps ReserveScript, RecordScript, RecordTimeline -> the video's row and log, its costs, one event.

They record what a step without a database made and cost, and reserve what the next paid step can cost at
most. A step whose money can't be reserved isn't started: PaymentRequired ends the production.
"""

from decimal import Decimal
from typing import Any

from showrunner import config
from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import costs, estimate, files, image_prompts, progress, script, timeline, voices
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.production.text import count_words
from showrunner.production.visuals import FILMED, Shot
from showrunner.store.studio import productions, shown_works
from showrunner.telemetry import entrypoint
from showrunner.videos import allowances, announcements, budgets, receipts, shown

# At the default quality an image costs up to 0.024 USD: so many are a quarter of a video's usual budget.
MOST_IMAGES = 12
# Of a shot: three searches in four libraries find fifteen works each, whose texts have 100 to 500 bytes.
TEXT_BYTES = 40_000
# A voice may take this much longer than its usual pace.
LONGER = 1.2


def _reserve_script(job: Job, amount: Decimal) -> dict[str, Any]:
    """Settle the last call to the language model and reserve the next one."""
    _reserve(job, "script", amount, "Writing the script.")
    return {"reserved_usd": str(amount)}


def _reserve(
    job: Job,
    step: str,
    amount: Decimal,
    message: str,
    extra: Decimal = Decimal(0),
    later: Decimal = Decimal(0),
) -> Decimal:
    """Settle what was paid and reserve `amount` for `step`; `extra` and `later` are those of budgets.reserve.

    Returns the part of `extra` that was reserved. Raises ProductionCancelled, PaymentRequired.
    """
    charges = receipts.list_(job.folder)
    with db.transaction() as tx:
        # Locks the video: whoever ends it afterwards releases this reservation.
        productions.advance(tx, job.video_id, job.attempt, step, progress.BEGUN[step], message)
        video = productions.get_step(tx, job.video_id)
        budgets.settle(tx, job.organisation_id, job.video_id, charges, list_price_only=job.demo)
        channel_id = str(video["channel_id"])
        return budgets.reserve(
            tx, job.organisation_id, channel_id, job.video_id, step, amount, extra=extra, later=later
        )


def _record_script(job: Job, event: dict[str, Any]) -> dict[str, Any]:
    written = _script(job)
    words = sum(map(count_words, written.passages))
    message = f"Script of {words} words in {len(written.passages)} passages."
    _record(job, written, written.description, "voice", message)
    if job.stop_after != "script":
        seconds = LONGER * estimate.speech_seconds(written.passages, job.voice.words_per_minute)
        # The dearer platform: the machine's choice may change.
        render = costs.most_for_render("gpu", seconds, len(job.outputs))
        voice, pictures = _voice_costs(job, written), _picture_costs(job)
        allowances.save(job.folder, _reserve(job, "voice", voice, message, pictures, render))
    return {}


def _picture_costs(job: Job) -> Decimal:
    """Return the most that is spent on pictures: images drawn for shots, and vectors of the works' texts."""
    document = s3.get_json(files.script_key(job.folder))
    shots = [Shot.model_validate(each) for scene in document.get("shots", []) for each in scene]
    filmed = [shot for shot in shots if not shot.is_card]
    model = config.setting("OPENAI_IMAGE_MODEL", " ").strip()
    total = Decimal(0)
    if model:
        drawn = [shot for shot in filmed if shot.kind in FILMED]
        sizes = sorted((len(image_prompts.prompt(job, shot).encode()) for shot in drawn), reverse=True)
        quality = config.setting("OPENAI_IMAGE_QUALITY")
        total += sum((costs.most_for_image(model, quality, size) for size in sizes[:MOST_IMAGES]), Decimal(0))
    if embedding := config.setting("OPENAI_EMBEDDING_MODEL", " ").strip():
        total += costs.embedding_charge("", embedding, TEXT_BYTES * len(filmed)).amount_usd
    return total


def _voice_costs(job: Job, written: Script) -> Decimal:
    """Return what the passages cost that have no recording yet."""
    model, total = config.setting("ELEVENLABS_MODEL"), Decimal(0)
    for text in {*written.passages}:
        name = voices.recording_name(text, job.voice.provider_id, model, job.language)
        parts = (files.product_key(job.organisation_id, "voice", name, part) for part in ("mp3", "json"))
        if any(s3.size(key) is None for key in parts):
            total += max(costs.speech_charge(name, model, len(text), None).amount_usd, _second_usd(len(text)))
    return total


def _second_usd(characters: int) -> Decimal:
    """Return what the second speech service would cost, which may speak instead: 0 if there is none."""
    if config.setting("SPEECH_FALLBACK", "off") == "off":
        return Decimal(0)
    return costs.second_speech_usd(config.setting("SPEECH_FALLBACK_MODEL"), characters)


def _script(job: Job) -> Script:
    return Script.model_validate(s3.get_json(files.script_key(job.folder))["script"])


def _record_timeline(job: Job, event: dict[str, Any]) -> dict[str, Any]:
    written = _script(job)
    planned = s3.get_json(files.timeline_key(job.folder))
    repairs = tuple(
        f"Scene {each['scene']}: the voice's word times were repaired ({each['repair']})."
        for each in s3.find_json(files.repairs_key(job.folder)) or []
    )
    pictures = shown.flat(shown.list_pictures(job.folder, len(written.passages)))
    if (s3.find_json(files.voice_key(job.folder, 0)) or {}).get("provider"):
        repairs = (*repairs, "ElevenLabs was not called: the second speech service speaks this video.")
    music = s3.find_json(files.music_key(job.folder))
    if job.music_search and not planned["music"]["asset"]:
        message = f"No music was found for {job.music_search!r} that can be played: a built-in track plays."
        repairs = (*repairs, message)
    credited = script.with_credits(written.description, [*pictures, *([music] if music else [])])
    description = script.with_chapters(credited, timeline.chapters(planned))
    seconds = timeline.duration(planned)
    message = f"Timeline of {seconds:.1f} s in {len(written.passages)} scenes."
    pages = [each["source"] for each in pictures if each.get("library")]
    _record(job, written, description, "render", message, repairs, pages)
    # An execution that began before a release names no platform: count with the dearest.
    platform = event.get("platform", "gpu")
    _reserve(job, "render", costs.most_for_render(platform, seconds, len(job.outputs)), message)
    return {"render_seconds": costs.render_seconds(seconds, len(job.outputs))}


def _record(
    job: Job,
    written: Script,
    description: str,
    reached: str,
    message: str,
    repairs: tuple[str, ...] = (),
    pages: list[str] | None = None,
) -> None:
    """Save what a step made. `pages` are the pages of the works that a planned video shows."""
    charges = receipts.list_(job.folder)
    with db.transaction() as tx:
        budgets.settle(tx, job.organisation_id, job.video_id, charges, list_price_only=job.demo)
        productions.save_script(tx, job.video_id, job.attempt, written.title, description, written.tags)
        if reached == "voice" and job.stop_after == "script":
            productions.pause(
                tx, job.video_id, job.attempt, f"{message} It waits for you: edit it, then continue."
            )
        else:
            productions.advance(tx, job.video_id, job.attempt, reached, progress.BEGUN[reached], message)
        if pages is not None:
            shown_works.save(tx, job.video_id, pages)
        for repair in repairs:
            productions.add_log(tx, job.video_id, job.attempt, reached, repair, level="warning")
        video = productions.get_step(tx, job.video_id)
    announcements.announce_progress(video, message)


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    if event["step"] == "reserve":
        return _reserve_script(job, Decimal(event["amount_usd"]))
    record = {"script": _record_script, "timeline": _record_timeline}[event["step"]]
    return {"recorded": event["step"], **record(job, event)}

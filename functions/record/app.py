"""Steps ReserveScript, RecordScript, RecordTimeline -> the video's row and log, its costs, one event.

They record what a step without a database made and cost, and reserve what the next paid step can cost at
most. A step whose money can't be reserved isn't started: PaymentRequired ends the production.
"""

from decimal import Decimal
from typing import Any

from showrunner import config
from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import costs, files, progress, script, timeline, visuals, voices
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.production.text import count_words
from showrunner.store.studio import productions, shown_works
from showrunner.telemetry import entrypoint
from showrunner.videos import announcements, budgets, receipts


def _reserve_script(job: Job, amount: Decimal) -> dict[str, Any]:
    """Settle the last call to the language model and reserve the next one."""
    _reserve(job, "script", amount, "Writing the script.")
    return {"reserved_usd": str(amount)}


def _reserve(job: Job, step: str, amount: Decimal, message: str) -> None:
    """Settle what was paid and reserve `amount` for `step`. Raises ProductionCancelled, PaymentRequired."""
    charges = receipts.list_(job.folder)
    with db.transaction() as tx:
        # Locks the video: whoever ends it afterwards releases this reservation.
        productions.advance(tx, job.video_id, job.attempt, step, progress.BEGUN[step], message)
        video = productions.get_step(tx, job.video_id)
        budgets.settle(tx, job.organisation_id, job.video_id, charges, list_price_only=job.demo)
        budgets.reserve(tx, job.organisation_id, str(video["channel_id"]), job.video_id, step, amount)


def _record_script(job: Job, event: dict[str, Any]) -> dict[str, Any]:
    written = _script(job)
    words = sum(map(count_words, written.passages))
    message = f"Script of {words} words in {len(written.passages)} passages."
    _record(job, written, written.description, "voice", message)
    if job.stop_after != "script":
        _reserve(job, "voice", _voice_costs(job, written), message)
    return {}


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
    pictures = [s3.get_json(files.visual_key(job.folder, scene)) for scene in range(len(written.passages))]
    repairs = tuple(
        f"Scene {each['scene']}: the voice's word times were repaired ({each['repair']})."
        for each in s3.find_json(files.repairs_key(job.folder)) or []
    )
    shown = [picture for each in pictures for picture in visuals.pictures_of(each)]
    if (s3.find_json(files.voice_key(job.folder, 0)) or {}).get("provider"):
        repairs = (*repairs, "ElevenLabs was not called: the second speech service speaks this video.")
    credited = script.with_credits(written.description, shown)
    description = script.with_chapters(credited, timeline.chapters(planned))
    seconds = timeline.duration(planned)
    message = f"Timeline of {seconds:.1f} s in {len(written.passages)} scenes."
    pages = [each["source"] for each in shown if each.get("library")]
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
    shown: list[str] | None = None,
) -> None:
    """Save what a step made. `shown` are the pages of the works that a planned video shows."""
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
        if shown is not None:
            shown_works.save(tx, job.video_id, shown)
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

"""Steps RecordScript and RecordTimeline: what a step made and cost -> the database, and an event.

The steps before them have no database: their results are objects in S3.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.database import db
from showrunner.production import files, progress, script, timeline
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.production.text import count_words
from showrunner.store.ledger import video_costs
from showrunner.store.studio import productions
from showrunner.telemetry import entrypoint
from showrunner.videos import announcements, receipts


def _record_script(job: Job, written: Script) -> None:
    words = sum(map(count_words, written.passages))
    message = f"Script of {words} words in {len(written.passages)} passages."
    _record(job, written, written.description, "voice", message)


def _record_timeline(job: Job, written: Script) -> None:
    planned = s3.get_json(files.timeline_key(job.folder))
    pictures = [s3.get_json(files.visual_key(job.folder, scene)) for scene in range(len(written.passages))]
    repairs = tuple(
        f"Scene {each['scene']}: the voice's word times were repaired ({each['repair']})."
        for each in s3.find_json(files.repairs_key(job.folder)) or []
    )
    credited = script.with_credits(
        written.description, [each["author"] for each in pictures if each.get("author")]
    )
    description = script.with_chapters(credited, timeline.chapters(planned))
    _record(
        job,
        written,
        description,
        "render",
        f"Timeline of {timeline.duration(planned):.1f} s in {len(written.passages)} scenes.",
        repairs,
    )


def _record(
    job: Job, written: Script, description: str, reached: str, message: str, repairs: tuple[str, ...] = ()
) -> None:
    charges = receipts.list_(job.folder)
    with db.transaction() as tx:
        video_costs.add(tx, job.organisation_id, job.video_id, charges, job.demo)
        productions.save_script(tx, job.video_id, job.attempt, written.title, description, written.tags)
        if reached == "voice" and job.stop_after == "script":
            productions.pause(
                tx, job.video_id, job.attempt, f"{message} It waits for you: edit it, then continue."
            )
        else:
            productions.advance(tx, job.video_id, job.attempt, reached, progress.BEGUN[reached], message)
        for repair in repairs:
            productions.add_log(tx, job.video_id, job.attempt, reached, repair, level="warning")
        video = productions.get_step(tx, job.video_id)
    announcements.announce_progress(video, message)


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    written = Script.model_validate(s3.get_json(files.script_key(job.folder))["script"])
    record = {"script": _record_script, "timeline": _record_timeline}[event["step"]]
    record(job, written)
    return {"recorded": event["step"]}

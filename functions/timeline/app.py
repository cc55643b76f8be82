"""Step PlanTimeline: script, recordings and pictures -> timeline.json, the contract with the renderer."""

from typing import Any

from showrunner.aws import s3
from showrunner.production import files, timeline, visuals
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.telemetry import entrypoint


def _share(job: Job) -> str:
    """Return the organisation's Batch share identifier, by which organisations take turns in the queue."""
    return "org" + job.organisation_id.replace("-", "")


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(files.job_key(event["folder"])))
    written = Script.model_validate(s3.get_json(files.script_key(job.folder))["script"])
    scenes = range(len(written.passages))
    recordings = [
        timeline.Recording.model_validate(s3.get_json(files.voice_key(job.folder, scene))) for scene in scenes
    ]
    chosen = [visuals.pictures_of(s3.get_json(files.visual_key(job.folder, scene))) for scene in scenes]
    s3.put_json(files.pictures_key(job.folder), chosen)
    pictures = [[timeline.Picture.model_validate(picture) for picture in scene] for scene in chosen]
    repairs = [(scene, timeline.align(each, job.language).repair) for scene, each in enumerate(recordings)]
    found = [{"scene": scene, "repair": repair} for scene, repair in repairs if repair]
    s3.put_json(files.repairs_key(job.folder), found)
    music = s3.find_json(files.music_key(job.folder))
    planned = timeline.plan(job, written, recordings, pictures, music)
    timeline.require_motion(job, planned)
    # The machine names the newest version that its renderer reads; before version 2 it named none. With 3 it
    # can take other clips for those that the renderer rejects, with 4 the renderer sets cards over footage.
    version = event.get("timeline_version", 1)
    if version < 4:
        planned = timeline.without_overlays(planned)
    if version < 3:
        planned = timeline.without_replacing(planned)
    s3.put_json(files.timeline_key(job.folder), timeline.as_version_1(planned) if version < 2 else planned)
    return {
        "timeline": s3.uri(files.timeline_key(job.folder)),
        "destination": s3.uri(files.render_folder(job.folder)),
        "share": _share(job),
    }

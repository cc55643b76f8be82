"""Step PlanTimeline: script, recordings and pictures -> timeline.json, the contract with the renderer."""

from typing import Any

from showrunner.aws import s3
from showrunner.production import timeline
from showrunner.production.job import Job
from showrunner.production.script import Script
from showrunner.telemetry import entrypoint


def _share(job: Job) -> str:
    """The Batch share identifier of the organisation: letters and digits, so that organisations take turns in the queue."""
    return "org" + job.organisation_id.replace("-", "")


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    job = Job.model_validate(s3.get_json(f"{event['folder']}/job.json"))
    written = Script.model_validate(s3.get_json(f"{job.folder}/script.json")["script"])
    scenes = range(len(written.passages))
    recordings = [timeline.Recording.model_validate(s3.get_json(f"{job.folder}/scenes/{scene}.voice.json")) for scene in scenes]
    pictures = [timeline.Picture.model_validate(s3.get_json(f"{job.folder}/scenes/{scene}.visual.json")) for scene in scenes]
    s3.put_json(f"{job.folder}/timeline.json", timeline.plan(job, written, recordings, pictures))
    return {"timeline": s3.uri(f"{job.folder}/timeline.json"), "destination": s3.uri(f"{job.folder}/render"), "share": _share(job)}

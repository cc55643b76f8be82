"""Publication machine, steps that talk to YouTube -> film, thumbnail, captions there. No database.

Returns which step comes next.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.production.files import publication_key, video_folder
from showrunner.publishing.job import PublicationJob
from showrunner.publishing.steps import Outcome
from showrunner.telemetry import entrypoint
from showrunner.videos.publication import Publication


@entrypoint
def handler(event: dict[str, Any], context: Any) -> Outcome:
    job = PublicationJob.model_validate(
        s3.get_json(publication_key(video_folder(event["organisation_id"], event["video_id"])))
    )
    if job.attempt != event["attempt"]:
        # A newer attempt has taken its place.
        return {"do": "end", "step": event["step"]}
    return Publication(job).run(event["step"])

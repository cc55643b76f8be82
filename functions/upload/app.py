"""Publication, changes and streams machines, steps that talk to YouTube -> film, metadata, reports.

No database.

Returns which step comes next. With a channel_id instead of a video_id it reads that channel, with a
change_set_id it carries out a batch of changes, with a stream_run it fetches an owner's reports.
"""

from typing import Any

from showrunner.aws import s3
from showrunner.channels import reading
from showrunner.production.files import publication_key, video_folder
from showrunner.publishing.job import PublicationJob
from showrunner.publishing.steps import Outcome
from showrunner.rights import applying, stream_fetching
from showrunner.telemetry import entrypoint
from showrunner.videos.publication import Publication


@entrypoint
def handler(event: dict[str, Any], context: Any) -> Outcome | dict[str, Any]:
    if "stream_run" in event:
        return stream_fetching.fetch(event)
    if "change_set_id" in event:
        return applying.apply(event)
    if "channel_id" in event:
        return reading.read(event)
    job = PublicationJob.model_validate(
        s3.get_json(publication_key(video_folder(event["organisation_id"], event["video_id"])))
    )
    if job.attempt != event["attempt"]:
        # A newer attempt has taken its place.
        return {"do": "end", "step": event["step"]}
    return Publication(job).run(event["step"])

"""Publication, changes and streams machines, steps with a database -> job document, results, events.

Also takes the end of executions of the changes machine that failed, timed out or were aborted.
"""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner.accounts import emails, google_projects
from showrunner.channels import sync
from showrunner.database import db
from showrunner.errors import ProductionCancelled, UploadUnknown
from showrunner.models import VideoEventKind
from showrunner.publishing import steps
from showrunner.publishing.job import Metadata
from showrunner.publishing.steps import Outcome
from showrunner.rights import change_runs, stream_runs
from showrunner.store.accounts import connected_accounts
from showrunner.store.studio import productions, publications
from showrunner.telemetry import entrypoint
from showrunner.videos import announcements, publishing, upload_state

FIRST = {"publish": "check", "change": "change", "remove": "remove"}


def _begin(event: dict[str, Any]) -> Outcome:
    """Write the job document that the worker reads."""
    with db.transaction() as tx:
        row = publications.begin(tx, event["video_id"], event["attempt"])
        source = publications.get_source(tx, event["organisation_id"], event["video_id"])
        project = google_projects.of_connection(tx, source["connection_id"])
    publishing.write_job(row, source, project)
    return {"do": "work", "step": FIRST[row["action"]]}


def _record(event: dict[str, Any]) -> Outcome:
    """Save what the worker found out. `next` is its outcome."""
    following: Outcome = event["next"]
    if following["step"] == "settle":
        return _settle(event)
    with db.transaction() as tx:
        row = publications.get_open(tx, event["video_id"], event["attempt"])
        found = upload_state.find_video(row["id"])
        publications.save_progress(
            tx, event["video_id"], event["attempt"], found, following.get("waiting_for")
        )
        owner = _mark_lost(tx, event, following) if following.get("is_disconnected") else None
    if owner:
        emails.tell(owner, emails.reconnect())
    return {**following, "do": "wait" if following.get("wait_seconds") else "work"}


def _mark_lost(tx: db.Transaction, event: dict[str, Any], following: Outcome) -> str | None:
    """Note that the channel's account must be connected again. Returns whom to tell, the first time."""
    source = publications.get_source(tx, event["organisation_id"], event["video_id"])
    if not source["connection_id"]:
        return None
    reason = following["waiting_for"]
    return connected_accounts.mark_lost(tx, event["organisation_id"], source["connection_id"], reason)


def _settle(event: dict[str, Any]) -> Outcome:
    """Close the attempt: the video is scheduled, published (perhaps with problems) or removed."""
    with db.transaction() as tx:
        row = publications.get_open(tx, event["video_id"], event["attempt"])
        progress, found = (
            upload_state.find_progress_of(row["id"], row["attempt"]),
            upload_state.find_video(row["id"]),
        )
        is_removed = row["action"] == "remove" or upload_state.is_cancelled(row["id"])
        wait = 0 if is_removed else _seconds_until_public(row)
        publications.close(
            tx,
            event["video_id"],
            event["attempt"],
            progress["problems"],
            found,
            published=not wait and not is_removed,
            is_open=wait > 0,
        )
        if not is_removed:
            publications.save_status(tx, event["video_id"], "scheduled" if wait else "published")
        video = productions.get_step(tx, event["video_id"])
    if row["action"] == "publish" and not is_removed:
        kind: VideoEventKind = "video.scheduled" if wait else "video.published"
        announcements.announce(kind, video, "The video is on YouTube.", step=f"publication-{row['attempt']}")
    return (
        {"do": "wait", "step": "reconcile", "wait_seconds": wait} if wait else {"do": "end", "step": "settle"}
    )


def _seconds_until_public(row: dict[str, Any]) -> int:
    """Return the seconds until YouTube can be asked whether a scheduled video has become public.

    0 if the video was to be published at once, or that time is over.
    """
    at = Metadata.model_validate(row["metadata"]).publish_at
    if at is None:
        return 0
    return max(0, int((at + steps.RECONCILE_AFTER - datetime.now(UTC)).total_seconds()))


def _fail(event: dict[str, Any]) -> Outcome:
    """Close an attempt that failed.

    If YouTube has the video already, it keeps its id and is published with problems.
    """
    error, message = event["failure"]["error"], _message(event["failure"]["cause"])
    with db.transaction() as tx:
        row = publications.get_open(tx, event["video_id"], event["attempt"])
        found, final = upload_state.find_video(row["id"]), upload_state.final_generation(row["id"])
        problems = upload_state.find_progress_of(row["id"], row["attempt"])["problems"]
        is_unknown = found is None and (error == UploadUnknown.__name__ or final is not None)
        status = "published" if found else "publish_unknown" if is_unknown else "completed"
        next_step = (
            "POST …/publish with confirm_repeat sends it again."
            if is_unknown
            else "Mend it, then POST …/publish."
        )
        problems = [*problems, steps.problem("publish", error, message, next_step)]
        publications.close(tx, event["video_id"], event["attempt"], problems, found, published=bool(found))
        if row["action"] != "remove":
            publications.save_status(tx, event["video_id"], status)
        productions.add_log(
            tx, event["video_id"], row["attempt"], "publish", f"{error}: {message}"[:2000], level="error"
        )
        video = productions.get_step(tx, event["video_id"])
    failure = {"step": "publish", "code": error, "message": message}
    announcements.announce(
        "video.publish_failed", video, message, error=failure, step=f"publication-{row['attempt']}"
    )
    return {"do": "end", "step": "fail"}


def _message(cause: str) -> str:
    """Return the message of an error, read from the machine's Cause."""
    try:
        found = json.loads(cause)
    except ValueError:
        return cause[:500]
    return str(found.get("errorMessage", cause))[:500] if isinstance(found, dict) else cause[:500]


STEPS = {"begin": _begin, "record": _record, "fail": _fail}
# The steps of a reading of a channel, whose input has a channel_id instead of a video_id.
READING = {"begin": sync.begin, "record": sync.record, "fail": sync.fail}
# The steps of a change set, whose input has a change_set_id.
CHANGING = {"plan": change_runs.plan, "record": change_runs.record, "finish": change_runs.finish}

# The steps of a look at the reports that YouTube makes by itself, whose input has a stream_run.
STREAMS = {"plan": stream_runs.plan, "record": stream_runs.record}


@entrypoint
def handler(event: dict[str, Any], context: Any) -> Outcome | dict[str, Any]:
    if event.get("source") == "aws.states":
        return change_runs.ended_from_outside(event["detail"])
    if "stream_run" in event:
        return STREAMS[event["step"]](event)
    if "change_set_id" in event:
        return CHANGING[event["step"]](event)
    try:
        return (READING if "channel_id" in event else STEPS)[event["step"]](event)
    except ProductionCancelled:
        # A newer attempt has taken its place: this execution has nothing more to do.
        return {"do": "end", "step": event["step"]}

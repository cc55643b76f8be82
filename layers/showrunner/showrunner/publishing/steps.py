"""Order the steps of a publication, and compute the time between two requests to YouTube."""

from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict

from showrunner.publishing.job import PublicationJob
from showrunner.publishing.metadata import api_time

Step = Literal[
    "check",
    "reserve",
    "send",
    "process",
    "tags",
    "thumbnail",
    "captions",
    "playlist",
    "compare",
    "reconcile",
    "change",
    "remove",
]
# Steps after the id is saved: each has its own result, and none of them loses the video.
FINISHING: tuple[Step, ...] = ("tags", "thumbnail", "captions", "playlist")
FOLLOWING: dict[Step, Step] = {
    "check": "reserve",
    "reserve": "send",
    "send": "process",
    "process": "tags",
    "tags": "thumbnail",
    "thumbnail": "captions",
    "captions": "playlist",
    "playlist": "compare",
}
# So long a publication waits for a disconnected account to be connected again.
RECONNECT_DAYS = 7
# YouTube publishes on the minute, and its answers follow a little later.
RECONCILE_AFTER = timedelta(minutes=5)
DURATION_TOLERANCE_S = 1.0


class Outcome(TypedDict, total=False):
    """The result of one invocation for the machine: next action, its step, and the seconds to wait before."""

    do: Literal["work", "record", "wait", "end"]
    step: str
    wait_seconds: int
    waiting_for: str
    # The account must be connected again.
    is_disconnected: bool
    # Of the reading of a channel (channels/sync.py): whose page it is, its videos, and what was found.
    connection_id: str
    youtube_channel_id: str
    video_ids: list[str]
    is_first: bool
    tries: int
    found: dict[str, Any]
    error: str


def polling_seconds(polls: int) -> int:
    """Return the wait before the next question about processing: 5 s at first, ten minutes at most."""
    return int(min(5 * 2 ** min(polls, 10), 600))


def retry_seconds(tries: int) -> int:
    """Return the wait after the given number of failures: 2 s at first, five minutes at most."""
    return int(min(2 ** min(tries, 10), 300))


def problem(step: str, code: str, message: str, next_step: str) -> dict[str, str]:
    """Return one entry of a video's `problems`."""
    return {"step": step, "code": code, "message": message, "next_step": next_step}


def find_differences(job: PublicationJob, shown: dict[str, Any], now: datetime) -> list[dict[str, str]]:
    """Return the differences between what YouTube shows (an item of videos.list) and the request."""
    status, metadata = shown.get("status", {}), job.metadata
    is_due = metadata.publish_at is not None and metadata.publish_at <= now
    privacy = "public" if is_due else "private" if metadata.publish_at else metadata.privacy
    found = []
    if status.get("privacyStatus") != privacy:
        why = "YouTube shows {} instead of {}.".format(status.get("privacyStatus"), privacy)
        step = (
            "Open the video in YouTube Studio: account settings or a policy can lock it, and YouTube's "
            "email to the channel gives the reason."
        )
        found.append(problem("compare", "PRIVACY", why, step))
    if metadata.publish_at and not is_due and status.get("publishAt") != api_time(metadata.publish_at):
        found.append(
            problem(
                "compare",
                "PUBLISH_AT",
                "YouTube doesn't keep the time of publication.",
                "Set the time in YouTube Studio.",
            )
        )
    for code, name, wanted in (
        ("MADE_FOR_KIDS", "selfDeclaredMadeForKids", metadata.made_for_kids),
        ("SYNTHETIC", "containsSyntheticMedia", metadata.synthetic),
    ):
        if bool(status.get(name, False)) != wanted:
            found.append(
                problem(
                    "compare", code, f"YouTube shows {name} as {not wanted}.", "Set it in YouTube Studio."
                )
            )
    return [*found, *_file_differences(job, shown)]


def _file_differences(job: PublicationJob, shown: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    milliseconds = shown.get("fileDetails", {}).get("durationMs")
    if milliseconds is not None and abs(int(milliseconds) / 1000 - job.duration_s) > DURATION_TOLERANCE_S:
        why = f"YouTube's copy lasts {int(milliseconds) / 1000:.1f} s instead of {job.duration_s:.1f} s."
        found.append(problem("compare", "DURATION", why, "Delete the video and publish it again."))
    if job.thumbnail and not shown.get("contentDetails", {}).get("hasCustomThumbnail", False):
        found.append(
            problem(
                "thumbnail",
                "NO_THUMBNAIL",
                "YouTube shows no custom thumbnail.",
                "POST …/publish repeats only what is missing.",
            )
        )
    return found

"""Read a channel and its videos from YouTube: the steps with a database.

The publication machine runs them with the input {channel_id, organisation_id, attempt, step: "begin"}. Its
worker asks YouTube (channels/reading.py): one unit for the channel, and one for each 50 videos.
"""

from typing import Any, NamedTuple

from showrunner import quotas
from showrunner.accounts import emails, google_projects
from showrunner.database import db
from showrunner.publishing.steps import Outcome
from showrunner.store.accounts import connected_accounts
from showrunner.store.studio import channel_syncs, channels

# What one call of videos.list takes: https://developers.google.com/youtube/v3/docs/videos/list
IDS_A_UNIT = 50
# Until then a reading counts as running; YouTube is asked for some minutes at most.
RUNNING_SECONDS = 900
# A reading that has just ended is not repeated: YouTube's counters change by the hour.
FRESH_SECONDS = 60


# The share of the quota that readings are paid from.
SHARE = "metrics"


class Reservation(NamedTuple):
    """The units of one reading, and the quota day (Pacific date) that they count against."""

    project: quotas.Project
    units: int
    holder: str
    day: str


def reserve(tx: db.Transaction, channel_id: str, connection_id: str, attempt: int) -> Reservation:
    """Reserve the units of a whole reading. Raises QuotaExceeded."""
    videos = channel_syncs.count_videos(tx, channel_id)
    units, holder = 1 + -(-videos // IDS_A_UNIT), f"sync-{channel_id}-{attempt}"
    project = google_projects.of_connection(tx, connection_id)
    day = quotas.reserve_of_share(project, units, holder, SHARE)
    return Reservation(project, units, holder, day)


def release(reserved: Reservation) -> None:
    """Give back the units of a reading that never began."""
    quotas.release_of_share(reserved.project, reserved.units, reserved.holder, SHARE, reserved.day)


def begin(event: dict[str, Any]) -> Outcome:
    """Return the first page for the worker: the channel, and up to 50 of its videos."""
    with db.transaction() as tx:
        channel_syncs.require_running(tx, event["channel_id"], event["attempt"])
        connection = channels.get_connection(tx, event["channel_id"])
        page = channel_syncs.list_videos(tx, event["channel_id"], "", IDS_A_UNIT)
    return {
        "do": "work",
        "step": "sync",
        "connection_id": connection["connection_id"] or "",
        "youtube_channel_id": connection["youtube_channel_id"] or "",
        "video_ids": page,
        "is_first": True,
    }


def record(event: dict[str, Any]) -> Outcome:
    """Save what the worker found, and return the next page or the end."""
    following: Outcome = event["next"]
    if "error" in following:
        return _end(event, following)
    with db.transaction() as tx:
        channel_id, found = event["channel_id"], following["found"]
        channel_syncs.require_running(tx, channel_id, event["attempt"])
        if found["channel"]:
            channel_syncs.save_channel(tx, channel_id, found["channel"])
        channel_syncs.save_videos(tx, channel_id, found["videos"])
        asked = following["video_ids"]
        page = channel_syncs.list_videos(tx, channel_id, asked[-1], IDS_A_UNIT) if asked else []
        if not page:
            channel_syncs.end(tx, channel_id)
            return {"do": "end", "step": "sync"}
    return {
        "do": "work",
        "step": "sync",
        "connection_id": following["connection_id"],
        "youtube_channel_id": following["youtube_channel_id"],
        "video_ids": page,
        "is_first": False,
    }


def _end(event: dict[str, Any], following: Outcome) -> Outcome:
    """End a reading that failed. The first time that a permission has ended, a person is told."""
    told = None
    with db.transaction() as tx:
        channel_syncs.require_running(tx, event["channel_id"], event["attempt"])
        channel_syncs.end(tx, event["channel_id"], following["error"])
        if following.get("is_disconnected") and following["connection_id"]:
            told = connected_accounts.mark_lost(
                tx, event["organisation_id"], following["connection_id"], following["error"]
            )
    if told:
        emails.tell(told, emails.reconnect())
    return {"do": "end", "step": "sync"}


def fail(event: dict[str, Any]) -> Outcome:
    """End a reading that failed in a way that nobody foresaw."""
    with db.transaction() as tx:
        channel_syncs.require_running(tx, event["channel_id"], event["attempt"])
        channel_syncs.end(tx, event["channel_id"], "The reading failed; try again, or tell the operator.")
    return {"do": "end", "step": "fail"}

"""Choose the accounts that a run of the metrics machine asks for, within the day's quota."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from showrunner import config
from showrunner.aws import schedules
from showrunner.database import db
from showrunner.metrics import archive
from showrunner.metrics.definitions import SCHEDULE
from showrunner.store.metrics import accounts

# One call of channels.list has at most 50 ids and costs a unit:
# https://developers.google.com/youtube/v3/docs/channels/list
YOUTUBE_IDS = 50
# 24 runs a day need at most 432 of the share's 500 units. What is left is for refreshes and repeated calls.
YOUTUBE_UNITS = 18


class Artist(NamedTuple):
    """An artist whose figures a person wants now."""

    organisation_id: str
    id: str


def plan(run: str, artist: Artist | None) -> dict[str, Any]:
    """Claim the accounts of a run, the most overdue first, and store its batches. Returns their place.

    With more accounts than fit into the quota each is asked for less often, and none is left out. A repeat
    gets the same batches. Without `artist` and without work the database isn't asked.
    """
    now = datetime.now(UTC)
    if known := archive.find_plan(run):
        return _planned(run, known)
    if artist is None and not schedules.is_work_due(SCHEDULE, now.timestamp()):
        return _planned(run, [])
    with db.transaction() as tx:
        chosen = (
            accounts.claim_artist(tx, artist.organisation_id, artist.id, "youtube", run, now)
            if artist
            else accounts.claim_due(tx, "youtube", YOUTUBE_UNITS * YOUTUBE_IDS, run, now)
        )
        next_at = accounts.next_due_at(tx)
    batches = archive.batches("youtube", chosen, YOUTUBE_IDS, run, now)
    archive.write_plan(run, batches)
    if artist is None:
        # Last, so that a repeat still has work. What didn't fit into this run is due in the next one.
        schedules.look_again(SCHEDULE, next_at.timestamp() if next_at else None)
    return _planned(run, batches)


def _planned(run: str, batches: list[archive.Batch]) -> dict[str, Any]:
    place = {"bucket": config.setting("MEDIA_BUCKET"), "key": archive.plan_key(run)}
    return {"batches": len(batches), **place}

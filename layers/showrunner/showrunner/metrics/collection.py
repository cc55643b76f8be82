"""Choose the accounts that a run of the metrics machine asks a platform for, within the day's quota."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from showrunner import config, masking, quotas
from showrunner.aws import schedules
from showrunner.database import db
from showrunner.metrics import archive, replay
from showrunner.metrics.definitions import CONNECTED, schedule
from showrunner.store.metrics import accounts, days

# Instagram states figures of past days, each by a call of the account's own limit. It keeps them for two
# years; this is as long as a history is shown by default.
FILLED, FILLED_AT_ONCE = timedelta(days=30), 3

# The platform with whose hourly run all quotas are measured, whether there is work or not.
MEASURED_WITH = "youtube"


class Artist(NamedTuple):
    """An artist whose figures a person wants now."""

    organisation_id: str
    id: str


class Size(NamedTuple):
    """The most that a scheduled run asks for: `ids` in each call, and at most `calls`."""

    ids: int
    calls: int


# One call of channels.list has at most 50 ids and costs a unit:
# https://developers.google.com/youtube/v3/docs/channels/list
# 24 runs a day need at most 336 of the share's 500 units. What is left is for playlists (readings.py),
# refreshes and repeated calls.
YOUTUBE = Size(ids=50, calls=14)
# https://developer.spotify.com/documentation/web-api/reference/get-multiple-artists. 400 calls are 20,000
# artists in 80 s at the rate of rates.py.
SPOTIFY_EXTENDED = Size(ids=50, calls=400)
# Apps in development mode get one artist for a call, and their calls of a day are counted: 624 of 900. 168
# are for albums (readings.py), and a tenth is left: with less an alarm goes off.
SPOTIFY_DEVELOPMENT = Size(ids=1, calls=26)
# A connected account has its own calls. With more of them a run would last longer than its hour.
CONNECTIONS = Size(ids=1, calls=2_000)


def size(platform: str) -> Size:
    """Return how much a run asks the platform for."""
    if platform == "youtube":
        return YOUTUBE
    if platform in CONNECTED:
        return CONNECTIONS
    return SPOTIFY_EXTENDED if config.setting("SPOTIFY_MODE") == "extended" else SPOTIFY_DEVELOPMENT


def plan(run: str, platform: str, artist: Artist | None) -> dict[str, Any]:
    """Claim the accounts of a run, the most overdue first, and store its batches. Returns their place.

    Before them come answers that were archived and not loaded. With more accounts than fit into the quota
    each is asked for less often, and none is left out. A repeat gets the same batches. Without `artist` and
    without work the database isn't asked.
    """
    now = datetime.now(UTC)
    if known := archive.find_plan(run):
        return archive.planned(run, known)
    if artist is None and platform == MEASURED_WITH:
        _measure_quotas(now)
    if artist is None and not _is_due(platform, now):
        return archive.planned(run, [])
    ids, calls = size(platform)
    with db.transaction() as tx:
        chosen = (
            accounts.claim_artist(tx, artist.organisation_id, artist.id, platform, run, now)
            if artist
            else accounts.claim_due(tx, platform, calls * ids, run, now)
        )
        next_at = accounts.next_due_at(tx, platform)
        connected = _connected(tx, platform, chosen, now) if platform in CONNECTED else []
    batches = (
        archive.connected_batches(platform, connected, run, now)
        if platform in CONNECTED
        else archive.batches(platform, chosen, ids, run, now)
    )
    if artist is None:
        batches = [*replay.lost(platform, now), *batches]
    if batches:
        replay.expect_loads(platform, run, now)
    archive.write_plan(run, batches)
    if artist is None:
        # Last, so that a repeat still has work. What didn't fit into this run is due in the next one.
        schedules.look_again(schedule(platform), next_at.timestamp() if next_at else None)
    return archive.planned(run, batches)


def _is_due(platform: str, now: datetime) -> bool:
    """Return whether accounts are due, or answers of an earlier run were archived and not loaded."""
    return schedules.is_work_due(schedule(platform), now.timestamp()) or replay.is_overdue(platform, now)


def _connected(
    tx: db.Transaction, platform: str, account_ids: list[str], now: datetime
) -> list[dict[str, Any]]:
    """Return the connections of these accounts, those on Instagram with past days that are missing.

    Each asks for a few of them, chosen by chance: a day that Instagram never states holds up no other.
    """
    found: list[dict[str, Any]] = [*accounts.list_connected(tx, platform, account_ids)]
    if platform != "instagram":
        return found
    first, last = now.date() - FILLED, now.date() - timedelta(days=2)
    gaps = days.list_gaps(tx, platform, "views", [each["artist_id"] for each in found], first, last)
    for each in found:
        missing = gaps.get(each["artist_id"], [])
        chosen = sorted(random.sample(missing, min(len(missing), FILLED_AT_ONCE)))
        each["days"] = [day.isoformat() for day in chosen]
    return found


def _measure_quotas(now: datetime) -> None:
    """Write how much of each platform's quotas is left, in percent. An alarm looks at them.

    A line for each (CloudWatch's embedded metric format): they differ in their dimensions.
    """
    for (platform, bucket), left in quotas.left(now).items():
        line = {
            "level": "INFO",
            "message": "quota left",
            "platform": platform,
            "bucket": bucket,
            "stage": config.setting("STAGE"),
            "QuotaLeft": round(left, 1),
            "_aws": {
                "Timestamp": int(now.timestamp() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": "Showrunner",
                        "Dimensions": [["platform", "bucket", "stage"]],
                        "Metrics": [{"Name": "QuotaLeft", "Unit": "Percent"}],
                    }
                ],
            },
        }
        masking.write_line(line)

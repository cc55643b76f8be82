"""Choose what a run of the metrics machine asks about the videos and other items of artists."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from showrunner import config
from showrunner.aws import schedules
from showrunner.database import db
from showrunner.metrics import archive, replay
from showrunner.metrics.definitions import items_schedule
from showrunner.metrics.readings import Reading
from showrunner.metrics.readings import of as readings_of
from showrunner.store.metrics import accounts, days, items, readings, reports
from showrunner.telemetry import logger, metrics

# YouTube revises its figures of days for about a week.
REVISED = timedelta(days=7)
# A gap among the days of this time is asked for again: it is no call more.
FILLED = timedelta(days=365)


def plan(run: str, platform: str) -> dict[str, Any]:
    """Claim the accounts and items of a run, the most overdue first, and store its batches.

    Returns their place. A repeat gets the same batches. Without work the database isn't asked.
    """
    now = datetime.now(UTC)
    if known := archive.find_plan(run):
        return archive.planned(run, known)
    if not schedules.is_work_due(items_schedule(platform), now.timestamp()):
        return archive.planned(run, [])
    is_extended = platform != "spotify" or config.setting("SPOTIFY_MODE") == "extended"
    asked = readings_of(platform, is_extended=is_extended)
    with db.transaction() as tx:
        chosen = [(reading, _claim(tx, platform, reading, run, now)) for reading in asked]
        next_at = _next_due_at(tx, platform, asked)
        if platform == "youtube":
            _measure_reports(reports.count_standing(tx, platform))
        connected = {
            reading.name: _connected(tx, platform, reading, ids, now)
            for reading, ids in chosen
            if reading.is_connected
        }
    batches = [
        batch
        for reading, ids in chosen
        for batch in (
            archive.connected_batches(platform, connected[reading.name], run, now, reading.name)
            if reading.is_connected
            else archive.batches(platform, ids, reading.ids, run, now, reading.name)
        )
    ]
    if batches:
        replay.expect_loads(platform, run, now)
    archive.write_plan(run, batches)
    # What this run finds, such as new videos, is due in the next one.
    next_at = now if batches else next_at
    schedules.look_again(items_schedule(platform), next_at.timestamp() if next_at else None)
    return archive.planned(run, batches)


def _measure_reports(standing: int) -> None:
    """Write how many kinds of channels' reports don't come as they should. An alarm looks at it."""
    metrics.add_metric("ChannelReportsStanding", "Count", standing)
    if standing:
        logger.warning("reports of channels are late, have gaps or fail", extra={"count": standing})


def _claim(tx: db.Transaction, platform: str, reading: Reading, run: str, now: datetime) -> list[str]:
    """Return the ids of the accounts, or of the items, that a reading asks about in this run."""
    limit = reading.ids * reading.calls
    tiers = reading.active_seconds, reading.standard_seconds
    if reading.kind is None:
        return readings.claim_due(
            tx, platform, reading.name, tiers, limit, run, now, is_connected=reading.is_connected
        )
    return items.claim_due(tx, platform, reading.kind, tiers, limit, run, now)


def _connected(
    tx: db.Transaction, platform: str, reading: Reading, account_ids: list[str], now: datetime
) -> list[dict[str, Any]]:
    """Return the connections of these accounts, with what each asks for.

    since: the first day, which is the first one of a gap or lies before the last known day; none for the days
    of a year. after: the newest reports that are loaded.
    """
    found: list[dict[str, Any]] = [*accounts.list_connected(tx, platform, account_ids)]
    artist_ids = [each["artist_id"] for each in found]
    if reading.name == "reports":
        newest = reports.list_newest(tx, platform, artist_ids)
        return [{**each, "after": newest.get(each["artist_id"], {})} for each in found]
    covered = readings.list_covered(tx, platform, reading.name, artist_ids)
    gaps = days.first_gaps(tx, platform, artist_ids, (now - FILLED).date())
    since = {
        artist_id: min(until - REVISED, gaps.get(artist_id, date.max)) for artist_id, until in covered.items()
    }
    return [
        {**each, "since": since[each["artist_id"]].isoformat()} if each["artist_id"] in since else each
        for each in found
    ]


def _next_due_at(tx: db.Transaction, platform: str, asked: tuple[Reading, ...]) -> datetime | None:
    moments = []
    for reading in asked:
        tiers = reading.active_seconds, reading.standard_seconds
        moments.append(
            readings.next_due_at(tx, platform, reading.name, tiers, is_connected=reading.is_connected)
            if reading.kind is None
            else items.next_due_at(tx, platform, reading.kind, tiers)
        )
    return min((each for each in moments if each is not None), default=None)

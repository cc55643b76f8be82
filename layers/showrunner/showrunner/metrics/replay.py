"""Load archived answers again: those whose load failed, and all of a day when a person asks for it.

A batch of a replay asks no platform: the machine goes from its beginning to Load.
"""

import random
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from showrunner.aws import dynamodb
from showrunner.database import db
from showrunner.errors import InvalidRequest
from showrunner.metrics import archive
from showrunner.metrics.archive import Batch
from showrunner.metrics.definitions import METRICS
from showrunner.store.metrics import loads
from showrunner.telemetry import logger, metrics

HOUR = timedelta(hours=1)
# A run ends within 55 minutes of its hour: what isn't loaded then has failed, or its run was stopped.
_SETTLED = timedelta(hours=2)
# An answer that can't be loaded for three days needs a person. `metrics.loads` keeps its rows for longer.
LOOKED_BACK = timedelta(days=3)
# So that the run itself still fits into its hour.
MOST_REPLAYED = 500


def batches_of(platform: str, keys: list[str]) -> list[Batch]:
    """Return a batch for each archived answer, which is loaded without asking the platform."""
    return [Batch(platform, [], key, is_archived=True) for key in keys]


def expect_loads(platform: str, run: str, now: datetime) -> None:
    """Record that a run has batches to load. An hour without work looks for them once they are overdue."""
    overdue_at = now + _SETTLED
    dynamodb.put(
        _expected(platform), run, {"overdue_at": int(overdue_at.timestamp())}, (now + LOOKED_BACK).timestamp()
    )


def settle(platform: str, run: str) -> dict[str, Any]:
    """Record that all batches of a run are loaded. Uses no database."""
    dynamodb.remove(_expected(platform), run)
    return {"settled": run}


def is_overdue(platform: str, now: datetime) -> bool:
    """Return whether a run of a platform should have loaded its batches and hasn't said so: it has failed.

    Uses no database, so that an hour without work wakes none.
    """
    return bool(_overdue(platform, now))


def _overdue(platform: str, now: datetime) -> list[str]:
    at = now.timestamp()
    return [run for run, each in dynamodb.list_(_expected(platform), at) if each["overdue_at"] <= at]


def _expected(platform: str) -> str:
    return f"loads#{platform}"


def lost(platform: str, now: datetime) -> list[Batch]:
    """Return batches for the platform's answers that were archived and never loaded, MOST_REPLAYED at most.

    An alarm looks at their number. The hours before the first of them aren't looked at again.
    """
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    with db.reading() as tx:
        checked_to = loads.find_checked(tx, platform)
    # Answers before the first look were loaded by a release that kept no record of it.
    first = max(checked_to or this_hour, this_hour - LOOKED_BACK)
    hours = [first + n * HOUR for n in range((this_hour + HOUR - _SETTLED - first) // HOUR)]
    keys = {hour: archive.list_hour(platform, hour) for hour in hours}
    with db.transaction() as tx:
        missing = loads.list_missing(tx, [key for hour in hours for key in keys[hour]])
        wanted = set(missing)
        after = hours[-1] + HOUR if hours else first
        loads.save_checked(
            tx, platform, next((hour for hour in hours if wanted.intersection(keys[hour])), after)
        )
    metrics.add_metric("AnswersNotLoaded", "Count", len(missing))
    if not missing:
        for run in _overdue(platform, now):
            settle(platform, run)
    else:
        logger.error(
            "archived answers are not loaded", extra={"count": len(missing), "first_key": missing[0]}
        )
    # By chance, so that answers which can't be loaded hold up no other.
    return batches_of(platform, sorted(random.sample(missing, min(len(missing), MOST_REPLAYED))))


def plan(run: str, platform: str, day: str, hour: int | None = None) -> dict[str, Any]:
    """Store a batch for each answer of a day, or of an hour of it (UTC), that the archive has.

    Returns their place. Raises InvalidRequest for a platform or a day that there isn't.
    """
    if platform not in METRICS:
        raise InvalidRequest(f"There are no figures of {platform}: name one of {', '.join(METRICS)}.")
    try:
        hours = [
            datetime.combine(date.fromisoformat(day), time(each), UTC)
            for each in (range(24) if hour is None else [hour])
        ]
    except (ValueError, TypeError) as error:
        raise InvalidRequest("Name the day as in 2026-11-28, and an hour from 0 to 23.") from error
    keys = [key for each in hours for key in archive.list_hour(platform, each)]
    if (known := archive.find_plan(run)) is None:
        known = batches_of(platform, keys)
        archive.write_plan(run, known)
    logger.info("a replay is planned", extra={"platform": platform, "day": day, "answers": len(known)})
    return archive.planned(run, known)

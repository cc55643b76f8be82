"""Compare figures with earlier ones, and add them up over platforms. Unknown is None, never 0."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

# Growth is shown over so many days.
DAYS = (1, 7, 30)
# How far from the moment that it stands for an observation may lie. Daily figures lie half a day from it at
# most; over longer times one missed day does no harm.
_FARTHEST = {1: timedelta(hours=12)}
_FARTHEST_ELSE = timedelta(hours=36)


class Observation(NamedTuple):
    value: int
    at: datetime
    definition: int


class Growth(NamedTuple):
    """The change of a figure over `days`, None if there is nothing to compare it with.

    `since` is when the earlier figure was observed. With another definition of the metric the change is None
    too, and `is_redefined` is True.
    """

    days: int
    change: int | None
    since: datetime | None
    is_redefined: bool


def baseline_at(newest: Observation, days: int) -> datetime:
    """Return the moment that the newest figure is compared with."""
    return newest.at - timedelta(days=days)


def growth(newest: Observation, days: int, around: Iterable[Observation]) -> Growth:
    """Compare the newest figure with the nearest of the observations around its baseline."""
    moment = baseline_at(newest, days)
    farthest = _FARTHEST.get(days, _FARTHEST_ELSE)
    near = [each for each in around if abs(each.at - moment) <= farthest and each.at < newest.at]
    if not near:
        return Growth(days, None, None, is_redefined=False)
    before = min(near, key=lambda each: abs(each.at - moment))
    is_redefined = before.definition != newest.definition
    return Growth(days, None if is_redefined else newest.value - before.value, before.at, is_redefined)


def total_growth(days: int, parts: list[Growth]) -> Growth:
    """Add up the growth of several platforms. None if that of one is unknown."""
    changes = [each.change for each in parts]
    since = [each.since for each in parts if each.since is not None]
    known = [change for change in changes if change is not None]
    return Growth(
        days,
        sum(known) if known and len(known) == len(changes) else None,
        min(since) if since else None,
        any(each.is_redefined for each in parts),
    )

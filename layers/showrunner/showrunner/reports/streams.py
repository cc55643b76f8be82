"""Say whether the reports of one type that YouTube makes by itself come as they should. No I/O."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

# Daily reports come after about 62 hours, and gaps of up to 20 days were seen in working streams
# (github.com/JesusFilm/ytdt-claims-pipeline, docs on the daily claims ingest). Two missed weeks, or a month
# and a half, mean that something is wrong.
LATE_AFTER = {"day": timedelta(days=21), "week": timedelta(days=21), "month": timedelta(days=45)}
# Between the end of a report and the start of the next. A missing month is never normal.
LARGEST_GAP = {"day": timedelta(days=20), "week": timedelta(days=14), "month": timedelta(days=3)}
# YouTube keeps a report for 60 days: https://developers.google.com/youtube/reporting/v1/reports.
KEPT = timedelta(days=60)
# So long before a report that was not fetched is deleted, people are told.
EXPIRING = timedelta(days=14)
# A type ends three months after its notice: https://developers.google.com/youtube/reporting/v1/reference/rest.
ANNOUNCED = timedelta(days=90)


State = Literal["ok", "new", "late", "gap", "expiring", "failed", "ended"]


class Span(NamedTuple):
    """A report that YouTube has: the time it is about, when it was made, and whether it was fetched."""

    start_at: datetime
    end_at: datetime
    created_at: datetime
    fetched: bool


class Health(NamedTuple):
    """How a stream is, and why, unless all is well."""

    state: State
    reason: str | None


def frequency(spans: Sequence[Span]) -> str:
    """Return day, week or month: how long most of these reports are."""
    days = sorted((each.end_at - each.start_at).days for each in spans)
    middle = days[len(days) // 2]
    return "month" if middle > 20 else "week" if middle > 3 else "day"


def is_ending(deprecated_at: datetime | None, now: datetime) -> bool:
    """Return whether YouTube has announced that a type of report ends soon."""
    return deprecated_at is not None and deprecated_at - now < ANNOUNCED


def assess(spans: Sequence[Span], expires_at: datetime | None, now: datetime) -> Health:
    """Return how a stream is, by the reports of the last 60 days that YouTube lists."""
    if expires_at is not None and expires_at <= now:
        return Health("ended", f"YouTube has ended the job on {expires_at:%Y-%m-%d}.")
    if not spans:
        return Health("new", "YouTube has no report of this type yet.")
    lost = [each for each in spans if not each.fetched and each.created_at + KEPT - now < EXPIRING]
    if lost:
        day = min(each.created_at for each in lost) + KEPT
        return Health(
            "expiring", f"{len(lost)} reports were not fetched; YouTube deletes the first on {day:%Y-%m-%d}."
        )
    if expires_at is not None and expires_at - now < EXPIRING:
        return Health("expiring", f"YouTube ends the job on {expires_at:%Y-%m-%d}.")
    every = frequency(spans)
    newest = max(each.end_at for each in spans)
    if now - newest > LATE_AFTER[every]:
        return Health("late", f"The newest report ends on {newest:%Y-%m-%d}; there should be a later one.")
    ordered = sorted(spans, key=lambda each: each.start_at)
    ends = ordered[0].end_at
    for each in ordered[1:]:
        if each.start_at - ends > LARGEST_GAP[every]:
            return Health("gap", f"There is no report from {ends:%Y-%m-%d} to {each.start_at:%Y-%m-%d}.")
        ends = max(ends, each.end_at)
    return Health("ok", None)

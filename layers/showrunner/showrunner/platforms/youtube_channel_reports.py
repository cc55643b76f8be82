"""Read a channel's daily reports of YouTube's Reporting API. Calls nothing (youtube_reporting.py does).

https://developers.google.com/youtube/reporting/v1/reports/channel_reports

Days are those of Los Angeles. A report has a row for each video, and for each country, device or source too:
the figures of a channel are sums over them.
"""

import csv
import gzip
import heapq
import io
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from showrunner.errors import PlatformUnavailable
from showrunner.models import DayValue

if TYPE_CHECKING:
    # Its client would cost the function that loads the reports a slow start.
    from showrunner.platforms.youtube_reporting import ReportType

GZIP = b"\x1f\x8b"
# Of a day. Those of the largest channels beyond it are shown a few times.
MOST_VIDEOS = 2_000
_IMPRESSIONS, _RATE = "video_thumbnail_impressions", "video_thumbnail_impressions_ctr"


class Unreadable(PlatformUnavailable):
    """A report's file is damaged, or isn't the report that it should be. Asking again gives the same."""


class VideoDay(NamedTuple):
    """How often a video's thumbnail was shown on a day, and how often it was clicked."""

    item_id: str
    day: date
    impressions: int
    clicks: float


class Subject(NamedTuple):
    """Define what reports are about.

    `types`: beginnings of the ids of their types; the number of the version follows. The first that YouTube
    offers is used: the others have the same figures in more rows. `sums`: their columns -> our metrics.
    """

    types: tuple[str, ...]
    sums: dict[str, str]


# Views and what else YouTube Analytics states come from there, so that no figure has two sources.
SUBJECTS = {
    "activity": Subject(
        ("channel_basic_a",),
        {
            "engaged_views": "engaged_views",
            "red_views": "premium_views",
            "red_watch_time_minutes": "premium_minutes_watched",
            "videos_added_to_playlists": "playlist_additions",
            "videos_removed_from_playlists": "playlist_removals",
        },
    ),
    # Since 2026-01-15: https://developers.google.com/youtube/reporting/revision_history
    "reach": Subject(
        ("channel_reach_basic_a", "channel_reach_combined_a"),
        {_IMPRESSIONS: "impressions"},
    ),
}
# Clicks for each impression, 0.05 for five in a hundred. A day's is weighted by the rows' impressions.
CLICK_THROUGH = "click_through"


def metrics_of(subject: str) -> list[str]:
    """Return the metrics that reports about a subject state."""
    return [*SUBJECTS[subject].sums.values(), *([CLICK_THROUGH] if subject == "reach" else [])]


def choose(subject: str, offered: "Iterable[ReportType]", now: datetime) -> "ReportType | None":
    """Return the type of report to use for a subject: the newest version of the first kind that is offered.

    One that YouTube stops to make is taken only while it has no successor. None if there is no type.
    """
    going_on = [each for each in offered if each.deprecated_at is None or each.deprecated_at > now]
    for beginning in SUBJECTS[subject].types:
        versions = {
            int(found[1]): each
            for each in going_on
            if (found := re.fullmatch(rf"{re.escape(beginning)}(\d+)", each.id))
        }
        if versions:
            return versions[max(versions)]
    return None


def read(content: bytes, subject: str, channel_id: str, first: date, last: date) -> list[DayValue]:
    """Return a channel's figures of each day in a report's file, packed or not.

    A file without rows states nothing: YouTube makes one for days without data. Raises Unreadable for a file
    that is damaged, or that has days outside of `first` to `last`.
    """
    sums: dict[tuple[date, str], float] = defaultdict(float)
    try:
        for row in _rows(content):
            if row["channel_id"] != channel_id:
                continue
            day = datetime.strptime(row["date"], "%Y%m%d").date()  # noqa: DTZ007 - a day of Los Angeles
            if not first <= day <= last:
                raise Unreadable(f"YouTube's report of {first} has figures of {day}.")
            for column, metric in SUBJECTS[subject].sums.items():
                if row.get(column):
                    sums[day, metric] += float(row[column])
            if row.get(_IMPRESSIONS) and row.get(_RATE):
                sums[day, CLICK_THROUGH] += float(row[_IMPRESSIONS]) * float(row[_RATE])
    except (KeyError, ValueError, TypeError, csv.Error, OSError, EOFError, zlib.error) as error:
        raise Unreadable("YouTube's report can't be read.") from error
    return [
        DayValue(metric, day, value)
        for (day, metric), clicks in sorted(sums.items())
        if (value := _value(metric, clicks, sums.get((day, "impressions"), 0.0))) is not None
    ]


def read_videos(content: bytes, channel_id: str) -> list[VideoDay]:
    """Return how often each of a channel's videos was shown and clicked, in a file that `read` accepts.

    The MOST_VIDEOS with the most impressions of each file.
    """
    shown: dict[tuple[str, date], int] = defaultdict(int)
    clicks: dict[tuple[str, date], float] = defaultdict(float)
    for row in _rows(content):
        if row["channel_id"] != channel_id or not row.get("video_id") or not row.get(_IMPRESSIONS):
            continue
        key = row["video_id"], datetime.strptime(row["date"], "%Y%m%d").date()  # noqa: DTZ007 - as above
        shown[key] += int(float(row[_IMPRESSIONS]))
        clicks[key] += float(row[_IMPRESSIONS]) * float(row.get(_RATE) or 0)
    return [
        VideoDay(video_id, day, count, round(clicks[video_id, day], 4))
        for (video_id, day), count in heapq.nlargest(MOST_VIDEOS, shown.items(), key=lambda each: each[1])
    ]


def _value(metric: str, found: float, impressions: float) -> float | None:
    """Return a figure of a day. Without impressions there is no rate of clicks."""
    if metric != CLICK_THROUGH:
        return round(found, 2)
    return round(found / impressions, 6) if impressions else None


def _rows(content: bytes) -> csv.DictReader[str]:
    packed = io.BytesIO(content)
    # Line by line: unpacked it is some twenty times as large.
    stream = gzip.GzipFile(fileobj=packed) if content.startswith(GZIP) else packed
    return csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""), strict=True)

"""Read the reports of YouTube Analytics. Calls nothing (youtube_analytics.py does).

https://developers.google.com/youtube/analytics/reference/reports/query
"""

import json
from datetime import date
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import DayValue, Item

# Theirs -> ours.
DAYS = {
    "views": "views",
    "estimatedMinutesWatched": "minutes_watched",
    "averageViewDuration": "seconds_per_view",
    "subscribersGained": "subscribers_gained",
    "subscribersLost": "subscribers_lost",
    "likes": "likes",
    "comments": "comments",
    "shares": "shares",
}
REVENUE = {"estimatedRevenue": "revenue_usd"}
VIDEOS = {"views": "views_28_days", "estimatedMinutesWatched": "minutes_28_days"}


def read_days(report: dict[str, Any]) -> list[DayValue]:
    """Return the figures of a report of days, none for one without rows. Raises PlatformUnavailable."""
    ours = DAYS | REVENUE
    try:
        return [
            DayValue(ours[name], date.fromisoformat(row["day"]), value)
            for row in _rows(report)
            for name, value in row.items()
            if name in ours
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise PlatformUnavailable("YouTube's report of days can't be read.") from error


def read_videos(report: dict[str, Any], channel_id: str) -> list[Item]:
    """Return the videos of a report of top videos; their figures are of 28 days, and in `details`.

    Raises PlatformUnavailable.
    """
    try:
        return [
            Item(
                "video",
                row["video"],
                channel_id,
                None,
                None,
                {},
                {ours: int(row[theirs]) for theirs, ours in VIDEOS.items()},
            )
            for row in _rows(report)
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise PlatformUnavailable("YouTube's report of videos can't be read.") from error


def read(body: bytes, channel_id: str) -> tuple[list[DayValue], list[Item]]:
    """Return the figures and videos of an archived answer, {days, videos}. Raises PlatformUnavailable."""
    try:
        document = json.loads(body)
        days, videos = document["days"], document["videos"]
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformUnavailable("YouTube's reports aren't archived as they should be.") from error
    return read_days(days), read_videos(videos, channel_id)


def _rows(report: dict[str, Any]) -> list[dict[str, Any]]:
    names = [each["name"] for each in report["columnHeaders"]]
    return [dict(zip(names, row, strict=True)) for row in report.get("rows") or []]

"""YouTube Analytics API v2, for channels whose owners connect them. Calls cost no units of the Data API.

https://developers.google.com/youtube/analytics/reference/reports/query

Days are those of Los Angeles. The newest two or three are missing, and figures are revised for some days:
https://developers.google.com/youtube/analytics/data_model
"""

import json
import time
from datetime import date
from typing import Any, NamedTuple

from showrunner.errors import PlatformUnavailable
from showrunner.models import Item
from showrunner.platforms import youtube_errors
from showrunner.platforms.credentials import TokenRefused
from showrunner.platforms.http import Sender

SECONDS = 8
CALL_SECONDS = 12
# A year of days with nine metrics has 40 KB.
MOST_BYTES = 2 << 20
# Theirs -> ours.
_DAYS = {
    "views": "views",
    "estimatedMinutesWatched": "minutes_watched",
    "averageViewDuration": "seconds_per_view",
    "subscribersGained": "subscribers_gained",
    "subscribersLost": "subscribers_lost",
    "likes": "likes",
    "comments": "comments",
    "shares": "shares",
}
_REVENUE = {"estimatedRevenue": "revenue_usd"}
METRICS = (*_DAYS.values(), *_REVENUE.values())
_VIDEOS = {"views": "views_28_days", "estimatedMinutesWatched": "minutes_28_days"}
# Rows of the report of top videos: https://developers.google.com/youtube/analytics/channel_reports
MOST_VIDEOS = 200


class DayValue(NamedTuple):
    """A channel's figure of one day; revenue in USD, all others whole numbers."""

    metric: str
    day: date
    value: float


class Analytics:
    """A client with the access token of a channel's owner. `url` is https://youtubeanalytics.googleapis.com."""

    def __init__(self, url: str) -> None:
        self._sender = Sender("YouTube Analytics", SECONDS, MOST_BYTES)
        self._url = url.rstrip("/")

    def days(self, access_token: str, since: date, until: date, *, with_revenue: bool) -> dict[str, Any]:
        """Return the report of each day from `since` to `until`, as it comes.

        `with_revenue` needs the scope google.REVENUE. Raises TokenRefused, QuotaExceeded, PlatformRejected or
        PlatformUnavailable.
        """
        metrics = (*_DAYS, *_REVENUE) if with_revenue else (*_DAYS,)
        more = {"currency": "USD"} if with_revenue else {}
        return self._query(access_token, since, until, metrics, dimensions="day", sort="day", **more)

    def top_videos(self, access_token: str, since: date, until: date) -> dict[str, Any]:
        """Return the report of the channel's most viewed videos, as it comes. Raises as `days` does."""
        order = {"sort": "-views", "maxResults": str(MOST_VIDEOS)}
        return self._query(access_token, since, until, (*_VIDEOS,), dimensions="video", **order)

    def _query(
        self, access_token: str, since: date, until: date, metrics: tuple[str, ...], **more: str
    ) -> dict[str, Any]:
        answer = self._sender.send(
            "GET",
            f"{self._url}/v2/reports",
            query={
                "ids": "channel==MINE",
                "startDate": since.isoformat(),
                "endDate": until.isoformat(),
                "metrics": ",".join(metrics),
                **more,
            },
            headers={"Authorization": f"Bearer {access_token}"},
            until=time.monotonic() + CALL_SECONDS,
        )
        if answer.status == 401:
            raise TokenRefused("YouTube refuses the access token.")
        if answer.status != 200:
            failure = youtube_errors.failure(answer.status, answer.body)
            if isinstance(failure, PlatformUnavailable):
                raise PlatformUnavailable(failure.message, answer.retry_after)
            raise failure
        found = answer.json("YouTube Analytics")
        if not isinstance(found, dict):
            raise PlatformUnavailable("YouTube's answer isn't the report that it should be.")
        return found


def read_days(report: dict[str, Any]) -> list[DayValue]:
    """Return the figures of a report of days, none for one without rows. Raises PlatformUnavailable."""
    ours = _DAYS | _REVENUE
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
                {ours: int(row[theirs]) for theirs, ours in _VIDEOS.items()},
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

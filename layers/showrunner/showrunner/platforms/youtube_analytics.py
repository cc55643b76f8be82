"""YouTube Analytics API v2, for channels whose owners connect them. Calls cost no units of the Data API.

https://developers.google.com/youtube/analytics/reference/reports/query

Days are those of Los Angeles. The newest two or three are missing, and figures are revised for some days:
https://developers.google.com/youtube/analytics/data_model
"""

import time
from datetime import date
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.platforms import youtube_errors
from showrunner.platforms.credentials import TokenRefused
from showrunner.platforms.http import Sender
from showrunner.platforms.youtube_reports import DAYS, REVENUE, VIDEOS

SECONDS = 8
CALL_SECONDS = 12
# A year of days with nine metrics has 40 KB.
MOST_BYTES = 2 << 20
# Rows of the report of top videos: https://developers.google.com/youtube/analytics/channel_reports
MOST_VIDEOS = 200


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
        metrics = (*DAYS, *REVENUE) if with_revenue else (*DAYS,)
        more = {"currency": "USD"} if with_revenue else {}
        return self._query(access_token, since, until, metrics, dimensions="day", sort="day", **more)

    def top_videos(self, access_token: str, since: date, until: date) -> dict[str, Any]:
        """Return the report of the channel's most viewed videos, as it comes. Raises as `days` does."""
        order = {"sort": "-views", "maxResults": str(MOST_VIDEOS)}
        return self._query(access_token, since, until, (*VIDEOS,), dimensions="video", **order)

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

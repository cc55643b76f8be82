"""Invent the daily reports of a channel, as YouTube makes them after somebody has created a job.

https://developers.google.com/youtube/reporting/v1/reports/channel_reports

The first reports come within two days of the job's creation, with those of the 30 days before. A day's report
comes about two days after it. The figures of a day and video are always the same.
"""

import csv
import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local.platforms import youtube_videos
from local.platforms.world import World

Json = dict[str, Any]
TYPES: dict[str, Json] = {
    "channel_basic_a3": {"name": "User activity"},
    "channel_reach_basic_a1": {"name": "Reach basic"},
    "channel_reach_combined_a1": {"name": "Reach combined"},
}
_DIMENSIONS = {
    "channel_basic_a3": ("live_or_on_demand", "subscribed_status", "country_code"),
    "channel_reach_basic_a1": (),
    "channel_reach_combined_a1": ("traffic_source_type", "device_type"),
}
_VALUES = {
    "live_or_on_demand": ("on_demand",),
    "subscribed_status": ("subscribed", "not_subscribed"),
    "country_code": ("NG", "JP"),
    "traffic_source_type": ("5", "7"),
    "device_type": ("101", "102"),
}
_BASIC = (
    *("engaged_views", "views", "comments", "likes", "dislikes", "videos_added_to_playlists"),
    *("videos_removed_from_playlists", "shares", "watch_time_minutes", "average_view_duration_seconds"),
    *("average_view_duration_percentage", "subscribers_gained", "subscribers_lost", "red_views"),
    "red_watch_time_minutes",
)
_REACH = ("video_thumbnail_impressions", "video_thumbnail_impressions_ctr")
BEFORE, DELAY = timedelta(days=30), timedelta(days=2)
_PACIFIC = ZoneInfo("America/Los_Angeles")
MOST_VIDEOS = 5


def made(world: World, channel_id: str, job_id: str, job: Json, now: float) -> dict[str, Json]:
    """Return the reports that a job has made until `now` (epoch seconds), by id.

    None for a job of YouTube's own or of a type that isn't in TYPES.
    """
    if job.get("systemManaged") or job["reportTypeId"] not in TYPES or "createTime" not in job:
        return {}
    begun = datetime.fromisoformat(job["createTime"])
    reports: dict[str, Json] = {}
    day = (begun - BEFORE).astimezone(_PACIFIC).date()
    while True:
        start, end = _midnight(day), _midnight(day + timedelta(days=1))
        # A few seconds apart, as the files of one night are.
        created = max(begun, end) + DELAY - timedelta(hours=2) + timedelta(seconds=(day.toordinal() % 30))
        if created.timestamp() > now:
            return reports
        reports[f"{job_id}-{day:%Y%m%d}"] = {
            "jobId": job_id,
            "startTime": _text(start),
            "endTime": _text(end),
            "createTime": _text(created),
            "content": content(world, channel_id, job["reportTypeId"], day),
        }
        day += timedelta(days=1)


def content(world: World, channel_id: str, report_type: str, day: date) -> str:
    """Return the CSV file of a channel's day."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    dimensions = _DIMENSIONS[report_type]
    metrics = _BASIC if report_type == "channel_basic_a3" else _REACH
    writer.writerow(["date", "channel_id", "video_id", *dimensions, *metrics])
    rows: list[list[str]] = [[]]
    for each in dimensions:
        rows = [[*row, value] for row in rows for value in _VALUES[each]]
    for video_id, _ in youtube_videos.of_channel(world, channel_id)[:MOST_VIDEOS]:
        for row in rows:
            seed = f"{video_id}/{day}/{'/'.join(row)}"
            writer.writerow(
                [
                    day.strftime("%Y%m%d"),
                    channel_id,
                    video_id,
                    *row,
                    *(_value(each, seed) for each in metrics),
                ]
            )
    return stream.getvalue()


def _value(metric: str, seed: str) -> str:
    digest = hashlib.sha256(f"{seed}/{metric}".encode()).digest()
    if metric.endswith("_ctr"):
        return f"{digest[0] / 2_560:.4f}"
    if metric.endswith(("minutes", "seconds", "percentage")):
        return f"{digest[0] / 4:.2f}"
    return str(digest[0] + digest[1])


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=_PACIFIC).astimezone(UTC)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

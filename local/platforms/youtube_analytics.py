"""YouTube Analytics API v2: reports of a channel's days and of its top videos, for its owner's token.

Parameters are checked against the API's discovery document; metrics, dimensions and scopes against
https://developers.google.com/youtube/analytics/channel_reports and .../reference/reports/query.
"""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from local.platforms import discovery, youtube, youtube_videos
from local.platforms.http import Reply, Request
from local.platforms.world import World
from local.platforms.youtube import ApiError

Json = dict[str, Any]
API, PATH = "youtubeAnalytics.v2", "/v2/reports"
# Metric -> its type in the answer.
METRICS = dict.fromkeys(
    (
        *("views", "estimatedMinutesWatched", "averageViewDuration", "subscribersGained", "subscribersLost"),
        *("likes", "dislikes", "comments", "shares"),
    ),
    "INTEGER",
)
MONEY = {"estimatedRevenue": "FLOAT"}
# Days that are missing yet: https://developers.google.com/youtube/analytics/data_model
MISSING_DAYS = 2
MOST_VIDEOS = 200
_SCOPE = "https://www.googleapis.com/auth/"
READ_SCOPES = {f"{_SCOPE}yt-analytics.readonly", f"{_SCOPE}youtubepartner"}
MONEY_SCOPE = f"{_SCOPE}yt-analytics-monetary.readonly"


def answer(world: World, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't the API's."""
    called = discovery.method(API, request.method, request.path)
    if called is None or request.path != PATH:
        return None
    world.analytics_calls += 1
    try:
        youtube.raise_outcome(world.analytics_outcomes.take())
        grant = world.sign_ins.access_tokens.get(
            request.headers.get("authorization", "").removeprefix("Bearer ")
        )
        if grant is None:
            raise ApiError(401, "authError", "Invalid Credentials", "global", "UNAUTHENTICATED")
        problem = discovery.check(API, called, request.query)
        if problem:
            raise _bad(problem.message)
        channel_id = grant.channel or next(iter(world.owned.get(grant.email) or []), "")
        return Reply.json(_report(world, channel_id, set(grant.scopes), request.query))
    except ApiError as error:
        return Reply.json(error.body, error.status)
    except youtube.BadGateway:
        return Reply(502, b"<!doctype html><title>502</title>", "text/html; charset=UTF-8")


def _bad(words: str) -> ApiError:
    return ApiError(400, "badRequest", words, "global", "INVALID_ARGUMENT")


def _report(world: World, channel_id: str, scopes: set[str], query: dict[str, str]) -> Json:
    begin, end = _require_valid(query)
    if query["ids"] not in ("channel==MINE", f"channel=={channel_id}"):
        raise ApiError(403, "forbidden", "Forbidden", "global", "PERMISSION_DENIED")
    metrics = query["metrics"].split(",")
    if not scopes & READ_SCOPES or (set(metrics) & set(MONEY) and MONEY_SCOPE not in scopes):
        words = "Request had insufficient authentication scopes."
        raise ApiError(403, "insufficientPermissions", words, "global", "PERMISSION_DENIED")
    dimension = query.get("dimensions", "")
    if dimension == "day" and query.get("sort", "day") == "day":
        rows = _days(world, channel_id, metrics, begin, end)
    elif dimension == "video" and _is_list_of_top_videos(query):
        rows = _videos(world, channel_id, metrics, int(query["maxResults"]))
    else:
        raise _bad("The query is not supported. Check the documentation for supported queries.")
    headers = [{"name": dimension, "columnType": "DIMENSION", "dataType": "STRING"}]
    kinds = METRICS | MONEY
    headers += [{"name": each, "columnType": "METRIC", "dataType": kinds[each]} for each in metrics]
    found: Json = {"kind": "youtubeAnalytics#resultTable", "columnHeaders": headers}
    return found | {"rows": rows} if rows else found


def _require_valid(query: dict[str, str]) -> tuple[date, date]:
    """Return the first and last day of a query. Raises ApiError."""
    for name in ("ids", "startDate", "endDate", "metrics"):
        if not query.get(name):
            raise _bad(f"Required parameter: {name}")
    try:
        begin, end = date.fromisoformat(query["startDate"]), date.fromisoformat(query["endDate"])
    except ValueError as error:
        raise _bad("The dates must be of the form YYYY-MM-DD.") from error
    if begin > end:
        raise _bad("The start date must not be after the end date.")
    if unknown := [each for each in query["metrics"].split(",") if each not in METRICS | MONEY]:
        raise _bad(f"Unknown identifier ({unknown[0]}) given in field parameters.metrics.")
    return begin, end


def _is_list_of_top_videos(query: dict[str, str]) -> bool:
    return query.get("sort", "").startswith("-") and 1 <= int(query.get("maxResults", "0")) <= MOST_VIDEOS


def _days(world: World, channel_id: str, metrics: list[str], begin: date, end: date) -> list[list[Any]]:
    newest = datetime.now(UTC).astimezone(ZoneInfo("America/Los_Angeles")).date() - timedelta(
        days=1 + MISSING_DAYS
    )
    told = world.analytics.get(channel_id, {})
    rows = []
    while begin <= min(end, newest):
        day = begin.isoformat()
        rows.append(
            [day, *(told.get(each, {}).get(day, _invented(channel_id, each, day)) for each in metrics)]
        )
        begin += timedelta(days=1)
    return rows


def _invented(channel_id: str, metric: str, day: str) -> float:
    digest = hashlib.sha256(f"{channel_id}/{metric}/{day}".encode()).digest()
    return round(digest[0] / 10, 2) if metric in MONEY else digest[0] + digest[1]


def _videos(world: World, channel_id: str, metrics: list[str], size: int) -> list[list[Any]]:
    found = youtube_videos.of_channel(world, channel_id)
    found.sort(key=lambda each: -each[1].get("views", 0))
    return [
        [key, *(video.get("views", 0) if each == "views" else _invented(key, each, "") for each in metrics)]
        for key, video in found[:size]
    ]

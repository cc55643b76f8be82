"""YouTube Data API v3: the reads that showrunner makes, checked against the API's discovery document.

Errors: https://developers.google.com/youtube/v3/docs/errors (older form, with `errors`) and
https://cloud.google.com/apis/design/errors (newer form, with `status` and `details`). Quota:
https://developers.google.com/youtube/v3/determine_quota_cost.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from local.outcomes import Outcome
from local.platforms import discovery, limits, youtube_statistics, youtube_videos
from local.platforms.http import Reply, Request
from local.platforms.world import World

API = "youtube.v3"
PREFIX = "/youtube/v3/"
MOST_IDS = 50
# Methods whose calls have buckets of their own, by id: one unit a call.
BUCKETS = {"youtube.search.list": "search", "youtube.videos.batchGetStats": "video_statistics"}
LIMITS = limits.of("youtube")
QUOTAS = {"search": LIMITS["searches_a_day"], "video_statistics": LIMITS["video_statistics_a_day"]}
Json = dict[str, Any]


class ApiError(Exception):
    """An error in Google's form.

    With `info` the body also has the newer fields: status and a google.rpc.ErrorInfo.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        domain: str = "youtube",
        grpc: str | None = None,
        info: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        error: Json = {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": domain, "reason": reason}],
        }
        if grpc:
            error["status"] = grpc
        if info:
            error["details"] = [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com", **info}
            ]
        self.body = {"error": error}


def answer(world: World, request: Request) -> Reply:
    """Return the reply to a call below PREFIX. Every call with a method costs a unit, refused ones too."""
    called = discovery.method(API, request.method, request.path)
    if called is None:
        return Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html; charset=UTF-8")
    bucket = BUCKETS.get(called["id"])
    if bucket is None:
        world.spent += 1
    else:
        world.spent_apart[bucket] += 1
    try:
        raise_outcome(world.outcomes.take())
        caller = _caller(world, request)
        total = world.spent if bucket is None else world.spent_apart[bucket]
        used = world.renewal.used(bucket or "", total)
        is_spent = used > (world.quota if bucket is None else QUOTAS[bucket])
        if is_spent:
            world.refused_for_quota += 1
            raise_outcome(Outcome("daily_quota", {}))
        problem = discovery.check(API, called, request.query)
        if problem:
            raise ApiError(400, problem.reason, problem.message, "youtube.parameter", "INVALID_ARGUMENT")
        document = _read(world, called, request.query, caller)
        document["etag"] = hashlib.sha256(json.dumps(document).encode()).hexdigest()[:27]
        # https://developers.google.com/youtube/v3/getting-started#etags
        if request.headers.get("if-none-match", "").strip('"') == document["etag"]:
            world.unchanged += 1
            return Reply(304)
        return Reply.json(document)
    except ApiError as error:
        return Reply.json(error.body, error.status)
    except BadGateway:
        return Reply(502, b"<!doctype html><title>502. That's an error.</title>", "text/html; charset=UTF-8")


class BadGateway(Exception):
    pass


def _caller(world: World, request: Request) -> str | None:
    """Return the channel that an access token stands for, None for an API key. Raises ApiError."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        grant = world.sign_ins.access_tokens.get(token)
        if grant is None:
            raise ApiError(401, "authError", "Invalid Credentials", "global", "UNAUTHENTICATED")
        if not any(scope.rsplit("/", 1)[-1].startswith("youtube") for scope in grant.scopes):
            info = {
                "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "metadata": {"service": "youtube.googleapis.com"},
            }
            raise ApiError(
                403,
                "insufficientPermissions",
                "Request had insufficient authentication scopes.",
                "global",
                "PERMISSION_DENIED",
                info,
            )
        return grant.channel or next(iter(world.owned.get(grant.email, [])), "")
    if request.headers.get("x-goog-api-key", request.query.get("key")) != world.key:
        raise_outcome(Outcome("key_invalid", {}))
    return None


def raise_outcome(outcome: Outcome | None) -> None:
    """Raise the error of a scripted outcome."""
    if outcome is None:
        return
    if outcome.name == "bad_gateway":
        raise BadGateway
    raise ERRORS[outcome.name]


def _quota_info(limit: str, value: str) -> Json:
    metadata = {
        "service": "youtube.googleapis.com",
        "consumer": "projects/123456789",
        "quota_metric": "youtube.googleapis.com/default",
        "quota_limit": limit,
        "quota_limit_value": value,
    }
    return {"reason": "RATE_LIMIT_EXCEEDED", "metadata": metadata}


def _key_error(reason: str, words: str) -> ApiError:
    info = {
        "reason": reason,
        "metadata": {"service": "youtube.googleapis.com", "consumer": "projects/123456789"},
    }
    return ApiError(403, "forbidden", words, "global", "PERMISSION_DENIED", info)


_DAILY = (
    "The request cannot be completed because you have exceeded your "
    '<a href="/youtube/v3/getting-started#quota">quota</a>.'
)
_PER = (
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per {}' "
    "of service 'youtube.googleapis.com'."
)
_DAILY_NEW, _MINUTE_NEW = _PER.format("day"), _PER.format("minute")
ERRORS = {
    "daily_quota": ApiError(403, "quotaExceeded", _DAILY, "youtube.quota"),
    "daily_quota_new": ApiError(
        429,
        "rateLimitExceeded",
        _DAILY_NEW,
        "global",
        "RESOURCE_EXHAUSTED",
        _quota_info("defaultPerDayPerProject", "10000"),
    ),
    "rate_limit": ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded", "usageLimits"),
    "rate_limit_new": ApiError(
        429,
        "rateLimitExceeded",
        _MINUTE_NEW,
        "global",
        "RESOURCE_EXHAUSTED",
        _quota_info("defaultPerMinutePerProject", "1800"),
    ),
    "key_invalid": ApiError(
        400,
        "badRequest",
        "API key not valid. Please pass a valid API key.",
        "global",
        "INVALID_ARGUMENT",
        {"reason": "API_KEY_INVALID", "metadata": {"service": "youtube.googleapis.com"}},
    ),
    "key_service_blocked": _key_error(
        "API_KEY_SERVICE_BLOCKED",
        "Requests to this API youtube method youtube.api.v3.V3DataVideoService.List are blocked.",
    ),
    "key_ip_blocked": _key_error(
        "API_KEY_IP_ADDRESS_BLOCKED", "The provided API key has an IP address restriction."
    ),
    "key_referrer_blocked": _key_error(
        "API_KEY_HTTP_REFERRER_BLOCKED", "Requests from referer <empty> are blocked."
    ),
    "service_disabled": ApiError(
        403,
        "accessNotConfigured",
        "YouTube Data API v3 has not been used in project 123456789 before or it is disabled.",
        "usageLimits",
        "PERMISSION_DENIED",
        {"reason": "SERVICE_DISABLED", "metadata": {"service": "youtube.googleapis.com"}},
    ),
    "backend_error": ApiError(503, "backendError", "Backend Error", "global", "UNAVAILABLE"),
}


def _read(world: World, called: Json, query: dict[str, str], caller: str | None) -> Json:
    read = METHODS.get(called["id"])
    if read is None:
        raise ApiError(
            501, "notImplemented", f"The stand-in does not have {called['id']}.", "global", "UNIMPLEMENTED"
        )
    return read(world, query, caller)


def _parts(item: Json, query: dict[str, str]) -> Json:
    """Return the item with the requested parts only."""
    parts = query["part"].split(",")
    return {name: value for name, value in item.items() if name in ("kind", "etag", "id") or name in parts}


def _list(kind: str, items: list[Json], query: dict[str, str]) -> Json:
    page = {"totalResults": len(items), "resultsPerPage": int(query.get("maxResults", "5"))}
    return {"kind": kind, "etag": "etag", "pageInfo": page, "items": items}


def channels(world: World, query: dict[str, str], caller: str | None) -> Json:
    """channels.list. Without a match `items` is missing, not empty."""
    handle = query.get("forHandle", "").removeprefix("@").lower()
    matches: dict[str, Callable[[str, Json], bool]] = {
        "id": lambda key, _: key in query.get("id", "").split(","),
        "forHandle": lambda _, each: each.get("handle", "").lower() == handle,
        "forUsername": lambda _, each: each.get("user") == query.get("forUsername"),
        "mine": lambda key, _: key == caller,
    }
    selectors = [name for name in matches if name in query]
    if len(selectors) != 1:
        words = "No filter selected. Expected one of: forHandle, forUsername, id, mine"
        raise ApiError(400, "missingRequiredParameter", words, "youtube.parameter", "INVALID_ARGUMENT")
    if selectors == ["mine"] and caller is None:
        raise ApiError(
            401,
            "authorizationRequired",
            "The request uses the mine parameter but is not authorized.",
            "youtube.header",
        )
    ids = query["id"].split(",") if "id" in query else []
    if len(ids) > MOST_IDS:
        raise ApiError(
            400, "invalidFilters", f"At most {MOST_IDS} ids.", "youtube.parameter", "INVALID_ARGUMENT"
        )
    known = world.channels | _invented(world, ids)
    found = [(key, each) for key, each in known.items() if matches[selectors[0]](key, each)]
    # Without maxResults a call has five results, however many ids it names.
    found = found[: int(query.get("maxResults", "5"))]
    items = [_parts(_channel(key, each), query) for key, each in found]
    listed = _list("youtube#channelListResponse", items, query)
    if not items:
        del listed["items"]
    return listed


def _invented(world: World, ids: list[str]) -> Json:
    """Return channels for ids that nobody has told of, if the world invents them."""
    if not world.seeded:
        return {}
    made = {each: youtube_statistics.invented(each) for each in ids if each not in world.channels}
    return {key: channel for key, channel in made.items() if channel}


def _channel(key: str, channel: Json) -> Json:
    snippet = {"title": channel["title"], "description": "", "customUrl": f"@{channel.get('handle', '')}"}
    uploads = {"relatedPlaylists": {"likes": "", "uploads": "UU" + key[2:]}}
    is_hidden = "subscribers" not in channel
    statistics: Json = {
        "viewCount": str(channel.get("views", 0)),
        "videoCount": str(channel.get("videos", 0)),
    }
    statistics |= {"hiddenSubscriberCount": is_hidden, "subscriberCount": str(channel.get("subscribers", 0))}
    return {
        "kind": "youtube#channel",
        "etag": "etag",
        "id": key,
        "snippet": snippet,
        "contentDetails": uploads,
        "statistics": channel.get("statistics", statistics),
    }


def videos(world: World, query: dict[str, str], _: str | None) -> Json:
    """videos.list by id: 50 at most; unknown and private ones are missing."""
    ids = query.get("id", "").split(",")
    if "id" not in query:
        raise ApiError(
            400,
            "missingRequiredParameter",
            "No filter selected. Expected one of: id, chart, myRating",
            "youtube.parameter",
        )
    if len(ids) > MOST_IDS:
        raise ApiError(
            400, "invalidFilters", f"At most {MOST_IDS} ids.", "youtube.parameter", "INVALID_ARGUMENT"
        )
    items = [_parts(_video(world, key), query) for key in ids if key in world.videos]
    return _list("youtube#videoListResponse", items, query)


def _video(world: World, key: str) -> Json:
    video = world.videos[key]
    snippet = {
        "publishedAt": video["published_at"],
        "channelId": video["channel_id"],
        "channelTitle": world.channels[video["channel_id"]]["title"],
        "title": video["title"],
        "thumbnails": {
            "default": {"url": f"https://i.ytimg.com/vi/{key}/default.jpg", "width": 120, "height": 90}
        },
        "tags": video.get("tags", []),
        "categoryId": video.get("category_id", "22"),
    }
    return {
        "kind": "youtube#video",
        "etag": "etag",
        "id": key,
        "snippet": snippet,
        "contentDetails": {"duration": video.get("duration", "PT1M")},
        "statistics": {"viewCount": str(video.get("views", 0)), "likeCount": "0", "commentCount": "0"},
    }


def playlist_items(world: World, query: dict[str, str], _: str | None) -> Json:
    """playlistItems.list of a channel's uploads, newest first."""
    channel_id = "UC" + query.get("playlistId", "")[2:]
    if channel_id not in world.channels:
        words = (
            "The playlist identified with the request's <code>playlistId</code> parameter cannot be found."
        )
        raise ApiError(404, "playlistNotFound", words, "youtube.playlistItem")
    found = world.uploads(channel_id)[: int(query.get("maxResults", "5"))]
    items = [_parts(_playlist_item(world, channel_id, key, video), query) for key, video in found]
    return _list("youtube#playlistItemListResponse", items, query)


def _playlist_item(world: World, channel_id: str, key: str, video: Json) -> Json:
    title = world.channels[channel_id]["title"]
    return {
        "kind": "youtube#playlistItem",
        "etag": "etag",
        "id": f"item-{key}",
        "snippet": {"title": video["title"], "channelTitle": title, "publishedAt": video["published_at"]},
        "contentDetails": {"videoId": key, "videoPublishedAt": video["published_at"]},
    }


def _require_known_filter(query: dict[str, str], *names: str) -> None:
    selectors = [name for name in names if name in query]
    if len(selectors) != 1:
        words = f"No filter selected. Expected one of: {', '.join(names)}"
        raise ApiError(400, "missingRequiredParameter", words, "youtube.parameter", "INVALID_ARGUMENT")


def batch_get_stats(world: World, query: dict[str, str], _: str | None) -> Json:
    """videos.batchGetStats: 50 ids at most; unknown and private ones are missing."""
    for name in ("id", "part"):
        if not query.get(name):
            words = f"Required parameter: {name}"
            raise ApiError(400, "required", words, "youtube.parameter", "INVALID_ARGUMENT")
    ids = query["id"].split(",")
    if len(ids) > MOST_IDS:
        raise ApiError(
            400, "invalidArgument", f"At most {MOST_IDS} ids.", "youtube.parameter", "INVALID_ARGUMENT"
        )
    found = {each: world.videos.get(each) or _invented_video(world, each) for each in ids}
    items = [_parts(youtube_videos.stat(key, each), query) for key, each in found.items() if each]
    return {"kind": "youtube#batchGetStatsResponse", "etag": "etag", "items": items}


def _invented_video(world: World, key: str) -> Json | None:
    return youtube_videos.invented(key) if world.seeded else None


def search(world: World, query: dict[str, str], _: str | None) -> Json:
    """search.list of a channel's videos by views. The stand-in has no other searches."""
    if query.get("type") != "video" or query.get("order") != "viewCount" or "channelId" not in query:
        words = "The stand-in searches by channelId, type=video and order=viewCount only."
        raise ApiError(501, "notImplemented", words, "global", "UNIMPLEMENTED")
    if query["part"] != "snippet":
        raise ApiError(400, "unknownPart", query["part"], "youtube.parameter", "INVALID_ARGUMENT")
    channel_id = query["channelId"]
    found = youtube_videos.of_channel(world, channel_id)
    found.sort(key=lambda each: -each[1].get("views", 0))
    size = int(query.get("maxResults", "5"))
    items = [youtube_videos.search_result(key, each, channel_id) for key, each in found[:size]]
    return {**_list("youtube#searchListResponse", items, query), "regionCode": "US"}


def playlists(world: World, query: dict[str, str], _: str | None) -> Json:
    """playlists.list of a channel."""
    _require_known_filter(query, "channelId", "id", "mine")
    if "channelId" not in query:
        raise ApiError(501, "notImplemented", "The stand-in lists by channelId.", "global", "UNIMPLEMENTED")
    channel_id = query["channelId"]
    if channel_id not in world.channels and not _invented(world, [channel_id]):
        words = "The channel specified in the <code>channelId</code> parameter cannot be found."
        raise ApiError(404, "channelNotFound", words, "youtube.playlist")
    found = youtube_videos.playlists_of_channel(world, channel_id)
    items = [_parts(each, query) for each in found[: int(query.get("maxResults", "5"))]]
    return _list("youtube#playlistListResponse", items, query)


METHODS: dict[str, Callable[[World, dict[str, str], str | None], Json]] = {
    "youtube.channels.list": channels,
    "youtube.videos.list": videos,
    "youtube.playlistItems.list": playlist_items,
    "youtube.videos.batchGetStats": batch_get_stats,
    "youtube.search.list": search,
    "youtube.playlists.list": playlists,
}

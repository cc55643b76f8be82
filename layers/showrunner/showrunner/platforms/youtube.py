"""YouTube Data API v3 by API key, channels' feeds, and the addresses that people paste.

https://developers.google.com/youtube/v3/docs

Quota: every call here costs one of the 10,000 general units a day, refused calls too; each page of a list is
a call. Feeds cost none. Google's SDK isn't used: its import takes a quarter of a second, in functions whose
caller waits for three GETs.
"""

import json
import re
import time
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from showrunner.errors import (
    CredentialRejected,
    InvalidRequest,
    NotFound,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.models import Representation, Sighting
from showrunner.platforms import credentials, websub
from showrunner.platforms.http import Answer, Sender

# The longest silence.
SECONDS = 8
# A call with all of its answer.
CALL_SECONDS = 12
# The caller of from-url waits for two calls; a last silence and our own work must fit too into API Gateway's
# 30 s.
RESOLVE_SECONDS = 18
# How long the channel of an address may be used again without asking: its id stays for good, its title and
# handle change seldom. An address without a channel may get one at any time.
CHANNEL_SECONDS, NO_CHANNEL_SECONDS = 3_600, 60
# Details of 50 videos with descriptions of the greatest length have 2 MB.
API_BYTES = 8 << 20
# 15 entries with their descriptions have 60 KB; what is far above is no feed.
FEED_BYTES = 2 << 20
# Ids of one call: https://developers.google.com/youtube/v3/docs/channels/list
MOST_IDS = 50
KEY = "youtube/api_key"
HOSTS = ("www.youtube.com", "youtube.com", "m.youtube.com", "music.youtube.com")

# YouTube takes letters of 75 scripts. In many of them vowels are marks beside the letters, which \w leaves
# out: `_plain` drops them first.
_HANDLE = re.compile(r"@[\w.\-·]{1,60}")
_NAME = re.compile(r"(?=.*\w)[\w.\-%]{1,100}")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII)
_VIDEO_PATHS = ("shorts", "live", "embed", "v")


class Link(NamedTuple):
    """The channel or video that an address names. A custom name (/c/) may be a handle or a user name."""

    kind: Literal["channel", "handle", "user", "custom", "video"]
    value: str


class Channel(NamedTuple):
    channel_id: str
    title: str


def parse(url: str) -> Link:
    """Read an address of a YouTube channel or video. Raises InvalidRequest for any other. Fetches nothing."""
    try:
        parts = urlsplit(url.strip())
        host, port, user = (parts.hostname or "").lower(), parts.port, parts.username
    except ValueError as error:
        raise _no_address() from error
    if (
        parts.scheme.lower() not in ("https", "http")
        or port not in (None, 80, 443)
        or user is not None
        or any(c in url for c in "\\\r\n\t")
    ):
        raise _no_address()
    if "//" in parts.path:
        raise _no_address()
    segments = [unicodedata.normalize("NFC", unquote(each)) for each in parts.path.split("/") if each]
    link = (
        _short(segments)
        if host == "youtu.be"
        else _long(segments, parse_qs(parts.query))
        if host in HOSTS
        else None
    )
    if link is None:
        raise _no_address()
    return link


def _no_address() -> InvalidRequest:
    message = "invalid YouTube URL (must be a channel or video address of youtube.com or youtu.be)"
    return InvalidRequest(message, [{"field": "url", "message": message}])


def _short(segments: list[str]) -> Link | None:
    return Link("video", segments[0]) if len(segments) == 1 and websub.VIDEO.fullmatch(segments[0]) else None


def _long(segments: list[str], query: dict[str, list[str]]) -> Link | None:
    match segments:
        case ["channel", channel_id, *_] if websub.CHANNEL.fullmatch(channel_id):
            return Link("channel", channel_id)
        case [handle, *_] if _HANDLE.fullmatch(_plain(handle)):
            return Link("handle", handle)
        case ["c", name, *_] if _NAME.fullmatch(_plain(name)):
            return Link("custom", name)
        case ["user", name, *_] if _NAME.fullmatch(_plain(name)):
            return Link("user", name)
        case ["watch"]:
            ids = query.get("v", [])
            return Link("video", ids[0]) if len(ids) == 1 and websub.VIDEO.fullmatch(ids[0]) else None
        case [kind, video_id, *_] if kind in _VIDEO_PATHS and websub.VIDEO.fullmatch(video_id):
            return Link("video", video_id)
    return None


def _plain(name: str) -> str:
    """Return a name without its marks; a mark that begins it stays, so that it is refused."""
    return name[:1] + "".join(each for each in name[1:] if not unicodedata.category(each).startswith("M"))


class Quota(Protocol):
    """Counts units: reserved before a call, given back if the call was never sent.

    `day` is the quota day that the units were reserved in.
    """

    def spend(self, units: int) -> str: ...
    def give_back(self, units: int, day: str) -> None: ...
    def exhaust(self, day: str) -> QuotaExceeded: ...


class Cache(Protocol):
    """Keeps answers. `request` says all of what is asked.

    `ask` takes the ETag of the answer that is kept, or None, and returns None if that answer is unchanged.
    """

    def read(self, request: str, ask: Callable[[str | None], Representation | None]) -> bytes: ...


class Youtube:
    """Calls the Data API by key, or by the access token of a person.

    `cache` keeps the answers of `resolve`, which are public.
    """

    def __init__(
        self,
        key: str,
        base_url: str,
        quota: Quota,
        access_token: str | None = None,
        cache: Cache | None = None,
    ) -> None:
        self._sender = Sender("YouTube", SECONDS, API_BYTES)
        self._cache = cache if access_token is None else None
        self._key = key
        self._access_token = access_token
        self._base_url = base_url.rstrip("/")
        self._quota = quota

    def resolve(self, link: Link) -> Channel:
        """Return the channel that a link names. Raises NotFound, or what a call of the API raises."""
        until = time.monotonic() + RESOLVE_SECONDS
        match link.kind:
            case "channel":
                found = self._channel(until, id=link.value)
            case "handle":
                found = self._channel(until, forHandle=link.value)
            case "user":
                found = self._channel(until, forUsername=link.value)
            case "custom":
                # The API knows no custom names; their owners mostly took them as handle.
                found = self._channel(until, forHandle=link.value) or self._channel(
                    until, forUsername=link.value
                )
            case "video":
                found = self._channel_of_video(until, link.value)
        if found is None:
            raise NotFound(f"no YouTube channel found for {link.value}")
        return found

    def own(self) -> Channel | None:
        """Return the channel that the access token stands for, None if the account has none. 1 unit."""
        return self._channel(_soon(), mine="true")

    def _channel(self, until: float, **selector: str) -> Channel | None:
        items = self._read("channels", until, part="snippet", **selector).get("items") or []
        return Channel(items[0]["id"], items[0]["snippet"]["title"]) if items else None

    def _channel_of_video(self, until: float, video_id: str) -> Channel | None:
        items = self._read("videos", until, part="snippet", id=video_id).get("items") or []
        return (
            Channel(items[0]["snippet"]["channelId"], items[0]["snippet"]["channelTitle"]) if items else None
        )

    def details(self, video_ids: list[str]) -> list[dict[str, Any]]:
        """Return {video_id, details} of up to 50 videos, 1 unit. Private and deleted ones are missing."""
        answer = self._get(
            "videos", _soon(), part="snippet,contentDetails,statistics", id=",".join(video_ids)
        )
        return [{"video_id": each["id"], "details": _details(each)} for each in answer.get("items") or []]

    def statistics(self, channel_ids: list[str]) -> bytes:
        """Return channels.list of up to 50 channels as it comes, 1 unit; youtube_statistics.py reads it."""
        ids = ",".join(channel_ids)
        return self._send("channels", _soon(), part="statistics", id=ids, maxResults=str(MOST_IDS))

    def video_statistics(self, video_ids: list[str]) -> bytes:
        """Return the counters of up to 50 public videos as they come, 1 unit of a bucket of their own.

        https://developers.google.com/youtube/v3/docs/videos/batchGetStats
        """
        ids = ",".join(video_ids)
        return self._send("videos:batchGetStats", _soon(), part="snippet,statistics,contentDetails", id=ids)

    def top_videos(self, channel_id: str) -> bytes:
        """Return the channel's 50 videos with the most views as they come, a call of the bucket "search".

        https://developers.google.com/youtube/v3/docs/search/list
        """
        return self._send(
            "search",
            _soon(),
            part="snippet",
            channelId=channel_id,
            type="video",
            order="viewCount",
            maxResults=str(MOST_IDS),
        )

    def playlists(self, channel_id: str) -> bytes:
        """Return the channel's first 50 playlists as they come, 1 unit.

        https://developers.google.com/youtube/v3/docs/playlists/list
        """
        return self._send(
            "playlists",
            _soon(),
            part="snippet,contentDetails",
            channelId=channel_id,
            maxResults=str(MOST_IDS),
        )

    def uploads(self, channel_id: str) -> list[Sighting]:
        """Return the newest 50 uploads, 1 unit. Their playlist is the channel's id with UU instead of UC."""
        answer = self._get(
            "playlistItems",
            _soon(),
            part="snippet,contentDetails",
            playlistId="UU" + channel_id[2:],
            maxResults="50",
        )
        return [_upload(each, channel_id) for each in answer.get("items") or []]

    def _read(self, path: str, until: float, **parameters: str) -> dict[str, Any]:
        """Return the answer to a call as `_get` does, through the cache if there is one."""
        if self._cache is None:
            return self._get(path, until, **parameters)

        def ask(etag: str | None) -> Representation | None:
            answer = self._answer(path, until, parameters, etag)
            return None if answer.status == 304 else _representation(answer.body)

        return _json(
            self._cache.read(f"{self._base_url}/{path}?{urlencode(sorted(parameters.items()))}", ask)
        )

    def _get(self, path: str, until: float, **parameters: str) -> dict[str, Any]:
        return _json(self._send(path, until, **parameters))

    def _send(self, path: str, until: float, **parameters: str) -> bytes:
        """Return the body of a call that succeeds. It costs a unit."""
        return self._answer(path, until, parameters).body

    def _answer(self, path: str, until: float, parameters: dict[str, str], etag: str | None = None) -> Answer:
        """Return the answer 200, or 304 if the one with this ETag is unchanged. Both cost a unit.

        https://developers.google.com/youtube/v3/getting-started#etags doesn't say whether 304 costs one: so
        it is counted.
        """
        headers = self._credential() | ({} if etag is None else {"If-None-Match": etag})
        day = self._quota.spend(1)
        try:
            answer = self._sender.send(
                "GET",
                f"{self._base_url}/youtube/v3/{path}",
                query=parameters,
                headers=headers,
                until=until,
            )
        except PlatformUnavailable as error:
            if not error.was_sent:
                self._quota.give_back(1, day)
            raise
        if answer.status == 200 or (answer.status == 304 and etag is not None):
            return answer
        failure = _failure(answer)
        if isinstance(failure, QuotaExceeded):
            raise self._quota.exhaust(day) from failure
        raise failure

    def _credential(self) -> dict[str, str]:
        """Return the credential as a header: an address with it would end in a log.

        Raises CredentialRejected before a unit is spent.
        """
        if self._access_token is not None:
            return {"Authorization": f"Bearer {self._access_token}"}
        return {"X-Goog-Api-Key": credentials.checked(self._key, "YouTube", KEY)}


def _soon() -> float:
    return time.monotonic() + CALL_SECONDS


def _json(body: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise PlatformUnavailable("YouTube's answer isn't the JSON that it should be.") from error


def _representation(body: bytes) -> Representation:
    """Return an answer about a channel with its ETag, which is in the document."""
    document = _json(body)
    etag = document.get("etag")
    seconds = CHANNEL_SECONDS if document.get("items") else NO_CHANNEL_SECONDS
    return Representation(body, etag if isinstance(etag, str) and etag.isprintable() else None, seconds)


# Reasons of google.rpc.ErrorInfo (https://cloud.google.com/apis/design/errors) -> what to do about the key.
_KEY_REMEDIES = {
    "API_KEY_INVALID": f"store a valid key in SSM as {KEY}",
    "API_KEY_SERVICE_BLOCKED": "allow the YouTube Data API v3 in the key's restrictions in Google's console",
    "API_KEY_IP_ADDRESS_BLOCKED": "remove the IP addresses from the key's restrictions, or add the NAT's",
    "API_KEY_HTTP_REFERRER_BLOCKED": "take the websites out of the key's restrictions in Google's console",
    "API_KEY_ANDROID_APP_BLOCKED": "take the apps out of the key's restrictions in Google's console",
    "API_KEY_IOS_APP_BLOCKED": "take the apps out of the key's restrictions in Google's console",
    "CONSUMER_SUSPENDED": "Google suspended the project: see its console",
    "SERVICE_DISABLED": "enable the YouTube Data API v3 in the key's project",
}
_KEY_REASONS = ("keyInvalid", "keyExpired", "accessNotConfigured", "authError", "ipRefererBlocked")


def _failure(answer: Answer) -> Exception:
    """Read both generations of Google's errors: `errors[0].reason`, and `status` with `details`.

    https://developers.google.com/youtube/v3/docs/errors, https://cloud.google.com/apis/design/errors
    """
    error = _error(answer.body)
    reason, words = _reason(error), str(error.get("message", ""))[:200]
    info: dict[str, Any] = next(
        (each for each in error.get("details") or [] if "ErrorInfo" in str(each.get("@type"))), {}
    )
    code = answer.status
    if reason in ("quotaExceeded", "dailyLimitExceeded") or _is_daily(info, words):
        return QuotaExceeded("YouTube's quota of the day is spent.")
    if (
        code >= 500
        or code in (408, 429)
        or reason in ("rateLimitExceeded", "userRateLimitExceeded", "backendError")
    ):
        return PlatformUnavailable(f"YouTube answers {code} {reason}.", answer.retry_after)
    remedy = _KEY_REMEDIES.get(str(info.get("reason")))
    if remedy or code == 401 or reason in _KEY_REASONS or "API key" in words:
        detail = str(info.get("reason") or reason)
        return CredentialRejected(
            f"YouTube refuses the API key: {detail}. {remedy[0].upper() + remedy[1:]}."
            if remedy
            else f"YouTube refuses the key: {detail}."
        )
    return PlatformRejected(f"YouTube refuses the request with {code} {reason}: {words}")


def _error(body: bytes) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _reason(error: dict[str, Any]) -> str:
    errors = error.get("errors") or [{}]
    return str(
        (errors[0] if isinstance(errors[0], dict) else {}).get("reason") or error.get("status") or "unknown"
    )


def _is_daily(info: dict[str, Any], words: str) -> bool:
    """Return True if a daily limit is meant: the newer form has one reason for day and minute."""
    limit = str((info.get("metadata") or {}).get("quota_limit", ""))
    return info.get("reason") == "RATE_LIMIT_EXCEEDED" and (
        "perday" in limit.lower() or "per day" in words.lower()
    )


def _details(item: dict[str, Any]) -> dict[str, Any]:
    snippet, statistics = item["snippet"], item.get("statistics", {})
    counts = {"views": "viewCount", "likes": "likeCount", "comments": "commentCount"}
    return {
        "duration_seconds": seconds(item.get("contentDetails", {}).get("duration", "")),
        "tags": snippet.get("tags", []),
        "category_id": snippet.get("categoryId"),
        "thumbnails": {name: each["url"] for name, each in snippet.get("thumbnails", {}).items()},
        # Counters come as text; one that the owner hides is absent.
        "statistics": {
            ours: int(statistics[theirs]) for ours, theirs in counts.items() if theirs in statistics
        },
    }


def _upload(item: dict[str, Any], channel_id: str) -> Sighting:
    published = websub.moment(
        item["contentDetails"].get("videoPublishedAt") or item["snippet"]["publishedAt"]
    )
    # The list doesn't say when a title changed; by its date of publication it never wins over a push.
    return Sighting(
        item["contentDetails"]["videoId"],
        channel_id,
        item["snippet"].get("channelTitle"),
        item["snippet"]["title"],
        published,
        published,
    )


def seconds(duration: str) -> int | None:
    """Return the seconds of an ISO 8601 duration (PT4M13S, P1DT2H), None if it isn't one."""
    match = _DURATION.fullmatch(duration)
    if match is None or duration in ("", "P"):
        return None
    days, hours, minutes, rest = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


class Feeds:
    """Channels' Atom feeds: the last 15 videos, without quota."""

    def __init__(self, base_url: str) -> None:
        self._sender = Sender("The feed", SECONDS, FEED_BYTES)
        self._base_url = base_url.rstrip("/")

    def get(self, channel_id: str, now: datetime) -> list[Sighting]:
        """Return a channel's newest videos. Raises PlatformUnavailable, PlatformRejected without a feed."""
        return websub.read_feed(self.raw(channel_id), channel_id, now)

    def raw(self, channel_id: str) -> bytes:
        """Return a channel's feed as it comes. Raises as `get` does."""
        url = f"{self._base_url}{websub.TOPIC_PATHS[1]}"
        answer = self._sender.send("GET", url, query={"channel_id": channel_id}, until=_soon())
        if answer.status >= 500 or answer.status == 429:
            raise PlatformUnavailable(f"The feed answers {answer.status}.")
        if answer.status != 200:
            raise PlatformRejected(f"The feed answers {answer.status}.")
        return answer.body

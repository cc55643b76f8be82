"""Read what YouTube says about videos and playlists. Calls nothing.

https://developers.google.com/youtube/v3/docs/videos/batchGetStats, .../docs/search, .../docs/playlists
"""

import html
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from showrunner.errors import InvalidRequest, PlatformUnavailable
from showrunner.models import Item
from showrunner.platforms import websub

# Theirs -> ours. Counters come as text; one that the owner hides is left out.
_COUNTERS = {"viewCount": "views", "likeCount": "likes", "commentCount": "comments"}


def read_statistics(body: bytes) -> list[Item]:
    """Return the videos of videos.batchGetStats; deleted and private ones are missing.

    Raises PlatformUnavailable, as the other readers do.
    """
    return _read(body, _with_counters)


def read_search(body: bytes) -> list[Item]:
    """Return the videos of search.list."""
    return _read(body, _found)


def read_playlists(body: bytes) -> list[Item]:
    """Return the playlists of playlists.list, with the number of their videos."""
    return _read(body, _playlist)


def read_feeds(body: bytes, now: datetime) -> list[Item]:
    """Return the videos of several feeds, {channel id: Atom}. Channels without a feed are null."""
    try:
        feeds = json.loads(body)
        found = [
            each
            for channel_id, feed in feeds.items()
            if feed is not None
            for each in websub.read_feed(feed.encode(), channel_id, now)
        ]
    except (ValueError, AttributeError) as error:
        raise PlatformUnavailable("YouTube's feeds aren't archived as they should be.") from error
    return [
        Item("video", each.video_id, each.channel_id or "", each.title, each.published_at, {}, {})
        for each in found
        if each.title is not None
    ]


def _read(body: bytes, item: Callable[[dict[str, Any]], Item]) -> list[Item]:
    try:
        return [item(each) for each in json.loads(body).get("items") or []]
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as error:
        raise PlatformUnavailable("YouTube's answer isn't the list that it should be.") from error


def _with_counters(item: dict[str, Any]) -> Item:
    statistics = item.get("statistics") or {}
    figures = {ours: int(statistics[theirs]) for theirs, ours in _COUNTERS.items() if theirs in statistics}
    duration = (item.get("contentDetails") or {}).get("duration")
    # "253s", and not the ISO 8601 of videos.list.
    details = {"seconds": round(float(duration.removesuffix("s")))} if duration else {}
    published = (item.get("snippet") or {}).get("publishTime")
    return Item(
        "video", item["id"], "", None, websub.moment(published) if published else None, figures, details
    )


def _found(item: dict[str, Any]) -> Item:
    snippet = item["snippet"]
    # search.list writes titles as HTML.
    title = html.unescape(snippet["title"])
    at = websub.moment(snippet["publishedAt"])
    return Item("video", item["id"]["videoId"], snippet["channelId"], title, at, {}, {})


def _playlist(item: dict[str, Any]) -> Item:
    snippet = item["snippet"]
    count = (item.get("contentDetails") or {}).get("itemCount")
    figures = {} if count is None else {"videos": int(count)}
    at = websub.moment(snippet["publishedAt"])
    return Item("playlist", item["id"], snippet["channelId"], snippet["title"], at, figures, {})

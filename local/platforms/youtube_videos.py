"""Videos and playlists of channels that nobody has told of: the same for the same channel and time."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Any

from local.platforms import clock
from local.platforms.world import World
from local.platforms.youtube_statistics import BEGIN, DAY
from local.platforms.youtube_statistics import invented as invented_channel

Json = dict[str, Any]
VIDEO = re.compile("[A-Za-z0-9_-]{11}", re.ASCII)
VIDEOS, PLAYLISTS = 20, 2


def of_channel(world: World, channel_id: str) -> list[tuple[str, Json]]:
    """Return (id, video) of a channel, newest first: those that the world knows, or invented ones."""
    known = world.uploads(channel_id)
    if known or not world.seeded or channel_id in world.channels or not invented_channel(channel_id):
        return known
    keys = [_key(f"{channel_id}/{number}") for number in range(VIDEOS)]
    found = [(key, {**invented(key), "channel_id": channel_id}) for key in keys]
    return sorted(found, key=lambda each: each[1]["published_at"], reverse=True)


def invented(key: str, now: float | None = None) -> Json:
    """Return a video for an id; its figures grow."""
    digest = hashlib.sha256(key.encode()).digest()
    days = max(0.0, ((clock.now() if now is None else now) - BEGIN) / DAY)
    published = BEGIN - (digest[0] * 256 + digest[1]) % 1_000 * DAY
    return {
        "title": f"Video {key[:5]}",
        "published_at": datetime.fromtimestamp(published, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "views": 100 * (1 + digest[2]) + int(days * digest[3]),
        "likes": digest[4],
        "comments": digest[5],
        "seconds": 120 + digest[6],
    }


def stat(key: str, video: Json) -> Json:
    """Return a videoStat: https://developers.google.com/youtube/v3/docs/videos/batchGetStats."""
    statistics = {"viewCount": str(video.get("views", 0))}
    # The owner may hide them.
    names = {"likes": "likeCount", "comments": "commentCount"}
    statistics |= {theirs: str(video[ours]) for ours, theirs in names.items() if ours in video}
    return {
        "kind": "youtube#videoStats",
        "etag": "etag",
        "id": key,
        "snippet": {"publishTime": video["published_at"]},
        "statistics": statistics,
        "contentDetails": {"duration": f"{video.get('seconds', 60)}s"},
    }


def search_result(key: str, video: Json, channel_id: str) -> Json:
    """Return a result of search.list. Titles are HTML in it."""
    title = video["title"].replace("&", "&amp;").replace("'", "&#39;").replace('"', "&quot;")
    return {
        "kind": "youtube#searchResult",
        "etag": "etag",
        "id": {"kind": "youtube#video", "videoId": key},
        "snippet": {"publishedAt": video["published_at"], "channelId": channel_id, "title": title},
    }


def playlists_of_channel(world: World, channel_id: str) -> list[Json]:
    """Return the playlists of a channel with all of their parts."""
    known = {key: each for key, each in world.channel_playlists.items() if each["channel_id"] == channel_id}
    if not known and world.seeded and channel_id not in world.channels:
        made = [f"PL{_key(f'{channel_id}/list/{number}')}" for number in range(PLAYLISTS)]
        known = {key: {"title": f"Playlist {key[2:6]}", "videos": 5} for key in made}
    return [
        {
            "kind": "youtube#playlist",
            "etag": "etag",
            "id": key,
            "snippet": {
                "publishedAt": each.get("published_at", "2026-01-01T00:00:00Z"),
                "channelId": channel_id,
                "title": each["title"],
            },
            "contentDetails": {"itemCount": each["videos"]},
        }
        for key, each in known.items()
    ]


def _key(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode()[:11]

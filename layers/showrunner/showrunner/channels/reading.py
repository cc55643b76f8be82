"""Read a channel and its videos from YouTube: the step that asks YouTube. No database.

Input and result travel through the publication machine: a page has at most 50 videos, about 10 KB.
"""

from typing import Any

from showrunner import config
from showrunner.accounts import youtube_access
from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
)
from showrunner.platforms.youtube_studio import Studio
from showrunner.publishing import steps
from showrunner.publishing.steps import Outcome

# With retry_seconds, six failures in a row take two minutes: somebody waits for the result.
MOST_TRIES = 6


def read(event: dict[str, Any]) -> Outcome:
    """Return what YouTube shows of the channel (first page only) and of the videos of the page.

    Errors end the reading with a message for the user; a passing one is tried again after a wait.
    """
    page: Outcome = {
        "step": "sync",
        "connection_id": event["connection_id"],
        "youtube_channel_id": event["youtube_channel_id"],
        "video_ids": event["video_ids"],
        "is_first": event["is_first"],
    }
    try:
        found = _found(event)
    except Disconnected as error:
        return {**page, "do": "record", "error": error.message, "is_disconnected": True}
    except PlatformUnavailable as error:
        tries = event.get("tries", 0) + 1
        if tries < MOST_TRIES:
            return {**page, "do": "wait", "tries": tries, "wait_seconds": steps.retry_seconds(tries)}
        return {**page, "do": "record", "error": f"{error.message} Try again later."}
    except (PlatformRejected, CredentialRejected, QuotaExceeded) as error:
        return {**page, "do": "record", "error": error.message}
    return {**page, "do": "record", "found": found}


def _found(event: dict[str, Any]) -> dict[str, Any]:
    token = youtube_access.access_token(event["connection_id"], event["organisation_id"])
    try:
        return _ask(event, token)
    except CredentialRejected:
        token = youtube_access.access_token(event["connection_id"], event["organisation_id"], refused=token)
        return _ask(event, token)


def _ask(event: dict[str, Any], token: str) -> dict[str, Any]:
    studio = Studio(config.setting("YOUTUBE_BASE_URL"), token)
    channel = studio.find_own_channel() if event["is_first"] else None
    if event["is_first"] and (channel is None or channel["id"] != event["youtube_channel_id"]):
        raise PlatformRejected(
            "The connected account doesn't own this YouTube channel any more: connect the one that does with "
            "POST /channels/{id}/connect-youtube."
        )
    shown = {video["id"]: _of_video(video) for video in studio.list_videos(event["video_ids"])}
    return {
        "channel": _of_channel(channel) if channel else None,
        "videos": {video_id: shown.get(video_id, {}) for video_id in event["video_ids"]},
    }


def _of_channel(channel: dict[str, Any]) -> dict[str, Any]:
    statistics = channel.get("statistics", {})
    is_hidden = statistics.get("hiddenSubscriberCount", False)
    return {
        "title": channel["snippet"]["title"],
        "subscribers": None if is_hidden else _count(statistics, "subscriberCount"),
        "views": _count(statistics, "viewCount"),
        "videos": _count(statistics, "videoCount"),
    }


def _of_video(video: dict[str, Any]) -> dict[str, Any]:
    statistics, status = video.get("statistics", {}), video["status"]
    return {
        "privacy": status.get("privacyStatus"),
        "upload_status": status.get("uploadStatus"),
        "views": _count(statistics, "viewCount"),
        "likes": _count(statistics, "likeCount"),
        "comments": _count(statistics, "commentCount"),
    }


def _count(statistics: dict[str, Any], name: str) -> int | None:
    """Return a counter, which comes as text; None for one that the owner hides."""
    return int(statistics[name]) if name in statistics else None

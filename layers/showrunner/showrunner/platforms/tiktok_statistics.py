"""Read what the Display API of TikTok says about an account. Calls nothing.

https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info
"""

import json
from datetime import UTC, datetime
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import Item, Statistics

# Theirs -> ours.
_COUNTERS = {
    "view_count": "views",
    "like_count": "likes",
    "comment_count": "comments",
    "share_count": "shares",
}
_FIGURES = {"follower_count": "followers", "likes_count": "likes", "video_count": "videos"}


def read(body: bytes) -> list[Statistics]:
    """Return the account of {user, pages}: the answers about the user and its videos. One in a list.

    views are those of all videos, and unknown if not all pages were read. Raises PlatformUnavailable.
    """
    try:
        document = json.loads(body)
        user = document["user"]["data"]["user"]
        figures = {ours: int(user[theirs]) for theirs, ours in _FIGURES.items() if theirs in user}
        pages = [page["data"] for page in document["pages"]]
        return [Statistics(user["open_id"], figures | _views(pages), {"user": user, "pages": pages})]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("TikTok's answer isn't the account that it should be.") from error


def read_videos(body: bytes) -> list[Item]:
    """Return the videos of {user, pages}, newest first. Raises PlatformUnavailable."""
    try:
        document = json.loads(body)
        account_id = document["user"]["data"]["user"]["open_id"]
        return [
            Item(
                "video",
                str(video["id"]),
                account_id,
                video.get("title") or None,
                datetime.fromtimestamp(int(video["create_time"]), UTC),
                {ours: int(video[theirs]) for theirs, ours in _COUNTERS.items() if theirs in video},
                {},
            )
            for page in document["pages"]
            for video in page["data"]["videos"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("TikTok's answer isn't the list of videos that it should be.") from error


def next_cursor(page: bytes) -> int | None:
    """Return where the page after this one begins, None after the last. Raises PlatformUnavailable."""
    try:
        data = json.loads(page)["data"]
        return int(data["cursor"]) if data["has_more"] else None
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformUnavailable("TikTok's answer isn't the list of videos that it should be.") from error


def _views(pages: list[dict[str, Any]]) -> dict[str, int]:
    if not pages or pages[-1]["has_more"]:
        return {}
    return {"views": sum(int(video["view_count"]) for page in pages for video in page["videos"])}

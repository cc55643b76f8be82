"""Read channels.list of the YouTube Data API with the part statistics. Calls nothing.

https://developers.google.com/youtube/v3/docs/channels#statistics
"""

import json
from typing import Any

from showrunner.errors import PlatformUnavailable
from showrunner.models import Statistics

# Theirs -> ours. Counters come as text.
_FIGURES = {"subscriberCount": "followers", "viewCount": "views", "videoCount": "videos"}


def read(body: bytes) -> list[Statistics]:
    """Return the channels of an answer; those that don't exist are missing. Raises PlatformUnavailable.

    followers is rounded to three digits by YouTube.
    """
    try:
        items = json.loads(body).get("items") or []
        return [Statistics(each["id"], _figures(each.get("statistics") or {}), each) for each in items]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlatformUnavailable("YouTube's answer isn't the list of channels that it should be.") from error


def _figures(statistics: dict[str, Any]) -> dict[str, int]:
    hidden = {"subscriberCount"} if statistics.get("hiddenSubscriberCount") else set()
    return {
        ours: int(statistics[theirs])
        for theirs, ours in _FIGURES.items()
        if theirs in statistics and theirs not in hidden
    }

"""Statistics of channels: the same for the same channel and time, growing from hour to hour.

https://developers.google.com/youtube/v3/docs/channels#statistics
"""

import hashlib
import re
from typing import Any

from local.platforms import clock

Json = dict[str, Any]
CHANNEL = re.compile("UC[A-Za-z0-9_-]{22}", re.ASCII)
# The figures grow from this moment on: 2026-01-01, in seconds.
BEGIN = 1_767_225_600
DAY = 86_400
# Of so many invented channels one hides its number of subscribers.
HIDDEN = 20


def statistics(channel_id: str, now: float | None = None) -> Json:
    """Return the part `statistics` of a channel; counters are text."""
    digest = hashlib.sha256(channel_id.encode()).digest()
    days = ((clock.now() if now is None else now) - BEGIN) / DAY
    subscribers = 100 * 10 ** (digest[0] % 5) + digest[1]
    subscribers += int(max(0.0, days) * subscribers * digest[2] / 100_000)
    views = subscribers * (20 + digest[3]) + int(max(0.0, days) * 24) * (1 + digest[4])
    hidden = digest[5] % HIDDEN == 0
    return {
        "viewCount": str(views),
        "subscriberCount": "0" if hidden else str(rounded(subscribers)),
        "hiddenSubscriberCount": hidden,
        "videoCount": str(1 + digest[6] + int(max(0.0, days) / 7)),
    }


def rounded(number: int) -> int:
    """Return the number with three significant digits, rounded down, as YouTube states subscribers."""
    unit = int(10 ** max(0, len(str(number)) - 3))
    return number // unit * unit


def invented(channel_id: str) -> Json | None:
    """Return a channel for any id of the right form, None for another."""
    if not CHANNEL.fullmatch(channel_id):
        return None
    return {
        "title": f"Channel {channel_id[2:8]}",
        "handle": channel_id[2:14],
        "statistics": statistics(channel_id),
    }

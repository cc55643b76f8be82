"""Define what is asked about an account besides its own figures, how often, and within which quota.

Each platform has one run an hour for these questions. With more accounts or items than fit into its calls,
each is asked for less often, the most overdue first.
"""

from typing import NamedTuple

HOUR, DAY = 3_600, 86_400


class Reading(NamedTuple):
    """A question: at most `calls` in a run, with `ids` each, about accounts or about items of a `kind`.

    An active artist's are asked for every `active_seconds`, those of others every `standard_seconds`.
    `is_connected`: only accounts that their owners have connected, one for a batch.
    """

    name: str
    kind: str | None
    active_seconds: int
    standard_seconds: int
    ids: int
    calls: int
    is_connected: bool = False


READINGS = {
    # Apps in extended mode; 550 calls an hour are two minutes at the rate of rates.py.
    "spotify": (
        Reading("albums", None, DAY, 7 * DAY, ids=1, calls=400),
        # Twenty albums with their tracks, and fifty tracks, are a call.
        Reading("album_tracks", "album", DAY, 7 * DAY, ids=20, calls=100),
        Reading("tracks", "track", DAY, 7 * DAY, ids=50, calls=50),
    ),
    "youtube": (
        # Channels' feeds have the newest 15 videos and cost no unit. A batch is ten feeds.
        Reading("uploads", None, 6 * HOUR, DAY, ids=10, calls=500),
        # The 50 videos of a channel with the most views, which the feed of an old channel doesn't have. Its
        # bucket has 100 calls a day, of which 24 runs use 72: all of 500 artists weekly. Four in a run would
        # leave less than a tenth at the end of each day, and an alarm would go off.
        Reading("top_videos", None, 7 * DAY, 30 * DAY, ids=1, calls=3),
        # 96 of the share's 500 units.
        Reading("playlists", None, DAY, 7 * DAY, ids=1, calls=4),
        # videos.batchGetStats has a bucket of 10,000 units, of which 24 runs use 8,880: 444,000 videos a day.
        Reading("videos", "video", HOUR, DAY, ids=50, calls=370),
        # Two reports for a channel, once a day, as often as YouTube has new days. It publishes no daily
        # quota; more channels than this would last longer than their hour.
        Reading("analytics", None, DAY, DAY, ids=1, calls=1_000, is_connected=True),
        # A file for each day and subject, which YouTube makes once a day.
        Reading("reports", None, DAY, DAY, ids=1, calls=1_000, is_connected=True),
    ),
}
# Apps in development mode get one album for a call, and no popularity of tracks. 24 runs use 168 of the day's
# calls; collection.py leaves them.
SPOTIFY_DEVELOPMENT = (
    Reading("albums", None, 7 * DAY, 30 * DAY, ids=1, calls=3),
    Reading("album_tracks", "album", 30 * DAY, 90 * DAY, ids=1, calls=4),
)


def of(platform: str, *, is_extended: bool = True) -> tuple[Reading, ...]:
    """Return a platform's readings. `is_extended`: the mode of the app at Spotify."""
    return READINGS[platform] if is_extended else SPOTIFY_DEVELOPMENT


def find(platform: str, name: str) -> Reading:
    """Return a platform's reading. Raises KeyError."""
    return {each.name: each for each in READINGS[platform]}[name]

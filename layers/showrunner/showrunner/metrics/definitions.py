"""The metrics of each platform, and when a platform changed what one counts."""

from datetime import UTC, date, datetime

# Platform -> its metrics, in the order in which they are shown.
METRICS = {
    "youtube": ("followers", "views", "videos"),
    "spotify": ("followers", "popularity"),
    "tiktok": ("followers", "likes", "videos", "views"),
    "instagram": ("followers", "posts", "views_day", "reach_day", "interactions_day"),
}
# Platforms that answer only about accounts whose owners connected them.
CONNECTED = ("tiktok", "instagram")
# Platforms whose accounts their owners can connect. YouTube's have public figures without it.
CONNECTABLE = ("youtube", *CONNECTED)
# Metrics that can be added up over platforms.
ADDABLE = ("followers", "views")
# Kind of item -> the metrics of its items.
ITEM_METRICS = {
    "video": ("views", "likes", "comments", "shares"),
    "playlist": ("videos",),
    "album": ("popularity", "tracks"),
    "track": ("popularity",),
    "post": ("likes", "comments", "views", "reach"),
}
# Figures of days that are averages: they can't be added up.
AVERAGES = ("seconds_per_view", "click_through")
# (platform, metric) -> since when a new definition holds. Figures from both sides of it can't be compared.
_CHANGES = {
    # All formats count each start of play as a view since then, Shorts since March 2025:
    # https://developers.google.com/youtube/v3/revision_history
    ("youtube", "views"): (datetime(2026, 8, 27, tzinfo=UTC),),
}


def schedule(platform: str) -> str:
    """Return the name of the platform's hourly collection among the schedules of the state table."""
    return "metrics" if platform == "youtube" else f"metrics-{platform}"


def items_schedule(platform: str) -> str:
    """Return the name of the hourly collection of what belongs to accounts, such as videos."""
    return f"metrics-items-{platform}"


def redefined_on(platform: str, metric: str, since: date) -> date | None:
    """Return the last day at which the metric's definition changed, None if there is none after `since`."""
    days = [change.date() for change in _CHANGES.get((platform, metric), ()) if change.date() > since]
    return max(days, default=None)


def definition(platform: str, metric: str, at: datetime) -> int:
    """Return the number of the metric's definition that held at `at`; the first is 1."""
    return 1 + sum(at >= change for change in _CHANGES.get((platform, metric), ()))

"""Define the messages between the feed's functions, and make the event that they put on the bus.

A `kind` is a name in the queues: a release never changes it, and reads what the release before sent.
"""

from datetime import datetime
from typing import Any, Literal, NamedTuple

from showrunner.models import VideoUpdate

# ------------------------------------------------------------------------------------------ To feed_hub


class HubRequest(NamedTuple):
    """Ask the hub to subscribe (or renew) or to unsubscribe the callback with this token."""

    token: str
    mode: Literal["subscribe", "unsubscribe"]
    kind: Literal["hub_request"] = "hub_request"


# ------------------------------------------------------------------------------------------ To feed_poll


class PollChannel(NamedTuple):
    """Read a channel's feed.

    `paid`: if the feed fails, read the uploads playlist, which costs a unit of quota.
    """

    channel_id: str
    paid: bool = False
    kind: Literal["poll"] = "poll"


class LookUpVideos(NamedTuple):
    """Look up the details of up to 50 videos, for one unit of quota."""

    video_ids: list[str]
    kind: Literal["enrich"] = "enrich"


# ------------------------------------------------------------------------------------------ To feed_intake


class Notification(NamedTuple):
    """A hub delivered a body, whose signature was right where the subscription has a secret.

    `body` is base64.
    """

    delivery_id: str
    channel_id: str
    body: str
    at: datetime
    subscription_id: int | None = None
    kind: Literal["notification"] = "notification"


class LeaseGranted(NamedTuple):
    """The hub verified a subscription, for this many seconds."""

    subscription_id: int
    lease_seconds: int
    at: datetime
    kind: Literal["verified"] = "verified"


class SubscriptionDenied(NamedTuple):
    """The hub denied a subscription, or ended it."""

    subscription_id: int
    reason: str
    at: datetime
    kind: Literal["denied"] = "denied"


class HubAnswered(NamedTuple):
    """The hub refused a request of ours, or could not be reached. `retry_after` is in seconds."""

    subscription_id: int
    outcome: Literal["refused", "unavailable"]
    reason: str
    at: datetime
    retry_after: float | None = None
    kind: Literal["answered"] = "answered"


class PolledVideo(NamedTuple):
    """A video of a channel's feed or uploads playlist.

    `at`: when it last changed, as far as the source says.
    """

    video_id: str
    title: str
    published_at: datetime
    at: datetime
    channel_title: str | None = None


class ChannelPolled(NamedTuple):
    """A channel was polled. `error` is the free feed's, even where the playlist answered in its place."""

    delivery_id: str
    channel_id: str
    origin: Literal["feed", "playlist"]
    found: list[PolledVideo]
    at: datetime
    error: str | None = None
    kind: Literal["polled"] = "polled"


class VideosLookedUp(NamedTuple):
    """Details of videos, {video_id, details} each, and the ids of those that YouTube doesn't show."""

    videos: list[dict[str, Any]]
    missing: list[str]
    at: datetime
    kind: Literal["enriched"] = "enriched"


# ------------------------------------------------------------------------------------------------ Event


def video_update(row: dict[str, Any]) -> VideoUpdate:
    """Make the event of a row of feed.updates."""
    names = ("webhook_event_id", "video_id", "channel_id", "title", "update_type")
    return VideoUpdate(f"feed:{row['id']}", **{name: row[name] for name in names})

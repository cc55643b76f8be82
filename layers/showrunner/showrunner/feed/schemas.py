"""Define the requests and responses of the Ingestion API. Error messages have the documents' wording."""

import secrets
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from showrunner import config
from showrunner.database.pages import OFFSET_CAP
from showrunner.platforms import websub
from showrunner.web.fields import Body, Moment, Query, Result

DEFAULT_LEASE, MAX_LEASE = 432_000, 864_000
# Ids are a bigint.
ID_LIMIT = 2**63

# ------------------------------------------------------------------------------------------------ Fields


def _channel_id(text: str) -> str:
    if not websub.CHANNEL.fullmatch(text):
        raise ValueError("invalid channel_id format (must start with 'UC' followed by 22 characters)")
    return text


def _callback_url(text: str) -> str:
    """Check an address where we receive: https, below the stage's own address or a listed one."""
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ValueError("invalid callback_url (must be an HTTPS URL)") from error
    is_local = host in config.setting("HTTP_HOSTS", "none").split(",")
    if (
        not text.isascii()
        or any(c <= " " or c in '\\"<>^`{|}' for c in text)
        or not host
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise ValueError("invalid callback_url (must be an HTTPS URL)")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise ValueError("invalid callback_url (must be an HTTPS URL)")
    bases = [base for base in config.setting("CALLBACK_URLS").split(",") if base.strip()]
    if ".." in parts.path or "%" in parts.path or not any(_is_below(text, base) for base in bases):
        raise ValueError(
            "invalid callback_url (must be under the address where this service receives notifications)"
        )
    return text


def _is_below(text: str, base: str) -> bool:
    """Tell whether `text` is the base address or below it: never a longer host or a sibling path."""
    url, allowed = urlsplit(text), urlsplit(base.strip())
    root = allowed.path.rstrip("/")
    if (url.scheme, url.netloc.lower()) != (allowed.scheme, allowed.netloc.lower()):
        return False
    return url.path == root or url.path.startswith(f"{root}/") or not root


def _secret(text: str) -> str:
    if not 0 < len(text.encode()) <= websub.SECRET_BYTES:
        raise ValueError(f"invalid secret (must have 1 to {websub.SECRET_BYTES} bytes)")
    return text


ChannelId = Annotated[
    str, AfterValidator(_channel_id), WithJsonSchema({"type": "string", "pattern": "^UC[A-Za-z0-9_-]{22}$"})
]
CallbackUrl = Annotated[str, StringConstraints(max_length=1900), AfterValidator(_callback_url)]
Secret = Annotated[str, AfterValidator(_secret)]
Lease = Annotated[int, Field(ge=1, le=MAX_LEASE, strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=1, lt=ID_LIMIT)]
Status = Literal["pending", "active", "expired", "failed"]
UpdateType = Literal["new_video", "title_update", "deleted", "unknown"]


# ------------------------------------------------------------------------------------------------ Requests


def new_secret() -> str:
    """Return a secret that nobody can guess. The hub signs notifications with it."""
    return secrets.token_urlsafe(32)


class NewSubscription(Body):
    """A subscription. Without `secret` one is made; with null unsigned notifications are accepted."""

    channel_id: ChannelId
    callback_url: CallbackUrl
    lease_seconds: Lease = DEFAULT_LEASE
    secret: Secret | None = Field(default_factory=new_secret)


class Renewal(Body):
    """A renewal of a subscription.

    With a new `secret` the previous one stays valid until a quarter of an hour after the hub verified the
    renewal.
    """

    lease_seconds: Lease | None = None
    secret: Secret | None = None


class ChannelAddress(Body):
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    callback_url: CallbackUrl


class EventRange(Body):
    from_id: Annotated[int, Field(ge=1, lt=ID_LIMIT, strict=True)]
    to_id: Annotated[int, Field(ge=1, lt=ID_LIMIT, strict=True)]


class Listing(Query):
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=OFFSET_CAP)] = 0
    cursor: Annotated[str, Field(max_length=2000, pattern="^[A-Za-z0-9_-]+$")] | None = None
    order: Literal["asc", "desc"] = "desc"


class SubscriptionQuery(Listing):
    channel_id: ChannelId | None = None
    status: Status | None = None
    order_by: Literal["created_at", "id"] = "created_at"


class EventQuery(Listing):
    processed: bool | None = None
    video_id: Text | None = None
    channel_id: Text | None = None
    order_by: Literal["received_at", "processed_at", "created_at", "id"] = "received_at"


class ChannelQuery(Listing):
    title: Text | None = None
    order_by: Literal[
        "channel_id", "title", "last_updated_at", "first_seen_at", "created_at", "updated_at"
    ] = "last_updated_at"


class VideoQuery(Listing):
    channel_id: Text | None = None
    title: Text | None = None
    published_after: Moment | None = None
    published_before: Moment | None = None
    order_by: Literal[
        "published_at", "video_id", "title", "first_seen_at", "last_updated_at", "created_at", "updated_at"
    ] = "published_at"


class UpdateQuery(Listing):
    video_id: Text | None = None
    channel_id: Text | None = None
    webhook_event_id: Number | None = None
    update_type: UpdateType | None = None
    order_by: Literal["created_at", "published_at", "feed_updated_at", "id"] = "created_at"


# ------------------------------------------------------------------------------------------------ Responses


class Subscription(Result):
    id: int
    channel_id: str
    topic_url: str
    callback_url: str
    hub_url: str
    lease_seconds: int
    expires_at: str | None
    status: Status
    last_verified_at: str | None
    created_at: str
    updated_at: str
    failure: str | None
    last_push_at: str | None


class AddedSubscription(Subscription):
    """The secret is shown here and never again."""

    secret: str | None


class WebhookEvent(Result):
    """A body from a hub (origin push, `raw_xml`), or what a poll found (feed or playlist, `entries`)."""

    id: int
    raw_xml: str
    entries: list[dict[str, Any]] | None
    content_hash: str
    received_at: str
    processed: bool
    processed_at: str | None
    processing_error: str | None
    video_id: str | None
    channel_id: str | None
    created_at: str
    origin: Literal["push", "feed", "playlist"]
    subscription_id: int | None
    repeat_of: int | None


class Channel(Result):
    channel_id: str
    title: str
    channel_url: str
    first_seen_at: str
    last_updated_at: str
    created_at: str
    updated_at: str


class Video(Result):
    video_id: str
    channel_id: str | None
    title: str
    video_url: str
    published_at: str | None
    first_seen_at: str
    last_updated_at: str
    created_at: str
    updated_at: str
    deleted_at: str | None
    enriched_at: str | None
    details: dict[str, Any] | None


class VideoUpdate(Result):
    id: int
    webhook_event_id: int
    video_id: str
    channel_id: str | None
    title: str
    published_at: str | None
    feed_updated_at: str
    update_type: UpdateType
    created_at: str


class _Page(Result):
    """`total` is exact (eq), a lower bound (gte) or an estimate (approx)."""

    count: int
    total: int
    limit: int
    offset: int
    total_relation: Literal["eq", "gte", "approx"]
    next_cursor: str | None


class SubscriptionPage(_Page):
    subscriptions: list[Subscription]


class WebhookEventPage(_Page):
    webhook_events: list[WebhookEvent]


class ChannelPage(_Page):
    channels: list[Channel]


class VideoPage(_Page):
    videos: list[Video]


class VideoUpdatePage(_Page):
    video_updates: list[VideoUpdate]


class FoundChannel(Result):
    channel_id: str
    title: str
    channel_url: str


class FollowedChannel(Result):
    id: int
    channel_id: str
    callback_url: str
    status: str


class ChannelFromUrl(Result):
    channel: FoundChannel
    subscription: FollowedChannel


class ReplayResult(Result):
    processed: int
    failed: list[int]
    next_id: int | None

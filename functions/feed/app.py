"""Ingestion API: /api/v1/subscriptions, webhook-events, channels, videos, video-updates → what YouTube's channels publish, and whom we follow."""

import hashlib
import json
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from showrunner import config
from showrunner.access import tokens
from showrunner.aws import rpc, schedules, ssm
from showrunner.database import db
from showrunner.errors import InvalidRequest, NotFound, ServiceUnavailable, ShowrunnerError, Unauthorized
from showrunner.feed import callbacks
from showrunner.models import Sighting
from showrunner.platforms import websub
from showrunner.store.access import api_keys
from showrunner.store.feed import lists, subscriptions, webhook_events
from showrunner.store.feed.lists import ListRequest
from showrunner.web import answers, application, docs
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import checked, parse
from showrunner.web.fields import Body, Moment, Query
from showrunner.web.routing import Request

DEFAULT_LEASE, MOST_LEASE = 432_000, 864_000
# What a caller waits for at most in one call; each takes about a millisecond.
REPLAYS = 500
# Of the day's 10,000 units this many are left to polls.
UNITS = 10_000
UNKNOWN_ID = 2**63

WORDS = {
    400: "validation failed", 401: "Unauthorized", 404: "not found", 405: "method not allowed", 409: "conflict", 413: "payload too large",
    429: "quota exceeded", 500: "internal server error", 502: "upstream error", 503: "service unavailable",
}  # fmt: skip


def authenticate(headers: dict[str, str]) -> tokens.Identity:
    """The caller by its API key, in either header. Raises Unauthorized."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    key = headers.get("x-api-key") or (bearer.strip() if scheme.lower() == "bearer" else "")
    found = None
    if key:
        with db.reading() as tx:
            found = api_keys.find(tx, hashlib.sha256(key.encode()).hexdigest(), "ingestion")
    if found is None:
        raise Unauthorized("Unauthorized")
    return tokens.Identity(f"key:{found['id']}", str(found["organisation_id"]), frozenset({"ingestion:all"}), str(found["id"]), 0, "service")


def refuse(request: Request, error: ShowrunnerError) -> Answer:
    """Errors as the document has them: {error, message, details}."""
    answer = answers.refusal(request, error)
    if answer.status == 401:
        answer.body = {"error": WORDS[401]}
        return answer
    told: dict[str, Any] = {"error": WORDS.get(answer.status, "error"), "message": answer.body["error"]["message"]}
    details = getattr(error, "details", None)
    if details:
        first = details[0]
        told["message"] = first["message"] if len(details) == 1 else "; ".join(f"{each['field']}: {each['message']}" for each in details[:10])
        told["details"] = {"field": first["field"], **given(request, first["field"])}
    answer.body = told
    return answer


def given(request: Request, field: str) -> dict[str, str]:
    """The value that was refused, where the body has it and it is no secret."""
    try:
        value = json.loads(request.raw_body or b"null")[field] if field != "secret" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        value = None
    return {"value": value[:200]} if isinstance(value, str) else {}


app = docs.serve(Application("feed", authenticate, refuse), Path(__file__).with_name("openapi.json"))

# ------------------------------------------------------------------------------------------------ What may be asked


def channel_id(text: str) -> str:
    if not websub.CHANNEL.fullmatch(text):
        raise ValueError("invalid channel_id format (must start with 'UC' followed by 22 characters)")
    return text


def callback_url(text: str) -> str:
    """An address of ours that receives: https, under the stage's own or a listed one."""
    try:
        parts = urlsplit(text)
        host, _ = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise ValueError("invalid callback_url (must be an HTTPS URL)") from error
    local = host in config.setting("HTTP_HOSTS", "none").split(",")
    if (
        not text.isascii()
        or any(c <= " " or c in '\\"<>^`{|}' for c in text)
        or not host
        or parts.username is not None
        or parts.password is not None
        or parts.fragment
    ):
        raise ValueError("invalid callback_url (must be an HTTPS URL)")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ValueError("invalid callback_url (must be an HTTPS URL)")
    if ".." in parts.path or "%" in parts.path or not any(under(text, base) for base in config.setting("CALLBACK_URLS").split(",") if base.strip()):
        raise ValueError("invalid callback_url (must be under the address where this service receives notifications)")
    return text


def under(text: str, base: str) -> bool:
    """Whether it is that address or one below it: never a longer host or a sibling path."""
    url, allowed = urlsplit(text), urlsplit(base.strip())
    root = allowed.path.rstrip("/")
    return (url.scheme, url.netloc.lower()) == (allowed.scheme, allowed.netloc.lower()) and (url.path == root or url.path.startswith(f"{root}/") or not root)


def secret(text: str) -> str:
    if not 0 < len(text.encode()) <= websub.SECRET_BYTES:
        raise ValueError(f"invalid secret (must have 1 to {websub.SECRET_BYTES} bytes)")
    return text


ChannelId = Annotated[str, AfterValidator(channel_id), WithJsonSchema({"type": "string", "pattern": "^UC[A-Za-z0-9_-]{22}$"})]
CallbackUrl = Annotated[str, StringConstraints(max_length=1900), AfterValidator(callback_url)]
Secret = Annotated[str, AfterValidator(secret)]
Lease = Annotated[int, Field(ge=1, le=MOST_LEASE, strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=1, lt=UNKNOWN_ID)]


class NewSubscription(Body):
    channel_id: ChannelId
    callback_url: CallbackUrl
    lease_seconds: Lease = DEFAULT_LEASE
    secret: Secret | None = None


class Renewal(Body):
    """With a new `secret` the one before stays valid until a quarter of an hour after the hub has verified the renewal."""

    lease_seconds: Lease | None = None
    secret: Secret | None = None


class Address(Body):
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    callback_url: CallbackUrl


class Range(Body):
    from_id: Annotated[int, Field(ge=1, lt=UNKNOWN_ID, strict=True)]
    to_id: Annotated[int, Field(ge=1, lt=UNKNOWN_ID, strict=True)]


class Listing(Query):
    limit: Annotated[int, Field(ge=1, le=1000)] = 50
    offset: Annotated[int, Field(ge=0, le=lists.OFFSET_CAP)] = 0
    cursor: Annotated[str, Field(max_length=2000, pattern="^[A-Za-z0-9_-]+$")] | None = None
    order: Literal["asc", "desc"] = "desc"


class Subscriptions(Listing):
    channel_id: ChannelId | None = None
    status: Literal["pending", "active", "expired", "failed"] | None = None
    order_by: Literal["created_at", "id"] = "created_at"


class Events(Listing):
    processed: bool | None = None
    video_id: Text | None = None
    channel_id: Text | None = None
    order_by: Literal["received_at", "processed_at", "created_at", "id"] = "received_at"


class Channels(Listing):
    title: Text | None = None
    order_by: Literal["channel_id", "title", "last_updated_at", "first_seen_at", "created_at", "updated_at"] = "last_updated_at"


class Videos(Listing):
    channel_id: Text | None = None
    title: Text | None = None
    published_after: Moment | None = None
    published_before: Moment | None = None
    order_by: Literal["published_at", "video_id", "title", "first_seen_at", "last_updated_at", "created_at", "updated_at"] = "published_at"


class Updates(Listing):
    video_id: Text | None = None
    channel_id: Text | None = None
    webhook_event_id: Number | None = None
    update_type: Literal["new_video", "title_update", "deleted", "unknown"] | None = None
    order_by: Literal["created_at", "published_at", "feed_updated_at", "id"] = "created_at"


# ------------------------------------------------------------------------------------------------ What is answered


class Subscription(TypedDict):
    id: int
    channel_id: str
    topic_url: str
    callback_url: str
    hub_url: str
    lease_seconds: int
    expires_at: str | None
    status: Literal["pending", "active", "expired", "failed"]
    last_verified_at: str | None
    created_at: str
    updated_at: str
    failure: str | None
    last_push_at: str | None


class NewlySubscribed(Subscription):
    secret: str | None


class Event(TypedDict):
    id: int
    raw_xml: str
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


class Channel(TypedDict):
    channel_id: str
    title: str
    channel_url: str
    first_seen_at: str
    last_updated_at: str
    created_at: str
    updated_at: str


class Video(TypedDict):
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


class Update(TypedDict):
    id: int
    webhook_event_id: int
    video_id: str
    channel_id: str | None
    title: str
    published_at: str | None
    feed_updated_at: str
    update_type: Literal["new_video", "title_update", "deleted", "unknown"]
    created_at: str


class Page(TypedDict):
    """`total` is exact (eq), a lower bound (gte) or an estimate (approx)."""

    count: int
    total: int
    limit: int
    offset: int
    total_relation: Literal["eq", "gte", "approx"]
    next_cursor: str | None


class SubscriptionPage(Page):
    subscriptions: list[Subscription]


class EventPage(Page):
    webhook_events: list[Event]


class ChannelPage(Page):
    channels: list[Channel]


class VideoPage(Page):
    videos: list[Video]


class UpdatePage(Page):
    video_updates: list[Update]


class FoundChannel(TypedDict):
    channel_id: str
    title: str
    channel_url: str


class Followed(TypedDict):
    id: int
    channel_id: str
    callback_url: str
    status: str


class FromUrl(TypedDict):
    channel: FoundChannel
    subscription: Followed


class Replayed(TypedDict):
    processed: int
    failed: list[int]
    next_id: int | None


# ------------------------------------------------------------------------------------------------ Subscriptions


@app.post("/api/v1/subscriptions", permission="ingestion:all", unlimited=True, answer=NewlySubscribed, status=201, errors=(409, 503))
def subscribe(request: Request, body: NewSubscription) -> Answer:
    """Follows a channel: pending until the hub has verified it. The secret is told here and never again."""
    row = follow(body.channel_id, body.callback_url, body.lease_seconds, body.secret)
    return Answer({**shown(row["id"]), "secret": body.secret}, 201)


def follow(channel: str, callback: str, lease_seconds: int, secret_text: str | None, title: str | None = None) -> dict[str, Any]:
    """The new subscription's row. `title` is the channel's where somebody has looked it up."""
    token = secrets.token_urlsafe(32)
    values = {
        "channel_id": channel,
        "topic_url": websub.topic(config.setting("TOPIC_BASE_URL"), channel),
        "callback_url": callback,
        "callback_token": token,
        "hub_url": config.setting("HUB_URL"),
        "lease_seconds": lease_seconds,
        "secret": callbacks.seal(secret_text, token) if secret_text is not None else None,
    }
    with db.transaction() as tx:
        row = subscriptions.add(tx, values)
        if title is not None:
            webhook_events.name_channel(tx, channel, title)
    ask(row)
    return row


def ask(row: dict[str, Any]) -> None:
    """The receiver learns what to expect before the hub is asked. Should this fail, the row is there all the same, and the schedule asks for it.

    Raises NotFound when somebody removed it meanwhile.
    """
    try:
        schedules.expect_work("subscriptions")
        is_told = callbacks.save(row, row["ask_at"].timestamp() + callbacks.GRACE_SECONDS)
        if is_told:
            send(row, "subscribe")
    except (ServiceUnavailable, rpc.AwsError):
        from showrunner.telemetry import logger

        logger.exception("the hub is asked by the schedule", extra={"subscription_id": row["id"]})
        return
    if not is_told and (callback := callbacks.find(row["callback_token"])) and callback.removed:
        raise NotFound(f"subscription with id {row['id']} not found")


def send(row: dict[str, Any], mode: callbacks.Mode) -> None:
    rpc.call("sqs", "SendMessage", {"QueueUrl": config.setting("HUB_QUEUE_URL"), "MessageBody": json.dumps({"token": row["callback_token"], "mode": mode})})


def shown(subscription_id: int) -> dict[str, Any]:
    with db.reading() as tx:
        return dict(json.loads(lists.get(tx, lists.SUBSCRIPTIONS, subscription_id, "subscription")))


@app.get("/api/v1/subscriptions", permission="ingestion:all", unlimited=True, answer=SubscriptionPage)
def list_subscriptions(request: Request, query: Subscriptions) -> Answer:
    """Subscriptions, of one channel where `channel_id` is given."""
    return listed(lists.SUBSCRIPTIONS, query, {"channel_id": query.channel_id, "status": query.status})


@app.get("/api/v1/subscriptions/{id}", permission="ingestion:all", unlimited=True, answer=Subscription)
def show_subscription(request: Request, id: str) -> Answer:
    """One subscription."""
    return Answer(shown(number(id, "subscription")))


@app.delete("/api/v1/subscriptions/{id}", permission="ingestion:all", unlimited=True, status=204, errors=(503,))
def unsubscribe(request: Request, id: str) -> Answer:
    """Ends it here at once and at the hub as soon as that listens. What the hub still sends is answered 410."""
    with db.transaction() as tx:
        row = subscriptions.renew_now(tx, number(id, "subscription"))
    # The row goes last: should this end half-way, a repeat finds it, and so does the schedule.
    schedules.expect_work("subscriptions")
    callbacks.remove(row, time.time() + callbacks.REMOVED_SECONDS)
    send(row, "unsubscribe")
    with db.transaction() as tx:
        subscriptions.remove(tx, row["id"])
    return Answer(status=204)


@app.post("/api/v1/subscriptions/{id}/renew", permission="ingestion:all", unlimited=True, answer=Subscription, errors=(503,))
def renew(request: Request, id: str) -> Answer:
    """Asks the hub again now; a failed or expired one is pending again. A body {lease_seconds?, secret?} changes what is asked for."""
    wanted = checked(Renewal, parse(request.raw_body)) if request.raw_body else Renewal()
    with db.reading() as tx:
        row = subscriptions.get(tx, number(id, "subscription"))
    sealed = callbacks.seal(wanted.secret, row["callback_token"]) if wanted.secret is not None else None
    with db.transaction() as tx:
        row = subscriptions.renew(tx, row["id"], wanted.lease_seconds, sealed)
    ask(row)
    return Answer(shown(row["id"]))


# ------------------------------------------------------------------------------------------------ Events


@app.get("/api/v1/webhook-events", permission="ingestion:all", unlimited=True, answer=EventPage)
def list_events(request: Request, query: Events) -> Answer:
    """What was received, as it came. A page of large bodies ends before its limit: go on with `next_cursor`."""
    return listed(lists.EVENTS, query, {"processed": query.processed, "video_id": query.video_id, "channel_id": query.channel_id})


@app.get("/api/v1/webhook-events/{id}", permission="ingestion:all", unlimited=True, answer=Event)
def show_event(request: Request, id: str) -> Answer:
    """One event."""
    with db.reading() as tx:
        return Answer(lists.get(tx, lists.EVENTS, number(id, "webhook event"), "webhook event"))


@app.post("/api/v1/webhook-events/{id}/replay", permission="ingestion:all", unlimited=True, answer=Event)
def replay(request: Request, id: str) -> Answer:
    """Processes one event again; what it has told already isn't told twice. Its `processing_error` says how it went."""
    event_id = number(id, "webhook event")
    again(event_id)
    with db.reading() as tx:
        return Answer(lists.get(tx, lists.EVENTS, event_id, "webhook event"))


@app.post("/api/v1/webhook-events/replay", permission="ingestion:all", unlimited=True, answer=Replayed)
def replay_range(request: Request, body: Range) -> Replayed:
    """Processes again those between two ids that were set aside, oldest first, 500 a call: go on at `next_id`."""
    with db.reading() as tx:
        ids = webhook_events.list_failed(tx, body.from_id, body.to_id, REPLAYS + 1)
    failed = [event_id for event_id in ids[:REPLAYS] if again(event_id)]
    return {"processed": len(ids[:REPLAYS]) - len(failed), "failed": failed, "next_id": ids[REPLAYS] if len(ids) > REPLAYS else None}


def again(event_id: int) -> str | None:
    """Why it failed again, or None."""
    schedules.expect_work("subscriptions")  # it may be of videos that nobody has looked up yet

    def work(tx: db.Transaction) -> tuple[str | None, list[dict[str, Any]]]:
        event = webhook_events.lock_event(tx, event_id)
        seen, error = understood(event)
        return error, webhook_events.replay(tx, event, seen, error)

    error, updates = webhook_events.without_race(work)
    if updates:
        from showrunner.aws import events

        events.emit_all("feed.video_update", [webhook_events.feed_event(each) for each in updates])
    return error


def understood(event: webhook_events.Stored) -> tuple[list[Sighting], str | None]:
    try:
        seen = websub.read(event.body)
        channel = event.channel_id or next((each.channel_id for each in seen if each.channel_id), None)
        return (websub.check(seen, channel, datetime.now(UTC)) if channel else seen), None
    except InvalidRequest as error:
        return [], error.message


# ------------------------------------------------------------------------------------------------ Channels, videos, updates


@app.get("/api/v1/channels", permission="ingestion:all", unlimited=True, answer=ChannelPage)
def list_channels(request: Request, query: Channels) -> Answer:
    """Channels that a notification named."""
    return listed(lists.CHANNELS, query, {}, query.title)


@app.get("/api/v1/channels/{channel}", permission="ingestion:all", unlimited=True, answer=Channel)
def show_channel(request: Request, channel: str) -> Answer:
    """One channel."""
    with db.reading() as tx:
        return Answer(lists.get(tx, lists.CHANNELS, text(channel, "channel"), "channel"))


@app.post("/api/v1/channels/from-url", permission="ingestion:all", unlimited=True, answer=FromUrl, status=201, errors=(404, 409, 429, 502, 503))
def from_url(request: Request, body: Address) -> Answer:
    """Finds the channel behind a YouTube address and follows it. The caller waits for YouTube here: a timeout and a breaker bound that."""
    from showrunner.platforms import youtube

    link = youtube.parse(body.url)
    found = resolve(link)
    row = follow(found.channel_id, body.callback_url, DEFAULT_LEASE, None, found.title)
    channel = {"channel_id": found.channel_id, "title": found.title, "channel_url": f"https://www.youtube.com/channel/{found.channel_id}"}
    return Answer({"channel": channel, "subscription": {name: row[name] for name in ("id", "channel_id", "callback_url", "status")}}, 201)


def resolve(link: Any) -> Any:
    from showrunner import breakers, quotas
    from showrunner.platforms.youtube import Youtube

    client = Youtube(ssm.secret("youtube/api_key"), config.setting("YOUTUBE_BASE_URL"), quotas.Ledger("youtube", "general", UNITS, "polling"))
    with breakers.guard("youtube"):
        return client.resolve(link)


@app.get("/api/v1/videos", permission="ingestion:all", unlimited=True, answer=VideoPage)
def list_videos(request: Request, query: Videos) -> Answer:
    """Videos, deleted ones too."""
    wanted = {"channel_id": query.channel_id, "published_after": query.published_after, "published_before": query.published_before}
    return listed(lists.VIDEOS, query, wanted, query.title)


@app.get("/api/v1/videos/{video}", permission="ingestion:all", unlimited=True, answer=Video)
def show_video(request: Request, video: str) -> Answer:
    """One video."""
    with db.reading() as tx:
        return Answer(lists.get(tx, lists.VIDEOS, text(video, "video"), "video"))


@app.get("/api/v1/video-updates", permission="ingestion:all", unlimited=True, answer=UpdatePage)
def list_updates(request: Request, query: Updates) -> Answer:
    """The trail of changes, which never changes itself."""
    wanted = {
        "video_id": query.video_id,
        "channel_id": query.channel_id,
        "webhook_event_id": query.webhook_event_id,
        "update_type": query.update_type,
    }
    return listed(lists.UPDATES, query, wanted)


def listed(what: lists.List, query: Any, filters: dict[str, Any], title: str | None = None) -> Answer:
    # A search bounds its own time, which takes a transaction.
    with db.transaction() if title else db.reading() as tx:
        return Answer(lists.select(tx, what, ListRequest(query.limit, query.offset, query.cursor, query.order_by, query.order), filters, title))


def number(text_: str, name: str) -> int:
    """An id out of a path. Raises NotFound for what can't be one."""
    if not (text_.isascii() and text_.isdigit() and len(text_) <= 18):
        raise NotFound(f"{name} with id '{text_[:50]}' not found")
    return int(text_)


def text(value: str, name: str) -> str:
    """As `number`, for ids of YouTube."""
    if not value.isascii() or len(value) > 50 or not value.isprintable():
        raise NotFound(f"{name} with id '{value[:50]!a}' not found")
    return value


handler = application.handler(app)

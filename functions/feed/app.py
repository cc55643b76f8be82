"""Ingestion API: keys of machines -> subscriptions, webhook events, channels, videos and their updates."""

from pathlib import Path
from typing import Any

from showrunner.database import db
from showrunner.feed import addresses, api, intake, reading, schemas, subscriptions
from showrunner.store.feed import lists, webhook_events
from showrunner.web import answers, application, docs
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import checked, parse
from showrunner.web.routing import Request

# A caller waits for this many replays at most in one call; each takes about a millisecond.
REPLAYS = 500

ACCESS: dict[str, Any] = {"permission": "ingestion:all", "unlimited": True}


app = docs.serve(Application("feed", api.authenticate, api.refuse), Path(__file__).with_name("openapi.json"))

# ------------------------------------------------------------------------------------------------
# Subscriptions


@app.post("/api/v1/subscriptions", **ACCESS, answer=schemas.AddedSubscription, status=201, errors=(409, 503))
def subscribe(request: Request, body: schemas.NewSubscription) -> Answer:
    """Follow a channel. Pending until the hub has verified it. The secret is shown only in this answer."""
    row = subscriptions.follow(body.channel_id, body.callback_url, body.lease_seconds, body.secret)
    return Answer({**subscriptions.read(row["id"]), "secret": body.secret}, 201)


@app.get("/api/v1/subscriptions", **ACCESS, answer=schemas.SubscriptionPage)
def list_subscriptions(request: Request, query: schemas.SubscriptionQuery) -> Answer:
    """List subscriptions, all or those of one channel."""
    return reading.page(lists.SUBSCRIPTIONS, query, {"channel_id": query.channel_id, "status": query.status})


@app.get("/api/v1/subscriptions/{id}", **ACCESS, answer=schemas.Subscription)
def show_subscription(request: Request, id: str) -> Answer:
    """Return a subscription."""
    return Answer(subscriptions.read(reading.number(id, "subscription")))


@app.delete("/api/v1/subscriptions/{id}", **ACCESS, status=204, errors=(503,))
def unsubscribe(request: Request, id: str) -> Answer:
    """End a subscription. The hub is asked to stop; what it still sends is answered with 410."""
    subscriptions.end(reading.number(id, "subscription"))
    return Answer(status=204)


@app.post("/api/v1/subscriptions/{id}/renew", **ACCESS, answer=schemas.Subscription, errors=(503,))
def renew(request: Request, id: str) -> Answer:
    """Renew a subscription now. A failed or expired one is pending again.

    A body {lease_seconds?, secret?} changes the requested lease or the secret.
    """
    given = checked(schemas.Renewal, parse(request.raw_body)) if request.raw_body else schemas.Renewal()
    subscription_id = reading.number(id, "subscription")
    subscriptions.renew(subscription_id, given.lease_seconds, given.secret)
    return Answer(subscriptions.read(subscription_id))


# ------------------------------------------------------------------------------------------------ Events


@app.get("/api/v1/webhook-events", **ACCESS, answer=schemas.WebhookEventPage)
def list_events(request: Request, query: schemas.EventQuery) -> Answer:
    """List webhook events as they were received.

    A page with large bodies ends before its limit: continue with `next_cursor`.
    """
    return reading.page(
        lists.EVENTS,
        query,
        {"processed": query.processed, "video_id": query.video_id, "channel_id": query.channel_id},
    )


@app.get("/api/v1/webhook-events/{id}", **ACCESS, answer=schemas.WebhookEvent)
def show_event(request: Request, id: str) -> Answer:
    """Return a webhook event."""
    return reading.row(lists.EVENTS, reading.number(id, "webhook event"), "webhook event")


@app.post("/api/v1/webhook-events/{id}/replay", **ACCESS, answer=schemas.WebhookEvent)
def replay(request: Request, id: str) -> Answer:
    """Process an event again. Updates that were announced are not announced twice.

    `processing_error` says why it failed, if it did.
    """
    event_id = reading.number(id, "webhook event")
    intake.replay(event_id)
    return reading.row(lists.EVENTS, event_id, "webhook event")


@app.post("/api/v1/webhook-events/replay", **ACCESS, answer=schemas.ReplayResult)
def replay_range(request: Request, body: schemas.EventRange) -> Answer:
    """Process failed events between two ids again, oldest first, 500 a call; continue at `next_id`."""
    with db.reading() as tx:
        ids = webhook_events.list_failed(tx, body.from_id, body.to_id, REPLAYS + 1)
    failed = [event_id for event_id in ids[:REPLAYS] if intake.replay(event_id)]
    return Answer(
        {
            "processed": len(ids[:REPLAYS]) - len(failed),
            "failed": failed,
            "next_id": ids[REPLAYS] if len(ids) > REPLAYS else None,
        }
    )


# ------------------------------------------------------------------------------------------------ Channels,
# videos, updates


@app.get("/api/v1/channels", **ACCESS, answer=schemas.ChannelPage)
def list_channels(request: Request, query: schemas.ChannelQuery) -> Answer:
    """List the channels that notifications named."""
    return reading.page(lists.CHANNELS, query, {}, query.title)


@app.get("/api/v1/channels/{channel}", **ACCESS, answer=schemas.Channel)
def show_channel(request: Request, channel: str) -> Answer:
    """Return a channel."""
    return reading.row(lists.CHANNELS, reading.youtube_id(channel, "channel"), "channel")


@app.post(
    "/api/v1/channels/from-url",
    **ACCESS,
    answer=schemas.ChannelFromUrl,
    status=201,
    errors=(404, 409, 429, 502, 503),
)
def from_url(request: Request, body: schemas.ChannelAddress) -> Answer:
    """Find the channel of a YouTube address and follow it.

    The caller waits for YouTube, within a timeout and a circuit breaker. An answer of YouTube is used again
    for an hour, and for a day if YouTube can't be asked. The header `Age` says how many seconds ago it came.
    """
    followed, age_seconds = addresses.follow(body)
    return Answer(followed, 201, headers=answers.age(age_seconds))


@app.get("/api/v1/videos", **ACCESS, answer=schemas.VideoPage)
def list_videos(request: Request, query: schemas.VideoQuery) -> Answer:
    """List videos, deleted ones too."""
    filters = {
        "channel_id": query.channel_id,
        "published_after": query.published_after,
        "published_before": query.published_before,
    }
    return reading.page(lists.VIDEOS, query, filters, query.title)


@app.get("/api/v1/videos/{video}", **ACCESS, answer=schemas.Video)
def show_video(request: Request, video: str) -> Answer:
    """Return a video."""
    return reading.row(lists.VIDEOS, reading.youtube_id(video, "video"), "video")


@app.get("/api/v1/video-updates", **ACCESS, answer=schemas.VideoUpdatePage)
def list_updates(request: Request, query: schemas.UpdateQuery) -> Answer:
    """List the changes of videos. Entries never change."""
    names = ("video_id", "channel_id", "webhook_event_id", "update_type")
    return reading.page(lists.UPDATES, query, {name: getattr(query, name) for name in names})


handler = application.handler(app)

"""Steps of the subscription tests: a subscription that is verified, the hub's messages, and runs of the schedule."""

from datetime import UTC, datetime, timedelta

from showrunner.aws import dynamodb
from showrunner.database import db
from tests.feed.ingestion import CHANNEL

AWAY = "http://127.0.0.1:9"


def verified_subscription(world):
    """(id, path of its callback) of a subscription that the hub has verified."""
    _, body = world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"})
    [job] = world.take("HUB_QUEUE_URL")
    say(world, "verified", body["id"], lease_seconds=432_000)
    return body["id"], f"/webhook/{job['token']}"


def say(world, kind, key, minutes=0, **words):
    """The hub's word, or what became of asking it."""
    world.notify({"kind": kind, "subscription_id": key, "at": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(), **words})


def status(world, key):
    return world.api("GET", f"/api/v1/subscriptions/{key}")[1]["status"]


def make_due(tx):
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = now() - interval '1 second' WHERE ask_at IS NOT NULL")


def due(world, tx):
    """The minute for which the schedule named itself something to do."""
    from functions.subscriptions import app

    dynamodb.remove("schedule#subscriptions", "next")  # tests move rows in time, so what it named is no longer true
    return app.handler({}, None)

"""Steps of the subscription tests: a verified subscription, the hub's messages, runs of the schedule."""

from datetime import UTC, datetime, timedelta

from showrunner.aws import dynamodb
from showrunner.database import db
from tests.feed.ingestion import CHANNEL

AWAY = "http://127.0.0.1:9"


def verified_subscription(world):
    """Create a subscription that the hub has verified. Returns (id, path of its callback)."""
    _, body = world.api(
        "POST",
        "/api/v1/subscriptions",
        {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook", "secret": None},
    )
    [job] = world.take("HUB_QUEUE_URL")
    hub_message(world, "verified", body["id"], lease_seconds=432_000)
    return body["id"], f"/webhook/{job['token']}"


def hub_message(world, kind, key, minutes=0, **words):
    """Deliver a message about the hub's answer, dated `minutes` from now."""
    world.notify(
        {
            "kind": kind,
            "subscription_id": key,
            "at": (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat(),
            **words,
        }
    )


def status(world, key):
    return world.api("GET", f"/api/v1/subscriptions/{key}")[1]["status"]


def make_due(tx):
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = now() - interval '1 second' WHERE ask_at IS NOT NULL")


def run_schedule(world, tx):
    """Run the schedule without its record of the next due time. Returns its counts."""
    from functions.feed_schedule import app

    dynamodb.remove(
        "schedule#subscriptions", "next"
    )  # tests change the times of rows, so the record is outdated
    return app.handler({}, None)

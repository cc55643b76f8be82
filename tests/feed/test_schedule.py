"""The schedule runs only when something is due."""

import time

from showrunner.aws import dynamodb, schedules
from showrunner.database import db
from showrunner.store.feed import subscriptions
from tests.feed.ingestion import CHANNEL, atom, notification
from tests.feed.subscribing import run_schedule


def test_the_schedule_asks_the_database_only_when_something_is_due(world, tx, monkeypatch):
    from functions.feed_schedule import app

    monkeypatch.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
    dynamodb.remove("schedule#subscriptions", "expected")
    run_schedule(world, tx)
    assert app.handler({}, None) == {}, "no channel is subscribed: nothing is due until the next check"

    world.api(
        "POST",
        "/api/v1/subscriptions",
        {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"},
    )
    assert app.handler({}, None) != {}
    dynamodb.remove("schedule#subscriptions", "expected")  # the mark has expired
    assert app.handler({}, None) == {}
    db.run(tx, "UPDATE feed.polls SET poll_at = clock_timestamp() + interval '1 second'")
    run_schedule(world, tx)
    assert app.handler({}, None) == {}
    time.sleep(1.1)
    assert app.handler({}, None) != {}, "the poll is due now"


def test_a_notification_wakes_the_schedule(world, tx, monkeypatch):
    from functions.feed_schedule import app

    monkeypatch.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
    dynamodb.remove("schedule#subscriptions", "expected")
    run_schedule(world, tx)
    world.notify(notification(atom()))

    assert app.handler({}, None)["enriched"] == 1


def test_concurrent_schedules_claim_each_subscription_once(postgres):
    from tests.conftest import in_threads

    with db.transaction() as tx:
        for number in range(40):
            known = {
                "channel_id": f"UC{number:022d}",
                "topic_url": "t",
                "callback_url": "https://two",
                "callback_token": f"two{number}",
                "hub_url": "h",
            }
            subscriptions.add(tx, {**known, "lease_seconds": 432_000, "secret": None})
        db.run(tx, "UPDATE feed.subscriptions SET ask_at = now() - interval '1 hour'")

    def claim(_):
        with db.transaction() as tx:
            return [row["id"] for row in subscriptions.claim_due(tx, 30)]

    try:
        found = [key for keys in in_threads(4, claim) for key in keys]
        assert len(found) == len(set(found)) == 40
    finally:
        with db.transaction() as tx:
            db.run(tx, "DELETE FROM feed.subscriptions")
            db.run(tx, "DELETE FROM feed.polls")

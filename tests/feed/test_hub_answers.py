"""The hub's answers move a subscription through its states."""

from datetime import UTC, datetime, timedelta

from showrunner.database import db
from showrunner.store.feed import subscriptions
from tests.feed.ingestion import CALLBACK, CHANNEL


def subscribed(tx, **values):
    row = subscriptions.add(
        tx,
        {
            "channel_id": CHANNEL,
            "topic_url": "t",
            "callback_url": CALLBACK,
            "callback_token": "x" * 43,
            "hub_url": "h",
            "lease_seconds": 432_000,
            "secret": None,
        },
    )
    return row["id"]


def test_the_hubs_answers_change_the_state_of_a_subscription(world, tx):
    key, now = subscribed(tx), datetime.now(UTC)

    def state():
        return db.value(tx, "SELECT status FROM feed.subscriptions WHERE id = :id", id=key)

    def hub_message(kind, minutes=0, **words):
        world.notify(
            {
                "kind": kind,
                "subscription_id": key,
                "at": (now + timedelta(minutes=minutes)).isoformat(),
                **words,
            }
        )

    assert state() == "pending"
    hub_message("answered", outcome="unavailable", reason="503", retry_after=120)
    assert state() == "pending"
    hub_message("answered", minutes=1, outcome="refused", reason="Restricted topic")
    assert state() == "failed"
    hub_message("verified", minutes=2, lease_seconds=432_000)
    assert state() == "active"
    hub_message("denied", minutes=1, reason="an old word")
    assert state() == "active"
    hub_message("answered", minutes=3, outcome="refused", reason="renewal refused")
    assert state() == "active"  # its lease has not ended, and it is requested again
    hub_message("denied", minutes=4, reason="gone")
    assert state() == "failed"


def test_retry_after_delays_the_next_request_of_the_subscription(world, tx):
    key, now = subscribed(tx), datetime.now(UTC)
    world.notify(
        {
            "kind": "answered",
            "subscription_id": key,
            "outcome": "unavailable",
            "reason": "503",
            "retry_after": 7200,
            "at": now.isoformat(),
        }
    )
    at = db.value(tx, "SELECT ask_at FROM feed.subscriptions WHERE id = :id", id=key)
    assert at >= now + timedelta(seconds=7199)

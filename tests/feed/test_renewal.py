"""Leases are renewed in time, whatever the hub answers."""

import json
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.aws import schedules
from showrunner.database import db
from showrunner.feed import callbacks
from showrunner.store.feed import subscriptions
from tests.feed.ingestion import CHANNEL
from tests.feed.subscribing import AWAY, hub_message, make_due, run_schedule, status, verified_subscription


def test_an_ended_lease_is_expired_and_still_renewed(world, tx):
    world.api(
        "POST",
        "/api/v1/subscriptions",
        {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"},
    )
    db.run(
        tx,
        """
        UPDATE feed.subscriptions
           SET status = 'active', expires_at = now() - interval '1 second',
               ask_at = now() - interval '1 second'
        """,
    )
    assert run_schedule(world, tx)["asked"] == 1
    assert world.api("GET", "/api/v1/subscriptions", query={"status": "expired"})[1]["count"] == 1


def test_a_denied_subscription_is_not_renewed_until_a_caller_renews_it(world, tx):
    key, _ = verified_subscription(world)
    hub_message(world, "denied", key, minutes=1, reason="gone")
    make_due(tx)
    assert run_schedule(world, tx)["asked"] == 0
    assert subscriptions.count_ending(tx, 12) == 0
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew")[1]["status"] == "pending"
    assert len(world.take("HUB_QUEUE_URL")) == 1


@pytest.mark.parametrize("was", ["pending", "expired"])
def test_a_refused_subscription_is_counted_and_retried_within_a_day(world, tx, was):
    key, _ = verified_subscription(world)
    db.run(
        tx,
        """
        UPDATE feed.subscriptions
           SET status = :was, expires_at = now() - interval '1 second', last_verified_at = NULL
        """,
        was=was,
    )
    now = datetime.now(UTC)
    hub_message(world, "answered", key, outcome="refused", reason="The hub answers 403: Restricted topic")
    assert status(world, key) == "failed"
    assert subscriptions.count_ending(tx, 12) == 1
    assert (
        timedelta(hours=6)
        <= db.value(tx, "SELECT ask_at FROM feed.subscriptions") - now
        <= timedelta(hours=24, minutes=1)
    )
    make_due(tx)
    assert run_schedule(world, tx)["asked"] == 1
    hub_message(world, "verified", key, minutes=1, lease_seconds=432_000)
    assert status(world, key) == "active"
    assert subscriptions.count_ending(tx, 12) == 0


def test_an_ended_lease_is_counted_for_the_alarm(world, tx):
    verified_subscription(world)
    db.run(tx, "UPDATE feed.subscriptions SET expires_at = now() - interval '1 second'")
    subscriptions.expire(tx)
    assert subscriptions.count_ending(tx, 12) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_denial_ends_an_earlier_verification_in_any_order_of_arrival(world, tx, order):
    key, _ = verified_subscription(world)
    words = [("verified", {"lease_seconds": 432_000}), ("denied", {"reason": "gone"})]
    for number in order:
        kind, more = words[number]
        hub_message(world, kind, key, minutes=1 + number, **more)
    assert status(world, key) == "failed"
    hub_message(world, "verified", key, minutes=3, lease_seconds=432_000)
    assert status(world, key) == "active"


@pytest.mark.parametrize(("left", "longest"), [(3600, 1801), (30, 61)])
def test_a_long_retry_after_is_shortened_so_that_the_lease_does_not_end(world, tx, left, longest):
    key, _ = verified_subscription(world)
    db.run(
        tx,
        "UPDATE feed.subscriptions SET last_verified_at = now() - interval '1 hour',"
        " expires_at = now() + make_interval(secs => :left)",
        left=left,
    )
    now = datetime.now(UTC)
    hub_message(world, "answered", key, outcome="unavailable", reason="503", retry_after=86_400)
    assert db.value(tx, "SELECT ask_at FROM feed.subscriptions") <= now + timedelta(seconds=longest)


def test_a_subscription_created_during_an_outage_is_requested_by_the_schedule(world, tx, monkeypatch):
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", AWAY)
        away.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
        code, body = world.api(
            "POST",
            "/api/v1/subscriptions",
            {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"},
        )
    assert (code, body["status"]) == (201, "pending")
    make_due(tx)
    assert run_schedule(world, tx)["asked"] == 1
    [job] = world.take("HUB_QUEUE_URL")
    assert callbacks.find(job["token"]).subscription_id == body["id"]


def test_a_renewal_claimed_before_a_new_secret_does_not_restore_the_old_one(world, tx):
    key, _ = verified_subscription(world)
    make_due(tx)
    [claimed] = subscriptions.claim_due(tx, 10)
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew", {"secret": "a-new-secret"})[0] == 200
    assert callbacks.save(claimed, time.time() + 3600) is False
    callback = callbacks.find(claimed["callback_token"])
    assert callbacks.opened(callback.sealed, callback.token) == [b"a-new-secret"]


def test_a_clock_that_was_set_back_does_not_block_renewals(world, tx):
    key, _ = verified_subscription(world)
    db.run(tx, "UPDATE feed.subscriptions SET updated_at = now() + interval '1 hour'")
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew")[0] == 200
    hub_message(world, "answered", key, minutes=1, outcome="unavailable", reason="503", retry_after=60)
    make_due(tx)
    assert run_schedule(world, tx)["asked"] == 1


def test_no_lease_ends_in_ninety_days_with_a_hub_outage_of_36_hours(postgres):
    """Simulate 90 days with the store's own SQL: stored times are moved back, the clock stays.

    Each step is a transaction of its own: in one long transaction PostgreSQL keeps every old version of the
    rows, and the steps get slower and slower.
    """
    chance = random.Random(7)
    now = datetime.now(UTC)
    hours, asked, renewals = 6, 0, 0
    moved = ", ".join(
        f"{name} = {name} - make_interval(hours => :step)"
        for name in ("ask_at", "expires_at", "last_verified_at")
    )
    try:
        with db.transaction() as tx:
            for number in range(20):
                known = {
                    "channel_id": f"UC{number:022d}",
                    "topic_url": "t",
                    "callback_url": "https://x",
                    "callback_token": f"{number}",
                    "hub_url": "h",
                }
                row = subscriptions.add(tx, {**known, "lease_seconds": 432_000, "secret": None})
                subscriptions.save_verified(tx, row["id"], 432_000, now.isoformat())
        for step in range(90 * 24 // hours):
            down = 160 <= step < 166 or chance.random() < 0.05
            with db.transaction() as tx:
                db.run(tx, f"UPDATE feed.subscriptions SET {moved}", step=hours)
                assert db.value(tx, "SELECT count(*) FROM feed.subscriptions WHERE expires_at <= now()") == 0
                assert subscriptions.expire(tx) == 0
                assert subscriptions.count_ending(tx, 12) == 0
                for row in subscriptions.claim_due(tx, 200):
                    asked += 1
                    at = datetime.now(UTC).isoformat()
                    if down:
                        subscriptions.save_unavailable(tx, row["id"], "503", 120, at)
                    else:
                        renewals += 1
                        subscriptions.save_verified(tx, row["id"], 432_000, at)
    finally:
        with db.transaction() as tx:
            db.run(tx, "DELETE FROM feed.subscriptions")
            db.run(tx, "DELETE FROM feed.polls")
    assert 20 * 90 / 2.75 * 0.8 < renewals < 20 * 90 / 2.0
    assert asked > renewals


def test_renewals_are_spread_around_half_the_lease(tx):
    known = {
        "channel_id": CHANNEL,
        "topic_url": "t",
        "callback_url": "https://x",
        "callback_token": "t",
        "hub_url": "h",
    }
    key = subscriptions.add(tx, {**known, "lease_seconds": 432_000, "secret": None})["id"]
    now = datetime.now(UTC)
    found = set()
    for _ in range(30):
        subscriptions.save_verified(tx, key, 100_000, now.isoformat())
        found.add((db.value(tx, "SELECT ask_at FROM feed.subscriptions") - now).total_seconds())
    assert len(found) == 30
    assert min(found) >= 45_000
    assert max(found) <= 55_000
    assert max(found) - min(found) > 3000


def test_queued_hub_requests_contain_no_secret(world):
    world.api(
        "POST",
        "/api/v1/subscriptions",
        {
            "channel_id": CHANNEL,
            "callback_url": "https://ingest.example.com/webhook",
            "secret": "s3cr3t-value",
        },
    )
    assert "s3cr3t-value" not in json.dumps(world.take("HUB_QUEUE_URL"))

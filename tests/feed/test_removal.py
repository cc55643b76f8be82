"""A subscription that is removed: repeats, failures half way, and renewals that come too late."""

import time

from showrunner.aws import schedules
from showrunner.database import db
from showrunner.feed import callbacks
from showrunner.store.feed import subscriptions
from tests.feed.ingestion import atom
from tests.feed.subscribing import AWAY, make_due, run_schedule, status, verified_subscription


def test_a_removal_that_fails_changes_nothing_and_can_be_repeated(world, tx, monkeypatch):
    key, path = verified_subscription(world)
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", AWAY)
        away.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
        assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 503
    assert (status(world, key), world.webhook("POST", path, atom())["statusCode"]) == ("active", 202)
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 204
    assert [job["mode"] for job in world.take("HUB_QUEUE_URL")] == ["unsubscribe"]
    assert world.webhook("POST", path, atom())["statusCode"] == 410
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 404


def test_an_interrupted_removal_is_finished_by_the_schedule(world, tx):
    key, path = verified_subscription(world)
    callbacks.remove(subscriptions.renew_now(tx, key), time.time() + 3600)
    assert run_schedule(world, tx)["asked"] == 0, "it is due in a minute"
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = ask_at - interval '1 minute'")
    assert run_schedule(world, tx)["asked"] == 0
    assert [job["mode"] for job in world.take("HUB_QUEUE_URL")] == ["unsubscribe"]
    assert world.api("GET", f"/api/v1/subscriptions/{key}")[0] == 404
    assert world.webhook("POST", path, atom())["statusCode"] == 410


def test_a_renewal_claimed_before_the_removal_does_not_restore_the_subscription(world, tx):
    key, path = verified_subscription(world)
    make_due(tx)
    [claimed] = subscriptions.claim_due(tx, 10)
    renewed = subscriptions.renew(tx, key, None, None)
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 204
    assert [callbacks.save(row, time.time() + 3600) for row in (claimed, renewed)] == [False, False]
    assert world.webhook("POST", path, atom())["statusCode"] == 410

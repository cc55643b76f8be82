"""Hub secrets that are replaced by age, with the renewal of their lease."""

import pytest

from showrunner.aws import rpc
from showrunner.database import db
from showrunner.feed import callbacks, hub_secrets
from tests.feed.ingestion import CALLBACK, CHANNEL
from tests.feed.subscribing import make_due, run_schedule
from tests.feed.test_callbacks import SECRET, push, verify
from tests.keys import killing


@pytest.fixture
def subscription(world):
    """Return a subscription that the hub has verified, with the path of its callback."""
    wanted = {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": SECRET}
    _, body = world.api("POST", "/api/v1/subscriptions", wanted)
    [job] = world.take("HUB_QUEUE_URL")
    made = {**body, "path": f"/webhook/{job['token']}"}
    verify(world, made)
    return made


def age(tx, days):
    sql = "UPDATE feed.subscriptions SET created_at = now() - make_interval(days => :days), rotated_at = NULL"
    db.run(tx, sql, days=days)
    make_due(tx)


def secrets(subscription):
    """Return the secrets that the receiver accepts, the newest first."""
    token = subscription["path"].rpartition("/")[2]
    found = callbacks.opened(callbacks.find(token).sealed, token)
    return [secret.decode() for secret in found]


def audited(tx):
    sql = "SELECT count(*) FROM audit.events WHERE action = 'hub_secret_rotate'"
    return db.value(tx, sql)


def test_an_old_secret_is_replaced_with_the_renewal_and_both_are_valid_meanwhile(
    world,
    subscription,
    tx,
    monkeypatch,
):
    age(tx, hub_secrets.MAX_AGE_DAYS + 1)
    world.take("HUB_QUEUE_URL")

    assert run_schedule(world, tx)["asked"] == 1
    assert len(world.take("HUB_QUEUE_URL")) == 1, "the hub is asked once, and gets the newest secret"
    new, old = secrets(subscription)
    assert (old, len(new)) == (SECRET, 43)
    assert (push(world, subscription, old), push(world, subscription, new)) == (202, 202)
    assert push(world, subscription) == 403
    assert audited(tx) == 1
    assert new not in str(db.rows(tx, "SELECT * FROM audit.events"))

    monkeypatch.setattr(callbacks, "OVERLAP_SECONDS", 0)  # the 15 minutes pass at once
    verify(world, subscription)
    assert (push(world, subscription, old), push(world, subscription, new)) == (403, 202)
    make_due(tx)
    run_schedule(world, tx)
    assert secrets(subscription) == [new]


def test_a_young_secret_and_one_that_is_being_changed_stay(world, subscription, tx):
    age(tx, hub_secrets.MAX_AGE_DAYS - 1)
    run_schedule(world, tx)
    assert secrets(subscription) == [SECRET]

    age(tx, hub_secrets.MAX_AGE_DAYS + 1)
    run_schedule(world, tx)
    before = secrets(subscription)
    db.run(tx, "UPDATE feed.subscriptions SET rotated_at = now() - interval '1 year'")
    make_due(tx)
    run_schedule(world, tx)
    assert secrets(subscription) == before, "the hub has not verified the new one yet"
    assert audited(tx) == 1


def test_without_kms_the_lease_is_renewed_with_the_secret_that_it_has(
    world,
    subscription,
    tx,
    monkeypatch,
):
    age(tx, hub_secrets.MAX_AGE_DAYS + 1)
    call = rpc.call

    def failing(service, action, payload):
        if action == "GenerateDataKey":
            raise rpc.AwsError("KMSInternalException", "no")
        return call(service, action, payload)

    monkeypatch.setattr(hub_secrets.callbacks.sealing, "_own", {})
    monkeypatch.setattr(rpc, "call", failing)
    assert run_schedule(world, tx)["asked"] == 1
    assert secrets(subscription) == [SECRET]


@pytest.mark.parametrize("moment", killing.MOMENTS)
def test_a_replacement_killed_anywhere_leaves_the_hubs_secret_valid_and_is_done_once(
    world,
    subscription,
    tx,
    moment,
):
    places = 0
    with killing.killer() as killer:
        for place in range(1, 60):
            with killer.paused():
                (current,) = secrets(subscription)
                age(tx, hub_secrets.MAX_AGE_DAYS + 1)
                world.take("HUB_QUEUE_URL")
                before = audited(tx)
            killed = False
            killer.arm(place, moment)
            try:
                run_schedule(world, tx)
            except killing.Killed:
                killed = True
            killer.arm(0, moment)
            assert push(world, subscription, current) == 202, "what the hub knows is valid at any moment"
            make_due(tx)
            run_schedule(world, tx)  # the next minute
            assert push(world, subscription, current) == 202
            jobs = {job["mode"] for job in world.take("HUB_QUEUE_URL")}
            assert jobs == {"subscribe"}
            assert len(secrets(subscription)) == 2
            assert audited(tx) == before + 1
            db.run(tx, "UPDATE feed.subscriptions SET rotated_at = now() - interval '1 second'")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(callbacks, "OVERLAP_SECONDS", 0)
                verify(world, subscription)
            if not killed:
                break
            places += 1
    assert places >= 4

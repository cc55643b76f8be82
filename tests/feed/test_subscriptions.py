"""Subscriptions end to end against a real hub, the schedule's renewals over simulated months, and hubs that fail."""

import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta

import pytest
import requests

from showrunner import callbacks, db, schedules, state
from showrunner.store import subscriptions
from tests.conftest import ROOT, free_port
from tests.feed.ingestion import CHANNEL, OTHER, TOPIC, atom, batch, notification
from tests.feed.ingestion import http as http_event


class Receiver(http.server.BaseHTTPRequestHandler):
    """The gateway in front of the receiver."""

    answers: list[int] = []  # noqa: RUF012 - of the class, as the server makes an instance a request

    def do_GET(self):
        from functions.websub import app

        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
        headers = {name.lower().replace("-", "_"): value for name, value in self.headers.items()}
        answer = app.handler(http_event(self.command, path, body, dict(urllib.parse.parse_qsl(query)), **headers), None)
        self.answers.append(answer["statusCode"])
        self.send_response(answer["statusCode"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer["body"])))
        self.end_headers()
        self.wfile.write(answer["body"].encode())

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


class RealHub:
    def __init__(self, port, algorithm, callback):
        self.url, self.algorithm, self.callback = f"http://127.0.0.1:{port}", algorithm, callback

    def publish(self, body, topic=TOPIC):
        requests.post(f"{self.url}/publish", params={"topic": topic}, data=body, timeout=5).raise_for_status()

    def fail(self, times, retry_after="120"):
        requests.post(f"{self.url}/fail", data={"times": times, "retry_after": retry_after}, timeout=5).raise_for_status()

    def subscribers(self):
        return requests.get(f"{self.url}/subscribers", params={"topic": TOPIC}, timeout=5).json()


@pytest.fixture(params=["sha1", "sha512"])
def hub(request, world, tmp_path, monkeypatch):
    port = free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    callback = f"http://127.0.0.1:{server.server_port}/webhook"
    monkeypatch.setenv("HUB_URL", f"http://127.0.0.1:{port}/hub")
    monkeypatch.setenv("CALLBACK_URLS", callback)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "tests" / "feed" / "hub.py"), str(port), request.param, str(tmp_path)], stderr=subprocess.DEVNULL
    ) as process:
        real = RealHub(port, request.param, callback)
        wait(lambda: reachable(real.url))
        hub_function().hub.cache_clear()
        yield real
        process.terminate()
    hub_function().hub.cache_clear()
    server.shutdown()
    server.server_close()


def hub_function():
    from functions.hub import app

    return app


def reachable(url):
    try:
        return requests.get(f"{url}/subscribers", params={"topic": "x"}, timeout=1).status_code == 200
    except requests.ConnectionError:
        return False


def wait(condition, seconds=15):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it didn't come to pass"
        time.sleep(0.05)
    return found


def ask_hub(world):
    return hub_function().handler(batch(world.take("HUB_QUEUE_URL")), None)


def subscribe(world, hub, **more):
    status, body = world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": hub.callback, **more})
    assert (status, body["status"]) == (201, "pending")
    assert ask_hub(world) == {"batchItemFailures": []}
    wait(world.drain)
    return body["id"]


def test_subscribe_verify_deliver_renew_and_unsubscribe_at_a_real_hub(world, hub, tx):
    key = subscribe(world, hub, secret="my-webhook-secret", lease_seconds=86_400)
    _, body = world.api("GET", f"/api/v1/subscriptions/{key}")
    assert (body["status"], body["lease_seconds"]) == ("active", 86_400)
    wait(hub.subscribers)

    hub.publish(atom())
    wait(world.drain)
    status, video = world.api("GET", "/api/v1/videos/vid00000001")
    assert (status, video["title"]) == (200, "Title")

    before = body["expires_at"]
    status, _ = world.api("POST", f"/api/v1/subscriptions/{key}/renew", {"secret": "a-new-secret"})
    ask_hub(world)
    wait(world.drain)
    _, body = world.api("GET", f"/api/v1/subscriptions/{key}")
    assert body["expires_at"] > before
    hub.publish(atom(title="Signed anew", updated="2026-11-21T00:00:00Z"))
    wait(world.drain)
    assert world.api("GET", "/api/v1/videos/vid00000001")[1]["title"] == "Signed anew"

    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 204
    ask_hub(world)
    wait(lambda: not hub.subscribers())
    assert world.api("GET", f"/api/v1/subscriptions/{key}")[0] == 404


def test_a_hub_that_answers_503_is_asked_again_after_what_it_says_and_stops_no_other(world, hub, tx):
    hub.fail(1)
    for channel in (CHANNEL, OTHER):
        world.api("POST", "/api/v1/subscriptions", {"channel_id": channel, "callback_url": hub.callback})
    ask_hub(world)
    wait(lambda: world.drain() and db.value(tx, "SELECT 1 FROM feed.subscriptions WHERE status = 'active'"))
    world.drain()
    states = {row["channel_id"]: row for row in db.rows(tx, "SELECT channel_id, status, last_answer, ask_at FROM feed.subscriptions")}
    assert sorted(row["status"] for row in states.values()) == ["active", "pending"]
    [waiting] = [row for row in states.values() if row["status"] == "pending"]
    assert "503" in waiting["last_answer"]
    assert waiting["ask_at"] > datetime.now(UTC) + timedelta(seconds=100)


def due(world, tx):
    """The minute for which the schedule named itself something to do."""
    from functions.subscriptions import app

    state.remove("schedule#subscriptions", "next")  # tests move rows in time, so what it named is no longer true
    return app.handler({}, None)


def test_the_schedule_asks_the_database_only_when_something_is_due(world, tx, monkeypatch):
    from functions.subscriptions import app

    monkeypatch.setattr(schedules, "_words", {})  # an environment that hasn't said anything yet
    state.remove("schedule#subscriptions", "expected")
    due(world, tx)
    assert app.handler({}, None) == {}, "nobody is followed: nothing to do until the next look"

    world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"})
    assert app.handler({}, None) != {}
    state.remove("schedule#subscriptions", "expected")  # a quarter of an hour later
    assert app.handler({}, None) == {}
    db.run(tx, "UPDATE feed.polls SET poll_at = clock_timestamp() + interval '1 second'")
    due(world, tx)
    assert app.handler({}, None) == {}
    time.sleep(1.1)
    assert app.handler({}, None) != {}, "the time that the poll is due has come"


def test_what_a_notification_leaves_to_do_is_not_slept_over(world, tx, monkeypatch):
    from functions.subscriptions import app

    monkeypatch.setattr(schedules, "_words", {})  # an environment that hasn't said anything yet
    state.remove("schedule#subscriptions", "expected")
    due(world, tx)
    world.notify(notification(atom()))

    assert app.handler({}, None)["enriched"] == 1


def test_the_schedule_asks_again_for_what_is_due(world, hub, tx):
    key = subscribe(world, hub)
    assert due(world, tx)["asked"] == 0
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = now() - interval '1 second'")
    assert due(world, tx)["asked"] == 1
    first = db.value(tx, "SELECT last_verified_at FROM feed.subscriptions WHERE id = :id", id=key)
    ask_hub(world)
    wait(world.drain)
    assert db.value(tx, "SELECT last_verified_at FROM feed.subscriptions WHERE id = :id", id=key) > first


def test_a_lease_that_ended_is_expired_and_asked_for_still(world, tx):
    world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"})
    db.run(tx, "UPDATE feed.subscriptions SET status = 'active', expires_at = now() - interval '1 second', ask_at = now() - interval '1 second'")
    assert due(world, tx)["asked"] == 1
    assert world.api("GET", "/api/v1/subscriptions", query={"status": "expired"})[1]["count"] == 1


AWAY = "http://127.0.0.1:9"


def followed(world):
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


def test_one_that_the_hub_denies_is_not_asked_for_again_until_somebody_renews_it(world, tx):
    key, _ = followed(world)
    say(world, "denied", key, minutes=1, reason="gone")
    make_due(tx)
    assert due(world, tx)["asked"] == 0
    assert subscriptions.count_ending(tx, 12) == 0
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew")[1]["status"] == "pending"
    assert len(world.take("HUB_QUEUE_URL")) == 1


@pytest.mark.parametrize("was", ["pending", "expired"])
def test_one_that_the_hub_refuses_is_counted_and_asked_for_again_within_a_day(world, tx, was):
    key, _ = followed(world)
    db.run(tx, "UPDATE feed.subscriptions SET status = :was, expires_at = now() - interval '1 second', last_verified_at = NULL", was=was)
    now = datetime.now(UTC)
    say(world, "answered", key, outcome="refused", reason="The hub answers 403: Restricted topic")
    assert status(world, key) == "failed"
    assert subscriptions.count_ending(tx, 12) == 1
    assert timedelta(hours=6) <= db.value(tx, "SELECT ask_at FROM feed.subscriptions") - now <= timedelta(hours=24, minutes=1)
    make_due(tx)
    assert due(world, tx)["asked"] == 1
    say(world, "verified", key, minutes=1, lease_seconds=432_000)
    assert status(world, key) == "active"
    assert subscriptions.count_ending(tx, 12) == 0


def test_a_lease_that_has_ended_is_counted_for_the_alarm(world, tx):
    followed(world)
    db.run(tx, "UPDATE feed.subscriptions SET expires_at = now() - interval '1 second'")
    subscriptions.expire(tx)
    assert subscriptions.count_ending(tx, 12) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_denial_ends_what_was_verified_before_it_in_whichever_order_they_are_heard(world, tx, order):
    key, _ = followed(world)
    words = [("verified", {"lease_seconds": 432_000}), ("denied", {"reason": "gone"})]
    for number in order:
        kind, more = words[number]
        say(world, kind, key, minutes=1 + number, **more)
    assert status(world, key) == "failed"
    say(world, "verified", key, minutes=3, lease_seconds=432_000)
    assert status(world, key) == "active"


@pytest.mark.parametrize(("left", "longest"), [(3600, 1801), (30, 61)])
def test_a_hub_that_asks_for_a_day_is_asked_again_while_the_lease_runs(world, tx, left, longest):
    key, _ = followed(world)
    db.run(tx, "UPDATE feed.subscriptions SET last_verified_at = now() - interval '1 hour', expires_at = now() + make_interval(secs => :left)", left=left)
    now = datetime.now(UTC)
    say(world, "answered", key, outcome="unavailable", reason="503", retry_after=86_400)
    assert db.value(tx, "SELECT ask_at FROM feed.subscriptions") <= now + timedelta(seconds=longest)


def test_a_subscription_made_while_queue_or_state_table_is_away_is_pending_and_asked_for_by_the_schedule(world, tx, monkeypatch):
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", AWAY)
        away.setattr(schedules, "_words", {})  # an environment that hasn't said anything yet
        code, body = world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook"})
    assert (code, body["status"]) == (201, "pending")
    make_due(tx)
    assert due(world, tx)["asked"] == 1
    [job] = world.take("HUB_QUEUE_URL")
    assert callbacks.find(job["token"]).subscription_id == body["id"]


def test_a_removal_that_reached_nobody_can_be_repeated_and_leaves_all_as_it_was(world, tx, monkeypatch):
    key, path = followed(world)
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", AWAY)
        away.setattr(schedules, "_words", {})  # an environment that hasn't said anything yet
        assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 503
    assert (status(world, key), world.webhook("POST", path, atom())["statusCode"]) == ("active", 202)
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 204
    assert [job["mode"] for job in world.take("HUB_QUEUE_URL")] == ["unsubscribe"]
    assert world.webhook("POST", path, atom())["statusCode"] == 410
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 404


def test_a_removal_that_stopped_half_way_is_finished_by_the_schedule(world, tx):
    key, path = followed(world)
    callbacks.remove(subscriptions.hasten(tx, key), time.time() + 3600)
    assert due(world, tx)["asked"] == 0, "it is due in a minute"
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = ask_at - interval '1 minute'")
    assert due(world, tx)["asked"] == 0
    assert [job["mode"] for job in world.take("HUB_QUEUE_URL")] == ["unsubscribe"]
    assert world.api("GET", f"/api/v1/subscriptions/{key}")[0] == 404
    assert world.webhook("POST", path, atom())["statusCode"] == 410


def test_a_renewal_that_was_due_before_the_removal_does_not_revive_it(world, tx):
    key, path = followed(world)
    make_due(tx)
    [claimed] = subscriptions.claim_due(tx, 10)
    renewed = subscriptions.renew(tx, key, None, None)
    assert world.api("DELETE", f"/api/v1/subscriptions/{key}")[0] == 204
    assert [callbacks.save(row, time.time() + 3600) for row in (claimed, renewed)] == [False, False]
    assert world.webhook("POST", path, atom())["statusCode"] == 410


def test_a_renewal_that_was_due_before_a_new_secret_does_not_bring_the_old_one_back(world, tx):
    key, _ = followed(world)
    make_due(tx)
    [claimed] = subscriptions.claim_due(tx, 10)
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew", {"secret": "a-new-secret"})[0] == 200
    assert callbacks.save(claimed, time.time() + 3600) is False
    callback = callbacks.find(claimed["callback_token"])
    assert callbacks.opened(callback.sealed, callback.token) == [b"a-new-secret"]


def test_a_clock_that_went_back_keeps_no_lease_from_being_renewed(world, tx):
    key, _ = followed(world)
    db.run(tx, "UPDATE feed.subscriptions SET updated_at = now() + interval '1 hour'")
    assert world.api("POST", f"/api/v1/subscriptions/{key}/renew")[0] == 200
    say(world, "answered", key, minutes=1, outcome="unavailable", reason="503", retry_after=60)
    make_due(tx)
    assert due(world, tx)["asked"] == 1


def test_no_lease_lapses_or_alarms_in_ninety_days_with_a_hub_that_is_down_for_a_day_and_a_half(tx):
    """The store's own SQL under a clock that runs 90 days: every stored time is moved back instead of the server's clock forward."""
    import random

    chance = random.Random(7)
    now = datetime.now(UTC)
    for number in range(20):
        known = {"channel_id": f"UC{number:022d}", "topic_url": "t", "callback_url": "https://x", "callback_token": f"{number}", "hub_url": "h"}
        row = subscriptions.add(tx, {**known, "lease_seconds": 432_000, "secret": None})
        subscriptions.save_verified(tx, row["id"], 432_000, now.isoformat())
    hours, asked, renewals = 6, 0, 0
    moved = "ask_at = ask_at - :step, expires_at = expires_at - :step, last_verified_at = last_verified_at - :step"
    for step in range(90 * 24 // hours):
        db.run(tx, f"UPDATE feed.subscriptions SET {moved.replace(':step', 'make_interval(hours => :step)')}", step=hours)
        assert db.value(tx, "SELECT count(*) FROM feed.subscriptions WHERE expires_at <= now()") == 0
        assert subscriptions.expire(tx) == 0
        assert subscriptions.count_ending(tx, 12) == 0
        down = 160 <= step < 166 or chance.random() < 0.05
        for row in subscriptions.claim_due(tx, 200):
            asked += 1
            at = datetime.now(UTC).isoformat()
            if down:
                subscriptions.save_unavailable(tx, row["id"], "503", 120, at)
            else:
                renewals += 1
                subscriptions.save_verified(tx, row["id"], 432_000, at)
    assert 20 * 90 / 2.75 * 0.8 < renewals < 20 * 90 / 2.0
    assert asked > renewals


def test_renewals_are_spread_around_half_the_lease(tx):
    known = {"channel_id": CHANNEL, "topic_url": "t", "callback_url": "https://x", "callback_token": "t", "hub_url": "h"}
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


def test_two_schedules_at_once_ask_for_each_subscription_once(postgres):
    from tests.conftest import in_threads

    with db.transaction() as tx:
        for number in range(40):
            known = {"channel_id": f"UC{number:022d}", "topic_url": "t", "callback_url": "https://two", "callback_token": f"two{number}", "hub_url": "h"}
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


def test_jobs_carry_no_secret(world):
    world.api("POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": "https://ingest.example.com/webhook", "secret": "s3cr3t-value"})
    assert "s3cr3t-value" not in json.dumps(world.take("HUB_QUEUE_URL"))

"""Subscriptions end to end at a real WebSub hub (flask-websub)."""

import subprocess
import sys
import threading
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from showrunner.database import db
from showrunner.feed import hub as asking
from tests.conftest import ROOT, free_port
from tests.feed.ingestion import CHANNEL, OTHER, TOPIC, atom, batch, http
from tests.feed.subscribing import run_schedule


class Receiver(BaseHTTPRequestHandler):
    """A minimal API Gateway in front of the receiver."""

    answers: list[int] = []  # noqa: RUF012 - of the class, as the server makes an instance a request

    def do_GET(self):
        from functions.websub import app

        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0)) or None
        headers = {name.lower().replace("-", "_"): value for name, value in self.headers.items()}
        answer = app.handler(
            http(self.command, path, body, dict(urllib.parse.parse_qsl(query)), **headers), None
        )
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

    def reset(self):
        requests.post(f"{self.url}/reset", timeout=5).raise_for_status()

    def fail(self, times, retry_after="120"):
        requests.post(
            f"{self.url}/fail", data={"times": times, "retry_after": retry_after}, timeout=5
        ).raise_for_status()

    def subscribers(self):
        return requests.get(f"{self.url}/subscribers", params={"topic": TOPIC}, timeout=5).json()


@pytest.fixture(scope="module", params=["sha1", "sha512"])
def hub_server(request, tmp_path_factory):
    """Start a hub that signs with this algorithm, once for the module: a start takes a second."""
    port = free_port()
    command = [
        sys.executable,
        str(ROOT / "tests" / "feed" / "hub.py"),
        str(port),
        request.param,
        str(tmp_path_factory.mktemp("hub")),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait(lambda: reachable(f"http://127.0.0.1:{port}"))
        yield port, request.param
        process.terminate()


@pytest.fixture
def hub(hub_server, world, monkeypatch):
    """Empty the hub, and start a receiver that it can call."""
    port, algorithm = hub_server
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    callback = f"http://127.0.0.1:{server.server_port}/webhook"
    monkeypatch.setenv("HUB_URL", f"http://127.0.0.1:{port}/hub")
    monkeypatch.setenv("CALLBACK_URLS", callback)
    asking.hub.cache_clear()
    real = RealHub(port, algorithm, callback)
    real.reset()
    yield real
    asking.hub.cache_clear()
    server.shutdown()
    server.server_close()


def hub_function():
    from functions.feed_hub import app

    return app


def reachable(url):
    try:
        return requests.get(f"{url}/subscribers", params={"topic": "x"}, timeout=1).status_code == 200
    except requests.ConnectionError:
        return False


def wait(condition, seconds=15):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "the condition did not become true in time"
        time.sleep(0.05)
    return found


def ask_hub(world):
    return hub_function().handler(batch(world.take("HUB_QUEUE_URL")), None)


def subscribe(world, hub, **more):
    status, body = world.api(
        "POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": hub.callback, **more}
    )
    assert (status, body["status"]) == (201, "pending")
    assert ask_hub(world) == {"batchItemFailures": []}
    wait(world.drain)
    return body["id"]


def test_a_subscription_is_verified_delivered_renewed_and_removed_at_a_real_hub(world, hub, tx):
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


def test_a_503_of_the_hub_is_retried_after_its_retry_after_and_stops_no_other(world, hub, tx):
    hub.fail(1)
    for channel in (CHANNEL, OTHER):
        world.api("POST", "/api/v1/subscriptions", {"channel_id": channel, "callback_url": hub.callback})
    ask_hub(world)
    wait(lambda: world.drain() and db.value(tx, "SELECT 1 FROM feed.subscriptions WHERE status = 'active'"))
    world.drain()
    states = {
        row["channel_id"]: row
        for row in db.rows(tx, "SELECT channel_id, status, last_answer, ask_at FROM feed.subscriptions")
    }
    assert sorted(row["status"] for row in states.values()) == ["active", "pending"]
    [waiting] = [row for row in states.values() if row["status"] == "pending"]
    assert "503" in waiting["last_answer"]
    assert waiting["ask_at"] > datetime.now(UTC) + timedelta(seconds=100)


def test_the_schedule_renews_a_due_subscription(world, hub, tx):
    key = subscribe(world, hub)
    assert run_schedule(world, tx)["asked"] == 0
    db.run(tx, "UPDATE feed.subscriptions SET ask_at = now() - interval '1 second'")
    assert run_schedule(world, tx)["asked"] == 1
    first = db.value(tx, "SELECT last_verified_at FROM feed.subscriptions WHERE id = :id", id=key)
    ask_hub(world)
    wait(world.drain)
    assert db.value(tx, "SELECT last_verified_at FROM feed.subscriptions WHERE id = :id", id=key) > first

"""The kinds of secrets of which a stage has many, for `make bench-keys`: what keys.py asks of each kind.

A key of the Ingestion API is used by a program whose owner gives it the new key after a while, and the one
before is deleted then. A hub secret is used by the hub, which signs notifications with the one that it knows.
Both know their secret from a file, and keep it for the cache time.
"""

import contextlib
import hashlib
import hmac
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

INGESTION, HUB = "ingestion_keys", "hub_secrets"
KINDS = (INGESTION, HUB)
CHANNEL = "UC" + "a" * 22
CALLBACK = "http://localhost:8080/webhook"
TOPIC = f"https://www.youtube.com/xml/feeds/videos.xml?channel_id={CHANNEL}"
# Orphans stay, so they are counted after some rotations: a hub secret's overlap takes seconds.
LOOK_EVERY = 5
NOTIFICATION = b"<feed xmlns='http://www.w3.org/2005/Atom'/>"
QUEUES = ("NOTIFICATIONS_QUEUE_URL", "NOTIFICATIONS_DEAD_URL", "HUB_QUEUE_URL", "POLL_QUEUE_URL")


class Refused(Exception):
    """A valid secret was not accepted."""


def settings() -> dict[str, str]:
    """Create the feed's queues; return what its functions are told."""
    from showrunner.aws import rpc

    queues = {
        name: rpc.call("sqs", "CreateQueue", {"QueueName": name.lower()})["QueueUrl"] for name in QUEUES
    }
    return queues | {
        "HUB_URL": "http://127.0.0.1:9/subscribe",
        "TOPIC_BASE_URL": "https://www.youtube.com",
        "FEED_BASE_URL": "http://127.0.0.1:9",
        "YOUTUBE_BASE_URL": "http://127.0.0.1:9",
        "CALLBACK_URLS": CALLBACK,
        "HTTP_HOSTS": "127.0.0.1,localhost",
    }


# ------------------------------------------------------------------------------------------------ Callers

_known: dict[str, tuple[float, str]] = {}


def use(kind: str, cache_seconds: float) -> None:
    """Use the secret that this process knows once. Raises Refused."""
    read_at, value = _known.get(kind, (-math.inf, ""))
    if read_at < time.monotonic() - cache_seconds:
        value = _file(kind).read_text(encoding="utf-8")
        _known[kind] = time.monotonic(), value
    accepts(kind, value)


def accepts(kind: str, value: str) -> None:
    if kind == INGESTION:
        status, _ = call("feed", "GET", "/api/v1/subscriptions", x_api_key=value)
        wanted = 200
    else:
        path, _, secret = value.partition(" ")
        signature = hmac.new(secret.encode(), NOTIFICATION, hashlib.sha1).hexdigest()
        status, _ = call("websub", "POST", path, NOTIFICATION.decode(), x_hub_signature=f"sha1={signature}")
        wanted = 202
    if status != wanted:
        raise Refused(f"{kind}: {status}")


def call(function: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    """Call an HTTP function. Returns the status and the body, parsed if it is JSON."""
    import importlib

    import ground

    event = ground.event(method, path, body=body)
    if isinstance(body, str):
        event["body"] = body
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    answer = importlib.import_module(f"functions.{function}.app").handler(event, None)
    text = answer["body"]
    return answer["statusCode"], json.loads(text) if text and text.startswith(("{", "[")) else text


def _file(kind: str) -> Path:
    return Path(os.environ["BENCH_TOKENS"]) / f"{kind}.txt"


# ------------------------------------------------------------------------------------------------ Rotations


class Many:
    """Rotate many secrets of one kind, as keys.Bench does one: `told` and `values` are the same."""

    kind: str
    # What audit rows of a rotation have as action.
    action: str

    def __init__(self, told: dict[str, Any], cache_seconds: float) -> None:
        self.told, self.cache_seconds = told, cache_seconds
        # A cache that was filled just before the change, and a little for a busy machine.
        self.pause = cache_seconds * 1.5
        self.values: set[str] = set()

    def run(
        self,
        places: Callable[[], Iterator[int]],
        moments: tuple[str, ...],
        callers: contextlib.AbstractContextManager[None],
    ) -> None:
        """Kill a rotation at each place, and what ends the secret before at the same place."""
        with callers:
            for moment in moments:
                for place in places():
                    killed = self.killed(place, moment, self.rotate)
                    self.hand_over()
                    self.look()
                    time.sleep(self.pause)
                    self.killed(place, moment, self.end_previous)
                    self.look()
                    self.told["rotations"] += 1
                    if place % LOOK_EVERY == 0 or not killed:
                        self.told["orphan_keys"] += self.orphans()
                    self.told["audit_rows_too_many"] += abs(self.audited() - self.told["rotations"])
                    if not killed:
                        break

    def killed(self, place: int, moment: str, work: Callable[[], None]) -> int:
        """Do something that is killed at its remote call number `place` and repeated; return how often."""
        import killing

        count = 0
        with killing.killer() as killer:
            killer.arm(place, moment)  # type: ignore[arg-type]
            while True:
                try:
                    work()
                    break
                except killing.Killed:
                    count += 1
                    with killer.paused():
                        self.look()
        self.told["killed"] += count
        return count

    def look(self) -> None:
        """Count a moment in which the secret that its user knows is not accepted."""
        try:
            accepts(self.kind, _file(self.kind).read_text(encoding="utf-8"))
        except Exception as error:  # noqa: BLE001 - any refusal counts
            self.told["moments_without_a_valid_key"] += 1
            self.told["why"].append(f"{type(error).__name__}: {error}")

    def known(self, value: str, secret: str) -> None:
        """Tell the secret's users the new one."""
        self.values.add(secret)
        part = _file(self.kind).with_suffix(".part")
        part.write_text(value, encoding="utf-8")
        part.rename(_file(self.kind))

    def audited(self) -> int:
        from showrunner.database import db

        with db.reading() as tx:
            return int(db.value(tx, "SELECT count(*) FROM audit.events WHERE action = :a", a=self.action))

    def rotate(self) -> None: ...

    def hand_over(self) -> None: ...

    def end_previous(self) -> None: ...

    def orphans(self) -> int:
        """Return how many secrets are valid although nobody knows them."""
        raise NotImplementedError


class IngestionKeys(Many):
    """Keys that a platform admin replaces with POST /auth/api-keys/{id}/rotate, and deletes."""

    kind, action = INGESTION, "rotate"

    def __init__(self, told: dict[str, Any], cache_seconds: float) -> None:
        super().__init__(told, cache_seconds)
        self.authorization = f"Bearer {_admin()}"
        made = self.api("POST", "", {"name": "Bench", "scopes": ["ingestion"]})
        self.id, self.before, self.next = made["api_key"]["id"], "", made
        self.attempt = uuid.uuid4().hex
        self.known(made["key"], made["key"])

    def api(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers["authorization"] = self.authorization
        status, answer = call("accounts", method, f"/api/v1/auth/api-keys{path}", body, **headers)
        if status not in (200, 201, 204, 404):
            raise Refused(f"{method} {path}: {status} {answer}")
        return answer

    def rotate(self) -> None:
        self.next = self.api("POST", f"/{self.id}/rotate", idempotency_key=self.attempt)

    def hand_over(self) -> None:
        self.before, self.id = self.id, self.next["api_key"]["id"]
        self.attempt = uuid.uuid4().hex
        self.known(self.next["key"], self.next["key"])

    def end_previous(self) -> None:
        """Delete it; a repeat finds it gone."""
        self.api("DELETE", f"/{self.before}")

    def orphans(self) -> int:
        from showrunner.database import db

        with db.reading() as tx:
            sql = "SELECT count(*) FROM access.api_keys WHERE scopes = '{ingestion}' AND id <> :id"
            return int(db.value(tx, sql, id=self.id))


class HubSecrets(Many):
    """Secrets that the nightly age replaces with the renewal of a lease, and the hub then verifies."""

    kind, action = HUB, "hub_secret_rotate"

    def __init__(self, told: dict[str, Any], cache_seconds: float) -> None:
        super().__init__(told, cache_seconds)
        from showrunner.feed import callbacks

        # What the hub has signed with the secret before arrives for as long as its cache.
        callbacks.OVERLAP_SECONDS = math.ceil(self.pause) + 2  # type: ignore[misc, assignment]
        key = IngestionKeys(told, cache_seconds).next["key"]
        secret = uuid.uuid4().hex
        wanted = {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": secret}
        status, made = call("feed", "POST", "/api/v1/subscriptions", wanted, x_api_key=key)
        if status != 201:
            raise Refused(f"subscribe: {status} {made}")
        (job,) = _take("HUB_QUEUE_URL")
        self.id, self.token = made["id"], str(job["token"])
        self.verify()

    def verify(self) -> None:
        """Answer our request as the hub does, and let the message about it be processed."""
        from functions.feed_intake import app as intake

        topic = TOPIC.replace("=", "%3D")
        query = f"hub.mode=subscribe&hub.topic={topic}&hub.challenge=1&hub.lease_seconds=432000"
        status, answer = call("websub", "GET", f"/webhook/{self.token}?{query}")
        if status != 200:
            raise Refused(f"verification: {status} {answer}")
        # From now on the hub signs with the newest secret.
        secret = self.secrets()[0]
        self.known(f"/webhook/{self.token} {secret}", secret)
        granted = _next("NOTIFICATIONS_QUEUE_URL", "verified")
        intake.handler({"Records": [{"messageId": "1", "body": json.dumps(granted)}]}, None)

    def rotate(self) -> None:
        """Run the schedule 90 days later, as often as it is killed: a minute later it runs again."""
        from functions.feed_schedule import app as schedule
        from showrunner.aws import dynamodb
        from showrunner.database import db

        with db.transaction() as tx:
            sql = """UPDATE feed.subscriptions
                        SET created_at = now() - interval '91 days', ask_at = now() - interval '1 second',
                            rotated_at = CASE WHEN previous_secret IS NULL THEN NULL ELSE rotated_at END"""
            db.run(tx, sql)
        dynamodb.remove("schedule#subscriptions", "next")
        schedule.handler({}, None)

    def hand_over(self) -> None:
        """Let the hub ask us to verify, and sign with the new secret from then on."""
        _take("HUB_QUEUE_URL")
        self.verify()

    def secrets(self) -> list[str]:
        """Return the secrets that the receiver accepts, the newest first."""
        from showrunner.feed import callbacks

        found = callbacks.find(self.token)
        return [each.decode() for each in callbacks.opened(found.sealed if found else (), self.token)]

    def orphans(self) -> int:
        """Count secrets that the receiver still accepts after the overlap."""
        time.sleep(math.ceil(self.pause) + 3)
        return len(self.secrets()) - 1


MAKERS: dict[str, type[Many]] = {INGESTION: IngestionKeys, HUB: HubSecrets}


def _admin() -> str:
    """Return an access token of a new platform admin."""
    from showrunner.access import passwords, sessions
    from showrunner.database import db
    from showrunner.store.accounts import members, users

    with db.transaction() as tx:
        email = f"{uuid.uuid4()}@example.com"
        user_id = users.add(tx, email, passwords.digest("Correct-horse-7"), "Ada", None, None)
        organisation = "INSERT INTO accounts.organisations (name) VALUES ('Bench keys') RETURNING id"
        members.add(tx, str(db.value(tx, organisation)), user_id, "user")
        sql = "UPDATE accounts.users SET platform_admin = true, verified_at = now() WHERE id = :id"
        db.run(tx, sql, id=user_id)
        return str(sessions.begin(tx, members.get(tx, user_id))["access_token"])


def _take(name: str) -> list[dict[str, Any]]:
    """Remove all messages from a queue and return them."""
    found: list[dict[str, Any]] = []
    while messages := _receive(name):
        found += messages
    return found


def _next(name: str, kind: str) -> dict[str, Any]:
    """Remove messages from a queue until one is of this kind, and return it. Callers add others meanwhile."""
    while True:
        for message in _receive(name):
            if message["kind"] == kind:
                return message


def _receive(name: str) -> list[dict[str, Any]]:
    from showrunner.aws import rpc

    place = {"QueueUrl": os.environ[name]}
    messages = rpc.call("sqs", "ReceiveMessage", place | {"MaxNumberOfMessages": 10}).get("Messages", [])
    if messages:
        entries = [{"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"]} for each in messages]
        rpc.call("sqs", "DeleteMessageBatch", place | {"Entries": entries})
    return [json.loads(message["Body"]) for message in messages]

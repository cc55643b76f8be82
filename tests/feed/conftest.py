"""Fixtures of the ingestion tests: queues in moto, and a world of them with an API key."""

import hashlib
import os
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from local.platforms import server as simulator
from showrunner import quotas
from showrunner.aws import dynamodb, rpc, sdk, ssm
from showrunner.database import db
from tests.conftest import forget_answers
from tests.feed.ingestion import CALLBACK, CHANNEL, KEY, OTHER, World, atom, notification, tombstone


@pytest.fixture(scope="session")
def ingestion_aws(aws: str) -> World:
    """Create the queues once per test process and set the environment of the ingestion functions."""
    names = ("NOTIFICATIONS_QUEUE_URL", "NOTIFICATIONS_DEAD_URL", "HUB_QUEUE_URL", "POLL_QUEUE_URL")
    queues = {name: rpc.call("sqs", "CreateQueue", {"QueueName": name.lower()})["QueueUrl"] for name in names}
    os.environ.update(
        queues,
        HUB_URL="https://pubsubhubbub.appspot.com/subscribe",
        TOPIC_BASE_URL="https://www.youtube.com",
        FEED_BASE_URL="http://127.0.0.1:9",
        YOUTUBE_BASE_URL="http://127.0.0.1:9",
        CALLBACK_URLS="https://ingest.example.com/webhook,http://127.0.0.1:8300/",
        HTTP_HOSTS="127.0.0.1,localhost",
    )
    return World(queues)


@pytest.fixture
def world(ingestion_aws: World, tx: Any) -> World:
    """Give empty queues and an API key (KEY); the database is rolled back after the test."""
    organisation = db.value(tx, "INSERT INTO accounts.organisations (name) VALUES ('Test') RETURNING id")
    db.run(
        tx,
        """
        INSERT INTO access.api_keys (organisation_id, created_by, name, prefix, key_sha256, scopes)
        VALUES (:o, 'test', 'test', 'sk_', :h, '{ingestion}')
        """,
        o=organisation,
        h=hashlib.sha256(KEY.encode()).hexdigest(),
    )
    for name in ingestion_aws.queues:
        ingestion_aws.take(name)
    return ingestion_aws


@pytest.fixture
def own_database(ingestion_aws, postgres, tmp_path, monkeypatch):
    """Start another server, because what a killed process committed cannot be rolled back.

    Returns a connection.
    """
    from functions.migrate import app as migrate
    from local import postgres as server
    from tests.conftest import free_port, put_secrets

    with server.server(tmp_path, free_port(), throwaway=True) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        put_secrets(running.secrets)
        migrate.handler({}, None)
        connection = migrate.connect()
        yield connection
        connection.close()
    put_secrets(postgres.secrets)


@pytest.fixture
def youtube(world, monkeypatch):
    from showrunner.feed import polling

    known = simulator.World(key="local")
    known.channels = {
        CHANNEL: {"title": "Channel", "handle": "channelname", "user": "olduser"},
        OTHER: {"title": "Other", "handle": "Ünï.code"},
    }
    serving = simulator.server(known, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{serving.server_port}"
    monkeypatch.setenv("FEED_BASE_URL", address)
    monkeypatch.setenv("YOUTUBE_BASE_URL", address)
    sdk.client("ssm").put_parameter(
        Name="/showrunner/test/youtube/api_key", Value="local", Type="SecureString", Overwrite=True
    )
    ssm.forget()
    polling.feeds.cache_clear()
    polling._youtube.cache_clear()
    dynamodb.remove(f"quota#youtube#{quotas.pacific_day(datetime.now(UTC))}", "general")
    dynamodb.remove("breaker#youtube", "state")
    forget_answers()
    yield known
    polling.feeds.cache_clear()
    polling._youtube.cache_clear()
    serving.shutdown()
    serving.server_close()


@pytest.fixture
def followed(world, youtube, tx):
    world.api(
        "POST", "/api/v1/subscriptions", {"channel_id": CHANNEL, "callback_url": CALLBACK, "secret": None}
    )
    db.run(tx, "UPDATE feed.polls SET poll_at = now() - interval '1 second'")
    return CHANNEL


@pytest.fixture
def filled(world):
    """Deliver thirty videos of two channels, rename one and delete one."""
    messages = []
    for number in range(30):
        channel, name = (CHANNEL, "Channel a") if number % 3 else (OTHER, "Channel b")
        animal, place = "cat_1" if number % 10 == 0 else "dog", " 東京の夜" if number % 15 == 0 else ""
        title = f"Video {number:02d} {animal}{place}"
        day = f"2026-11-{number % 20 + 1:02d}T00:00:00Z"
        messages.append(
            notification(
                atom(
                    f"vid{number:08d}",
                    title,
                    channel,
                    f"2026-11-20T08:{number:02d}:00Z",
                    published=day,
                    name=name,
                ),
                channel=channel,
            )
        )
    messages.append(
        notification(
            atom(
                "vid00000001",
                "Renamed",
                updated="2026-11-20T10:00:00Z",
                published="2026-11-02T00:00:00Z",
                name="Channel a",
            )
        )
    )
    messages.append(notification(tombstone("vid00000002")))
    messages += [notification(b"<broken"), notification(b"<broken too")]
    world.notify(*messages)
    return world

"""Fixtures of the ingestion tests: queues in moto, and a world of them with an API key."""

import hashlib
import os
from typing import Any

import pytest

from showrunner import db, signed
from tests.feed.ingestion import KEY, World


@pytest.fixture(scope="session")
def ingestion_aws(aws: str) -> World:
    """Create the queues once per test process and set the environment of the ingestion functions."""
    names = ("NOTIFICATIONS_QUEUE_URL", "NOTIFICATIONS_DEAD_URL", "HUB_QUEUE_URL", "POLL_QUEUE_URL")
    queues = {name: signed.call("sqs", "CreateQueue", {"QueueName": name.lower()})["QueueUrl"] for name in names}
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
        "INSERT INTO access.api_keys (organisation_id, created_by, name, prefix, key_sha256, scopes) VALUES (:o, 'test', 'test', 'sk_', :h, '{ingestion}')",
        o=organisation,
        h=hashlib.sha256(KEY.encode()).hexdigest(),
    )
    for name in ingestion_aws.queues:
        ingestion_aws.take(name)
    return ingestion_aws

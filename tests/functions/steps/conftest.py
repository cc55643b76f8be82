"""Fixtures of the production steps' tests: the platforms over HTTP, a queued video, and the event bus."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from showrunner import breakers
from showrunner.aws import sdk, ssm
from showrunner.database import db
from tests.functions.steps.stand_ins import Platforms, running


@pytest.fixture(scope="session")
def running_platforms() -> Iterator[tuple[Platforms, dict[str, str]]]:
    """The stand-ins, each on a port of its own, and the settings that point to them."""
    with running() as started:
        yield started


@pytest.fixture
def platforms(
    running_platforms: tuple[Platforms, dict[str, str]], aws: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platforms]:
    stand_ins, addresses = running_platforms
    settings = {
        **addresses,
        "OPENAI_MODEL": "gpt-6-luna",
        "OPENAI_FALLBACK_MODEL": " ",
        "ELEVENLABS_MODEL": "eleven_multilingual_v2",
        "RENDER_PLATFORM": "auto",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("openai", "elevenlabs", "pexels", "pixabay", "commons", "nasa"):
        # An earlier test's failures may have opened the breaker, which outlives the test.
        breakers.record(name, answered=True)
    for name in ("openai", "elevenlabs"):
        sdk.client("ssm").put_parameter(
            Name=f"/showrunner/test/{name}/api_key",
            Value=f"key-of-{name}",
            Type="SecureString",
            Overwrite=True,
        )
    ssm.forget()
    stand_ins.forget()
    yield stand_ins
    ssm.forget()


@pytest.fixture
def video(tx: Any) -> Callable[..., dict[str, Any]]:
    """Return a function that adds a queued video with its channel, and returns the state machine's input."""

    def add(settings: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        organisation, channel, video_id = (str(uuid.uuid4()) for _ in range(3))
        request = {
            "topic": "Sea cables",
            "style": "educational",
            "length_seconds": 45,
            "voice": "female1",
            "aspect": ["9:16"],
            "assets": [],
            "priority": 1,
            **changes,
        }
        db.run(
            tx,
            "INSERT INTO accounts.organisations (id, name) VALUES (:id, 'Deep Sea Media')",
            id=organisation,
        )
        db.run(
            tx,
            "INSERT INTO studio.channels (id, organisation_id, name, settings) "
            "VALUES (:id, :organisation, 'Depths', :settings)",
            id=channel,
            organisation=organisation,
            settings=json.dumps(settings or {"language": "en"}),
        )
        db.run(
            tx,
            "INSERT INTO studio.videos (id, organisation_id, channel_id, request) "
            "VALUES (:id, :organisation, :channel, :request)",
            id=video_id,
            organisation=organisation,
            channel=channel,
            request=json.dumps(request),
        )
        return {"video_id": video_id, "organisation_id": organisation, "attempt": 1}

    return add


@pytest.fixture
def without_pexels() -> Iterator[None]:
    yield
    sdk.client("ssm").delete_parameter(Name="/showrunner/test/pexels/api_key")
    ssm.forget()


@pytest.fixture
def bus(aws: str) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that reads the events announced since its last call, through a rule of the bus."""
    sqs, events = sdk.client("sqs"), sdk.client("events")
    url = sqs.create_queue(QueueName=f"announced-{uuid.uuid4()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(
        Name="announced",
        EventPattern=json.dumps({"source": ["showrunner"], "detail-type": [{"prefix": "video."}]}),
    )
    events.put_targets(Rule="announced", Targets=[{"Id": "queue", "Arn": arn}])

    def take() -> list[dict[str, Any]]:
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    yield take
    events.remove_targets(Rule="announced", Ids=["queue"])
    events.delete_rule(Name="announced")

"""The sweep function: videos that were never started or whose execution is lost."""

import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from functions.sweep import app
from showrunner.aws import dynamodb, schedules, sdk
from showrunner.database import db
from showrunner.production.costs import Charge
from showrunner.videos import executions, receipts


@pytest.fixture
def machine(aws: str, monkeypatch: pytest.MonkeyPatch) -> str:
    definition = json.dumps(
        {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
    )
    client = sdk.client("stepfunctions")
    arn = client.create_state_machine(
        name=f"production-{uuid.uuid4()}",
        definition=definition,
        roleArn="arn:aws:iam::123456789012:role/machine",
    )["stateMachineArn"]
    monkeypatch.setenv("PRODUCTION_MACHINE_ARN", arn)
    return str(arn)


@pytest.fixture(autouse=True)
def no_schedule_record(aws: str) -> None:
    """Forget the schedule's record, as in a new environment."""
    for sk in ("next", "expected"):
        dynamodb.remove("schedule#sweep", sk)


@pytest.fixture
def announced(aws: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[dict[str, Any]]]:
    """Return a function that reads the events of the test's own bus since its last call."""
    name = f"bus-{uuid.uuid4()}"
    events, sqs = sdk.client("events"), sdk.client("sqs")
    events.create_event_bus(Name=name)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventBusName=name, EventPattern='{"source": ["showrunner"]}')
    events.put_targets(Rule="all", EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])
    monkeypatch.setenv("EVENT_BUS_NAME", name)
    return lambda: [
        json.loads(each["Body"])
        for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    ]


@pytest.fixture
def video(tx: Any) -> Callable[..., str]:
    """Return a function that adds a video with a status, unchanged for an hour."""

    def add(status: str, **columns: str) -> str:
        organisation, channel, video_id = (str(uuid.uuid4()) for _ in range(3))
        db.run(tx, "INSERT INTO accounts.organisations (id, name) VALUES (:id, 'o')", id=organisation)
        db.run(
            tx,
            "INSERT INTO studio.channels (id, organisation_id, name) VALUES (:id, :organisation, 'c')",
            id=channel,
            organisation=organisation,
        )
        db.run(
            tx,
            """
            INSERT INTO studio.videos (id, organisation_id, channel_id, request, status, updated_at,
                                       deadline_at, cancel_requested_at, current_step)
            VALUES (:id, :organisation, :channel, '{}', :status, now() - interval '1 hour',
                    now() + :deadline::interval, now(), 'voice')
            """,
            id=video_id,
            organisation=organisation,
            channel=channel,
            status=status,
            deadline=columns.get("deadline", "1 hour"),
        )
        return video_id

    return add


def status(tx: Any, video_id: str) -> str:
    return str(db.value(tx, "SELECT status FROM studio.videos WHERE id = :id", id=video_id))


def organisation(tx: Any, video_id: str) -> str:
    return str(db.value(tx, "SELECT organisation_id FROM studio.videos WHERE id = :id", id=video_id))


def test_a_video_that_was_never_started_is_started_under_its_own_name(
    tx: Any, machine: str, video: Any
) -> None:
    video_id = video("queued")

    app.handler({}, None)

    assert executions.status(video_id, 1) == "RUNNING"
    app.handler({}, None)  # a second sweep finds the same execution
    started = sdk.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert [each["name"] for each in started if video_id in each["name"]] == [f"{video_id}-1"]


def test_a_video_whose_execution_is_lost_fails_and_can_be_retried(tx: Any, machine: str, video: Any) -> None:
    video_id = video("processing")

    app.handler({}, None)

    error = db.value(tx, "SELECT error FROM studio.videos WHERE id = :id", id=video_id)
    assert (status(tx, video_id), error["code"], error["step"]) == ("failed", "LOST", "voice")
    assert "Retry" in error["message"]


def test_a_failure_found_by_the_sweeper_is_announced_with_its_costs(
    tx: Any, machine: str, video: Any, announced: Any
) -> None:
    video_id = video("processing")
    folder = f"organisations/{organisation(tx, video_id)}/videos/{video_id}"
    paid = Charge(
        charge="voice:1",
        step="voice",
        provider="elevenlabs",
        item="flash",
        quantity=Decimal(100),
        unit="credit",
        amount_usd=Decimal("0.01"),
    )
    receipts.add(folder, paid)

    app.handler({}, None)

    assert [
        (each["detail-type"], each["detail"]["video_id"], each["detail"]["error"]["code"])
        for each in announced()
    ] == [("video.failed", video_id, "LOST")]
    assert (
        db.value(tx, "SELECT amount_usd::text FROM ledger.costs WHERE video_id = :id", id=video_id)
        == "0.01000000"
    )


def test_a_video_that_aws_refuses_stops_no_other(
    tx: Any, machine: str, video: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, other = video("queued"), video("queued")
    start = executions.start
    monkeypatch.setattr(
        executions, "start", lambda video_id, *rest: start("a:b" if video_id == refused else video_id, *rest)
    )  # AWS refuses this name

    app.handler({}, None)

    assert (executions.status(refused, 1), executions.status(other, 1)) == (None, "RUNNING")
    monkeypatch.undo()
    monkeypatch.setenv("PRODUCTION_MACHINE_ARN", machine)
    app.handler({}, None)
    assert executions.status(refused, 1) == "RUNNING", "the next minute tries again"


def test_the_database_is_not_queried_while_no_video_is_open(
    tx: Any, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.run(tx, "UPDATE studio.videos SET status = 'completed'")
    app.handler({}, None)

    monkeypatch.setattr(app, "_sweep", lambda: pytest.fail("asked"))
    assert app.handler({}, None) == {}


def test_an_open_video_keeps_the_sweeper_running(tx: Any, machine: str, video: Any) -> None:
    executions.start(video("processing"), str(uuid.uuid4()), 1)
    for _ in range(3):
        assert app.handler({}, None) != {}


def test_a_new_video_wakes_the_sweeper(
    tx: Any, machine: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
    db.run(tx, "UPDATE studio.videos SET status = 'completed'")
    app.handler({}, None)
    assert app.handler({}, None) == {}

    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]
    assert client("POST", "/api/v1/videos/generate", {"channel_id": channel, "topic": "Bees"}).status == 202

    assert app.handler({}, None) != {}


def test_a_video_can_be_ordered_while_the_state_table_is_unreachable(
    tx: Any, machine: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedules, "_words", {})  # an execution environment that has marked no work yet
    monkeypatch.setenv("STATE_TABLE", "not-there")
    channel = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"}).body["channel"]["id"]

    assert client("POST", "/api/v1/videos/generate", {"channel_id": channel, "topic": "Bees"}).status == 202


def test_a_running_video_is_left_alone_until_its_deadline(tx: Any, machine: str, video: Any) -> None:
    waiting, overdue = video("processing"), video("processing", deadline="-1 minute")
    for video_id in (waiting, overdue):
        executions.start(video_id, organisation(tx, video_id), 1)

    app.handler({}, None)

    assert (status(tx, waiting), executions.status(waiting, 1)) == ("processing", "RUNNING")
    assert executions.status(overdue, 1) == "ABORTED"  # its event then invokes the finish function


def test_a_cancelled_video_that_still_runs_is_stopped_again(tx: Any, machine: str, video: Any) -> None:
    video_id = video("cancelled")
    executions.start(video_id, organisation(tx, video_id), 1)

    assert app.handler({}, None)["stopped"] >= 1
    assert executions.status(video_id, 1) == "ABORTED"


def test_an_executions_name_identifies_its_video() -> None:
    video_id = str(uuid.uuid4())

    assert executions.parse_name(executions.name(video_id, 12)) == (video_id, 12)
    assert executions.parse_name(f"arn:aws:states:us-east-1:1:execution:production:{video_id}-3") == (
        video_id,
        3,
    )

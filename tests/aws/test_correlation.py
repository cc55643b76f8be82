"""The request's id goes with its work: into messages, events, executions and log lines."""

import json
import logging
import uuid
from types import SimpleNamespace
from typing import Literal, NamedTuple

import pytest

from showrunner import telemetry
from showrunner.aws import correlation, events, queues, rpc, sdk
from tests.contract.template import ROOT

pytestmark = pytest.mark.usefixtures("aws")
MACHINES = sorted((ROOT / "statemachines").glob("*.asl.json"))


class Task(NamedTuple):
    number: int
    kind: Literal["task"] = "task"


@pytest.fixture
def lines():
    """Collect what the functions' logger writes, as the JSON of its lines."""
    found: list[dict] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(telemetry.logger.registered_formatter.format(record)))

    handler = Collector()
    telemetry.logger.addHandler(handler)
    yield found
    telemetry.logger.removeHandler(handler)


def queue() -> str:
    return rpc.call("sqs", "CreateQueue", {"QueueName": f"correlation-{uuid.uuid4()}"})["QueueUrl"]


def receive(url: str) -> str:
    (message,) = rpc.call("sqs", "ReceiveMessage", {"QueueUrl": url})["Messages"]
    return message["Body"]


def batch(*bodies: str) -> dict:
    return {"Records": [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


def test_a_message_carries_the_request_to_the_messages_and_log_lines_of_its_work(lines):
    first, second = queue(), queue()
    with correlation.of_request("request-1"):
        queues.send(first, Task(1))
    body = receive(first)

    def work(task: Task) -> None:
        telemetry.logger.info("working")
        queues.send(second, Task(task.number + 1))

    queues.process(batch(body), [Task], work)

    assert json.loads(receive(second)) == {"number": 2, "kind": "task", "request_id": "request-1"}
    assert [line["request_id"] for line in lines if line["message"] == "working"] == ["request-1"]
    assert correlation.current() == ""


def test_each_message_of_a_batch_keeps_its_own_request(lines):
    bodies = [queues.encode(Task(1))]
    for name in ("request-1", "request-2"):
        with correlation.of_request(name):
            bodies.append(queues.encode(Task(1)))

    def fail(task: Task) -> None:
        raise ZeroDivisionError

    queues.process(batch(*bodies), [Task], fail)

    failures = [line["request_id"] for line in lines if line["message"] == "a message failed"]
    assert failures == ["", "request-1", "request-2"]


def test_an_event_of_the_bus_carries_the_request(monkeypatch):
    sqs, bus = sdk.client("sqs"), sdk.client("events")
    url = queue()
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name="correlation", EventPattern=json.dumps({"source": ["showrunner"]}))
    bus.put_targets(Rule="correlation", Targets=[{"Id": "queue", "Arn": arn}])
    try:
        with correlation.of_request("request-1"):
            events.put([Task(1)])
        event = json.loads(receive(url))
    finally:
        bus.remove_targets(Rule="correlation", Ids=["queue"])
        bus.delete_rule(Name="correlation")

    assert event["detail"]["request_id"] == "request-1"
    assert events.read(Task, event) == Task(1)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"request_id": "request-1"}, "request-1"),
        ({"detail": {"request_id": "request-1"}}, "request-1"),
        ({"detail": {"executionArn": "arn"}}, "invocation-1"),
        ({}, "invocation-1"),
    ],
    ids=["a step of a machine", "an event of ours", "an event of AWS", "a schedule"],
)
def test_every_log_line_of_a_function_has_the_requests_id(lines, event, expected):
    @telemetry.entrypoint
    def handler(event: dict, context: object) -> None:
        logging.getLogger("showrunner").warning("inside")

    handler(event, SimpleNamespace(aws_request_id="invocation-1", function_name="f"))

    (line,) = [line for line in lines if line["message"] == "inside"]
    assert (line["request_id"], line["invocation_id"]) == (expected, "invocation-1")


@pytest.mark.parametrize("path", MACHINES, ids=lambda path: path.name)
def test_every_step_of_a_machine_is_given_the_requests_id(path):
    for task in tasks(json.loads(path.read_text(encoding="utf-8"))["States"]):
        arguments = task["Arguments"]
        if "lambda:invoke" in task["Resource"]:
            payload = arguments["Payload"]
            assert isinstance(payload, str) or "request_id" in payload, task
        if "batch:submitJob" in task["Resource"]:
            assert [each["Name"] for each in arguments["ContainerOverrides"]["Environment"]] == ["REQUEST_ID"]


def tasks(states: dict) -> list[dict]:
    found = []
    for state in states.values():
        if state["Type"] == "Task":
            found.append(state)
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            found += tasks(inner["States"]) if inner else []
    return found

"""Messages are read by their class, and each message of a batch has its own outcome."""

import json
import logging
import uuid
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import pytest

from showrunner.aws import queues, rpc
from showrunner.errors import DatabaseUnavailable, InvalidRequest, PlatformUnavailable

pytestmark = pytest.mark.usefixtures("aws")


class Part(NamedTuple):
    name: str
    at: datetime


class Sample(NamedTuple):
    number: int
    at: datetime
    parts: list[Part]
    note: str | None = None
    kind: Literal["sample"] = "sample"


class Other(NamedTuple):
    number: int
    kind: Literal["other"] = "other"


AT = datetime(2026, 11, 28, 12, 30, 1, 250_000, tzinfo=UTC)
SAMPLE = Sample(7, AT, [Part("ü", AT)], "x")


@pytest.fixture
def dead_letters(aws):
    return rpc.call("sqs", "CreateQueue", {"QueueName": f"queues-dead-{uuid.uuid4()}"})["QueueUrl"]


def received(url: str) -> list[str]:
    found = rpc.call(
        "sqs", "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
    )
    return sorted(each["Body"] for each in found.get("Messages", []))


def event(*bodies: str, attempts: int = 1) -> dict:
    attributes = {"ApproximateReceiveCount": str(attempts)}
    return {
        "Records": [
            {"messageId": str(number), "body": body, "attributes": attributes}
            for number, body in enumerate(bodies)
        ]
    }


def failed(answer: dict) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_a_message_is_read_as_it_was_sent():
    assert queues.decode(queues.encode(SAMPLE), (Other, Sample)) == SAMPLE


def test_a_receiver_ignores_fields_of_a_newer_sender_and_fills_those_of_an_older_one():
    older = json.loads(queues.encode(SAMPLE))
    del older["note"]

    assert queues.decode(json.dumps(older | {"added_later": 1}), (Sample,)) == SAMPLE._replace(note=None)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no",
        "[]",
        "null",
        '{"kind": "nothing"}',
        '{"number": 1}',
        '{"kind": "sample"}',
        '{"kind": "other", "number": "many"}',
        "[" * 100_000,
    ],
)
def test_a_body_that_no_class_can_hold_is_refused(body):
    with pytest.raises(InvalidRequest):
        queues.decode(body, (Sample, Other))


def test_sent_messages_arrive_and_more_than_ten_take_several_calls(aws):
    url = rpc.call("sqs", "CreateQueue", {"QueueName": f"queues-sent-{uuid.uuid4()}"})["QueueUrl"]
    assert queues.send_all(url, [Other(number) for number in range(25)]) == 0
    queues.send(url, Other(25))

    numbers: list[int] = []
    while found := rpc.call("sqs", "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 10}).get(
        "Messages"
    ):
        numbers += [queues.decode(each["Body"], (Other,)).number for each in found]
    assert sorted(numbers) == list(range(26))


def test_one_failing_message_is_delivered_again_and_the_others_are_not(dead_letters):
    done = []

    def work(message: Other) -> None:
        if message.number == 1:
            raise PlatformUnavailable("away")
        done.append(message.number)

    answer = queues.process(
        event(*(queues.encode(Other(number)) for number in range(3))), (Other,), work, dead_letters
    )

    assert (failed(answer), done, received(dead_letters)) == (["1"], [0, 2], [])


def test_messages_that_can_never_be_processed_are_set_aside_at_once(dead_letters):
    def work(message: Other) -> None:
        if message.number:
            raise InvalidRequest("no")

    bad = queues.encode(Other(1))
    answer = queues.process(event("no JSON", bad, queues.encode(Other(0))), (Other,), work, dead_letters)

    assert (failed(answer), received(dead_letters)) == ([], sorted(["no JSON", bad]))


@pytest.mark.parametrize(
    ("attempts", "again"), [(1, True), (queues.ATTEMPTS - 1, True), (queues.ATTEMPTS, False)]
)
def test_an_unforeseen_error_is_tried_again_before_the_message_is_set_aside(dead_letters, attempts, again):
    def work(_: Other) -> None:
        raise KeyError("what")

    body = queues.encode(Other(1))
    answer = queues.process(event(body, attempts=attempts), (Other,), work, dead_letters)

    assert (failed(answer), received(dead_letters)) == ((["0"], []) if again else ([], [body]))


def test_an_outage_sets_no_message_aside_and_fails_the_function_if_nothing_was_done(dead_letters):
    def away(_: Other) -> None:
        raise DatabaseUnavailable("asleep")

    bodies = [queues.encode(Other(1)), queues.encode(Other(2))]
    with pytest.raises(DatabaseUnavailable):
        queues.process(event(*bodies, attempts=99), (Other,), away, dead_letters)

    def half(message: Other) -> None:
        if message.number == 2:
            away(message)

    assert failed(queues.process(event(*bodies, attempts=99), (Other,), half, dead_letters)) == ["1"]
    assert received(dead_letters) == []


def test_without_a_dead_letter_queue_of_ours_the_queues_own_rule_applies(caplog):
    with caplog.at_level(logging.ERROR, logger="showrunner"):
        answer = queues.process(event("no JSON", attempts=99), (Other,), lambda _: None)

    assert failed(answer) == ["0"]

"""Send SQS messages and process batches of them.

No other module knows about partial batches or poison messages.

A message is a NamedTuple whose last field `kind` has a default: its name in the queue. Names and fields of a
class are the contract between its sender and its receiver, which import the same class. A receiver ignores
fields that it doesn't know, and a new field has a default, so both ends may run different releases for a
while.

Powertools' BatchProcessor would do half of this. Its import takes 200 ms of CPU, more than all else that a
receiver imports.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, Protocol

from showrunner.aws import correlation, rpc
from showrunner.errors import DatabaseUnavailable, InvalidRequest, ServiceUnavailable

# SendMessageBatch takes this many messages.
BATCH = 10
# An error that nobody foresaw may be a passing one: the queue delivers the message this often before it is
# set aside.
ATTEMPTS = 3
# What is away for all messages. The queue keeps them; waiting uses up none of their attempts.
OUTAGES = (DatabaseUnavailable, ServiceUnavailable, rpc.AwsError)
_encode = json.JSONEncoder(separators=(",", ":"), default=datetime.isoformat).encode


class Message(Protocol):
    """A NamedTuple with the field `kind`."""

    @property
    def kind(self) -> str: ...
    def _asdict(self) -> dict[str, Any]: ...


def send(queue_url: str, message: Message, delay_seconds: int = 0) -> None:
    """Send one message, which arrives after `delay_seconds` (900 at most).

    Raises AwsError or ServiceUnavailable.
    """
    delay = {"DelaySeconds": delay_seconds} if delay_seconds else {}
    rpc.call("sqs", "SendMessage", {"QueueUrl": queue_url, "MessageBody": encode(message), **delay})


def send_all(queue_url: str, messages: Sequence[Message]) -> int:
    """Send messages, ten a call. Returns how many SQS refused. Raises AwsError or ServiceUnavailable."""
    refused = 0
    for start in range(0, len(messages), BATCH):
        bodies = [encode(each) for each in messages[start : start + BATCH]]
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
        refused += len(
            rpc.call("sqs", "SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries}).get("Failed", [])
        )
    if refused:
        _logger().error("messages were refused", extra={"queue": queue_url, "count": refused})
    return refused


def encode(message: Message) -> str:
    """Write a message as JSON: times in ISO 8601, nested NamedTuples as objects, and the request's id."""
    request_id = correlation.current()
    return _encode(_plain(message) | ({"request_id": request_id} if request_id else {}))


def _plain(value: Any) -> Any:
    if hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def decode(body: str, classes: Sequence[type]) -> Any:
    """Read a message as the class whose `kind` it names. With one class only, `kind` may be missing.

    Raises InvalidRequest for anything that none of the classes can hold.
    """
    try:
        values = json.loads(body)
        only = classes[0]._field_defaults["kind"] if len(classes) == 1 else None  # type: ignore[attr-defined]
        named = values.get("kind", only)
    except (ValueError, AttributeError, RecursionError) as error:
        raise InvalidRequest("The message is no JSON object.") from error
    for each in classes:
        if each._field_defaults["kind"] == named:  # type: ignore[attr-defined]
            return _read(each, values)
    raise InvalidRequest(f"No function here takes messages of kind {str(named)[:50]!r}.")


def _read(message: type, values: dict[str, Any]) -> Any:
    from pydantic import ValidationError

    try:
        fields: tuple[str, ...] = message._fields  # type: ignore[attr-defined]
        return _reader(message).validate_python({name: values[name] for name in fields if name in values})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}"
            for each in error.errors(include_url=False)[:5]
        )
        raise InvalidRequest(f"The message can't be read: {faults[:500]}.") from error


@cache
def _reader(message: type) -> Any:
    from pydantic import TypeAdapter  # senders need none of it

    return TypeAdapter(message)


# ------------------------------------------------------------------------------------------------ Batches

type Outcome = Exception | None


class Received(NamedTuple):
    """A message, and the id of the request that caused it; empty for those of a schedule."""

    message: Any
    request_id: str


def process(
    event: dict[str, Any],
    classes: Sequence[type],
    work: Callable[[Any], None],
    dead_letter_url: str | None = None,
) -> dict[str, Any]:
    """Process an SQS event with one call of `work` a message, as `process_together` does."""
    return _process(
        event, classes, lambda received: [_attempt_for(work, each) for each in received], dead_letter_url
    )


def _attempt_for(work: Callable[[Any], None], received: "Received") -> Outcome:
    """Call `work` for a message. What it logs and sends carries the message's request id."""
    with correlation.of_request(received.request_id):
        return attempt(work, received.message)


def attempt[*Arguments](work: Callable[[*Arguments], object], *arguments: *Arguments) -> Outcome:
    """Call `work`. Returns what it raised, or None: one message must not fail the others of its batch."""
    try:
        work(*arguments)
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes into the message's outcome and the log
        return error
    return None


def process_together(
    event: dict[str, Any],
    classes: Sequence[type],
    work: Callable[[list[Any]], Iterable[Outcome]],
    dead_letter_url: str | None = None,
) -> dict[str, Any]:
    """Process an SQS event with one call of `work` for all messages.

    Returns the response with the ids that SQS delivers again.

    `work` returns each message's outcome. What will fail the same way each time (InvalidRequest, or an
    unforeseen error for the third time) is copied to the dead-letter queue at once, where there is one: an
    outage may use up the attempts that SQS counts. Without a dead-letter queue of ours SQS's own rule
    applies. Raises the error if an outage failed every message.
    """
    return _process(
        event, classes, lambda received: work([each.message for each in received]), dead_letter_url
    )


def _process(
    event: dict[str, Any],
    classes: Sequence[type],
    work: "Callable[[list[Received]], Iterable[Outcome]]",
    dead_letter_url: str | None,
) -> dict[str, Any]:
    records = event["Records"]
    messages, outcomes = _decode_all(records, classes)
    for number, outcome in zip(messages, work(list(messages.values())) if messages else [], strict=True):
        outcomes[number] = outcome
    if records and all(isinstance(outcomes[number], OUTAGES) for number in range(len(records))):
        raise outcomes[0]  # type: ignore[misc]
    failed = []
    for number, record in enumerate(records):
        error = outcomes[number]
        if error is None:
            continue
        _logger().error(
            "a message failed",
            exc_info=error,
            extra={
                "message_id": record["messageId"],
                "error": type(error).__name__,
                **({"request_id": messages[number].request_id} if number in messages else {}),
            },
        )
        if dead_letter_url is not None and _is_poison(error, record):
            rpc.call("sqs", "SendMessage", {"QueueUrl": dead_letter_url, "MessageBody": record["body"]})
        else:
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def _decode_all(
    records: list[dict[str, Any]], classes: Sequence[type]
) -> tuple[dict[int, Received], dict[int, Outcome]]:
    """Return ({number: message}, {number: why it can't be read})."""
    messages: dict[int, Received] = {}
    outcomes: dict[int, Outcome] = {}
    for number, record in enumerate(records):
        try:
            message = decode(record["body"], classes)
            messages[number] = Received(message, str(json.loads(record["body"]).get("request_id", "")))
        except InvalidRequest as error:
            outcomes[number] = error
    return messages, outcomes


def _is_poison(error: Exception, record: dict[str, Any]) -> bool:
    """Tell whether a message would fail the same way again."""
    if isinstance(error, OUTAGES):
        return False
    received = int(record.get("attributes", {}).get("ApproximateReceiveCount", 1))
    return isinstance(error, InvalidRequest) or received >= ATTEMPTS


def _logger() -> Any:
    """Return telemetry's logger by its name: telemetry imports this package."""
    import logging

    return logging.getLogger("showrunner")

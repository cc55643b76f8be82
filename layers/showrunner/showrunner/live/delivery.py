"""Deliver each event about a subject once and in order."""

import time
from datetime import datetime
from typing import NamedTuple

from showrunner.aws import dynamodb

# Longer than any retry of an event.
REMEMBERED_SECONDS = 3600
# The end of a video has the database's time, the progress of its render S3's. The clocks differ by less than
# a second, and nobody retries a failed video faster than that.
CLOCKS_US = 2_000_000


class Delivery(NamedTuple):
    """An event about a subject (for example a video). Its time orders the events of that subject."""

    organisation_id: str
    subject: str
    event_id: str
    at_us: int


def delivery(organisation_id: str, subject: str, event_id: str, at: str, *, final: bool = False) -> Delivery:
    """Return the delivery of an event.

    at: in ISO 8601. final: the event ends the subject, so it wins over events with a slightly later time.
    """
    return Delivery(
        organisation_id,
        subject,
        event_id,
        int(datetime.fromisoformat(at).timestamp() * 1_000_000) + CLOCKS_US * final,
    )


def claim(event: Delivery) -> bool:
    """Claim the event right before it is sent. Returns False if it is a repeat or too late.

    A claimed event that was not recorded as sent can be claimed again: its run may have died.
    """
    newer = "event_id <> :event_id AND at_us <= :at_us"
    unsent = "event_id = :event_id AND told = :no"
    parameters: dict[str, dynamodb.Value] = {"event_id": event.event_id, "at_us": event.at_us, "no": False}
    return _save(event, f"attribute_not_exists(pk) OR ({newer}) OR ({unsent})", parameters, sent=False)


def record(event: Delivery) -> None:
    """Record that the event was sent."""
    _save(event, "event_id = :event_id", {"event_id": event.event_id}, sent=True)


def _save(event: Delivery, condition: str, parameters: dict[str, dynamodb.Value], *, sent: bool) -> bool:
    values: dict[str, dynamodb.Value] = {"event_id": event.event_id, "at_us": event.at_us, "told": sent}
    return dynamodb.put_if(
        condition,
        parameters,
        f"live#last#{event.organisation_id}#{event.subject}",
        "event",
        values,
        time.time() + REMEMBERED_SECONDS,
    )

"""Deliver each event about a subject once and in order."""

import time
from datetime import datetime
from typing import NamedTuple

from showrunner.aws import dynamodb

# Longer than any retry of an event.
REMEMBERED_SECONDS = 3600
# The database's clock tells when a video ended, S3's when its render last spoke. Between computers in the
# cloud less than a second lies; a person who retries a video that failed isn't faster either.
CLOCKS_US = 2_000_000


# ------------------------------------------------------------------------------------------------ What was
# told


class Delivery(NamedTuple):
    """Name one event about a subject (a video, for example) and its time, which orders the events of that subject."""

    organisation_id: str
    subject: str
    event_id: str
    at_us: int


def delivery(organisation_id: str, subject: str, event_id: str, at: str, *, final: bool = False) -> Delivery:
    """`at` in ISO 8601, as events have it; a `final` event stands behind what seems to have come a little later."""
    return Delivery(
        organisation_id,
        subject,
        event_id,
        int(datetime.fromisoformat(at).timestamp() * 1_000_000) + CLOCKS_US * final,
    )


def claim(event: Delivery) -> bool:
    """Right before it is told: whether that is news.

    Events come more than once and out of their order: what is the last of its subject, or was before
    it, is none, unless the run that claimed it died before it had told."""
    news = "event_id <> :event_id AND at_us <= :at_us"
    untold = "event_id = :event_id AND told = :no"
    parameters: dict[str, dynamodb.Value] = {"event_id": event.event_id, "at_us": event.at_us, "no": False}
    return _save(event, f"attribute_not_exists(pk) OR ({news}) OR ({untold})", parameters, told=False)


def record(event: Delivery) -> None:
    """It was told."""
    _save(event, "event_id = :event_id", {"event_id": event.event_id}, told=True)


def _save(event: Delivery, condition: str, parameters: dict[str, dynamodb.Value], *, told: bool) -> bool:
    values: dict[str, dynamodb.Value] = {"event_id": event.event_id, "at_us": event.at_us, "told": told}
    return dynamodb.put_if(
        condition,
        parameters,
        f"live#last#{event.organisation_id}#{event.subject}",
        "event",
        values,
        time.time() + REMEMBERED_SECONDS,
    )

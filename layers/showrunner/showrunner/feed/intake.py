"""Process notifications, polls and the hub's answers: they become rows of the feed and events."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from showrunner.aws import events, queues, schedules
from showrunner.aws.queues import Outcome
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, InvalidRequest
from showrunner.feed import callbacks, messages
from showrunner.feed.messages import (
    ChannelPolled,
    HubAnswered,
    LeaseGranted,
    Notification,
    SubscriptionDenied,
    VideosLookedUp,
)
from showrunner.models import Sighting
from showrunner.platforms import websub
from showrunner.store.feed import polls, subscriptions, webhook_events
from showrunner.store.feed.webhook_events import Delivery

# A feed may have a thousand entries, a batch a hundred feeds: one statement can process this many entries in
# its time.
ENTRIES = 2000

CLASSES = (Notification, LeaseGranted, SubscriptionDenied, HubAnswered, ChannelPolled, VideosLookedUp)


def process(batch: list[Any]) -> list[Outcome]:
    """Process a batch of messages, the notifications in as few transactions as possible.

    Returns each message's outcome.
    """
    schedules.expect_work("subscriptions")  # videos to look up, and leases that were granted
    outcomes: list[Outcome] = [None] * len(batch)
    deliveries = []
    for number, message in enumerate(batch):
        if isinstance(message, Notification):
            deliveries.append((number, message))
        else:
            outcomes[number] = queues.attempt(HANDLERS[type(message)], message)
    for number, outcome in _process_notifications(deliveries):
        outcomes[number] = outcome
    return outcomes


# ------------------------------------------------------------------------------------------ Notifications


def _process_notifications(numbered: list[tuple[int, Notification]]) -> Iterator[tuple[int, Outcome]]:
    now = datetime.now(UTC)
    readable = []
    for number, message in numbered:
        try:
            readable.append((number, _read(message, now)))
        except ValueError as error:  # no base64
            yield number, InvalidRequest(f"The body of the notification can't be decoded: {error}")
    for portion in _portions(readable):
        outcomes = _take([delivery for _, delivery in portion])
        yield from ((number, outcome) for (number, _), outcome in zip(portion, outcomes, strict=True))


def _read(message: Notification, now: datetime) -> Delivery:
    """Read a notification's body. The delivery has what it says, or why that can't be used."""
    body = base64.b64decode(message.body, validate=True)
    try:
        seen, error = websub.check(websub.read(body), message.channel_id, now), None
    except InvalidRequest as refusal:
        seen, error = [], refusal.message
    return Delivery(message.delivery_id, message.at, "push", message.subscription_id, body, seen, error)


def _portions(deliveries: list[tuple[int, Delivery]]) -> Iterator[list[tuple[int, Delivery]]]:
    """Split deliveries where feeds have hundreds of entries; usually there is one portion."""
    portion: list[tuple[int, Delivery]] = []
    entries = 0
    for number, each in deliveries:
        if portion and entries + len(each.seen) > ENTRIES:
            yield portion
            portion, entries = [], 0
        portion.append((number, each))
        entries += len(each.seen)
    if portion:
        yield portion


def _take(deliveries: list[Delivery]) -> list[Outcome]:
    """Save deliveries in one transaction, or each in its own if one of them breaks that.

    Returns each delivery's outcome.
    """
    try:
        updates = _save(deliveries)
    except DatabaseUnavailable as error:
        return [error] * len(deliveries)
    except Exception:  # noqa: BLE001 - one bad delivery must not fail the others: each is saved alone
        from showrunner.telemetry import (
            logger,
        )  # here: it imports botocore, and the API replays events with this module

        logger.exception("a batch can't be saved as a whole")
        return [_take_alone(each) for each in deliveries]
    failure = queues.attempt(announce, updates)
    return [failure or _refusal(each) for each in deliveries]


def _take_alone(delivery: Delivery) -> Outcome:
    """Save one delivery. If the database refuses it, save an event with the error, which can be replayed."""
    try:
        updates = _save([delivery])
    except DatabaseUnavailable as error:
        return error
    except Exception as error:  # noqa: BLE001 - any error concerns this delivery only, and is saved with it
        reason = f"{type(error).__name__}: {error}"[:500]
        return queues.attempt(_save, [delivery._replace(seen=[], error=reason)]) or InvalidRequest(reason)
    return queues.attempt(announce, updates) or _refusal(delivery)


def _refusal(delivery: Delivery) -> Outcome:
    """Return an error for a delivery that can't be used, so that a copy goes to the dead-letter queue."""
    return InvalidRequest(delivery.error) if delivery.error else None


def _save(deliveries: list[Delivery]) -> list[dict[str, Any]]:
    """Return the update rows added now, or by an earlier run that died before it announced them."""

    def work(tx: db.Transaction) -> list[dict[str, Any]]:
        recorded = webhook_events.record(tx, deliveries)
        return recorded.updates + (
            webhook_events.list_updates_of(tx, recorded.repeated) if recorded.repeated else []
        )

    return webhook_events.without_race(work)


def announce(updates: list[dict[str, Any]]) -> None:
    """Put one event for each update on the bus, for Live and outgoing webhooks."""
    events.put([messages.video_update(each) for each in updates])


# ------------------------------------------------------------------------------------------------ Hub answers


def _save_lease(message: LeaseGranted) -> None:
    _end_rotation(message)
    with db.transaction() as tx:
        subscriptions.save_verified(
            tx, message.subscription_id, message.lease_seconds, message.at.isoformat()
        )


def _end_rotation(message: LeaseGranted) -> None:
    """Let the previous secret count a little longer: the hub may have signed with it.

    The receiver is updated before the row forgets that secret,
    so a repeat does it again."""
    with db.reading() as tx:
        row = subscriptions.find(tx, message.subscription_id)
    if row and row["previous_secret"] is not None and row["rotated_at"] <= message.at:
        expected_until = (row["ask_at"] or message.at).timestamp() + callbacks.GRACE_SECONDS
        callbacks.save(row, expected_until, message.at.timestamp() + callbacks.OVERLAP_SECONDS)


def _save_denied(message: SubscriptionDenied) -> None:
    with db.transaction() as tx:
        subscriptions.save_denied(
            tx, message.subscription_id, f"denied: {message.reason}", message.at.isoformat()
        )


def _save_answer(message: HubAnswered) -> None:
    at = message.at.isoformat()
    with db.transaction() as tx:
        if message.outcome == "refused":
            subscriptions.save_refused(tx, message.subscription_id, message.reason, at)
        else:
            subscriptions.save_unavailable(
                tx, message.subscription_id, message.reason, message.retry_after, at
            )


# ------------------------------------------------------------------------------------------------ Polls


def _save_poll(message: ChannelPolled) -> None:
    """Record a poll. What it found and no notification reported becomes an event of the feed."""
    seen = [sighting(each, message.channel_id) for each in message.found]

    def work(tx: db.Transaction) -> list[dict[str, Any]]:
        polls.save(tx, message.channel_id, message.error)
        new = webhook_events.drop_known(tx, seen) if seen else []
        if new:
            webhook_events.record(
                tx, [Delivery(message.delivery_id, message.at, message.origin, None, entries(new), new, None)]
            )
            polls.save_found(tx, message.channel_id)
        # By the delivery, so that a run that died after its commit is announced by the next.
        return webhook_events.list_updates_of_delivery(tx, message.delivery_id)

    announce(webhook_events.without_race(work))


def sighting(video: messages.PolledVideo, channel_id: str) -> Sighting:
    return Sighting(
        video.video_id,
        channel_id,
        video.channel_title or None,
        video.title,
        video.published_at.astimezone(UTC),
        video.at.astimezone(UTC),
    )


def entries(seen: list[Sighting]) -> bytes:
    """Write what a poll found as JSON, which an event of the feed keeps in place of a hub's XML."""
    return json.dumps(
        [each._asdict() for each in seen],
        default=datetime.isoformat,
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def read_entries(body: list[dict[str, Any]]) -> list[Sighting]:
    """Read what `entries` wrote."""
    return [
        Sighting(
            **each
            | {name: datetime.fromisoformat(each[name]) for name in ("published_at", "at") if each[name]}
        )
        for each in body
    ]


def _save_details(message: VideosLookedUp) -> None:
    with db.transaction() as tx:
        polls.save_details(tx, message.videos, message.missing)


HANDLERS: dict[type, Callable[[Any], None]] = {
    LeaseGranted: _save_lease,
    SubscriptionDenied: _save_denied,
    HubAnswered: _save_answer,
    ChannelPolled: _save_poll,
    VideosLookedUp: _save_details,
}


# ------------------------------------------------------------------------------------------------ Replays


def replay(event_id: int) -> str | None:
    """Process an event of the feed again. Returns why it failed again, or None. Raises NotFound."""
    schedules.expect_work("subscriptions")  # it may name videos that nobody has looked up yet

    def work(tx: db.Transaction) -> tuple[str | None, list[dict[str, Any]]]:
        event = webhook_events.lock_event(tx, event_id)
        seen, error = _read_again(event)
        return error, webhook_events.replay(tx, event, seen, error)

    error, updates = webhook_events.without_race(work)
    if updates:
        announce(updates)
    return error


def _read_again(event: webhook_events.Stored) -> tuple[list[Sighting], str | None]:
    if event.entries is not None:
        return read_entries(event.entries), None
    try:
        seen = websub.read(event.body)
        channel = event.channel_id or next((each.channel_id for each in seen if each.channel_id), None)
        return (websub.check(seen, channel, datetime.now(UTC)) if channel else seen), None
    except InvalidRequest as error:
        return [], error.message

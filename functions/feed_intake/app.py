"""Queue of notifications, polls' finds and the hub's words → feed tables, and an event for each update.

What can't be processed is recorded with its reason and copied to the dead-letter queue at once.
"""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from showrunner import config
from showrunner.aws import events, rpc, schedules
from showrunner.database import db
from showrunner.errors import DatabaseUnavailable, InvalidRequest, ServiceUnavailable
from showrunner.feed import callbacks
from showrunner.models import Sighting
from showrunner.platforms import websub
from showrunner.store.feed import polls, subscriptions, webhook_events
from showrunner.store.feed.webhook_events import Delivery
from showrunner.telemetry import entrypoint, logger

# A feed may have a thousand entries, a batch a hundred feeds: more than this is more than one statement can do in its time.
ENTRIES = 2000


def read(message: dict[str, Any], now: datetime) -> Delivery:
    """A notification with what its body says, or why that can't be used."""
    body = base64.b64decode(message["body"])
    try:
        seen, error = websub.check(websub.read(body), message["channel_id"], now), None
    except InvalidRequest as refusal:
        seen, error = [], refusal.message
    return Delivery(
        message["delivery_id"], datetime.fromisoformat(message["at"]), message.get("origin", "push"), message.get("subscription_id"), body, seen, error
    )  # fmt: skip


def take(deliveries: list[Delivery]) -> list[Delivery]:
    """Notifications into the database in one transaction; one that breaks it is recorded alone. The deliveries with what became of them."""
    try:
        updates = _take(deliveries)
    except DatabaseUnavailable:
        raise  # the queue keeps all of it
    except Exception:  # noqa: BLE001 - one of them is at fault, and the others must not suffer
        logger.exception("a batch can't be taken in whole")
        return [_take_alone(each) for each in deliveries]
    announce(updates)
    return deliveries


def portions(deliveries: list[Delivery]) -> Iterator[list[Delivery]]:
    """All of them at once but where feeds have hundreds of entries."""
    portion: list[Delivery] = []
    entries = 0
    for each in deliveries:
        if portion and entries + len(each.seen) > ENTRIES:
            yield portion
            portion, entries = [], 0
        portion.append(each)
        entries += len(each.seen)
    yield portion


def _take(deliveries: list[Delivery]) -> list[dict[str, Any]]:
    """The trail's rows that were added now, or by an earlier run that died before it could tell of them."""

    def work(tx: db.Transaction) -> list[dict[str, Any]]:
        taken = webhook_events.take(tx, deliveries)
        return taken.updates + (webhook_events.list_updates_of(tx, taken.again) if taken.again else [])

    return webhook_events.without_race(work)


def _take_alone(delivery: Delivery) -> Delivery:
    try:
        updates = _take([delivery])
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this event's alone, and stands in its row
        delivery = delivery._replace(seen=[], error=f"{type(error).__name__}: {error}"[:500])
        return _record(delivery)
    announce(updates)
    return delivery


def _record(delivery: Delivery) -> Delivery:
    """What is set aside tells of no video: its row alone."""
    try:
        _take([delivery])
    except InvalidRequest:
        logger.exception("an event can't be recorded: its copy in the dead-letter queue is all that is left of it")
    return delivery


def announce(updates: list[dict[str, Any]]) -> None:
    """One event an update, for Live and outgoing webhooks."""
    events.emit_all("feed.video_update", [webhook_events.feed_event(each) for each in updates])


def verified(message: dict[str, Any]) -> None:
    end_rotation(message["subscription_id"], datetime.fromisoformat(message["at"]))
    with db.transaction() as tx:
        subscriptions.save_verified(tx, message["subscription_id"], message["lease_seconds"], message["at"])


def end_rotation(subscription_id: int, verified_at: datetime) -> None:
    """What the hub signed with the secret before is taken a little longer. The receiver is told before the row forgets that secret: a repeat does it again."""
    with db.reading() as tx:
        row = subscriptions.find(tx, subscription_id)
    if row and row["previous_secret"] is not None and row["rotated_at"] <= verified_at:
        expected_until = (row["ask_at"] or verified_at).timestamp() + callbacks.GRACE_SECONDS
        callbacks.save(row, expected_until, verified_at.timestamp() + callbacks.OVERLAP_SECONDS)


def denied(message: dict[str, Any]) -> None:
    with db.transaction() as tx:
        subscriptions.save_denied(tx, message["subscription_id"], f"denied: {message['reason']}", message["at"])


def answered(message: dict[str, Any]) -> None:
    """What the hub said to a request of ours."""
    with db.transaction() as tx:
        if message["outcome"] == "refused":
            subscriptions.save_refused(tx, message["subscription_id"], message["reason"], message["at"])
        elif message["outcome"] == "unavailable":
            subscriptions.save_unavailable(tx, message["subscription_id"], message["reason"], message.get("retry_after"), message["at"])


def polled(message: dict[str, Any]) -> None:
    """What a poll found becomes a notification of our own, if anybody hasn't heard of it."""
    channel_id, at = message["channel_id"], datetime.fromisoformat(message["at"])
    seen = [_sighting(each, channel_id) for each in message.get("found", [])]

    def work(tx: db.Transaction) -> list[dict[str, Any]]:
        polls.save(tx, channel_id, message.get("error"))
        new = webhook_events.drop_known(tx, seen) if seen else []
        if new:
            webhook_events.take(tx, [Delivery(message["delivery_id"], at, message["origin"], None, websub.write(new), new, None)])
            polls.save_found(tx, channel_id)
        # By the delivery, so that a run that died after its commit is told of by the next.
        return webhook_events.list_updates_of_delivery(tx, message["delivery_id"])

    announce(webhook_events.without_race(work))


def _sighting(each: dict[str, Any], channel_id: str) -> Sighting:
    published, at = websub.moment(each["published_at"]), websub.moment(each["at"])
    return Sighting(each["video_id"], channel_id, each.get("channel_title"), each["title"], published, at)


def enriched(message: dict[str, Any]) -> None:
    with db.transaction() as tx:
        polls.save_details(tx, message["videos"], message["missing"])


KINDS: dict[str, Callable[[dict[str, Any]], None]] = {
    "verified": verified,
    "denied": denied,
    "answered": answered,
    "polled": polled,
    "enriched": enriched,
}


def work(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything in the batch. The messages that are set aside."""
    now = datetime.now(UTC)
    notifications: list[tuple[dict[str, Any], Delivery]] = []
    aside = []
    for message in messages:
        try:
            if message["kind"] == "notification":
                notifications.append((message, read(message, now)))
            else:
                KINDS[message["kind"]](message)
        except (DatabaseUnavailable, ServiceUnavailable, rpc.AwsError):
            raise  # the queue keeps all of it
        except Exception:  # noqa: BLE001 - it is this message's fault, and the others must not suffer
            logger.exception("a message can't be processed", extra={"kind": message["kind"]})
            aside.append(message)
    if notifications:
        taken = [each for portion in portions([delivery for _, delivery in notifications]) for each in take(portion)]
        aside += [message for (message, _), delivery in zip(notifications, taken, strict=True) if delivery.error]
    return aside


def set_aside(bodies: list[str]) -> None:
    """At once, not after so many more attempts: the same bytes would fail the same way, while an outage may use up its attempts."""
    for body in bodies:
        rpc.call("sqs", "SendMessage", {"QueueUrl": config.setting("NOTIFICATIONS_DEAD_URL"), "MessageBody": body})


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    schedules.expect_work("subscriptions")  # videos to look up, leases that the hub has told of
    messages, broken = [], []
    for record in event["Records"]:
        try:
            message = json.loads(record["body"])
            usable = isinstance(message.get("kind"), str)
        except (ValueError, AttributeError):
            usable = False
        if usable:
            messages.append(message)
        else:
            logger.error("a message can't be read", extra={"message_id": record["messageId"]})
            broken.append(record["body"])
    set_aside(broken + [json.dumps(each) for each in work(messages)])
    return {"batchItemFailures": []}

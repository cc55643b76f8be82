"""Follow channels: add, renew and end subscriptions.

The database's row is the source; the callback's item and the request to the hub are made after it.
"""

import json
import secrets
import time
from typing import Any

from showrunner import config
from showrunner.aws import queues, rpc, schedules
from showrunner.database import db
from showrunner.errors import NotFound, ServiceUnavailable
from showrunner.feed import callbacks
from showrunner.feed.messages import HubRequest
from showrunner.platforms import websub
from showrunner.store.feed import lists, subscriptions, webhook_events


def follow(
    channel_id: str, callback_url: str, lease_seconds: int, secret: str | None, title: str | None = None
) -> dict[str, Any]:
    """Add a subscription and request it from the hub.

    `title` is the channel's, if somebody has looked it up. Returns the row.
    """
    token = secrets.token_urlsafe(32)
    values = {
        "channel_id": channel_id,
        "topic_url": websub.topic(config.setting("TOPIC_BASE_URL"), channel_id),
        "callback_url": callback_url,
        "callback_token": token,
        "hub_url": config.setting("HUB_URL"),
        "lease_seconds": lease_seconds,
        "secret": callbacks.seal(secret, token) if secret is not None else None,
    }
    with db.transaction() as tx:
        row = subscriptions.add(tx, values)
        if title is not None:
            webhook_events.name_channel(tx, channel_id, title)
    _request(row)
    return row


def renew(subscription_id: int, lease_seconds: int | None, secret: str | None) -> None:
    """Request a subscription again now.

    A new secret is sealed here; the previous one still counts for a while. Raises NotFound.
    """
    with db.reading() as tx:
        row = subscriptions.get(tx, subscription_id)
    sealed = callbacks.seal(secret, row["callback_token"]) if secret is not None else None
    with db.transaction() as tx:
        row = subscriptions.renew(tx, row["id"], lease_seconds, sealed)
    _request(row)


def end(subscription_id: int) -> None:
    """End a subscription: the receiver answers 410 at once, and the hub is asked to stop. Raises NotFound."""
    with db.transaction() as tx:
        row = subscriptions.renew_now(tx, subscription_id)
    # The row goes last: should this end half-way, a repeat finds it, and so does the schedule.
    schedules.expect_work("subscriptions")
    callbacks.remove(row, time.time() + callbacks.REMOVED_SECONDS)
    queues.send(config.setting("HUB_QUEUE_URL"), HubRequest(row["callback_token"], "unsubscribe"))
    with db.transaction() as tx:
        subscriptions.remove(tx, row["id"])


def read(subscription_id: int) -> dict[str, Any]:
    """Return a subscription as the API shows it. Raises NotFound."""
    with db.reading() as tx:
        return dict(json.loads(lists.get(tx, lists.SUBSCRIPTIONS, subscription_id, "subscription")))


def _request(row: dict[str, Any]) -> None:
    """Prepare the receiver for the hub's verification, then send the request.

    If this fails, the schedule sends it.

    Raises NotFound if somebody removed the subscription meanwhile.
    """
    try:
        schedules.expect_work("subscriptions")
        is_saved = callbacks.save(row, row["ask_at"].timestamp() + callbacks.GRACE_SECONDS)
        if is_saved:
            queues.send(config.setting("HUB_QUEUE_URL"), HubRequest(row["callback_token"], "subscribe"))
    except (ServiceUnavailable, rpc.AwsError):
        from showrunner.telemetry import logger

        logger.exception(
            "the schedule will send the request to the hub", extra={"subscription_id": row["id"]}
        )
        return
    if not is_saved and (callback := callbacks.find(row["callback_token"])) and callback.removed:
        raise NotFound(f"subscription with id {row['id']} not found")

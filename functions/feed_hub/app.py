"""Queue of requests to the hub → the hub is asked, and its answer goes back to the queue of notifications. [no database]"""

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

from showrunner import config
from showrunner.aws import rpc
from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.feed import callbacks
from showrunner.platforms.websub import Hub
from showrunner.telemetry import entrypoint, logger


@cache
def hub() -> Hub:
    return Hub(config.setting("HUB_URL"))


def ask(message: dict[str, Any]) -> bool:
    """Asks for one subscription. False when the queue should deliver it again: nobody else repeats an unsubscription, until its callback is forgotten."""
    callback = callbacks.find(message["token"])
    if callback is None or callback.asked != message["mode"]:
        return True  # removed, or asked for otherwise since
    secrets = callbacks.opened(callback.sealed[:1], callback.token)
    try:
        hub().ask(callback.asked, callback.topic_url, callback.address, callback.lease_seconds, secrets[0].decode() if secrets else None)
    except PlatformRejected as error:
        report(callback.subscription_id, "refused", error.message)
    except PlatformUnavailable as error:
        logger.warning("the hub can't be asked", extra={"subscription_id": callback.subscription_id, "reason": error.message})
        if callback.removed:
            return False
        report(callback.subscription_id, "unavailable", error.message, error.retry_after)
    return True


def report(subscription_id: int, outcome: str, reason: str, retry_after: float | None = None) -> None:
    message = {"kind": "answered", "subscription_id": subscription_id, "outcome": outcome, "reason": reason, "retry_after": retry_after}
    text = json.dumps({**message, "at": datetime.now(UTC).isoformat()})
    rpc.call("sqs", "SendMessage", {"QueueUrl": config.setting("NOTIFICATIONS_QUEUE_URL"), "MessageBody": text})


def work(record: dict[str, Any]) -> bool:
    """`ask`, whose failure is the one message's alone."""
    try:
        return ask(json.loads(record["body"]))
    except Exception:  # noqa: BLE001 - whatever it is, the others of the batch have been asked for, and must not be asked for again
        logger.exception("a message can't be worked on", extra={"message_id": record["messageId"]})
        return False


@entrypoint
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    again = [record["messageId"] for record in event["Records"] if not work(record)]
    return {"batchItemFailures": [{"itemIdentifier": each} for each in again]}

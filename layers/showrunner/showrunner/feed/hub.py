"""Ask the hub to subscribe, renew or unsubscribe, and report its answer to feed_intake. Uses no database."""

from datetime import UTC, datetime
from functools import cache
from typing import Literal

from showrunner import breakers, config
from showrunner.aws import queues
from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.feed import callbacks
from showrunner.feed.callbacks import Callback
from showrunner.feed.messages import HubAnswered, HubRequest
from showrunner.platforms.hub import Hub
from showrunner.telemetry import logger


@cache
def hub() -> Hub:
    return Hub(config.setting("HUB_URL"))


def ask(message: HubRequest) -> None:
    """Send one request to the hub, and report it if the hub refuses or can't be reached.

    Raises PlatformUnavailable for an unsubscription: only the queue repeats that, until its callback has
    expired.
    """
    callback = callbacks.find(message.token)
    if callback is None or callback.asked != message.mode:
        return  # removed, or something else has been requested since
    secrets = callbacks.opened(callback.sealed[:1], callback.token)
    try:
        with breakers.guard("hub", callback.asked):
            hub().ask(
                callback.asked,
                callback.topic_url,
                callback.address,
                callback.lease_seconds,
                secrets[0].decode() if secrets else None,
            )
    except PlatformRejected as error:
        _report(callback, "refused", error.message)
    except PlatformUnavailable as error:
        logger.warning(
            "the hub can't be reached",
            extra={"subscription_id": callback.subscription_id, "reason": error.message},
        )
        if callback.removed:
            raise
        _report(callback, "unavailable", error.message, error.retry_after)


def _report(
    callback: Callback,
    outcome: Literal["refused", "unavailable"],
    reason: str,
    retry_after: float | None = None,
) -> None:
    message = HubAnswered(callback.subscription_id, outcome, reason, datetime.now(UTC), retry_after)
    queues.send(config.setting("NOTIFICATIONS_QUEUE_URL"), message)

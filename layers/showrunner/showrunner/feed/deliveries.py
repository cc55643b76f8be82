"""Answer a hub's verifications and accept its notifications.

Without the database, so that the receiver starts at once: what must be stored goes into a queue.
"""

import base64
import time
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

from showrunner import config
from showrunner.aws import queues
from showrunner.errors import Forbidden, NotFound
from showrunner.feed import callbacks
from showrunner.feed.callbacks import Callback
from showrunner.feed.messages import LeaseGranted, Notification, SubscriptionDenied
from showrunner.platforms import websub

# https://www.w3.org/TR/websub/#hub-verifies-intent allows any string; real hubs send 20 to 40 characters.
CHALLENGE_CHARACTERS = 2000
# Hubs grant 10 days at most. A longer lease would hide that the subscription is gone, one of seconds would
# keep us renewing.
MIN_SECONDS, MAX_SECONDS = 60, 864_000


def verify(callback: Callback, query: dict[str, str]) -> str:
    """Return the challenge to echo: https://www.w3.org/TR/websub/#hub-verifies-intent.

    Raises NotFound for a topic or a mode that we didn't request.
    """
    mode, challenge = query.get("hub.mode", ""), query.get("hub.challenge", "")
    if (
        websub.channel_of(query.get("hub.topic", ""), urlsplit(config.setting("TOPIC_BASE_URL")).netloc)
        != callback.channel_id
    ):
        raise NotFound("nobody here asked for that topic")
    if mode == "denied":
        if not callback.removed:
            reason = websub.plain(query.get("hub.reason", ""))[:500]
            _report(SubscriptionDenied(callback.subscription_id, reason, datetime.now(UTC)))
        return ""
    if not callback.expects(mode, time.time()) or not 0 < len(challenge) <= CHALLENGE_CHARACTERS:
        raise NotFound("nobody here asked for that")
    if mode == "subscribe":
        _report(LeaseGranted(callback.subscription_id, _lease(callback, query), datetime.now(UTC)))
    return challenge


def _lease(callback: Callback, query: dict[str, str]) -> int:
    """Return the granted seconds, within our bounds. A hub that names none has granted what we requested.

    Raises NotFound if they are no number.
    """
    text = query.get("hub.lease_seconds", str(callback.lease_seconds))
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0):
        raise NotFound("hub.lease_seconds is not a number of seconds")
    return min(max(int(text), MIN_SECONDS), MAX_SECONDS)


def receive(callback: Callback, headers: dict[str, str], body: bytes) -> None:
    """Put the notification into the queue.

    Raises Forbidden if the subscription has a secret and the signature is missing or wrong.
    """
    signature = headers.get("x-hub-signature", "")
    is_open = not callback.sealed or (callback.unsigned and not signature)
    if not is_open and not websub.is_signed(
        callbacks.opened(callback.sealed, callback.token), signature, body
    ):
        raise Forbidden("the signature is missing or wrong")
    text = base64.b64encode(body).decode()
    _report(
        Notification(
            str(uuid.uuid4()), callback.channel_id, text, datetime.now(UTC), callback.subscription_id
        )
    )


def _report(message: queues.Message) -> None:
    queues.send(config.setting("NOTIFICATIONS_QUEUE_URL"), message)

"""Hubs -> GET returns the challenge of a verification, POST puts a signed notification into the queue.

Without the database, so that it starts at once.
"""

import base64
import binascii
import json
import re
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from showrunner import config
from showrunner.aws import correlation, queues
from showrunner.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    ServiceUnavailable,
    ShowrunnerError,
)
from showrunner.feed import callbacks
from showrunner.feed.callbacks import Callback
from showrunner.feed.messages import LeaseGranted, Notification, SubscriptionDenied
from showrunner.platforms import websub
from showrunner.web.security import SECURITY_HEADERS

# The form of `secrets.token_urlsafe(32)`. A token of another form isn't looked up.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
# https://www.w3.org/TR/websub/#hub-verifies-intent allows any string; real hubs send 20 to 40 characters.
CHALLENGE_CHARACTERS = 2000
# Hubs grant 10 days at most. A longer lease would hide that the subscription is gone, one of seconds would
# keep us renewing.
MIN_SECONDS, MAX_SECONDS = 60, 864_000
ENCODE = json.JSONEncoder(separators=(",", ":")).encode
BASE64_CHARACTERS = websub.MAX_BYTES * 4 // 3 + 4

STATUS = {
    InvalidRequest: (400, "bad request"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not found"),
    PayloadTooLarge: (413, "payload too large"),
}


class Gone(ShowrunnerError):
    """The subscription has ended: after 410 a hub sends nothing more."""


class MethodNotAllowed(ShowrunnerError):
    pass


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
            report(SubscriptionDenied(callback.subscription_id, reason, datetime.now(UTC)))
        return ""
    if not callback.expects(mode, time.time()) or not 0 < len(challenge) <= CHALLENGE_CHARACTERS:
        raise NotFound("nobody here asked for that")
    if mode == "subscribe":
        report(LeaseGranted(callback.subscription_id, lease(callback, query), datetime.now(UTC)))
    return challenge


def lease(callback: Callback, query: dict[str, str]) -> int:
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
    report(
        Notification(
            str(uuid.uuid4()), callback.channel_id, text, datetime.now(UTC), callback.subscription_id
        )
    )


def report(message: queues.Message) -> None:
    queues.send(config.setting("NOTIFICATIONS_QUEUE_URL"), message)


def raw(event: dict[str, Any]) -> bytes:
    text = event.get("body") or ""
    if len(text) > (BASE64_CHARACTERS if event.get("isBase64Encoded") else websub.MAX_BYTES):
        raise PayloadTooLarge(f"a notification has at most {websub.MAX_BYTES} bytes")
    try:
        body = base64.b64decode(text, validate=True) if event.get("isBase64Encoded") else text.encode()
    except (binascii.Error, UnicodeEncodeError) as error:
        raise InvalidRequest("the body can't be read") from error
    if len(body) > websub.MAX_BYTES:
        raise PayloadTooLarge(f"a notification has at most {websub.MAX_BYTES} bytes")
    return body


def find(path: str) -> Callback:
    token = path.rstrip("/").rpartition("/")[2]
    callback = callbacks.find(token) if TOKEN.fullmatch(token) else None
    if callback is None:
        raise NotFound("there is no such callback")
    return callback


def serve(event: dict[str, Any]) -> dict[str, Any]:
    method = event["requestContext"]["http"]["method"]
    if method == "GET":
        return answer(200, verify(find(event["rawPath"]), event.get("queryStringParameters") or {}))
    if method != "POST":
        raise MethodNotAllowed("only GET and POST are possible here")
    body = raw(event)
    callback = find(event["rawPath"])
    if callback.removed:
        raise Gone("unsubscribed")
    receive(callback, event.get("headers") or {}, body)
    return answer(202, "")


def answer(
    status: int, body: str, content_type: str = "text/plain; charset=utf-8", **headers: str
) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {
            **SECURITY_HEADERS,
            "content-type": content_type,
            "cache-control": "no-store",
            **headers,
        },
        "body": body,
    }


def refuse(error: ShowrunnerError) -> dict[str, Any]:
    """Answer an error in the Ingestion API's shape."""
    headers = {}
    if isinstance(error, MethodNotAllowed):
        status, words, headers = 405, "method not allowed", {"allow": "GET, POST"}
    elif isinstance(error, Gone):
        status, words = 410, "gone"
    elif type(error) in STATUS:
        status, words = STATUS[type(error)]
    else:
        # The hub tries again by itself: nothing is lost while the queue or the state table is away.
        from showrunner.telemetry import logger

        logger.error("refused", extra={"error": type(error).__name__, "reason": error.message})
        retry_after = error.retry_after if isinstance(error, ServiceUnavailable) else None
        status, words, headers = 503, "service unavailable", {"retry-after": str(retry_after or 5)}
    return answer(
        status, json.dumps({"error": words, "message": error.message}), "application/json", **headers
    )


COUNTED = [{"Name": "Duration", "Unit": "Milliseconds"}, {"Name": "Answers", "Unit": "Count"}]
METRICS = [{"Namespace": "Showrunner", "Dimensions": [["function"]], "Metrics": COUNTED}]


def log(event: dict[str, Any], status: int, begun: float) -> None:
    """Write one line that is a request's log entry and its metrics (CloudWatch's embedded metric format).

    It leaves out the path, which has the token.
    """
    now = time.time()
    line = {
        "level": "INFO",
        "message": "request",
        "request_id": event["requestContext"].get("requestId"),
        "function": f"websub {status // 100}xx",
        "method": event["requestContext"]["http"]["method"],
        "status": status,
        "Duration": round((time.perf_counter() - begun) * 1000, 2),
        "Answers": 1,
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": METRICS},
    }
    sys.stdout.write(ENCODE(line) + "\n")


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    begun = time.perf_counter()
    with correlation.of_request(event["requestContext"].get("requestId", "")):
        try:
            response = serve(event)
        except ShowrunnerError as error:
            response = refuse(error)
    response["headers"]["x-request-id"] = event["requestContext"].get("requestId", "")
    log(event, response["statusCode"], begun)
    return response

"""Hubs -> GET returns the challenge of a verification, POST puts a signed notification into the queue.

Without the database, so that it starts at once.
"""

import base64
import binascii
import json
import re
import time
from typing import Any

from showrunner import masking
from showrunner.aws import correlation
from showrunner.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    ServiceUnavailable,
    ShowrunnerError,
)
from showrunner.feed import callbacks, deliveries
from showrunner.feed.callbacks import Callback
from showrunner.platforms import websub
from showrunner.web import edge
from showrunner.web.security import SECURITY_HEADERS

# The form of `secrets.token_urlsafe(32)`. A token of another form isn't looked up.
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
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
    http = event["requestContext"]["http"]
    edge.caller_address(event.get("headers") or {}, http.get("sourceIp", ""))
    method = http["method"]
    if method == "GET":
        return answer(
            200, deliveries.verify(find(event["rawPath"]), event.get("queryStringParameters") or {})
        )
    if method != "POST":
        raise MethodNotAllowed("only GET and POST are possible here")
    body = raw(event)
    callback = find(event["rawPath"])
    if callback.removed:
        raise Gone("unsubscribed")
    deliveries.receive(callback, event.get("headers") or {}, body)
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
    headers, message = {}, error.message
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
        # Anybody may call this. The error's own words may name the account, a role, a queue or a secret.
        message = "try again later"
    return answer(status, json.dumps({"error": words, "message": message}), "application/json", **headers)


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
    masking.write_line(line)


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

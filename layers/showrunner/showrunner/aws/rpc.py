"""Call AWS's JSON services (DynamoDB, SQS, KMS, EventBridge, SSM) over a kept connection, without boto3.

boto3 takes 300 ms of a cold start, too long for a receiver of webhooks. objects.py does the same for objects
in S3; everything else goes through `sdk.client`.
"""

import json
import threading
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from showrunner import config
from showrunner.aws import sigv4
from showrunner.errors import ServiceUnavailable, ShowrunnerError

# The shortest caller is an HTTP API's integration (30 s); a webhook's sender gives up after ten.
TIMEOUT_S = 4
# A kept connection may have been closed meanwhile, and AWS fails a call now and then; two more attempts see
# both through.
ATTEMPTS = 3
# json.dumps with separators makes an encoder for each call.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class AwsError(ShowrunnerError):
    """AWS refuses the call. `code` is the error's name, for example ConditionalCheckFailedException."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def call(service: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Return the service's answer. Raises AwsError, or ServiceUnavailable if it doesn't answer."""
    body = _encode(payload).encode()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.05 * 4**attempt)
        status, answer = _send(service, action, body)
        if 200 <= status < 300:
            return json.loads(answer) if answer else {}
        if status and status < 500 and b"Throttl" not in answer:
            raise _error(answer)
    raise ServiceUnavailable(f"AWS {service} doesn't answer: try again.", retry_after=5)


def _error(answer: bytes) -> AwsError:
    try:
        fields = json.loads(answer)
    except ValueError:
        fields = {}
    return AwsError(
        str(fields.get("__type", "Unknown")).rpartition("#")[2],
        str(fields.get("message") or fields.get("Message") or ""),
    )


threads = threading.local()


def _send(service: str, action: str, body: bytes) -> tuple[int, bytes]:
    """Return status and body. The status is 0 if the connection broke."""
    endpoint, host, secure = _endpoint(service)
    known: dict[str, HTTPConnection] = threads.__dict__
    connection = known.get(endpoint)
    if connection is None:
        connection = known[endpoint] = (HTTPSConnection if secure else HTTPConnection)(
            host, timeout=TIMEOUT_S
        )
    try:
        connection.request(
            "POST", "/", body, sigv4.headers(sigv4.SERVICES[service], action, host, body, time.gmtime())
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (HTTPException, OSError):
        known.pop(endpoint).close()
        return 0, b""


def _endpoint(service: str) -> tuple[str, str, bool]:
    """Return (key of the connection, host, whether it uses TLS)."""
    given = config.setting("AWS_ENDPOINT_URL", "none")
    if given == "none":
        host = f"{sigv4.SERVICES[service].name}.{config.setting('AWS_REGION')}.amazonaws.com"
        return host, host, True
    parts = urlsplit(given)
    return given, parts.netloc, parts.scheme == "https"

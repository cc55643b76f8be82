"""Send signed requests for one S3 object, or for the list of a bucket."""

import hashlib
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple

from showrunner.aws import rpc, sigv4
from showrunner.errors import ServiceUnavailable

# A video's sound or picture is some tens of megabytes; the shortest function that moves one has a minute.
OBJECT_TIMEOUT_S = 20


class Response(NamedTuple):
    """S3's response. `length` is the object's size, even in a response without a body."""

    status: int
    length: int
    body: bytes


def request(
    operation: str,
    bucket: str,
    key: str = "",
    query: dict[str, str] | None = None,
    body: bytes = b"",
    content_type: str = "",
    part: tuple[int, int] | None = None,
    tagging: str = "",
) -> Response:
    """Send one request for an object, or for the bucket's list. Raises ServiceUnavailable without an answer.

    S3's refusals are returned. part: first and last byte to read of the object, both included. tagging: tags
    of the object that is put, as a query string.
    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    for attempt in range(rpc.ATTEMPTS):
        if attempt:
            time.sleep(0.05 * 4**attempt)
        answer = _ask_s3(
            sigv4.METHODS[operation], bucket, key, query or {}, body, content_type, part, tagging
        )
        if 0 < answer.status < 500:
            return answer
    raise ServiceUnavailable("AWS s3 doesn't answer: try again.", retry_after=5)


def _ask_s3(
    method: str,
    bucket: str,
    key: str,
    query: dict[str, str],
    body: bytes,
    content_type: str,
    part: tuple[int, int] | None,
    tagging: str,
) -> Response:
    """Return S3's response, with status 0 if the connection broke."""
    region, key_id, _, token = sigv4.credentials()
    base, host, path = sigv4.object_address(bucket, key, region)
    stamp, digest, words = (
        sigv4.timestamp(time.gmtime()[:6]),
        hashlib.sha256(body).hexdigest(),
        sigv4.query_text(query),
    )
    given = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    given |= {"content-type": content_type} if content_type else {}
    given |= {"range": f"bytes={part[0]}-{part[1]}"} if part else {}
    given |= {"x-amz-tagging": tagging} if tagging else {}
    given |= {} if token == "none" else {"x-amz-security-token": token}  # noqa: S105
    names, scope = ";".join(sorted(given)), f"{stamp[:8]}/{region}/s3/aws4_request"
    signature = sigv4.sign_s3(
        f"{method}\n{path}\n{words}\n{sigv4.header_lines(given)}\n{names}\n{digest}", stamp, scope
    )
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    known: dict[str, HTTPConnection] = rpc.threads.__dict__
    connection = known.get(f"objects {base}")
    if connection is None:
        connection = (HTTPSConnection if base.startswith("https") else HTTPConnection)(
            host, timeout=OBJECT_TIMEOUT_S
        )
        known[f"objects {base}"] = connection
    try:
        target = f"{path}?{words}" if words else path
        connection.request(
            method, target, body if method == "PUT" else None, {**given, "authorization": authorization}
        )
        answer = connection.getresponse()
        return Response(answer.status, int(answer.headers.get("content-length") or 0), answer.read())
    except (HTTPException, OSError):
        known.pop(f"objects {base}").close()
        return Response(0, 0, b"")

"""AWS's JSON services called directly, signed by hand over a kept connection: boto3 takes 300 ms of a cold start, which a receiver of webhooks hasn't got.

Signature Version 4: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Only services whose protocol is AWS JSON (DynamoDB, SQS, KMS, EventBridge, SSM), and objects in S3; everything else goes through `config.aws`.
"""

import hashlib
import hmac
import json
import threading
import time
from functools import cache, lru_cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from showrunner import config
from showrunner.errors import ServiceUnavailable, ShowrunnerError

# The shortest caller is an HTTP API's integration (30 s); a webhook's sender gives up after ten.
TIMEOUT_S = 4
# A kept connection may have been closed meanwhile, and AWS fails a call now and then; two more attempts see both through.
ATTEMPTS = 3


class Service(NamedTuple):
    """`name` in the address and in the signature, the prefix of X-Amz-Target, the version of the JSON protocol."""

    name: str
    target: str
    version: str


SERVICES = {
    "dynamodb": Service("dynamodb", "DynamoDB_20120810", "1.0"),
    "sqs": Service("sqs", "AmazonSQS", "1.0"),
    "kms": Service("kms", "TrentService", "1.1"),
    "events": Service("events", "AWSEvents", "1.1"),
    "ssm": Service("ssm", "AmazonSSM", "1.1"),
}


# json.dumps with separators makes an encoder for each call.
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Refused(ShowrunnerError):
    """AWS refuses the call; `code` is its error's name, for instance ConditionalCheckFailedException."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


def call(service: str, action: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The service's answer. Raises Refused, or ServiceUnavailable when it doesn't answer."""
    body = _encode(payload).encode()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.05 * 4**attempt)
        status, answer = _send(service, action, body)
        if 200 <= status < 300:
            return json.loads(answer) if answer else {}
        if status and status < 500 and b"Throttl" not in answer:
            raise _refused(answer)
    raise ServiceUnavailable(f"AWS {service} doesn't answer: try again.", retry_after=5)


def _refused(answer: bytes) -> Refused:
    try:
        told = json.loads(answer)
    except ValueError:
        told = {}
    return Refused(str(told.get("__type", "Unknown")).rpartition("#")[2], str(told.get("message") or told.get("Message") or ""))


_threads = threading.local()


def _send(service: str, action: str, body: bytes) -> tuple[int, bytes]:
    """Status and body; status 0 when the connection broke."""
    endpoint, host, secure = _endpoint(service)
    known: dict[str, HTTPConnection] = _threads.__dict__
    connection = known.get(endpoint)
    if connection is None:
        connection = known[endpoint] = (HTTPSConnection if secure else HTTPConnection)(host, timeout=TIMEOUT_S)
    try:
        connection.request("POST", "/", body, headers(SERVICES[service], action, host, body, time.gmtime()))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (HTTPException, OSError):
        known.pop(endpoint).close()
        return 0, b""


def _endpoint(service: str) -> tuple[str, str, bool]:
    """(key of the connection, host, whether by TLS)."""
    given = config.setting("AWS_ENDPOINT_URL", "none")
    if given == "none":
        host = f"{SERVICES[service].name}.{config.setting('AWS_REGION')}.amazonaws.com"
        return host, host, True
    parts = urlsplit(given)
    return given, parts.netloc, parts.scheme == "https"


_keys: dict[tuple[str, str, str, str], bytes] = {}


def _key(secret: str, day: str, region: str, service: str) -> bytes:
    """The signing key of a day; made once."""
    wanted = secret, day, region, service
    if wanted not in _keys:
        key = b"AWS4" + secret.encode()
        for part in (day, region, service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        _keys.clear() if len(_keys) > 8 else None
        _keys[wanted] = key
    return _keys[wanted]


@cache
def _identity() -> tuple[str, str, str, str]:
    """Region, key id, key, session token. An environment's credentials outlive it: Lambda never changes them under a running one."""
    token = config.setting("AWS_SESSION_TOKEN", "none")
    return config.setting("AWS_REGION"), config.setting("AWS_ACCESS_KEY_ID"), config.setting("AWS_SECRET_ACCESS_KEY"), token


@lru_cache(maxsize=4)
def _stamp(parts: tuple[int, ...]) -> str:
    year, month, day, hour, minute, second = parts
    return f"{year:04d}{month:02d}{day:02d}T{hour:02d}{minute:02d}{second:02d}Z"


def headers(service: Service, action: str, host: str, body: bytes, now: time.struct_time) -> dict[str, str]:
    """The headers of a signed POST to `/`."""
    stamp = _stamp(now[:6])
    region, key_id, secret, token = _identity()
    day, name = stamp[:8], service.name
    content_type, target = f"application/x-amz-json-{service.version}", f"{service.target}.{action}"
    token_line, token_name = ("", "") if token == "none" else (f"x-amz-security-token:{token}\n", "x-amz-security-token;")  # noqa: S105 - no token at all
    names = f"content-type;host;x-amz-date;{token_name}x-amz-target"
    canonical = (
        f"POST\n/\n\ncontent-type:{content_type}\nhost:{host}\nx-amz-date:{stamp}\n{token_line}x-amz-target:{target}\n\n"
        f"{names}\n{hashlib.sha256(body).hexdigest()}"
    )
    scope = f"{day}/{region}/{name}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(secret, day, region, name), text.encode(), "sha256").hex()
    credential = f"{key_id}/{scope}"
    signed = {
        "content-type": content_type,
        "x-amz-date": stamp,
        "x-amz-target": target,
        "authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}",
    }
    return signed if token == "none" else {**signed, "x-amz-security-token": token}  # noqa: S105


# ------------------------------------------------------------------------------------------------ Objects

METHODS = {"get_object": "GET", "head_object": "HEAD", "put_object": "PUT", "delete_object": "DELETE", "list_objects_v2": "GET"}
# A video's sound or picture is some tens of megabytes; the shortest function that moves one has a minute.
OBJECT_TIMEOUT_S = 20


class Stored(NamedTuple):
    """S3's answer; `length` is the object's, also where no body came."""

    status: int
    length: int
    body: bytes


def objects(operation: str, bucket: str, key: str = "", query: dict[str, str] | None = None, body: bytes = b"", content_type: str = "") -> Stored:
    """One request for an object, or for the bucket's list. Raises ServiceUnavailable when S3 doesn't answer; its refusals are for the caller to read.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html"""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(0.05 * 4**attempt)
        answer = _ask_s3(METHODS[operation], bucket, key, query or {}, body, content_type)
        if 0 < answer.status < 500:
            return answer
    raise ServiceUnavailable("AWS s3 doesn't answer: try again.", retry_after=5)


def _ask_s3(method: str, bucket: str, key: str, query: dict[str, str], body: bytes, content_type: str) -> Stored:
    """Status 0 when the connection broke."""
    region, key_id, _, token = _identity()
    base, host, path = _object_address(bucket, key, region)
    stamp, digest, words = _stamp(time.gmtime()[:6]), hashlib.sha256(body).hexdigest(), _words(query)
    given = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    given |= {"content-type": content_type} if content_type else {}
    given |= {} if token == "none" else {"x-amz-security-token": token}  # noqa: S105
    names, scope = ";".join(sorted(given)), f"{stamp[:8]}/{region}/s3/aws4_request"
    signature = _signature(f"{method}\n{path}\n{words}\n{_lines(given)}\n{names}\n{digest}", stamp, scope)
    authorization = f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    known: dict[str, HTTPConnection] = _threads.__dict__
    connection = known.get(f"objects {base}")
    if connection is None:
        connection = (HTTPSConnection if base.startswith("https") else HTTPConnection)(host, timeout=OBJECT_TIMEOUT_S)
        known[f"objects {base}"] = connection
    try:
        target = f"{path}?{words}" if words else path
        connection.request(method, target, body if method == "PUT" else None, {**given, "authorization": authorization})
        answer = connection.getresponse()
        return Stored(answer.status, int(answer.headers.get("content-length") or 0), answer.read())
    except (HTTPException, OSError):
        known.pop(f"objects {base}").close()
        return Stored(0, 0, b"")


def link(operation: str, bucket: str, key: str, seconds: int, headers: dict[str, str] | None = None, query: dict[str, str] | None = None) -> str:
    """A URL that allows one operation on an object, for so many seconds, with exactly these headers. Arithmetic only: no call is made.

    https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html"""
    region, key_id, _, token = _identity()
    base, host, path = _object_address(bucket, key, region)
    stamp, given = _stamp(time.gmtime()[:6]), {**(headers or {}), "host": host}
    scope, names = f"{stamp[:8]}/{region}/s3/aws4_request", ";".join(sorted(given))
    asked = {
        **(query or {}),
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
        **({} if token == "none" else {"X-Amz-Security-Token": token}),  # noqa: S105
    }
    words = _words(asked)
    signature = _signature(f"{METHODS[operation]}\n{path}\n{words}\n{_lines(given)}\n{names}\nUNSIGNED-PAYLOAD", stamp, scope)
    return f"{base}{path}?{words}&X-Amz-Signature={signature}"


def _signature(canonical: str, stamp: str, scope: str) -> str:
    region, _, secret, _ = _identity()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(_key(secret, stamp[:8], region, "s3"), text.encode(), "sha256").hex()


def _words(query: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))


def _object_address(bucket: str, key: str, region: str) -> tuple[str, str, str]:
    """(scheme and host, host, path): the bucket's own host in AWS, a path of the endpoint elsewhere."""
    given, path = config.setting("AWS_ENDPOINT_URL", "none"), quote(key, safe="/-_.~")
    if given == "none":
        host = f"{bucket}.s3.{region}.amazonaws.com"
        return f"https://{host}", host, f"/{path}"
    parts = urlsplit(given)
    return f"{parts.scheme}://{parts.netloc}", parts.netloc, f"/{bucket}/{path}" if path else f"/{bucket}"

"""Sign requests to AWS (Signature Version 4) for JSON services and S3 objects.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import time
from functools import cache, lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from showrunner import config


class Service(NamedTuple):
    """A JSON service: its name in address and signature, prefix of X-Amz-Target, version of the protocol."""

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
def credentials() -> tuple[str, str, str, str]:
    """Region, key id, key, session token.

    An environment's credentials outlive it: Lambda never changes them under a running one.
    """
    token = config.setting("AWS_SESSION_TOKEN", "none")
    return (
        config.setting("AWS_REGION"),
        config.setting("AWS_ACCESS_KEY_ID"),
        config.setting("AWS_SECRET_ACCESS_KEY"),
        token,
    )


@lru_cache(maxsize=4)
def timestamp(parts: tuple[int, ...]) -> str:
    year, month, day, hour, minute, second = parts
    return f"{year:04d}{month:02d}{day:02d}T{hour:02d}{minute:02d}{second:02d}Z"


def headers(service: Service, action: str, host: str, body: bytes, now: time.struct_time) -> dict[str, str]:
    """The headers of a signed POST to `/`."""
    stamp = timestamp(now[:6])
    region, key_id, secret, token = credentials()
    day, name = stamp[:8], service.name
    content_type, target = f"application/x-amz-json-{service.version}", f"{service.target}.{action}"
    token_line = token_name = ""
    if token != "none":  # noqa: S105 - the word for no token
        token_line, token_name = f"x-amz-security-token:{token}\n", "x-amz-security-token;"
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
        "authorization": (
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        ),
    }
    return signed if token == "none" else {**signed, "x-amz-security-token": token}  # noqa: S105


# ------------------------------------------------------------------------------------------------ Objects

METHODS = {
    "get_object": "GET",
    "head_object": "HEAD",
    "put_object": "PUT",
    "put_tagged_object": "PUT",
    "delete_object": "DELETE",
    "list_objects_v2": "GET",
}


def presign(
    operation: str,
    bucket: str,
    key: str,
    seconds: int,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> str:
    """Return a URL that allows one operation on an object, for so many seconds, with exactly these headers.

    It is computed without a call. https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    """
    region, key_id, _, token = credentials()
    base, host, path = object_address(bucket, key, region)
    stamp, given = timestamp(time.gmtime()[:6]), {**(headers or {}), "host": host}
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
    words = query_text(asked)
    signature = sign_s3(
        f"{METHODS[operation]}\n{path}\n{words}\n{header_lines(given)}\n{names}\nUNSIGNED-PAYLOAD",
        stamp,
        scope,
    )
    return f"{base}{path}?{words}&X-Amz-Signature={signature}"


def sign_s3(canonical: str, stamp: str, scope: str) -> str:
    region, _, secret, _ = credentials()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(_key(secret, stamp[:8], region, "s3"), text.encode(), "sha256").hex()


def query_text(query: dict[str, str]) -> str:
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(query.items())
    )


def header_lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))


def object_address(bucket: str, key: str, region: str) -> tuple[str, str, str]:
    """(scheme and host, host, path): the bucket's own host in AWS, a path of the endpoint elsewhere."""
    given, path = config.setting("AWS_ENDPOINT_URL", "none"), quote(key, safe="/-_.~")
    if given == "none":
        host = f"{bucket}.s3.{region}.amazonaws.com"
        return f"https://{host}", host, f"/{path}"
    parts = urlsplit(given)
    return f"{parts.scheme}://{parts.netloc}", parts.netloc, f"/{bucket}/{path}" if path else f"/{bucket}"

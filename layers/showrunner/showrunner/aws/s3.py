"""Objects in the media bucket. Keys are the caller's; the bucket is the stage's."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from html import unescape
from http import HTTPStatus
from typing import Any

from showrunner import config
from showrunner.aws import objects, rpc, sdk, sigv4
from showrunner.errors import StorageDenied, StorageMissing

# Few requests for a large file, and a small part of a function's memory.
PART_BYTES = 8 * 1_048_576
# Tag of the objects that the bucket's lifecycle rule "products" deletes.
PRODUCT = "lifetime=product"
# Large enough that a piece costs nothing beside its bytes, small enough to be nothing beside a function's
# memory.
PIECE_BYTES = 1 << 20


def uri(key: str) -> str:
    """Return s3://bucket/key, as a timeline names its assets."""
    return f"s3://{_bucket()}/{key}"


def key(address: str) -> str:
    """Return the key of an address that `uri` returned."""
    return address.removeprefix(f"s3://{_bucket()}/")


def get_bytes(key: str) -> bytes:
    return _answered(key, objects.request("get_object", _bucket(), key)).body


def put_bytes(key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
    """Store the body and return its sha256 in hexadecimal."""
    _answered(key, objects.request("put_object", _bucket(), key, body=body, content_type=content_type))
    return hashlib.sha256(body).hexdigest()


def put_product(key: str, body: bytes, content_type: str) -> str:
    """Store something paid for, which the bucket deletes after a while. Returns its sha256 in hexadecimal."""
    answer = objects.request(
        "put_tagged_object", _bucket(), key, body=body, content_type=content_type, tagging=PRODUCT
    )
    _answered(key, answer)
    return hashlib.sha256(body).hexdigest()


def get_json(key: str) -> Any:
    return json.loads(get_bytes(key))


def find_json(key: str) -> Any:
    """Return the object's JSON, None if there is no such object."""
    try:
        return get_json(key)
    except StorageMissing:
        return None


def put_json(key: str, value: object) -> str:
    """Store a value as JSON. Returns its sha256 in hexadecimal."""
    return put_bytes(key, _json(value), "application/json")


def put_product_json(key: str, value: object) -> str:
    """Store a value as JSON, as `put_product` does."""
    return put_product(key, _json(value), "application/json")


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def remove(keys: list[str]) -> None:
    """Remove objects. Objects that don't exist are ignored."""
    for key in keys:
        _answered(key, objects.request("delete_object", _bucket(), key))


def list_keys(prefix: str) -> list[str]:
    """Return the keys below a prefix, in their order."""
    found, after = [], ""
    while True:
        keys, more = list_page(prefix, after)
        found += keys
        if not more:
            return found
        after = keys[-1]


def list_page(prefix: str, after: str) -> tuple[list[str], bool]:
    """Return up to 1,000 keys below a prefix behind the key `after`, and whether there are more."""
    query = {"list-type": "2", "prefix": prefix} | ({"start-after": after} if after else {})
    text = _answered(prefix, objects.request("list_objects_v2", _bucket(), query=query)).body.decode()
    keys = [unescape(key) for key in re.findall("<Key>([^<]*)</Key>", text)]
    return keys, bool(keys) and "<IsTruncated>true</IsTruncated>" in text


def probe() -> None:
    """Raise an error unless the bucket answers."""
    _answered("", objects.request("list_objects_v2", _bucket(), query={"list-type": "2", "max-keys": "1"}))


def size(key: str) -> int | None:
    """Return the object's size in bytes, None if there is no such object."""
    try:
        return _answered(key, objects.request("head_object", _bucket(), key)).length
    except StorageMissing:
        return None


def read_parts(key: str, length: int) -> Iterator[bytes]:
    """Yield the first `length` bytes of an object in parts of PART_BYTES, so that memory stays small.

    `stream` needs one request, and imports botocore, for which no route of the API should wait.
    """
    for start in range(0, length, PART_BYTES):
        part = start, min(start + PART_BYTES, length) - 1
        yield _answered(key, objects.request("get_object", _bucket(), key, part=part)).body


def stream(key: str, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from `start` to `end` (exclusive) in small pieces of one response."""
    if start == end:
        return  # S3 refuses a range without bytes
    body = sdk.client("s3").get_object(Bucket=_bucket(), Key=key, Range=f"bytes={start}-{end - 1}")["Body"]
    yield from body.iter_chunks(PIECE_BYTES)


def presigned_get(key: str, seconds: int, filename: str | None = None) -> str:
    """Return a signed URL that downloads the object, valid for so many seconds."""
    query = {"response-content-disposition": f'attachment; filename="{filename}"'} if filename else {}
    return sigv4.presign("get_object", _bucket(), key, seconds, query=query)


def presigned_put(
    key: str, content_type: str, bytes_: int, sha256: str, seconds: int
) -> tuple[str, dict[str, str]]:
    """Return a signed URL that accepts exactly these bytes, and the headers to send with them.

    S3 refuses a body with another length or hash.
    """
    headers = {
        "content-type": content_type,
        "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
    }
    return sigv4.presign(
        "put_object", _bucket(), key, seconds, {**headers, "content-length": str(bytes_)}
    ), headers


def _bucket() -> str:
    return config.setting("MEDIA_BUCKET")


def _answered(key: str, answer: objects.Response) -> objects.Response:
    if answer.status == HTTPStatus.NOT_FOUND:
        raise StorageMissing(f"There is no object {key} in the media bucket.")
    if answer.status == HTTPStatus.FORBIDDEN:
        raise StorageDenied(f"The function may not use {key}: its policy in template.yaml lacks the action.")
    if not 200 <= answer.status < 300:
        raise rpc.AwsError(
            str(answer.status), f"S3 refuses {key}: {answer.body[:300].decode(errors='replace')}"
        )
    return answer

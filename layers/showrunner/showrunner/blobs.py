"""Objects in the media bucket. Keys are the caller's; the bucket is the stage's."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from showrunner import config, signed
from showrunner.errors import StorageDenied, StorageMissing


def uri(key: str) -> str:
    """s3://bucket/key, as a timeline names its assets."""
    return f"s3://{_bucket()}/{key}"


def get_bytes(key: str) -> bytes:
    with _translated(key):
        return bytes(config.aws("s3").get_object(Bucket=_bucket(), Key=key)["Body"].read())


def put_bytes(key: str, body: bytes, content_type: str = "application/octet-stream") -> str:
    """Stores the body and gives its sha256 as hex."""
    with _translated(key):
        config.aws("s3").put_object(Bucket=_bucket(), Key=key, Body=body, ContentType=content_type)
    return hashlib.sha256(body).hexdigest()


def get_json(key: str) -> Any:
    return json.loads(get_bytes(key))


def find_json(key: str) -> Any:
    """As `get_json`, but None when there is no such object: how a step finds its finished product."""
    try:
        return get_json(key)
    except StorageMissing:
        return None


def put_json(key: str, value: object) -> str:
    return put_bytes(key, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), "application/json")


def remove(keys: list[str]) -> None:
    """Removes objects; one that isn't there is no error."""
    for key in keys:
        with _translated(key):
            config.aws("s3").delete_object(Bucket=_bucket(), Key=key)


def list_keys(prefix: str) -> list[str]:
    """Keys below a prefix, in their order."""
    with _translated(prefix):
        pages = config.aws("s3").get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]


def size(key: str) -> int | None:
    """Bytes of the object, None when there is none."""
    try:
        with _translated(key):
            return int(config.aws("s3").head_object(Bucket=_bucket(), Key=key)["ContentLength"])
    except StorageMissing:
        return None


def presigned_get(key: str, seconds: int, filename: str | None = None) -> str:
    """A signed URL that downloads the object for so many seconds."""
    query = {"response-content-disposition": f'attachment; filename="{filename}"'} if filename else {}
    return signed.link("get_object", _bucket(), key, seconds, query=query)


def presigned_put(key: str, content_type: str, bytes_: int, seconds: int) -> str:
    """A signed URL that accepts one upload of exactly this type and size."""
    return signed.link("put_object", _bucket(), key, seconds, {"content-type": content_type, "content-length": str(bytes_)})


def _bucket() -> str:
    return config.setting("MEDIA_BUCKET")


@contextmanager
def _translated(key: str) -> Iterator[None]:
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in ("NoSuchKey", "404", "NotFound", "NoSuchBucket"):
            raise StorageMissing(f"There is no object {key} in the media bucket.") from error
        if code in ("AccessDenied", "403"):
            raise StorageDenied(f"The function may not use {key}: its policy in template.yaml lacks the action.") from error
        raise

"""Objects in the backup bucket, which is encrypted with the stage's key and deletes them in its own time."""

import base64
import json
from collections.abc import Iterator
from typing import IO, Any

from showrunner import config
from showrunner.aws import sdk
from showrunner.errors import StorageMissing

# Read once in months, if ever: half the price of S3 Standard, and a charge for each read.
_STORAGE_CLASS = "STANDARD_IA"


def put_file(key: str, file: IO[bytes], sha256: bytes) -> None:
    """Store an open file from its beginning. S3 refuses it if it has another digest."""
    file.seek(0)
    sdk.client("s3").put_object(
        Bucket=_bucket(),
        Key=key,
        Body=file,
        ContentType="application/gzip",
        StorageClass=_STORAGE_CLASS,
        ChecksumSHA256=base64.b64encode(sha256).decode(),
    )


def read(key: str) -> Any:
    """Return the body of an object as a stream of bytes. Raises StorageMissing."""
    client = sdk.client("s3")
    try:
        return client.get_object(Bucket=_bucket(), Key=key)["Body"]
    except client.exceptions.NoSuchKey as error:
        raise StorageMissing(f"There is no {key} in the backup bucket.") from error


def put_json(key: str, document: dict[str, Any]) -> None:
    """Store a document. It stays in S3 Standard, because every list reads it."""
    body = json.dumps(document, separators=(",", ":")).encode()
    sdk.client("s3").put_object(Bucket=_bucket(), Key=key, Body=body, ContentType="application/json")


def get_json(key: str) -> dict[str, Any]:
    """Return a document. Raises StorageMissing."""
    return dict(json.load(read(key)))


def keys(prefix: str) -> Iterator[str]:
    """Yield the keys below a prefix, in their order."""
    for page in sdk.client("s3").get_paginator("list_objects_v2").paginate(Bucket=_bucket(), Prefix=prefix):
        yield from (each["Key"] for each in page.get("Contents", ()))


def _bucket() -> str:
    return config.setting("BACKUP_BUCKET")

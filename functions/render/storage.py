"""Read and write timelines, assets and results in a folder or in S3 (boto3 honours AWS_ENDPOINT_URL)."""

import contextlib
import json
import os
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from render.errors import AssetRefused, StorageUnavailable

CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".json": "application/json",
}


def is_remote(uri: str) -> bool:
    return uri.startswith("s3://")


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def join(base: str, name: str) -> str:
    """Resolve `name` relative to `base`, the folder or S3 prefix of the timeline.

    Raises AssetRefused for every scheme except s3, and for local files when the timeline is in S3.
    """
    if is_remote(name):
        if not all(_split(name)):
            raise AssetRefused(f"{name} is not a complete S3 address. Write s3://bucket/key.", asset=name)
        return name
    if _SCHEME.match(name):
        raise AssetRefused(
            f"{name} is not read: assets are files or S3 objects (s3://bucket/key).", asset=name
        )
    if is_remote(base) and (name.startswith("/") or ".." in name.split("/")):
        raise AssetRefused(f"{name} is not read: a timeline in S3 can only name objects in S3.", asset=name)
    return name if name.startswith("/") else posixpath.join(base, name)


def parent(uri: str) -> str:
    """Return the folder or S3 prefix that contains `uri`."""
    return posixpath.dirname(uri) if is_remote(uri) else str(Path(uri).resolve().parent)


def _s3() -> Any:
    """Return this process's S3 client. A forked process must not write to connections of its parent."""
    return _s3_client(os.getpid())


@cache
def _s3_client(process: int) -> Any:  # noqa: ARG001 - the cache key
    import boto3  # a render without S3 does not pay for the import
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60),
    )


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@contextlib.contextmanager
def _translated(uri: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as refused:
        if refused.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchBucket", "NotFound"):
            raise FileNotFoundError(uri) from refused
        raise StorageUnavailable(
            f"The object store refused {uri}: {refused.response['Error']['Code']}", asset=uri
        ) from refused
    except BotoCoreError as unreachable:
        raise StorageUnavailable(
            f"The object store cannot be reached for {uri}: {type(unreachable).__name__}", asset=uri
        ) from unreachable


def download(uri: str, path: Path) -> None:
    """Download an object to `path` by way of a .part file, so that `path` is always complete.

    Raises FileNotFoundError, StorageUnavailable.
    """
    part = path.with_name(path.name + ".part")
    with _translated(uri):
        _s3().download_file(*_split(uri), str(part))
    part.replace(path)


def read_bytes(uri: str) -> bytes:
    """Return the content of a file or object. Raises FileNotFoundError, StorageUnavailable."""
    if not is_remote(uri):
        return Path(uri).read_bytes()
    bucket, key = _split(uri)
    with _translated(uri):
        body: bytes = _s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


class Destination:
    """The folder or S3 prefix that receives the result.

    Files appear there complete: by rename, or as one put.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri if is_remote(uri) else str(Path(uri).resolve())
        self.remote = is_remote(uri)

    def scratch(self, video_id: str) -> Path:
        """Create and return the folder for intermediate files.

        It is inside a local destination, because a rename is atomic only within one file system; otherwise in
        the system's temporary folder.
        """
        folder = (
            Path(tempfile.gettempdir()) / f"render-{_file_name(video_id)}"
            if self.remote
            else Path(self.uri) / ".work"
        )
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, path: Path, name: str) -> None:
        """Copy the file `path` to `name` at the destination. Raises StorageUnavailable, OSError."""
        target = posixpath.join(self.uri, name)
        if self.remote:
            extra = {"ContentType": CONTENT_TYPES.get(path.suffix, "application/octet-stream")}
            if name.startswith("segments/"):
                # The bucket's lifecycle rule deletes them after a week.
                extra["Tagging"] = "lifetime=week"
            with _translated(target):
                _s3().upload_file(str(path), *_split(target), ExtraArgs=extra)
            return
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        part = Path(target + ".part")
        try:
            os.link(path, part)
        except OSError:
            shutil.copyfile(path, part)
        part.replace(target)

    def put_text(self, text: str, name: str) -> None:
        """Write a small JSON object without a local file. Only for S3 destinations."""
        target = posixpath.join(self.uri, name)
        bucket, key = _split(target)
        with _translated(target):
            _s3().put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=CONTENT_TYPES[".json"])

    def publish_json(self, document: Any, name: str, work: Path) -> None:
        """Write a JSON document to `name`; `work` is the folder for the local copy."""
        path = work / name
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        self.publish(path, name)

    def fetch(self, name: str, path: Path) -> bool:
        """Copy `name` from the destination to `path`. Returns False if it does not exist."""
        target = posixpath.join(self.uri, name)
        try:
            if self.remote:
                download(target, path)
            else:
                part = path.with_name(path.name + ".part")
                shutil.copyfile(target, part)
                part.replace(path)
        except FileNotFoundError:
            return False
        return True

    def names(self, prefix: str) -> set[str]:
        """List the files below `prefix`; names are relative to the destination."""
        if not self.remote:
            paths = (path for path in Path(self.uri, prefix).rglob("*") if path.is_file())
            return {str(path.relative_to(self.uri)) for path in paths if not path.name.endswith(".part")}
        bucket, key = _split(posixpath.join(self.uri, prefix))
        base = key.rstrip("/")
        found: set[str] = set()
        with _translated(self.uri):
            for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{base}/"):
                found |= {prefix.rstrip("/") + item["Key"][len(base) :] for item in page.get("Contents", [])}
        return found

    def remove(self, name: str) -> None:
        """Delete `name` if it exists."""
        target = posixpath.join(self.uri, name)
        if self.remote:
            bucket, key = _split(target)
            with _translated(target):
                _s3().delete_object(Bucket=bucket, Key=key)
            return
        Path(target).unlink(missing_ok=True)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:80]

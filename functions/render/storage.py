"""Where timelines, assets and results lie: a folder on this machine, or a prefix in S3 (AWS_ENDPOINT_URL is honoured by boto3 itself)."""

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

CONTENT_TYPES = {".mp4": "video/mp4", ".jpg": "image/jpeg", ".srt": "application/x-subrip", ".vtt": "text/vtt", ".json": "application/json"}


def is_remote(uri: str) -> bool:
    return uri.startswith("s3://")


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def join(base: str, name: str) -> str:
    """`name` as seen from the timeline's own place. Raises AssetRefused for any scheme but s3, and, when the timeline lies in S3, for files of this machine."""
    if is_remote(name):
        if not all(_split(name)):
            raise AssetRefused(f"An asset's address is s3://bucket/key, not {name}", asset=name)
        return name
    if _SCHEME.match(name):
        raise AssetRefused(f"Assets are files or objects in S3, and nothing is fetched from elsewhere: {name}", asset=name)
    if is_remote(base) and (name.startswith("/") or ".." in name.split("/")):
        raise AssetRefused(f"A timeline in S3 names objects in S3 only, not files of the machine that renders: {name}", asset=name)
    return name if name.startswith("/") else posixpath.join(base, name)


def parent(uri: str) -> str:
    return posixpath.dirname(uri) if is_remote(uri) else str(Path(uri).resolve().parent)


def _s3() -> Any:
    return _client_of(os.getpid())


@cache
def _client_of(process: int) -> Any:  # noqa: ARG001 - the key: connections that were open at a fork would be written to by several processes at once
    import boto3  # only a render that touches S3 pays for the import
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60))


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
        raise StorageUnavailable(f"The object store refused {uri}: {refused.response['Error']['Code']}", asset=uri) from refused
    except BotoCoreError as unreachable:
        raise StorageUnavailable(f"The object store cannot be reached for {uri}: {type(unreachable).__name__}", asset=uri) from unreachable


def download(uri: str, path: Path) -> None:
    """Whole or not at all: a killed download leaves no file that looks complete. Raises FileNotFoundError."""
    part = path.with_name(path.name + ".part")
    with _translated(uri):
        _s3().download_file(*_split(uri), str(part))
    part.replace(path)


def read_bytes(uri: str) -> bytes:
    if not is_remote(uri):
        return Path(uri).read_bytes()
    bucket, key = _split(uri)
    with _translated(uri):
        body: bytes = _s3().get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


class Destination:
    """The folder or prefix that receives the result. What appears there is complete: files are renamed into place, objects are put whole."""

    def __init__(self, uri: str) -> None:
        self.uri = uri if is_remote(uri) else str(Path(uri).resolve())
        self.remote = is_remote(uri)

    def scratch(self, video_id: str) -> Path:
        """For intermediate files. Inside a local destination (same file system, so that renaming is atomic), else in the temporary folder."""
        folder = Path(tempfile.gettempdir()) / f"render-{_safe(video_id)}" if self.remote else Path(self.uri) / ".work"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def publish(self, path: Path, name: str) -> None:
        target = posixpath.join(self.uri, name)
        if self.remote:
            extra = {"ContentType": CONTENT_TYPES.get(path.suffix, "application/octet-stream")}
            if name.startswith("segments/"):
                # The bucket's lifecycle deletes by it what a render left that failed and was never retried.
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
        """A small object straight from memory; remote destinations only."""
        target = posixpath.join(self.uri, name)
        bucket, key = _split(target)
        with _translated(target):
            _s3().put_object(Bucket=bucket, Key=key, Body=text.encode(), ContentType=CONTENT_TYPES[".json"])

    def publish_text(self, text: str, name: str, work: Path) -> None:
        path = work / name.replace("/", "_")
        path.write_text(text, encoding="utf-8")
        self.publish(path, name)

    def publish_json(self, document: Any, name: str, work: Path) -> None:
        self.publish_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", name, work)

    def fetch(self, name: str, path: Path) -> bool:
        """Brings one of our own earlier files here; False where there is none."""
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
        """What lies below a prefix, relative to the destination."""
        if not self.remote:
            return {str(path.relative_to(self.uri)) for path in Path(self.uri, prefix).rglob("*") if path.is_file() and not path.name.endswith(".part")}
        bucket, key = _split(posixpath.join(self.uri, prefix))
        found: set[str] = set()
        with _translated(self.uri):
            for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key.rstrip("/") + "/"):
                found |= {prefix.rstrip("/") + item["Key"][len(key.rstrip("/")) :] for item in page.get("Contents", [])}
        return found

    def remove(self, name: str) -> None:
        target = posixpath.join(self.uri, name)
        if self.remote:
            bucket, key = _split(target)
            with _translated(target):
                _s3().delete_object(Bucket=bucket, Key=key)
            return
        Path(target).unlink(missing_ok=True)


def _safe(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:80]

"""YouTube's resumable uploads: https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol.

Both paths of the discovery document and the guide. The bytes are streamed to a file: a film of many gigabytes
needs no memory.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlencode

from local.platforms import discovery, owner, rules, schemas, youtube
from local.platforms.http import Reply, Request
from local.platforms.library import Json, Library, Upload, Uploaded
from local.platforms.owner import HangUp, scripted
from local.platforms.world import World
from local.platforms.youtube import ApiError

PATHS = ("/upload/youtube/v3/videos", "/resumable/upload/youtube/v3/videos")
UNIT_BYTES = 262_144
MOST_BYTES = 274_877_906_944
PIECE_BYTES = 1 << 20


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Body:
    """A request's body as it comes from the network."""

    file: Readable
    length: int

    def pieces(self) -> Iterator[bytes]:
        left = self.length
        while left:
            piece = self.file.read(min(PIECE_BYTES, left))
            if not piece:
                return  # the sender hung up
            left -= len(piece)
            yield piece


def answer(world: World, request: Request, body: Body) -> Reply:
    """Return the reply to a call of PATHS. Raises HangUp."""
    try:
        if "upload_id" in request.query:
            return _continue(world, request, body)
        return _start(world, request, b"".join(body.pieces()))
    except ApiError as error:
        return Reply.json(error.body, error.status)


def _start(world: World, request: Request, raw: bytes) -> Reply:
    library = world.library
    called = discovery.method(youtube.API, "POST", "/youtube/v3/videos")
    if request.method != "POST" or called is None:
        return Reply(404)
    library.inserts += 1
    fault = library.take_fault("uploads.start")
    scripted(fault, before=True)
    channel_id = owner.channel_of(world, request, called)
    if library.inserts > library.inserts_a_day:
        raise ApiError(
            403,
            "quotaExceeded",
            "The request cannot be completed because you have exceeded your quota.",
            "youtube.quota",
        )
    query = {name: value for name, value in request.query.items() if name != "uploadType"}
    if request.query.get("uploadType") != "resumable":
        raise ApiError(400, "badRequest", "The stand-in takes uploadType=resumable only.", "global")
    problem = discovery.check(youtube.API, called, query)
    if problem:
        raise ApiError(400, problem.reason, problem.message, "youtube.parameter", "INVALID_ARGUMENT")
    document = _document(raw, called)
    size = int(request.headers.get("x-upload-content-length", "0"))
    kind = request.headers.get("x-upload-content-type", "")
    if not 0 < size <= MOST_BYTES or not (kind.startswith("video/") or kind == "application/octet-stream"):
        raise ApiError(
            400, "mediaBodyRequired", "The request does not include the video content.", "youtube.video"
        )
    rules.require_metadata(document)
    if channel_id in library.full:
        raise ApiError(
            400,
            "uploadLimitExceeded",
            "The user has exceeded the number of videos they may upload.",
            "youtube.video",
        )
    key = secrets.token_urlsafe(24)
    library.uploads[key] = Upload(key, channel_id, document, size, Path(library.storage.name) / f"{key}.mp4")
    library.uploads[key].path.touch()
    scripted(fault, before=False)
    return Reply(200, headers={"location": _address(request, key)})


def _address(request: Request, key: str) -> str:
    return f"{request.base}{request.path}?{urlencode({'uploadType': 'resumable', 'upload_id': key})}"


def _document(raw: bytes, called: Json) -> Json:
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "parseError", "Parse Error", "global") from error
    problem = schemas.check_body(youtube.API, called, document)
    if problem:
        raise ApiError(400, problem.reason, problem.message, "global", "INVALID_ARGUMENT")
    found: Json = document
    return found


def _continue(world: World, request: Request, body: Body) -> Reply:
    library = world.library
    upload = library.uploads.get(request.query["upload_id"])
    asked = request.headers.get("content-range", "")
    fault = library.take_fault("uploads.ask" if asked.startswith("bytes */") else "uploads.send")
    if fault and fault["kind"] == "gone":
        if upload and fault.get("after_bytes") is not None:
            _store(library, upload, body, _range(asked, upload, body), None)
        library.uploads.pop(request.query["upload_id"], None)
        return Reply(int(fault.get("status", 404)))
    if "after_bytes" not in (fault or {}):
        scripted(fault, before=True)
    if request.method != "PUT":
        return Reply(405)
    if upload is None:
        return Reply(404, b"Not Found", "text/plain")
    _require_token(world, request)
    with upload.lock:
        reply = _received(library, upload, request, body, asked, fault)
    if "after_bytes" not in (fault or {}):
        scripted(fault, before=False)
    return reply


def _require_token(world: World, request: Request) -> None:
    """The session's address authorises by itself; a token that is sent all the same must be one."""
    token = request.headers.get("authorization", "").partition(" ")[2]
    if token and token not in world.sign_ins.access_tokens:
        raise ApiError(401, "authError", "Invalid Credentials", "global", "UNAUTHENTICATED")


def _received(
    library: Library, upload: Upload, request: Request, body: Body, asked: str, fault: Json | None
) -> Reply:
    if (
        upload.video_id is None
        and not asked.startswith("bytes */")
        and (fault or {}).get("kind") != "no_range"
    ):
        start = _range(asked, upload, body)
        most = (fault or {}).get("after_bytes")
        _store(library, upload, body, start, most)
        if most is not None:
            scripted(fault, before=True)
            raise HangUp
    if upload.video_id is not None:
        return Reply.json(owner.resource(library, library.videos[upload.video_id]))
    if (fault or {}).get("kind") == "no_range":
        list(body.pieces())
        upload.stored, upload.sha256 = 0, hashlib.sha256()
        upload.path.write_bytes(b"")
    headers = {"range": f"bytes=0-{upload.stored - 1}"} if upload.stored else {}
    if (fault or {}).get("kind") == "move":
        key = secrets.token_urlsafe(24)
        library.uploads[key] = library.uploads.pop(upload.id)
        upload.id = key
        headers["location"] = _address(request, key)
    return Reply(308, headers=headers)


def _range(asked: str, upload: Upload, body: Body) -> int:
    """The first byte of the request. Raises ApiError."""
    if not asked:
        if upload.stored or body.length != upload.size:
            raise ApiError(400, "badContentRange", "Failed to parse Content-Range header.", "global")
        return 0
    try:
        span, total = asked.removeprefix("bytes ").split("/")
        start, last = map(int, span.split("-"))
    except ValueError as error:
        raise ApiError(400, "badContentRange", "Failed to parse Content-Range header.", "global") from error
    end = last + 1
    wrong = (
        int(total) != upload.size or end > upload.size or end - start != body.length or start > upload.stored
    )
    if wrong or (end < upload.size and (end - start) % UNIT_BYTES):
        raise ApiError(400, "badContentRange", "Failed to parse Content-Range header.", "global")
    return start


def _store(library: Library, upload: Upload, body: Body, start: int, most: int | None) -> None:
    """Store what comes, at most `most` bytes of it. Bytes that are there already are read and left out."""
    at = start
    with upload.path.open("ab") as file:
        for piece in body.pieces():
            fresh = piece[max(0, upload.stored - at) :]
            at += len(piece)
            if most is not None and upload.stored - start + len(fresh) > most:
                fresh = fresh[: max(0, most - (upload.stored - start))]
            file.write(fresh)
            upload.sha256.update(fresh)
            upload.stored += len(fresh)
            if most is not None and upload.stored - start >= most:
                break
    if upload.stored == upload.size and upload.video_id is None:
        finish(library, upload)


def finish(library: Library, upload: Upload) -> None:
    """The last byte has arrived: the video exists."""
    key = secrets.token_urlsafe(8)[:11].ljust(11, "A")
    resource = {
        "snippet": dict(upload.body.get("snippet", {})),
        "status": {"privacyStatus": "public", **upload.body.get("status", {})},
    }
    upload.video_id = key
    library.videos[key] = Uploaded(
        key, upload.channel_id, resource, upload.size, upload.sha256.hexdigest(), upload.path, time.time()
    )

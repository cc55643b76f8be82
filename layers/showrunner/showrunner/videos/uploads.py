"""Check users' uploads: allowed types and sizes, and whether the file is the announced one."""

import base64
import binascii
import hashlib
from typing import Any

from showrunner.access import limits
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import InvalidRequest, LimitExceeded
from showrunner.production import pictures, sounds
from showrunner.store.studio import assets
from showrunner.videos.asset_schemas import NewAsset
from showrunner.web import audit
from showrunner.web.routing import Request

MEGABYTE = 1_048_576
UPLOAD_SECONDS = 3600

# Content type -> (possible kinds of asset, signatures at byte offsets). The first bytes decide, not the name.
TYPES: dict[str, tuple[tuple[str, ...], tuple[tuple[int, bytes], ...]]] = {
    "image/jpeg": (("image", "thumbnail"), ((0, b"\xff\xd8\xff"),)),
    "image/png": (("image", "thumbnail"), ((0, b"\x89PNG\r\n\x1a\n"),)),
    "image/webp": (("image",), ((8, b"WEBP"),)),
    "video/mp4": (("clip",), ((4, b"ftyp"),)),
    "video/webm": (("clip",), ((0, b"\x1a\x45\xdf\xa3"),)),
    "video/quicktime": (("clip",), ((4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (4, b"wide"))),
    "audio/mpeg": (("audio",), ((0, b"ID3"), (0, b"\xff\xfb"), (0, b"\xff\xf3"), (0, b"\xff\xf2"))),
    "audio/wav": (("audio",), ((8, b"WAVE"),)),
    "audio/mp4": (("audio",), ((4, b"ftyp"),)),
    "audio/ogg": (("audio",), ((0, b"OggS"),)),
}
# HEIC and AVIF photographs are files of the MP4 family with these brands at byte 8.
_PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
# A thumbnail may also come in a request's body, of which Lambda takes 6 MB. YouTube itself takes 50 MB:
# https://developers.google.com/youtube/v3/docs/thumbnails/set. The others are what one request can hash
# within its 30 s.
MAX_BYTES = {
    "thumbnail": 3 * MEGABYTE,
    "image": 20 * MEGABYTE,
    "audio": 50 * MEGABYTE,
    "clip": 200 * MEGABYTE,
}


# YouTube's minimum: https://support.google.com/youtube/answer/72431
THUMBNAIL_WIDTH = 640


def check_announced(body: NewAsset) -> None:
    """Raise InvalidRequest if the type isn't one of this kind, or the file is too large for it."""
    if body.kind not in TYPES[body.content_type][0]:
        message = f"{body.content_type} can't be a {body.kind}"
        raise InvalidRequest(f"{message}.", [{"field": "content_type", "message": message}])
    most = MAX_BYTES[body.kind]
    if body.bytes > most:
        message = f"a {body.kind} has at most {most} bytes"
        raise InvalidRequest(f"The file is too large: {message}.", [{"field": "bytes", "message": message}])


def require_space(tx: db.Transaction, organisation_id: str, size_bytes: int) -> None:
    """Raise LimitExceeded (QUOTA_EXCEEDED) if the plan allows no more assets or bytes."""
    assets.lock(tx, organisation_id)
    limit = limits.of_organisation(tx, organisation_id)
    count, used = assets.usage(tx, organisation_id)
    if count >= limit["assets"] or used + size_bytes > limit["asset_bytes"]:
        message = (
            f"Your organisation may store {limit['assets']} files with {limit['asset_bytes']} bytes in all "
            f"and has {count} with {used}: "
            "delete some (DELETE /assets/{id}), or ask for more."
        )
        raise LimitExceeded(message, retry_after=limits.DAY, code="QUOTA_EXCEEDED")


def check(organisation_id: str, asset_id: str) -> str:
    """Compare an uploaded file with what was announced, and return the asset's status.

    pending: nothing was uploaded yet; ready; refused: the file differs and was deleted."""
    with db.reading() as tx:
        asset = assets.get(tx, organisation_id, asset_id)
    if asset["status"] != "pending":
        return str(asset["status"])
    size_bytes = s3.size(asset["object_key"])
    if size_bytes is None:
        return "pending"
    ready = size_bytes == asset["bytes"] and _has_content(asset)
    if not ready:
        s3.remove([asset["object_key"]])
    status = "ready" if ready else "refused"
    with db.transaction() as tx:
        assets.save_status(tx, organisation_id, asset_id, status)
    return status


def _has_content(asset: dict[str, Any]) -> bool:
    """Return whether the file has the announced hash and is one of its type and kind.

    Music that can't be played is found here: the render would find it after everything else was paid for.
    """
    digest, first, sound = hashlib.sha256(), b"", bytearray()
    for part in s3.read_parts(asset["object_key"], asset["bytes"]):
        first = first or part
        digest.update(part)
        if asset["kind"] == "audio":
            sound += part
    if digest.hexdigest() != asset["sha256"] or not _begins_like(asset["content_type"], first):
        return False
    if asset["kind"] == "audio":
        return sounds.is_playable(bytes(sound))
    return asset["kind"] != "thumbnail" or find_thumbnail_fault(first) is None


def _begins_like(content_type: str, first: bytes) -> bool:
    if first[4:8] == b"ftyp" and first[8:12] in _PICTURE_BRANDS:
        return False
    return any(first.startswith(sign, at) for at, sign in TYPES[content_type][1])


def find_thumbnail_fault(picture: bytes) -> str | None:
    """Return what is wrong with a JPEG or PNG file as a thumbnail, None if nothing is."""
    size = pictures.find_size(picture)
    if size is None:
        return "is no JPEG or PNG file that can be read"
    if size[0] < THUMBNAIL_WIDTH:
        return f"is {size[0]} pixels wide; YouTube takes thumbnails of at least {THUMBNAIL_WIDTH}"
    return None


def read_thumbnail(text: str) -> bytes:
    """Return the picture of a request's field `thumbnail_image`. Raises InvalidRequest that names it."""
    try:
        picture = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        picture = b""
    fault = find_thumbnail_fault(picture) if picture else "is not in base64"
    if len(picture) > MAX_BYTES["thumbnail"]:
        fault = f"has {len(picture)} bytes; a thumbnail has at most {MAX_BYTES['thumbnail']}"
    if fault:
        raise InvalidRequest(
            f"The thumbnail can't be used: it {fault}.", [{"field": "thumbnail_image", "message": fault}]
        )
    return picture


def store_thumbnail(request: Request, picture: bytes) -> str:
    """Store a checked picture as an asset of kind thumbnail, once for the same bytes. Returns the asset's id.

    Raises LimitExceeded.
    """
    organisation_id, sha256 = request.organisation_id, hashlib.sha256(picture).hexdigest()
    content_type = "image/png" if _begins_like("image/png", picture) else "image/jpeg"
    with db.transaction() as tx:
        known = assets.find_thumbnail(tx, organisation_id, sha256)
        if known:
            return known
        require_space(tx, organisation_id, len(picture))
        row = assets.add(tx, organisation_id, "thumbnail", content_type, len(picture), sha256, None, None, [])
        audit.record(tx, request, "add", "asset", row["id"], kind="thumbnail", bytes=len(picture))
    # A row without its object stays pending and goes after a day, as one whose upload never came.
    s3.put_bytes(row["object_key"], picture, content_type)
    with db.transaction() as tx:
        assets.save_status(tx, organisation_id, row["id"], "ready")
    return str(row["id"])

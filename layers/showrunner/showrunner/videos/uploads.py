"""Check users' uploads: allowed types and sizes, and whether the file is the announced one."""

import hashlib
from typing import Any

from showrunner.access import limits
from showrunner.aws import s3
from showrunner.database import db
from showrunner.errors import InvalidRequest, LimitExceeded
from showrunner.store.studio import assets
from showrunner.videos.asset_schemas import NewAsset

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
# YouTube accepts thumbnails up to 2 MB (https://developers.google.com/youtube/v3/docs/thumbnails/set).
# The others are what one request can hash within its 30 s.
MAX_BYTES = {
    "thumbnail": 2 * MEGABYTE,
    "image": 20 * MEGABYTE,
    "audio": 50 * MEGABYTE,
    "clip": 200 * MEGABYTE,
}


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
    """Return whether the file has the announced hash and begins like a file of its type."""
    digest, first = hashlib.sha256(), b""
    for part in s3.read_parts(asset["object_key"], asset["bytes"]):
        first = first or part[:64]
        digest.update(part)
    if first[4:8] == b"ftyp" and first[8:12] in _PICTURE_BRANDS:
        return False
    signatures = TYPES[asset["content_type"]][1]
    return digest.hexdigest() == asset["sha256"] and any(
        first[at:].startswith(sign) for at, sign in signatures
    )

"""Users' uploads: what they may be, and whether what arrived is what was announced."""

import hashlib

from showrunner import config
from showrunner.aws import s3, sdk
from showrunner.database import db
from showrunner.errors import StorageMissing
from showrunner.store.studio import assets

MEGABYTE = 1_048_576
UPLOAD_SECONDS = 3600

# Content type -> (kinds that it can be, how such a file begins). A file is what its first bytes say, whatever its name claims.
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
# YouTube takes thumbnails to 2 MB (https://developers.google.com/youtube/v3/docs/thumbnails/set); the others are what one request can hash in its 30 s.
MOST_BYTES = {"thumbnail": 2 * MEGABYTE, "image": 20 * MEGABYTE, "audio": 50 * MEGABYTE, "clip": 200 * MEGABYTE}


def check(organisation_id: str, asset_id: str) -> str:
    """The asset's status after looking at what was uploaded: pending while nothing has, ready, or refused (then the file is deleted)."""
    with db.reading() as tx:
        asset = assets.get(tx, organisation_id, asset_id)
    if asset["status"] != "pending":
        return str(asset["status"])
    try:
        fits = _fits(asset["object_key"], asset["content_type"], asset["bytes"], asset["sha256"])
    except StorageMissing:
        return "pending"
    if not fits:
        remove(asset["object_key"])
    status = "ready" if fits else "refused"
    with db.transaction() as tx:
        assets.save_status(tx, organisation_id, asset_id, status)
    return status


def _fits(key: str, content_type: str, size_bytes: int, sha256: str) -> bool:
    if s3.size(key) is None:
        raise StorageMissing("Nothing was uploaded yet.")
    if s3.size(key) != size_bytes:
        return False
    digest, first = hashlib.sha256(), b""
    body = sdk.client("s3").get_object(Bucket=config.setting("MEDIA_BUCKET"), Key=key)["Body"]
    for chunk in body.iter_chunks(MEGABYTE):
        first = first or chunk[:64]
        digest.update(chunk)
    return digest.hexdigest() == sha256 and any(first[place:].startswith(sign) for place, sign in TYPES[content_type][1])


def remove(key: str) -> None:
    sdk.client("s3").delete_object(Bucket=config.setting("MEDIA_BUCKET"), Key=key)

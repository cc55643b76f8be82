"""Name the S3 objects of a video: the one module that knows their keys."""

import hashlib
import json
from typing import Any


def video_folder(organisation_id: str, video_id: str) -> str:
    """Where a video's own objects lie in the media bucket."""
    return f"organisations/{organisation_id}/videos/{video_id}"


def product_key(organisation_id: str, step: str, digest: str, suffix: str) -> str:
    """Where something paid for lies, by the hash of what it was made from: found again by whoever asks for the same."""
    return f"organisations/{organisation_id}/products/{step}/{digest}.{suffix}"


def digest(*parts: Any) -> str:
    """sha256 as hex over the parts in order: the name of a product."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

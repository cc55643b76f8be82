"""Check the files that a render has written against its report."""

import hashlib
from typing import Any

from showrunner.aws import s3
from showrunner.errors import RenderIncomplete
from showrunner.production import files


def check(folder: str, report: dict[str, Any]) -> None:
    """Raise RenderIncomplete unless every file of the report exists as it was written.

    A video must have the size and the sha256 of the report, its thumbnails and captions their sha256. Renders
    from before thumbnails and captions had one are in flight during a release: theirs must not be empty.
    """
    if not report["outputs"]:
        raise RenderIncomplete("The render's report has no outputs.")
    for output in report["outputs"]:
        _check_video(files.output_key(folder, output["file"]), output)
        for kind in files.BESIDE_A_VIDEO:
            if output.get(kind):
                sha256 = output.get("sha256_beside", {}).get(kind)
                _check_beside(files.output_key(folder, output[kind]), sha256)


def _check_beside(key: str, sha256: str | None) -> None:
    size = s3.size(key)
    if not size:
        raise RenderIncomplete(f"{key} is missing or empty.")
    if sha256:
        _check_sha256(key, size, sha256)


def _check_video(key: str, output: dict[str, Any]) -> None:
    size = s3.size(key)
    if not size or size != output["bytes"]:
        found = "is missing" if size is None else f"has {size} bytes"
        raise RenderIncomplete(f"{key} {found}; the render reported {output['bytes']} bytes.")
    _check_sha256(key, size, output["sha256"])


def _check_sha256(key: str, size: int, sha256: str) -> None:
    digest = hashlib.sha256()
    for part in s3.read_parts(key, size):
        digest.update(part)
    if digest.hexdigest() != sha256:
        raise RenderIncomplete(f"{key} has another sha256 than the render reported.")

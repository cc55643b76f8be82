"""Download and check all assets of a timeline before drawing starts."""

import hashlib
import posixpath
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from render import storage
from render.errors import AssetCorrupt, AssetMissing
from render.plan.timeline import Asset, Timeline

# Enough to hide the latency of S3; more connections only share the same bandwidth.
PARALLEL_DOWNLOADS = 8


def fetch_all(timeline: Timeline, base: str, work: Path) -> dict[str, Path]:
    """Return the local path of each asset by its URI, after downloading what lies in S3.

    `base` is the folder or S3 prefix of the timeline; relative URIs start there. Empty files and wrong
    SHA-256 sums are refused. Raises AssetMissing, AssetCorrupt, AssetRefused, StorageUnavailable.
    """
    by_uri = {asset.uri: (role, asset) for role, asset in timeline.assets()}
    folder = work / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        paths = pool.map(lambda item: _fetch(item[0], item[1], base, folder), by_uri.values())
        return dict(zip(by_uri, paths, strict=True))


def _fetch(role: str, asset: Asset, base: str, folder: Path) -> Path:
    uri = storage.join(base, asset.uri)
    try:
        path = _local_path(uri, folder)
    except FileNotFoundError as missing:
        raise AssetMissing(f"{role.capitalize()} is missing: {asset.uri}", asset=asset.uri) from missing
    except IsADirectoryError as wrong:
        raise AssetCorrupt(
            f"{role.capitalize()} is a folder, not a file: {asset.uri}", asset=asset.uri
        ) from wrong
    _check_content(path, role, asset)
    return path


def _local_path(uri: str, folder: Path) -> Path:
    """Return the file itself, or its download in `folder`. Raises FileNotFoundError, IsADirectoryError."""
    if not storage.is_remote(uri):
        path = Path(uri)
        if path.is_dir():
            raise IsADirectoryError(uri)
        if not path.is_file():
            raise FileNotFoundError(uri)
        return path
    suffix = posixpath.splitext(uri)[1][:10]
    path = folder / (hashlib.sha256(uri.encode()).hexdigest()[:32] + suffix)
    if not path.exists():
        storage.download(uri, path)
    return path


def _check_content(path: Path, role: str, asset: Asset) -> None:
    if path.stat().st_size == 0:
        raise AssetCorrupt(f"{role.capitalize()} is empty (0 bytes): {asset.uri}", asset=asset.uri)
    if asset.sha256 and sha256(path) != asset.sha256:
        raise AssetCorrupt(
            f"{role.capitalize()} is not the file that was planned (its SHA-256 differs): {asset.uri}",
            asset=asset.uri,
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

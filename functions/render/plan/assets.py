"""Brings every asset of a timeline onto this machine, checked, before a single frame is drawn."""

import hashlib
import posixpath
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from render import storage
from render.errors import AssetCorrupt, AssetMissing
from render.plan.timeline import Asset, Timeline

# Enough to hide the object store's latency; more would only compete for one network card.
PARALLEL_DOWNLOADS = 8


def fetch_all(timeline: Timeline, base: str, work: Path) -> dict[str, Path]:
    """URI → local file. `base` is the timeline's own folder or prefix, for relative paths. Raises AssetMissing or AssetCorrupt."""
    wanted = {asset.uri: (role, asset) for role, asset in timeline.assets()}
    folder = work / "assets"
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        found = pool.map(lambda item: _fetch(item[0], item[1], base, folder), wanted.values())
        return dict(zip(wanted, found, strict=True))


def _fetch(role: str, asset: Asset, base: str, folder: Path) -> Path:
    uri = storage.join(base, asset.uri)
    try:
        path = _local(uri, folder)
    except FileNotFoundError as missing:
        raise AssetMissing(f"{role.capitalize()} is missing: {asset.uri}", asset=asset.uri) from missing
    except IsADirectoryError as wrong:
        raise AssetCorrupt(f"{role.capitalize()} is a folder, not a file: {asset.uri}", asset=asset.uri) from wrong
    _check(path, role, asset)
    return path


def _local(uri: str, folder: Path) -> Path:
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


def _check(path: Path, role: str, asset: Asset) -> None:
    if path.stat().st_size == 0:
        raise AssetCorrupt(f"{role.capitalize()} is empty (0 bytes): {asset.uri}", asset=asset.uri)
    if asset.sha256 and sha256(path) != asset.sha256:
        raise AssetCorrupt(f"{role.capitalize()} is not the file that was planned (its SHA-256 differs): {asset.uri}", asset=asset.uri)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

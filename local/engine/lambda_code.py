"""Unpacked function code and layers, shared by all workers with the same code: unpacking a large layer takes
seconds.
"""

import hashlib
import io
import shutil
import stat
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

# AWS refuses to publish more than this (function and layers together).
UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024

_lock = threading.Lock()


def unpacked(folder: Path, archives: Sequence[bytes]) -> Path:
    """Return a folder with these archives unpacked over each other in order, like Lambda's layers in /opt."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(archive).digest() for archive in archives)).hexdigest()
    target = folder / digest
    with _lock:
        if not target.exists():
            _unpack(target, archives)
    return target


def _unpack(target: Path, archives: Sequence[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix="partial-"))
    try:
        for archive in archives:
            with zipfile.ZipFile(io.BytesIO(archive)) as packed:
                _extract(packed, partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _extract(packed: zipfile.ZipFile, folder: Path) -> None:
    """Run `extractall` and keep the permissions, which it drops: a layer's /opt/bin must stay executable."""
    for member in packed.infolist():
        path = packed.extract(member, folder)
        mode = stat.S_IMODE(member.external_attr >> 16)
        if mode and not member.is_dir():
            Path(path).chmod(mode | stat.S_IRUSR | stat.S_IWUSR)

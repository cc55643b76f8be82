"""Open what was dropped: gzip, zip, gzip in zip, zip in zip, or plain text. Decides by magic bytes alone.

Nothing is trusted: the number of files, their depth and the bytes that they unpack to are bounded.
"""

import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, cast

from isal import igzip, isal_zlib

# A month of the largest partners has some tens of files.
MAX_FILES = 200
# A folder download is a zip of zips of gzip.
MAX_DEPTH = 3
# The largest file that we know of has 850 MB. The bound keeps a bomb from filling the disk and the time.
MAX_UNPACKED_BYTES = 4 << 30
# Room on the function's disk for zips inside a zip.
MAX_NESTED_BYTES = 2 << 30

# The list of a zip's files is read as a whole; 22,000 short names have so much.
MAX_LIST_BYTES = 1 << 20
# A record's key has the name, and an entry of its index 2,700 bytes at most. Windows allows 260 characters.
MAX_NAME_BYTES = 500
# Others take memory as the file says (LZMA), or Python doesn't read them (Deflate64).
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
# UnicodeDecodeError: a name that isn't UTF-8 as it says. The stub of isal has its error as an object.
_BROKEN = (
    *(EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
    *(UnicodeDecodeError, cast("type[Exception]", isal_zlib.error)),
)


class Refused(ValueError):
    """The file can't be loaded. The message tells the person who sent it why, and what to do."""


class Payload(NamedTuple):
    """A report inside a file. `name` is its path inside, empty for the file itself.

    size: its bytes when unpacked, as the file says; 0 if unknown, and wrong for damaged files.
    """

    name: str
    open: Callable[[], "Bounded"]
    size: int = 0


class Bounded(io.RawIOBase):
    """A stream that raises Refused after MAX_UNPACKED_BYTES, or where its compressed data is broken."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name, self._left = stream, name, MAX_UNPACKED_BYTES

    def readable(self) -> bool:
        return True

    @property
    def position(self) -> int:
        """The bytes that were read."""
        return MAX_UNPACKED_BYTES - self._left

    def read(self, size: int = -1) -> bytes:
        try:
            found = self._stream.read(size)
        except _BROKEN as error:
            raise Refused(f"{self._name} is incomplete or damaged: upload it again.") from error
        self._left -= len(found)
        if self._left < 0:
            raise Refused(f"{self._name} unpacks to more than {MAX_UNPACKED_BYTES >> 30} GB.")
        return found

    def close(self) -> None:
        self._stream.close()
        super().close()


def payloads(path: Path, filename: str, folder: Path) -> list[Payload]:
    """Return the reports of a file, in the archive's order. Raises Refused.

    filename: the file's name, for messages. folder: where zips inside a zip are unpacked to.
    """
    found = _find(path, filename, "", folder, 0)
    if not found:
        raise Refused(f"{filename} has no files in it.")
    return found


def _find(path: Path, filename: str, inside: str, folder: Path, depth: int) -> list[Payload]:
    with path.open("rb") as file:
        begin = file.read(4)
    shown = f"{filename} ({inside})" if inside else filename
    if begin.startswith((_ZIP, _EMPTY_ZIP)):
        if depth == MAX_DEPTH:
            raise Refused(f"{shown} is packed more than {MAX_DEPTH} times.")
        return _of_zip(path, filename, inside, folder, depth)
    if begin.startswith(_GZIP):
        # gzip of gzip, or of a zip, is unpacked once here; what is in it is looked at then.
        inner = _peek(lambda: _gunzip(path), shown)
        if inner.startswith((_ZIP, _GZIP)):
            if depth == MAX_DEPTH:
                raise Refused(f"{shown} is packed more than {MAX_DEPTH} times.")
            copy = _unpack(_gunzip(path), shown, folder)
            return _find(copy, filename, inside, folder, depth + 1)
        return [Payload(inside, lambda: Bounded(_gunzip(path), shown), _gunzipped_size(path))]
    return [Payload(inside, lambda: Bounded(path.open("rb"), shown), path.stat().st_size)]


def _gunzipped_size(path: Path) -> int:
    """Return the size that the end of a gzip file says: https://www.rfc-editor.org/rfc/rfc1952#page-5."""
    with path.open("rb") as file:
        file.seek(-min(4, path.stat().st_size), io.SEEK_END)
        return int.from_bytes(file.read(4), "little")


def _gunzip(path: Path) -> IO[bytes]:
    # ISA-L unpacks three times as fast as zlib.
    return cast("IO[bytes]", igzip.open(path, "rb"))  # type: ignore[no-untyped-call]


def _of_zip(path: Path, filename: str, inside: str, folder: Path, depth: int) -> list[Payload]:
    try:
        archive = zipfile.ZipFile(_Listed(path, filename))
    except _BROKEN as error:
        raise Refused(f"{filename} is an incomplete or damaged zip: upload it again.") from error
    entries = [entry for entry in archive.infolist() if _is_report(entry)]
    if any(entry.filename == "[Content_Types].xml" for entry in archive.infolist()):
        raise Refused(f"{filename} is a workbook or document: save the report as CSV.")
    if len(entries) > MAX_FILES:
        raise Refused(f"{filename} has more than {MAX_FILES} files in it.")
    found: list[Payload] = []
    names: set[str] = set()
    for entry in entries:
        name = f"{inside}/{entry.filename}" if inside else entry.filename
        if name in names:
            raise Refused(f"{filename} has two files named {name}: pack it again.")
        names.add(name)
        _check(entry, name, filename)
        begin = _peek(lambda entry=entry: archive.open(entry), name)  # type: ignore[misc]
        if begin.startswith((_ZIP, _GZIP)):
            copy = _unpack(archive.open(entry), name, folder)
            found += _find(copy, filename, name, folder, depth + 1)
        else:
            found.append(Payload(name, _opener(path, entry.filename, name), entry.file_size))
        if len(found) > MAX_FILES:
            raise Refused(f"{filename} has more than {MAX_FILES} files in it.")
    archive.close()
    return found


def _check(entry: zipfile.ZipInfo, name: str, filename: str) -> None:
    """Raise Refused for an entry of a zip that can't be read."""
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
        raise Refused(f"{name[:60]}… in {filename} has a name of more than {MAX_NAME_BYTES} bytes.")
    if entry.compress_type not in _METHODS:
        raise Refused(
            f"{name} in {filename} is packed in a way that isn't known here: pack it as a usual zip."
        )
    if entry.flag_bits & 1:
        raise Refused(f"{name} in {filename} has a password: pack it without one.")


class _Listed(io.FileIO):
    """A zip whose list of files is bounded. Nothing else of it is read in larger pieces."""

    def __init__(self, path: Path, filename: str) -> None:
        super().__init__(path)
        self._filename = filename

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_LIST_BYTES:
            raise Refused(f"{self._filename} has more than {MAX_FILES} files in it.")
        return super().read(size) or b""


def _opener(path: Path, entry: str, name: str) -> Callable[[], Bounded]:
    def open_() -> Bounded:
        try:
            return Bounded(zipfile.ZipFile(path).open(entry), name)
        except _BROKEN as error:
            raise Refused(f"{name} is incomplete or damaged: upload it again.") from error

    return open_


def _is_report(entry: zipfile.ZipInfo) -> bool:
    parts = entry.filename.replace("\\", "/").split("/")
    return not entry.is_dir() and "__MACOSX" not in parts and not parts[-1].startswith(".")


def _peek(open_: Callable[[], IO[bytes]], name: str) -> bytes:
    try:
        with open_() as stream:
            return stream.read(4)
    except _BROKEN as error:
        raise Refused(f"{name} is incomplete or damaged: upload it again.") from error


def _unpack(stream: IO[bytes], name: str, folder: Path) -> Path:
    """Copy a packed file out of its archive, because a zip can only be read from a file."""
    used = sum(each.stat().st_size for each in folder.glob("nested-*"))
    with tempfile.NamedTemporaryFile(dir=folder, prefix="nested-", delete=False) as file:
        bounded = Bounded(stream, name)
        while piece := bounded.read(1 << 20):
            file.write(piece)
            used += len(piece)
            if used > MAX_NESTED_BYTES:
                raise Refused(f"{name} unpacks to more than {MAX_NESTED_BYTES >> 30} GB.")
    return Path(file.name)

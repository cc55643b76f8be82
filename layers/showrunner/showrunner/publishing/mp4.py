"""Read the header of an MP4 file (ISO/IEC 14496-12): its tracks, its length, and whether it has an edit list.

YouTube warns of edit lists (`hasEditlist`) and may show such a video with sound and picture apart.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from showrunner.errors import InvalidRequest

# The header of a film of three hours has about 8 MB; what is far above is no file of ours.
MOST_HEADER_BYTES = 64 << 20
_CONTAINERS = (b"moov", b"trak", b"mdia", b"edts")

type Read = Callable[[int, int], bytes]


class Facts(NamedTuple):
    """The facts that an MP4 file's header holds.

    `shift_ms` is the largest delay or cut that an edit list asks for, 0 without one that changes anything.
    """

    video_tracks: int
    audio_tracks: int
    duration_s: float
    shift_ms: float


def read_facts(read: Read, size: int) -> Facts:
    """Return the facts of a file of `size` bytes.

    `read(start, length)` gives a part of it. Raises InvalidRequest for what is no MP4.
    """
    if read(4, 4) != b"ftyp":
        raise InvalidRequest("The file is not an MP4.")
    for kind, start, end in _top_boxes(read, size):
        if kind == b"moov":
            if end - start > MOST_HEADER_BYTES:
                raise InvalidRequest("The file's header is too large to be one.")
            return _facts(read(start, end - start))
    raise InvalidRequest("The file has no header: the render did not finish it.")


def _top_boxes(read: Read, size: int) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start of the content, end) of each box at the top."""
    at = 0
    while at + 8 <= size:
        head = read(at, min(16, size - at))
        length, begin = int.from_bytes(head[:4]), 8
        if length == 1:
            length, begin = int.from_bytes(head[8:16]), 16
        elif length == 0:
            length = size - at
        if length < begin or at + length > size:
            raise InvalidRequest("The file is cut off or damaged.")
        yield head[4:8], at + begin, at + length
        at += length


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    return (
        (kind, data[start:end])
        for kind, start, end in _top_boxes(lambda at, length: data[at : at + length], len(data))
    )


def _facts(moov: bytes) -> Facts:
    handlers: list[bytes] = []
    scale, length, shift = 1, 0, 0.0
    for kind, body in _boxes(moov):
        if kind == b"mvhd":
            scale, length = _scale_and_length(body)
        elif kind == b"trak":
            handler, delay = _track(body, scale)
            handlers.append(handler)
            shift = max(shift, delay)
    return Facts(handlers.count(b"vide"), handlers.count(b"soun"), length / scale, shift * 1000)


def _scale_and_length(body: bytes) -> tuple[int, int]:
    """Time scale and duration of an mvhd or mdhd box."""
    wide = body[0] == 1
    at = 20 if wide else 12
    scale = int.from_bytes(body[at : at + 4])
    if not scale:
        raise InvalidRequest("The file's header is damaged.")
    return scale, int.from_bytes(body[at + 4 : at + (12 if wide else 8)])


def _track(body: bytes, movie_scale: int) -> tuple[bytes, float]:
    """The handler of a track, and by how many seconds its edit list moves it."""
    handler, scale, edits = b"", 1, b""
    for kind, inner in _boxes(body):
        if kind == b"mdia":
            media = dict(_boxes(inner))
            handler, scale = media.get(b"hdlr", b"")[8:12], _scale_and_length(media[b"mdhd"])[0]
        elif kind == b"edts":
            edits = dict(_boxes(inner)).get(b"elst", b"")
    return handler, _shift(edits, scale, movie_scale)


def _shift(elst: bytes, scale: int, movie_scale: int) -> float:
    if len(elst) < 8:
        return 0.0
    wide, count = elst[0] == 1, int.from_bytes(elst[4:8])
    step, worst = (20 if wide else 12), 0.0
    for number in range(count):
        entry = elst[8 + number * step :][:step]
        half = 8 if wide else 4
        length, start = int.from_bytes(entry[:half]), int.from_bytes(entry[half : 2 * half], signed=True)
        worst = max(worst, length / movie_scale if start == -1 else start / scale)
    return worst

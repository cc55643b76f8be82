"""Read how long a sound file plays from its structure: MP3, WAV, Ogg, FLAC or MP4, without decoding it.

Functions have no ffmpeg. What passes here may still fail to decode, but pages of HTML, files of another kind,
headers without sound and files that were cut off after their header don't pass.
"""

import math
import struct
from collections.abc import Iterator

# Kilobits a second of layer III by the header's index: MPEG 1, and MPEG 2 and 2.5.
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
# By the two bits of the version: MPEG 2.5, reserved, MPEG 2, MPEG 1. The rates are divided by this.
_DIVISORS = (4, 0, 2, 1)
# So many frames or pages make a sound: a single one is what random bytes have.
_LEAST_PARTS = 3
# Less of an MP3 in frames: most of the file is something else, and decoders give up. Covers of albums are in
# its tag, which doesn't count.
_LEAST_SHARE = 0.5
_MP4_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def find_seconds(content: bytes) -> float | None:
    """Return the seconds of a sound file, None if it isn't one that can be played.

    Infinity if its header doesn't tell them, as a recorder leaves it that doesn't know when it will end.
    """
    try:
        if content[:4] == b"OggS":
            seconds = _ogg(content)
        elif content[:4] == b"fLaC":
            seconds = _flac(content)
        elif content[:4] == b"RIFF" and content[8:12] == b"WAVE":
            seconds = _wav(content)
        elif content[4:8] == b"ftyp":
            seconds = _mp4(content)
        else:
            seconds = _mp3(content)
    except struct.error:
        return None
    return seconds if seconds and seconds > 0 else None


def _mp3(content: bytes) -> float | None:
    """https://www.mp3-tech.org/programmer/frame_header.html and https://id3.org/id3v2.4.0-structure."""
    at = 0
    while content[at : at + 3] == b"ID3" and len(content) >= at + 10:
        a, b, c, d = content[at + 6 : at + 10]
        at += 10 + (a << 21 | b << 14 | c << 7 | d)
    begin, count, held, seconds = at, 0, 0, 0.0
    while 0 <= at < len(content) - 4:
        length, lasts = _frame(content, at)
        if length:
            count, held, seconds, at = count + 1, held + length, seconds + lasts, at + length
        else:
            at = content.find(b"\xff", at + 1)
    is_sound = count >= _LEAST_PARTS and held >= _LEAST_SHARE * (len(content) - begin)
    return seconds if is_sound else None


def _frame(content: bytes, at: int) -> tuple[int, float]:
    """Return the bytes and seconds of the frame that begins here, 0 if none does."""
    head = int.from_bytes(content[at : at + 4])
    version, layer, kbits, rate = head >> 19 & 3, head >> 17 & 3, head >> 12 & 15, head >> 10 & 3
    if head >> 21 != 0x7FF or version == 1 or layer != 1 or kbits in (0, 15) or rate == 3:
        return 0, 0.0
    hertz = _RATES[rate] // _DIVISORS[version]
    samples, table = (1152, _KBITS_1) if version == 3 else (576, _KBITS_2)
    return samples * 125 * table[kbits] // hertz + (head >> 9 & 1), samples / hertz


def _wav(content: bytes) -> float | None:
    at, bytes_a_second = 12, 0
    while at + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, at)
        if name == b"fmt ":
            bytes_a_second = struct.unpack_from("<I", content, at + 16)[0]
        elif name == b"data" and bytes_a_second:
            return float(min(length, len(content) - at - 8) / bytes_a_second)
        at += 8 + length + length % 2
    return None


def _ogg(content: bytes) -> float | None:
    """https://www.rfc-editor.org/rfc/rfc3533: the last page's position in samples is the length."""
    at, pages, last, rate = 0, 0, 0, 0
    while content[at : at + 4] == b"OggS" and at + 27 <= len(content):
        (position,) = struct.unpack_from("<q", content, at + 6)
        lengths = content[at + 27 : at + 27 + content[at + 26]]
        body = at + 27 + content[at + 26]
        rate = rate or _ogg_rate(content[body : body + 64])
        at = body + sum(lengths)
        if at > len(content):
            break
        pages, last = pages + 1, max(last, position)
    return last / rate if rate and pages >= _LEAST_PARTS else None


def _ogg_rate(packet: bytes) -> int:
    """Return the samples a second of a stream of sound by its first packet, 0 if it is another one."""
    if packet.startswith(b"\x01vorbis"):
        return int(struct.unpack_from("<I", packet, 12)[0])
    if packet.startswith(b"OpusHead"):
        return 48_000
    if packet.startswith(b"\x7fFLAC"):
        return int.from_bytes(packet[27:30]) >> 4
    return int(struct.unpack_from("<I", packet, 36)[0]) if packet.startswith(b"Speex   ") else 0


def _flac(content: bytes) -> float | None:
    """https://www.rfc-editor.org/rfc/rfc9639: STREAMINFO is the first block, frames follow the last one."""
    at, is_last = 4, False
    while not is_last and at + 4 <= len(content):
        is_last, length = bool(content[at] & 0x80), int.from_bytes(content[at + 1 : at + 4])
        at += 4 + length
    rate = int.from_bytes(content[18:21]) >> 4
    samples = int.from_bytes(content[21:26]) & 0xF_FFFF_FFFF
    if not rate or content[at : at + 2] not in (b"\xff\xf8", b"\xff\xf9"):
        return None
    return samples / rate if samples else math.inf


def _mp4(content: bytes) -> float | None:
    """ISO/IEC 14496-12. The track of sound has samples, and there is media data."""
    tops = dict(_boxes(content, 0, len(content)))
    if b"moov" not in tops or b"mdat" not in tops:
        return None
    for name, (start, end) in _boxes(content, *tops[b"moov"]):
        inner = dict(_descendants(content, start, end)) if name == b"trak" else {}
        handler, header = inner.get(b"hdlr"), inner.get(b"mdhd")
        if handler and header and content[handler[0] + 8 : handler[0] + 12] == b"soun":
            wide = content[header[0]] == 1
            place = (">IQ", header[0] + 20) if wide else (">II", header[0] + 12)
            scale, length = struct.unpack_from(place[0], content, place[1])
            if b"moof" in tops:
                return math.inf
            return length / scale if scale else None
    return None


def _descendants(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    for name, inside in _boxes(content, start, end):
        yield name, inside
        if name in _MP4_CONTAINERS:
            yield from _descendants(content, *inside)


def _boxes(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the name of each box, and where its content starts and ends. One that is cut off is left out."""
    while at + 8 <= end:
        length, name = struct.unpack_from(">I4s", content, at)
        begin = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", content, at + 8)
            begin = 16
        length = length or end - at
        if length < begin or at + length > end:
            return
        yield name, (at + begin, at + length)
        at += length

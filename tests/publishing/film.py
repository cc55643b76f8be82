"""Small MP4 headers with as many bytes of film as a test needs."""

import struct


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def track(handler: bytes, edit_ms: int = 0) -> bytes:
    mdhd = box(b"mdhd", bytes(12), struct.pack(">II", 1000, 5000), bytes(4))
    hdlr = box(b"hdlr", bytes(8), handler, bytes(13))
    edits = (
        box(b"edts", box(b"elst", bytes(4), struct.pack(">IIiI", 1, 5000, edit_ms, 65536)))
        if edit_ms
        else b""
    )
    return box(b"trak", edits, box(b"mdia", mdhd, hdlr))


def mp4(
    size: int = 300_000,
    seconds: float = 5.0,
    edit_ms: int = 0,
    handlers: tuple[bytes, ...] = (b"vide", b"soun"),
) -> bytes:
    mvhd = box(b"mvhd", bytes(12), struct.pack(">II", 1000, round(seconds * 1000)), bytes(80))
    head = box(b"ftyp", b"isom", bytes(4)) + box(
        b"moov", mvhd, *(track(handler, edit_ms) for handler in handlers)
    )
    film = bytes(number % 251 for number in range(1000)) * (size // 1000 + 1)
    return head + box(b"mdat", film[: max(0, size - len(head) - 8)])

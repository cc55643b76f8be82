"""Read the size of a picture from its header, without decoding it."""

import struct

# Markers of JPEG segments that have no length: TEM, and the restarts.
_BARE = {0x01, *range(0xD0, 0xD8)}
# Start of frame. Four markers of the same range are tables: DHT, JPG and DAC.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def find_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height of a PNG or JPEG file in pixels, None if its header doesn't have them."""
    try:
        size = _png(content) or _jpeg(content)
    except struct.error:
        return None
    return size if size and min(size) > 0 else None


def _png(content: bytes) -> tuple[int, int] | None:
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", content, 16)
    return width, height


def _jpeg(content: bytes) -> tuple[int, int] | None:
    if content[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 2 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # any number of these may come before a marker
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + struct.unpack_from(">H", content, at + 2)[0]
    return None

"""Return freed memory to the operating system.

By default glibc keeps it, and a long video would look like a leak.
"""

import contextlib
import ctypes
import gc

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Larger than a plane of a 1080x1920 picture, so that drawing reuses its memory; smaller than an encoder's
# frame buffers, so that those are returned when an encoder is closed.
_MMAP_BYTES = 4 << 20
# Each frame needs a few megabytes for a moment. Returning and requesting them each time would cost more than
# drawing.
_TRIM_BYTES = 24 << 20
# Larger than a track of music.
_MUSIC_BYTES = 256 << 20


def set_limits() -> None:
    """Fix glibc's limits for returning freed blocks, as it suits drawing.

    Otherwise glibc raises them after the first large block.
    """
    _set(_MMAP_BYTES, _TRIM_BYTES)


def keep_large_blocks() -> None:
    """Keep freed blocks until `release`, because music is made of large ones.

    Returning and requesting each takes 0.1 to 0.2 s of CPU for a track, and saves no memory.
    """
    _set(_MUSIC_BYTES, _MUSIC_BYTES)


def _set(mmap_bytes: int, trim_bytes: int) -> None:
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, mmap_bytes)
        library.mallopt(_M_TRIM_THRESHOLD, trim_bytes)


def release() -> None:
    """Collect reference cycles (one holds an encoder's 150 MB) and return free memory to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

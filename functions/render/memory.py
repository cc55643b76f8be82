"""Gives memory back to the system. glibc keeps freed pictures for later by default, and a long film would look like a leak."""

import contextlib
import ctypes
import gc

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
# Larger than a plane of a 1080x1920 picture, so that drawing reuses its memory; smaller than an encoder's frame, so that a closed encoder's is returned.
_RETURNED_FROM_BYTES = 4 << 20
# Every frame needs a few megabytes for a moment: giving them back and taking them again each time costs more than the drawing.
_KEPT_BYTES = 24 << 20


def bound() -> None:
    """Fixes the size from which a freed block goes back at once; left alone, glibc raises it with the first large block."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _RETURNED_FROM_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def release() -> None:
    """Frees reference cycles (an encoder's 150 MB hang in one) and returns what is free."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

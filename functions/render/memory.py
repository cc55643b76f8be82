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


def set_limits() -> None:
    """Fix glibc's limits for returning freed blocks.

    Otherwise glibc raises them after the first large block.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)


def release() -> None:
    """Collect reference cycles (one holds an encoder's 150 MB) and return free memory to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)

"""Cut a file into the parts that a resumable upload sends.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol
"""

# Every part but the last must be a multiple of this.
UNIT_BYTES = 262_144
# A part costs a round trip of about 0.1 s, and is sent again if it breaks off. It is streamed in pieces, so
# memory doesn't grow with its size.
SLICE_BYTES = 256 * UNIT_BYTES


def end_of_slice(offset: int, total: int) -> int:
    """Return where the part that begins at `offset` ends (exclusive)."""
    return min(offset + SLICE_BYTES, total)

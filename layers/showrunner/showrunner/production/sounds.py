"""Tell whether a sound file can be played, by what its headers say.

Functions have no ffmpeg. What passes here may still fail to decode, but pages of HTML, files of another kind
and files that were cut off behind their header don't pass.
"""

import io

# Speech codecs have 750 bytes a second at least: with less, most of the file is missing.
_LEAST_BYTES_A_SECOND = 500
# A frame of an MP3 lasts 0.03 s, and any bytes may look like one.
_SHORTEST_SECONDS = 0.1


def is_playable(content: bytes) -> bool:
    """Return whether this is a whole MP3, WAV, Ogg, FLAC or MP4 file with sound."""
    # Few requests need it.
    from tinytag import TinyTag, TinyTagException

    if content[4:8] == b"ftyp" and b"moof" in content:
        # A recorder that doesn't know when it will end writes MP4 in fragments, and no length.
        return True
    try:
        seconds = TinyTag.get(file_obj=io.BytesIO(content), tags=False).duration
    except TinyTagException:
        return False
    return bool(seconds and seconds >= _SHORTEST_SECONDS and len(content) >= seconds * _LEAST_BYTES_A_SECOND)

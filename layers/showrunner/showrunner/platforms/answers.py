"""The body of a foreign server's answer, read within bounds: one that never ends keeps us as little as one that drips or breaks off."""

import time

import requests
import urllib3

from showrunner.errors import PlatformUnavailable

PART_BYTES = 65_536


def read(answer: requests.Response, most_bytes: int, until: float) -> bytes:
    """What an answer asked for with `stream` brings, decoded, at most one byte more than `most_bytes`; closes it.

    Raises PlatformUnavailable where it breaks off or isn't there by `until` (time.monotonic), late by one
    silence at most.
    """
    parts, room = [], most_bytes + 1
    try:
        with answer:
            while room and (part := answer.raw.read1(min(room, PART_BYTES), decode_content=True)):
                parts.append(part)
                room -= len(part)
                if time.monotonic() > until:
                    raise PlatformUnavailable("The answer takes too long.")
    except (urllib3.exceptions.HTTPError, OSError) as error:
        # requests translates these in its own readers only.
        raise PlatformUnavailable(f"The answer breaks off: {type(error).__name__}.") from error
    return b"".join(parts)

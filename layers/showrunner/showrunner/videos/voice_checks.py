"""Keep what the speech provider says of its voices: functions with a database don't ask it."""

import time

from showrunner.aws import dynamodb, rpc
from showrunner.errors import ServiceUnavailable

# An older result is worth nothing. The check runs every night.
VALID_SECONDS = 3 * 86_400
_KEY = "voices"


def save(voice_id: str, problem: str | None, preview_url: str | None = None) -> None:
    """Save the result of a check. `problem` is None for a voice that can speak."""
    state = {"problem": problem or "", "preview_url": preview_url or ""}
    dynamodb.put(_KEY, voice_id, state, time.time() + VALID_SECONDS)


def find(voice_id: str) -> tuple[str | None, str | None]:
    """Return why a voice can't speak, and the address of its preview; None for what isn't known.

    An unreachable state table stops no order: then nothing is known.
    """
    try:
        found = dynamodb.find(_KEY, voice_id) or {}
    except (ServiceUnavailable, rpc.AwsError):
        return None, None
    return found.get("problem") or None, found.get("preview_url") or None


def find_problem(voice_id: str) -> str | None:
    """Return why a voice can't speak; None if it can, or if nothing is known of it."""
    return find(voice_id)[0]


def list_problems() -> list[str]:
    """Return the ids of the voices that can't speak, as far as known."""
    return [voice_id for voice_id, found in dynamodb.list_(_KEY) if found["problem"]]

"""Keep which voices the speech provider can't speak with: functions with a database don't ask it."""

import time

from showrunner.aws import dynamodb, rpc
from showrunner.errors import ServiceUnavailable

# An older result is worth nothing. The check runs every night.
VALID_SECONDS = 3 * 86_400
_KEY = "voices"


def save(voice_id: str, problem: str | None) -> None:
    """Save the result of a check. `problem` is None for a voice that can speak."""
    dynamodb.put(_KEY, voice_id, {"problem": problem or ""}, time.time() + VALID_SECONDS)


def find_problem(voice_id: str) -> str | None:
    """Return why a voice can't speak; None if it can, or if nothing is known of it.

    An unreachable state table stops no order: then nothing is known.
    """
    try:
        found = dynamodb.find(_KEY, voice_id)
    except (ServiceUnavailable, rpc.AwsError):
        return None
    return (found["problem"] or None) if found else None


def list_problems() -> list[str]:
    """Return the ids of the voices that can't speak, as far as known."""
    return [voice_id for voice_id, found in dynamodb.list_(_KEY) if found["problem"]]

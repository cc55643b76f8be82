"""Keep whether the speech provider still has the stage's voices: functions with a database don't ask it."""

import time

from showrunner.aws import dynamodb

# A result that is older says nothing any more; the check runs every night.
VALID_SECONDS = 3 * 86_400


def save(voice_id: str, problem: str | None) -> None:
    """Save the result of a check. `problem` is None for a voice that can speak."""
    dynamodb.put(_key(voice_id), "check", {"problem": problem or ""}, time.time() + VALID_SECONDS)


def find_problem(voice_id: str) -> str | None:
    """Return why a voice can't speak; None if it can, or if nothing is known of it."""
    found = dynamodb.find(_key(voice_id), "check")
    return (found["problem"] or None) if found else None


def _key(voice_id: str) -> str:
    return f"voice#{voice_id}"

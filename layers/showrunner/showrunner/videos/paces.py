"""Keep the measured pace of each voice, for good: a script's length depends on it.

A pace that changed would plan the same brief with other words, which would be paid for again.
"""

from showrunner.aws import dynamodb, rpc
from showrunner.errors import ServiceUnavailable
from showrunner.production import voices
from showrunner.production.voices import Voice

_KEY = "paces"


def find(voice: Voice, model: str, language: str) -> int | None:
    """Return the voice's words per minute, None if nobody has measured it."""
    found = dynamodb.find(_KEY, voices.pace_name(voice.provider_id, model, language))
    return int(found["words_per_minute"]) if found else None


def known(voice: Voice, model: str, language: str) -> int:
    """Return the pace for an estimate: the measured one, or the usual one of such a voice.

    An unreachable state table stops no order.
    """
    try:
        return measured(voice, model, language).words_per_minute
    except (ServiceUnavailable, rpc.AwsError):
        return voice.words_per_minute


def measured(voice: Voice, model: str, language: str) -> Voice:
    """Return the voice with its measured pace, or as it is."""
    pace = find(voice, model, language)
    return voice if pace is None else voice._replace(words_per_minute=pace)


def save(voice: Voice, model: str, language: str, words_per_minute: int) -> int:
    """Keep a pace and return the one that is kept: the first of those measured at the same time."""
    name = voices.pace_name(voice.provider_id, model, language)
    dynamodb.put_if(
        "attribute_not_exists(pk) OR words_per_minute = :pace",
        {"pace": words_per_minute},
        _KEY,
        name,
        {"words_per_minute": words_per_minute},
        None,
    )
    return find(voice, model, language) or words_per_minute

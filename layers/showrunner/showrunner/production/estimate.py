"""Estimate length, time and cost of a video before anything of it is paid for."""

from decimal import Decimal
from typing import NamedTuple

from showrunner.production import prices
from showrunner.production.job import LEAD_IN_SECONDS, PAUSE_SECONDS, TAIL_SECONDS
from showrunner.production.text import count_words

# A production starts in about a minute, then voice and render take twice the length. Measured on two cores; a
# hint.
BASE_SECONDS, SECONDS_PER_SECOND = 60, 2
# A question with its rules, and what a model writes and thinks for each spoken word. Estimates: no order was
# measured with the real service.
_PROMPT_TOKENS, _TOKENS_PER_WORD = 1500, 6
_CHARACTERS_PER_TOKEN, _CHARACTERS_PER_WORD = 4, 6
# What the finished files of one aspect need for a second of video.
_BYTES_PER_SECOND = 600_000
_GIB = Decimal(1 << 30)


class Estimate(NamedTuple):
    """Seconds of video, seconds until it is ready, and USD by step as decimal strings."""

    duration_seconds: int
    ready_seconds: int
    cost_usd: dict[str, str]


def speech_seconds(passages: list[str], words_per_minute: int) -> float:
    """Return how long the passages take to speak, with the pauses before, between and after them."""
    words = sum(map(count_words, passages))
    pauses = LEAD_IN_SECONDS + TAIL_SECONDS + PAUSE_SECONDS * (len(passages) - 1)
    return words * 60 / words_per_minute + pauses


def of_passages(passages: list[str], words_per_minute: int, outputs: int, speech_model: str) -> Estimate:
    """Estimate a video whose script exists: nothing is asked of a language model."""
    seconds = speech_seconds(passages, words_per_minute)
    return _estimate(seconds, sum(map(len, passages)), Decimal(0), outputs, speech_model)


def of_length(
    seconds: int, words_per_minute: int, source_characters: int, outputs: int, models: tuple[str, str]
) -> Estimate:
    """Estimate a video that a model writes. `models`: the language model and the speech model."""
    words = seconds * words_per_minute / 60
    questions = max(1, round(seconds / 80)) + (seconds > 120)
    price = prices.TOKENS.get(models[0], prices.DEAREST_TOKENS)
    read = questions * (_PROMPT_TOKENS + source_characters / _CHARACTERS_PER_TOKEN)
    script = (Decimal(read) * price.input + Decimal(words * _TOKENS_PER_WORD) * price.output) / 1_000_000
    return _estimate(seconds, round(words * _CHARACTERS_PER_WORD), script, outputs, models[1])


def ready_seconds(seconds: float, outputs: int) -> int:
    """Return how long the production of so many seconds of video takes."""
    return BASE_SECONDS + round(SECONDS_PER_SECOND * seconds * outputs)


def _estimate(seconds: float, characters: int, script: Decimal, outputs: int, speech_model: str) -> Estimate:
    speech = prices.SPEECH.get(speech_model, max(prices.SPEECH.values())) * characters / 1000
    render = prices.RENDER_HOUR["cpu"] * Decimal(SECONDS_PER_SECOND * seconds * outputs) / 3600
    storage = prices.STORAGE_GIB_MONTH * Decimal(_BYTES_PER_SECOND * seconds * outputs) / _GIB
    parts = {"script": script, "voice": speech, "visuals": Decimal(0), "render": render, "storage": storage}
    costs = {
        name: str(round(amount, 4))
        for name, amount in {**parts, "total": sum(parts.values(), Decimal(0))}.items()
    }
    return Estimate(max(1, round(seconds)), ready_seconds(seconds, outputs), costs)

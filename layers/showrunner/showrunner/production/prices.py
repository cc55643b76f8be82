"""List prices as dated data: each with its source and the day on which somebody read it there.

`make prices` lists those older than OUTDATED_DAYS.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

# Vendors changed prices about every two months in 2026.
OUTDATED_DAYS = 60

_OPENAI = "https://openai.com/api/pricing"
_ELEVENLABS = "https://elevenlabs.io/pricing/api"
_EC2 = "https://aws.amazon.com/ec2/pricing/on-demand"
_FARGATE = "https://aws.amazon.com/fargate/pricing"
_S3 = "https://aws.amazon.com/s3/pricing"


class TokenPrice(NamedTuple):
    """USD per million tokens, standard tier, up to 272,000 input tokens."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal


class Source(NamedTuple):
    """Where a price was read, and when."""

    item: str
    url: str
    read_on: date


def _tokens(input_: str, cached: str, cache_write: str, output: str) -> TokenPrice:
    return TokenPrice(Decimal(input_), Decimal(cached), Decimal(cache_write), Decimal(output))


# Since the GPT-5.6 family, writing to the cache costs 1.25 times the input; earlier models don't charge extra
# for it.
TOKENS = {
    "gpt-6-luna": _tokens("0.10", "0.01", "0.125", "0.50"),
    "gpt-6.1-terra": _tokens("1.00", "0.05", "1.25", "5.00"),
    "gpt-6-sol": _tokens("2.00", "0.20", "2.50", "10.00"),
    "gpt-6.1-sol": _tokens("2.00", "0.10", "2.50", "10.00"),
    "gpt-6.2-sol": _tokens("2.00", "0.10", "2.50", "10.00"),
    "gpt-6-astra": _tokens("10.00", "1.00", "12.50", "50.00"),
    "gpt-5.6-luna": _tokens("0.20", "0.02", "0.25", "1.20"),
    "gpt-5.4-mini": _tokens("0.75", "0.075", "0.75", "4.50"),
}
# A model that isn't listed is counted at the dearest price: too much rather than too little.
DEAREST_TOKENS = max(TOKENS.values())


class ImagePrice(NamedTuple):
    """USD per million tokens: of the prompt, and of the image."""

    input: Decimal
    output: Decimal


# Generated images. gpt-image-1.5 and gpt-image-1-mini end on 2026-12-01.
IMAGES = {
    model: ImagePrice(Decimal("5.00"), Decimal("30.00"))
    for model in (
        "gpt-image-2",
        "gpt-image-2.5-flare",
        "gpt-image-2.5-sunburst",
        "gpt-image-2.6-flare",
        "gpt-image-2.6-sunburst",
    )
}
# USD per million tokens of the texts.
EMBEDDINGS = {"text-embedding-3-small": Decimal("0.02"), "text-embedding-3-large": Decimal("0.13")}

# USD per 1,000 characters.
SPEECH = {
    "eleven_multilingual_v2": Decimal("0.10"),
    "eleven_v3": Decimal("0.10"),
    "eleven_flash_v2_5": Decimal("0.05"),
    "eleven_flash_v2": Decimal("0.05"),
}
# USD per 1,000 characters, of services that take OpenAI's request for speech. A model that isn't listed is
# counted like the dearest speech of all.
SECOND_SPEECH = {"tts-1": Decimal("0.015"), "tts-1-hd": Decimal("0.030")}
# One credit is one character of a model at the full price.
USD_PER_CREDIT = SPEECH["eleven_multilingual_v2"] / 1000

# us-east-1, on demand: g6.xlarge (NVIDIA L4); Fargate with 4 vCPU and 8 GiB. Spot costs a third to two thirds
# of it.
RENDER_HOUR = {"gpu": Decimal("0.8048"), "cpu": Decimal("0.19748")}
# S3 Standard, first 50 TB, per GiB and month.
STORAGE_GIB_MONTH = Decimal("0.023")

SOURCES = [
    *(Source(f"OpenAI {model}", _OPENAI, date(2026, 11, 28)) for model in TOKENS),
    # Read at resellers that pass OpenAI's prices on: its own page names no price of the 2.6 models' images.
    *(Source(f"OpenAI {model}", _OPENAI, date(2026, 11, 29)) for model in [*IMAGES, *EMBEDDINGS]),
    *(Source(f"ElevenLabs {model}", _ELEVENLABS, date(2026, 11, 28)) for model in SPEECH),
    *(Source(f"Speech {model}", _OPENAI, date(2026, 11, 29)) for model in SECOND_SPEECH),
    Source("EC2 g6.xlarge", _EC2, date(2026, 11, 22)),
    Source("Fargate 4 vCPU, 8 GiB", _FARGATE, date(2026, 11, 22)),
    Source("S3 Standard", _S3, date(2026, 11, 22)),
]


def outdated(today: date) -> list[Source]:
    """Return the sources that were read more than OUTDATED_DAYS ago, oldest first."""
    oldest = today - timedelta(days=OUTDATED_DAYS)
    return sorted(
        (source for source in SOURCES if source.read_on < oldest), key=lambda source: source.read_on
    )

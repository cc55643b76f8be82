"""Charges at the prices of prices.py.

A charge names what was bought, so that recording it twice changes nothing.
"""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from showrunner.models import Usage
from showrunner.production import prices


class Charge(BaseModel):
    """One thing paid for. `charge` is unique within the video; amounts in USD."""

    model_config = ConfigDict(frozen=True)
    charge: str
    step: str
    provider: str
    item: str
    quantity: Decimal
    unit: str
    amount_usd: Decimal


_MILLION = Decimal(1_000_000)
_GIB = Decimal(1 << 30)
# The longest that a render may take: this start, and so many seconds for each second of video and output.
RENDER_START_SECONDS = 900
RENDER_PACE = {"cpu": 4.0, "gpu": 1.0}
# Of a finished file: 24 Mbit/s, above what the encoders write.
MOST_BYTES_PER_SECOND = 3_000_000


def language_charge(name: str, model: str, usage: Usage) -> Charge:
    """Return the cost of one answer of a language model. `name` is the answer's id."""
    price = prices.TOKENS.get(model, prices.DEAREST_TOKENS)
    fresh = usage.input - usage.cached - usage.cache_write
    amount = (
        fresh * price.input
        + usage.cached * price.cached
        + usage.cache_write * price.cache_write
        + usage.output * price.output
    ) / _MILLION
    tokens = Decimal(usage.input + usage.output)
    return Charge(
        charge=f"script:{name}",
        step="script",
        provider="openai",
        item=model,
        quantity=tokens,
        unit="token",
        amount_usd=amount,
    )


def most_for_answer(model: str, sent_bytes: int, answer_tokens: int) -> Decimal:
    """Return the most that one answer can cost: a token has at least one byte."""
    price = prices.TOKENS.get(model, prices.DEAREST_TOKENS)
    return (sent_bytes * max(price.input, price.cache_write) + answer_tokens * price.output) / _MILLION


# The most tokens of an image of up to two and a half megapixels, by quality. Measured ones of gpt-image-1.5
# and -2: up to 408, 1,584 and 6,240.
IMAGE_TOKENS = {"low": 700, "medium": 2500, "high": 9000}


def image_charge(name: str, model: str, input_tokens: int, output_tokens: int) -> Charge:
    """Return the cost of one generated image. `name` is the request's id."""
    price = prices.IMAGES.get(model, max(prices.IMAGES.values()))
    return Charge(
        charge=f"visuals:image:{name}",
        step="visuals",
        provider="openai",
        item=model,
        quantity=Decimal(input_tokens + output_tokens),
        unit="token",
        amount_usd=(input_tokens * price.input + output_tokens * price.output) / _MILLION,
    )


def most_for_image(model: str, quality: str, prompt_bytes: int) -> Decimal:
    """Return the most that one image can cost: a token of the prompt has at least one byte."""
    tokens = IMAGE_TOKENS.get(quality, max(IMAGE_TOKENS.values()))
    return image_charge("", model, prompt_bytes, tokens).amount_usd


def embedding_charge(name: str, model: str, tokens: int) -> Charge:
    """Return the cost of the vectors of some texts. `name` is the request's id."""
    price = prices.EMBEDDINGS.get(model, max(prices.EMBEDDINGS.values()))
    return Charge(
        charge=f"visuals:texts:{name}",
        step="visuals",
        provider="openai",
        item=model,
        quantity=Decimal(tokens),
        unit="token",
        amount_usd=tokens * price / _MILLION,
    )


def speech_charge(name: str, model: str, characters: int, credits: int | None) -> Charge:
    """Return the cost of one passage: the credits that the response names, else by the model's rate.

    `name` is the request's id.
    """
    spent = Decimal(credits) if credits is not None else characters * _credits_per_character(model)
    return Charge(
        charge=f"voice:{name}",
        step="voice",
        provider="elevenlabs",
        item=model,
        quantity=spent,
        unit="credit",
        amount_usd=spent * prices.USD_PER_CREDIT,
    )


def second_speech_usd(model: str, characters: int) -> Decimal:
    """Return what the second speech service asks for a text; a model that isn't listed costs the most."""
    price = prices.SECOND_SPEECH.get(model, max(prices.SPEECH.values()))
    return price * characters / 1000


def second_speech_charge(name: str, model: str, characters: int) -> Charge:
    """Return the cost of one passage of the second speech service. `name` is the request's id."""
    return Charge(
        charge=f"voice:{name}",
        step="voice",
        provider="second_speech",
        item=model,
        quantity=Decimal(characters),
        unit="character",
        amount_usd=second_speech_usd(model, characters),
    )


def _credits_per_character(model: str) -> Decimal:
    """Return the model's rate; a model that isn't listed costs the highest one."""
    return prices.SPEECH.get(model, max(prices.SPEECH.values())) / 1000 / prices.USD_PER_CREDIT


def render_charge(attempt: int, platform: str, seconds: float) -> Charge:
    """Return the cost of the render job on this platform; each attempt that ran is paid for."""
    amount = prices.RENDER_HOUR[platform] * Decimal(str(round(seconds, 3))) / 3600
    return Charge(
        charge=f"render:{attempt}",
        step="render",
        provider="aws",
        item=platform,
        quantity=Decimal(str(round(seconds, 3))),
        unit="second",
        amount_usd=amount,
    )


def render_seconds(seconds: float, outputs: int) -> dict[str, int]:
    """Return how long a render may take, by platform: several times what was measured, and a start."""
    return {
        name: RENDER_START_SECONDS + round(pace * seconds * outputs) for name, pace in RENDER_PACE.items()
    }


def most_for_render(platform: str, seconds: float, outputs: int) -> Decimal:
    """Return the most that a render on this platform and a month of its files can cost."""
    render = render_charge(0, platform, render_seconds(seconds, outputs)[platform])
    storage = storage_charge(round(MOST_BYTES_PER_SECOND * seconds * outputs))
    return render.amount_usd + storage.amount_usd


def storage_charge(stored_bytes: int) -> Charge:
    """Return the cost of storing the finished files for the first month."""
    amount = prices.STORAGE_GIB_MONTH * stored_bytes / _GIB
    return Charge(
        charge="storage:first-month",
        step="storage",
        provider="aws",
        item="s3",
        quantity=Decimal(stored_bytes),
        unit="byte",
        amount_usd=amount,
    )

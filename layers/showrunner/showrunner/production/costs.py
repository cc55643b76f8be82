"""Prices and the charges they make. A charge names what was bought, so that recording it twice changes nothing."""

from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from showrunner.models import Usage


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


class TokenPrice(NamedTuple):
    """USD per million tokens."""

    input: Decimal
    cached: Decimal
    cache_write: Decimal
    output: Decimal


def _price(input_: str, cached: str, cache_write: str, output: str) -> TokenPrice:
    return TokenPrice(Decimal(input_), Decimal(cached), Decimal(cache_write), Decimal(output))


# https://openai.com/api/pricing as of 2026-11-22, standard tier.
# A model that isn't here is counted at the dearest listed price: too much rather than too little.
TOKEN_PRICES = {
    "gpt-6-luna": _price("0.10", "0.01", "0.125", "0.50"),
    "gpt-6.1-terra": _price("1.00", "0.05", "1.25", "5.00"),
    "gpt-6-sol": _price("2.00", "0.20", "2.50", "10.00"),
    "gpt-6.1-sol": _price("2.00", "0.10", "2.00", "10.00"),
    "gpt-6-astra": _price("10.00", "1.00", "10.00", "50.00"),
    "gpt-5.6-luna": _price("0.20", "0.02", "0.20", "1.20"),
    "gpt-5.4-mini": _price("0.75", "0.075", "0.75", "4.50"),
}

# https://elevenlabs.io/pricing, Creator: 22 USD for 100,000 credits; further credits cost more on smaller plans and less on larger ones.
USD_PER_CREDIT = Decimal("0.00022")
# https://help.elevenlabs.io: a character of Flash or Turbo costs half a credit, of any other model one.
_CREDITS_PER_CHARACTER = {"eleven_flash_v2_5": Decimal("0.5"), "eleven_flash_v2": Decimal("0.5")}

# On-demand in us-east-1: g6.xlarge (NVIDIA L4) by the hour; Fargate with 4 vCPU and 8 GiB. Spot is a third to two thirds of it: this is the upper bound.
RENDER_USD_PER_HOUR = {"gpu": Decimal("0.8048"), "cpu": Decimal("0.19748")}

# S3 Standard, first 50 TB, per GiB and month; a video is charged for its first month when it is made.
STORAGE_USD_PER_GIB_MONTH = Decimal("0.023")

_MILLION = Decimal(1_000_000)
_GIB = Decimal(1 << 30)


def language_charge(name: str, model: str, usage: Usage) -> Charge:
    """What one answer of a language model costs; `name` is the answer's id."""
    price = TOKEN_PRICES.get(model) or max(TOKEN_PRICES.values())
    fresh = usage.input - usage.cached - usage.cache_write
    amount = (fresh * price.input + usage.cached * price.cached + usage.cache_write * price.cache_write + usage.output * price.output) / _MILLION
    tokens = Decimal(usage.input + usage.output)
    return Charge(charge=f"script:{name}", step="script", provider="openai", item=model, quantity=tokens, unit="token", amount_usd=amount)


def speech_charge(name: str, model: str, characters: int, credits: int | None) -> Charge:
    """What one passage costs: the credits that the answer's header names, else by the model's rate; `name` is the request's id."""
    spent = Decimal(credits) if credits is not None else characters * _CREDITS_PER_CHARACTER.get(model, Decimal(1))
    return Charge(charge=f"voice:{name}", step="voice", provider="elevenlabs", item=model, quantity=spent, unit="credit", amount_usd=spent * USD_PER_CREDIT)


def render_charge(attempt: int, platform: str, seconds: float) -> Charge:
    """What the render job costs on this platform; each attempt that ran is paid for."""
    amount = RENDER_USD_PER_HOUR[platform] * Decimal(str(round(seconds, 3))) / 3600
    return Charge(
        charge=f"render:{attempt}", step="render", provider="aws", item=platform, quantity=Decimal(str(round(seconds, 3))), unit="second", amount_usd=amount
    )


def storage_charge(stored_bytes: int) -> Charge:
    """The first month of the finished files."""
    amount = STORAGE_USD_PER_GIB_MONTH * stored_bytes / _GIB
    return Charge(charge="storage:first-month", step="storage", provider="aws", item="s3", quantity=Decimal(stored_bytes), unit="byte", amount_usd=amount)

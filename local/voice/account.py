"""The stand-in's account: its plan, what the plan allows, and what has been used.

Plans: https://elevenlabs.io/docs/models#concurrency-and-priority and https://elevenlabs.io/pricing
(2026-11-28).
"""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from local.voice.errors import ApiError


class Plan(NamedTuple):
    """`rank` orders plans by price. `concurrency` is for multilingual models; Flash has twice as much."""

    name: str
    rank: int
    concurrency: int


PLANS = {
    plan.name: plan
    for plan in (
        Plan("free", 0, 2),
        Plan("starter", 1, 3),
        Plan("creator", 2, 5),
        Plan("pro", 3, 10),
        Plan("scale", 4, 15),
    )
}
# The cheapest plan of an output format that not every plan has:
# https://elevenlabs.io/docs/api-reference/text-to-speech/convert
FORMAT_PLANS = {
    "mp3_44100_192": "creator",
    "pcm_44100": "pro",
    "pcm_48000": "pro",
    "wav_44100": "pro",
    "wav_48000": "pro",
}
# A month of credits far beyond what one machine can speak.
CREDITS = 10_000_000


@dataclass
class Account:
    """Set the limits: at most `concurrency` requests speak at once, `queue` more wait."""

    plan: Plan
    concurrency: int
    queue: int
    credits: int = CREDITS
    used: int = 0
    present: int = 0
    turns: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.concurrency = min(self.concurrency, self.plan.concurrency)
        self.turns = asyncio.Semaphore(self.concurrency)

    async def __aenter__(self) -> Self:
        if self.present >= self.concurrency + self.queue:
            raise ApiError.of("concurrent_limit_exceeded", concurrency=self.concurrency)
        self.present += 1
        try:
            await self.turns.acquire()
        except BaseException:
            self.present -= 1
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self.present -= 1
        self.turns.release()

    @property
    def speaking(self) -> int:
        return min(self.present, self.concurrency)

    def require_credits(self, cost: int) -> None:
        """Raises ApiError if fewer credits are left."""
        if self.used + cost > self.credits:
            raise ApiError.of("quota_exceeded", left=self.credits - self.used, cost=cost)

    def require_format(self, output_format: str) -> None:
        """Raises ApiError if the plan doesn't have this output format."""
        needed = PLANS[FORMAT_PLANS.get(output_format, "free")]
        if self.plan.rank < needed.rank:
            raise ApiError.of("output_format_not_allowed", output_format=output_format, plan=needed.name)

    def require_library(self) -> None:
        """Raises ApiError if the plan may not use voices of the Voice Library through the API."""
        if self.plan.rank == 0:
            raise ApiError.of("paid_plan_required")

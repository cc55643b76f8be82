"""Values that cross from one room to another."""

from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens of one answer as OpenAI counts them: cached and written ones are part of the input, reasoning is part of the output."""

    input: int
    cached: int
    cache_write: int
    output: int

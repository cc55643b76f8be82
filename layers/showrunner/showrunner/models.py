"""Values that cross from one room to another."""

from datetime import datetime
from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens of one answer as OpenAI counts them: cached and written ones are part of the input, reasoning is part of the output."""

    input: int
    cached: int
    cache_write: int
    output: int


class Sighting(NamedTuple):
    """A YouTube video as somebody told of it: an entry with its title, or, where `title` is None, a tombstone. `at` (UTC) orders what is told of one video."""

    video_id: str
    channel_id: str | None
    channel_title: str | None
    title: str | None
    published_at: datetime | None
    at: datetime

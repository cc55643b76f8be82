"""Define the field types and base models of request bodies and queries."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from showrunner.database.pages import PageRequest

MEGABYTE = 1_048_576
# Regular expression of a field -> what an error says about a value that doesn't match it. Each module that
# defines such a field adds its words; a test finds one that has none.
PATTERN_WORDS: dict[str, str] = {}
MAX_DEPTH = 32
# One line of text, and several lines: no control characters, and at least one visible character.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_LINE = rf"^[^{_CONTROL}\t\n\r]*[^{_CONTROL}\s][^{_CONTROL}\t\n\r]*$"
_TEXT = rf"^[^{_CONTROL}]*[^{_CONTROL}\s][^{_CONTROL}]*$"
_UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_OPAQUE = "^[A-Za-z0-9_-]+$"
_SORT = "^-?[a-z_]+(,-?[a-z_]+)*$"
_YOUTUBE_CHANNEL = "^UC[A-Za-z0-9_-]{22}$"
_SPOTIFY_ID = "^[A-Za-z0-9]{22}$"
_ISRC = "^[A-Z]{2}[A-Z0-9]{3}[0-9]{7}$"
type Line = Annotated[str, Field(pattern=_LINE)]
type Text = Annotated[str, Field(pattern=_TEXT)]
type Id = Annotated[str, Field(pattern=_UUID, json_schema_extra={"format": "uuid"})]
type Isrc = Annotated[str, Field(pattern=_ISRC)]
type YoutubeChannelId = Annotated[str, Field(pattern=_YOUTUBE_CHANNEL)]
type SpotifyId = Annotated[str, Field(pattern=_SPOTIFY_ID)]
CONTROL_CHARACTERS = re.compile(f"[{_CONTROL}\ud800-\udfff]")
UUID = re.compile("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII)
# A request id or idempotency key of a caller: printable ASCII, as allowed in a header.
TOKEN = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


PATTERN_WORDS |= {
    _LINE: "must be one line of text with at least one visible character",
    _TEXT: "must have at least one visible character and no control characters",
    _UUID: "is no id; ids look like 0f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    _OPAQUE: "is not valid: send it exactly as the API returned it",
    _SORT: "is no order; write field names with commas, and - before a descending one",
    _YOUTUBE_CHANNEL: "is not the id of a YouTube channel; it has 24 characters and begins with UC",
    _ISRC: "is no ISRC; it has 12 capital letters and digits, without hyphens, like USRC17607839",
    _SPOTIFY_ID: "is no id of Spotify's; it has the 22 letters and digits after open.spotify.com/artist/",
}


def timestamp(at: datetime) -> str:
    """Return a time as every response writes it: RFC 3339 in UTC, with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Body(BaseModel):
    """Base of request bodies. Unknown fields are refused. Validators are built at first use."""

    model_config = ConfigDict(extra="forbid", defer_build=True, frozen=True)


class Result(BaseModel):
    """The base of response bodies.

    It documents them: a handler may return an instance, plain values or JSON text.
    """

    model_config = ConfigDict(defer_build=True, frozen=True)


class Query(Body):
    """Base of query parameters."""


type Timestamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Page(Query):
    """Parameters of a list. `cursor` continues where the last page ended and costs the same at any depth."""

    limit: int = Field(default=20, ge=1, le=100)
    page: int | None = Field(default=None, ge=1, le=10_000)
    cursor: str | None = Field(default=None, max_length=1000, pattern=_OPAQUE)
    sort: str | None = Field(default=None, max_length=200, pattern=_SORT)

    def request(self) -> PageRequest:
        """Return the parameters as a store takes them."""
        return PageRequest(self.limit, self.page, self.cursor, self.sort)


class Pagination(Result):
    """`total` stops at 10,000 (in /cms at 1,000) with the relation gte; a page by cursor has no number."""

    limit: int
    page: int | None
    total: int
    total_relation: Literal["eq", "gte", "approx"]
    next_cursor: str | None


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?", re.ASCII)


def _moment(text: str) -> str:
    """Return the time as the database takes it. A date means its first moment in UTC."""
    try:
        value = datetime.fromisoformat(text.upper()) if _MOMENT.fullmatch(text) else None
        if value is not None:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        pass  # a day that no calendar has, or a moment before the year 1
    raise ValueError("must be a date (2026-11-22) or a time (2026-11-22T08:00:00Z)")


type Moment = Annotated[
    str,
    AfterValidator(_moment),
    WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}),
]

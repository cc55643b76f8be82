"""Define the field types and base models of request bodies and queries."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

MEGABYTE = 1_048_576
MAX_DEPTH = 32
# Text of one line, and text of several: control characters are refused, and something must be there to read.
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
type Line = Annotated[str, Field(pattern=rf"^[^{_CONTROL}\t\n\r]*[^{_CONTROL}\s][^{_CONTROL}\t\n\r]*$")]
type Text = Annotated[str, Field(pattern=rf"^[^{_CONTROL}]*[^{_CONTROL}\s][^{_CONTROL}]*$")]
type Id = Annotated[str, Field(pattern="^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$", json_schema_extra={"format": "uuid"})]
CONTROL_CHARACTERS = re.compile(f"[{_CONTROL}\ud800-\udfff]")
UUID = re.compile("[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII)
# What a caller may call its request or its repeat: printable ASCII, as a header may hold it.
TOKEN = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)


class Body(BaseModel):
    """The base of what a request may say: unknown fields are refused, and the checker is built at the first use, not at the import."""

    model_config = ConfigDict(extra="forbid", defer_build=True, frozen=True)


class Result(BaseModel):
    """The base of response bodies. A handler returns an instance, or an Answer with the JSON text that PostgreSQL made."""

    model_config = ConfigDict(defer_build=True, frozen=True)


class Query(Body):
    """The base of what may stand behind the question mark."""


class Page(Query):
    """How a list is asked for. `cursor` goes on where the last page ended and costs the same at any depth."""

    limit: int = Field(default=20, ge=1, le=100)
    page: int | None = Field(default=None, ge=1, le=10_000)
    cursor: str | None = Field(default=None, max_length=1000, pattern=r"^[A-Za-z0-9_-]+$")
    sort: str | None = Field(default=None, max_length=200, pattern=r"^-?[a-z_]+(,-?[a-z_]+)*$")


class Pagination(TypedDict):
    """`total` stops at 10,000 with the relation gte; a page asked for by cursor has no number."""

    limit: int
    page: int | None
    total: int
    total_relation: Literal["eq", "gte", "approx"]
    next_cursor: str | None


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}([Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2}))?", re.ASCII)


def _moment(text: str) -> str:
    """As the database takes it; a date is its first moment in UTC."""
    try:
        value = datetime.fromisoformat(text.upper()) if _MOMENT.fullmatch(text) else None
        if value is not None:
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        pass  # a day that no calendar has, or a moment before the year 1
    raise ValueError("must be a date (2026-11-22) or a time (2026-11-22T08:00:00Z)")


type Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]})]

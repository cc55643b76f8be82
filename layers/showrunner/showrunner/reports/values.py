"""Types of the columns of reports: what a cell may hold, and the text that PostgreSQL reads it from.

Each type has two readers. `pattern` matches a cell that PostgreSQL reads as it is: all cells of a column are
tried at once. `read` takes the text of any other cell: it returns what PostgreSQL shall read instead, or
raises ValueError with the reason for the person who sent the file.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

# Longer than every text that YouTube documents (descriptions aren't in reports): a longer cell is a sign of
# quotes that don't match.
MAX_CHARACTERS = 5_000
# numeric keeps every digit; these bounds keep a hostile cell small.
MAX_DIGITS = 40


class Type(NamedTuple):
    """A column's type. `sql` is PostgreSQL's; `pattern` None: any text of at most MAX_CHARACTERS."""

    sql: str
    pattern: bytes | None
    read: Callable[[str], str]


def _text(cell: str) -> str:
    if len(cell) > MAX_CHARACTERS:
        raise ValueError(f"has more than {MAX_CHARACTERS} characters")
    return cell


def _count(cell: str) -> str:
    digits = cell.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+", cell) else cell
    digits = re.sub(r"\.0+\Z", "", digits)
    if not re.fullmatch(r"[0-9]{1,18}", digits):
        raise ValueError("is no whole number")
    return digits


def _signed_count(cell: str) -> str:
    return f"-{_count(cell[1:])}" if cell.startswith("-") else _count(cell)


def _money(cell: str) -> str:
    text = cell
    negative = text.startswith("(") and text.endswith(")")
    if negative:
        text = text[1:-1].strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    try:
        if not text.isascii() or "_" in text:
            raise InvalidOperation
        amount = Decimal(text)
        if not amount.is_finite() or len(text) > MAX_DIGITS or not -MAX_DIGITS < amount.adjusted() < 20:
            raise InvalidOperation
    except InvalidOperation as error:
        raise ValueError("is no amount: write it like 1234.567890") from error
    return format(-amount if negative else amount, "f")


def _day(cell: str) -> str:
    found = re.fullmatch(r"(20[0-9]{2})([-/]?)([0-9]{2})\2([0-9]{2})", cell)
    if found is None and re.fullmatch(r"[0-9]{6}", cell):
        return _month(cell)
    try:
        if found is None:
            raise ValueError
        return date(int(found[1]), int(found[3]), int(found[4])).isoformat()
    except ValueError as error:
        raise ValueError("is no day: write it like 20251231 or 2025-12-31") from error


def _month(cell: str) -> str:
    found = re.fullmatch(r"(20[0-9]{2})[-/]?(0[1-9]|1[0-2])", cell)
    if found is None:
        return _day(cell)
    return date(int(found[1]), int(found[2]), 1).isoformat()


def _time(cell: str) -> str:
    try:
        return datetime.fromisoformat(cell.removesuffix(" UTC")).isoformat()
    except ValueError as error:
        raise ValueError("is no time: write it like 2025-12-31T23:59:59Z") from error


def _flag(cell: str) -> str:
    word = cell.casefold()
    if word in ("yes", "true", "y", "1"):
        return "true"
    if word in ("no", "false", "n", "0"):
        return "false"
    raise ValueError("is neither Yes nor No")


def _seconds(cell: str) -> str:
    found = re.fullmatch(r"(?:(?:(\d{1,3}):)?(\d{1,2}):)?(\d{1,9})(?:\.\d+)?", cell)
    if found is None:
        raise ValueError("is no duration: write seconds, or 1:02:03")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return str(hours * 3600 + minutes * 60 + seconds)


def _video(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{11}", cell):
        raise ValueError("is no video id: 11 letters, digits, - and _")
    return cell


def _channel(cell: str) -> str:
    """Return the channel id with its UC: some files of a month have it, others don't."""
    if re.fullmatch(r"UC[A-Za-z0-9_-]{22}", cell):
        return cell
    if re.fullmatch(r"[A-Za-z0-9_-]{22}", cell):
        return f"UC{cell}"
    raise ValueError("is no channel id: 22 letters, digits, - and _, with or without UC before them")


def _country(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2}", cell):
        raise ValueError("is no country: two letters, like DE")
    return cell.upper()


def _currency(cell: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", cell):
        raise ValueError("is no currency: three letters, like EUR")
    return cell.upper()


def _key(cell: str) -> str:
    if len(cell) > 200:
        raise ValueError("has more than 200 characters")
    return cell


def _list(cell: str) -> str:
    """Return the array of values joined by |, as PostgreSQL writes arrays."""
    quoted = _text(cell).replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + quoted.replace("|", '","') + '"}'


def arrays(cells: Sequence[bytes], comma: bytes) -> list[bytes]:
    """Return cells with values joined by | as arrays. They have no quotes, backslashes or line ends.

    comma: the sign between the values, for a caller that replaces it later.
    """
    if not cells:
        return []
    text = b"\n".join(cells).replace(b"|", b'"' + comma + b'"').replace(b"\n", b'"}\n{"')
    # An empty cell stays empty.
    return (b'{"' + text + b'"}').replace(b'{""}', b"").split(b"\n")


def _days(sign: bytes) -> bytes:
    """Return the pattern of days but the 29th of February, which `read` checks."""
    short = rb"(?:0[1-9]|1[0-2])" + sign + rb"(?:0[1-9]|1\d|2[0-8])"
    long = rb"(?:0[13-9]|1[0-2])" + sign + rb"(?:29|30)|(?:0[13578]|1[02])" + sign + rb"31"
    return rb"20\d\d" + sign + rb"(?:" + short + rb"|" + long + rb")"


TEXT = Type("text", None, _text)
# Several values in one cell, joined by |. Stored as an array.
LIST = Type("text[]", None, _list)
# Part of a row's key: it is in an index.
KEY = Type("text", rb"[A-Za-z0-9_|.:-]{1,100}+", _key)
COUNT = Type("bigint", rb"[0-9]{1,18}+", _count)
# Rows that correct earlier months take views away, too.
SIGNED_COUNT = Type("bigint", rb"-?+[0-9]{1,18}+", _signed_count)
MONEY = Type("numeric", rb"-?+[0-9]{1,18}+(?:\.[0-9]{1,20}+)?+", _money)
DAY = Type("date", _days(b"") + b"|" + _days(b"-"), _day)
MONTH = Type("date", rb"(?!)", _month)
TIME = Type("timestamptz", _days(b"-") + rb"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z", _time)
FLAG = Type("boolean", rb"Yes|No", _flag)
SECONDS = Type("integer", rb"[0-9]{1,9}+", _seconds)
VIDEO = Type("text", rb"[A-Za-z0-9_-]{11}+", _video)
CHANNEL = Type("text", rb"UC[A-Za-z0-9_-]{22}+", _channel)
COUNTRY = Type("text", rb"[A-Z]{2}", _country)
CURRENCY = Type("text", rb"[A-Z]{3}", _currency)

"""Write CSV that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable

CONTENT_TYPE = "text/csv"
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(header: list[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table as CSV. Text that a spreadsheet would run as a formula is marked as text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([*map(cell, row)] for row in rows)
    return out.getvalue()


def cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

"""Read CSV tables that callers send."""

import csv
import io
from typing import NamedTuple

from showrunner.errors import InvalidRequest


class Line(NamedTuple):
    """A line of a table: its number in the text, its cells by column, and what is wrong with it, or None."""

    number: int
    cells: dict[str, str]
    fault: str | None


def read(text: str, required: str, optional: tuple[str, ...] | None = ()) -> list[Line]:
    """Return the lines of a CSV table whose first line names the columns; empty lines are left out.

    Column names may have capitals. Cells are separated by commas, semicolons or tabs, as the first line has
    them. `optional`: the other columns that it may have; None allows any. Raises InvalidRequest if the text
    is no such table.
    """
    text = text.removeprefix("\ufeff")
    # Lines end as each system writes them: newline=None takes all three.
    source = io.StringIO(text, newline=None)
    reader = csv.reader(source, strict=True, delimiter=_delimiter(text, required))
    try:
        lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise invalid([f"line {reader.line_num} can't be read: {error}"]) from error
    header = [cell.strip().lower() for cell in lines[0][1]] if lines else []
    if header.count(required) != 1:
        raise invalid([f'the first line must name the columns, one of them "{required}"'])
    if optional is not None:
        known = (required, *optional)
        if unknown := [name for name in header if name not in known or header.count(name) > 1]:
            raise invalid(
                [
                    f'the column "{name[:50]}" is unknown or twice; known: {", ".join(known)}'
                    for name in unknown
                ]
            )
    return [_line(number, row, header) for number, row in lines[1:]]


def _delimiter(text: str, required: str) -> str:
    """Return what separates the names of columns. Spreadsheets write semicolons where 0,5 is a half."""
    header = next((line for line in text.splitlines() if line.strip()), "")
    for each in ",;\t":
        if required in (name.strip(' "').lower() for name in header.split(each)) and each in header:
            return each
    return ","


def _line(number: int, row: list[str], header: list[str]) -> Line:
    if len(row) == len(header):
        return Line(number, {name: cell.strip() for name, cell in zip(header, row, strict=True)}, None)
    fault = f"line {number} has {len(row)} columns instead of {len(header)}: put a cell with commas in quotes"
    return Line(number, {}, fault)


def invalid(faults: list[str]) -> InvalidRequest:
    """Return the error of a table of which nothing was imported. It shows the first 50 faults."""
    details = [{"field": "csv", "message": fault} for fault in faults[:50]]
    return InvalidRequest("The table can't be imported; nothing was added.", details)

"""Read the rows of a report as a stream: rows that PostgreSQL can take, and what is refused and why.

Memory stays flat whatever the file's size: blocks of lines come in, blocks of lines for COPY go out. A row
whose cells all have their common form is checked by one regular expression and passed on as it is. Any other
row is parsed, each cell is read by its type, and it is written anew, or refused with its column and reason.
"""

import codecs
import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from showrunner.reports import kinds
from showrunner.reports.kinds import Kind
from showrunner.reports.opening import Bounded, Payload, Refused
from showrunner.reports.tables import Mapping
from showrunner.reports.values import MAX_CHARACTERS, Type

BLOCK_BYTES = 1 << 18
# Titles and descriptions of the longest rows have some kilobytes.
MAX_ROW_BYTES = 1 << 20
# A quote that is never closed must not swallow the file.
MAX_ROW_LINES = 200
# Adjustment files have their header on line 3.
HEADER_LINES = 5
MAX_COLUMNS = 300
# So many rows tell a file of adjustments from one of ordinary rows.
SAMPLE_ROWS = 200
_TOTAL = re.compile(rb'"?(?:grand )?totals?"?(?:[,;\t]|\Z)', re.IGNORECASE)
_TOTAL_WORDS = ("total", "totals", "grand total")


class Header(NamedTuple):
    """The header of a file. line: its line, from 1."""

    names: list[str]
    delimiter: str
    line: int


class Reject(NamedTuple):
    """A refused row. row: its number among the file's rows, from 1. line: of the file, from 1."""

    row: int
    line: int
    column: str | None
    value: str | None
    reason: str
    # The row's key, if it can be read: the row of the day before isn't gone.
    key: str | None


class Counts:
    """Numbers of a file's rows. rows = accepted + rejected; totals and blank lines are no rows."""

    def __init__(self) -> None:
        self.rows = self.accepted = self.rejected = self.totals = 0


def blocks(stream: Bounded) -> Iterator[bytes]:
    """Yield a file's text in UTF-8, with line ends \\n, in blocks that end with a line. Raises Refused.

    The encoding is that of the byte order mark. A file without one is UTF-8; a line that isn't is taken for
    Windows-1252, as files are that were saved again.
    """
    begin = stream.read(BLOCK_BYTES)
    codec = _utf16(begin)
    decoder = codecs.getincrementaldecoder(codec)(errors="replace") if codec else None
    if decoder is None:
        begin = begin.removeprefix(codecs.BOM_UTF8)
    rest, piece = b"", begin
    is_mac: bool | None = None
    while True:
        following = stream.read(BLOCK_BYTES)
        block = rest + (decoder.decode(piece, not following).encode() if decoder else piece)
        held = b""
        if following and block.endswith(b"\r"):
            block, held = block[:-1], b"\r"  # its \n is in the next block
        block = block.replace(b"\r\n", b"\n")
        if is_mac is None:
            is_mac = b"\r" in block and b"\n" not in block
        if is_mac:
            block, held = block.replace(b"\r", b"\n") + (b"\n" if held else b""), b""
        if not following:
            if block:
                yield _utf8(block if block.endswith(b"\n") else block + b"\n")
            return
        cut = block.rfind(b"\n") + 1
        rest = block[cut:] + held
        if len(rest) > MAX_ROW_BYTES:
            raise Refused("A line has more than 1 MB: this is no report in CSV.")
        if cut:
            yield _utf8(block[:cut])
        piece = following


def _utf16(begin: bytes) -> str | None:
    """Return the codec of a file in UTF-16, None for another."""
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Without a mark: headers are ASCII, so every second byte is zero.
    if begin[1:80:2].count(0) > 20:
        return "utf-16-le"
    return "utf-16-be" if begin[0:80:2].count(0) > 20 else None


def _utf8(block: bytes) -> bytes:
    if block.isascii():
        return block
    try:
        block.decode()
    except UnicodeDecodeError:
        return b"\n".join(_line_utf8(line) for line in block.split(b"\n"))
    return block


def _line_utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace").encode()
    return line


def records(source: Iterator[bytes], delimiter: str) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (line number of the first, records) for each block; a blank line is an empty record.

    A record goes on over a line's end while a quoted cell is open, for at most MAX_ROW_LINES.
    """
    is_closed = _closed(delimiter)
    waiting: list[bytes] = []
    line = 1
    for block in source:
        lines = block.split(b"\n")
        lines.pop()  # what is behind the last line's end
        if not waiting and b'"' not in block:
            yield line, lines
            line += len(lines)
            continue
        pending = waiting + lines
        found, used = _join(pending, is_closed, is_last=False)
        yield line - len(waiting), found
        line += len(lines)
        waiting = pending[used:]
    if waiting:
        yield line - len(waiting), _join(waiting, is_closed, is_last=True)[0]


def _closed(delimiter: str) -> Callable[[bytes], object]:
    """Return the test whether every quoted cell of a text is closed. A quote opens only a cell's begin."""
    sign = re.escape(delimiter).encode()
    cell = rb'(?:"(?:[^"]|"")*+"[^' + sign + rb']*+|(?!")[^' + sign + rb"]*+)"
    return re.compile(rb"(?:" + cell + sign + rb")*+" + cell).fullmatch


def _join(
    lines: list[bytes], is_closed: Callable[[bytes], object], *, is_last: bool
) -> tuple[list[bytes], int]:
    """Return (records, how many of the lines they are made of); the last record may go on in later lines."""
    found: list[bytes] = []
    position = 0
    while position < len(lines):
        record, end = lines[position], position + 1
        if record.count(b'"') & 1 and not is_closed(record):
            end = _end(lines, position, is_closed)
            if end > len(lines):
                if not is_last and len(lines) - position < MAX_ROW_LINES:
                    break
                end = position + 1  # never closed: the line is a row of its own, and refused
            record = b"\n".join(lines[position:end])
        found.append(record)
        position = end
    return found, position


def _end(lines: list[bytes], start: int, is_closed: Callable[[bytes], object]) -> int:
    """Return the index behind the line that closes the record, one behind all lines if none does."""
    for index in range(start + 1, min(start + MAX_ROW_LINES, len(lines))):
        if lines[index].count(b'"') & 1 and is_closed(b"\n".join(lines[start : index + 1])):
            return index + 1
    return len(lines) + 1


def split(record: bytes, delimiter: str) -> list[str]:
    """Return the cells of a record."""
    return next(csv.reader([record.decode()], delimiter=delimiter), [])


def headers(first_lines: list[bytes]) -> Iterator[Header]:
    """Yield each of the first lines that may be the header, with the delimiter that it has."""
    for number, line in enumerate(first_lines[:HEADER_LINES], 1):
        counts = {delimiter: line.count(delimiter.encode()) for delimiter in ",\t;"}
        delimiter = max(counts, key=lambda each: counts[each])
        try:
            names = split(line, delimiter) if line.strip() else []
        except csv.Error:
            continue
        while names and not names[-1].strip():
            names.pop()
        if len(names) > 1:
            if len(names) > MAX_COLUMNS:
                raise Refused(f"Line {number} has more than {MAX_COLUMNS} columns.")
            yield Header(names, delimiter, number)


class Found(NamedTuple):
    """A report that was recognised: its kind, header and columns, and remarks for its record."""

    kind: Kind
    header: Header
    mapping: Mapping
    notes: tuple[str, ...]


def recognise(payload: Payload, named: Kind | None) -> Found:
    """Return what a payload is, by its name's kind and its content. Raises Refused.

    A file with a known name must have that report's columns. A file of adjustments under the name of the
    ordinary report is taken for what it has.
    """
    with payload.open() as stream:
        begin = next(blocks(stream), b"")
    lines = begin.split(b"\n")
    found = _header(lines, named)
    sample = lines[found.header.line : found.header.line + SAMPLE_ROWS]
    return _adjusted(found, sample)


def _header(lines: list[bytes], named: Kind | None) -> Found:
    candidates = list(headers(lines))
    if not candidates:
        raise Refused("The file has no header: it is empty, or no report in CSV.")
    for header in candidates:
        kind = named or kinds.recognise(header.names)
        if kind is not None and (mapping := kinds.fits(header.names, kind)):
            return Found(kind, header, mapping, ())
    best = max(candidates, key=lambda header: len(header.names))
    if named is None:
        raise Refused(
            "Neither its name nor its columns are those of a report that we know. Keep YouTube's own file "
            f"name, and the header. Its columns: {', '.join(best.names)[:300]}."
        )
    lacking = ", ".join(kinds.missing(best.names, named))
    other = next((each for header in candidates if (each := kinds.recognise(header.names))), None)
    hint = f" Its columns are those of a report of {other.name}." if other else ""
    raise Refused(f"A report of {named.name} has the columns {lacking}, and this file lacks them.{hint}")


def _adjusted(found: Found, sample: list[bytes]) -> Found:
    """Tell adjustments from ordinary rows by their column `adjustment_type`."""
    other = kinds.BY_NAME.get(f"{found.kind.name}_adjustments")
    if "adjustment_type" not in found.mapping.found or not (other or found.kind.adjustments):
        return found
    place = found.mapping.columns.index("adjustment_type")
    kinds_of_rows = set()
    for line in sample:
        try:
            cells = split(line, found.header.delimiter)
        except csv.Error:
            continue
        if len(cells) == len(found.header.names) and cells[0].strip().casefold() not in _TOTAL_WORDS:
            kinds_of_rows.add(cells[place].strip().casefold() not in ("", "none"))
    if found.kind.adjustments and kinds_of_rows == {False}:
        raise Refused(
            "The name is that of adjustments, but the rows are ordinary ones (Adjustment Type None)."
        )
    if other and kinds_of_rows == {True}:
        note = "All rows are adjustments: it was loaded as a report of adjustments, whatever its name says."
        return found._replace(kind=other, notes=(note,))
    return found


class Rows:
    """The rows of a payload, for one reading. `counts` is complete when `lines` is exhausted."""

    def __init__(self, payload: Payload, found: Found, reject: Callable[[Reject], None]) -> None:
        self.payload, self.found, self.reject = payload, found, reject
        self.counts = Counts()
        table, mapping = found.mapping.table, found.mapping
        self.types: list[Type | None] = [table.columns[name] if name else None for name in mapping.columns]
        self.columns = [name for name in mapping.columns if name]
        self.needed = table.required
        self.fast = self._pattern()
        # Rows of files with other columns differ, even if their text is equal.
        self.salt = hashlib.sha256(json.dumps(found.header).encode()).digest()[:16]

    def _pattern(self) -> Callable[[bytes], object] | None:
        """Return the test of a row that PostgreSQL can take as it is; None if a column must be left out."""
        if None in self.types or self.found.header.delimiter == ";":
            return None
        delimiter = re.escape(self.found.header.delimiter).encode()
        cells = []
        for name, type_ in zip(self.found.mapping.columns, self.types, strict=True):
            if type_ is None or type_.pattern is None:
                plain = b'[^"\\x00\\n' + delimiter + b"]"
                quoted = rb'"(?:[^"\x00]|"")'
                often = b"++" if name in self.needed else b"*+"
                cells.append(b"(?:" + quoted + often + b'"|' + plain + often + b")")
            else:
                empty = b"" if name in self.needed else b"?+"
                cells.append(b"(?:(?:" + type_.pattern + b')|"(?:' + type_.pattern + b')")' + empty)
        return re.compile(delimiter.join(cells)).fullmatch

    def _records(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (line, records) of the rows behind the header."""
        stream = self.payload.open()
        with stream:
            source = records(blocks(stream), self.found.header.delimiter)
            for first, found in source:
                line, start = first, 0
                # A record of a title may span lines.
                while start < len(found) and line <= self.found.header.line:
                    line += found[start].count(b"\n") + 1
                    start += 1
                yield line, found[start:]

    def digests(self) -> Iterator[bytes]:
        """Yield lines of (row number, digest), in blocks for COPY in CSV, and count the rows."""
        number = 0
        for _, found in self._records():
            out = []
            for record in found:
                if record.strip(b" \t,;"):
                    number += 1
                    out.append(b"%d,%s\n" % (number, self.digest(record)))
            if out:
                yield b"".join(out)
        self.counts.rows = number

    def digest(self, record: bytes) -> bytes:
        """Return 128 bits of the row and its file's header, in hexadecimal."""
        return hashlib.blake2b(record, digest_size=16, key=self.salt).hexdigest().encode()

    def lines(
        self, prefix: bytes, *, with_digest: bool = False, only: "Callable[[int], bool] | None" = None
    ) -> Iterator[bytes]:
        """Yield accepted rows in blocks for COPY: prefix, row number, the digest if wanted, and the columns.

        only: tells by its number whether a row is wanted. Others are counted as rows and not looked at.
        """
        delimiter = self.out_delimiter.encode()
        counts, fast, number = self.counts, self.fast, 0
        for line, found in self._records():
            out: list[bytes] = []
            for index, record in enumerate(found):
                if not record.strip(b" \t,;"):
                    continue
                if _TOTAL.match(record) and not self.found.kind.is_snapshot:
                    counts.totals += 1
                    continue
                number += 1
                if only is not None and not only(number):
                    continue
                if fast is not None and len(record) < MAX_CHARACTERS and fast(record):
                    text = record
                else:
                    place = line + sum(each.count(b"\n") + 1 for each in found[:index])
                    read = self._read(record, number, place)
                    if read is None:
                        counts.rejected += 1
                        continue
                    text = read
                counts.accepted += 1
                begin = b"%s%d%s" % (prefix, number, delimiter)
                if with_digest:
                    begin += self.digest(record) + delimiter
                out.append(b"%s%s\n" % (begin, text))
            if out:
                yield b"".join(out)
        counts.rows = number

    @property
    def out_delimiter(self) -> str:
        """The delimiter of the lines for COPY: the file's own, because rows are passed on as they are."""
        return self.found.header.delimiter

    def _read(self, record: bytes, number: int, line: int) -> bytes | None:
        """Return a row written anew, None if it is refused."""
        names = self.found.mapping.columns
        try:
            cells = split(record, self.found.header.delimiter)
        except (csv.Error, UnicodeDecodeError):
            cells = []
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(names):
            reason = f"The row has {len(cells)} cells, the header has {len(names)} columns."
            self.reject(Reject(number, line, None, record[:200].decode(errors="replace"), reason, None))
            return None
        values: dict[str, str] = {}
        fault: tuple[str, str, str] | None = None
        for name, type_, cell in zip(names, self.types, cells, strict=True):
            if name is None or type_ is None:
                continue
            text = cell.strip().strip("\u00a0")
            try:
                if "\0" in text:
                    raise ValueError("has a zero byte")
                values[name] = type_.read(text) if text else ""
                if not text and name in self.needed:
                    raise ValueError("is empty")
            except ValueError as error:
                fault = fault or (name, cell[:200].replace("\0", "\\0"), str(error))
                values.pop(name, None)
        if fault is not None:
            name, value, reason = fault
            shown = self.found.header.names[names.index(name)].strip()
            key = self._key(values)
            self.reject(Reject(number, line, shown, value, f"{shown} {reason}.", key))
            return None
        return self._write(values)

    def _key(self, values: dict[str, str]) -> str | None:
        key = self.found.kind.table.key
        if not key or any(name in self.found.mapping.found and name not in values for name in key):
            return None
        return "|".join(values.get(name, "") for name in key)

    def _write(self, values: dict[str, str]) -> bytes:
        delimiter = self.out_delimiter
        return delimiter.join(
            '"' + value.replace('"', '""') + '"'
            if any(sign in value for sign in ('"', delimiter, "\n", "\r"))
            else value
            for value in (values[name] for name in self.columns)
        ).encode()

"""Read the rows of a report as a stream: rows that PostgreSQL can take, and what is refused and why.

Memory stays flat whatever the file's size: blocks of lines come in, blocks of lines for COPY go out. There
are three ways, from the fastest to the slowest, and each takes what the one before can't:

1. A row whose cells all have their common form matches one regular expression. Quotes are taken away before,
   from a block at once.
2. The other rows of a block are read by columns: each is checked by one regular expression, and only cells
   that have another form are read one by one.
3. Odd rows are read by themselves: those with a line's end in a cell, backslashes, or quotes in strange
   places, and those that can't be stored. These are refused with the column and the reason.
"""

import binascii
import codecs
import csv
import hashlib
import io
import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import NamedTuple

from showrunner.reports import kinds
from showrunner.reports.kinds import Kind
from showrunner.reports.opening import Bounded, Payload, Refused
from showrunner.reports.tables import Mapping
from showrunner.reports.values import LIST, MAX_CHARACTERS, Type, arrays

# Small blocks let PostgreSQL store one while Python reads the next.
BLOCK_BYTES = 1 << 16
# A thread that unpacks waits for the interpreter lock up to 5 ms, in which the loader needs a few blocks.
PIECES_AHEAD = 8
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
_BLANK = b" \t,;"
# Stand for a delimiter inside a quoted cell, and for the comma between an array's values, until rows are
# joined. A row that has them itself is odd.
_HELD, _COMMA = b"\x1f", b"\x1e"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


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
    pieces = _pieces(stream)
    begin = next(pieces)
    codec = _utf16(begin)
    decoder = codecs.getincrementaldecoder(codec)(errors="replace") if codec else None
    if decoder is None:
        begin = begin.removeprefix(codecs.BOM_UTF8)
    rest, piece = b"", begin
    is_mac: bool | None = None
    while True:
        following = next(pieces)
        block = rest + (decoder.decode(piece, not following).encode() if decoder else piece)
        held = b""
        if following and block.endswith(b"\r"):
            block, held = block[:-1], b"\r"  # its \n is in the next block
        block = _without_returns(block)
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


def _without_returns(block: bytes) -> bytes:
    """Return a block with \\n for \\r\\n. One sign is found 40 times as fast as two; most files have none."""
    return block.replace(b"\r\n", b"\n") if b"\r" in block else block


def _pieces(stream: Bounded) -> Iterator[bytes]:
    """Yield a stream's pieces, and then nothing but empty ones.

    The next pieces are unpacked meanwhile: it is a quarter of the work, and needs no interpreter lock.
    """
    with ThreadPoolExecutor(1) as pool:
        ahead = deque(pool.submit(stream.read, BLOCK_BYTES) for _ in range(PIECES_AHEAD))
        while True:
            yield ahead.popleft().result()
            ahead.append(pool.submit(stream.read, BLOCK_BYTES))


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
        lines = _lines(block)
        if not waiting and b'"' not in block:
            yield line, lines
            line += len(lines)
            continue
        if not waiting and not any(count & 1 for count in map(bytes.count, lines, itertools.repeat(b'"'))):
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


def _lines(text: bytes) -> list[bytes]:
    """Return the lines of a text that ends with one, without their ends. A third of the time of split."""
    return [line[:-1] for line in io.BytesIO(text)]


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
    """The rows of a payload, for one reading. `counts` is complete when `lines` is exhausted.

    Rows are read in blocks, and each block by its columns: what Python does for a row, and not for a block,
    costs more than PostgreSQL's own work.

    month: of the report, for rows of money. `lines` has then the first day of each row's month of activity
    behind its number: that of its day, else `month`.
    """

    def __init__(
        self,
        payload: Payload,
        found: Found,
        reject: Callable[[Reject], None],
        month: date | None = None,
    ) -> None:
        self.payload, self.found, self.reject = payload, found, reject
        self.counts = Counts()
        self._stream: Bounded | None = None
        table, mapping = found.mapping.table, found.mapping
        self.types: list[Type | None] = [table.columns[name] if name else None for name in mapping.columns]
        self.columns = [name for name in mapping.columns if name]
        self.needed = table.required
        self._month = str(month).encode() if month else None
        self._day = self.columns.index("day") if month and "day" in self.columns else None
        self._delimiter = found.header.delimiter.encode()
        self._width = len(found.header.names)
        self._odd_signs = {b"\\", b"\r", b"\0", b"\t", _HELD, _COMMA} - {self._delimiter}
        self._checked = [
            _Checked(place, type_, needed=name in self.needed)
            for place, (name, type_) in enumerate(zip(mapping.columns, self.types, strict=True))
            if name and type_
        ]
        self._escaped = _ESCAPED | {ord(found.header.delimiter): f"\\{found.header.delimiter}"}
        # COPY takes the file's own delimiter, so most rows need no other signs.
        self.copy_options = f"NULL '', ENCODING 'UTF8', DELIMITER '{found.header.delimiter}'"
        self._whole, self._lists, self._day_part = self._pattern()
        # Rows of files with other columns differ, even if their text is equal.
        salt = hashlib.sha256(json.dumps(found.header).encode()).digest()[: hashlib.blake2b.SALT_SIZE]
        self._digest_of_nothing = hashlib.blake2b(digest_size=16, salt=salt)

    @property
    def read_share(self) -> float:
        """The part of the payload that was read, from 0 to 1; 0 if its size is unknown."""
        if self._stream is None or not self.payload.size:
            return 0.0
        return min(1.0, self._stream.position / self.payload.size)

    def _pattern(
        self,
    ) -> tuple[Callable[[bytes], "re.Match[bytes] | None"] | None, set[int], int | None]:
        """Return the test of a row, without its quotes, that COPY can take as it is but for its lists.

        It is the fastest way. A match's groups are the row's parts: the first columns, a list, the columns up
        to the next list, and so on; the places of the lists are returned too. The day is a part by itself
        where the month of activity is wanted, and its place is the last thing returned. The test is None if a
        column must be left out.
        """
        if None in self.types:
            return None, set(), None
        delimiter = re.escape(self._delimiter)
        parts: list[bytes] = []
        cells: list[bytes] = []
        lists: set[int] = set()
        day_part = None
        for place, (name, type_) in enumerate(zip(self.found.mapping.columns, self.types, strict=True)):
            more = b"++" if name in self.needed else b"*+"
            if type_ is LIST:
                cell = b'[^"' + delimiter + b"]" + more
            elif type_ is None or type_.pattern is None:
                cell = b"[^" + delimiter + b"]" + more
            else:
                cell = b"(?:" + type_.pattern + (b")" if name in self.needed else b")?+")
            if type_ is not LIST and place != self._day:
                cells.append(cell)
                continue
            parts += [delimiter.join(cells)] if cells else []
            if type_ is LIST:
                lists.add(len(parts))
            else:
                day_part = len(parts)
            parts.append(cell)
            cells = []
        parts += [delimiter.join(cells)] if cells else []
        whole = delimiter.join(b"(" + part + b")" for part in parts)
        return re.compile(whole).fullmatch, lists, day_part

    def _records(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (line, records) of the rows behind the header."""
        stream = self._stream = self.payload.open()
        with stream:
            source = records(blocks(stream), self.found.header.delimiter)
            for first, found in source:
                line, start = first, 0
                # A record of a title may span lines.
                while start < len(found) and line <= self.found.header.line:
                    line += found[start].count(b"\n") + 1
                    start += 1
                yield line, found[start:]

    def _numbered(self) -> Iterator[tuple[int, int, list[bytes], Sequence[int]]]:
        """Yield (number of the first row, line, records, which of the records are rows), and count rows."""
        for line, found in self._records():
            places = self._places(found)
            yield self.counts.rows + 1, line, found, places
            self.counts.rows += len(places)

    def _places(self, found: list[bytes]) -> Sequence[int]:
        """Return the places of the rows among records: no blank lines and, but for snapshots, no totals."""
        places: Sequence[int] = range(len(found))
        if not all(map(bytes.strip, found, itertools.repeat(_BLANK))):
            places = [place for place in places if found[place].strip(_BLANK)]
        if not self.found.kind.is_snapshot and any(map(_TOTAL.match, found)):
            rows = [place for place in places if not _TOTAL.match(found[place])]
            self.counts.totals += len(places) - len(rows)
            places = rows
        return places

    def digests(self) -> Iterator[bytes]:
        """Yield lines of (row number, digest) in blocks for COPY, and count the rows."""
        for number, _, found, places in self._numbered():
            digests = map(self.digest, (found[place] for place in places))
            yield b"".join(map(b"%d\t%s\n".__mod__, enumerate(digests, number)))

    def digest(self, record: bytes) -> bytes:
        """Return 128 bits of the row and its file's header, in hexadecimal."""
        digest = self._digest_of_nothing.copy()
        digest.update(record)
        return binascii.hexlify(digest.digest())

    def lines(
        self,
        prefix: Sequence[str] = (),
        *,
        with_number: bool = True,
        with_digest: bool = False,
        only: "Callable[[int], bool] | None" = None,
    ) -> Iterator[bytes]:
        """Yield accepted rows in blocks for COPY's text format with `copy_options`.

        A line has the values of the prefix, the row's number, its month and its digest if they are wanted,
        and the columns. only: tells by its number whether a row is wanted. Others are counted as rows and not
        looked at.
        """
        begin = b"".join(value.encode() + self._delimiter for value in prefix)

        def joined(
            rows: list[bytes],
            numbers: Sequence[int],
            columns: Sequence[Sequence[bytes]],
            days: Sequence[bytes] | None,
        ) -> bytes:
            """Return rows as lines without their first prefix and their last end."""
            starts: list[Sequence[bytes]] = [[*map(b"%d".__mod__, numbers)]] if with_number else []
            starts += [self._months(days, len(rows), self._month)] if self._month else []
            starts += [[*map(self.digest, rows)]] if with_digest else []
            self.counts.accepted += len(rows)
            return (b"\n" + begin).join(map(self._delimiter.join, zip(*starts, *columns, strict=True)))

        for first, line, found, places in self._numbered():
            numbers: Sequence[int] = range(first, first + len(places))
            if only is not None:
                numbers = [number for number in numbers if only(number)]
            rows = found if len(numbers) == len(found) else [found[places[each - first]] for each in numbers]
            out: list[bytes] = []
            plain, parts, rows, numbers = self._plain(rows, numbers)
            if parts:
                days = None if self._day_part is None else parts[self._day_part]
                out.append(self._finished(joined(*plain, parts, days)))
            if rows:
                columns, odd = self._columns(rows)
                for index in sorted(odd):
                    at = line + sum(each.count(b"\n") + 1 for each in found[: places[numbers[index] - first]])
                    if (cells := self._read(rows[index], numbers[index], at)) is not None:
                        days = None if self._day is None else cells[self._day]
                        out.append(joined([rows[index]], [numbers[index]], cells, days))
                kept = [index for index in range(len(rows)) if index not in odd]
                if kept:
                    days = None if self._day is None else columns[self._day]
                    text = joined(
                        [rows[each] for each in kept], [numbers[each] for each in kept], columns, days
                    )
                    out.append(self._finished(text))
            if out:
                yield begin + (b"\n" + begin).join(out) + b"\n"

    @staticmethod
    def _months(days: Sequence[bytes] | None, count: int, month: bytes) -> list[bytes]:
        """Return the first days of the months of `days`, and `month` for those without a day."""
        if days is None:
            return [month] * count
        return [
            (day[:8] if day[4:5] == b"-" else day[:6]) + b"01" if day else month  # 2025-12-31, 20251231
            for day in days
        ]

    def _plain(
        self, rows: list[bytes], numbers: Sequence[int]
    ) -> tuple[tuple[list[bytes], list[int]], list[Sequence[bytes]], list[bytes], Sequence[int]]:
        """Return the rows and numbers of the fastest way, their parts in columns, and the other rows."""
        if self._whole is None or not rows:
            return ([], []), [], rows, numbers
        matched = [*map(self._whole, self._without_quotes(rows))]
        plain = [*itertools.compress(rows, matched)]
        parts = zip(*(match.groups() for match in matched if match), strict=True)
        others = [not each for each in matched]
        return (
            (plain, [*itertools.compress(numbers, matched)]),
            [
                arrays(column, _COMMA) if place in self._lists else column
                for place, column in enumerate(parts)
            ],
            [*itertools.compress(rows, others)],
            [*itertools.compress(numbers, others)],
        )

    def _finished(self, text: bytes) -> bytes:
        """Return lines as COPY reads them, with the delimiters that their cells have."""
        escaped = b"\\" + self._delimiter
        return text.replace(_HELD, escaped).replace(_COMMA, escaped if self._delimiter == b"," else b",")

    def _without_quotes(self, rows: list[bytes]) -> list[bytes]:
        """Return the rows without quotes; a delimiter inside a cell is _HELD. Empty for one that is odd."""
        text = b"\n".join(rows) + b"\n"
        if self._is_common(text, rows):
            if b'"' not in text:
                return rows
            # A line's end in a cell makes one line more.
            unquoted = _lines(_unquoted(text, self._delimiter))
            if len(unquoted) == len(rows):
                return unquoted
        odd = self._odd(rows)
        return [
            b"" if index in odd else _unquoted(row, self._delimiter) if b'"' in row else row
            for index, row in enumerate(rows)
        ]

    def _is_common(self, text: bytes, rows: list[bytes]) -> bool:
        """Tell whether rows, the lines of the text, have no signs of odd ones, and none is very long."""
        return not any(map(text.__contains__, self._odd_signs)) and max(map(len, rows)) <= MAX_CHARACTERS

    def _columns(self, found: list[bytes]) -> tuple[list[Sequence[bytes]], set[int]]:
        """Return the columns of the rows that are as most are, and which rows are odd and not in them."""
        odd = self._odd(found)
        delimiter, width = self._delimiter, self._width
        kept = [index for index in range(len(found)) if index not in odd] if odd else range(len(found))
        cells = [
            (_unquoted(record, delimiter) if b'"' in record else record).split(delimiter)
            for record in (map(found.__getitem__, kept) if odd else found)
        ]
        if set(map(len, cells)) - {width}:
            odd.update(index for index, row in zip(kept, cells, strict=True) if len(row) != width)
            kept = [index for index in kept if index not in odd]
            cells = [row for row in cells if len(row) == width]
        by_place = list(zip(*cells, strict=True)) or [()] * width
        columns: list[Sequence[bytes]] = []
        refused: set[int] = set()
        for checked in self._checked:
            column, bad = checked.read(by_place[checked.place], delimiter)
            columns.append(column)
            refused |= bad
        if refused:
            odd.update(kept[place] for place in refused)
            good = [place for place in range(len(kept)) if place not in refused]
            columns = [[column[place] for place in good] for column in columns]
        return columns, odd

    def _odd(self, found: list[bytes]) -> set[int]:
        """Return which rows have signs that COPY reads in its own way, or are very long."""
        signs = (*self._odd_signs, b"\n")  # a line's end is in a cell with quotes only
        return {
            index
            for index, record in enumerate(found)
            if len(record) > MAX_CHARACTERS or any(map(record.__contains__, signs))
        }

    def _read(self, record: bytes, number: int, line: int) -> list[list[bytes]] | None:
        """Return the columns of a row, read cell by cell, as COPY's text; None if it is refused."""
        names = self.found.mapping.columns
        try:
            cells = split(record, self.found.header.delimiter)
        except csv.Error:
            cells = []
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(names):
            reason = f"The row has {len(cells)} cells, the header has {len(names)} columns."
            self._refuse(Reject(number, line, None, record[:200].decode(errors="replace"), reason, None))
            return None
        values: dict[str, str] = {}
        fault: tuple[str, str, str] | None = None
        for name, type_, cell in zip(names, self.types, cells, strict=True):
            if name is None or type_ is None:
                continue
            try:
                values[name] = _value(cell, type_, needed=name in self.needed)
            except ValueError as error:
                fault = fault or (name, cell[:200].replace("\0", "\\0"), str(error))
        if fault is not None:
            name, value, reason = fault
            shown = self.found.header.names[names.index(name)].strip()
            self._refuse(Reject(number, line, shown, value, f"{shown} {reason}.", self._key(values)))
            return None
        return [[values[name].translate(self._escaped).encode()] for name in self.columns]

    def _refuse(self, reject: Reject) -> None:
        self.counts.rejected += 1
        self.reject(reject)

    def _key(self, values: dict[str, str]) -> str | None:
        key = self.found.kind.table.key
        if not key or any(name in self.found.mapping.found and name not in values for name in key):
            return None
        return "|".join(values.get(name, "") for name in key)


class _Checked:
    """A column of a file that is stored: where it is, and how its cells are read."""

    def __init__(self, place: int, type_: Type, *, needed: bool) -> None:
        self.place, self.type, self.needed = place, type_, needed
        self._one = self._all = None
        if type_.pattern is not None:
            cell = b"(?:" + type_.pattern + (b")" if needed else b")?+")
            self._one = re.compile(cell).fullmatch
            self._all = re.compile(b"(?:" + cell + rb"\n)*+").fullmatch

    def read(self, cells: Sequence[bytes], delimiter: bytes) -> tuple[Sequence[bytes], set[int]]:
        """Return the cells as `_finished` takes them, and which of them must be read again with their row."""
        if self._all is not None and self._one is not None:
            if self._all(b"\n".join((*cells, b""))):
                return cells, set()
            return self._read_each(cells, delimiter, self._one)
        refused = {place for place, cell in enumerate(cells) if not cell.strip()} if self.needed else set()
        if self.type is LIST:
            if b'"' in b"".join(cells):
                refused |= {place for place, cell in enumerate(cells) if b'"' in cell}
            return arrays(cells, _COMMA), refused
        return cells, refused

    def _read_each(
        self, cells: Sequence[bytes], delimiter: bytes, is_plain: Callable[[bytes], object]
    ) -> tuple[Sequence[bytes], set[int]]:
        found, refused = list(cells), set()
        for place, cell in enumerate(cells):
            if not is_plain(cell):
                text = cell.replace(_HELD, delimiter).decode()
                try:
                    if text != text.strip():
                        raise ValueError  # the row's other cells may have spaces too
                    found[place] = (
                        _value(text, self.type, needed=self.needed).encode().replace(delimiter, _HELD)
                    )
                except ValueError:
                    refused.add(place)
        return found, refused


def _value(cell: str, type_: Type, *, needed: bool) -> str:
    """Return what is stored of a cell, empty for NULL. Raises ValueError with the reason."""
    if "\0" in cell:
        raise ValueError("has a zero byte")
    text = cell.strip()
    if needed and not text:
        raise ValueError("is empty")
    return type_.read(text) if text else ""


def _unquoted(text: bytes, delimiter: bytes) -> bytes:
    """Return rows without quotes; a delimiter inside a cell is _HELD. Empty if quotes don't match.

    Ten times as fast as the module csv, which needs text.
    """
    parts = text.split(b'"')
    last = len(parts) - 1
    edges = (*delimiter, *b"\n")
    # Outside the quotes: two of them in a cell stand for one, and other text ends where cells do.
    outside = parts[2:last:2]
    if (
        last & 1
        or (parts[0] and parts[0][-1] not in edges)
        or (parts[last] and parts[last][0] not in edges)
        or not all(not part or (part[0] in edges and part[-1] in edges) for part in outside)
    ):
        return b""
    parts[1::2] = b'"'.join(parts[1::2]).replace(delimiter, _HELD).split(b'"')
    parts[2:last:2] = [part or b'"' for part in outside]
    return b"".join(parts)

"""Rows of files in every encoding, delimiter and shape that was seen, and what is refused of them."""

import csv
import io
import json
import random
import re
import tracemalloc
from datetime import date

import pytest

from showrunner.reports import kinds, rows
from showrunner.reports.opening import Bounded, Payload, Refused
from showrunner.reports.rows import Rows

HEADER = "claim_id,video_id,asset_id,claim_status,asset_title,views,claim_created_date"
ROW = "c1,00000000001,A1,ACTIVE,Título,12,2026-01-31"


def payload(content):
    content = content if isinstance(content, bytes) else content.encode()
    return Payload("", lambda: Bounded(io.BytesIO(content), "file"))


def read(content, named=None):
    """Return (columns, accepted rows as dictionaries, rejects, counts) of a file."""
    source = payload(content)
    found = rows.recognise(source, named)
    rejects = []
    reader = Rows(source, found, rejects.append)
    accepted = [
        dict(zip(["row", *reader.columns], cells, strict=True))
        for cells in copied(reader.lines(), found.header.delimiter)
    ]
    return found, accepted, rejects, reader.counts


def copied(lines, delimiter):
    """Return the cells of each line, read as PostgreSQL reads COPY's text format, by the rows' numbers."""
    signs = {"t": "\t", "n": "\n", "r": "\r"}
    found = []
    for line in b"".join(lines).decode().split("\n")[:-1]:
        escaped = re.sub(r"\\(.)", lambda sign: "\\" + signs.get(sign[1], sign[1]), line)
        reader = csv.reader([escaped], delimiter=delimiter, quoting=csv.QUOTE_NONE, escapechar="\\")
        found += [next(reader)]
    return sorted(found, key=lambda cells: int(cells[0]))


@pytest.mark.parametrize(
    "content",
    [
        f"{HEADER}\n{ROW}\n",
        f"{HEADER}\r\n{ROW}\r\n",
        f"{HEADER}\r{ROW}\r",
        f"{HEADER}\n{ROW}",
        f"\ufeff{HEADER}\n{ROW}\n",
        f"{HEADER}\n{ROW}\n".encode("utf-16"),
        f"{HEADER}\n{ROW}\n".encode("utf-16-be"),
        f"{HEADER}\n{ROW}\n".encode("utf-16-le"),
        f"{HEADER}\n{ROW}\n".encode("cp1252"),
        f"{HEADER}\n{ROW}\n".replace(",", "\t"),
        f"{HEADER}\n{ROW}\n".replace(",", ";"),
        f"A title, of a report\n\n{HEADER}\n{ROW}\n",
        f"Claims\n{HEADER}\n\n{ROW}\n\n",
        '"' + HEADER.replace(",", '","') + '"\n"' + ROW.replace(",", '","') + '"\n',
        f"{HEADER.replace('_', ' ').title()}  \n{ROW}\n",
        f"{HEADER},\n{ROW},\n",
        f"{HEADER.replace('asset_title', 'asset\u00a0title')}\n{ROW}\n",
        f"{HEADER}\n{ROW.replace('2026-01-31', '20260131')}\n",
        f"{HEADER}\n {ROW.replace(',', ' , ')}\n",
        f"{HEADER}\n{ROW.replace('12', '12.0')}\n",
    ],
)
def test_a_row_is_read_whatever_the_file_looks_like(content):
    _, accepted, rejects, counts = read(content)

    assert rejects == []
    ((row),) = accepted
    assert row | {"claim_created_date": row["claim_created_date"].replace("-", "")} == {
        "row": "1",
        "claim_id": "c1",
        "video_id": "00000000001",
        "asset_id": "A1",
        "claim_status": "ACTIVE",
        "asset_title": "Título",
        "views": "12",
        "claim_created_date": "20260131",
    }
    assert (counts.rows, counts.accepted, counts.rejected) == (1, 1, 0)


def test_titles_with_quotes_commas_emoji_and_line_breaks_arrive_as_they_are():
    titles = ['Say "hi", you', "two\nlines", "ı 🎵 |", "=SUM(A1)", '12" mix', "\\N", "a\\.b", "'"]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        ["c", "00000000001", "A", "ACTIVE", title, 1, ""] for title in titles
    )

    _, accepted, rejects, _ = read(f"{HEADER}\n{out.getvalue()}")

    assert rejects == []
    assert [row["asset_title"] for row in accepted] == titles


def test_unknown_repeated_and_drifting_columns():
    header = "GRID,claim_id,video_id,asset_id,claim_status,new_thing,views,views,Record Label"
    found, accepted, rejects, _ = read(f"{header}\nG1,c1,00000000001,A1,ACTIVE,x,1,2,L\n")

    assert (found.mapping.unknown, found.mapping.repeated) == (("new_thing",), ("views",))
    assert rejects == []
    assert (accepted[0]["grid"], accepted[0]["views"], accepted[0]["record_label"]) == ("G1", "1", "L")


@pytest.mark.parametrize(
    ("content", "named", "reason"),
    [
        ("", None, "no header"),
        ("\n\n\n", None, "no header"),
        (HEADER.replace("claim_status,", "") + "\n", "claims", "columns claim_status"),
        ("a,b,c\n1,2,3\n", None, "Keep YouTube's own file name"),
        (f"{HEADER}\n{ROW}\n", "payments", "Its columns are those of a report of claims"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, None, "no header|Keep YouTube's"),
        ("x" * (3 << 20), None, "more than 1 MB"),
        (",".join(f"c{n}" for n in range(400)) + "\n", None, "more than 300 columns"),
    ],
)
def test_a_file_that_is_no_such_report_is_refused(content, named, reason):
    with pytest.raises(Refused, match=reason):
        rows.recognise(payload(content), kinds.BY_NAME[named] if named else None)


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        (["", "00000000001", "A1", "ACTIVE", "t", "1", ""], "claim_id"),
        (["c1", "tooshort", "A1", "ACTIVE", "t", "1", ""], "video_id"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "-1", ""], "views"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "1e3", ""], "views"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "١٢", ""], "views"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "9" * 19, ""], "views"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "1", "2026-02-30"], "claim_created_date"),
        (["c1", "00000000001", "A1", "ACTIVE", "t", "1", "31.01.2026"], "claim_created_date"),
        (["c1", "00000000001", "A1", "ACTIVE", "x" * 6_000, "1", ""], "asset_title"),
        (["c1", "00000000001", "A1", "ACTIVE", "a\0b", "1", ""], "asset_title"),
    ],
)
def test_a_cell_that_has_no_such_value_refuses_its_row_only(cells, column):
    _, accepted, rejects, counts = read(f"{HEADER}\n{','.join(cells)}\n{ROW}\n")

    assert [(reject.row, reject.line, reject.column) for reject in rejects] == [(1, 2, column)]
    assert [row["row"] for row in accepted] == ["2"]
    assert (counts.rows, counts.accepted, counts.rejected) == (2, 1, 1)


def test_a_quote_that_is_never_closed_costs_its_own_row():
    lines = [ROW.replace("Título", '"never closed'), *[ROW.replace("c1", f"c{n}") for n in range(2, 400)]]
    _, accepted, rejects, counts = read(f"{HEADER}\n" + "\n".join(lines) + "\n")

    assert [reject.row for reject in rejects] == [1]
    assert (counts.rows, len(accepted), accepted[-1]["row"]) == (399, 398, "399")


MONEY = kinds.BY_NAME["ads_videos"]
PAYMENTS = kinds.BY_NAME["payments"]


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("0.000000000001", "0.000000000001"),
        ("-3", "-3"),
        ("(3.10)", "-3.10"),
        ('"1,234.50"', "1234.50"),
        ("1E-7", "0.0000001"),
        ('"(1,234,567.8)"', "-1234567.8"),
    ],
)
def test_amounts_keep_their_digits(cell, amount):
    _, accepted, rejects, _ = read(f"Video ID,Partner Revenue\n00000000001,{cell}\n", MONEY)

    assert rejects == []
    assert accepted[0]["partner_revenue"] == amount


@pytest.mark.parametrize(("cell", "views"), [("-12", "-12"), ('"-1,234"', "-1234"), ("7.0", "7")])
def test_a_correction_takes_views_away(cell, views):
    text = f"Adjustment Type,Video ID,Owned Views,Partner Revenue\nBackpay,00000000001,{cell},-3\n"
    _, accepted, rejects, _ = read(text, MONEY)

    assert rejects == []
    assert (accepted[0]["owned_views"], accepted[0]["partner_revenue"]) == (views, "-3")


@pytest.mark.parametrize("cell", ["", "NaN", "Infinity", "1,5", "1_000", "$1", "1e99", "0x1", "١", "--1"])
def test_what_is_no_amount_is_refused(cell):
    quoted = f'"{cell}"'
    _, accepted, rejects, _ = read(f"Video ID,Partner Revenue\n00000000001,{quoted}\n", MONEY)

    assert accepted == []
    assert rejects[0].column == "Partner Revenue"


@pytest.mark.parametrize("total", ["Total,5", '"Total",5', "Grand Total,5", "total,(5)"])
def test_a_row_of_totals_is_no_row(total):
    _, accepted, _, counts = read(f"Revenue Type,Partner Revenue (USD)\nAds,5\n{total}\n", PAYMENTS)

    assert [row["revenue_type"] for row in accepted] == ["Ads"]
    assert (counts.rows, counts.totals) == (1, 1)


@pytest.mark.parametrize(
    ("day", "month"),
    [
        ("20250930", "20250901"),
        ("2025-09-30", "20250901"),
        ("2025/09/30", "20250901"),
        ("20240229", "20240201"),
        ("202509", "20250901"),
        ("", "20251001"),
    ],
)
@pytest.mark.parametrize("title", ["A title", '"It says ""Hi"""', "A\ttab"])
def test_rows_of_money_have_their_month_of_activity(day, month, title):
    """Rows are read in three ways, by what is in their cells, and each has the month in the same place."""
    content = f"Video ID,Day,Video Title,Partner Revenue\n00000000001,{day},{title},1.5\n"
    source = payload(content)
    found = rows.recognise(source, kinds.BY_NAME["ads_videos"])
    rejects = []
    reader = Rows(source, found, rejects.append, date(2025, 10, 1))

    ((number, read, video, *_),) = copied(reader.lines(), ",")
    assert (number, read.replace("-", ""), video) == ("1", month, "00000000001")
    assert rejects == []


def test_a_report_of_money_without_days_has_its_own_month():
    source = payload("Video ID,Partner Revenue\n00000000001,1.5\n")
    found = rows.recognise(source, kinds.BY_NAME["ads_videos"])
    reader = Rows(source, found, lambda _: None, date(2025, 10, 1))

    assert copied(reader.lines(), ",") == [["1", "2025-10-01", "00000000001", "1.5"]]


def test_digests_tell_rows_apart_and_have_the_numbers_of_the_rows():
    content = f"{HEADER}\n{ROW}\n\n{ROW}\n{ROW.replace('12', '13')}\n"
    source = payload(content)
    found = rows.recognise(source, None)
    reader = Rows(source, found, lambda _: None)
    digests = copied(reader.digests(), "\t")
    lines = copied(Rows(source, found, lambda _: None).lines(with_digest=True), ",")

    assert [line[:2] for line in lines] == digests
    assert [number for number, _ in digests] == ["1", "2", "3"]
    assert len({digest for _, digest in digests}) == 2


def items(cell):
    """Return the values of an array as PostgreSQL writes it, which JSON is but for its brackets."""
    return [item.strip() for item in json.loads(f"[{cell[1:-1]}]", strict=False)] if cell else [""]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_random_files_account_for_every_row(monkeypatch, delimiter):
    """Accept or refuse each row of a well-formed file exactly once, for any size of a block."""
    random.seed(8)
    alphabet = ["a", '"', ",", ";", "\t", "\n", "é", " ", "|", "\\", "\x1e", "\x1f", "🎵"]

    def text(length):
        # Most rows of real files are plain.
        return "".join(random.choices(alphabet[: random.choice([1, 2, 3, 13])], k=length))

    for size in (7, 64, 1 << 18):
        monkeypatch.setattr(rows, "BLOCK_BYTES", 1 << 18)
        cells = [
            [
                f"c{n}{random.choice(['', '', delimiter])}",
                "00000000001",
                "A1",
                "ACTIVE",
                text(n % 9),
                "1",
                "",
                text(n % 7),
                text(n % 5),
            ]
            for n in range(300)
        ]
        for bad in random.sample(cells, 30):
            bad[5] = "x"
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator=random.choice(["\n", "\r\n"]))
        writer.writerows([[*HEADER.split(","), "artist", "album"], *cells])
        source = payload(out.getvalue())
        found = rows.recognise(source, None)
        monkeypatch.setattr(rows, "BLOCK_BYTES", size)
        rejects = []
        reader = Rows(source, found, rejects.append)
        accepted = copied(reader.lines(), delimiter)

        assert reader.counts.rows == len(accepted) + len(rejects) == 300
        assert len(rejects) == 30
        expected = [row for row in cells if row[5] == "1"]
        assert [row[1].strip() for row in accepted] == [row[0].strip() for row in expected]
        assert [row[5].strip() for row in accepted] == [row[4].strip() for row in expected]
        assert [row[9].strip() for row in accepted] == [row[8].strip() for row in expected]
        assert [items(row[8]) for row in accepted] == [
            [item.strip() for item in row[7].strip().split("|")] for row in expected
        ]


def test_memory_stays_flat():
    source = payload(f"{HEADER}\n".encode() + f"{ROW}\n".encode() * 60_000)
    found = rows.recognise(source, None)
    tracemalloc.start()
    number = sum(block.count(b"\n") for block in Rows(source, found, lambda _: None).lines())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert number == 60_000
    assert peak < 4 << 20

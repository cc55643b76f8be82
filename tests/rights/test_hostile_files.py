"""Files as they arrive from people and portals: the same rows however they are written, or a reason."""

import csv
import gzip
import io
import zipfile
from decimal import Decimal

import pytest

from showrunner.database import db
from showrunner.reports import opening
from tests.reports.test_opening import zipped
from tests.rights.conftest import table

HEADER = (
    "Adjustment Type,Country,Day,Video ID,Asset ID,Asset Title,GRid,Channel ID,Owned Views,Partner Revenue"
)
ROWS = (
    'None,DE,20251003,00000000001,A1,"Ünï, ""quoted""",G1,UCuAXFkgsw1L7xaCfnd5JJOw,10,0.000000123456\n'
    "None,US,20251004,00000000002,A2,Plain,,uAXFkgsw1L7xaCfnd5JJOw,20,(2.5)\n"
)
FILE = f"{HEADER}\n{ROWS}"


def name(owner, end="csv"):
    return f"YouTube_{owner['name']}_M_20251001_20251031_red_label_rawdata_video_v1-1.{end}"


def rewritten(dialect_delimiter, quoting=csv.QUOTE_MINIMAL):
    out = io.StringIO()
    writer = csv.writer(out, delimiter=dialect_delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerows(csv.reader(io.StringIO(FILE)))
    return out.getvalue()


def columns(header, cells):
    """Return the file with more columns at its end."""
    first, *rows = FILE.splitlines()
    return "\n".join([first + header, *(row + cells for row in rows)]) + "\n"


WAYS = {
    "plain": FILE,
    "a title, with a comma": f"Synthetic, Asset Summary\n{FILE}",
    "header on line 3": f"Adjustment Claim Report,,,\nGenerated,,,\n{FILE}",
    "byte order mark": FILE.encode("utf-8-sig"),
    "UTF-16": FILE.encode("utf-16"),
    "Latin-1": FILE.encode("latin-1"),
    "CRLF": FILE.replace("\n", "\r\n"),
    "ends of an old Mac": FILE.replace("\n", "\r"),
    "tabs": rewritten("\t"),
    "semicolons": rewritten(";"),
    "all cells quoted": rewritten(",", csv.QUOTE_ALL),
    "no end of the last line": FILE.rstrip(),
    "blank lines": FILE.replace("\nNone,US", "\n\n,,,\nNone,US"),
    "GRID for GRid": FILE.replace("GRid", "GRID"),
    "spaces in the header": FILE.replace("Asset Title", " Asset\u00a0 Title "),
    "a repeated column": columns(",Owned Views", ",99"),
    "an unknown column": columns(",Mood Of The Viewer", ",good"),
    "a trailing delimiter": columns(",", ","),
    "a row of totals": f"{FILE}Total,,,,,,,,30,-2.499999876544\n",
    "gzip": gzip.compress(FILE.encode()),
    "gzip twice": gzip.compress(gzip.compress(FILE.encode())),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_rows_arrive_however_the_file_is_written(tx, owner, drop, way):
    (report,) = drop(name(owner), WAYS[way])

    assert (report.status, report.rows, report.accepted) == ("loaded", 2, 2)
    found = table(
        *(tx, "money", owner),
        "asset_title, grid, channel_id, owned_views, partner_revenue, day::text",
        "row_number",
    )
    channel = "UCuAXFkgsw1L7xaCfnd5JJOw"
    assert [tuple(each.values()) for each in found] == [
        ('Ünï, "quoted"', "G1", channel, 10, Decimal("0.000000123456"), "2025-10-03"),
        ("Plain", None, channel, 20, Decimal("-2.5"), "2025-10-04"),
    ]


def test_an_archive_of_archives_has_each_of_its_reports(tx, owner, drop):
    premium = name(owner)
    ads = premium.replace("red_label_rawdata_video", "asset_raw")
    inner = zipped(**{ads: gzip.compress(FILE.encode()), "__MACOSX/._x": b"\0"})
    reports = drop("October.zip", zipped(**{premium: FILE, "more/inner.zip": inner, ".DS_Store": b"\0"}))

    assert {each.kind: (each.status, each.rows) for each in reports} == {
        "premium_label_videos": ("loaded", 2),
        "ads_assets": ("loaded", 2),
    }
    again = drop("October (1).zip", zipped(**{premium: FILE, "copy/" + premium: FILE}))
    assert [each.status for each in again] == ["loaded", "refused"]
    assert "two reports of this kind" in again[1].reason


BOMB = FILE + ROWS * 20_000


def bomb_in_zip():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.csv", BOMB)
    return out.getvalue()


REFUSED = {
    "half of a gzip": (gzip.compress(FILE.encode() * 50)[:90], "incomplete or damaged"),
    "half of a zip": (zipped(a=FILE)[:60], "incomplete or damaged"),
    "a bomb in gzip": (gzip.compress(BOMB.encode()), "unpacks to more than"),
    "a bomb in zip": (bomb_in_zip(), "unpacks to more than"),
    "a bomb in five layers": (
        gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x" * 999))))),
        "packed more than",
    ),
    "an empty file": (b"", "no header"),
    "a header alone in a picture": (b"\x89PNG\r\n\x1a\n" + b"\0" * 99, "no header|columns"),
    "a needed column is missing": (FILE.replace("Partner Revenue", "Partner Income"), "partner_revenue"),
    "a page of HTML": (b"<!doctype html><title>Sign in</title>", "no header|columns"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_file_that_is_broken_is_refused_with_the_reason_and_changes_nothing(
    tx, owner, drop, case, monkeypatch
):
    monkeypatch.setattr(opening, "MAX_UNPACKED_BYTES", 2 << 20)
    drop(name(owner), FILE)
    content, reason = REFUSED[case]
    (report,) = drop(name(owner), content)

    assert (report.status, report.rows) == ("refused", None)
    assert any(each in report.reason for each in reason.split("|")), report.reason
    assert len(table(tx, "money", owner)) == 2


def test_a_newer_name_has_no_owner_and_a_name_of_another_owner_is_refused(tx, owner, drop):
    (newer,) = drop("red_month_subscription_asset_v1_1_20251001.csv", FILE)
    (other,) = drop("YouTube_Somebody_Else_M_202510_red_label_rawdata_video_v1-1.csv", FILE + ROWS)

    assert (newer.status, newer.kind) == ("loaded", "premium_music_assets")
    assert (other.status, "Somebody_Else" in other.reason) == ("refused", True)


def test_rows_that_would_end_a_copy_are_kept_or_refused_one_by_one(tx, owner, drop):
    """COPY's own signs in cells: backslashes, \\. and tabs are text; a zero byte is none."""
    odd = [
        r"back\slash",
        r"\.",
        r"\N",
        "a\ttab",
        "two\nlines",
        "carriage\rreturn",
        "unit\x1fseparator",
        "z\0ro",
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, title in enumerate(odd):
        writer.writerow(["None", "DE", "20251003", f"{number:011}", "A1", title, "", "", 1, "1"])
    (report,) = drop(name(owner), f"{HEADER}\n{out.getvalue()}")

    assert (report.status, report.rows, report.accepted, report.rejected) == ("loaded", 8, 7, 1)
    titles = [each["asset_title"] for each in table(tx, "money", owner, "asset_title", "row_number")]
    assert titles == odd[:-1]
    (reject,) = db.rows(
        tx, "SELECT row_number, reason FROM rights.rejects WHERE report_id = :id", id=report.id
    )
    assert (reject["row_number"], reject["reason"]) == (8, "Asset Title has a zero byte.")

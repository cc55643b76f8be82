"""Files as they are packed: gzip, zip and both, what they bring along, and what is broken or a bomb."""

import gzip
import io
import zipfile

import pytest

from showrunner.reports import opening
from showrunner.reports.opening import Refused

TEXT = b"claim_id,video_id\nc1,00000000001\n"


def zipped(**files):
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__slash__", "/"), content)
    return found.getvalue()


@pytest.fixture
def opened(tmp_path):
    def open_(content):
        path = tmp_path / "dropped"
        path.write_bytes(content)
        return {payload.name: payload.open().read() for payload in opening.payloads(path, "report", tmp_path)}

    return open_


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (TEXT, [""]),
        (gzip.compress(TEXT), [""]),
        (gzip.compress(gzip.compress(TEXT)), [""]),
        (zipped(a=TEXT), ["a"]),
        (zipped(a=TEXT, b=gzip.compress(TEXT)), ["a", "b"]),
        (gzip.compress(zipped(a=TEXT)), ["a"]),
        (zipped(one=zipped(a=TEXT), two=zipped(b=TEXT)), ["one/a", "two/b"]),
        (
            zipped(
                a=TEXT, __MACOSX__slash__a=b"\0", folder__slash__b=TEXT, **{"folder/.DS_Store": b"\0"}
            ),
            ["a", "folder/b"],
        ),
    ],
    # Named, because packed bytes contain the time of packing, and workers of xdist must find the same tests.
    ids=["plain", "gzip", "gzip twice", "zip", "gzip in zip", "zip in gzip", "zip of zips", "with clutter"],
)  # fmt: skip
def test_reports_are_found_however_they_are_packed(opened, content, names):
    assert opened(content) == dict.fromkeys(names, TEXT)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(TEXT * 999)[:-20], "incomplete or damaged"),
        (gzip.compress(TEXT)[:20] + b"\xff" * 20, "incomplete or damaged"),
        (zipped(a=TEXT)[:-10], "incomplete or damaged zip"),
        (zipped(a=TEXT).replace(b"\x00\x00c1", b"xxxx")[:60] + b"\0" * 60, "incomplete or damaged zip"),
        (zipped(), "no files in it"),
        (zipped(**{"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"}), "save the report as CSV"),
        (zipped(**{f"f{n}": b"x" for n in range(opening.MAX_FILES + 1)}), "more than 200 files"),
        (zipped(a=zipped(b=zipped(c=zipped(d=TEXT)))), "packed more than 3 times"),
    ],
    ids=[
        *("cut gzip", "damaged gzip", "cut zip", "damaged zip"),
        *("empty zip", "workbook", "too many files", "too deep"),
    ],
)  # fmt: skip
def test_what_is_broken_or_no_report_is_refused_with_the_reason(opened, content, reason):
    with pytest.raises(Refused, match=reason):
        opened(content)


def test_a_zip_with_a_password_is_refused(opened):
    content = bytearray(zipped(a=TEXT))
    for place in (6, content.index(b"PK\x01\x02") + 8):
        content[place] |= 1  # the flag of an encrypted entry

    with pytest.raises(Refused, match="has a password"):
        opened(bytes(content))


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: zipped(a=content)])
def test_a_bomb_is_stopped_at_the_bound(opened, pack, monkeypatch):
    monkeypatch.setattr(opening, "MAX_UNPACKED_BYTES", 1 << 20)

    with pytest.raises(Refused, match="unpacks to more than"):
        opened(pack(b"0" * (2 << 20)))

"""Files as they are packed: gzip, zip and both, what they bring along, and what is broken or a bomb."""

import gzip
import io
import struct
import warnings
import zipfile

import pytest

from showrunner.reports import opening
from showrunner.reports.opening import Refused

TEXT = b"claim_id,video_id\nc1,00000000001\n"


def zipped(method=zipfile.ZIP_DEFLATED, /, **files):
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__slash__", "/"), content)
    return found.getvalue()


def with_same_names(name, *contents):
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for content in contents:
            archive.writestr(name, content)
    return found.getvalue()


def with_many_entries(count):
    """Return a zip that lists so many files, and has none of them."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, *[0] * 7, 7, *[0] * 6)
    listed = b"".join(entry + b"%07d" % number for number in range(count))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(listed), 30, 0)
    return b"PK\x03\x04" + bytes(26) + listed + end


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
        (zipped(é=TEXT).replace("é".encode(), b"\xff\xfe"), "incomplete or damaged"),
        (zipped(**{"a" * 501: TEXT}), "a name of more than 500 bytes"),
        (with_same_names("a", TEXT, b"others"), "two files named a"),
        (zipped(zipfile.ZIP_LZMA, a=TEXT), "packed in a way"),
        (with_many_entries(100_000), "more than 200 files"),
    ],
    ids=[
        *("cut gzip", "damaged gzip", "cut zip", "damaged zip"),
        *("empty zip", "workbook", "too many files", "too deep"),
        *("name that is no text", "long name", "same names", "odd method", "a list as a bomb"),
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

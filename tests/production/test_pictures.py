"""Sizes of pictures, read from their headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showrunner.production.pictures import find_size
from tests.production.samples import image_file


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (640, 360), (1080, 1920)])
def test_the_size_is_the_one_that_the_picture_was_made_with(kind, progressive, size):
    assert find_size(image_file(kind, *size, progressive=progressive)) == size


def test_segments_before_the_frame_are_skipped():
    """A camera's JPEG begins with its settings and a small picture, which has a size of its own."""
    small, whole = image_file("JPEG", 160, 120), image_file("JPEG", 1280, 720)
    settings = b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small

    assert find_size(whole[:2] + settings + b"\xff\xff" + whole[3:]) == (1280, 720)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a" + b"\1" * 20, b"\x89PNG\r\n\x1a\n" + b"0" * 92, b"\xff\xd8" + b"\xff" * 99]
)
def test_other_content_has_no_size(content):
    assert find_size(content) is None


def test_a_picture_without_area_has_no_size():
    content = bytearray(image_file("PNG", 1, 1))
    content[16:20] = b"\0\0\0\0"

    assert find_size(bytes(content)) is None


@given(st.binary(max_size=200), st.integers(0, 400))
def test_no_content_breaks_the_reader(tail, length):
    """Every file of hostile users ends up here."""
    for start in (image_file("JPEG", 16, 16)[:length], image_file("PNG", 16, 16)[:length], b"\xff\xd8"):
        size = find_size(start + tail)

        assert size is None or min(size) > 0

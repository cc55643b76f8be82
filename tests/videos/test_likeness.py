"""Pictures that look alike have near hashes, others have not."""

import io
import itertools

import pytest
from PIL import Image

from local.platforms import catalogue, footage
from showrunner.videos import likeness


def jpeg(
    kind: str, seed: int, at: float = 1.0, size: tuple[int, int] = (180, 320), quality: int = 90
) -> bytes:
    picture = Image.fromarray(footage.KINDS[kind](footage.Canvas(seed, 180, 320))(at)).resize(size)
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


@pytest.mark.parametrize("kind", ["sea", "city", "mountains", "space"])
def test_the_same_picture_smaller_and_coded_worse_looks_alike(kind: str) -> None:
    first, second = likeness.of(jpeg(kind, 3)), likeness.of(jpeg(kind, 3, size=(90, 160), quality=40))

    assert first is not None
    assert second is not None
    assert likeness.are_alike(first, second)


def test_pictures_of_different_things_do_not_look_alike() -> None:
    hashes = [likeness.of(jpeg(kind, 3)) for kind in ("sea", "city", "mountains", "world")]

    assert not any(
        likeness.are_alike(one or "", other or "") for one, other in itertools.combinations(hashes, 2)
    )


def test_most_clips_of_one_kind_do_not_look_alike() -> None:
    hashes = [likeness.of(jpeg("city", seed)) or "" for seed in range(catalogue.SEEDS_OF_A_KIND)]

    pairs = [likeness.are_alike(one, other) for one, other in itertools.combinations(hashes, 2)]
    assert sum(pairs) < len(pairs) / 2


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"<!doctype html>", jpeg("sea", 1)[:300]])
def test_what_is_no_picture_has_no_hash(content: bytes) -> None:
    assert likeness.of(content) is None


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    target = io.BytesIO()
    Image.new("L", (3000, 3000)).save(target, "JPEG")

    assert likeness.of(target.getvalue()) is None

"""Previews tell what is alike, what is sharp, and whether the subject stays inside a crop."""

import io
import itertools

import pytest
from PIL import Image, ImageDraw, ImageFilter

from local.platforms import catalogue, footage
from showrunner.videos import previews
from showrunner.videos.previews import Preview

TALL, WIDE = (1080, 1920), (1920, 1080)


def drawn(kind: str, seed: int, at: float = 1.0, size: tuple[int, int] = (180, 320)) -> Image.Image:
    return Image.fromarray(footage.KINDS[kind](footage.Canvas(seed, *size))(at))


def coded(picture: Image.Image, quality: int = 90) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


def measured(picture: Image.Image, quality: int = 90) -> Preview:
    found = previews.measure(coded(picture, quality))
    assert found is not None
    return found


def with_subjects(*places: int) -> Image.Image:
    """Return a wide picture of a calm sky with a figure at each of these places."""
    picture = Image.new("RGB", (320, 180), (120, 150, 190))
    for x in places:
        ImageDraw.Draw(picture).ellipse(
            (x - 20, 60, x + 20, 130), fill=(220, 60, 40), outline=(255, 255, 255)
        )
    return picture


@pytest.mark.parametrize("kind", ["sea", "city", "mountains", "space"])
def test_the_same_picture_smaller_and_coded_worse_looks_alike(kind: str) -> None:
    picture = drawn(kind, 3)

    first, second = measured(picture), measured(picture.resize((90, 160)), quality=40)

    assert previews.are_alike(first.look, second.look)


def test_pictures_of_different_things_do_not_look_alike() -> None:
    looks = [measured(drawn(kind, 3)).look for kind in ("sea", "city", "mountains", "world")]

    assert not any(previews.are_alike(one, other) for one, other in itertools.combinations(looks, 2))


def test_most_clips_of_one_kind_do_not_look_alike() -> None:
    looks = [measured(drawn("city", seed)).look for seed in range(catalogue.SEEDS_OF_A_KIND)]

    pairs = [previews.are_alike(one, other) for one, other in itertools.combinations(looks, 2)]
    assert sum(pairs) < len(pairs) / 2


@pytest.mark.parametrize("kind", ["city", "machine", "fibers"])
def test_a_blurred_picture_is_less_sharp_the_more_it_is_blurred(kind: str) -> None:
    picture = drawn(kind, 3)

    blurred = [measured(picture.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 3, 6)]

    sharp, soft, softest = (each.sharpness or 0 for each in blurred)
    assert sharp > soft > softest
    assert sharp - softest > 0.4


def test_contrast_alone_makes_no_picture_sharper() -> None:
    picture = drawn("city", 3)

    dim = measured(picture.point(lambda level: level // 2))

    assert dim.sharpness == pytest.approx(measured(picture).sharpness, abs=0.1)


def test_a_small_preview_says_nothing_about_sharpness() -> None:
    assert measured(drawn("city", 3, size=(90, 160))).sharpness is None


@pytest.mark.parametrize("place", [40, 160, 280])
def test_one_subject_stays_inside_a_tall_crop_wherever_it_is(place: int) -> None:
    assert previews.subject_kept(measured(with_subjects(place)), *TALL) > 0.85


def test_subjects_at_both_ends_do_not_stay_inside_a_tall_crop() -> None:
    both = measured(with_subjects(30, 290))

    assert previews.subject_kept(both, *TALL) < 0.65
    assert previews.subject_kept(both, *WIDE) > 0.95


def test_of_a_picture_without_a_subject_any_part_will_do() -> None:
    plain = Image.linear_gradient("L").resize((320, 180)).convert("RGB")

    assert previews.subject_kept(measured(plain), *TALL) > 0.9
    assert previews.subject_kept(measured(Image.new("RGB", (320, 180), "grey")), *TALL) == 1.0


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"<!doctype html>", coded(drawn("sea", 1))[:300]])
def test_what_is_no_picture_is_not_measured(content: bytes) -> None:
    assert previews.measure(content) is None


def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    assert previews.measure(coded(Image.new("L", (3000, 3000)))) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 1)])
def test_a_picture_of_any_shape_is_measured(size: tuple[int, int]) -> None:
    found = measured(Image.new("RGB", size, "navy"))

    assert previews.subject_kept(found, *TALL) == 1.0

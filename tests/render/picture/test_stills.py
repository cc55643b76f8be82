import numpy as np
import pytest
from PIL import Image

from render.errors import AssetCorrupt
from render.picture import stills


def saved(path, mode, size=(300, 200), **options):
    array = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 4), np.uint8)
    Image.fromarray(array).convert("RGB").convert(mode).save(path, **options)
    return path


def test_a_photograph_is_turned_upright(tmp_path):
    picture = Image.new("RGB", (200, 100), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 100, 100))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    rgb = stills.load(tmp_path / "turned.jpg", "turned.jpg", 4000)
    assert rgb.shape[:2] == (200, 100)
    assert rgb[20, 50, 0] > 200 > rgb[180, 50, 0]


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("L", "a.png"),
        ("P", "a.gif"),
        ("CMYK", "a.jpg"),
        ("1", "a.png"),
        ("LA", "a.png"),
        ("RGB", "a.webp"),
        ("RGB", "a.bmp"),
        ("RGB", "a.tiff"),
    ],
)
def test_pictures_of_every_usual_kind_are_read(tmp_path, mode, name):
    rgb = stills.load(saved(tmp_path / name, mode, (301, 203)), name, 4000)
    assert rgb.shape == (203, 301, 3)
    assert rgb.dtype == np.uint8


def test_sixteen_bit_pictures_keep_their_shades(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (10, 1))
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    rgb = stills.load(tmp_path / "deep.png", "deep.png", 4000)
    assert len(np.unique(rgb[..., 0])) > 200


def test_transparency_shows_the_background(tmp_path):
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (stills.load(tmp_path / "clear.png", "clear.png", 4000, (1, 2, 3)) == (1, 2, 3)).all()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + b"\0" * 50])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(AssetCorrupt, match=r"bad\.jpg"):
        stills.load(tmp_path / "bad.jpg", "bad.jpg", 4000)


def test_a_truncated_photograph_is_named(tmp_path):
    path = saved(tmp_path / "whole.jpg", "RGB")
    (tmp_path / "half.jpg").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AssetCorrupt, match=r"half\.jpg"):
        stills.load(tmp_path / "half.jpg", "half.jpg", 4000)


def test_the_crop_goes_where_the_subject_is():
    rgb = np.full((400, 1200, 3), 120, np.uint8)
    rgb[120:280, 900:1060] = np.random.default_rng(1).integers(0, 255, (160, 160, 3), np.uint8)
    x, _ = stills.attention(rgb, 9 / 16)
    assert 0.74 < x < 0.90


def test_a_given_focus_wins():
    assert stills.crop(1000, 500, 1.0, (0.9, 0.5)) == (500, 0, 1000, 500)


def test_a_portrait_in_a_wide_video_is_shown_before_a_blurred_background():
    rgb = np.random.default_rng(1).integers(0, 255, (1600, 900, 3), np.uint8)
    framed = stills.framed(rgb, (1280, 720), "smart")
    edges = np.abs(np.diff(framed[..., 0].astype(int), axis=1)).mean(axis=0)
    assert framed.shape == (720, 1280, 3)
    assert edges[600:680].mean() > 5 * edges[20:200].mean()

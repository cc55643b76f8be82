import struct
import warnings
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from render.errors import AssetCorrupt, AssetRefused
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
        ("LAB", "a.tiff"),
        ("RGB", "a.avif"),
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


def test_dark_sixteen_bit_pictures_stay_dark(tmp_path):
    Image.fromarray(np.full((10, 10), 9_000, np.uint16)).save(tmp_path / "dark.png")
    assert stills.load(tmp_path / "dark.png", "dark.png", 4000)[5, 5].tolist() == [35, 35, 35]


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_of_a_palette_shows_the_background_without_a_fringe(tmp_path, mode):
    """The left half is transparent by a colour key. The picture is reduced while it is loaded."""
    picture = Image.new(mode, (800, 400), 0 if mode != "RGB" else (0, 255, 0))
    if mode == "P":
        picture.putpalette([0, 255, 0, 200, 200, 200])
    picture.paste(1 if mode == "P" else 200 if mode == "L" else (200, 200, 200), (400, 0, 800, 400))
    key = 0 if mode != "RGB" else (0, 255, 0)
    picture.save(tmp_path / "keyed.png", transparency=key)
    rgb = stills.load(tmp_path / "keyed.png", "keyed.png", 100, (200, 200, 200))
    assert np.abs(rgb.astype(int) - 200).max() <= 2


# A matrix profile (ICC.1:2010): gamma and the primaries, adapted to D50, in the order red, green, blue.
ADOBE = (2.19921875, ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)))
P3 = (2.4, ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)))


def icc_profile(gamma, primaries):
    def xyz(values):
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = xyz((0.9642, 1.0, 0.8249))
    tags = [(b"wtpt", white), *zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, primaries), strict=True)]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    at, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += name + struct.pack(">II", at + len(data), len(content))
        data += content
    head = struct.pack(">I4xI4s4s4s", at + len(data), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + data


@pytest.mark.parametrize(
    ("profile", "mode", "name", "colour", "expected"),
    [
        (ADOBE, "RGB", "a.png", (114, 198, 74), (30, 200, 60)),
        (ADOBE, "RGB", "a.jpg", (114, 198, 74), (30, 200, 60)),
        (ADOBE, "RGBA", "a.png", (114, 198, 74), (30, 200, 60)),
        (ADOBE, "P", "a.png", (114, 198, 74), (30, 200, 60)),
        (ADOBE, "RGB", "a.tiff", (114, 198, 74), (30, 200, 60)),
        (ADOBE, "RGB", "a.webp", (128, 128, 128), (128, 128, 128)),
        (P3, "RGB", "a.png", (255, 255, 255), (255, 255, 255)),
    ],
)
def test_colours_are_converted_from_the_pictures_profile(tmp_path, profile, mode, name, colour, expected):
    picture = Image.new("RGB", (64, 64), colour)
    picture = picture.quantize(2) if mode == "P" else picture.convert(mode)
    picture.save(tmp_path / name, icc_profile=icc_profile(*profile), quality=100)
    rgb = stills.load(tmp_path / name, name, 4000)
    # A step of eight bits in Adobe RGB is up to five in a dark channel of sRGB.
    assert np.abs(rgb[32, 32].astype(int) - expected).max() <= 5


@pytest.mark.parametrize("profile", [b"", b"no profile", icc_profile(*ADOBE)[:200]])
def test_a_damaged_profile_is_ignored(tmp_path, profile):
    Image.new("RGB", (64, 64), (114, 198, 74)).save(tmp_path / "a.png", icc_profile=profile)
    assert stills.load(tmp_path / "a.png", "a.png", 4000)[3, 3].tolist() == [114, 198, 74]


def tiff_entry(tag, kind, count, value):
    return struct.pack(">HHI4s", tag, kind, count, value)


BROKEN_EXIF = {
    "a rational of -1/0": tiff_entry(0x9204, 10, 1, struct.pack(">I", 50)),
    "a value beyond the end": tiff_entry(0x010F, 2, 5000, struct.pack(">I", 60_000)),
    "an unknown type": tiff_entry(0x0110, 77, 1, b"\1\2\3\4"),
    "a text for a number": tiff_entry(0x011A, 2, 3, b"ab\0\0"),
}


@pytest.mark.parametrize("kind", sorted(BROKEN_EXIF))
def test_broken_exif_rejects_no_good_picture(tmp_path, kind):
    """The orientation before the broken entry still counts."""
    entries = [tiff_entry(0x0112, 3, 1, struct.pack(">HH", 6, 0)), BROKEN_EXIF[kind]]
    head = b"MM\0*" + struct.pack(">IH", 8, len(entries)) + b"".join(entries) + b"\0" * 4
    exif = b"Exif\0\0" + head.ljust(50, b"\0") + struct.pack(">ii", -1, 0)
    Image.new("RGB", (80, 40), (9, 99, 199)).save(tmp_path / "a.jpg", exif=exif)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert stills.load(tmp_path / "a.jpg", "a.jpg", 4000).shape == (80, 40, 3)


@pytest.mark.parametrize(
    "start", [b"Exif\0\0", b"Exif\0\0MM", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0junk" * 9]
)
def test_exif_that_is_no_exif_is_ignored(tmp_path, start):
    Image.new("RGB", (80, 40), (9, 99, 199)).save(tmp_path / "a.jpg", exif=start)
    warnings.simplefilter("ignore")
    assert stills.load(tmp_path / "a.jpg", "a.jpg", 4000).shape == (40, 80, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.tiff", "a.png", "a.webp", "a.avif"])
def test_every_orientation_is_turned_upright(tmp_path, name, orientation):
    upright = Image.new("RGB", (96, 64), (0, 0, 255))
    upright.paste((255, 0, 0), (0, 0, 48, 32))
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turned[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / name, exif=exif, quality=95)
    rgb = stills.load(tmp_path / name, name, 4000)
    assert rgb.shape == (64, 96, 3)
    assert rgb[16, 24, 0] > 200
    assert rgb[48, 72, 2] > 200


def test_any_error_of_a_decoder_belongs_to_the_asset(tmp_path):
    """Flip bytes of small pictures of every format: they are read, or named, and nothing else happens."""
    rng = np.random.default_rng(5)
    for name in ("a.jpg", "a.png", "a.gif", "a.bmp", "a.tiff", "a.webp", "a.avif"):
        whole = saved(tmp_path / name, "RGB", (40, 30)).read_bytes()
        for _ in range(40):
            damaged = bytearray(whole)
            for at in rng.integers(4, len(whole), 6):
                damaged[at] = rng.integers(256)
            (tmp_path / "damaged").write_bytes(damaged)
            with warnings.catch_warnings(), suppress(AssetCorrupt, AssetRefused):
                warnings.simplefilter("ignore")
                stills.load(tmp_path / "damaged", "damaged", 4000)


@pytest.mark.parametrize("brand", [b"heic", b"mif1", b"hevc"])
def test_heic_is_refused_by_name(tmp_path, brand):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0" * 40)
    with pytest.raises(AssetRefused, match=r"a\.heic is a HEIC file\. Save it as JPEG or PNG"):
        stills.load(tmp_path / "a.heic", "a.heic", 4000)


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

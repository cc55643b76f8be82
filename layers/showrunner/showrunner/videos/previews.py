"""Measure the previews of works: what they look like, how sharp they are, and where their subject is.

A preview shows what the words about a work don't say. NumPy and OpenCV would take 180 MB of a function's 250:
Pillow does with small pictures what is needed, in about 20 ms each.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

# A row more than it is high: each of 64 bits says whether a point is darker than the one right of it.
_WIDTH, _HEIGHT = 9, 8
# https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html: more than ten of the 64
# bits differ between different pictures.
_ALIKE_BITS = 10
# A preview has a few hundred pixels a side; decoding a larger one could take all memory.
_MOST_PIXELS = 4_000_000
# Longer side in pixels at which sharpness is measured: blur is a number of pixels, so all have the same. Of
# previews of 150 pixels blur says nothing: every picture of that size is sharp.
_MEASURED_SIDE, _SMALLEST_SIDE = 320, 240
# Radius of the box by which a picture is blurred once more: 11 pixels wide, as the metric's authors have it.
_BLUR_RADIUS = 5
# What the metric says of sharp photographs of that size, and of those blurred by a hundredth of a side.
_SHARP, _BLURRED = 0.35, 0.7
# Longer side in pixels at which the subject is looked for: a subject has a tenth of a side or more.
_SUBJECT_SIDE = 64
# An odd colour counts this much beside a strong contrast.
_ODD = 0.8
# A subject is clear if it has this share of all that draws the eye.
_CLEAR = 0.25


class Preview(NamedTuple):
    """Hold what the preview of a work tells.

    `look` is the hash of what it looks like: near hashes, alike pictures. `sharpness` is from 0 to 1, None if
    the preview is too small. `columns` and `rows` say how much each part of the width and of the height draws
    the eye.
    """

    look: str
    sharpness: float | None
    width: int
    height: int
    columns: Sequence[int]
    rows: Sequence[int]


def measure(content: bytes) -> Preview | None:
    """Return what a JPEG file shows, None if it can't be read."""
    # 60 ms of CPU, and scenes whose pictures are known already need none.
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as file:
            if file.width * file.height > _MOST_PIXELS:
                return None
            # The decoder makes it smaller at once.
            file.draft("RGB", (_MEASURED_SIDE, _MEASURED_SIDE))
            picture = file.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        return None
    picture.thumbnail((_MEASURED_SIDE, _MEASURED_SIDE))
    columns, rows = _profiles(picture)
    return Preview(_look(picture), _sharpness(picture), picture.width, picture.height, columns, rows)


def are_alike(one: str, other: str) -> bool:
    """Return True if the pictures of two hashes look alike."""
    return (int(one, 16) ^ int(other, 16)).bit_count() <= _ALIKE_BITS


def _look(picture: "Image.Image") -> str:
    """Return the hash of a picture's brightness (dHash) as 16 hexadecimal digits."""
    from PIL import Image

    points = picture.convert("L").resize((_WIDTH, _HEIGHT), Image.Resampling.BOX).tobytes()
    rows = (points[at : at + _WIDTH] for at in range(0, _WIDTH * _HEIGHT, _WIDTH))
    bits = "".join(str(int(row[x] < row[x + 1])) for row in rows for x in range(_WIDTH - 1))
    return f"{int(bits, 2):016x}"


def _sharpness(picture: "Image.Image") -> float | None:
    """Return how sharp the edges of a picture are, 0 to 1: what another blur takes from them.

    A blurred picture loses little, a sharp one much, whatever its contrast. Crété-Roffet and others, "The
    Blur Effect: Perception and Estimation with a New No-Reference Perceptual Blur Metric" (2007),
    https://hal.science/hal-00232709.
    """
    from PIL import ImageChops, ImageFilter, ImageStat

    if max(picture.size) < _SMALLEST_SIDE:
        return None
    grey = picture.convert("L")
    blur = 0.0
    for x, y in ((1, 0), (0, 1)):
        softer = grey.filter(ImageFilter.BoxBlur((_BLUR_RADIUS * x, _BLUR_RADIUS * y)))
        edges, soft_edges = (
            ImageChops.difference(
                each.crop((x, y, *each.size)), each.crop((0, 0, each.width - x, each.height - y))
            )
            for each in (grey, softer)
        )
        all_of_them = ImageStat.Stat(edges).sum[0]
        lost = ImageStat.Stat(ImageChops.subtract(edges, soft_edges)).sum[0]
        blur = max(blur, 1 - lost / all_of_them if all_of_them else 1.0)
    return round(min(1.0, max(0.0, (_BLURRED - blur) / (_BLURRED - _SHARP))), 3)


def subject_kept(preview: Preview, width: int, height: int) -> float:
    """Return how much of the subject is inside the best crop of these sides, 0 to 1.

    Where nothing stands out (water, leaves, a crowd), any part will do, so that nothing is lost.
    """
    ratio = (preview.width / preview.height) / (width / height)
    profile = preview.columns if ratio > 1 else preview.rows
    span = max(1, round(len(profile) * min(ratio, 1 / ratio)))
    everywhere = sorted(profile)[len(profile) // 2]
    outstanding = [max(0, each - everywhere) for each in profile]
    total = sum(outstanding)
    if not total:
        return 1.0
    held = max(sum(outstanding[at : at + span]) for at in range(len(profile) - span + 1)) / total
    clear = min(1.0, total / sum(profile) / _CLEAR)
    return round(1 - clear * (1 - held), 3)


def _profiles(picture: "Image.Image") -> tuple[list[int], list[int]]:
    """Return how much each column and each row of a picture draws the eye: by contrast and odd colours.

    As the renderer rates what it crops (functions/render/picture/stills.py: interest).
    """
    small = picture.copy()
    small.thumbnail((_SUBJECT_SIDE, _SUBJECT_SIDE))
    width, height = small.size
    bands = [band.tobytes() for band in small.convert("YCbCr").split()]
    usual = [sum(band) / len(band) for band in bands]
    edges, odd = [0.0] * (width * height), [0.0] * (width * height)
    for y in range(height - 1):
        for at in range(y * width, y * width + width - 1):
            here = [band[at] for band in bands]
            edges[at] = sum(
                abs(value - band[at + 1]) + abs(value - band[at + width])
                for value, band in zip(here, bands, strict=True)
            )
            odd[at] = math.dist(here, usual)
    most = max(edges, default=0) or 1, max(odd, default=0) or 1
    found = [edge / most[0] + _ODD * strange / most[1] for edge, strange in zip(edges, odd, strict=True)]
    return (
        [round(100 * sum(found[x::width]) / height) for x in range(width)],
        [round(100 * sum(found[y * width : (y + 1) * width]) / width) for y in range(height)],
    )

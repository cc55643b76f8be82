"""Still pictures: read them safely, turn them upright, and crop or frame them to fill the output."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from render.errors import AssetCorrupt, AssetRefused, RenderError
from render.picture import colour
from render.picture.colour import RGB, Pixels
from render.picture.motion import Move, Plate
from render.picture.planes import Frame
from render.plan.timeline import Visual

# The usual formats of cameras, phones and designers. Pillow's other readers stay disabled: PostScript, for
# example, is read by starting another program.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
# A JPEG is reduced while it is decoded; the largest phone cameras have 200 megapixels. Other formats are
# decoded at full size, with four bytes per pixel.
Image.MAX_IMAGE_PIXELS = 200_000_000
LARGEST_WHOLE = 64_000_000

# Brands of HEIF files that need HEVC (ISO/IEC 23008-12), after "ftyp" at byte 4.
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_SRGB = ImageCms.createProfile("sRGB")
# EXIF orientation -> how to turn the picture upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# If a crop keeps less than this share of the picture, the whole picture is shown before a blurred background
# instead. Tall videos may crop wide photographs more than wide videos may crop tall ones, because people
# stand upright.
KEEP_TALL, KEEP_WIDE = 0.28, 0.50
# A crop that keeps this share loses nothing that anybody would miss.
KEPT_WHOLE = 0.97


class StillPainter:
    """A still picture with a camera move."""

    def __init__(self, rgb: Pixels, visual: Visual, width: int, height: int) -> None:
        self.move = Move(visual.motion, visual.amount)
        size = Plate.size(width, height, self.move.headroom)
        self.plate = Plate(colour.to_planes(framed(rgb, size, visual.fit, visual.focus)), width, height)

    def upload(self) -> None:
        self.plate.upload()

    def paint(self, progress: float) -> Frame:
        return self.plate.paint(self.move, progress)


def load(path: Path, name: str, side: int, background: RGB = (0, 0, 0)) -> Pixels:
    """Return a picture upright as RGB [height, width, 3], over `background` where it is transparent.

    Both sides have at least `side` pixels if the file has as many; a much larger picture is reduced at once.
    `name` is the asset's URI for messages. Raises AssetCorrupt, AssetRefused.
    """
    with reading(path, name, "picture") as image:
        image.draft("RGB", (side, side))
        plain = normalised(image, side)
        if plain.mode == "RGBA":
            below = Image.new("RGBA", plain.size, (*background, 255))
            plain = Image.alpha_composite(below, plain).convert("RGB")
        return np.asarray(plain)


def normalised(image: Image.Image, side: int) -> Image.Image:
    """Return a picture upright in sRGB with eight bits, as RGB, or as RGBA if it is transparent.

    A much larger picture than `side` is reduced first. Damaged metadata is ignored.
    """
    # Loading a TIFF turns it upright and removes the tag.
    image.load()
    upright = _upright(_shrunk(_eight_bits(image), side), _orientation(image))
    alpha = upright.getchannel("A") if upright.mode in ("RGBA", "LA") else None
    opaque = upright.convert({"RGBA": "RGB", "LA": "L"}.get(upright.mode, upright.mode))
    rgb = _in_srgb(opaque, image.info.get("icc_profile"))
    if alpha is not None:
        rgb.putalpha(alpha)
    return rgb


@contextmanager
def reading(path: Path, name: str, role: str) -> Iterator[Image.Image]:
    """Open an untrusted image file.

    Errors inside the block become AssetCorrupt or AssetRefused for the asset `name`: Pillow's readers raise
    errors of many classes for damaged files.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.format not in ("JPEG", "MPO") and image.width * image.height > LARGEST_WHOLE:
                    raise Image.DecompressionBombError(f"{image.width}x{image.height}")
                yield image
    except UnidentifiedImageError as unknown:
        with path.open("rb") as file:
            start = file.read(12)
        if start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS:
            raise AssetRefused(
                f"The {role} {name} is a HEIC file. Save it as JPEG or PNG.", asset=name
            ) from unknown
        raise AssetCorrupt(
            f"The {role} {name} is damaged or has another format than {', '.join(FORMATS)}.", asset=name
        ) from unknown
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as bomb:
        raise AssetRefused(f"The {role} {name} has too many pixels: {bomb}"[:400], asset=name) from bomb
    except (RenderError, MemoryError):
        raise
    except Exception as unreadable:
        raise AssetCorrupt(
            f"The {role} {name} cannot be decoded: {unreadable}"[:400], asset=name
        ) from unreadable


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the picture with eight bits per channel, and transparency as a channel."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # Pillow's own conversion to eight bits would clip all values above 255.
        values = np.asarray(image, np.float32)
        deepest = 65_535.0 if image.mode != "F" else 1.0
        white = max(deepest, float(values.max(initial=0.0)))
        return Image.fromarray((np.clip(values, 0, None) / white * 255).round().astype(np.uint8))
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGBA" if image.mode == "PA" else "RGB") if image.mode in ("P", "PA") else image


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """Reduce a large picture first: every later step would hold another copy of it."""
    factor = side / min(image.size)
    if factor > 0.75 or image.mode not in ("RGB", "RGBA", "L", "LA", "CMYK"):
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _upright(image: Image.Image, orientation: int | None) -> Image.Image:
    turn = _TURNS.get(orientation) if orientation else None
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int | None:
    """Return the EXIF orientation, or None if there is none or EXIF is damaged."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # noqa: BLE001 - the reader raises errors of many classes for damaged EXIF
        return None
    return found if isinstance(found, int) else None


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert a picture from its ICC profile, if it has a usable one, to sRGB."""
    source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")) if image.mode == "LAB" else None
    if profile and image.mode in ("RGB", "L", "CMYK"):
        with suppress(OSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if source:
        with suppress(ImageCms.PyCMSError):
            converted = ImageCms.profileToProfile(
                image,
                source,
                _SRGB,
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
                "RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
            if converted is not None:
                return converted
    return image if image.mode == "RGB" else image.convert("RGB")


def framed(rgb: Pixels, size: tuple[int, int], fit: str, focus: tuple[float, float] | None = None) -> Pixels:
    """Return the picture at exactly `size` (width, height): cropped around `focus`, or before a blurred
    background.
    """
    width, height = size
    keep = kept_by_crop(rgb.shape[1], rgb.shape[0], width, height)
    if fit == "blur" or (
        fit == "smart" and focus is None and keep < (KEEP_TALL if height > width else KEEP_WIDE)
    ):
        return _before_blur(rgb, width, height) if keep < KEPT_WHOLE else _resized(rgb, width, height)
    centre = focus or (attention(rgb, width / height) if fit == "smart" else (0.5, 0.5))
    left, top, right, bottom = crop(rgb.shape[1], rgb.shape[0], width / height, centre)
    return _resized(rgb[top:bottom, left:right], width, height)


def kept_by_crop(width: int, height: int, to_width: int, to_height: int) -> float:
    """Return the share of a picture's area that remains after a crop to another aspect ratio."""
    ratio = (width / height) / (to_width / to_height)
    return min(ratio, 1 / ratio)


def crop(width: int, height: int, aspect: float, centre: tuple[float, float]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of the largest window of this aspect ratio, centred near `centre`
    (fractions).
    """
    crop_width, crop_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left = round(min(max(centre[0] * width - crop_width / 2, 0), width - crop_width))
    top = round(min(max(centre[1] * height - crop_height / 2, 0), height - crop_height))
    return left, top, left + max(1, crop_width), top + max(1, crop_height)


def attention(rgb: Pixels, aspect: float) -> tuple[float, float]:
    """Return the centre, as fractions, of the crop window with the most contrast and colour.

    Windows near the middle and in the upper half are preferred a little.
    """
    factor = 160 / max(rgb.shape[:2])
    small = cv2.resize(
        rgb,
        (max(8, round(rgb.shape[1] * factor)), max(8, round(rgb.shape[0] * factor))),
        interpolation=cv2.INTER_AREA,
    )
    weight = interest(small)  # type: ignore[arg-type]
    height, width = weight.shape
    along_x = width / height > aspect
    length = width if along_x else height
    span = min(length, max(1, round(height * aspect if along_x else width / aspect)))
    profile = weight.sum(axis=0 if along_x else 1)
    sums = np.convolve(profile, np.ones(span), "valid")
    middle = (np.arange(sums.size) + span / 2) / length
    favoured = sums * (1 - 0.35 * np.abs(middle - (0.5 if along_x else 0.42)))
    best = float(middle[int(np.argmax(favoured))])
    return (best, 0.5) if along_x else (0.5, best)


def interest(small: Pixels) -> "np.typing.NDArray[np.float32]":
    """Return for each pixel of a small RGB picture how much it draws the eye: contrast and odd colours."""
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.2), cv2.COLOR_RGB2LAB).astype(np.float32)
    edges = sum(
        np.abs(cv2.Sobel(lab[..., channel], cv2.CV_32F, *order))
        for channel in range(3)
        for order in ((1, 0), (0, 1))
    )
    odd = np.linalg.norm(lab - lab.mean(axis=(0, 1)), axis=2)
    found: np.typing.NDArray[np.float32] = (
        np.asarray(edges) / (float(np.max(edges)) + 1e-6) + 0.8 * odd / (float(odd.max()) + 1e-6)
    ).astype(np.float32)
    return found


def _resized(rgb: Pixels, width: int, height: int) -> Pixels:
    shrinks = rgb.shape[1] > width or rgb.shape[0] > height
    return cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)  # type: ignore[return-value]


def _before_blur(rgb: Pixels, width: int, height: int) -> Pixels:
    """Show the whole picture before a blurred, darkened copy of itself, with a soft shadow between them."""
    left, top, right, bottom = crop(rgb.shape[1], rgb.shape[0], width / height, (0.5, 0.5))
    tiny = cv2.resize(
        rgb[top:bottom, left:right], (max(2, width // 16), max(2, height // 16)), interpolation=cv2.INTER_AREA
    )
    back = cv2.resize(cv2.GaussianBlur(tiny, (0, 0), 2.6), (width, height), interpolation=cv2.INTER_CUBIC)
    back = cv2.convertScaleAbs(back, alpha=0.62)
    factor = min(width / rgb.shape[1], height / rgb.shape[0])
    inner = _resized(rgb, max(2, round(rgb.shape[1] * factor)), max(2, round(rgb.shape[0] * factor)))
    x, y = (width - inner.shape[1]) // 2, (height - inner.shape[0]) // 2
    back = _shaded(back, x, y, inner.shape[1], inner.shape[0])  # type: ignore[arg-type]
    back[y : y + inner.shape[0], x : x + inner.shape[1]] = inner
    return back


def _shaded(back: Pixels, x: int, y: int, width: int, height: int) -> Pixels:
    mask = np.zeros((back.shape[0] // 8 + 1, back.shape[1] // 8 + 1), np.float32)
    mask[y // 8 : (y + height) // 8, x // 8 : (x + width) // 8] = 0.55
    soft = cv2.resize(
        cv2.GaussianBlur(mask, (0, 0), 4), (back.shape[1], back.shape[0]), interpolation=cv2.INTER_LINEAR
    )
    return (back * (1 - soft[..., None])).astype(np.uint8)

"""Colours: parsing, mixing and contrast, and the conversion of pictures to BT.709 limited-range YUV."""

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
RGB = tuple[int, int, int]

# ITU-R BT.709 luma weights of red and blue. Limited range: luma is 16 to 235, chroma 16 to 240.
_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
_Y = np.array([_KR, _KG, _KB]) * 219 / 255
_U = np.array([-_KR, -_KG, 1 - _KB]) / (1 - _KB) / 2 * 224 / 255
_V = np.array([1 - _KR, -_KG, -_KB]) / (1 - _KR) / 2 * 224 / 255
_TO_YUV = np.column_stack([np.vstack([_Y, _U, _V]), [16.0, 128.0, 128.0]])
_TO_RGB = np.linalg.inv(_TO_YUV[:, :3])


def parse(text: str) -> RGB:
    """Read a colour of the form #rrggbb."""
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Mix two colours in linear light, so that the mix of two bright colours is not too dark.

    `share` is the second's.
    """
    a, b = _linear(first), _linear(second)
    return _encoded(a + (b - a) * share)


def _linear(colour: RGB) -> npt.NDArray[np.float64]:
    value = np.array(colour) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def _encoded(value: npt.NDArray[np.float64]) -> RGB:
    value = np.clip(value, 0, 1)
    code = np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    red, green, blue = (round(float(part) * 255) for part in code)
    return red, green, blue


def luminance(colour: RGB) -> float:
    """Return the relative luminance as WCAG 2 defines it, 0 to 1."""
    return float(_linear(colour) @ np.array([_KR, _KG, _KB]))


def contrast(first: RGB, second: RGB) -> float:
    """Return the WCAG 2 contrast ratio, 1 to 21."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def legible(colour: RGB, against: RGB, ratio: float = 4.5) -> RGB:
    """Return the colour, mixed with as little white or black as it needs to reach the contrast ratio against
    `against`.
    """
    goal = (255, 255, 255) if luminance(against) < 0.18 else (0, 0, 0)
    for step in range(21):
        candidate = mix(colour, goal, step / 20)
        if contrast(candidate, against) >= ratio:
            return candidate
    return goal


def to_planes(rgb: Pixels) -> tuple[Pixels, Pixels]:
    """Convert RGB [height, width, 3] to luma [height, width] and chroma [height / 2, width / 2, 2].

    Sides must be even.
    """
    luma, *chroma = cv2.split(cv2.transform(rgb, _TO_YUV))
    return luma, cv2.merge([_halved(plane) for plane in chroma])  # type: ignore[return-value, arg-type]


def _halved(plane: Pixels) -> Pixels:
    """Halve a chroma plane. H.264 puts chroma on even luma columns and between luma rows (type 0, "left").

    So each sample takes a quarter, a half and a quarter of three columns: the mean of two halvings one column
    apart.
    """
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    before = cv2.copyMakeBorder(plane, 0, 0, 1, 0, cv2.BORDER_REPLICATE)[:, :-1]
    left, right = (cv2.resize(columns, size, interpolation=cv2.INTER_AREA) for columns in (before, plane))
    return cv2.addWeighted(left, 0.5, right, 0.5, 0)  # type: ignore[return-value]


def yuv(colour: RGB) -> tuple[int, int, int]:
    """Convert one colour to (Y, U, V)."""
    luma, u, v = (_TO_YUV[:, :3] @ np.array(colour) + _TO_YUV[:, 3]).round().astype(int)
    return int(luma), int(u), int(v)


# Rows converted at a time, to bound memory: floating-point steps take twelve bytes per pixel and channel.
_BAND = 128


def to_rgb(luma: Pixels, chroma: Pixels) -> Pixels:
    """Convert luma and chroma planes to RGB [height, width, 3]."""
    size = (luma.shape[1], luma.shape[0])
    full = cv2.merge([luma, cv2.resize(chroma, size, interpolation=cv2.INTER_LINEAR)])
    for top in range(0, size[1], _BAND):
        band = full[top : top + _BAND].astype(np.float32) - np.array([16, 128, 128], np.float32)
        full[top : top + _BAND] = np.clip(cv2.transform(band, _TO_RGB) + 0.5, 0, 255)
    return full  # type: ignore[return-value]


def shaded(rgb: Pixels, tone: RGB, shares: npt.NDArray[np.float32]) -> Pixels:
    """Mix each row of a picture with `tone` by that row's share (0 to 1)."""
    out = np.empty_like(rgb)
    for top in range(0, rgb.shape[0], _BAND):
        share = shares[top : top + _BAND, None, None]
        out[top : top + _BAND] = rgb[top : top + _BAND] * (1 - share) + np.array(tone, np.float32) * share
    return out

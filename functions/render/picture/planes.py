"""Frames and sprites in the encoders' own layout, NV12 (YUV 4:2:0, both chroma in one plane); sprites are blended only where they lie.

A plane is an array, or lies on an OpenCL device (cv2.UMat): the functions of cv2 take both, so that there is one way of drawing. A scene's picture goes
up when the scene begins, a sprite when it is first drawn on a frame up there; frames come down finished. OpenCV wakes the device at the first cv2.UMat:
a process that draws on arrays may be forked.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from render.picture import colour
from render.picture.colour import Pixels

# Pixels or cv2.UMat. The checker is not told, because the functions of cv2 are declared for either, never for both.
Plane = Any


class Frame:
    """One picture: `luma` [height, width] and `chroma` [height / 2, width / 2, (U, V)]. Rows may lie further apart than they are long.

    Whoever is handed a frame may draw on it. It knows its size, because planes on a device don't tell theirs.
    """

    __slots__ = ("chroma", "height", "luma", "width")

    def __init__(self, luma: Plane, chroma: Plane, width: int, height: int) -> None:
        self.luma, self.chroma, self.width, self.height = luma, chroma, width, height

    @staticmethod
    def within(buffer: Pixels, width: int, height: int) -> "Frame":
        """Over one flat buffer, as a decoder writes it: `width · height · 3 / 2` bytes."""
        area = width * height
        return Frame(buffer[:area].reshape(height, width), buffer[area:].reshape(height // 2, width // 2, 2), width, height)

    @staticmethod
    def of_rgb(rgb: Pixels) -> "Frame":
        luma, chroma = colour.to_planes(rgb)
        return Frame(luma, chroma, luma.shape[1], luma.shape[0])

    @property
    def planes(self) -> tuple[Plane, Plane]:
        return self.luma, self.chroma

    @property
    def on_device(self) -> bool:
        return type(self.luma) is cv2.UMat

    def uploaded(self) -> "Frame":
        return Frame(cv2.UMat(self.luma), cv2.UMat(self.chroma), self.width, self.height)

    def downloaded(self) -> "Frame":
        return Frame(self.luma.get(), self.chroma.get(), self.width, self.height)

    def mix(self, other: "Frame", share: float) -> None:
        """`share` of the other over this one, whole frame."""
        for plane, over in zip(self.planes, other.planes, strict=True):
            cv2.addWeighted(plane, 1 - share, over, share, 0, dst=plane)

    def as_rgb(self) -> Pixels:
        return colour.to_rgb(self.luma, self.chroma)

    def as_bytes(self) -> bytes:
        """NV12 without gaps."""
        return self.luma.tobytes() + self.chroma.tobytes()


def part(plane: Plane, top: int, bottom: int, left: int, right: int) -> Plane:
    """A view: what is drawn on it is drawn on the plane."""
    if type(plane) is cv2.UMat:
        return cv2.UMat(plane, [top, bottom], [left, right])
    return plane[top:bottom, left:right]


@dataclass(slots=True, eq=False)
class Sprite:
    """A picture with transparency, premultiplied: for each plane the foreground and 255 minus its alpha. Width and height are even."""

    foreground: tuple[Pixels, Pixels]
    behind: tuple[Pixels, Pixels]
    _on_device: tuple[tuple[Plane, Plane], tuple[Plane, Plane]] | None = field(default=None, init=False, repr=False)

    @property
    def width(self) -> int:
        return self.foreground[0].shape[1]

    @property
    def height(self) -> int:
        return self.foreground[0].shape[0]

    @staticmethod
    def from_rgba(rgba: Pixels) -> "Sprite":
        """`rgba` straight (not premultiplied), any size; odd edges are padded."""
        height, width = rgba.shape[:2]
        if height % 2 or width % 2:
            rgba = cv2.copyMakeBorder(rgba, 0, height % 2, 0, width % 2, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        alpha = np.ascontiguousarray(rgba[..., 3])
        # Colour is spread under the transparent rim first: half-size chroma would otherwise take in black from beside the letter.
        planes = colour.to_planes(_bleed(rgba))
        half = cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        alphas = (alpha, cv2.merge([half, half]))
        return Sprite(
            tuple(cv2.multiply(plane, share, scale=1 / 255) for plane, share in zip(planes, alphas, strict=True)),  # type: ignore[arg-type]
            tuple(255 - share for share in alphas),  # type: ignore[arg-type]
        )

    def blend(self, frame: Frame, x: int, y: int, opacity: float = 1.0, window: tuple[int, int, int, int] | None = None) -> None:
        """Draws at an even position; what lies outside the frame is cut off, and so is what lies outside `window` (left, top, right, bottom; made even)."""
        x, y = x & ~1, y & ~1
        first_x, first_y, last_x, last_y = window or (0, 0, self.width, self.height)
        left, top = max(first_x & ~1, -x), max(first_y & ~1, -y)
        right, bottom = min(last_x & ~1, frame.width - x), min(last_y & ~1, frame.height - y)
        if right <= left or bottom <= top or opacity <= 0.004:
            return
        foregrounds, behinds = self._uploaded() if frame.on_device else (self.foreground, self.behind)
        for shift, (plane, foreground, behind) in enumerate(zip(frame.planes, foregrounds, behinds, strict=True)):
            region = part(plane, (y + top) >> shift, (y + bottom) >> shift, (x + left) >> shift, (x + right) >> shift)
            above, below, before, after = top >> shift, bottom >> shift, left >> shift, right >> shift
            _blend(region, part(foreground, above, below, before, after), part(behind, above, below, before, after), opacity)

    def _uploaded(self) -> tuple[tuple[Plane, Plane], tuple[Plane, Plane]]:
        """Foreground and behind on the device, where they stay."""
        if self._on_device is None:
            self._on_device = tuple(tuple(cv2.UMat(plane) for plane in planes) for planes in (self.foreground, self.behind))  # type: ignore[assignment, call-overload]
        return self._on_device  # type: ignore[return-value]


def _blend(region: Plane, foreground: Plane, behind: Plane, opacity: float) -> None:
    if opacity < 0.996:
        foreground = cv2.convertScaleAbs(foreground, alpha=opacity)
        behind = cv2.convertScaleAbs(behind, alpha=opacity, beta=255 * (1 - opacity))
    cv2.add(cv2.multiply(region, behind, scale=1 / 255), foreground, dst=region)


def _bleed(rgba: Pixels) -> Pixels:
    """RGB in which fully transparent pixels carry the mean of their opaque neighbourhood."""
    alpha = rgba[..., 3]
    rgb = np.ascontiguousarray(rgba[..., :3])
    if alpha.min() > 0:
        return rgb
    weight = cv2.blur((alpha > 0).astype(np.float32), (5, 5))
    spread = cv2.blur(rgb.astype(np.float32) * (alpha > 0)[..., None], (5, 5)) / np.maximum(weight, 1e-6)[..., None]
    return np.where((alpha > 0)[..., None], rgb, np.where(weight[..., None] > 0, spread, 0)).astype(np.uint8)

"""Frames and sprites in the encoders' own layout, NV12 (YUV 4:2:0, both chroma in one plane); sprites are blended only where they lie."""

from dataclasses import dataclass

import cv2
import numpy as np

from . import colour
from .colour import Pixels


class Frame:
    """One picture: `luma` [height, width] and `chroma` [height / 2, width / 2, (U, V)]. Rows may lie further apart than they are long.

    Whoever is handed a frame may draw on it.
    """

    __slots__ = ("chroma", "luma")

    def __init__(self, luma: Pixels, chroma: Pixels) -> None:
        self.luma, self.chroma = luma, chroma

    @staticmethod
    def within(buffer: Pixels, width: int, height: int) -> "Frame":
        """Over one flat buffer, as a decoder writes it: `width · height · 3 / 2` bytes."""
        area = width * height
        return Frame(buffer[:area].reshape(height, width), buffer[area:].reshape(height // 2, width // 2, 2))

    @staticmethod
    def of_rgb(rgb: Pixels) -> "Frame":
        return Frame(*colour.to_planes(rgb))

    @property
    def planes(self) -> tuple[Pixels, Pixels]:
        return self.luma, self.chroma

    @property
    def width(self) -> int:
        return self.luma.shape[1]

    @property
    def height(self) -> int:
        return self.luma.shape[0]

    def mix(self, other: "Frame", share: float) -> None:
        """`share` of the other over this one, whole frame."""
        for plane, over in zip(self.planes, other.planes, strict=True):
            cv2.addWeighted(plane, 1 - share, over, share, 0, dst=plane)

    def as_rgb(self) -> Pixels:
        return colour.to_rgb(self.luma, self.chroma)

    def as_bytes(self) -> bytes:
        """NV12 without gaps."""
        return self.luma.tobytes() + self.chroma.tobytes()


@dataclass(frozen=True, slots=True)
class Sprite:
    """A picture with transparency, premultiplied: for each plane the foreground and 255 minus its alpha. Width and height are even."""

    foreground: tuple[Pixels, Pixels]
    behind: tuple[Pixels, Pixels]

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

    def blend(self, frame: Frame, x: int, y: int, opacity: float = 1.0) -> None:
        """Draws at an even position; what lies outside the frame is cut off."""
        x, y = x & ~1, y & ~1
        left, top = max(0, -x), max(0, -y)
        right, bottom = min(self.width, frame.width - x), min(self.height, frame.height - y)
        if right <= left or bottom <= top or opacity <= 0.004:
            return
        for level, (plane, foreground, behind) in enumerate(zip(frame.planes, self.foreground, self.behind, strict=True)):
            shift = 1 if level else 0
            cut = np.s_[top >> shift : bottom >> shift, left >> shift : right >> shift]
            region = plane[(y + top) >> shift : (y + bottom) >> shift, (x + left) >> shift : (x + right) >> shift]
            _blend(region, foreground[cut], behind[cut], opacity)

    def cropped(self, left: int, top: int, right: int, bottom: int) -> "Sprite":
        """A view of a part; coordinates are rounded to even ones."""
        left, top, right, bottom = left & ~1, top & ~1, right & ~1, bottom & ~1
        full, half = np.s_[top:bottom, left:right], np.s_[top // 2 : bottom // 2, left // 2 : right // 2]
        return Sprite((self.foreground[0][full], self.foreground[1][half]), (self.behind[0][full], self.behind[1][half]))


def _blend(region: Pixels, foreground: Pixels, behind: Pixels, opacity: float) -> None:
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

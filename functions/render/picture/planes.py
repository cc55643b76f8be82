"""Frames and sprites in the encoders' layout, NV12 (YUV 4:2:0 with U and V interleaved in one plane).

A plane is a NumPy array or a cv2.UMat on an OpenCL device. The functions of cv2 take both, so the drawing
code is the same. A scene's picture is uploaded when the scene starts, a sprite when it is first drawn on a
device frame; finished frames are downloaded. OpenCV opens the device at the first cv2.UMat: a process that
only draws on arrays may fork.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from render.picture import colour
from render.picture.colour import Pixels

# Pixels or cv2.UMat. Any, because the functions of cv2 are declared for either type, never for the union.
Plane = Any


class Frame:
    """One picture: `luma` [height, width] and `chroma` [height / 2, width / 2, (U, V)].

    Rows may have a larger stride.

    The receiver of a frame may draw on it. Width and height are stored because a cv2.UMat has no shape.
    """

    __slots__ = ("chroma", "height", "luma", "width")

    def __init__(self, luma: Plane, chroma: Plane, width: int, height: int) -> None:
        self.luma, self.chroma, self.width, self.height = luma, chroma, width, height

    @staticmethod
    def within(buffer: Pixels, width: int, height: int) -> "Frame":
        """Wrap one flat buffer of `width * height * 3 / 2` bytes, as a decoder writes it, without a copy."""
        area = width * height
        return Frame(
            buffer[:area].reshape(height, width),
            buffer[area:].reshape(height // 2, width // 2, 2),
            width,
            height,
        )

    @staticmethod
    def of_rgb(rgb: Pixels) -> "Frame":
        """Convert an RGB picture of even width and height."""
        luma, chroma = colour.to_planes(rgb)
        return Frame(luma, chroma, luma.shape[1], luma.shape[0])

    @property
    def planes(self) -> tuple[Plane, Plane]:
        return self.luma, self.chroma

    @property
    def on_device(self) -> bool:
        return type(self.luma) is cv2.UMat

    def window(self, x: int, y: int, width: int, height: int) -> "Frame":
        """Return a view of a rectangle. All four numbers are even. Drawing on it draws on this frame."""
        luma = part(self.luma, y, y + height, x, x + width)
        chroma = part(self.chroma, y // 2, (y + height) // 2, x // 2, (x + width) // 2)
        return Frame(luma, chroma, width, height)

    def copied(self) -> "Frame":
        """Return a copy in main memory, of a frame there."""
        return Frame(self.luma.copy(), self.chroma.copy(), self.width, self.height)

    def uploaded(self) -> "Frame":
        """Return a copy on the OpenCL device."""
        return Frame(cv2.UMat(self.luma), cv2.UMat(self.chroma), self.width, self.height)

    def downloaded(self) -> "Frame":
        """Return a copy in main memory."""
        return Frame(self.luma.get(), self.chroma.get(), self.width, self.height)

    def mix(self, other: "Frame", share: float) -> None:
        """Blend `other` over this frame with the opacity `share`."""
        for plane, over in zip(self.planes, other.planes, strict=True):
            cv2.addWeighted(plane, 1 - share, over, share, 0, dst=plane)

    def as_rgb(self) -> Pixels:
        """Return the frame as RGB [height, width, 3]."""
        return colour.to_rgb(self.luma, self.chroma)

    def as_bytes(self) -> bytes:
        """Return packed NV12 (used by tests and the benchmark)."""
        return bytes(self.luma.tobytes() + self.chroma.tobytes())


def part(plane: Plane, top: int, bottom: int, left: int, right: int) -> Plane:
    """Return a view of a rectangle of the plane. Drawing on it draws on the plane."""
    if type(plane) is cv2.UMat:
        return cv2.UMat(plane, [top, bottom], [left, right])
    return plane[top:bottom, left:right]


def _on_device(planes: tuple[Plane, Plane]) -> tuple[Plane, Plane]:
    return cv2.UMat(planes[0]), cv2.UMat(planes[1])


@dataclass(slots=True, eq=False)
class Sprite:
    """A premultiplied picture with transparency.

    For luma and chroma: `foreground`, and `behind` = 255 - alpha.

    Width and height are even.
    """

    foreground: tuple[Pixels, Pixels]
    behind: tuple[Pixels, Pixels]
    _on_device: tuple[tuple[Plane, Plane], tuple[Plane, Plane]] | None = field(
        default=None, init=False, repr=False
    )

    @property
    def width(self) -> int:
        return int(self.foreground[0].shape[1])

    @property
    def height(self) -> int:
        return int(self.foreground[0].shape[0])

    @staticmethod
    def from_rgba(rgba: Pixels) -> "Sprite":
        """Convert an RGBA picture that is not premultiplied. Odd sides are padded."""
        height, width = rgba.shape[:2]
        if height % 2 or width % 2:
            rgba = np.pad(rgba, ((0, height % 2), (0, width % 2), (0, 0)))
        alpha = np.ascontiguousarray(rgba[..., 3])
        # Extend the colour under the transparent border. Otherwise half-size chroma mixes in black from
        # beside a letter.
        planes = colour.to_planes(_bleed(rgba))
        half = cv2.resize(alpha, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        alphas = (alpha, cv2.merge([half, half]))
        return Sprite(
            tuple(
                cv2.multiply(plane, share, scale=1 / 255) for plane, share in zip(planes, alphas, strict=True)
            ),  # type: ignore[arg-type]
            tuple(255 - share for share in alphas),  # type: ignore[arg-type]
        )

    def blend(
        self,
        frame: Frame,
        x: int,
        y: int,
        opacity: float = 1.0,
        window: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Draw on the frame with the upper left corner at (x, y), rounded down to even numbers; clip at the
        frame's edges.

        Only the part inside `window` (left, top, right, bottom in the sprite; rounded down to even) is drawn.
        """
        x, y = x & ~1, y & ~1
        first_x, first_y, last_x, last_y = window or (0, 0, self.width, self.height)
        left, top = max(first_x & ~1, -x), max(first_y & ~1, -y)
        right, bottom = min(last_x & ~1, frame.width - x), min(last_y & ~1, frame.height - y)
        if right <= left or bottom <= top or opacity <= 0.004:
            return
        foregrounds, behinds = self._uploaded() if frame.on_device else (self.foreground, self.behind)
        for shift, (plane, foreground, behind) in enumerate(
            zip(frame.planes, foregrounds, behinds, strict=True)
        ):
            region = part(
                plane, (y + top) >> shift, (y + bottom) >> shift, (x + left) >> shift, (x + right) >> shift
            )
            above, below, before, after = top >> shift, bottom >> shift, left >> shift, right >> shift
            _blend(
                region,
                part(foreground, above, below, before, after),
                part(behind, above, below, before, after),
                opacity,
            )

    def _uploaded(self) -> tuple[tuple[Plane, Plane], tuple[Plane, Plane]]:
        """Return foreground and behind on the device. They are uploaded once and kept."""
        if self._on_device is None:
            self._on_device = (_on_device(self.foreground), _on_device(self.behind))
        return self._on_device


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
    spread = (
        cv2.blur(rgb.astype(np.float32) * (alpha > 0)[..., None], (5, 5))
        / np.maximum(weight, 1e-6)[..., None]
    )
    return np.where((alpha > 0)[..., None], rgb, np.where(weight[..., None] > 0, spread, 0)).astype(np.uint8)

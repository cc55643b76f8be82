"""Camera moves over a still: which window of it is seen at a moment, and that window drawn to a twentieth of a pixel at the price of a plain resize.

OpenCV's fast resize starts at whole pixels only, so a slow zoom drawn with it trembles; its exact warp costs four times as much. But resize takes
any scale, and at scale s the k-th output column lies k·s source pixels from the start: by starting k columns early, for the k whose k·s has the
fraction that is wanted, and cutting those columns off, any sub-pixel start is reached to half of (s - 1), as on the second scale of a caliper.
"""

import math
from dataclasses import dataclass

import cv2

from .colour import Pixels
from .planes import Frame

# The plate is this much finer than the output at the closest zoom. It keeps s away from 1, where the caliper would need ever more columns.
FINENESS = 1.05
# Columns that may be cut off. At the finest s, 1.05, twenty reach every twentieth of a pixel.
_REACH = 24
# Rim around the plate: room for the columns cut off at the largest scale (amount 0.4), and for rounding.
_RIM = 44


@dataclass(frozen=True)
class Move:
    """Window of the plate as fractions: its size (1 = all of it) and its centre, at the beginning and at the end."""

    kind: str
    amount: float

    @property
    def headroom(self) -> float:
        """How much larger than the closest window the plate is."""
        return 1 + (self.amount if self.kind != "none" else 0.0)

    def window(self, progress: float) -> tuple[float, float, float]:
        """Scale in 1..headroom (1 = closest), and the window's position in its free room, 0..1 in x and y."""
        at = eased(min(1.0, max(0.0, progress)))
        room = self.headroom
        match self.kind:
            case "zoom_in":
                return room * (1 / room) ** at, 0.5, 0.5
            case "zoom_out":
                return room**at, 0.5, 0.5
            case "pan_left":
                return 1.0, 1 - at, 0.5
            case "pan_right":
                return 1.0, at, 0.5
            case "pan_up":
                return 1.0, 0.5, 1 - at
            case "pan_down":
                return 1.0, 0.5, at
        return 1.0, 0.5, 0.5


def eased(at: float) -> float:
    """Softly away and softly to rest, but never still: a stop at the end of every scene would look like a stutter."""
    smooth = at * at * (3 - 2 * at)
    return 0.65 * at + 0.35 * smooth


class Plate:
    """A still as luma and chroma, somewhat larger than the output, over which the window moves."""

    def __init__(self, planes: tuple[Pixels, Pixels], width: int, height: int) -> None:
        self.width, self.height = width, height
        self.fineness = min(planes[0].shape[1] / width, planes[0].shape[0] / height)
        # The rim is never shown; it only gives the caliper columns to cut off.
        self._planes = [cv2.copyMakeBorder(plane, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_REPLICATE) for plane in planes]

    @staticmethod
    def size(width: int, height: int, headroom: float) -> tuple[int, int]:
        """Pixels that a plate needs for an output of this size."""
        factor = FINENESS * headroom
        return math.ceil(width * factor / 2) * 2, math.ceil(height * factor / 2) * 2

    def paint(self, move: Move, progress: float) -> Frame:
        zoom, x, y = move.window(progress)
        scale = self.fineness * zoom / move.headroom
        luma, chroma = (self._window(plane, level, scale, x, y) for level, plane in enumerate(self._planes))
        return Frame(luma, chroma)

    def _window(self, plane: Pixels, level: int, scale: float, x: float, y: float) -> Pixels:
        width, height = self.width >> level, self.height >> level
        rows, columns = plane.shape[0] - 2 * _RIM, plane.shape[1] - 2 * _RIM
        return window(plane, (width, height), scale, _RIM + (columns - width * scale) * x, _RIM + (rows - height * scale) * y)


def window(plane: Pixels, size: tuple[int, int], scale: float, left: float, top: float) -> Pixels:
    """A view, [y, x] = plane at (left, top) + (x, y) · scale, bilinear; the start may be fractional."""
    width, height = size
    x, cut_x = _caliper(left, scale)
    y, cut_y = _caliper(top, scale)
    source = plane[y : y + _needed(height + cut_y, scale), x : x + _needed(width + cut_x, scale)]
    drawn = cv2.resize(source, None, fx=1 / scale, fy=1 / scale, interpolation=cv2.INTER_LINEAR)
    return drawn[cut_y : cut_y + height, cut_x : cut_x + width]  # type: ignore[return-value]


def _needed(count: int, scale: float) -> int:
    """Source pixels from which resize makes at least `count` output pixels."""
    return math.ceil((count + 0.5) * scale)


def _caliper(start: float, scale: float) -> tuple[int, int]:
    """Whole source pixel to begin at, and output pixels to cut off, for the start that comes nearest to the one wanted."""
    # A millionth a column: of two that are as near, the one that cuts off less.
    cut = min(range(_REACH + 1), key=lambda cut: abs(start - cut * scale - round(start - cut * scale)) + cut * 1e-6)
    return round(start - cut * scale), cut

"""Camera moves over a still: which window of it is seen at a moment, and that window drawn to a few hundredths of a pixel at the price of a plain resize.

OpenCV's fast resize starts at whole pixels and makes a whole number of pixels of a whole number, so a slow zoom drawn with it trembles; its exact warp
costs four times as much. But at scale s the k-th output column lies k·s source pixels from the start: by starting k columns early and cutting them off,
for the k whose k·s has the fraction that is wanted, any start is reached to half of (s - 1), as on the second scale of a caliper. In the same way columns
drawn beyond the end, and not shown, give the two whole numbers whose ratio comes nearest to the scale that is wanted.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from render.picture.colour import Pixels
from render.picture.planes import Frame, Plane, part

# The plate is this much finer than the output at the closest zoom. It keeps s away from 1, where the caliper would need ever more columns.
FINENESS = 1.05
# Columns that may be cut off on either side. At the finest s, 1.05, twenty reach every twentieth of a pixel.
_REACH = 24
_EARLY, _BEYOND = np.arange(_REACH)[:, None], np.arange(_REACH)[None, :]
# Rim around the plate: room for the columns cut off at the largest scale (amount 0.4), and for rounding.
_RIM = 44

# Intel's primitives, where this OpenCV has them, round a code differently now and then and take a third less time. The same on every processor
# (compared: SSE4.2, AVX2, AVX-512).
cv2.ipp.setUseIPP_NotExact(True)


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
        self._planes: list[Plane] = [cv2.copyMakeBorder(plane, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_REPLICATE) for plane in planes]
        self._sizes = [plane.shape[:2] for plane in planes]

    @staticmethod
    def size(width: int, height: int, headroom: float) -> tuple[int, int]:
        """Pixels that a plate needs for an output of this size."""
        factor = FINENESS * headroom
        return math.ceil(width * factor / 2) * 2, math.ceil(height * factor / 2) * 2

    def upload(self) -> None:
        """From now on it is drawn on the OpenCL device."""
        self._planes = [cv2.UMat(plane) for plane in self._planes]

    def paint(self, move: Move, progress: float) -> Frame:
        zoom, x, y = move.window(progress)
        scale = self.fineness * zoom / move.headroom
        luma, chroma = (self._window(plane, level, scale, x, y) for level, plane in enumerate(self._planes))
        return Frame(luma, chroma, self.width, self.height)

    def _window(self, plane: Plane, level: int, scale: float, x: float, y: float) -> Plane:
        width, height = self.width >> level, self.height >> level
        rows, columns = self._sizes[level]
        return window(plane, (width, height), scale, _RIM + (columns - width * scale) * x, _RIM + (rows - height * scale) * y)


def window(plane: Plane, size: tuple[int, int], scale: float, left: float, top: float) -> Plane:
    """A view, [y, x] = plane at (left, top) + (x, y) · scale, bilinear; the start may be fractional."""
    width, height = size
    x, columns, drawn_columns, cut_x = _caliper(left, scale, width)
    y, rows, drawn_rows, cut_y = _caliper(top, scale, height)
    drawn = cv2.resize(part(plane, y, y + rows, x, x + columns), (drawn_columns, drawn_rows), interpolation=cv2.INTER_LINEAR)
    return part(drawn, cut_y, cut_y + height, cut_x, cut_x + width)


def _caliper(start: float, scale: float, count: int) -> tuple[int, int, int, int]:
    """Source pixel to begin at, how many to take, how many to make of them, and how many of these to cut off in front.

    Such that neither the first nor the last of the `count` that remain lies far from where it is wanted.
    """
    drawn = count + _EARLY + _BEYOND
    taken = np.rint(drawn * scale)
    steps = taken / drawn
    # Pixels have their places in their middles.
    begins = np.rint(start + 0.5 * scale - (_EARLY + 0.5) * steps)
    first = begins + (_EARLY + 0.5) * steps - (start + 0.5 * scale)
    error = np.maximum(np.abs(first), np.abs(first + (count - 1) * (steps - scale)))
    early, beyond = np.unravel_index(np.argmin(error), error.shape)
    return int(begins[early, beyond]), int(taken[early, beyond]), int(drawn[early, beyond]), int(early)

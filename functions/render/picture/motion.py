"""Camera moves over a still picture, drawn to a few hundredths of a pixel at the cost of a plain resize.

cv2.resize starts at a whole source pixel and maps a whole number of pixels to a whole number, so a slow zoom
drawn with it trembles. cv2.warpAffine is exact and costs four times as much. The solution works like a
vernier scale: at scale s, output column k lies k * s source pixels after the start. Draw k extra columns
before the window and cut them off, with the k whose k * s has the required fraction; that reaches any start
to (s - 1) / 2. Extra columns after the window choose the two whole numbers whose ratio is nearest to the
required scale.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from render.picture.colour import Pixels
from render.picture.planes import Frame, Plane, part

# How much finer the plate is than the output at the closest zoom. At s = 1 no number of extra columns would
# help.
FINENESS = 1.05
# Extra columns that may be cut off on each side. At the smallest s, 1.05, twenty reach every twentieth of a
# pixel.
_REACH = 24
_EARLY = np.arange(_REACH)[:, None]
_SUMS = _EARLY + np.arange(_REACH)
# Border around the plate: room for the extra columns at the largest scale (amount 0.4), and for rounding.
_RIM = 44

# Intel IPP, where this OpenCV has it, takes a third less time and sometimes rounds differently by one step.
# The result is the same on every CPU (compared: SSE4.2, AVX2, AVX-512).
cv2.ipp.setUseIPP_NotExact(True)


@dataclass(frozen=True)
class Move:
    """A camera move: `kind` as in timeline.schema.json; `amount` is the share by which it zooms or moves."""

    kind: str
    amount: float

    @property
    def headroom(self) -> float:
        """Return how much larger the plate is than the smallest window."""
        return 1 + (self.amount if self.kind != "none" else 0.0)

    def window(self, progress: float) -> tuple[float, float, float]:
        """Return (scale, x, y) at a progress of 0 to 1.

        The scale is 1 (closest) to `headroom`; x and y are the window's position in the free space, 0 to 1.
        """
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
    """Ease in and out without ever standing still: a stop at a scene's end would look like a stutter."""
    smooth = at * at * (3 - 2 * at)
    return 0.65 * at + 0.35 * smooth


class Plate:
    """A still picture as luma and chroma, larger than the output, over which the camera window moves."""

    def __init__(self, planes: tuple[Pixels, Pixels], width: int, height: int) -> None:
        self.width, self.height = width, height
        self.fineness = min(planes[0].shape[1] / width, planes[0].shape[0] / height)
        # The border is never shown: it holds the extra columns that are cut off.
        self._planes: list[Plane] = [
            cv2.copyMakeBorder(plane, _RIM, _RIM, _RIM, _RIM, cv2.BORDER_REPLICATE) for plane in planes
        ]
        self._sizes = [plane.shape[:2] for plane in planes]

    @staticmethod
    def size(width: int, height: int, headroom: float) -> tuple[int, int]:
        """Return (width, height) that a plate needs for an output of this size."""
        factor = FINENESS * headroom
        return math.ceil(width * factor / 2) * 2, math.ceil(height * factor / 2) * 2

    def upload(self) -> None:
        """Move the plate to the OpenCL device; `paint` then returns device frames."""
        self._planes = [cv2.UMat(plane) for plane in self._planes]

    def paint(self, move: Move, progress: float) -> Frame:
        """Return the frame at a progress of 0 to 1 of the move."""
        zoom, x, y = move.window(progress)
        scale = self.fineness * zoom / move.headroom
        luma, chroma = (self._window(plane, level, scale, x, y) for level, plane in enumerate(self._planes))
        return Frame(luma, chroma, self.width, self.height)

    def _window(self, plane: Plane, level: int, scale: float, x: float, y: float) -> Plane:
        width, height = self.width >> level, self.height >> level
        rows, columns = self._sizes[level]
        return window(
            plane,
            (width, height),
            scale,
            _RIM + (columns - width * scale) * x,
            _RIM + (rows - height * scale) * y,
        )


def window(plane: Plane, size: tuple[int, int], scale: float, left: float, top: float) -> Plane:
    """Return a bilinear view of `size` (width, height): pixel (x, y) is the plane at (left, top) + (x, y) *
    scale.
    """
    width, height = size
    x, columns, drawn_columns, cut_x = _vernier(left, scale, width)
    y, rows, drawn_rows, cut_y = _vernier(top, scale, height)
    drawn = cv2.resize(
        part(plane, y, y + rows, x, x + columns), (drawn_columns, drawn_rows), interpolation=cv2.INTER_LINEAR
    )
    return part(drawn, cut_y, cut_y + height, cut_x, cut_x + width)


def _vernier(start: float, scale: float, count: int) -> tuple[int, int, int, int]:
    """Choose a resize of whole numbers whose middle part is `count` pixels from `start` at `scale` (see the
    module).

    Returns (first source pixel, source pixels, output pixels, output pixels to cut off at the front), with
    the smallest error of the first and the last of the `count` pixels.
    """
    # All depends on the sum of both numbers only, except where the first pixel begins.
    drawn = count + np.arange(2 * _REACH - 1)
    taken = np.rint(drawn * scale)
    ratios = taken / drawn
    steps = ratios[_SUMS]
    # Pixel positions are those of pixel centres.
    before, centre = (_EARLY + 0.5) * steps, start + 0.5 * scale
    begins = np.rint(centre - before)
    first = begins + before - centre
    error = np.maximum(np.abs(first), np.abs(first + ((count - 1) * (ratios - scale))[_SUMS]))
    early, beyond = divmod(int(np.argmin(error)), _REACH)
    return int(begins[early, beyond]), int(taken[early + beyond]), count + early + beyond, early

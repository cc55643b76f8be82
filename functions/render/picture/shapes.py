"""Simple shapes as sprites."""

from functools import lru_cache

import cv2
import numpy as np

from render.picture.colour import RGB
from render.picture.planes import Sprite


@lru_cache(maxsize=64)
def rounded_box(width: int, height: int, radius: int, fill: RGB, opacity: float) -> Sprite:
    """Return a filled box with rounded corners, in pixels.

    It is drawn four times as large and shrunk for smooth corners.
    """
    big = np.zeros((height * 4, width * 4), np.uint8)
    reach = min(radius * 4, height * 2, width * 2)
    cv2.rectangle(big, (reach, 0), (width * 4 - reach - 1, height * 4 - 1), 255, -1)
    cv2.rectangle(big, (0, reach), (width * 4 - 1, height * 4 - reach - 1), 255, -1)
    for x in (reach, width * 4 - reach - 1):
        for y in (reach, height * 4 - reach - 1):
            cv2.circle(big, (x, y), reach, 255, -1)
    alpha = cv2.resize(big, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) * opacity
    rgba = np.dstack([np.full((height, width, 3), fill, np.uint8), alpha.round().astype(np.uint8)])
    return Sprite.from_rgba(rgba)

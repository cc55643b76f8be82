"""Provide what all kinds of clips are drawn with: a canvas with its palette, lights, noise and ridges."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
type Draw = Callable[[float], Pixels]

FPS = 25
SECONDS = 8.0
# Dark, middle, light and accent, as RGB.
PALETTES = (
    ((8, 18, 48), (18, 74, 122), (120, 200, 226), (255, 196, 92)),
    ((22, 12, 44), (92, 36, 112), (236, 120, 150), (255, 214, 140)),
    ((6, 30, 34), (14, 98, 96), (132, 224, 190), (255, 240, 170)),
    ((34, 16, 16), (146, 58, 40), (248, 164, 92), (255, 236, 190)),
    ((12, 14, 22), (58, 70, 102), (176, 196, 226), (120, 220, 255)),
    ((12, 24, 46), (38, 88, 120), (236, 188, 138), (255, 226, 176)),
)


class Canvas:
    """Size, palette and random numbers of one clip."""

    def __init__(self, seed: int, width: int, height: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.width, self.height = width, height
        self.unit = min(width, height)
        tones = PALETTES[seed % len(PALETTES)]
        # A little off the palette, so that clips of one palette differ.
        shift = self.rng.integers(-12, 13, 3)
        self.dark, self.middle, self.light, self.accent = (
            np.clip(np.array(tone) + shift, 0, 255).astype(np.float32) for tone in tones
        )

    def gradient(self, *tones: Floats) -> Pixels:
        """Return a vertical gradient through the tones, with fine grain against banding."""
        at = np.linspace(0, len(tones) - 1, self.height)
        columns = [
            np.interp(at, range(len(tones)), [tone[channel] for tone in tones]) for channel in range(3)
        ]
        rows = np.stack(columns, axis=1)[:, None, :]
        grain = self.rng.normal(0, 1.2, (self.height, self.width, 1))
        return np.clip(rows + grain, 0, 255).astype(np.uint8)

    def mixed(self, first: Floats, second: Floats, share: float) -> Floats:
        return first * np.float32(1 - share) + second * np.float32(share)


def colour(tone: Floats, strength: float = 1.0) -> tuple[float, float, float]:
    """Return a tone as OpenCV takes it."""
    red, green, blue = (float(channel) * strength for channel in tone)
    return red, green, blue


def glow(size: int) -> Floats:
    """Return a soft disc of this diameter: 1 in its middle, 0 at its edge."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    return np.asarray(np.clip(1 - np.hypot(axis[:, None], axis[None, :]), 0, 1) ** 2, np.float32)


def add(picture: Pixels, light: Floats, x: float, y: float, tone: Floats, strength: float) -> None:
    """Add a soft light around (x, y). What is outside the picture is left out."""
    size = light.shape[0]
    left, top = round(x - size / 2), round(y - size / 2)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(picture.shape[1], left + size), min(picture.shape[0], top + size)
    if x1 <= x0 or y1 <= y0:
        return
    part = picture[y0:y1, x0:x1]
    shape = light[y0 - top : y1 - top, x0 - left : x1 - left, None] * np.float32(strength)
    part[:] = np.minimum(255, part + shape * tone).astype(np.uint8)


def noise(rng: np.random.Generator, width: int, height: int, cells: int, octaves: int = 4) -> Floats:
    """Return clouds of values from 0 to 1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        grid = rng.random((cells * 2**octave + 2, cells * 2**octave + 2), np.float32)
        total += 0.5**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((total - total.min()) / np.ptp(total), np.float32)


def ridge(rng: np.random.Generator, count: int, roughness: float) -> Floats:
    """Return a line of `count` heights from 0 to 1 that repeats without a seam."""
    x = np.linspace(0, 2 * np.pi, count, endpoint=False)
    line = np.zeros(count)
    for order in range(1, 24):
        line += np.sin(order * x + rng.uniform(0, 6.3)) / order**roughness
    return np.asarray((line - line.min()) / np.ptp(line), np.float32)

"""Backgrounds from the brand's palette: a colour gradient, one of four ornaments, and fine grain against
banding.

The result depends on the palette, the size and the seed only.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from render.picture import colour
from render.picture.colour import RGB, Pixels
from render.picture.motion import Move, Plate
from render.picture.planes import Frame, Sprite
from render.plan.timeline import Output, Palette

Floats = npt.NDArray[np.float32]
# The gradient is computed on a grid this much coarser than the picture: it has no detail.
_COARSE = 12
# How far the camera moves over a backdrop in one scene, as a share of the picture.
DRIFT = 0.10


@dataclass(frozen=True)
class Tones:
    """The colours of a backdrop and of the text on it (`ink`, `accent`), which contrast with `base`."""

    base: RGB
    deep: RGB
    glow: RGB
    spark: RGB
    ink: RGB
    accent: RGB

    @staticmethod
    def of(palette: Palette) -> "Tones":
        base, surface = colour.parse(palette.background), colour.parse(palette.surface)
        primary, accent = colour.parse(palette.primary), colour.parse(palette.accent)
        ink = colour.legible(colour.parse(palette.text), base, 7)
        # On a middling background neither black nor white is legible enough: the background gives way.
        base = colour.legible(base, ink, 7)
        letters = (ink, colour.legible(accent, base, 5.5))
        return Tones(
            base=base,
            deep=_below(letters, base, surface, 0.6),
            glow=_below(letters, base, primary, 0.72),
            spark=_below(letters, base, accent, 0.42),
            ink=ink,
            accent=letters[1],
        )


# Text is legible with a contrast of 4.5 (WCAG 2). The moving light takes some of it.
_CONTRAST = 4.7


def _below(letters: tuple[RGB, RGB], base: RGB, tint: RGB, share: float) -> RGB:
    """Mix `base` with at most `share` of a tint, so that letters of both colours stay legible."""
    while share > 0.02:
        mixed = colour.mix(base, tint, share)
        if min(colour.contrast(mixed, letter) for letter in letters) >= _CONTRAST:
            return mixed
        share *= 0.95
    return base


class Backdrop:
    """A background with a slow camera move and a soft light that moves across it."""

    def __init__(self, palette: Palette, output: Output, seed: int) -> None:
        rng = np.random.default_rng(seed)
        tones = Tones.of(palette)
        self.move = Move(("zoom_in", "zoom_out", "pan_right", "pan_left")[int(rng.integers(4))], DRIFT)
        size = Plate.size(output.width, output.height, self.move.headroom)
        self.plate = Plate(colour.to_planes(painted(tones, size, rng)), output.width, output.height)
        self.light = _light(
            colour.mix(tones.glow, (255, 255, 255), 0.25), round(max(output.width, output.height) * 0.42), rng
        )
        self._phases = rng.uniform(0, 2 * np.pi, 2)
        self._output = output

    def paint(self, at_s: float, progress: float) -> Frame:
        frame = self.plate.paint(self.move, progress)
        x = 0.5 + 0.42 * np.sin(at_s * 0.31 + self._phases[0])
        y = 0.42 + 0.34 * np.sin(at_s * 0.23 + self._phases[1])
        self.light.blend(
            frame,
            round(x * self._output.width - self.light.width / 2),
            round(y * self._output.height - self.light.height / 2),
        )
        return frame


def painted(tones: Tones, size: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Return a backdrop as RGB [height, width, 3]. `size` is (width, height)."""
    width, height = size
    picture = _mesh(tones, width, height, rng)
    _ORNAMENTS[int(rng.integers(len(_ORNAMENTS)))](picture, tones, rng)
    # Grain of about one step. Without it an eight-bit gradient shows bands, which the encoder makes more
    # visible.
    grain = rng.normal(0, 1.1, (height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(picture + grain, 0, 255), np.uint8)


def _mesh(tones: Tones, width: int, height: int, rng: np.random.Generator) -> Floats:
    rows, columns = height // _COARSE + 2, width // _COARSE + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x, y = x / columns, y / rows
    aspect = width / height
    picture = np.broadcast_to(np.array(tones.base, np.float32), (rows, columns, 3)).copy()
    # The bright spots are at opposite edges, so that the middle stays plain under the text.
    angle = rng.uniform(0, 2 * np.pi)
    for tone, turn, strength, reach in (
        (tones.deep, 1.6, 0.9, 0.55),
        (tones.glow, 0.0, 0.85, 0.42),
        (tones.spark, np.pi, 0.75, 0.30),
        (tones.glow, np.pi * 0.72, 0.35, 0.36),
    ):
        centre_x, centre_y = 0.5 + 0.56 * np.cos(angle + turn), 0.46 + 0.56 * np.sin(angle + turn)
        far = ((x - centre_x) * min(1.0, aspect)) ** 2 + ((y - centre_y) * min(1.0, 1 / aspect)) ** 2
        share = (strength * np.exp(-far / (2 * (reach * 0.62) ** 2)))[..., None]
        picture = picture * (1 - share) + np.array(tone, np.float32) * share
    depth = 0.28 if colour.luminance(tones.base) < 0.3 else 0.08
    vignette = 1 - depth * np.clip(((x - 0.5) ** 2 + (y - 0.5) ** 2) * 2.0, 0, 1)
    shaded: Floats = cv2.resize(picture * vignette[..., None], (width, height), interpolation=cv2.INTER_CUBIC)
    return shaded


def _lit(picture: Floats, mask: Floats, tone: RGB, strength: float) -> None:
    share = (mask * strength)[..., None]
    picture += (np.array(tone, np.float32) - picture) * share


def _arcs(picture: Floats, tones: Tones, rng: np.random.Generator) -> None:
    """Draw thin circles around a point outside a corner."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    centre = (int(width * rng.choice([-0.05, 1.05])), int(height * rng.uniform(0.05, 0.30)))
    step = max(width, height) * 0.055
    for ring in range(3, 22):
        cv2.circle(mask, centre, round(ring * step), 255 - ring * 9, max(2, round(width / 540)), cv2.LINE_AA)
    _lit(picture, mask.astype(np.float32) / np.float32(255), tones.ink, 0.16)


def _dots(picture: Floats, tones: Tones, rng: np.random.Generator) -> None:
    """Draw a grid of dots that fades with the distance from one corner."""
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), np.float32)
    step = round(min(width, height) / 22)
    corner = (float(rng.choice([0.0, 1.0])), float(rng.choice([0.0, 1.0])))
    for row in range(height // step + 1):
        for column in range(width // step + 1):
            far = np.hypot(column * step / width - corner[0], row * step / height - corner[1])
            if far < 0.75:
                cv2.circle(
                    mask,
                    (column * step + step // 2, row * step + step // 2),
                    max(2, step // 13),
                    float(1 - far / 0.75),
                    -1,
                    cv2.LINE_AA,
                )
    _lit(picture, cv2.GaussianBlur(mask, (0, 0), 0.8), tones.ink, 0.34)  # type: ignore[arg-type]


def _bands(picture: Floats, tones: Tones, rng: np.random.Generator) -> None:
    """Draw wide slanted bands, each lighter along one edge, like folded paper."""
    height, width = picture.shape[:2]
    rows, columns = height // 4, width // 4
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    slope = float(rng.choice([-0.55, 0.55]))
    along = (x / columns + slope * y / rows) * 2.6 + rng.uniform(0, 1)
    fold = (along - np.floor(along)) ** 3
    folded: Floats = cv2.resize(fold, (width, height), interpolation=cv2.INTER_LINEAR)
    _lit(picture, folded, tones.glow, 0.42)


def _discs(picture: Floats, tones: Tones, rng: np.random.Generator) -> None:
    """Draw large discs with a bright rim, mostly outside the middle."""
    height, width = picture.shape[:2]
    unit = min(width, height)
    for x, y, radius in (
        (rng.uniform(-0.05, 0.2), rng.uniform(0.7, 0.95), 0.46),
        (rng.uniform(0.82, 1.05), rng.uniform(0.0, 0.22), 0.36),
        (rng.uniform(0.75, 0.95), rng.uniform(0.75, 0.95), 0.14),
    ):
        mask = np.zeros((height, width), np.uint8)
        centre, reach = (round(x * width), round(y * height)), round(radius * unit)
        cv2.circle(mask, centre, reach, 255, -1, cv2.LINE_AA)
        down = np.clip(
            (np.arange(height, dtype=np.float32)[:, None] - (centre[1] - reach)) / (2 * reach), 0, 1
        )
        _lit(picture, mask.astype(np.float32) / 255 * (1 - 0.75 * down), tones.glow, 0.34)
        rim = np.zeros((height, width), np.uint8)
        cv2.circle(rim, centre, reach, 255, max(2, round(unit / 420)), cv2.LINE_AA)
        _lit(picture, rim.astype(np.float32) / 255 * (1 - 0.8 * down), tones.ink, 0.30)


_ORNAMENTS = (_arcs, _dots, _bands, _discs)


def _light(tone: RGB, reach: int, rng: np.random.Generator) -> Sprite:
    size = 2 * reach
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    far = np.hypot(x - reach, y - reach) / reach
    alpha = 58 * np.clip(1 - far, 0, 1) ** 2
    dithered = np.floor(alpha + rng.random((size, size), np.float32) * (alpha > 0))
    return Sprite.from_rgba(np.dstack([np.full((size, size, 3), tone, np.uint8), dithered.astype(np.uint8)]))

"""Draw what moves around a number: lights that come on one after another, and then glow in turn."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from render.picture.colour import RGB, Pixels
from render.picture.layers import LEAVE_S, settled
from render.picture.planes import Frame, Plane, Sprite, part

Floats = npt.NDArray[np.floating[Any]]
# Steps of the order in which points light up, and how many of them are between dark and lit.
_STEPS, _SOFT = 256, 14
# What a lit point keeps of its light between two waves, and the width of a wave as a share of the whole.
_LIT, _WAVE = 0.62, 0.09
# How fast a rushing light fades behind its head, per turn.
_TAIL = 5.0
_ENTRY_S = 1.4
# Light of what is not filled, of the letters' colour.
_TRACK = 0.16


@dataclass(frozen=True)
class Place:
    """The rectangle of a motif and the text's own, in pixels: (left, top, right, bottom)."""

    motif: tuple[int, int, int, int]
    text: tuple[int, int, int, int]


class Lights:
    """A drawing in one colour. `order` (0 to 254, [height, width]) says when a point lights up.

    With `turn_s` a wave of light goes through the lit points once in so many seconds. `rushes`: nothing stays
    lit, the wave has a tail and never ends.
    """

    def __init__(
        self, x: int, y: int, alpha: Pixels, order: Pixels, fill: RGB, turn_s: float, rushes: bool = False
    ) -> None:
        self.x, self.y, self._turn_s, self._rushes = x & ~1, y & ~1, turn_s, rushes
        # When the lights begin, and when they have gone out; None: with their shot.
        self.enter_s: float = 0.0
        self.leave_s: float | None = None
        rgba = np.dstack([np.full((*alpha.shape, 3), fill, np.uint8), alpha])
        self.sprite = Sprite.from_rgba(rgba)
        padded = np.pad(
            order,
            ((0, self.sprite.height - order.shape[0]), (0, self.sprite.width - order.shape[1])),
            mode="edge",
        )
        half = np.ascontiguousarray(padded[::2, ::2])
        self._orders = padded, cv2.merge([half, half])
        self._alphas = tuple(255 - behind for behind in self.sprite.behind)

    def paint(self, frame: Frame, at_s: float) -> None:
        """Draw the lights of a moment, in seconds from the start of their scene."""
        if at_s <= self.enter_s or (self.leave_s is not None and at_s >= self.leave_s):
            return
        table = self._table(at_s)
        planes = zip(frame.planes, self.sprite.foreground, self._alphas, self._orders, strict=True)
        for level, (plane, foreground, alpha, order) in enumerate(planes):
            left, top = max(0, -self.x) >> level, max(0, -self.y) >> level
            right = min(self.sprite.width, frame.width - self.x) >> level
            bottom = min(self.sprite.height, frame.height - self.y) >> level
            x, y = self.x >> level, self.y >> level
            region = part(plane, y + top, y + bottom, x + left, x + right)
            cut = np.s_[top:bottom, left:right]
            light = np.asarray(cv2.LUT(order[cut], table), np.uint8)
            _add(region, foreground[cut], alpha[cut], light, frame.on_device)

    def _table(self, at_s: float) -> Pixels:
        """Return how bright each step of the order is, 0 to 255."""
        steps = np.arange(_STEPS, dtype=np.float32)
        turn, age = (at_s / self._turn_s) % 1.0, at_s - self.enter_s
        if self._rushes:
            behind = (turn - steps / (_STEPS - 1)) % 1.0
            light = np.exp(-_TAIL * behind) * min(1.0, age / 0.6)
        else:
            front = settled(min(1.0, age / _ENTRY_S)) * (_STEPS + _SOFT)
            away = np.abs((steps / (_STEPS - 1) - turn + 0.5) % 1.0 - 0.5)
            wave = _LIT + (1 - _LIT) * np.exp(-((away / _WAVE) ** 2))
            light = np.clip((front - steps) / _SOFT, 0, 1) * wave
        left = 1.0 if self.leave_s is None else min(1.0, (self.leave_s - at_s) / LEAVE_S)
        return np.asarray(np.round(255 * left * light), np.uint8)


def _add(region: Plane, foreground: Pixels, alpha: Pixels, light: Pixels, on_device: bool) -> None:
    above = cv2.multiply(foreground, light, scale=1 / 255)
    behind = cv2.bitwise_not(cv2.multiply(alpha, light, scale=1 / 255))
    if on_device:
        above, behind = cv2.UMat(above), cv2.UMat(behind)  # type: ignore[call-overload]
    cv2.add(cv2.multiply(region, behind, scale=1 / 255), above, dst=region)


@dataclass(frozen=True)
class Look:
    """The size of the frame, its unit length (pixels that sizes are shares of), and the colours."""

    width: int
    height: int
    unit: int
    accent: RGB
    ink: RGB


def placed(motif: str, look: Look, area: tuple[int, int, int, int]) -> Place:
    """Return where a motif and the text of its number are drawn. `area` is the stage of the content."""
    left, top, right, bottom = area
    wide = look.width > look.height
    if motif in ("ring", "dial") and look.height <= look.width:
        # A ring as high as the area has no room for large letters inside it.
        size, margin = min(bottom - top, (right - left) // 2) // 2 * 2, (right - left) // 16
        x, y = right - margin - size, (top + bottom - size) // 2
        return Place((x, y, x + size, y + size), (left, top, x - margin, bottom))
    if motif in ("ring", "dial"):
        reach = min(right - left, bottom - top) // 2
        x, y = (left + right) // 2, (top + bottom) // 2
        # Inside the ring's band, or inside a clock's marks, which reach further in.
        half = tuple(round(reach * share) for share in ((0.68, 0.68) if motif == "ring" else (0.64, 0.4)))
        return Place(
            (x - reach, y - reach, x + reach, y + reach), (x - half[0], y - half[1], x + half[0], y + half[1])
        )
    if motif == "dots" and wide:
        middle = round(left + (right - left) * 0.52)
        return Place((middle, top, right, bottom), (left, top, middle - look.unit // 20, bottom))
    if motif == "dots":
        middle = round(top + (bottom - top) * 0.56)
        return Place((left, middle, right, bottom), (left, top, right, middle - look.unit // 30))
    # Through no heading, mark or caption. Circles and scales are seen beside the letters.
    frame = (0, top, look.width, bottom)
    beside = {"pulse": (right - left) // 8, "scale": (right - left) // 16}.get(motif, 0)
    return Place(frame, (left + beside, top, right - beside, bottom))


def drawn(
    motif: str, share: float | None, count: int | None, look: Look, place: Place, rng: np.random.Generator
) -> list[Lights]:
    """Return the lights of a motif."""
    return _MOTIFS[motif](share, count, look, place, rng)


def _ring(share: float | None, _: int | None, look: Look, place: Place, __: object) -> list[Lights]:
    """Draw a ring that fills clockwise up to the share, all around without one."""
    size, far, angle = _polar(place)
    thick = look.unit * 0.055
    radius = size / 2 - thick / 2 - 2
    band = np.clip(thick / 2 - np.abs(far - radius), 0, 1)
    filled = share if share is not None else 1.0
    left, top, _right, _bottom = place.motif
    full = Lights(left, top, _bytes(255 * _TRACK * band), _order(angle), look.ink, 9.0)
    part_ = Lights(
        left, top, _bytes(255 * band * (angle <= filled)), _order(angle / max(filled, 0.02)), look.accent, 2.6
    )
    return [full, part_]


def _dial(_: float | None, __: int | None, look: Look, place: Place, ___: object) -> list[Lights]:
    """Draw the sixty marks of a clock, which light up in turn."""
    size, far, angle = _polar(place)
    outer = size / 2 - 3
    marks = np.abs((angle * 60 + 0.5) % 1.0 - 0.5) * (2 * math.pi * far / 60)
    is_long = np.abs((angle * 12 + 0.5) % 1.0 - 0.5) < 0.08
    length, half = np.where(is_long, 0.20, 0.13) * outer, np.where(is_long, 0.009, 0.0055) * look.unit
    lines = np.clip(half + 0.5 - marks, 0, 1) * (far <= outer) * (far >= outer - length)
    left, top, _right, _bottom = place.motif
    return [
        Lights(left, top, _bytes(255 * _TRACK * 1.6 * lines), _order(angle), look.ink, 9.0),
        Lights(left, top, _bytes(255 * lines), _order((angle + 0.75) % 1), look.accent, 3.0, rushes=True),
    ]


def _dots(
    share: float | None, count: int | None, look: Look, place: Place, _: np.random.Generator
) -> list[Lights]:
    """Draw as many dots as are counted, or a hundred of which the share is lit."""
    total = count if count is not None else 100
    lit = total if share is None else round(total * share)
    left, top, right, bottom = place.motif
    width, height = right - left, bottom - top
    columns = max(1, min(total, round(math.sqrt(total * width / height))))
    rows = math.ceil(total / columns)
    step = min(width / columns, height / rows, look.unit * 0.12)
    first_x, first_y = (width - step * columns) / 2, (height - step * rows) / 2
    on, off = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    order = np.zeros((height, width), np.uint8)
    for number in range(total):
        row, column = divmod(number, columns)
        centre = (round(first_x + step * (column + 0.5)), round(first_y + step * (row + 0.5)))
        cv2.circle(on if number < lit else off, centre, max(2, round(step * 0.34)), 255, -1, cv2.LINE_AA)
        cv2.circle(order, centre, max(3, round(step * 0.45)), round(254 * number / total), -1)
    dim = _bytes(off.astype(np.float32) * np.float32(_TRACK * 1.6))
    lights = [Lights(left, top, dim, order, look.ink, 9.0)] if lit < total else []
    return [*lights, Lights(left, top, on, order, look.accent, 2.8)]


def _scale(_: float | None, __: int | None, look: Look, place: Place, ___: object) -> list[Lights]:
    """Draw the marks of a scale along both edges; a light runs up along them."""
    left, top, right, bottom = place.motif
    height, reach = bottom - top, round(look.unit * 0.1)
    alpha = np.zeros((height, reach), np.float32)
    step = look.unit * 0.024
    for number in range(int(height / step) + 1):
        y, long = round(number * step), number % 5 == 0
        length = reach if long else round(reach * 0.7)
        thick = max(1, round(look.unit * (0.006 if long else 0.004)))
        alpha[max(0, y - thick) : y + thick, :length] = 255 if long else 220
    order = _order(np.broadcast_to(1 - np.arange(height, dtype=np.float32)[:, None] / height, alpha.shape))
    alpha *= _faded(place, look)[:, None]
    lights = []
    for x, marks in ((left, alpha), (right - reach, alpha[:, ::-1])):
        lights += [
            Lights(x, top, _bytes(marks * np.float32(_TRACK * 2)), order, look.ink, 9.0),
            Lights(x, top, _bytes(marks), order, look.accent, 2.2, rushes=True),
        ]
    return lights


def _streaks(
    _: float | None, __: int | None, look: Look, place: Place, rng: np.random.Generator
) -> list[Lights]:
    """Draw lines across the frame through which lights rush, the near ones faster and brighter."""
    left, top, right, bottom = place.motif
    width, height = right - left, bottom - top
    alpha, order = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    x = np.arange(width, dtype=np.float32) / width
    for y in np.linspace(0.05, 0.95, 24) * height + rng.uniform(-0.015, 0.015, 24) * height:
        near = float(rng.uniform(0.25, 1.0))
        thick = max(2, round(look.unit * 0.009 * near))
        rows = slice(max(0, round(y)), round(y) + thick)
        # Behind the text the lines are weaker.
        behind = place.text[1] < top + y < place.text[3]
        alpha[rows] = round(255 * (0.3 if behind else 0.4 + 0.6 * near))
        order[rows] = _order((x / (0.45 + 0.55 * near) + float(rng.uniform(0, 1))) % 1.0)
    return [
        Lights(left, top, _bytes(alpha * _faded(place, look)[:, None]), order, look.accent, 1.5, rushes=True)
    ]


def _pulse(_: float | None, __: int | None, look: Look, place: Place, ___: object) -> list[Lights]:
    """Draw circles around the number through which a light spreads outwards."""
    left, top, right, bottom = place.motif
    x, y = round((place.text[0] + place.text[2]) / 2) - left, round((place.text[1] + place.text[3]) / 2) - top
    alpha, order = (np.zeros((bottom - top, right - left), np.uint8) for _ in range(2))
    most = math.hypot(max(x, right - left - x), max(y, bottom - top - y))
    thick, far = max(2, round(look.unit * 0.011)), look.unit * 0.34
    while far < most:
        # Weaker towards the corners.
        bright, turn = round(255 * (1 - 0.5 * far / most)), round(254 * far / most)
        cv2.circle(alpha, (x, y), round(far), bright, thick, cv2.LINE_AA)
        cv2.circle(order, (x, y), round(far), turn, 3 * thick)
        far += look.unit * 0.05
    # Weak behind the letters.
    rows = slice(max(0, y - round(look.unit * 0.2)), y + round(look.unit * 0.2))
    band = alpha[rows, place.text[0] : place.text[2]]
    band[:] = cv2.convertScaleAbs(np.ascontiguousarray(band), alpha=0.3)
    return [
        Lights(left, top, _bytes(alpha * _faded(place, look)[:, None]), order, look.accent, 2.4, rushes=True)
    ]


def _faded(place: Place, look: Look) -> Floats:
    """Return how much of a motif is drawn in each of its rows: it fades at its upper and lower edge."""
    rows, soft = np.arange(place.motif[1], place.motif[3]), look.unit * 0.05
    return np.clip(np.minimum(rows - place.motif[1], place.motif[3] - rows) / soft, 0, 1).astype(np.float32)


def _polar(place: Place) -> tuple[int, Floats, Floats]:
    """Return the side of a round motif, and for each pixel its distance from the middle and its turn.

    The turn is 0 at the top and grows clockwise to 1.
    """
    size = place.motif[2] - place.motif[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) - (size - 1) / 2
    turn = (np.arctan2(x, -y) / (2 * np.pi)) % 1.0
    return size, np.hypot(x, y), turn.astype(np.float32)


def _order(share: Floats) -> Pixels:
    return np.ascontiguousarray(np.clip(share * 254, 0, 254).astype(np.uint8))


def _bytes(alpha: Floats) -> Pixels:
    return np.ascontiguousarray(np.clip(alpha, 0, 255).astype(np.uint8))


_MOTIFS: dict[str, Callable[[float | None, int | None, Look, Place, np.random.Generator], list[Lights]]] = {
    "ring": _ring,
    "dots": _dots,
    "dial": _dial,
    "scale": _scale,
    "streaks": _streaks,
    "pulse": _pulse,
}

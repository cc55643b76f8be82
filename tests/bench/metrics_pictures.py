"""Draw an artist's followers by platform over time, a panel with a scale of its own for each platform."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

# Drawn larger and reduced, because Pillow's lines have steps.
SHARPER = 3
WIDTH, PANEL, LEFT, RIGHT, TOP = 900, 150, 240, 40, 60
COLOURS = {"youtube": "#c4302b", "spotify": "#1a8f43", "tiktok": "#111111", "instagram": "#8a3ab9"}
NAMES = {"youtube": "YouTube", "spotify": "Spotify", "tiktok": "TikTok", "instagram": "Instagram"}
DARK, GREY, PALE = "#101820", "#666666", "#dddddd"
# A label of a date needs so many pixels.
DATE = 110


class _Canvas:
    """Draws in pixels of the finished picture."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width * SHARPER, height * SHARPER), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._fonts = {size: ImageFont.load_default(size * SHARPER) for size in (13, 14, 22)}

    def text(self, x: float, y: float, words: str, colour: str, size: int = 14, anchor: str = "lm") -> None:
        place = x * SHARPER, y * SHARPER
        self._draw.text(place, words, fill=colour, font=self._fonts[size], anchor=anchor)

    def line(self, points: list[tuple[float, float]], colour: str, width: int) -> None:
        scaled = [(x * SHARPER, y * SHARPER) for x, y in points]
        self._draw.line(scaled, fill=colour, width=width * SHARPER, joint="curve")

    def dot(self, x: float, y: float, colour: str) -> None:
        box = [(value + side) * SHARPER for side in (-3, 3) for value in (x, y)]
        self._draw.ellipse(box, fill=colour)

    def save(self, path: Path) -> None:
        width, height = self._image.size
        path.parent.mkdir(parents=True, exist_ok=True)
        self._image.resize((width // SHARPER, height // SHARPER), Image.Resampling.LANCZOS).save(path)


def draw(title: str, histories: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Write a PNG. histories: platform -> {day, value} each; a day without a value is a gap in the line."""
    platforms = [each for each in NAMES if each in histories]
    canvas = _Canvas(WIDTH, TOP + PANEL * len(platforms) + 10)
    canvas.text(20, 28, f"{title}: followers by platform", DARK, 22)
    for place, platform in enumerate(platforms):
        _panel(canvas, platform, histories[platform], TOP + place * PANEL)
    canvas.save(path)


def _panel(canvas: _Canvas, platform: str, history: list[dict[str, Any]], top: int) -> None:
    ceiling, floor = top + 16, top + PANEL - 46
    known = [each for each in history if each["value"] is not None]
    canvas.text(20, ceiling, NAMES[platform], COLOURS[platform])
    if not known:
        canvas.text(20, ceiling + 22, "not known", GREY)
        return
    values = [each["value"] for each in known]
    canvas.text(20, ceiling + 22, f"{values[-1]:,} followers", DARK)
    days = (date.fromisoformat(known[-1]["day"]) - date.fromisoformat(known[0]["day"])).days
    if days:
        span = "1 day" if days == 1 else f"{days} days"
        canvas.text(20, ceiling + 44, f"{values[-1] - values[0]:+,} in {span}", GREY)
    low, high = _scale(min(values), max(values))
    first, last = date.fromisoformat(history[0]["day"]), date.fromisoformat(history[-1]["day"])
    step = (WIDTH - LEFT - RIGHT) / max(1, (last - first).days)
    for value in (low, high):
        y = floor if value == low else ceiling
        canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], PALE, 1)
        canvas.text(LEFT - 12, y, f"{value:,}", GREY, 13, "rm")
    every = -(-DATE // max(1, int(step)))
    for number in range(0, (last - first).days + 1, every):
        x = LEFT + number * step
        canvas.line([(x, floor), (x, floor + 4)], GREY, 1)
        canvas.text(x, floor + 16, f"{first + timedelta(days=number)}", GREY, 13, "mm")

    def point(each: dict[str, Any]) -> tuple[float, float]:
        x = LEFT + (date.fromisoformat(each["day"]) - first).days * step
        return x, floor - (each["value"] - low) / (high - low) * (floor - ceiling)

    for piece in _pieces(history):
        points = [point(each) for each in piece]
        if len(points) > 1:
            canvas.line(points, COLOURS[platform], 2)
        for x, y in points:
            canvas.dot(x, y, COLOURS[platform])


def _scale(low: int, high: int) -> tuple[int, int]:
    """Return the ends of a scale. It has at least a hundredth of the value, so that noise looks like it."""
    room = max(high - low, high // 100, 2)
    middle = (low + high) / 2
    bottom = max(0, round(middle - room * 0.55))
    return bottom, bottom + round(room * 1.1)


def _pieces(history: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the days that follow each other without a gap."""
    pieces: list[list[dict[str, Any]]] = [[]]
    for each in history:
        if each["value"] is None:
            pieces.append([])
        else:
            pieces[-1].append(each)
    return [piece for piece in pieces if piece]

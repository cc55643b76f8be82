"""Draw an artist's followers by platform over time, a panel with a scale of its own for each platform."""

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

WIDTH, PANEL, LEFT, RIGHT, TOP = 900, 150, 130, 30, 60
COLOURS = {"youtube": "#c4302b", "spotify": "#1a8f43", "tiktok": "#111111", "instagram": "#8a3ab9"}
NAMES = {"youtube": "YouTube", "spotify": "Spotify", "tiktok": "TikTok", "instagram": "Instagram"}


def draw(title: str, histories: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Write a PNG. histories: platform -> {day, value} each; a day without a value is a gap in the line."""
    platforms = [each for each in NAMES if each in histories]
    image = Image.new("RGB", (WIDTH, TOP + PANEL * len(platforms) + 10), "white")
    canvas = ImageDraw.Draw(image)
    large, small = ImageFont.load_default(22), ImageFont.load_default(14)
    canvas.text((20, 16), f"{title}: followers by platform", fill="#101820", font=large)
    for place, platform in enumerate(platforms):
        _panel(canvas, small, platform, histories[platform], TOP + place * PANEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def _panel(canvas: Any, font: Any, platform: str, history: list[dict[str, Any]], top: int) -> None:
    bottom = top + PANEL - 40
    values = [each["value"] for each in history]
    known = [value for value in values if value is not None]
    canvas.text((20, top + 10), NAMES[platform], fill=COLOURS[platform], font=font)
    canvas.line((LEFT, bottom, WIDTH - RIGHT, bottom), fill="#cccccc")
    if not known:
        canvas.text((LEFT, top + 40), "not known", fill="#666666", font=font)
        return
    low, high = min(known), max(known)
    canvas.text((20, top + 34), f"{known[-1]:,}", fill="#101820", font=font)
    canvas.text((20, top + 56), f"{known[-1] - known[0]:+,}", fill="#666666", font=font)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values) - 1)

    def point(number: int, value: int) -> tuple[float, float]:
        share = (value - low) / (high - low) if high > low else 0.5
        return LEFT + number * step, bottom - 6 - share * (bottom - top - 24)

    before = None
    for number, value in enumerate(values):
        here = None if value is None else point(number, value)
        if before and here:
            canvas.line((*before, *here), fill=COLOURS[platform], width=3)
        if here:
            x, y = here
            canvas.ellipse((x - 3, y - 3, x + 3, y + 3), fill=COLOURS[platform])
        before = here
    canvas.text((LEFT, bottom + 6), history[0]["day"], fill="#666666", font=font)
    canvas.text((WIDTH - RIGHT - 76, bottom + 6), history[-1]["day"], fill="#666666", font=font)

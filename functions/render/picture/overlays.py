"""Parts drawn over the scenes: the title card, a scene's heading, the logo and the demo mark."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from render.picture import colour, layout, stills
from render.picture.layers import LEAVE_S, Layer, settled
from render.picture.planes import Frame, Sprite
from render.picture.shapes import rounded_box
from render.plan.timeline import Output, Timeline
from render.text import fonts, lettering
from render.text.lettering import TextStyle

HEADING_S = 2.8


class TitleCard:
    """The title in large letters over a dimmed picture, a small line above it and an accent bar below."""

    def __init__(self, timeline: Timeline, output: Output) -> None:
        assert timeline.title_card is not None
        card = timeline.title_card
        self.start_s, self.end_s = card.start_s, card.end_s
        self.layers = self._laid_out(timeline, output, card.text, card.kicker, card.end_s - card.start_s)
        self.dim = colour.yuv(colour.mix(colour.parse(timeline.palette.background), (0, 0, 0), 0.35))

    def paint(self, frame: Frame, at_s: float) -> None:
        if not self.start_s <= at_s < self.end_s:
            return
        age = at_s - self.start_s
        # The first frame is seen before playback starts, so a title at 0 s has no entry animation.
        self._dimmed(frame, min(1.0, (self.end_s - at_s) / (2 * LEAVE_S)))
        for layer in self.layers:
            layer.paint(frame, age, entered=self.start_s == 0)

    def _dimmed(self, frame: Frame, share: float) -> None:
        amount = 0.58 * settled(max(0.0, share))
        luma, *chroma = self.dim
        cv2.convertScaleAbs(frame.luma, dst=frame.luma, alpha=1 - amount, beta=luma * amount)
        table = np.arange(256)[None, :, None] * (1 - amount) + np.array(chroma) * amount
        cv2.LUT(frame.chroma, table.round().astype(np.uint8), dst=frame.chroma)

    def _laid_out(
        self, timeline: Timeline, output: Output, text: str, kicker: str | None, length_s: float
    ) -> list[Layer]:
        palette = timeline.palette
        area = layout.content(timeline, output, heading=False)
        tall, family = output.shape == "tall", fonts.family(timeline.font)
        surface = colour.mix(colour.parse(palette.background), (0, 0, 0), 0.35)
        ink = colour.legible(colour.parse(palette.text), surface, 7)
        accent = colour.legible(colour.parse(palette.accent), surface, 3)
        # A long title is set smaller until it fits, in a low picture with large captions too.
        for percent in range(100, 35, -7):
            unit = layout.short_side(output) * percent / 100
            size, soft = round(unit * (0.118 if tall else 0.104)), round(unit * 0.012)
            style = TextStyle(size, family, 900, timeline.language, ink, shadow=soft, shadow_opacity=0.45)
            lines, style = lettering.fitted(text, style, area.right - area.left, 5 if tall else 3)
            size, soft = round(unit * 0.036), round(unit * 0.006)
            small = TextStyle(size, family, 700, timeline.language, accent, shadow=soft, shadow_opacity=0.5)
            line_height, bar, gap = round(style.size * 1.12), max(6, round(unit * 0.009)), round(unit * 0.045)
            head = round(small.size * 1.2) + gap // 2 if kicker else 0
            block = head + line_height * len(lines) + gap + bar
            if block <= area.bottom - area.top:
                break
        middle = (area.top + area.bottom - block) / 2 * (0.96 if tall else 1.0)
        top = max(area.top, round(middle))
        layers: list[Layer] = []
        if kicker:
            layers.append(centred(kicker.upper(), small, output.width, top + small.size, 0.0, length_s))
        for row, line in enumerate(lines):
            layers.append(
                centred(
                    line,
                    style,
                    output.width,
                    top + head + row * line_height + round(style.size * 0.86),
                    0.08 * row,
                    length_s,
                )
            )
        width = round(unit * 0.16)
        layers.append(
            Layer(
                rounded_box(width, bar, bar // 2, accent, 1.0),
                (output.width - width) // 2,
                top + head + line_height * len(lines) + gap,
                0.3,
                "grow_right",
                0.5,
                length_s,
            )
        )
        return layers


def centred(
    text: str, style: TextStyle, width: int, baseline: int, enter_s: float, leave_s: float | None
) -> Layer:
    """Return a line of text centred in a picture of this width."""
    sprite, left, base = lettering.sprite(text, style)
    return Layer(
        sprite,
        round((width - lettering.width(text, style)) / 2) - left,
        baseline - base,
        enter_s,
        "rise",
        0.55,
        leave_s,
        round(style.size * 0.45),
    )


class Heading:
    """A scene's heading at the upper edge of the safe area: an accent mark and a line of text on a dark
    rounded box.
    """

    def __init__(self, text: str, timeline: Timeline, output: Output, marks: Sequence[Layer] = ()) -> None:
        """`marks` are the logo and the DEMO mark. The heading stands between them."""
        palette = timeline.palette
        surface = colour.mix(colour.parse(palette.background), (0, 0, 0), 0.2)
        style = TextStyle(
            round(layout.short_side(output) * layout.HEADING),
            fonts.family(timeline.font),
            700,
            timeline.language,
            colour.legible(colour.parse(palette.text), surface, 7),
        )
        first, last = _between(marks, output, 2 * style.size)
        lines, style = lettering.fitted(text, style, last - first - style.size * 2.2, 1, 0.7)
        sprite, left, base = lettering.sprite(lines[0], style)
        width, height = round(lettering.width(lines[0], style) + style.size * 2.0), round(style.size * 2.0)
        x, y = first, layout.heading_top(output)
        inset, mark = round(style.size * 0.62), max(6, style.size // 6)
        tick_x, text_x = inset, inset + round(style.size * 0.42)
        if style.rtl:
            x = last - width
            tick_x, text_x = width - inset - mark, round(style.size * 0.96)
        pill = rounded_box(width, height, height // 2, surface, 0.78)
        tick = rounded_box(
            mark,
            style.size,
            max(3, style.size // 12),
            colour.legible(colour.parse(palette.accent), surface, 3),
            1.0,
        )
        self.layers = [
            Layer(pill, x, y, 0.25, "rise", 0.5, HEADING_S, style.size // 2),
            Layer(
                tick,
                x + tick_x,
                y + (height - style.size) // 2,
                0.32,
                "rise",
                0.5,
                HEADING_S,
                style.size // 2,
            ),
            Layer(
                sprite,
                x + text_x - left,
                y + round(height * 0.5 + style.size * 0.355) - base,
                0.38,
                "rise",
                0.5,
                HEADING_S,
                style.size // 2,
            ),
        ]

    def paint(self, frame: Frame, at_s: float) -> None:
        if at_s < HEADING_S:
            for layer in self.layers:
                layer.paint(frame, at_s)


def _between(marks: Sequence[Layer], output: Output, height: int) -> tuple[int, int]:
    """Return (left, right) of the room for a heading of this height beside the marks."""
    side = max(output.safe_area.left, output.safe_area.right) * output.width
    first, last, top = round(side), round(output.width - side), layout.heading_top(output)
    for mark in marks:
        if mark.y < top + height and mark.y + mark.sprite.height > top:
            if mark.x < output.width // 2:
                first = max(first, mark.x + mark.sprite.width + height // 3)
            else:
                last = min(last, mark.x - height // 3)
    return first, last


def demo_mark(output: Output) -> Layer:
    """Return the DEMO mark, which says that the script comes from the small local model."""
    style = TextStyle(round(layout.short_side(output) * layout.DEMO), fonts.HOUSE, 700, "en", (255, 255, 255))
    width, height = round(lettering.width("DEMO", style) + style.size * 1.3), layout.demo_height(output)
    box = rounded_box(width, height, height // 3, (10, 12, 20), 0.55)
    rgba, left, base = lettering.draw("DEMO", style)
    canvas = np.zeros((box.height, box.width, 4), np.uint8)
    x, y = round(style.size * 0.65) - left, round(height * 0.5 + style.size * 0.36) - base
    canvas[..., 3] = 255 - box.behind[0]
    canvas[..., :3] = (10, 12, 20)
    _stamp(canvas, rgba, x, y)
    x = round(output.width * (1 - output.safe_area.right)) - width
    return Layer(Sprite.from_rgba(canvas), x, layout.demo_top(output), -1.0, "fade")


def _stamp(canvas: colour.Pixels, rgba: colour.Pixels, x: int, y: int) -> None:
    base, top = Image.fromarray(canvas), Image.fromarray(rgba)
    base.alpha_composite(
        top.crop(
            (
                max(0, -x),
                max(0, -y),
                min(rgba.shape[1], canvas.shape[1] - x),
                min(rgba.shape[0], canvas.shape[0] - y),
            )
        ),
        (max(0, x), max(0, y)),
    )
    canvas[:] = np.asarray(base)


def logo(path: Path, name: str, output: Output) -> Layer:
    """Return the logo, small, in the upper left corner of the safe area.

    Raises AssetCorrupt, AssetRefused.
    """
    unit = layout.short_side(output)
    with stills.reading(path, name, "logo") as opened:
        image = stills.normalised(opened, unit).convert("RGBA")
    factor = min(unit * layout.LOGO_HEIGHT / image.height, unit * layout.LOGO_WIDTH / image.width)
    image = image.resize(
        (max(2, round(image.width * factor)), max(2, round(image.height * factor))), Image.Resampling.LANCZOS
    )
    x = round(output.safe_area.left * output.width)
    return Layer(Sprite.from_rgba(np.array(image)), x, layout.logo_top(output, image.height), -1.0, "fade")

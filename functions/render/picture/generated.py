"""Generated scenes: text and figures typeset over a backdrop in the brand's colours.

Only the timeline's content is shown.
"""

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from render.picture import colour, layout, motifs
from render.picture.backdrop import Backdrop, Tones
from render.picture.layers import Layer, settled
from render.picture.motifs import Lights
from render.picture.overlays import centred
from render.picture.planes import Frame, Sprite
from render.picture.shapes import rounded_box
from render.plan.timeline import Generated, Output, Shot, Timeline
from render.text import bidi, fonts, lettering
from render.text.lettering import TextStyle


@dataclass(frozen=True)
class Stage:
    """The area for a scene's content in pixels, between heading and captions. `scale` shrinks the content.

    `over`: the content stands over an image or clip, so its letters have a dark rim. `spoken_s`: seconds of
    the shot until its number is spoken.
    """

    timeline: Timeline
    output: Output
    tones: Tones
    left: int
    top: int
    right: int
    bottom: int
    length_s: float
    scale: float = 1.0
    over: bool = False
    spoken_s: float = 0.0

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def unit(self) -> int:
        """Return the length in pixels that sizes are shares of."""
        return round(layout.short_side(self.output) * self.scale)

    def type(
        self, size: float, weight: int = 700, fill: colour.RGB | None = None, family: str | None = None
    ) -> TextStyle:
        """Return a text style with a shadow on dark backgrounds.

        `size` is a share of the picture's short side.
        """
        chosen = family or fonts.family(self.timeline.font)
        soft = round(self.unit * 0.006)
        # A shadow helps light letters on a dark background. Under dark letters it looks like dirt.
        opacity = 0.35 if colour.luminance(self.tones.base) < 0.3 else 0.0
        language, ink = self.timeline.language, fill or self.tones.ink
        style = TextStyle(
            round(self.unit * size),
            chosen,
            weight,
            language,
            ink,
            shadow=soft,
            shadow_drop=soft // 2,
            shadow_opacity=opacity,
        )
        if not self.over:
            return style
        rim = max(2, round(style.size * 0.03))
        return replace(style, outline=rim, outline_fill=self.tones.base, shadow_opacity=0.55)

    @property
    def quiet(self) -> colour.RGB:
        """Return the colour for names and credits: weaker than `ink`, but legible."""
        return colour.legible(colour.mix(self.tones.ink, self.tones.base, 0.2), self.tones.base, 5.5)


@dataclass(frozen=True)
class Counting(Layer):
    """A number that counts up to its value while it enters. `steps` are what it shows before, evenly."""

    steps: tuple[Layer, ...] = ()

    def paint(self, frame: Frame, at_s: float, entered: bool = False) -> None:
        """Draw the number at `at_s`, or a smaller one on the way to it."""
        age = at_s - self.enter_s
        if entered or age >= _COUNT_S or not self.steps:
            super().paint(frame, at_s, entered)
        elif age > 0:
            self.steps[int(age / _COUNT_S * len(self.steps))].paint(frame, at_s)


class GeneratedPainter:
    """A backdrop with layers."""

    def __init__(self, backdrop: Backdrop, layers: list[Layer], lights: list[Lights]) -> None:
        self.backdrop, self.layers, self.lights = backdrop, layers, lights

    def upload(self) -> None:
        self.backdrop.plate.upload()

    def paint(self, at_s: float, progress: float, covered_s: float = 0.0) -> Frame:
        """Return the frame at `at_s` of the scene. The text enters after a title card of `covered_s`."""
        frame = self.backdrop.paint(at_s, progress)
        for light in self.lights:
            light.paint(frame, at_s - covered_s)
        for layer in self.layers:
            layer.paint(frame, at_s - covered_s)
        return frame


def painter(
    shot: Shot, heading: str | None, timeline: Timeline, output: Output, length_s: float
) -> GeneratedPainter:
    """Lay out a generated shot that lasts `length_s` seconds. `heading` is its scene's."""
    plan = shot.visual.generated
    assert plan is not None
    seed = zlib.crc32(f"{timeline.seed}:{shot.id}".encode())
    stage = _stage(layout.shows_heading(heading, shot.visual), timeline, output, length_s)
    backdrop = Backdrop(timeline.palette, output, seed)
    stage, lights = _with_motif(plan, stage, np.random.default_rng(seed))
    stage = replace(stage, spoken_s=_spoken_s(shot, plan))
    return GeneratedPainter(backdrop, _fitting(TEMPLATES.get(plan.template, _nothing), plan, stage), lights)


def overlay(
    shot: Shot, heading: str | None, timeline: Timeline, output: Output, length_s: float
) -> list[Layer | Lights]:
    """Lay out the card over an image or clip that is shown for `length_s` seconds, and what dims that.

    Letters have a contrast of 4.5 to a white picture behind them, a large number has 3; both have a dark rim.
    """
    plan = shot.visual.overlay
    assert plan is not None
    surface = colour.mix(colour.parse(timeline.palette.background), (0, 0, 0), 0.35)
    if colour.luminance(surface) > _DARK_SURFACE:
        surface = _BLACK
    # As frames are blended: by their levels, not by their light.
    brightest: colour.RGB = tuple(round(255 + (level - 255) * _DIMMED) for level in surface)  # type: ignore[assignment]
    # A number is large: 3 is enough for it, and its dark rim has more.
    ink = _lighter(colour.parse(timeline.palette.text), brightest, 4.5)
    accent = _lighter(colour.parse(timeline.palette.accent), brightest, 3)
    plain = _stage(layout.shows_heading(heading, shot.visual), timeline, output, length_s)
    tones = Tones(surface, surface, surface, surface, ink, accent)
    stage = replace(plain, tones=tones, over=True)
    lights: list[Lights] = []
    if plan.figure and plan.figure.motif == "ring":
        seed = zlib.crc32(f"{timeline.seed}:{shot.id}".encode())
        stage, lights = _with_motif(plan, stage, np.random.default_rng(seed))
    letters = _fitting(TEMPLATES.get(plan.template, _nothing), plan, stage)
    until = shot.visual.overlay_end_s
    leave_s = None if until is None or until >= shot.end_s - 1e-3 else until - shot.start_s
    # Until shortly before its number is spoken, the picture is seen alone.
    spoken_s = _spoken_s(shot, plan) - _EARLY_S
    delay_s = spoken_s if spoken_s > _EARLY_S else 0.0
    for light in lights:
        light.leave_s, light.enter_s = leave_s, delay_s
    shown = (_moved(each, delay_s, leave_s) for each in letters)
    return [_dim(plain, surface, delay_s, leave_s), *lights, *shown]


def _spoken_s(shot: Shot, plan: Generated) -> float:
    """Return how long after the beginning of its shot a number is spoken, 0 if that is not known."""
    spoken_s = plan.figure.spoken_s if plan.figure else None
    return 0.0 if spoken_s is None else max(0.0, spoken_s - shot.start_s)


def _moved(layer: Layer, delay_s: float, leave_s: float | None) -> Layer:
    """Return the layer entering later, and leaving in time."""
    moved = replace(layer, enter_s=layer.enter_s + delay_s, leave_s=leave_s)
    if not isinstance(moved, Counting):
        return moved
    return replace(moved, steps=tuple(replace(step, enter_s=step.enter_s + delay_s) for step in moved.steps))


# A number appears so long before it is spoken: it has been read by then. On a card of its own it appears so
# long after its shot's beginning at the latest: until then its gauge is empty.
_EARLY_S, _LATEST_S = 0.5, 0.6


# A picture behind a card is mixed with so much of a dark colour where the card is, and at its edges.
_DIMMED, _DIMMED_EDGE = 0.66, 0.2
_BLACK, _DARK_SURFACE = (10, 12, 20), 0.05


def _lighter(fill: colour.RGB, behind: colour.RGB, ratio: float) -> colour.RGB:
    """Return the colour, mixed with as much white as it needs for this contrast to a darker one."""
    shares = (step / 10 for step in range(11))
    mixed = (colour.mix(fill, (255, 255, 255), share) for share in shares)
    return next(
        (
            each
            for each in mixed
            if colour.luminance(each) > colour.luminance(behind) and colour.contrast(each, behind) >= ratio
        ),
        (255, 255, 255),
    )


def _dim(stage: Stage, surface: colour.RGB, enter_s: float, leave_s: float | None) -> Layer:
    """Return a veil over the whole picture, darkest behind the content."""
    width, height = stage.output.width, stage.output.height
    middle, reach = (stage.top + stage.bottom) / 2, stage.height / 2
    away = np.clip((np.abs(np.arange(height) - middle) - reach) / (0.24 * height), 0, 1)
    rows = 255 * (_DIMMED_EDGE + (_DIMMED - _DIMMED_EDGE) * (1 - away * away * (3 - 2 * away)))
    alpha = np.repeat(np.round(rows).astype(np.uint8)[:, None], width, axis=1)
    rgba = np.dstack([np.full((height, width, 3), surface, np.uint8), alpha])
    return Layer(Sprite.from_rgba(rgba), 0, 0, enter_s, "fade", 0.5, leave_s)


def _with_motif(plan: Generated, stage: Stage, rng: np.random.Generator) -> tuple[Stage, list[Lights]]:
    """Return the area that a number's motif leaves to its text, and the motif's lights."""
    figure = plan.figure
    if figure is None or plan.template != "number" or not plan.value:
        return stage, []
    tones, output = stage.tones, stage.output
    look = motifs.Look(output.width, output.height, stage.unit, tones.accent, tones.ink)
    place = motifs.placed(figure.motif, look, (stage.left, stage.top, stage.right, stage.bottom))
    left, top, right, bottom = place.text
    inner = replace(stage, left=left, top=top, right=right, bottom=bottom)
    return inner, motifs.drawn(figure.motif, figure.share, figure.count, look, place, rng)


def _stage(heading: bool, timeline: Timeline, output: Output, length_s: float) -> Stage:
    area = layout.content(timeline, output, heading)
    tones = Tones.of(timeline.palette)
    return Stage(timeline, output, tones, area.left, area.top, area.right, area.bottom, length_s)


# How much smaller content is set, step by step, until it fits its area.
_SCALES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.35)


def _fitting(
    template: Callable[[Generated, Stage], list[Layer]], plan: Generated, stage: Stage
) -> list[Layer]:
    """Lay out a template at the largest scale at which it stays inside its area."""
    layers: list[Layer] = []
    for scale in _SCALES:
        layers = template(plan, replace(stage, scale=scale))
        if all(_inside(layer, stage) for layer in layers):
            break
    return layers


def _inside(layer: Layer, stage: Stage) -> bool:
    """Return True if what can be seen of a layer, without its soft shadow, is between the area's edges."""
    rows = np.flatnonzero(layer.sprite.behind[0].min(axis=1) < 160)
    if not rows.size:
        return True
    return bool(layer.y + rows[0] >= stage.top - 1 and layer.y + rows[-1] <= stage.bottom)


def _nothing(plan: Generated, stage: Stage) -> list[Layer]:
    return (
        _phrase(replace(plan, template="phrase"), stage) if plan.text and plan.template != "gradient" else []
    )


# Sizes of a title as shares of the short side: of several lines, and the most of a single line, which then
# has this share of the width.
_TITLE, _SHORT_TITLE, _SHORT_TITLE_WIDTH = 0.112, 0.2, 0.85


def _title(plan: Generated, stage: Stage) -> list[Layer]:
    """Set the text large and centred, with an accent bar below."""
    if not plan.text:
        return []
    lines, style = _filled(plan.text, stage.type(_TITLE, 900), stage, 5)
    if len(lines) == 1:
        style = _large(plan.text, style, stage)
    step = round(style.size * 1.12)
    bar, gap, width = max(6, round(stage.unit * 0.009)), round(stage.unit * 0.05), round(stage.unit * 0.16)
    top = _middle(stage, step * len(lines) + gap + bar)
    layers = [
        _centred(line, style, stage, top + row * step + round(style.size * 0.86), 0.1 + 0.09 * row)
        for row, line in enumerate(lines)
    ]
    return [
        *layers,
        Layer(
            rounded_box(width, bar, bar // 2, stage.tones.accent, 1.0),
            _mid_x(stage, width),
            top + step * len(lines) + gap,
            0.4,
            "grow_right",
        ),
    ]


def _large(line: str, style: TextStyle, stage: Stage) -> TextStyle:
    """Return the style for a single line: a word or two would be lost in the frame at a sentence's size."""
    largest = stage.type(_SHORT_TITLE, 900)
    share = min(1.0, _SHORT_TITLE_WIDTH * stage.width / max(1.0, lettering.width(line, largest)))
    return max(style, largest.sized(round(largest.size * share)), key=lambda each: each.size)


def _phrase(plan: Generated, stage: Stage) -> list[Layer]:
    """Set a sentence flush left beside an accent bar (right for right-to-left text)."""
    if not plan.text:
        return []
    rule, gap = max(8, round(stage.unit * 0.012)), round(stage.unit * 0.042)
    narrow = replace(stage, left=stage.left + rule + gap)
    lines, style = _filled(plan.text, stage.type(0.094, 900), narrow, 6)
    if len(lines) == 1:
        style = _large(plan.text, style, narrow)
    step = round(style.size * 1.16)
    top = _middle(stage, step * len(lines))
    rtl = bool(style.rtl)
    rule_x = stage.right - rule if rtl else stage.left
    layers = [
        Layer(
            rounded_box(rule, step * len(lines), rule // 2, stage.tones.accent, 1.0),
            rule_x,
            top,
            0.05,
            "grow_up",
            0.6,
        )
    ]
    for row, line in enumerate(lines):
        layers.append(
            _flush(
                line,
                style,
                stage,
                rule + gap,
                top + row * step + round(style.size * 0.86),
                0.15 + 0.1 * row,
                rtl,
            )
        )
    return layers


def _number(plan: Generated, stage: Stage) -> list[Layer]:
    """Set one number as large as possible, with its label below, and what it is about above.

    A number with a figure counts up to its value.
    """
    if not plan.value:
        return _phrase(plan, stage)
    figure = _figure_type(plan.value, stage)
    counts = plan.figure is not None
    about, about_type = _about_lines(plan, stage) if counts else ([], figure)
    labels, small = _label_lines(replace(plan, text=None) if counts else plan, stage)
    step, gap, above = round(small.size * 1.3), round(stage.unit * 0.035), round(about_type.size * 1.25)
    head = above * len(about) + (gap // 2 if about else 0)
    top = _middle(stage, head + round(figure.size * 0.8) + gap + step * len(labels))
    baseline = top + head + round(figure.size * 0.76)
    layers = [
        _centred(line, about_type, stage, top + row * above + about_type.size, 0.0)
        for row, line in enumerate(about)
    ]
    enter_s = min(max(0.1, stage.spoken_s - _EARLY_S), _LATEST_S)
    layers.append((_counting if counts else _centred)(plan.value, figure, stage, baseline, enter_s))
    below = _labels(labels, small, stage, top + head + round(figure.size * 0.8) + gap)
    return layers + [replace(each, enter_s=each.enter_s + enter_s - 0.1) for each in below]


# Seconds that a number takes to count up, and what it shows on the way.
_COUNT_S, _COUNT_STEPS = 0.9, 8
# Nobody counts up to two: "0 s" on the way to "1 s" looks like a mistake.
_LEAST_COUNTED = 10
_COUNTED = re.compile(r"\D*(\d[\d.,’ \u00a0\u202f]*\d|\d)\D*")


def _counting(value: str, style: TextStyle, stage: Stage, baseline: int, enter_s: float) -> Layer:
    """Return a number that counts up. One that isn't a plain number enters as it is."""
    final = _centred(value, style, stage, baseline, enter_s)
    shares = (settled((step + 1) / (_COUNT_STEPS + 1)) for step in range(_COUNT_STEPS))
    passed = dict.fromkeys(shown for share in shares if (shown := counted(value, share)) and shown != value)
    # Nobody sees a shadow in a tenth of a second, and it is most of the work.
    quick = replace(style, shadow_opacity=0.0)
    steps = tuple(
        replace(_centred(shown, quick, stage, baseline, enter_s), entry="fade", entry_s=0.25)
        for shown in passed
    )
    return Counting(**vars(final), steps=steps) if steps else final


def counted(value: str, share: float) -> str | None:
    """Return a share of a value, written as the value is: half of "1,284 km" is "642 km".

    None if the value isn't one plain number, or too small to be counted.
    """
    found = _COUNTED.fullmatch(value)
    if not found:
        return None
    number = found[1]
    digits = re.sub(r"\D", "", number)
    if int(digits) < _LEAST_COUNTED:
        return None
    # Separators by the digits behind them. Three digits are a group, another count is decimals.
    marks = {
        len(re.sub(r"\D", "", number[at + 1 :])): sign for at, sign in enumerate(number) if not sign.isdigit()
    }
    decimals = next((behind for behind in marks if behind % 3), 0)
    shown = str(round(int(digits) * share)).zfill(decimals + 1)
    written = "".join(
        (marks.get(len(shown) - at, "") if at else "") + digit for at, digit in enumerate(shown)
    )
    return value[: found.start(1)] + written + value[found.end(1) :]


def _about_lines(plan: Generated, stage: Stage) -> tuple[list[str], TextStyle]:
    """Return the lines that say what a number is about, above it."""
    style = stage.type(0.050, 700)
    return lettering.fitted(plan.text, style, stage.width, 2) if plan.text else ([], style)


def _counter(plan: Generated, stage: Stage) -> list[Layer]:
    """Set one number large over a bar that fills, with its label below.

    The number itself stands still: whatever it ran through would be false.
    """
    if not plan.value:
        return _phrase(plan, stage)
    figure = _figure_type(plan.value, stage)
    labels, small = _label_lines(plan, stage)
    bar, gap, step = max(8, round(stage.unit * 0.012)), round(stage.unit * 0.045), round(small.size * 1.3)
    top = _middle(stage, round(figure.size * 0.9) + gap + bar + gap + step * len(labels))
    width, x = round(stage.width * 0.62), _mid_x(stage, round(stage.width * 0.62))
    # Below the number's commas, which reach under the baseline.
    y = top + round(figure.size * 0.9) + gap
    track = colour.mix(stage.tones.base, stage.tones.ink, 0.2)
    layers = [
        _centred(plan.value, figure, stage, top + round(figure.size * 0.76), 0.1),
        Layer(rounded_box(width, bar, bar // 2, track, 0.6), x, y, 0.0, "fade"),
        Layer(rounded_box(width, bar, bar // 2, stage.tones.accent, 1.0), x, y, 0.1, "grow_right", 1.6),
    ]
    return layers + _labels(labels, small, stage, y + bar + gap)


def _figure_type(value: str, stage: Stage) -> TextStyle:
    style = stage.type(0.36 if stage.output.shape == "tall" else 0.30, 900, stage.tones.accent)
    factor = min(1.0, stage.width / lettering.width(value, style), stage.height * 0.62 / style.size)
    return style.sized(max(12, int(style.size * factor)))


def _label_lines(plan: Generated, stage: Stage) -> tuple[list[str], TextStyle]:
    text = plan.label or plan.text
    return (
        lettering.fitted(text, stage.type(0.056, 700), stage.width, 3)
        if text
        else ([], stage.type(0.056, 700))
    )


def _labels(labels: list[str], small: TextStyle, stage: Stage, top: int) -> list[Layer]:
    return [
        _centred(line, small, stage, top + row * round(small.size * 1.3) + small.size, 0.35 + 0.08 * row)
        for row, line in enumerate(labels)
    ]


def _list(plan: Generated, stage: Stage) -> list[Layer]:
    """Show items one after another, each with an accent mark."""
    return _rows(plan, stage, numbered=False)


def _steps(plan: Generated, stage: Stage) -> list[Layer]:
    """Show numbered items joined by a line."""
    return _rows(plan, stage, numbered=True)


def _rows(plan: Generated, stage: Stage, numbered: bool) -> list[Layer]:
    if not plan.items:
        return _phrase(plan, stage)
    head, head_type = (
        lettering.fitted(plan.text, stage.type(0.074, 900), stage.width, 2)
        if plan.text
        else ([], stage.type(0.074))
    )
    badge, inner = round(stage.unit * 0.072), round(stage.unit * 0.038)
    columns = _columns(plan.items, stage)
    rows, style = _fitted_rows(plan.items, columns[0][0], badge + inner)
    step, between = round(style.size * 1.2), round(style.size * 0.85)
    heights = [max(badge, step * len(lines)) for lines in rows]
    head_height = len(head) * round(head_type.size * 1.25) + (inner if head else 0)
    body = max(sum(heights[start:end]) + between * (end - start - 1) for _, start, end in columns)
    top = _middle(stage, head_height + body)
    layers = [
        _flush(
            line,
            head_type,
            stage,
            0,
            top + row * round(head_type.size * 1.25) + head_type.size,
            0.05,
            bool(head_type.rtl),
        )
        for row, line in enumerate(head)
    ]
    pause = min(1.6, 0.62 * stage.length_s / len(rows))
    for column, start, end in columns:
        y = top + head_height
        for index in range(start, end):
            enter, rtl = 0.3 + index * pause, bidi.is_rtl(plan.items[index], style.language)
            own_style, number = replace(style, rtl=rtl), str(index + 1) if numbered else None
            layers += _row(rows[index], own_style, column, y, heights[index], badge, inner, enter, number)
            if numbered and index + 1 < end:
                line_top = y + (heights[index] + badge) // 2 + 6
                line_bottom = y + heights[index] + between + (heights[index + 1] - badge) // 2 - 6
                layers += _joint(column, rtl, badge, line_top, line_bottom, enter + 0.25)
            y += heights[index] + between
    return layers


def _columns(items: tuple[str, ...], stage: Stage) -> list[tuple[Stage, int, int]]:
    """Return the columns of a list: (their area, first item, end). A wide picture has two for many items."""
    if stage.output.shape != "wide" or len(items) < 3:
        return [(stage, 0, len(items))]
    half, gap = (len(items) + 1) // 2, round(stage.width * 0.05)
    middle = (stage.left + stage.right) // 2
    areas = [replace(stage, right=middle - gap // 2), replace(stage, left=middle + gap // 2)]
    if bidi.is_rtl(items[0], stage.timeline.language):
        areas.reverse()
    return [(areas[0], 0, half), (areas[1], half, len(items))]


def _joint(stage: Stage, rtl: bool, badge: int, top: int, bottom: int, enter: float) -> list[Layer]:
    """Return the line between two steps, if there is room for one."""
    if bottom - top <= 4:
        return []
    x = (stage.right - badge // 2 if rtl else stage.left + badge // 2) - 2
    return [Layer(rounded_box(4, bottom - top, 2, stage.tones.accent, 0.55), x, top, enter, "fade")]


def _fitted_rows(items: tuple[str, ...], stage: Stage, indent: int) -> tuple[list[list[str]], TextStyle]:
    """Wrap all items into at most three lines each, at one size."""
    for percent in range(100, 60, -5):
        style = stage.type(0.068 * percent / 100, 700)
        rows = [lettering.wrap(item, style, stage.width - indent, 3) for item in items]
        if all(rows):
            return [lines or [] for lines in rows], style
    style = stage.type(0.068 * 0.6, 700)
    return [lettering.fitted(item, style, stage.width - indent, 3, 1.0)[0] for item in items], style


def _row(
    lines: list[str],
    style: TextStyle,
    stage: Stage,
    y: int,
    height: int,
    badge: int,
    inner: int,
    enter: float,
    number: str | None,
) -> list[Layer]:
    rtl = bool(style.rtl)
    x = stage.right - badge if rtl else stage.left
    middle = y + (height - badge) // 2
    layers: list[Layer] = []
    if number:
        layers.append(
            Layer(
                rounded_box(badge, badge, badge // 2, stage.tones.accent, 1.0),
                x,
                middle,
                enter,
                "rise",
                0.5,
                rise=20,
            )
        )
        figure = TextStyle(
            round(badge * 0.52),
            fonts.HOUSE,
            900,
            stage.timeline.language,
            colour.legible(stage.tones.base, stage.tones.accent, 4.5),
        )
        sprite, left, base = lettering.sprite(number, figure)
        layers.append(
            Layer(
                sprite,
                x + round((badge - lettering.width(number, figure)) / 2) - left,
                middle + round(badge * 0.5 + figure.size * 0.36) - base,
                enter,
                "rise",
                0.5,
                rise=20,
            )
        )
    else:
        mark = round(badge * 0.36)
        box = rounded_box(mark, mark, mark // 4, stage.tones.accent, 1.0)
        inset = (badge - mark) // 2
        layers.append(Layer(box, x + inset, middle + inset, enter, "rise", 0.5, rise=20))
    step = round(style.size * 1.2)
    first = y + (height - step * len(lines)) // 2
    for row, line in enumerate(lines):
        baseline = first + row * step + round(style.size * 0.93)
        layers.append(_flush(line, style, stage, badge + inner, baseline, enter + 0.06, rtl))
    return layers


def _quote(plan: Generated, stage: Stage) -> list[Layer]:
    """Set a quotation in a serif font below a large quotation mark, with its author at the end."""
    if not plan.text:
        return []
    mark = stage.type(0.30, 600, stage.tones.accent, "source-serif")
    mark_height = round(mark.size * 0.52)
    credit = stage.type(0.042, 700, stage.quiet)
    tail = round(credit.size * 2.4) if plan.attribution else 0
    room = replace(stage, top=stage.top + mark_height, bottom=stage.bottom - tail)
    lines, style = _filled(plan.text.strip('"“”„«» '), stage.type(0.082, 600, family="source-serif"), room, 7)
    step = round(style.size * 1.26)
    top = _middle(stage, mark_height + step * len(lines) + tail)
    layers = [_centred("“", mark, stage, top + round(mark.size * 0.76), 0.0)]
    first = top + mark_height + style.size
    layers += [
        _centred(line, style, stage, first + row * step, 0.2 + 0.1 * row) for row, line in enumerate(lines)
    ]
    if plan.attribution:
        text, credit = lettering.fitted(f"— {plan.attribution}", credit, stage.width, 1)
        baseline = top + mark_height + step * len(lines) + round(credit.size * 1.9)
        layers.append(_centred(text[0], credit, stage, baseline, 0.3 + 0.1 * len(lines)))
    return layers


def _chart_bar(plan: Generated, stage: Stage) -> list[Layer]:
    """Draw horizontal bars with a name above and a value at the end; the largest has the accent colour."""
    points = plan.series[:8]
    if not points or max(abs(value) for _, value in points) == 0:
        return _phrase(plan, stage)
    layers, top = _chart_head(plan, stage)
    row = max(8, min(round(stage.unit * 0.155), (stage.bottom - top) // len(points)))
    # Where rows are low, a bar's name stands before the bar instead of above it.
    inline = row < stage.unit * 0.11
    name = stage.type(min(0.042, row / stage.unit * (0.55 if inline else 0.32)), 700, stage.quiet)
    thick = max(4, round(row * (0.5 if inline else 0.32)))
    values = [_number_text(value, points) for _, value in points]
    widest = max(lettering.width(label, name) for label, _ in points) + name.size
    indent = round(min(widest, stage.width * 0.35)) if inline else 0
    room = stage.width - indent - max(lettering.width(text, name) for text in values) - name.size
    most = max(abs(value) for _, value in points)
    top += max(0, (stage.bottom - top - row * len(points)) // 2)
    track = colour.mix(stage.tones.base, stage.tones.ink, 0.14)
    primary = colour.legible(colour.parse(stage.timeline.palette.primary), stage.tones.base, 3)
    left = stage.left + indent
    for index, (label, value) in enumerate(points):
        y, enter = top + index * row, 0.35 + 0.16 * index
        length = max(thick, round(room * abs(value) / most))
        tone = stage.tones.accent if abs(value) == most else primary
        bar_y = y + (row - thick) // 2 if inline else y + round(name.size * 1.36)
        beside = bar_y + round(thick / 2 + name.size * 0.36)
        text, fitting = lettering.fitted(label, name, indent - name.size / 2 if inline else stage.width, 1)
        baseline = beside if inline else y + name.size
        layers.append(_flush(text[0], fitting, stage, 0, baseline, enter - 0.1, False))
        layers.append(
            Layer(rounded_box(round(room), thick, thick // 2, track, 0.5), left, bar_y, 0.2, "fade")
        )
        bar = rounded_box(length, thick, thick // 2, tone, 1.0)
        layers.append(Layer(bar, left, bar_y, enter, "grow_right", 0.9))
        ink, at = replace(name, fill=stage.tones.ink), indent + round(room) + name.size // 2
        layers.append(_flush(values[index], ink, stage, at, beside, enter + 0.45, False))
    return layers


def _number_text(value: float, points: tuple[tuple[str, float], ...]) -> str:
    """Format a value with as many decimals as the series has, at most two."""
    decimals = max(min(2, len(f"{number:.6g}".partition(".")[2])) for _, number in points)
    return f"{value:,.{decimals}f}"


def _chart_head(plan: Generated, stage: Stage) -> tuple[list[Layer], int]:
    """Set what a chart is about, and below it its figures' unit. Returns where the chart begins."""
    text = plan.text or plan.label
    if not text:
        return [], stage.top
    lines, style = lettering.fitted(text, stage.type(0.060, 900), stage.width, 2)
    step = round(style.size * 1.2)
    first = stage.top + style.size
    layers = [
        _flush(line, style, stage, 0, first + row * step, 0.05 + 0.08 * row, bool(style.rtl))
        for row, line in enumerate(lines)
    ]
    top = first + step * len(lines)
    if plan.text and plan.label:
        measured = stage.type(0.036, 700, stage.quiet)
        units, measured = lettering.fitted(plan.label, measured, stage.width, 1)
        baseline = top - style.size + round(measured.size * 1.4)
        layers.append(_flush(units[0], measured, stage, 0, baseline, 0.2, bool(measured.rtl)))
        top += round(measured.size * 1.4)
    return layers, top


def _chart_line(plan: Generated, stage: Stage) -> list[Layer]:
    """Draw a line chart over a fading area; the first, the last and the largest value are labelled."""
    points = plan.series
    if len(points) < 2:
        return _phrase(plan, stage)
    layers, top = _chart_head(plan, stage)
    name = stage.type(0.036, 700, stage.quiet)
    bottom = stage.bottom - round(name.size * 2.0)
    upper = top + round(name.size * 2.2)
    # A chart taller than wide would exaggerate every change.
    upper = max(upper, bottom - round(stage.width * 0.85))
    bottom = max(bottom, upper + round(stage.unit * 0.1))
    values = np.array([value for _, value in points])
    low, high = min(0.0, float(values.min())), float(values.max())
    span = (high - low) or 1.0
    xs = np.linspace(stage.left + name.size, stage.right - name.size, len(points))
    ys = bottom - (values - low) / span * (bottom - upper)
    layers += _grid_lines(stage, upper, bottom)
    layers.append(
        Layer(
            _curve(stage, xs, ys, bottom, upper), stage.left & ~1, (upper - 40) & ~1, 0.3, "grow_right", 1.6
        )
    )
    for index in sorted({0, len(points) - 1, int(values.argmax())}):
        layers += _point(
            points[index],
            float(xs[index]),
            float(ys[index]),
            bottom,
            name,
            points,
            stage,
            0.35 + 1.0 * index / (len(points) - 1),
        )
    return layers


def _grid_lines(stage: Stage, upper: int, bottom: int) -> list[Layer]:
    tone = colour.mix(stage.tones.base, stage.tones.ink, 0.35)
    return [
        Layer(
            rounded_box(stage.width, 2, 1, tone, 0.45),
            stage.left,
            round(bottom - (bottom - upper) * part / 3),
            0.15,
            "fade",
        )
        for part in range(4)
    ]


def _curve(
    stage: Stage,
    xs: "np.typing.NDArray[np.float64]",
    ys: "np.typing.NDArray[np.float64]",
    bottom: int,
    upper: int,
) -> Sprite:
    left, top = stage.left & ~1, (upper - 40) & ~1
    width, height = (stage.width + 1) & ~1, (bottom - top + 6 + 1) & ~1
    line = (np.column_stack([xs - left, ys - top]) * 16).round().astype(np.int32)
    area = np.vstack([line, [[line[-1][0], (bottom - top) * 16], [line[0][0], (bottom - top) * 16]]]).astype(
        np.int32
    )
    fill, stroke = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    cv2.fillPoly(fill, [area], 255, cv2.LINE_AA, 4)
    cv2.polylines(stroke, [line], False, 255, max(4, round(stage.unit * 0.008)), cv2.LINE_AA, 4)
    fade = np.linspace(0.5, 0.04, height, dtype=np.float32)[:, None]
    alpha = np.maximum(fill * fade, stroke)
    return Sprite.from_rgba(
        np.dstack([np.full((height, width, 3), stage.tones.accent, np.uint8), alpha.astype(np.uint8)])
    )


def _point(
    point: tuple[str, float],
    x: float,
    y: float,
    bottom: int,
    name: TextStyle,
    points: tuple[tuple[str, float], ...],
    stage: Stage,
    enter: float,
) -> list[Layer]:
    size = max(10, round(stage.unit * 0.022)) // 2 * 2
    layers = [
        Layer(
            rounded_box(size, size, size // 2, stage.tones.ink, 1.0),
            round(x - size / 2),
            round(y - size / 2),
            enter,
            "fade",
        )
    ]
    value = replace(name, fill=stage.tones.ink, size=round(name.size * 1.15))
    for text, style, baseline in (
        (_number_text(point[1], points), value, round(y - size)),
        (point[0], name, bottom + round(name.size * 1.5)),
    ):
        sprite, left, base = lettering.sprite(text, style)
        width = lettering.width(text, style)
        at = min(max(x - width / 2, stage.left), stage.right - width)
        layers.append(Layer(sprite, round(at) - left, baseline - base, enter + 0.1, "rise", 0.45, rise=16))
    return layers


def _filled(text: str, style: TextStyle, stage: Stage, max_lines: int) -> tuple[list[str], TextStyle]:
    """Wrap the text at the largest size that fits the stage in both directions."""
    lines, sized = lettering.fitted(text, style, stage.width, max_lines)
    while len(lines) * sized.size * 1.2 > stage.height and sized.size > style.size * 0.35:
        sized = sized.sized(round(sized.size * 0.92))
        lines = lettering.wrap(text, sized, stage.width, max_lines + 3) or lines
    return lines, sized


def _centred(text: str, style: TextStyle, stage: Stage, baseline: int, enter_s: float) -> Layer:
    layer = centred(text, style, stage.output.width, baseline, enter_s, None)
    return replace(layer, x=layer.x + (stage.left + stage.right - stage.output.width) // 2)


def _flush(
    text: str, style: TextStyle, stage: Stage, indent: int, baseline: int, enter_s: float, rtl: bool
) -> Layer:
    sprite, left, base = lettering.sprite(text, style)
    x = stage.right - indent - round(lettering.width(text, style)) if rtl else stage.left + indent
    return Layer(sprite, x - left, baseline - base, enter_s, "rise", 0.55, rise=round(style.size * 0.4))


def _middle(stage: Stage, height: int) -> int:
    """Return the top of a block of this height, optically centred: a little above the middle."""
    return stage.top + max(0, round((stage.height - height) * 0.46))


def _mid_x(stage: Stage, width: int) -> int:
    return (stage.left + stage.right - width) // 2


TEMPLATES: dict[str, Callable[[Generated, Stage], list[Layer]]] = {
    "title": _title,
    "phrase": _phrase,
    "number": _number,
    "counter": _counter,
    "list": _list,
    "steps": _steps,
    "quote": _quote,
    "chart_bar": _chart_bar,
    "chart_line": _chart_line,
    "gradient": _nothing,
}

"""Draw caption pages onto frames, with the spoken word highlighted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np

from render.picture import layout
from render.picture.planes import Frame, Sprite
from render.picture.shapes import rounded_box
from render.plan.timeline import Output, Timeline
from render.text import bidi, lettering
from render.text.lettering import TextStyle
from render.text.pages import LINGER_S, Page, Unit, paginate
from render.text.styles import ResolvedStyle, cased, resolve_style, word_space


@dataclass(frozen=True)
class _Placed:
    """A word of a page, or the part of it that is read in one direction.

    `number` is the word's index in the page. Position in pixels, and a sprite for each state.
    """

    number: int
    unit: Unit
    x: int
    y: int
    still: Sprite
    spoken: Sprite
    waiting: Sprite
    letters_width: int


class Painter:
    """Draw caption pages onto frames.

    Holds the sprites of one page only, so memory does not grow with the video.
    """

    def __init__(self, timeline: Timeline, output: Output) -> None:
        assert timeline.captions is not None
        self.output = output
        self.style = resolve_style(timeline.captions, timeline.palette, output, timeline.language)
        self.pages = paginate(timeline, output)
        self._filled = layout.filled(timeline)
        self._on_card = [_stands_on_card(page, self._filled) for page in self.pages]
        has_heading = any(scene.heading for scene in timeline.scenes)
        self._upper_edge = layout.content_top(timeline, output, has_heading)
        self._space = word_space(self.style)
        self._starts = np.array([page.start_s for page in self.pages])
        self._placed: tuple[int, list[_Placed], list[tuple[Sprite, int, int]]] = (-1, [], [])

    def paint(self, frame: Frame, at_s: float) -> None:
        """Draw the page that is visible at `at_s` (seconds of the video), if any."""
        index = int(np.searchsorted(self._starts, at_s, side="right")) - 1
        if index < 0 or at_s >= self.pages[index].end_s or self._on_card[index]:
            return
        if self._placed[0] != index:
            self._placed = (index, *self._prepared(self.pages[index]))
        _, words, panels = self._placed
        for sprite, x, y in panels:
            sprite.blend(frame, x, y)
        spoken = _spoken(self.pages[index].units, at_s)
        for word in words:
            if word.number != spoken:
                self._unspoken_sprite(word, spoken).blend(frame, word.x, word.y)
        parts = [word for word in words if word.number == spoken]
        if self.style.mode in ("box", "underline"):
            for part in parts:
                self._mark(part).blend(frame, *self._mark_position(part))
        for part in parts:
            self._paint_spoken(frame, part, at_s)

    def _unspoken_sprite(self, word: _Placed, spoken: int | None) -> Sprite:
        if self.style.mode == "karaoke":
            return word.spoken if spoken is not None and word.number < spoken else word.still
        return word.waiting

    def _paint_spoken(self, frame: Frame, word: _Placed, at_s: float) -> None:
        # A long word is enlarged less, so that it does not touch its neighbours.
        room = 0.9 * self._space / max(1, word.letters_width)
        scale = min(1 + round(room, 2), self._pop(at_s - word.unit.start_s))
        sprite = _scaled(word.spoken, scale)
        sprite.blend(
            frame,
            word.x - (sprite.width - word.spoken.width) // 2,
            word.y - (sprite.height - word.spoken.height) // 2,
        )

    def _pop(self, age_s: float) -> float:
        """Return the spoken word's scale at this age: up fast and back slowly, in steps of 0.01 so that
        sprites are reused.
        """
        if self.style.pop_scale == 1.0 or not 0 <= age_s < self.style.pop_s:
            return 1.0
        return 1 + round(
            (self.style.pop_scale - 1) * float(np.sin(np.pi * (age_s / self.style.pop_s) ** 0.6)), 2
        )

    def _mark(self, word: _Placed) -> Sprite:
        pad = round(self.style.mark_padding * self.style.base.size)
        size = word.spoken.height - 2 * self.style.base.margin
        if self.style.mode == "underline":
            return rounded_box(
                word.letters_width, max(4, round(self.style.base.size * 0.10)), 2, self.style.mark, 1.0
            )
        return rounded_box(
            word.letters_width + 2 * pad,
            round(size * 0.78),
            round(self.style.mark_radius * self.style.base.size),
            self.style.mark,
            1.0,
        )

    def _mark_position(self, word: _Placed) -> tuple[int, int]:
        margin, size = self.style.base.margin, self.style.base.size
        if self.style.mode == "underline":
            return word.x + margin, word.y + margin + round((lettering.ASCENT + 0.14) * size)
        return word.x + margin - round(self.style.mark_padding * size), word.y + margin + round(0.17 * size)

    def _prepared(self, page: Page) -> tuple[list[_Placed], list[tuple[Sprite, int, int]]]:
        chosen = self.style if page.scale == 1.0 else _resized(self.style, page.scale)
        top = self._top(len(page.lines), chosen, self._position(page))
        words: list[_Placed] = []
        spans: list[tuple[int, int]] = []
        first = 0
        for row, line in enumerate(page.lines):
            placed, span = self._line(line, first, page.rtl, chosen, top + row * chosen.line_height)
            words += placed
            spans.append(span)
            first += len(line)
        return words, self._panels(spans, top, chosen)

    def _line(
        self, line: Sequence[Unit], first: int, rtl: bool, chosen: ResolvedStyle, y: int
    ) -> tuple[list[_Placed], tuple[int, int]]:
        """Place a line's words in visual order. `first` is the index of its first word in the page."""
        space = word_space(chosen)
        parts = _visual_parts([(cased(unit.text, chosen.case), unit.gap) for unit in line], rtl)
        widths = [
            space if part.word is None else lettering.width(part.text, replace(chosen.base, rtl=part.rtl))
            for part in parts
        ]
        at = left = (self.output.width - sum(widths)) / 2
        placed = []
        for part, width in zip(parts, widths, strict=True):
            if part.word is not None:
                number = first + part.word
                placed.append(self._word(number, line[part.word], part, at, y, chosen, round(width)))
            at += width
        return placed, (round(left), round(at))

    def _word(
        self,
        number: int,
        unit: Unit,
        part: "_Part",
        left: float,
        y: int,
        chosen: ResolvedStyle,
        letters_width: int,
    ) -> _Placed:
        margin = chosen.base.margin
        still, spoken, waiting = (
            _word_sprite(part.text, replace(style, rtl=part.rtl))
            for style in (chosen.base, chosen.spoken, chosen.waiting)
        )
        top = y - margin - round(lettering.ASCENT * chosen.base.size)
        return _Placed(number, unit, round(left) - margin, top, still, spoken, waiting, letters_width)

    def _position(self, page: Page) -> str:
        """Return the preset's position, or "lower" where a title card or generated text fills the picture."""
        covers = any(start < page.end_s and page.start_s < end for start, end, _ in self._filled)
        return "lower" if covers else self.style.position

    def _top(self, lines: int, chosen: ResolvedStyle, position: str) -> int:
        """Return the y of the first baseline, so that the block is at a position inside the safe area."""
        safe, height = self.output.safe_area, self.output.height
        block = (lines - 1) * chosen.line_height + round((0.80 + lettering.DESCENT) * chosen.base.size)
        lowest = round(height * (1 - safe.bottom)) - chosen.reach - block
        highest = self._upper_edge + chosen.reach
        middle = round(height * 0.5) - block // 2
        top = {"lower": lowest, "middle": min(middle, lowest), "upper": highest}[position]
        return top + round(0.80 * chosen.base.size)

    def _panels(
        self, spans: Sequence[tuple[int, int]], top: int, chosen: ResolvedStyle
    ) -> list[tuple[Sprite, int, int]]:
        if not chosen.panel:
            return []
        shade, opacity, radius, padding = chosen.panel
        pad = round(padding * chosen.base.size)
        left, right = min(span[0] for span in spans) - pad, max(span[1] for span in spans) + pad
        upper = top - round(0.82 * chosen.base.size) - pad // 2
        height = (len(spans) - 1) * chosen.line_height + round(1.15 * chosen.base.size) + pad
        return [
            (rounded_box(right - left, height, round(radius * chosen.base.size), shade, opacity), left, upper)
        ]


def _stands_on_card(page: Page, cards: Sequence[tuple[float, float, str]]) -> bool:
    """Return True if a card has all words of a page while they are spoken: nobody reads them twice."""
    spoken = "".join(_letters(unit.text) for unit in page.units)
    first_s, last_s = page.units[0].start_s, page.units[-1].end_s
    return any(
        start <= first_s + _TOLERANCE_S and last_s <= end + _TOLERANCE_S and spoken in _letters(text)
        for start, end, text in cards
    )


# A picture changes up to this long before or after the words that belong to it.
_TOLERANCE_S = 0.15


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _resized(chosen: ResolvedStyle, scale: float) -> ResolvedStyle:
    size = max(8, int(chosen.base.size * scale))
    return replace(
        chosen,
        base=chosen.base.sized(size),
        spoken=chosen.spoken.sized(size),
        waiting=chosen.waiting.sized(size),
    )


def _spoken(units: Sequence[Unit], at_s: float) -> int | None:
    """Return the index of the word being spoken: from its start until the next one, or until LINGER_S after
    its end.
    """
    for index in range(len(units) - 1, -1, -1):
        if units[index].start_s <= at_s:
            return index if index + 1 < len(units) or at_s < units[index].end_s + LINGER_S else None
    return None


@dataclass(frozen=True)
class _Part:
    """A part of a line that is read in one direction: of the word with this index, or a space (None)."""

    word: int | None
    text: str
    rtl: bool


def _visual_parts(words: Sequence[tuple[str, bool]], rtl: bool) -> list[_Part]:
    """Return a line's parts from left to right. `words` are (text, a space precedes it) as they are read."""
    text, owners = "", list[int | None]()
    for index, (word, gap) in enumerate(words):
        if gap and index:
            text, owners = text + " ", [*owners, None]
        text, owners = text + word, [*owners, *[index] * len(word)]
    found = []
    for run in bidi.visual_runs(text, rtl):
        at, parts = run.start, []
        for owner, group in groupby(owners[run.start : run.end]):
            end = at + len(list(group))
            parts.append(_Part(owner, text[at:end], run.rtl))
            at = end
        found += parts[::-1] if run.rtl else parts
    return found


# Enough for two pages of words in three styles and for common words. A sprite takes about 200 KB.
@lru_cache(maxsize=72)
def _word_sprite(text: str, style: TextStyle) -> Sprite:
    return lettering.sprite(text, style)[0]


def _scaled(sprite: Sprite, scale: float) -> Sprite:
    if scale == 1.0:
        return sprite
    width, height = round(sprite.width * scale / 2) * 2, round(sprite.height * scale / 2) * 2
    sizes = ((width, height), (width // 2, height // 2))
    return Sprite(
        tuple(
            cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
            for plane, size in zip(sprite.foreground, sizes, strict=True)
        ),  # type: ignore[arg-type]
        tuple(
            cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)
            for plane, size in zip(sprite.behind, sizes, strict=True)
        ),  # type: ignore[arg-type]
    )

"""Captions: words into pages of at most two lines, pages into sprites with the spoken word marked, and the same pages as SRT and VTT."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from render.errors import TimelineInvalid
from render.picture import colour
from render.picture.planes import Frame, Sprite
from render.plan.timeline import CaptionStyle, Output, Palette, Timeline, Word
from render.text import fonts, lettering
from render.text.lettering import Type

PRESETS_FILE = Path(__file__).with_name("presets") / "captions.json"

# A page stays for a breath after its last word, and closes a smaller gap to the next page so that the picture doesn't flicker.
LINGER_S = 0.25
BRIDGE_S = 0.45
LINE_HEIGHT = 1.22
# Below this share of the preset's size letters stop being readable on a phone; a word that still doesn't fit is not from a language.
SMALLEST = 0.5
# Presets count words for an upright picture; a wide one is read in longer lines.
_ROOM = {"tall": 1.0, "square": 1.2, "wide": 1.6}
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।", "۔")
_CLAUSE_ENDS = (",", ";", ":", "—", "–", "、", "，", "；", "：", "،", "؛")
_LEANS_FORWARD = frozenset(
    (
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "for",
        "with",
        "and",
        "or",
        "but",
        "as",
        "is",
        "are",
        "was",
        "were",
        "that",
        "this",
        "its",
        "their",
        "his",
        "her",
        "from",
        "into",
        "than",
        "our",
        "your",
        "my",
    )
)


@dataclass(frozen=True)
class Look:
    """A preset with the brand's colours put in, in pixels of one output."""

    style: Type
    waiting: Type
    spoken: Type
    case: str
    mode: str
    mark: colour.RGB
    mark_radius: float
    mark_padding: float
    panel: tuple[colour.RGB, float, float, float] | None
    pop_scale: float
    pop_s: float
    position: str
    words_per_line: int
    words_per_page: int

    @property
    def line_height(self) -> int:
        return round(self.style.size * LINE_HEIGHT)


@dataclass(frozen=True)
class Unit:
    """What is never split: a word, or a Han sign with the punctuation that clings to it."""

    text: str
    start_s: float
    end_s: float
    gap: bool


@dataclass(frozen=True)
class Page:
    """What is on screen together."""

    lines: tuple[tuple[Unit, ...], ...]
    start_s: float
    end_s: float
    scale: float

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(unit for line in self.lines for unit in line)

    def text(self) -> str:
        return "\n".join(_sentence(line) for line in self.lines)


def presets() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return found


def look(captions: CaptionStyle, palette: Palette, output: Output, language: str) -> Look:
    """Raises TimelineInvalid for a preset or a field that doesn't exist."""
    known = presets()
    if captions.preset not in known:
        raise TimelineInvalid(f"There is no caption preset {captions.preset!r}. There are: {', '.join(sorted(known))}.")
    data = _overridden(known[captions.preset], dict(captions.overrides))
    size = round(data["size"] * _reference(output))
    outline, shadow, mark = data["outline"], data["shadow"], data["highlight"]
    style = Type(
        size=size,
        family=fonts.family(data["font"]),
        weight=data["weight"],
        language=language,
        fill=_colour(data["colour"], palette),
        outline=round(outline["width"] * size),
        outline_fill=_colour(outline["colour"], palette),
        shadow=round(shadow["blur"] * size),
        shadow_drop=round(shadow["drop"] * size),
        shadow_opacity=shadow["opacity"],
    )
    panel = data.get("panel")
    behind = _behind(style, panel, palette)
    spoken = replace(style, fill=colour.legible(_colour(mark["colour"], palette), behind, 6))
    animation = data["animation"]
    return Look(
        style=replace(style, fill=colour.legible(style.fill, behind)),
        waiting=replace(style, fill=colour.mix(style.fill, style.outline_fill, 1 - data.get("waiting_opacity", 1.0))),
        spoken=spoken,
        case=data["case"],
        mode=mark["mode"],
        mark=_mark_colour(mark, palette, style.fill),
        mark_radius=mark.get("radius", 0.2),
        mark_padding=mark.get("padding", 0.12),
        panel=(_colour(panel["colour"], palette), panel["opacity"], panel["radius"], panel["padding"]) if panel else None,
        pop_scale=animation.get("scale", 1.0) if animation["kind"] == "pop" else 1.0,
        pop_s=animation.get("duration_s", 0.0),
        position=data["position"],
        words_per_line=round(data["words_per_line"] * _ROOM[output.shape]),
        words_per_page=round(data["words_per_page"] * _ROOM[output.shape]),
    )


def _overridden(preset: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    allowed = {*preset, "panel", "waiting_opacity"}
    merged = dict(preset)
    for name, value in overrides.items():
        if name not in allowed:
            raise TimelineInvalid(f"Captions have no field {name!r}. There are: {', '.join(sorted(allowed))}.")
        merged[name] = {**merged[name], **value} if isinstance(value, dict) and isinstance(merged.get(name), dict) else value
    return merged


def _reference(output: Output) -> int:
    """Sizes are shares of this: the short side, but of a wide picture a little more, since it is watched on larger screens from further away."""
    return min(output.width, output.height) if output.shape != "wide" else round(output.height * 1.0)


def _colour(text: str, palette: Palette) -> colour.RGB:
    return colour.parse(getattr(palette, text[1:]) if text.startswith("@") else text)


def _behind(style: Type, panel: dict[str, Any] | None, palette: Palette) -> colour.RGB:
    """What the letters stand against whatever the picture is: their own rim, or the panel."""
    return _colour(panel["colour"], palette) if panel else style.outline_fill


def _mark_colour(mark: dict[str, Any], palette: Palette, letters: colour.RGB) -> colour.RGB:
    box = _colour(mark.get("box_colour", mark["colour"]), palette)
    if mark["mode"] != "box":
        return box
    # The box is darkened until white letters read on it: a pale brand colour would swallow them.
    for step in range(20):
        shade = colour.mix(box, (0, 0, 0) if colour.luminance(letters) > 0.4 else (255, 255, 255), step / 20)
        if colour.contrast(shade, letters) >= 3.2:
            return shade
    return box


# ── words into pages ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def pages(timeline: Timeline, output: Output) -> tuple[Page, ...]:
    """All pages of the video in order of time, laid out for one output."""
    if timeline.captions is None:
        return ()
    chosen = look(timeline.captions, timeline.palette, output, timeline.language)
    limit = _text_width(chosen, output)
    found = [
        page for scene in timeline.scenes if scene.narration and scene.narration.words for page in _paginated(_units(scene.narration.words), chosen, limit)
    ]
    return tuple(_timed(found, timeline.duration_s))


def _text_width(chosen: Look, output: Output) -> float:
    margins = output.safe_area
    # Centred text keeps the larger margin on both sides; outline, a popped word and a panel's padding stay inside too.
    side = max(margins.left, margins.right) * output.width
    extra = chosen.style.margin + chosen.style.size * (0.5 * (chosen.pop_scale - 1) * 4 + (chosen.panel[3] if chosen.panel else 0.0))
    return output.width - 2 * (side + extra)


def _units(words: Sequence[Word]) -> list[Unit]:
    units: list[Unit] = []
    for word in words:
        parts = [(part, index == 0 or gap) for index, (part, gap) in enumerate(lettering.pieces(word.text))]
        letters, spoken, length = sum(len(part) for part, _ in parts), 0, word.end_s - word.start_s
        for part, gap in parts:
            start = word.start_s + length * spoken / letters
            spoken += len(part)
            after_cjk = bool(units) and lettering.is_cjk(units[-1].text[-1]) and lettering.is_cjk(part[0])
            if units and after_cjk and part[0] in lettering.NOT_FIRST:
                units[-1] = replace(units[-1], text=units[-1].text + part, end_s=word.end_s)
                continue
            units.append(Unit(part, start, word.start_s + length * spoken / letters, gap and bool(units) and not after_cjk))
    return units


def _paginated(units: list[Unit], chosen: Look, limit: float) -> list[Page]:
    """The cheapest way to cut the words of a scene into pages, by dynamic programming."""
    best: list[tuple[float, int, Page | None]] = [(0.0, 0, None)]
    most = _page_size(units, chosen)
    measured = _Measured(units, chosen)
    for end in range(1, len(units) + 1):
        options = []
        for start in range(max(0, end - most), end):
            laid = measured.layout(start, end, limit)
            if laid is not None:
                page, price = laid
                options.append((best[start][0] + price + _page_price(units, start, end), start, page))
        best.append(min(options, key=lambda option: (option[0], option[1])))
    found: list[Page] = []
    at = len(units)
    while at:
        _, start, page = best[at]
        assert page is not None
        found.append(page)
        at = start
    return found[::-1]


def _page_size(units: Sequence[Unit], chosen: Look) -> int:
    """Han signs carry about half a word each, so that a page holds more of them."""
    cjk = sum(lettering.is_cjk(unit.text[0]) for unit in units) > len(units) / 2
    return chosen.words_per_page * (3 if cjk else 1)


class _Measured:
    """Widths of a scene's words, measured once."""

    def __init__(self, units: Sequence[Unit], chosen: Look) -> None:
        self.units, self.chosen = units, chosen
        self.widths = [lettering.width(cased(unit.text, chosen.case), chosen.style) for unit in units]
        self.space = word_space(chosen)
        self.cjk = [lettering.is_cjk(unit.text[0]) for unit in units]

    def layout(self, start: int, end: int, limit: float) -> tuple[Page, float] | None:
        """The page of units start..end with its price; None where it is worse than any other way."""
        widths = self.widths[start:end]
        gaps = [0.0] + [self.space if unit.gap else 0.0 for unit in self.units[start + 1 : end]]
        total = sum(widths) + sum(gaps)
        per_line = self.chosen.words_per_line * (3 if all(self.cjk[start:end]) else 1)
        if total <= limit and end - start <= per_line:
            return self._page(start, end, [0, end - start], 1.0), 0.0
        breaks = lettering.balanced(widths, gaps, limit, 2)
        if breaks and not self._widow(start, breaks):
            lines = [sum(widths[a:b]) + sum(gaps[a + 1 : b]) for a, b in pairwise(breaks)]
            return self._page(start, end, breaks, 1.0), 0.3 + 0.6 * abs(lines[0] - lines[1]) / limit
        return self._shrunk(start, end, total, limit)

    def _shrunk(self, start: int, end: int, total: float, limit: float) -> tuple[Page, float] | None:
        """One or two long words, set smaller on one line."""
        scale = min(1.0, limit / total)
        if end - start > 2 or (scale < SMALLEST and end - start > 1):
            return None
        return self._page(start, end, [0, end - start], max(scale, 0.2)), 4.0 * (1 - scale) + 0.5

    def _widow(self, start: int, breaks: Sequence[int]) -> bool:
        last = breaks[-1] - breaks[-2]
        return last == 1 and not (self.cjk[start] and len(self.units[start + breaks[-2]].text) > 2)

    def _page(self, start: int, end: int, breaks: Sequence[int], scale: float) -> Page:
        lines = tuple(tuple(self.units[start + a : start + b]) for a, b in pairwise(breaks))
        return Page(lines, self.units[start].start_s, self.units[end - 1].end_s, scale)


def _page_price(units: Sequence[Unit], start: int, end: int) -> float:
    """What speaks against a page: few words, a sentence ending inside it, a pause inside it, an end that leans on the next word."""
    price = 1.0
    if end - start == 1 and len(units) > 1:
        price += 6.0
    for left, right in pairwise(units[start:end]):
        if left.text.endswith(_SENTENCE_ENDS):
            price += 5.0
        elif left.text.endswith(_CLAUSE_ENDS):
            price += 0.35
        if right.start_s - left.end_s > 0.6:
            price += 4.0
    last = units[end - 1].text
    if end < len(units) and not last.endswith(_SENTENCE_ENDS + _CLAUSE_ENDS):
        price += 1.2 if last.lower() in _LEANS_FORWARD else 0.45
    if units[end - 1].end_s - units[start].start_s < 0.7:
        price += 1.5
    return price


def _timed(found: list[Page], duration_s: float) -> list[Page]:
    """Ends that neither overlap the next page nor leave a blink between two."""
    timed = []
    for index, page in enumerate(found):
        following = found[index + 1].start_s if index + 1 < len(found) else duration_s
        end = following if following - page.end_s <= BRIDGE_S else page.end_s + LINGER_S
        timed.append(replace(page, end_s=max(page.start_s + 0.05, min(end, following, duration_s))))
    return timed


# ── pages into pictures ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Placed:
    unit: Unit
    x: int
    y: int
    still: Sprite
    spoken: Sprite
    waiting: Sprite
    letters_width: int


class Painter:
    """Draws the page of a moment onto a frame. Holds the sprites of one page at a time, so that memory doesn't grow with the video."""

    def __init__(self, timeline: Timeline, output: Output) -> None:
        assert timeline.captions is not None
        self.output = output
        self.look = look(timeline.captions, timeline.palette, output, timeline.language)
        self.pages = pages(timeline, output)
        self._space = word_space(self.look)
        self._starts = np.array([page.start_s for page in self.pages])
        self._placed: tuple[int, list[_Placed], list[tuple[Sprite, int, int]]] = (-1, [], [])

    def paint(self, frame: Frame, at_s: float) -> None:
        index = int(np.searchsorted(self._starts, at_s, side="right")) - 1
        if index < 0 or at_s >= self.pages[index].end_s:
            return
        if self._placed[0] != index:
            self._placed = (index, *self._prepared(self.pages[index]))
        _, words, panels = self._placed
        for sprite, x, y in panels:
            sprite.blend(frame, x, y)
        spoken = _spoken(words, at_s)
        for number, word in enumerate(words):
            if number != spoken:
                self._other(word, number, spoken).blend(frame, word.x, word.y)
        if spoken is not None:
            self._paint_spoken(frame, words[spoken], at_s)

    def _other(self, word: _Placed, number: int, spoken: int | None) -> Sprite:
        if self.look.mode == "karaoke":
            return word.spoken if spoken is not None and number < spoken else word.still
        return word.waiting

    def _paint_spoken(self, frame: Frame, word: _Placed, at_s: float) -> None:
        if self.look.mode in ("box", "underline"):
            self._mark(word).blend(frame, *self._mark_position(word))
        # A long word pops less: it must not touch its neighbours.
        room = 0.9 * self._space / max(1, word.letters_width)
        scale = min(1 + round(room, 2), self._pop(at_s - word.unit.start_s))
        sprite = _scaled(word.spoken, scale)
        sprite.blend(frame, word.x - (sprite.width - word.spoken.width) // 2, word.y - (sprite.height - word.spoken.height) // 2)

    def _pop(self, age_s: float) -> float:
        """Up fast and back slowly: a half sine over the animation's length, in steps of a hundredth so that sprites are reused."""
        if self.look.pop_scale == 1.0 or not 0 <= age_s < self.look.pop_s:
            return 1.0
        return 1 + round((self.look.pop_scale - 1) * float(np.sin(np.pi * (age_s / self.look.pop_s) ** 0.6)), 2)

    def _mark(self, word: _Placed) -> Sprite:
        pad = round(self.look.mark_padding * self.look.style.size)
        size = word.spoken.height - 2 * self.look.style.margin
        if self.look.mode == "underline":
            return rounded(word.letters_width, max(4, round(self.look.style.size * 0.10)), 2, self.look.mark, 1.0)
        return rounded(word.letters_width + 2 * pad, round(size * 0.78), round(self.look.mark_radius * self.look.style.size), self.look.mark, 1.0)

    def _mark_position(self, word: _Placed) -> tuple[int, int]:
        margin, size = self.look.style.margin, self.look.style.size
        if self.look.mode == "underline":
            return word.x + margin, word.y + margin + round((lettering.ASCENT + 0.14) * size)
        return word.x + margin - round(self.look.mark_padding * size), word.y + margin + round(0.17 * size)

    def _prepared(self, page: Page) -> tuple[list[_Placed], list[tuple[Sprite, int, int]]]:
        chosen = self.look if page.scale == 1.0 else _resized(self.look, page.scale)
        top = self._top(len(page.lines), chosen)
        words: list[_Placed] = []
        spans: list[tuple[int, int]] = []
        for row, line in enumerate(page.lines):
            placed, span = self._line(line, chosen, top + row * chosen.line_height)
            words += placed
            spans.append(span)
        return words, self._panels(spans, top, chosen)

    def _line(self, line: Sequence[Unit], chosen: Look, y: int) -> tuple[list[_Placed], tuple[int, int]]:
        texts = [cased(unit.text, chosen.case) for unit in line]
        widths = [lettering.width(text, chosen.style) for text in texts]
        space = word_space(chosen)
        gaps = [0.0] + [space if unit.gap else 0.0 for unit in line[1:]]
        total = sum(widths) + sum(gaps)
        left = (self.output.width - total) / 2
        lefts, at = {}, left
        for index in _visual_order(texts):
            at += gaps[index] if at > left else 0.0
            if at > left and gaps[index] == 0.0 and lettering.is_rtl(" ".join(texts)):
                at += space
            lefts[index] = at
            at += widths[index]
        placed = [self._word(unit, text, lefts[index], y, chosen, round(widths[index])) for index, (unit, text) in enumerate(zip(line, texts, strict=True))]
        return placed, (round(left), round(left + total))

    def _word(self, unit: Unit, text: str, left: float, y: int, chosen: Look, letters_width: int) -> _Placed:
        margin = chosen.style.margin
        still, spoken, waiting = (_word_sprite(text, style) for style in (chosen.style, chosen.spoken, chosen.waiting))
        return _Placed(unit, round(left) - margin, y - margin - round(lettering.ASCENT * chosen.style.size), still, spoken, waiting, letters_width)

    def _top(self, lines: int, chosen: Look) -> int:
        """The first baseline, such that the block stays in the safe area at the preset's position."""
        safe, height = self.output.safe_area, self.output.height
        reach = chosen.style.margin + round(chosen.style.size * (chosen.panel[3] if chosen.panel else 0.0))
        block = (lines - 1) * chosen.line_height + round((0.80 + lettering.DESCENT) * chosen.style.size)
        lowest = round(height * (1 - safe.bottom)) - reach - block
        highest = round(height * safe.top) + reach
        middle = round(height * 0.5) - block // 2
        top = {"lower": lowest, "middle": min(middle, lowest), "upper": highest}[chosen.position]
        return top + round(0.80 * chosen.style.size)

    def _panels(self, spans: Sequence[tuple[int, int]], top: int, chosen: Look) -> list[tuple[Sprite, int, int]]:
        if not chosen.panel:
            return []
        shade, opacity, radius, padding = chosen.panel
        pad = round(padding * chosen.style.size)
        left, right = min(span[0] for span in spans) - pad, max(span[1] for span in spans) + pad
        upper = top - round(0.82 * chosen.style.size) - pad // 2
        height = (len(spans) - 1) * chosen.line_height + round(1.15 * chosen.style.size) + pad
        return [(rounded(right - left, height, round(radius * chosen.style.size), shade, opacity), left, upper)]


def _resized(chosen: Look, scale: float) -> Look:
    size = max(8, int(chosen.style.size * scale))
    return replace(chosen, style=chosen.style.sized(size), spoken=chosen.spoken.sized(size), waiting=chosen.waiting.sized(size))


def _spoken(words: Sequence[_Placed], at_s: float) -> int | None:
    """The word being spoken: from its start until the next begins, or a breath after its end."""
    for index in range(len(words) - 1, -1, -1):
        if words[index].unit.start_s <= at_s:
            return index if index + 1 < len(words) or at_s < words[index].unit.end_s + LINGER_S else None
    return None


def _visual_order(texts: Sequence[str]) -> list[int]:
    """Word order from left to right. In a right-to-left line runs of left-to-right words keep their own order."""
    if not lettering.is_rtl(" ".join(texts)):
        return list(range(len(texts)))
    order: list[int] = []
    run: list[int] = []
    for index, text in enumerate(texts):
        if lettering.is_rtl(text) or not any(sign.isalnum() for sign in text):
            order, run = [index, *run, *order], []
        else:
            run.append(index)
    return [*run, *order]


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int, fill: colour.RGB, opacity: float) -> Sprite:
    """A rounded box, drawn four times as large and shrunk for smooth corners."""
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


# Two pages of words in three looks, and the common words that come back all the time; at 200 KB each more would be felt.
@lru_cache(maxsize=72)
def _word_sprite(text: str, style: Type) -> Sprite:
    return lettering.sprite(text, style)[0]


def _scaled(sprite: Sprite, scale: float) -> Sprite:
    if scale == 1.0:
        return sprite
    width, height = round(sprite.width * scale / 2) * 2, round(sprite.height * scale / 2) * 2
    sizes = ((width, height), (width // 2, height // 2))
    return Sprite(
        tuple(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane, size in zip(sprite.foreground, sizes, strict=True)),  # type: ignore[arg-type]
        tuple(cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane, size in zip(sprite.behind, sizes, strict=True)),  # type: ignore[arg-type]
    )


def cased(text: str, case: str) -> str:
    if case == "upper":
        return _without_tonos(text.upper())
    return text.lower() if case == "lower" else text


def _without_tonos(text: str) -> str:
    """Greek capitals carry no accent."""
    if not any("\u0370" <= sign <= "\u03ff" for sign in text):
        return text
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("\u0301", ""))


def word_space(chosen: Look) -> float:
    """Wider than the face's own: outlines eat into it, and a popped word needs room on both sides."""
    return max(lettering.width(" ", chosen.style), 0.2 * chosen.style.size) + (0.05 + 0.5 * (chosen.pop_scale - 1)) * chosen.style.size


# ── pages into subtitle files ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def srt(found: Sequence[Page]) -> str:
    return "".join(f"{number}\n{_clock(page.start_s, ',')} --> {_clock(page.end_s, ',')}\n{page.text()}\n\n" for number, page in enumerate(found, 1))


def vtt(found: Sequence[Page], language: str) -> str:
    cues = "".join(f"{_clock(page.start_s, '.')} --> {_clock(page.end_s, '.')}\n{_escaped(page.text())}\n\n" for page in found)
    return f"WEBVTT\nLanguage: {language}\n\n{cues}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3_600_000:02d}:{millis // 60_000 % 60:02d}:{millis // 1000 % 60:02d}{point}{millis % 1000:03d}"


def _sentence(units: Sequence[Unit]) -> str:
    return "".join((" " if unit.gap and index else "") + unit.text for index, unit in enumerate(units))

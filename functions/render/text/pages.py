"""Group spoken words into caption pages of at most two lines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from render.plan.timeline import Output, Timeline, Word
from render.text import bidi, lettering
from render.text.styles import ResolvedStyle, cased, resolve_style, word_space

# A page stays a moment after its last word. A short gap to the next page is closed, so that captions do not
# flicker.
LINGER_S = 0.25
BRIDGE_S = 0.45
# Below this share of the preset's size letters are not readable on a phone. Only a single word may be
# smaller.
SMALLEST = 0.5
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？", "؟", "।", "۔")
_CLAUSE_ENDS = (",", ";", ":", "—", "–", "、", "，", "；", "：", "،", "؛")
# English words that belong to the next word: a page should not end with one.
# fmt: off
_JOINS_NEXT = frozenset((
    "a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "with", "and", "or", "but", "as", "is",
    "are",
    "was", "were", "that", "this", "its", "their", "his", "her", "from", "into", "than", "our", "your", "my",
))
# fmt: on


@dataclass(frozen=True)
class Unit:
    """The smallest part of a caption: a word, or one CJK character with its punctuation.

    `gap`: a space precedes it. `ends_sentence`: a sentence ends with it, which an abbreviation's full stop
    doesn't do.
    """

    text: str
    start_s: float
    end_s: float
    gap: bool
    ends_sentence: bool = False


@dataclass(frozen=True)
class Page:
    """One or two caption lines shown together from `start_s` to `end_s`.

    `scale` shrinks a page that is too wide. `rtl`: its sentence is read from right to left.
    """

    lines: tuple[tuple[Unit, ...], ...]
    start_s: float
    end_s: float
    scale: float
    rtl: bool = False

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(unit for line in self.lines for unit in line)

    def text(self) -> str:
        """Return the page's lines for a subtitle file. A player shows each as a paragraph of its own."""
        return "\n".join(_directed(_sentence(line), self.rtl) for line in self.lines)


def paginate(timeline: Timeline, output: Output) -> tuple[Page, ...]:
    """Return all caption pages of the video, in order of time, laid out for one output."""
    if timeline.captions is None:
        return ()
    chosen = resolve_style(timeline.captions, timeline.palette, output, timeline.language)
    limit = _text_width(chosen, output)
    found: list[tuple[Page, float]] = []
    for index, scene in enumerate(timeline.scenes):
        if scene.narration and scene.narration.words:
            # A narration goes on over the scenes after its own that have none: those of its cards.
            later = (each.start_s for each in timeline.scenes[index + 1 :] if each.narration)
            end_s = next(later, timeline.duration_s)
            pages = _paginated(_units(scene.narration.words), chosen, limit)
            found += [(page, end_s) for page in pages]
    return tuple(_timed(found))


def _text_width(chosen: ResolvedStyle, output: Output) -> float:
    """Return the width in pixels that a line may have inside the safe area."""
    margins = output.safe_area
    # Centred text keeps the larger margin on both sides. Outline, enlarged word and panel padding stay inside
    # it too.
    side = max(margins.left, margins.right) * output.width
    padding = chosen.panel[3] if chosen.panel else 0.0
    extra = chosen.base.margin + chosen.base.size * (0.5 * (chosen.pop_scale - 1) * 4 + padding)
    return output.width - 2 * (side + extra)


def _units(words: Sequence[Word]) -> list[Unit]:
    """Split words where a line may break. A split word's time is divided by its letters."""
    units: list[Unit] = []
    for word in words:
        parts = [(part, index == 0 or gap) for index, (part, gap) in enumerate(lettering.pieces(word.text))]
        letters, spoken, length = sum(len(part) for part, _ in parts), 0, word.end_s - word.start_s
        for number, (part, gap) in enumerate(parts):
            is_last = number == len(parts) - 1
            start = word.start_s + length * spoken / letters
            spoken += len(part)
            after_cjk = bool(units) and lettering.is_cjk(units[-1].text[-1]) and lettering.is_cjk(part[0])
            if units and after_cjk and part[0] in lettering.NOT_FIRST:
                units[-1] = replace(
                    units[-1],
                    text=units[-1].text + part,
                    end_s=word.end_s,
                    ends_sentence=_ends_sentence(word, part, is_last),
                )
                continue
            units.append(
                Unit(
                    part,
                    start,
                    word.start_s + length * spoken / letters,
                    gap and bool(units) and not after_cjk,
                    _ends_sentence(word, part, is_last),
                )
            )
    return units


def _ends_sentence(word: Word, part: str, is_last: bool) -> bool:
    """Return whether a sentence ends with this part of a word: as the plan says, else by its punctuation."""
    if word.ends_sentence is None or not is_last:
        return part.endswith(_SENTENCE_ENDS)
    return word.ends_sentence


def _paginated(units: list[Unit], chosen: ResolvedStyle, limit: float) -> list[Page]:
    """Cut the words of a scene into pages at the lowest total cost (dynamic programming)."""
    best: list[tuple[float, int, Page | None]] = [(0.0, 0, None)]
    most = _page_size(units, chosen)
    layouts = _Layouts(units, chosen)
    for end in range(1, len(units) + 1):
        options = []
        for start in range(max(0, end - most), end):
            candidate = layouts.page(start, end, limit)
            if candidate is not None:
                page, cost = candidate
                options.append((best[start][0] + cost + _page_cost(units, start, end), start, page))
        best.append(min(options, key=lambda option: (option[0], option[1])))
    found: list[Page] = []
    at = len(units)
    while at:
        _, start, last_page = best[at]
        assert last_page is not None
        found.append(last_page)
        at = start
    return found[::-1]


def _page_size(units: Sequence[Unit], chosen: ResolvedStyle) -> int:
    """Return the most units on a page: more for CJK characters, which each carry about half a word."""
    cjk = sum(lettering.is_cjk(unit.text[0]) for unit in units) > len(units) / 2
    return chosen.words_per_page * (3 if cjk else 1)


class _Layouts:
    """Lay out any run of a scene's units; their widths are measured once."""

    def __init__(self, units: Sequence[Unit], chosen: ResolvedStyle) -> None:
        self.units, self.chosen = units, chosen
        self.widths = [lettering.width(cased(unit.text, chosen.case), chosen.base) for unit in units]
        self.space = word_space(chosen)
        self.cjk = [lettering.is_cjk(unit.text[0]) for unit in units]
        self.rtl = _directions(units, chosen.base.language)

    def page(self, start: int, end: int, limit: float) -> tuple[Page, float] | None:
        """Return the page of units [start, end) and its cost, or None if they should not share a page."""
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
        """Set one or two long words smaller, on one line."""
        scale = min(1.0, limit / total)
        if end - start > 2 or (scale < SMALLEST and end - start > 1):
            return None
        return self._page(start, end, [0, end - start], max(scale, 0.2)), 4.0 * (1 - scale) + 0.5

    def _widow(self, start: int, breaks: Sequence[int]) -> bool:
        last = breaks[-1] - breaks[-2]
        return last == 1 and not (self.cjk[start] and len(self.units[start + breaks[-2]].text) > 2)

    def _page(self, start: int, end: int, breaks: Sequence[int], scale: float) -> Page:
        lines = tuple(tuple(self.units[start + a : start + b]) for a, b in pairwise(breaks))
        return Page(lines, self.units[start].start_s, self.units[end - 1].end_s, scale, self.rtl[start])


def _directions(units: Sequence[Unit], language: str) -> list[bool]:
    """Return for each unit whether its sentence is read from right to left."""
    found: list[bool] = []
    for index, unit in enumerate(units):
        if index + 1 == len(units) or unit.ends_sentence:
            sentence = units[len(found) : index + 1]
            found += [bidi.is_rtl(_sentence(sentence), language)] * len(sentence)
    return found


def _page_cost(units: Sequence[Unit], start: int, end: int) -> float:
    """Return the cost of a page.

    Few words, a sentence end or a pause inside the page, and a last word that belongs to the next one cost
    more.
    """
    cost = 1.0
    if end - start == 1 and len(units) > 1:
        cost += 6.0
    for left, right in pairwise(units[start:end]):
        if left.ends_sentence:
            cost += 5.0
        elif left.text.endswith(_CLAUSE_ENDS):
            cost += 0.35
        if right.start_s - left.end_s > 0.6:
            cost += 4.0
    last = units[end - 1]
    if end < len(units) and not (last.ends_sentence or last.text.endswith(_CLAUSE_ENDS)):
        cost += 1.2 if last.text.lower() in _JOINS_NEXT else 0.45
    if units[end - 1].end_s - units[start].start_s < 0.7:
        cost += 1.5
    return cost


def _timed(found: list[tuple[Page, float]]) -> list[Page]:
    """Set the end of each page: not after the next page's start, nor after its scenes (given with it).

    A short gap to the next page of the scene is closed.
    """
    timed = []
    for index, (page, scene_end) in enumerate(found):
        following = min(found[index + 1][0].start_s, scene_end) if index + 1 < len(found) else scene_end
        end = following if following - page.end_s <= BRIDGE_S else page.end_s + LINGER_S
        timed.append(replace(page, end_s=max(page.start_s + 0.05, min(end, following))))
    return timed


def _directed(line: str, rtl: bool) -> str:
    """Put a direction mark before a line that players would show in the other direction."""
    if bidi.is_rtl(line) == rtl:
        return line
    return ("\u200f" if rtl else "\u200e") + line


def _sentence(units: Sequence[Unit]) -> str:
    return "".join((" " if unit.gap and index else "") + unit.text for index, unit in enumerate(units))

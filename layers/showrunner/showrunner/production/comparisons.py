"""Find figures of one unit that a text compares: their bars, or their line over the years.

It takes what the text says in so many words. Where a figure has no name of its own there is no chart.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from showrunner.production import figures, tags

# More bars can't be read while they are spoken of. With a larger ratio the smaller bar can't be seen.
_MOST_BARS, _LARGEST_RATIO = 5, 1000
_LEAST_IN_A_LINE = 3
_CLAUSE = re.compile(
    r"[,;:—–]\s|\b(?:and|but|while|whereas|against|y|pero|mientras|et|mais|tandis|und|aber|während)\s",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(1[5-9]\d\d|20\d\d)\b")
# "by cable" names a bar better than the subject, which both sentences may share.
_MEANS = re.compile(
    r"\b(?:by|via|por|par|per|mit)\s+(?:(?:an?|the|une?|el|la|le|einem|einer)\s+)?([^\W\d_]{4,})",
    re.IGNORECASE,
)
# After these the word before is a subject without an article.
_VERBS = frozenset({
    "is", "are", "was", "were", "has", "have", "had", "need", "needs", "take", "takes", "es", "son", "era",
    "tiene", "tienen", "est", "sont", "a", "ont", "ist", "sind", "hat", "haben",
})  # fmt: skip
_NUMBER = re.compile(r"\d(?:[\d.,’ \u00a0\u202f]*\d)?")
_SHORTEST_NAME = 3


class Comparison(NamedTuple):
    """Figures with their names, what they are measured in, and whether the names are years."""

    series: list[tuple[str, float]]
    unit: str
    by_year: bool


class _Amount(NamedTuple):
    """A figure: its unit as a sign, as it is written, and the words before it."""

    value: float
    unit: str
    written: str
    before: str


def find(text: str, found: Sequence[re.Match[str]], language: str) -> Comparison | None:
    """Return the first comparison among the figures `found` in a text, None if there is none.

    The matches have the groups number and rest; `rest` is the clause after the figure.
    """
    amounts = list(_amounts(text, found))
    for _, group in itertools.groupby(amounts, key=lambda each: each and each.unit):
        run = [each for each in group if each is not None]
        if not 2 <= len(run) <= _MOST_BARS or max(each.value for each in run) > _LARGEST_RATIO * min(
            each.value for each in run
        ):
            continue
        years = [_YEAR.findall(each.before)[-1:] for each in run]
        by_year = all(years)
        names = [year[0] for year in years] if by_year else _names([each.before for each in run], language)
        if names and len(set(names)) == len(names):
            return Comparison(
                [(name, each.value) for name, each in zip(names, run, strict=True)], run[-1].written, by_year
            )
    return None


def is_line(comparison: Comparison) -> bool:
    """Return True if a line shows the comparison better than bars."""
    return comparison.by_year and len(comparison.series) >= _LEAST_IN_A_LINE


def _amounts(text: str, found: Sequence[re.Match[str]]) -> list[_Amount | None]:
    """Return each figure with its unit and the words before it. None: it has no unit or isn't one number."""
    amounts: list[_Amount | None] = []
    end, unit, shown = 0, "", ""
    for match in found:
        label = " ".join(re.split(r"[,(]", match["rest"], maxsplit=1)[0].split()[:3])
        written = text[match.start() : match.start("rest")].strip()
        # "A cable needs 30 milliseconds, a satellite 250.": the second has the unit of the first.
        unit = _unit(written, label) or (unit if not label else "")
        value = figures.amount(written)
        before = _before(text, end, match.start())
        word = label.partition(" ")[0]
        # A sign alone says little as the heading of a chart, but km/h more than kilometers.
        shown = (
            word.capitalize()
            if figures.is_unit(word) and len(word) > _SHORTEST_NAME and "/" not in unit
            else unit
            if label
            else shown or unit
        )
        amounts.append(_Amount(value, unit, shown, before) if value and unit else None)
        end = match.end()
    return amounts


def _unit(written: str, label: str) -> str:
    """Return what a figure is measured in, as it is written on a chart, empty if that isn't known."""
    read = figures.read(written, label)
    sign = " ".join(_NUMBER.sub(" ", read.value).split())
    word = label.partition(" ")[0].strip(".").lower()
    if re.match(r"(?:percent|per cent|por ciento|pour cent|prozent)\b", label, re.IGNORECASE):
        return "%"
    if sign and not re.fullmatch(r"(?i)(?:thousand|[mb]illi\w+|trillion|mil\b.*|mill\w+)", sign):
        return sign
    if sign:
        # Millions of what: people, not "in the city".
        return f"{sign} {word}" if len(word) > _SHORTEST_NAME else sign
    return word if word and figures.is_unit(word) else ""


def _before(text: str, end: int, start: int) -> str:
    """Return the words between the figure before and this one that belong to this one."""
    between = text[end:start]
    sentence = re.split(r"(?<=[.!?])\s+", between)[-1]
    if end and sentence == between:
        # Of the same sentence: what follows a comma or a conjunction.
        parts = _CLAUSE.split(between, maxsplit=1)
        return parts[1] if len(parts) > 1 else ""
    return sentence


def _names(segments: list[str], language: str) -> list[str]:
    """Return a name for each figure by the words before it, none if one has none."""
    means = [_MEANS.search(segment) for segment in segments]
    if all(means):
        return [str(match[1]).capitalize() for match in means if match]
    nouns = [_nouns(segment, language) for segment in segments]
    shared = Counter(noun for each in nouns for noun in set(each))
    own = [next((noun for noun in each if shared[noun] == 1), "") for each in nouns]
    return [name.capitalize() for name in own] if all(own) else []


def _nouns(segment: str, language: str) -> list[str]:
    """Return what a part of a sentence may be about, the likeliest first."""
    words = re.findall(
        r"[^\W\d_]+(?:['’-][^\W\d_]+)*",
        _CLAUSE.sub("", segment, count=1) if _CLAUSE.match(segment) else segment,
    )
    first = words[0].lower() if words else ""
    is_subject = len(words) > 1 and (words[1].lower() in _VERBS or first.endswith("s"))
    bare = (
        [first] if is_subject and len(first) > _SHORTEST_NAME and not tags.is_empty(first, language) else []
    )
    return [*bare, *tags.of_text(segment, [], language)]

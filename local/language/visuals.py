"""Choose what a scene shows from its text: a figure, a comparison, a list, a quotation or a key phrase."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from local.language.text import (
    DETERMINERS,
    STOPWORDS,
    capitalised,
    count_words,
    is_verb,
    key_phrases,
    label_of,
    noun_phrases,
    read_words,
)

MAGNITUDES = {"thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
FIGURE = re.compile(
    r"(?P<currency>[$€£])?(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
    r"(?P<magnitude>[ -](?:thousand|million|billion|trillion)\b)?(?P<percent>%| percent\b| per cent\b)?"
)
UNITS = read_words("units")
LONGEST_LABEL = 5  # maximum of words in a label
LONGEST_ITEM = 5
LONGEST_STEP = 8
LONGEST_PHRASE = 5
LONGEST_QUOTE = 24
LONGEST_ABOUT = 6  # words that say what a figure is about
FRAMINGS = (
    "Close view of {}",
    "Wide shot of {}",
    "Slow pan across {}",
    "Still life with {}",
    "View from above of {}",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a sentence, such as "about 1.4 million kilometers of cable".

    Its value is "1.4 million", its amount 1400000.0, its unit "kilometers",
    and its label "kilometers of cable".
    """

    value: str
    amount: float
    unit: str
    label: str
    clause: str


@dataclass
class Visual:
    description: str
    template: str = "gradient"
    text: str | None = None
    items: list[str] = field(default_factory=list)
    value: str | None = None
    label: str | None = None
    attribution: str | None = None
    series: list[dict[str, Any]] = field(default_factory=list)


def of(sentences: Sequence[str], whole: Counter[str], topic: str, number: int, used: Counter[str]) -> Visual:
    """Return the visual of scene `number`.

    `used` counts the templates so far; where several fit, the least used one is taken.
    """
    phrases = key_phrases(sentences, whole, 3)
    visual = Visual(_description(phrases, topic, number))
    visual.text = _phrase(phrases, topic)
    offers = [
        offer
        for offer in (
            _quote(sentences),
            _chart(sentences),
            _steps(sentences),
            _list(sentences),
            _number(sentences),
        )
        if offer
    ]
    if offers:
        chosen = min(offers, key=lambda offer: (used[offer["template"]] > 1, offers.index(offer)))
        for name, value in chosen.items():
            setattr(visual, name, value)
    elif visual.text:
        visual.template = "phrase"
    used[visual.template] += 1
    return visual


def _description(phrases: Sequence[str], topic: str, number: int) -> str:
    subject = " and ".join(phrases[:2]) or topic or "a quiet landscape"
    return " ".join(
        FRAMINGS[number % len(FRAMINGS)]
        .format(subject[:1].lower() + subject[1:] if not _is_name(subject) else subject)
        .split()[:12]
    )


def _is_name(phrase: str) -> bool:
    return sum(word[0].isupper() for word in phrase.split()) > 1 or any(
        word[1:] != word[1:].lower() for word in phrase.split()
    )


def _phrase(phrases: Sequence[str], topic: str) -> str | None:
    label = label_of(phrases) or capitalised(topic)
    return label if 0 < count_words(label) <= LONGEST_PHRASE else None


def figures(sentence: str) -> list[Figure]:
    """Return the quantities of a sentence, without years and plain counters ("Figure 3")."""
    found = []
    for match in FIGURE.finditer(sentence):
        figure = _figure(match, sentence)
        if figure:
            found.append(figure)
    return found


def _figure(match: re.Match[str], sentence: str) -> Figure | None:
    before, after = sentence[: match.start()], sentence[match.end() :]
    if re.search(r"[\w.]$|[–-]$|\bto $", before) and not before.endswith(("about ", "up to ")):
        return None  # "A320", "1-2", the end of a range
    if re.match(r"[–-]\d| to \d", after):
        return _range(match, sentence)
    label = _label(after)
    unit = label.split()[0] if label else ""
    bare = not (match["currency"] or match["magnitude"] or match["percent"])
    if bare and re.fullmatch(r"1[0-9]\d\d|20\d\d", match["number"]) and unit not in UNITS:
        return None
    if match["percent"]:
        label = _share(after) or label
    elif match["currency"]:
        label = _share(after) or label or "dollars"
    if not label:
        return None
    amount = float(match["number"].replace(",", "")) * MAGNITUDES.get(
        (match["magnitude"] or "").strip(" -"), 1.0
    )
    magnitude = f" {match['magnitude'].strip(' -')}" if match["magnitude"] else ""
    value = f"{match['currency'] or ''}{match['number']}{magnitude}{'%' if match['percent'] else ''}"
    return Figure(
        value,
        amount,
        "%" if match["percent"] else match["currency"] or unit,
        label,
        _clause(sentence, match.start()),
    )


def _range(match: re.Match[str], sentence: str) -> Figure | None:
    second = FIGURE.match(sentence, match.end() + (4 if sentence[match.end()] == " " else 1))
    if not second:
        return None
    label = _label(sentence[second.end() :])
    if not label:
        return None
    return Figure(
        f"{match['number']}–{second['number']}", 0.0, "range", label, _clause(sentence, match.start())
    )


def _label(after: str) -> str:
    """Return the words that a figure counts: "kilometers of cable", "times a year".

    Empty if no noun follows.
    """
    words: list[str] = []
    for raw in after.split()[: LONGEST_LABEL + 2]:
        word = raw.rstrip('.,;:!?…)”"')
        low = word.lower()
        joins = (
            low in {"of", "per", "a", "an", "every", "each"}
            and words
            and (low != "a" or words[-1] in {"times", "of"})
        )
        measured = bool(words) and words[-1].lower() in {"per", "a", "an", "every", "each"} and low.isalpha()
        if (
            not joins
            and not measured
            and (
                low in STOPWORDS or (is_verb(word) and word not in UNITS) or not re.match(r"[^\W\d_]|°", word)
            )
        ):
            break
        words.append(word)
        if word != raw or len(words) == LONGEST_LABEL:
            break
    while words and words[-1].lower() in {"of", "per", "a", "an", "every", "each"}:
        words.pop()
    if (
        not words
        or words[0].lower() in {"of", "per"}
        or (
            words[0] not in UNITS
            and not words[-1].endswith("s")
            and words[0][0].islower()
            and not words[0].endswith("s")
        )
    ):
        return ""
    return " ".join(words)


def _share(after: str) -> str:
    """Convert "of the traffic between continents" to "of the traffic"."""
    match = re.match(r" (?:of|in|for) (?:(?:the|its|their|all|a|an) )?", after)
    if not match:
        return ""
    through = re.match(r" of (?:it|them|these|this) \w+ ((?:through|by|from|in|on|under) )", after)
    if through:
        noun = next(iter(noun_phrases("the " + after[through.end() :].split(",", maxsplit=1)[0])), "")
        return f"{through[1]}{noun}" if noun else ""
    noun = next(iter(noun_phrases("the " + after[match.end() :].split(",", maxsplit=1)[0])), "")
    return f"of {noun}" if noun and after[match.end() :].startswith(noun) else ""


def _clause(sentence: str, position: int) -> str:
    marks = [
        mark.end()
        for mark in re.finditer(r"[,;:—] |\b(?:while|but|and|whereas|against) ", sentence[:position])
    ]
    end = re.search(r"[,;:—] |\b(?:while|but|whereas|against)\b|[.!?]$", sentence[position:])
    return sentence[marks[-1] if marks else 0 : position + (end.start() if end else len(sentence))]


def _number(sentences: Sequence[str]) -> dict[str, Any] | None:
    """Return the largest figure, with what it counts and what it is about: the subject of its sentence."""
    found = [
        (figure, sentence)
        for sentence in sentences
        for figure in figures(sentence)
        if figure.amount >= 3 or figure.unit == "range"
    ]
    if not found:
        return None
    best, sentence = max(
        found, key=lambda each: (each[0].unit != "range", len(each[0].label.split()) > 1, each[0].amount)
    )
    counts = best.unit != "range" and "." not in best.value and best.amount >= 20
    about = [
        phrase
        for phrase in noun_phrases(sentence)
        if count_words(phrase) <= LONGEST_ABOUT
        and not re.search(r"\d", phrase)
        and phrase.lower() not in best.label.lower()
    ]
    said = {"text": capitalised(about[0])} if about else {}
    return {"template": "counter" if counts else "number", "value": best.value, "label": best.label, **said}


def _chart(sentences: Sequence[str]) -> dict[str, Any] | None:
    """Return a bar chart for two or more figures of one unit, each with a name of its own in its clause."""
    by_unit: dict[str, list[tuple[str, float]]] = {}
    for sentence in sentences:
        for figure in figures(sentence):
            name = _subject(figure, sentence)
            if name and figure.unit in UNITS | {"%"}:
                by_unit.setdefault(figure.unit, []).append((name, figure.amount))
    for unit, entries in by_unit.items():
        series = dict(entries)
        # With a ratio of more than a thousand, the smaller bar would be invisible.
        if (
            len(series) == len(entries)
            and 2 <= len(series) <= 5
            and max(series.values()) <= 1000 * min(series.values())
        ):
            return {
                "template": "chart_bar",
                "label": "Percent" if unit == "%" else capitalised(unit),
                "series": [{"label": name, "value": amount} for name, amount in series.items()],
            }
    return None


def _subject(figure: Figure, sentence: str) -> str | None:
    """Return what a figure is about: the words after a share, else the noun before it in its clause."""
    if figure.unit == "%" and figure.label.startswith("of "):
        return capitalised(figure.label.removeprefix("of "))
    before = (
        figure.clause.split(figure.value.split()[0])[0]
        if figure.value.split()[0] in figure.clause
        else figure.clause
    )
    if len(figures(sentence)) > 1 and before == sentence:
        return None
    by = re.search(r"\b(?:by|via) (?:(?:a|an|the) )?([a-z]+)\b", before)
    route = re.search(r"\b([A-Z]\w+(?: [A-Z]\w+)*) to ([A-Z]\w+(?: [A-Z]\w+)*)", before)
    where = re.search(r"\b(?:in|on|over|with|through|across) (?:(?:a|an|the) )?([a-z]+)\b", before)
    if route and not by:
        return f"{route[1]} to {route[2]}"
    found = by or where
    named = [found[1]] if found else noun_phrases(before)[:1]
    name = next(
        (
            name
            for name in named
            if count_words(name) <= 3 and name.split()[-1] not in STOPWORDS | DETERMINERS
        ),
        None,
    )
    return capitalised(name) if name else None


def _list(sentences: Sequence[str]) -> dict[str, Any] | None:
    """Return an enumeration of three or more short items. Words before the first item are dropped."""
    for sentence in sentences:
        for match in re.finditer(r"(?:[^,;:.!?]+, )+[^,;:.!?]+,? (?:and|or) [^,;:.!?]+", sentence):
            pieces = [
                piece.strip()
                for piece in re.split(r", (?:and |or )?| (?:and|or) ", match[0])
                if piece.strip()
            ]
            items = _items(pieces)
            if 3 <= len(items) <= 5:
                return {"template": "list", "items": [capitalised(item) for item in items]}
    return None


def _steps(sentences: Sequence[str]) -> dict[str, Any] | None:
    """Return three or more short steps that are told in order ("First ..., then ..., finally ...")."""
    told = re.findall(
        r"\b(?:first|then|next|after that|finally|at last),? ([^,;:.!?]+)", " ".join(sentences), re.IGNORECASE
    )
    items = [capitalised(step.removesuffix(" and").strip()) for step in told]
    if 3 <= len(items) <= 5 and max(map(count_words, items)) <= LONGEST_STEP:
        return {"template": "steps", "items": items}
    return None


def _items(pieces: Sequence[str]) -> list[str]:
    items: list[str] = []
    for piece in reversed(pieces):
        item = _item(piece, False)
        if item is None:
            opening = _item(piece, True)
            return [opening, *items] if opening else items
        items.insert(0, item)
    return items


def _item(piece: str, first: bool) -> str | None:
    """Return one item.

    The first one still contains the words that open the enumeration ("wrapped in gel").
    """
    words = (
        [word for word in piece.split() if word.lower() not in DETERMINERS]
        if not first
        else _after_opening(piece)
    )
    if not 1 <= len(words) <= LONGEST_ITEM or any(
        word.lower() in STOPWORDS - {"of"} or is_verb(word) or re.search(r"\d", word) for word in words
    ):
        return None
    return " ".join(words)


def _after_opening(piece: str) -> list[str]:
    words = piece.split()
    last = max(
        (
            place
            for place, word in enumerate(words)
            if word.lower() in STOPWORDS - {"of"} | DETERMINERS or is_verb(word)
        ),
        default=-1,
    )
    return words[last + 1 :]


def _quote(sentences: Sequence[str]) -> dict[str, Any] | None:
    for sentence in sentences:
        match = re.search(r"[“\"]([^”\"]{12,})[”\"]", sentence)
        if not match or not 4 <= count_words(match[1]) <= LONGEST_QUOTE:
            continue
        name = r"((?:[A-Z][\w.'-]+ ?){1,4})"
        quotation = re.search(
            rf"(?:said|wrote|says|called it|recalled|asked|told)\s+{name}|"
            rf"{name}\s*(?:once )?(?:said|wrote|says|called|recalled|asked|put it)",
            sentence,
        )
        attribution = (
            next((group.strip() for group in quotation.groups() if group), None) if quotation else None
        )
        return {"template": "quote", "text": capitalised(match[1].rstrip(",")), "attribution": attribution}
    return None

"""Choose the card of a passage from its own words, and find the words of a card.

A card is what a generated picture typesets: a figure, a quotation, a list, a phrase.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from showrunner.production import comparisons, figures
from showrunner.production.script import Visual
from showrunner.production.segmentation import sentences
from showrunner.production.text import UNSPACED_RUN, count_words

# Figures: 3.5, 1,200, 1.200, 1 200, 150 to 200, 50 %, $3.5 million. Times, dates, years and numbers of a list
# are none.
_FIGURE = re.compile(
    r"(?<![\w.,:/+–-])(?P<currency>[$€£¥₹]\s?|R\$\s?)?"
    r"(?P<number>\d+(?:[.,]\d+)?\s(?:to|a|à|bis)\s\d+(?:[.,]\d+)?"
    r"|\d{1,3}(?:[.,’ \u00a0\u202f]\d{3})+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"(?:\s?(?P<sign>%|[$€£¥₹]))?"
    r"(?:\s(?P<magnitude>thousand|million|billion|trillion|millions?|milliards?|mill(?:ón|ones)"
    r"|mil millones|Millionen?|Milliarden?))?"
    r"(?![\w/:]|[.,–-]\d|\.\s?[ap]\.)(?=(?P<rest>[^.!?;:…]*))"
)
_CLOCK_WORD = re.compile(
    r"^\s*(?:[ap]\.?m\b|o'clock|Uhr|heures?|h\b|horas?\b|de la (?:mañana|tarde|noche))", re.IGNORECASE
)
_MONTH = re.compile(
    r"^\.?\s*(?:de\s+)?(?:jan(?:uary|uar|vier|eiro)?|ene(?:ro)?|feb(?:ruary|ruar|rero)?|fév(?:rier)?|fevereiro"
    r"|mar(?:ch|zo|s|ço)?|märz?|apr(?:il)?|abr(?:il)?|avr(?:il)?|mayo?|mai|maio|jun(?:e|i|io|ho)?|juin"
    r"|jul(?:y|i|io|ho)?|juillet|aug(?:ust)?|ago(?:sto)?|août|sept?(?:ember|embre|iembre)?|setembro"
    r"|oct(?:ober|obre|ubre)?|okt(?:ober)?|outubro|nov(?:ember|embre|iembre|embro)?|dec(?:ember)?|dez(?:ember|embro)?"
    r"|dic(?:iembre)?|déc(?:embre)?)\b",
    re.IGNORECASE,
)
# "24 hours and 50 minutes": the second figure says nothing without the first.
_COMPOUND = re.compile(r"\d\s[^\W\d_]+\s(?:and|y|e|et|und)\s$", re.IGNORECASE)
_MONTH_BEFORE = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s$", re.IGNORECASE
)
_QUOTATION = re.compile(r"[“„«「『]\s?([^“”„«»「」『』]{12,160}?)\s?[”“»」』]|\"([^\"]{12,160})\"")
# Words of a label: what is counted, up to a verb or the next clause as far as that can be told.
_LABEL_WORDS, _LABEL_CHARACTERS = 3, 40
# Letters of the longest word, but for signs of units such as km.
_SHORTEST_LABEL = 3
# A label doesn't end with these.
_NO_LABEL_END = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "for",
        "from",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "per",
        "than",
        "that",
        "the",
        "to",
        "was",
        "were",
        "when",
        "where",
        "which",
        "with",
        "à",
        "au",
        "aux",
        "ce",
        "dans",
        "de",
        "des",
        "du",
        "elle",
        "en",
        "et",
        "il",
        "la",
        "le",
        "les",
        "ou",
        "par",
        "pour",
        "que",
        "qui",
        "sur",
        "un",
        "une",
        "al",
        "como",
        "con",
        "del",
        "el",
        "es",
        "ella",
        "los",
        "las",
        "o",
        "para",
        "por",
        "se",
        "su",
        "una",
        "y",
        "am",
        "an",
        "auf",
        "aus",
        "das",
        "dem",
        "den",
        "der",
        "die",
        "ein",
        "eine",
        "im",
        "ist",
        "mit",
        "nach",
        "oder",
        "und",
        "von",
        "vor",
        "war",
        "zu",
        "zum",
        "zur",
    ]
)
# Where a clause ends: commas and dashes, but not those inside of figures.
_CLAUSE_END = re.compile(r"[;:—，、；：،؛]|,(?!\d)|\s[–-]\s")
_CONJUNCTIONS = frozenset({
    "and", "but", "or", "so", "y", "e", "o", "u", "pero", "et", "ou", "mais", "und", "oder", "aber",
})  # fmt: skip
_ARTICLES = frozenset({
    "the", "a", "an", "el", "los", "las", "un", "una", "le", "les", "une", "des", "der", "die", "das", "ein",
    "eine",
})  # fmt: skip
_PHRASE_WORDS, _PHRASE_CHARACTERS = 8, 60
_SENTENCE_END = re.compile(r"[.!?…。！？।؟]+[\"'”’»」』)]*$")


def from_words(narration: str, language: str) -> Visual:
    """Return the card of a passage that nobody described.

    It is its comparison, its figure, its quotation or its key phrase.
    """
    figure, quotation = _figure(narration), _QUOTATION.search(narration)
    if compared := comparisons.find(narration, list(_amounts(narration)), language):
        template = "chart_line" if comparisons.is_line(compared) else "chart_bar"
        series = [{"label": name, "value": value} for name, value in compared.series]
        return plain(narration, template=template, text=compared.unit, series=series)
    if figure:
        return plain(narration, template="number", value=figure[0], label=figure[1])
    if quotation and count_words(quotation[1] or quotation[2]) >= 4:
        return plain(narration, template="quote", text=quotation[1] or quotation[2])
    phrase = _phrase(narration, language)
    return plain(narration, template="phrase", text=phrase) if phrase else plain(narration)


def says(card: Visual, narration: str) -> bool:
    """Return True if the card's figures or words are in the narration, or it has none of its own."""
    if card.series:
        return all(_letters(f"{each.value:.12g}") in _letters(narration) for each in card.series)
    written = next((each for each in (card.value, card.text, *card.items[:1]) if each), "")
    return _letters(written) in _letters(narration)


def plain(narration: str, **card: Any) -> Visual:
    """Return a visual with these fields of a card; without any it is a ground."""
    empty = {"template": "gradient", "text": None, "value": None, "label": None, "attribution": None}
    description = " ".join(narration.split()[:12])
    return Visual.model_validate({"description": description, "items": [], "series": [], **empty, **card})


def _figure(narration: str) -> tuple[str, str] | None:
    """Return (value, label) of the first figure with something that it counts."""
    for found in _amounts(narration):
        if label := _label(found["rest"]):
            value = narration[found.start() : found.start("rest")].strip()
            return value, label
    return None


def _amounts(narration: str) -> Iterator[re.Match[str]]:
    """Yield the figures of a text, but no years, dates, times of day and parts of other figures."""
    for found in _FIGURE.finditer(narration):
        number, rest = found["number"], found["rest"]
        is_amount = bool(found["currency"] or found["sign"] or found["magnitude"])
        if not is_amount and re.fullmatch(r"(?:(?:1[0-9]|20)\d\d\D*)+", number):
            continue
        before = narration[: found.start()]
        if _CLOCK_WORD.match(rest) or _MONTH.match(rest) or _MONTH_BEFORE.search(before):
            continue
        if not _COMPOUND.search(before):
            yield found


def _label(rest: str) -> str:
    """Return the first words after a figure, up to the next comma or figure."""
    if not re.match(r"[\s-]", rest):
        return ""
    words: list[str] = []
    for word in re.split(r"[,(]", rest, maxsplit=1)[0].replace("-", " ").split()[:_LABEL_WORDS]:
        # "36,000 kilometers and come down": a unit is a label by itself.
        after_unit = words and figures.is_unit(words[0]) and word.lower() in _CONJUNCTIONS
        if re.search(r"\d", word) or after_unit:
            break
        words.append(word)
    while words and words[-1].lower() in _NO_LABEL_END:
        words.pop()
    label = " ".join(words)
    says = len(max(words, key=len, default="")) >= _SHORTEST_LABEL or (words and figures.is_unit(words[0]))
    return label if says and len(label) <= _LABEL_CHARACTERS else ""


def _phrase(narration: str, language: str) -> str | None:
    """Return the shortest sentence, or else clause, that is short enough to be read at a glance."""
    whole = [_trimmed(_SENTENCE_END.sub("", sentence)) for sentence in sentences(narration, language)]
    clauses = [_trimmed(clause) for sentence in whole for clause in _CLAUSE_END.split(sentence)]
    for parts in (whole, clauses):
        short = [
            part
            for part in parts
            if 2 <= count_words(part) <= _PHRASE_WORDS and len(part) <= _PHRASE_CHARACTERS
        ]
        if short:
            return max(short, key=count_words)
    return None


def _trimmed(part: str) -> str:
    """Return a part of a sentence without the conjunctions, articles and commas at its edges."""
    words = part.strip(" ,;:—–-").split()
    while words and words[-1].strip(",;:").lower() in _CONJUNCTIONS | _ARTICLES:
        words.pop()
    while words and words[0] in _CONJUNCTIONS:  # in small letters: not the first word of a sentence
        words.pop(0)
    return " ".join(words).rstrip(",;:")


def spoken_range(card: Visual, words: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and last word of a card in the spoken words, None if they aren't there.

    Of a list this is its first item.
    """
    written = next((part for part in (card.value, card.text, *card.items[:1]) if part), "")
    return find_words(written, words)


def find_words(text: str, words: Sequence[str]) -> tuple[int, int] | None:
    """Return the first and last of the words that the text consists of, None if they aren't there.

    Signs and capitals make no difference.
    """
    written, edges = _letters(text), [0]
    for word in words:
        edges.append(edges[-1] + len(_letters(word)))
    at = _find("".join(map(_letters, words)), written, edges) if written else -1
    if at < 0:
        return None
    first = max(index for index, edge in enumerate(edges[:-1]) if edge <= at)
    last = max(index for index, edge in enumerate(edges[:-1]) if edge < at + len(written))
    return first, last


def _find(spoken: str, written: str, edges: list[int]) -> int:
    """Return where the written letters stand as whole words: "50" is found neither in "150" nor in "500"."""
    at = spoken.find(written)
    while at >= 0 and not (at in edges and at + len(written) in edges) and not UNSPACED_RUN.search(written):
        at = spoken.find(written, at + 1)
    return at


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()

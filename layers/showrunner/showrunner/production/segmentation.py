"""Split text into sentences, words and pieces of bounded length, by language.

Sentences: sentencex (Wikimedia, about 300 languages), which tests/production/test_segmentation.py compares
with ICU on a table of our own, plus the abbreviations that it lacks. Words: ICU's break iterator (UAX 29,
with dictionaries for Chinese, Japanese, Thai, Lao, Khmer and Burmese). Both come with the text layer and are
imported at the first use.
"""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

from showrunner.production.text import UNSPACED_RUN, is_speakable

# Abbreviations that sentencex does not know, in lower case and without the last full stop.
_ABBREVIATIONS = {
    "en": (
        "approx",
        "est",
        "dept",
        "fig",
        "vol",
        "capt",
        "col",
        "gen",
        "lt",
        "sgt",
        "rev",
        "hon",
        "mt",
        "ft",
    ),
    "fr": (
        "m",
        "mm",
        "mme",
        "mmes",
        "mlle",
        "mlles",
        "me",
        "dr",
        "pr",
        "env",
        "av",
        "bd",
        "st",
        "ste",
        "art",
        "no",
    ),
    "es": ("av", "avda", "sr", "sra", "srta", "dr", "dra", "d", "dña", "ud", "uds", "pág", "núm", "aprox"),
    "pt": ("av", "r", "sr", "sra", "dr", "dra", "eng", "prof", "profa", "pág", "aprox", "art"),
    "it": ("sig", "sigg", "dott", "dr", "prof", "avv", "ing", "on", "art", "pag"),
    "de": ("ca", "bzw", "dr", "prof", "nr", "str", "hl", "evtl", "vgl", "bspw"),
    "nl": ("ca", "bijv", "dhr", "mevr", "dr", "prof", "nr"),
    "pl": ("prof", "dr", "hab", "mgr", "inż", "ul", "al", "pl", "nr", "godz", "tzw"),
    "vi": ("ts", "ths", "gs", "pgs", "bs", "tp"),
    "bn": ("ড", "ডা", "মো", "প্রফ"),
    "hi": ("डॉ", "श्री", "प्रो", "पं", "सु", "कु"),
    "ar": ("د", "أ", "م", "ص"),
    "tr": ("dr", "prof", "doç", "av", "sn", "no"),
    "ru": ("г", "ул", "д", "проф", "акад", "им", "стр", "рис"),
}
# A word on the screen: longer ones (URLs, chains without spaces) are cut so that they can be broken over
# lines.
WORD_CHARACTERS = 40
_CLAUSE_END = re.compile(r"(?<=[,;:，、；：،؛–—…।॥])\s*|(?<=\s[-–—])\s+")


def sentences(text: str, language: str) -> list[str]:
    """Return the sentences without white space around them.

    Joined by single spaces they are the whole text.
    """
    import sentencex

    base = language.partition("-")[0].lower()
    found: list[str] = []
    touches = False
    for part in sentencex.segment(base, " ".join(text.split())):
        sentence = part.strip()
        glued = touches and not part[:1].isspace() and not UNSPACED_RUN.search(sentence[:1])
        if sentence and found and glued and found[-1][-1] == ".":
            found[-1] += sentence  # l'U.E.: no sentence begins without a space
        elif sentence and found and _continues(found[-1], sentence, base):
            found[-1] = found[-1] + part if part[:1].isspace() else _joined(found[-1], sentence)
        elif sentence:
            found.append(sentence)
        touches = not part[-1:].isspace()
    return found


def _joined(before: str, after: str) -> str:
    unspaced = UNSPACED_RUN.match(after) and (before[-1] in "」』）。！？" or UNSPACED_RUN.match(before[-1]))
    return before + after if unspaced else f"{before} {after}"


def _continues(before: str, after: str, language: str) -> bool:
    """Return True if a split here was wrong: after an abbreviation, or before a lower-case letter."""
    last = before.rpartition(" ")[2].removesuffix(".").lstrip("(«\"'“„").lower()
    last = re.sub(r"^[a-z]{1,2}['’]", "", last)  # l'art. is the abbreviation art.
    if before.endswith(".") and last in _ABBREVIATIONS.get(language, ()):
        return True
    if before.endswith(".") and after[:1].islower():
        return True
    # 「行く。」と言った: a particle goes on after the closed quotation.
    return before[-1] in "」』" and "\u3040" <= after[0] <= "\u309f"


def sentence_ends(text: str, words: Sequence[str], language: str) -> set[int]:
    """Return the indices of the words with which a sentence of the text ends.

    `words` are the text's words in order, with their punctuation.
    """
    lengths = itertools.accumulate(len("".join(sentence.split())) for sentence in sentences(text, language))
    ends, found, total = set(lengths), set(), 0
    for index, word in enumerate(words):
        total += len("".join(word.split()))
        if total in ends:
            found.add(index)
    return found


def pieces(text: str, limit: int, language: str) -> list[str]:
    """Cut the text into pieces of at most `limit` characters.

    It is cut between sentences, where one is too long between clauses, then words, then characters.
    """
    cuts: tuple[Callable[[str], Iterable[str]], ...] = (
        lambda part: sentences(part, language),
        _CLAUSE_END.split,
        lambda part: _icu_words(part, language),
        _icu_characters,
    )
    return _cut(" ".join(text.split()), limit, cuts)


def _cut(text: str, limit: int, cuts: tuple[Callable[[str], Iterable[str]], ...]) -> list[str]:
    if len(text) <= limit:
        return [text] if text else []
    if not cuts:
        return [text[at : at + limit] for at in range(0, len(text), limit)]
    found: list[str] = []
    at = 0
    for part in cuts[0](text):
        core = part.strip()
        if not core:
            continue
        start = text.index(core, at)
        gap, at = text[at:start], start + len(core)
        for piece in _cut(core, limit, cuts[1:]):
            joined = f"{found[-1]}{gap}{piece}" if found else piece
            if found and len(joined) <= limit:
                found[-1] = joined
            else:
                found.append(piece)
            gap = ""
    return found


def caption_words(text: str, language: str) -> list[tuple[int, int]]:
    """Return (start, end) of each word in the text: what a caption shows and highlights at once.

    Words hold their punctuation. Text without spaces is cut by dictionary, over-long words by grapheme."""
    found: list[tuple[int, int]] = []
    for match in re.finditer(r"\S+", text):
        for start, end in _segments(match.group(), language):
            found.append((match.start() + start, match.start() + end))
    return found


def _segments(run: str, language: str) -> list[tuple[int, int]]:
    """Cut one run without white space."""
    if not UNSPACED_RUN.search(run):
        return _bounded(run, 0, len(run))
    found: list[tuple[int, int]] = []
    at, opening = 0, None
    for part in _icu_words(run, language):
        start, at = at, at + len(part)
        if is_speakable(part):
            begins = start if opening is None else opening
            found += _bounded(run, begins, at)
            opening = None
        elif found and opening is None and unicodedata.category(part[0]) not in ("Ps", "Pi"):
            found[-1] = found[-1][0], at
        elif opening is None:
            opening = start
    if opening is not None:
        found = [*found[:-1], (found[-1][0], at)] if found else [(opening, at)]
    return found


def _bounded(run: str, start: int, end: int) -> list[tuple[int, int]]:
    if end - start <= WORD_CHARACTERS:
        return [(start, end)]
    found: list[tuple[int, int]] = []
    at = start
    for cluster in _icu_characters(run[start:end]):
        if found and at + len(cluster) - found[-1][0] <= WORD_CHARACTERS:
            found[-1] = found[-1][0], at + len(cluster)
        else:
            found.append((at, at + len(cluster)))
        at += len(cluster)
    return found


def _icu_words(text: str, language: str) -> Iterable[str]:
    from icu4py.breakers import WordBreaker

    return (str(part) for part in WordBreaker(text, language))


def _icu_characters(text: str) -> Iterable[str]:
    from icu4py.breakers import CharacterBreaker

    return (str(part) for part in CharacterBreaker(text, "en"))

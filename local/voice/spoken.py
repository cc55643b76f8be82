"""Convert written text to spoken words; each spoken word keeps the range of characters it came from. Pure."""

import re
from dataclasses import dataclass
from typing import Protocol

from local.voice.english import words as english
from local.voice.punctuation import ends_sentence
from local.voice.spanish import words as spanish


class Words(Protocol):
    """Define how the words of one language are said."""

    def spoken_word(self, word: str, previous: str, following: str) -> str:
        """Return how a word is said between its neighbours."""

    def spoken_pair(self, word: str, following: str) -> str | None:
        """Return how two words are said that are read as one ("3 €"), None if they are not."""

    def unnormalized(self, word: str) -> str:
        """Return how a model without number normalisation reads the word."""


LANGUAGES: dict[str, Words] = {"en": english, "es": spanish}
# The most frequent words that only one of the two languages has.
FREQUENT = {
    "en": frozenset(
        {
            "the",
            "of",
            "and",
            "to",
            "in",
            "is",
            "that",
            "it",
            "for",
            "was",
            "on",
            "are",
            "with",
            "as",
            "this",
            "they",
            "have",
            "from",
            "by",
            "not",
        }
    ),
    "es": frozenset(
        {
            "de",
            "la",
            "que",
            "el",
            "en",
            "y",
            "los",
            "del",
            "se",
            "las",
            "por",
            "un",
            "con",
            "una",
            "su",
            "para",
            "es",
            "al",
            "lo",
            "como",
            "más",
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Unit:
    start: int
    end: int
    spoken: str
    ends_sentence: bool = False
    ends_paragraph: bool = False


def language_of(text: str) -> str:
    """Return the language whose frequent words are more in the text; English if there are none."""
    words = re.findall(r"\w+", text.lower())
    counts = {language: sum(word in frequent for word in words) for language, frequent in FREQUENT.items()}
    return "es" if counts["es"] + ("¿" in text or "¡" in text or "ñ" in text) > counts["en"] else "en"


def units(text: str, language: str = "en", *, normalize: bool = True) -> list[Unit]:
    """Return one unit per written word, in order, without overlap.

    Two words that are read together ("3 €") are one unit. Without `normalize`, each word is read as a model
    without number normalisation reads it.
    """
    words = [(match.start(), match.end(), match.group()) for match in re.finditer(r"\S+", text)]
    reading = LANGUAGES[language]
    made: list[Unit] = []
    index = 0
    while index < len(words):
        start, end, word = words[index]
        previous = words[index - 1][2] if index else ""
        following = words[index + 1][2] if index + 1 < len(words) else ""
        pair = reading.spoken_pair(word, following) if normalize else None
        if pair is not None:
            index += 1
            end = words[index][1]
            spoken = pair
        else:
            spoken = (
                reading.spoken_word(word, previous, following) if normalize else reading.unnormalized(word)
            )
        index += 1
        gap = text[end : words[index][0]] if index < len(words) else "\n"
        made.append(Unit(start, end, spoken, ends_sentence(spoken, gap), gap.count("\n") > 1))
    return made

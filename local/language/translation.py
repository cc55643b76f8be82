"""Translate Spanish nouns that a picture can show into English, as far as a list of words goes."""

import re
from functools import cache
from pathlib import Path


@cache
def _words() -> dict[str, str]:
    lines = (Path(__file__).parent / "words" / "visual_spanish.txt").read_text(encoding="utf-8").split()
    return dict(line.split("=", 1) for line in lines)


def in_english(word: str) -> str | None:
    """Return the English word for a Spanish noun, singular or plural, None if the list doesn't have it."""
    low = word.lower()
    singular = (low, re.sub(r"s$", "", low), re.sub(r"es$", "", low), re.sub(r"ces$", "z", low))
    return next((_words()[each] for each in singular if each in _words()), None)


def nouns_in_english(text: str) -> list[str]:
    """Return the English words for the Spanish nouns of a text that the list has, each once, in order."""
    found = (in_english(word) for word in re.findall(r"[^\W\d_]+", text))
    return list(dict.fromkeys(word for word in found if word))

"""Measure text: whether a voice can speak it, and how many words it has. Without dictionaries."""

import re
import unicodedata

# How a user's script is read, for the API's document. markup.py and segmentation.py do it.
SCRIPT_RULE = (
    "Spoken word for word. Markdown is neither shown nor spoken: "
    "a link becomes its text, a bare URL its host, a heading the heading of the scenes after it, "
    "and --- a scene break. "
    "Directions in square brackets and known ones in parentheses, such as (music), are dropped."
)

# Scripts written without spaces between words, and the letters of a word of average length in them.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Japanese, Chinese
)
UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_LETTERS_PER_WORD = 2.0


def is_speakable(text: str) -> bool:
    """Return whether a voice can speak the text: it has a letter or a digit."""
    return any(unicodedata.category(character)[0] in "LN" for character in text)


def count_words(text: str) -> int:
    """Return the number of words, as a listener would count them in any script.

    Text without spaces counts by its letters, so that no dictionary is needed."""
    unspaced = sum(len(run) for run in UNSPACED_RUN.findall(text))
    spaced = len(UNSPACED_RUN.sub(" ", text).split()) if unspaced else len(text.split())
    return spaced + round(unspaced / _LETTERS_PER_WORD)

"""Punctuation around a word, and the pause that it asks for. Pure."""

import re

# A written word: what stands before it, the word, what follows it.
AFFIXES = re.compile(
    r"([\"'“”‘’(\[{«¿¡*_]*)(.*?)([.,;:!?…)\]}\"'“”‘’»*_—–-]*)", re.DOTALL
)  # fmt: skip
INITIALS = re.compile(r"(?:[A-Za-z]\.){2,}")


def breath(punctuation: str) -> str:
    """Return the punctuation mark that decides the pause: the strongest of those after the word."""
    if "..." in punctuation or "…" in punctuation:
        return "…"
    return next((mark for mark in "?!.;:,—" if mark in punctuation.replace("–", "—")), "")


def ends_sentence(spoken: str, gap: str) -> bool:
    """Return whether a sentence ends with this spoken word; `gap` is the white space after it."""
    return "\n" in gap or (spoken.rstrip(")")[-1:] in set(".!?…") and not INITIALS.fullmatch(spoken))

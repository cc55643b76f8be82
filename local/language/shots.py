"""Describe the shots of a scene by rules: where each begins, what is searched for, and what is left out."""

import re
from collections.abc import Sequence
from typing import Any

from local.language import translation
from local.language.text import (
    count_words,
    is_content,
    key_phrases,
    noun_phrases,
    read_words,
    stem,
    weights,
)
from local.language.visuals import Visual

# A shot of more words lasts longer than six seconds; one of fewer is too short to be seen.
MOST_WORDS, FEWEST_WORDS = 15, 5
BEGINS_WORDS = 3
# So many words after each other are a title of their own.
TITLE_WORDS = 4
# Every third picture stands still.
STILL_EVERY = 3
KINDS = {
    "number": "number",
    "counter": "number",
    "chart_bar": "chart",
    "chart_line": "chart",
    "list": "list",
    "steps": "diagram",
    "quote": "quote",
}
# Words by which a text is known as Spanish.
SPANISH = read_words("function_spanish")
# Words with another meaning, and the words that name it: a picture of that meaning must not appear.
CONFUSED = {
    "bank": ("river", ["money", "office"]),
    "bat": ("cave", ["baseball", "cricket"]),
    "cable": ("sea", ["cable car", "gym"]),
    "crane": ("bird", ["construction"]),
    "fiber": ("glass", ["food", "cloth"]),
    "mouse": ("animal", ["computer"]),
    "plant": ("power", ["flower", "garden"]),
    "satellite": ("orbit", ["television"]),
    "seal": ("sea", ["stamp", "wax"]),
    "spring": ("water", ["flower", "coil"]),
    "wave": ("sea", ["hand", "hair"]),
}


def of(narration: Sequence[str], visual: Visual, subject: str, whole: str) -> list[dict[str, Any]]:
    """Return {begins, kind, searches, avoid} of each shot of a scene.

    `narration` are its sentences, `visual` is its card, `subject` what the video is about, and `whole` all of
    its source, which decides between the meanings of a word.
    """
    parts = [part for sentence in narration for part in _parts(sentence)]
    carrier = _carrier(visual, parts)
    return [
        {
            "begins": " ".join(part.split()[:BEGINS_WORDS]),
            "kind": KINDS[visual.template] if number == carrier else _kind(part, number),
            "searches": _searches(part, subject),
            "avoid": _avoided(part, whole),
        }
        for number, part in enumerate(parts)
    ]


def _parts(sentence: str) -> list[str]:
    """Divide a sentence at its clauses into parts that can be a shot."""
    found: list[str] = []
    for clause in re.split(r"(?<=[,;:—]) ", sentence):
        words = count_words(found[-1]) if found else 0
        is_short = min(words, count_words(clause)) < FEWEST_WORDS
        if found and (is_short or words + count_words(clause) <= MOST_WORDS):
            found[-1] = f"{found[-1]} {clause}"
        else:
            found.append(clause)
    return found


def _carrier(visual: Visual, parts: Sequence[str]) -> int | None:
    """Return which part speaks the words of the card, None if it has none of its own."""
    if visual.template not in KINDS:
        return None
    figures = [f"{each['value']:g}" for each in visual.series]
    said = [text for text in (visual.value, visual.text, *visual.items, *figures) if text]
    counts = [sum(text.lower().rstrip(".") in part.lower() for text in said) for part in parts]
    return counts.index(max(counts)) if parts else None


def _kind(part: str, number: int) -> str:
    if count_words(part) <= TITLE_WORDS:
        return "title"
    return "photograph" if number % STILL_EVERY == STILL_EVERY - 1 else "footage"


def _searches(part: str, subject: str) -> list[str]:
    """Return two or three English phrases: the nouns of the part, and what the video is about.

    Of a Spanish part these are the nouns that the list of translations has, if it has any.
    """
    translated = translation.nouns_in_english(part)
    if any(word in SPANISH for word in re.findall(r"[^\W\d_]+", part.lower())) and translated:
        about = " ".join(translation.nouns_in_english(subject)[:2])
        found = [" ".join(translated[:2]), *translated[:2], about]
        return [phrase for phrase in dict.fromkeys(found) if phrase][:3]
    phrases = noun_phrases(part) or key_phrases([part], weights([part]), 2)
    named = [phrase.lower() for phrase in phrases[:2]]
    about = " ".join(word for word in re.findall(r"[a-z'-]+", subject.lower()) if is_content(word))
    found = [" ".join(named), *named, about, f"{about or subject} close up"]
    return [phrase for phrase in dict.fromkeys(found) if phrase.strip()][:3]


def _avoided(part: str, whole: str) -> list[str]:
    """Return what names the other meaning of a word, where the source is about this one."""
    said = {stem(word) for word in re.findall(r"[a-z]+", part.lower())}
    about = set(re.findall(r"[a-z]+", whole.lower()))
    return [
        other
        for word, (sense, others) in CONFUSED.items()
        if stem(word) in said and sense in about
        for other in others
    ]

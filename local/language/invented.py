"""Where there is only a topic: the small model writes about it, aspect by aspect, and what reads as junk is left out.

Its sentences are fluent and not to be trusted; the result is marked as a demonstration by the name of the model that answers.
"""

import re
from collections.abc import Callable

from local.language.text import count_words, leans, split, standing, terms

SYSTEM = "You explain things in short, plain, factual English sentences for a narrated video. No lists, no headings, no questions."
ASPECTS = (
    "Explain what {0} is about, in general terms.",
    "Describe how it works, step by step, in plain words: {0}.",
    "Explain why this matters to ordinary people: {0}.",
    "Give a concrete everyday example that illustrates {0}.",
    "Describe what most people find surprising about {0}.",
    "Describe the history behind {0} in general terms.",
    "Describe a common misunderstanding about {0}.",
    "Describe what the future may bring for {0}.",
    "Describe the people who work with this: {0}.",
    "Describe what one would see when looking closely at this: {0}.",
)
# About 1.4 tokens to a word; an answer of 70 words and its end.
ANSWER_TOKENS = 110
# More is written than told, so that the writer can choose.
SURPLUS = 1.2
# A model of this size goes in circles sooner or later; then what there is must do.
MOST_ROUNDS = 2

LISTED = re.compile(r"^(?:Firstly|First|Secondly|Second|Thirdly|Third|Lastly|Finally|Additionally|Overall|In conclusion|To summarize|In summary),\s+")

Complete = Callable[[str, str, int, int], str]


def source(topic: str, words: int, seed: int, complete: Complete, told: str = "") -> str:
    """Paragraphs about the topic, one an aspect, of at least `words` words where the model can; `told` is not said again."""
    paragraphs: list[str] = []
    said = set(split(told))
    written = 0
    for attempt in range(MOST_ROUNDS * len(ASPECTS)):
        question = ASPECTS[attempt % len(ASPECTS)].format(topic)
        before = f" Earlier you said: {paragraphs[-1]}" if paragraphs else ""
        answer = complete(SYSTEM, f"Topic: {topic}.{before}\n{question}", ANSWER_TOKENS, seed + attempt)
        kept = _sensible(answer, said)
        said |= set(kept)
        if kept:
            paragraphs.append(" ".join(kept))
            written += count_words(paragraphs[-1])
        if written >= words * SURPLUS and attempt >= 2:
            break
    return "\n\n".join(paragraphs)


def _sensible(answer: str, said: set[str]) -> list[str]:
    """The whole sentences of an answer that are no junk and not said before, none pointing at one that was left out."""
    kept: list[str] = []
    follows = False
    for sentence in split(re.sub(r"\s+", " ", answer)):
        plain = standing(LISTED.sub("", sentence))
        own = set(terms(plain))
        fits = not _is_junk(plain) and not any(_alike(own, set(terms(other))) for other in [*said, *kept])
        # One sentence may lean on its neighbour; a chain of them would have to be told whole.
        follows = fits and (not leans(plain) or (follows and not leans(kept[-1])))
        if follows:
            kept.append(plain)
    return kept


def _is_junk(sentence: str) -> bool:
    words = sentence.lower().split()
    return (
        not re.search(r"[.!]$", sentence)
        or not 5 <= len(words) <= 30
        or not sentence[0].isupper()
        or bool(
            re.search(
                r"[{}\[\]<>|*#_=\\^]|\d{5,}|https?:|\b(?:I|we|my|you asked|as an ai|sure|topic|sentence|video|question|step by step)\b|\b(\w+) \1\b",
                sentence,
                re.IGNORECASE,
            )
        )
        or any(words[place : place + 4] == words[place + 4 : place + 8] for place in range(len(words) - 7))
        # Figures and dates of a model this small are made up.
        or bool(re.search(r"\d", sentence))
    )


def _alike(terms_: set[str], other: set[str]) -> bool:
    return bool(terms_) and len(terms_ & other) >= 0.6 * min(len(terms_), max(len(other), 1))

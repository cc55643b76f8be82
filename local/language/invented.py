"""Write about a topic without source: the small model writes aspect by aspect, and junk is dropped.

The sentences are fluent and often false. The model's name in the response marks the result as a
demonstration.
"""

import re
from collections.abc import Callable

from local.language.text import count_words, needs_previous, split, terms, without_connective

SYSTEM = (
    "You explain things in short, plain, factual English sentences for a narrated video. "
    "No lists, no headings, no questions."
)
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
# About 1.4 tokens per word; a response of 70 words and its end.
ANSWER_TOKENS = 110
# Write more than needed, so that the writer can choose.
SURPLUS = 1.2
# A small model repeats itself sooner or later; then use what there is.
MOST_ROUNDS = 2

LISTED = re.compile(
    r"^(?:Firstly|First|Secondly|Second|Thirdly|Third|Lastly|Finally|Additionally|Overall"
    r"|In conclusion|To summarize|In summary),\s+"
)

Complete = Callable[[str, str, int, int], str]


def source(topic: str, words: int, seed: int, complete: Complete, covered: str = "") -> str:
    """Return paragraphs about the topic, one per aspect, of at least `words` words if possible.

    Content of `told` is not repeated.
    """
    paragraphs: list[str] = []
    used = set(split(covered))
    written = 0
    for attempt in range(MOST_ROUNDS * len(ASPECTS)):
        question = ASPECTS[attempt % len(ASPECTS)].format(topic)
        before = f" Earlier you said: {paragraphs[-1]}" if paragraphs else ""
        answer = complete(SYSTEM, f"Topic: {topic}.{before}\n{question}", ANSWER_TOKENS, seed + attempt)
        accepted = _sensible(answer, used)
        used |= set(accepted)
        if accepted:
            paragraphs.append(" ".join(accepted))
            written += count_words(paragraphs[-1])
        if written >= words * SURPLUS and attempt >= 2:
            break
    return "\n\n".join(paragraphs)


def _sensible(answer: str, used: set[str]) -> list[str]:
    """Return whole sentences that are neither junk nor repeated, and none that refers to a dropped one."""
    accepted: list[str] = []
    follows = False
    for sentence in split(re.sub(r"\s+", " ", answer)):
        plain = without_connective(LISTED.sub("", sentence))
        own = set(terms(plain))
        fits = not _is_junk(plain) and not any(_alike(own, set(terms(other))) for other in [*used, *accepted])
        # One sentence may depend on the previous one; a chain of them would have to be used whole.
        follows = fits and (not needs_previous(plain) or (follows and not needs_previous(accepted[-1])))
        if follows:
            accepted.append(plain)
    return accepted


def _is_junk(sentence: str) -> bool:
    words = sentence.lower().split()
    return (
        not re.search(r"[.!]$", sentence)
        or not 5 <= len(words) <= 30
        or not sentence[0].isupper()
        or bool(
            re.search(
                r"[{}\[\]<>|*#_=\\^]|\d{5,}|https?:"
                r"|\b(?:I|we|my|you asked|as an ai|sure|topic|sentence|video|question|step by step)\b"
                r"|\b(\w+) \1\b",
                sentence,
                re.IGNORECASE,
            )
        )
        or any(words[place : place + 4] == words[place + 4 : place + 8] for place in range(len(words) - 7))
        # Figures and dates from a model this small are invented.
        or bool(re.search(r"\d", sentence))
    )


def _alike(terms_: set[str], other: set[str]) -> bool:
    return bool(terms_) and len(terms_ & other) >= 0.6 * min(len(terms_), max(len(other), 1))

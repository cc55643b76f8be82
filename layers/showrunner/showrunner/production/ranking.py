"""Rank the works that libraries found for a shot: by what is said of them, then by what previews show."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from showrunner.models import Work

# Parts of a score of 1. What a work shows matters most; a file that is cropped, soft or short can still do.
_RELEVANCE, _SHAPE, _RESOLUTION, _LENGTH = 0.6, 0.06, 0.08, 0.06
# The parts that only a preview tells. A work without one has neither.
_SHARPNESS, _SUBJECT = 0.1, 0.1
# A phrase is less exact than the one before it.
_LESS_EXACT = 0.85
# What is known of a work whose library says nothing about it: it came up in the search, at some place.
_UNDESCRIBED, _A_PLACE = 0.5, 0.02
# The same where relevance is the cosine of two vectors: unrelated texts have about 0.1 to 0.2.
_UNDESCRIBED_COSINE = 0.2
# A clip needs this much beside its shot, for the transition and its first moments.
_SPARE_SECONDS = 1.4
# Works whose texts share this part of their words show the same thing. Right after another one it counts so
# much less that a work with a sixth less relevance comes before it.
_SAME_WORDS, REPETITION = 0.6, 0.1
# Words of fewer letters say nothing about a picture.
_SHORTEST_WORD = 3


class Frame(NamedTuple):
    """The place of a picture: width and height in pixels, and the seconds that it is shown."""

    width: int
    height: int
    seconds: float


class Candidate(NamedTuple):
    """A work with its `score` and `relevance` from 0 to 1 for a shot; `query` is what found it.

    `sharpness` and `subject_kept`, 0 to 1 too, are None if no preview was looked at: how sharp it is, and how
    much of its subject is left in the tightest crop.
    """

    work: Work
    score: float
    relevance: float
    query: str
    sharpness: float | None = None
    subject_kept: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the candidate as JSON has it; `read` reads it."""
        return {**self._asdict(), "work": self.work._asdict()}


def read(stored: dict[str, Any]) -> Candidate:
    """Return the candidate of as_dict."""
    return Candidate(**{**stored, "work": Work(**stored["work"])})


def rank(
    found: Sequence[tuple[str, Sequence[Work]]],
    queries: Sequence[str],
    avoid: Iterable[str],
    frames: Sequence[Frame],
    language: str = "en",
    nearness: Mapping[str, float] | None = None,
) -> list[Candidate]:
    """Return the works in the order of their scores, each once, without those that show what to avoid.

    `found` are the results of searches: (query, works in the library's order). `queries` are all phrases of
    the shot, the most exact first, in `language`. `frames` are those of all outputs: a work is as good as it
    is in the one that it fits worst. `nearness` has from 0 to 1 how near the text of each work
    is to the shot; without it the words of the phrases are looked for in the text.
    """
    unwanted = [words for words in map(stems, avoid) if words]
    best: dict[tuple[str, str], Candidate] = {}
    for query, works in found:
        for place, work in enumerate(works):
            about = stems(work.words)
            if any(words <= about for words in unwanted):
                continue
            # Libraries describe their works in English: other words aren't in what they say.
            if not about or (language != "en" and not nearness):
                known_by_search = _UNDESCRIBED_COSINE if nearness else _UNDESCRIBED
                fits = max(0.0, known_by_search - _A_PLACE * place)
            else:
                fits = nearness[work.words] if nearness else _covered(about, queries)
            candidate = Candidate(work, round(_score(work, fits, frames), 4), round(fits, 4), query)
            known = best.get((work.library, work.id))
            if known is None or known.score < candidate.score:
                best[work.library, work.id] = candidate
    return sorted(best.values(), key=lambda each: (-each.score, each.work.library, each.work.id))


def seen(candidate: Candidate, sharpness: float | None, subject_kept: float | None) -> Candidate:
    """Return a candidate of `rank` with what its preview adds to its score."""
    more = _SHARPNESS * (sharpness or 0.0) + _SUBJECT * (subject_kept or 0.0)
    return candidate._replace(
        score=round(candidate.score + more, 4), sharpness=sharpness, subject_kept=subject_kept
    )


def are_alike(one: str, other: str) -> bool:
    """Return True if the texts of two works say that they show the same thing."""
    first, second = stems(one), stems(other)
    return bool(first) and len(first & second) >= _SAME_WORDS * len(first | second)


def relevance(words: str, queries: Sequence[str]) -> float:
    """Return from 0 to 1 how well words about a picture fit what is searched for."""
    return _covered(stems(words), queries)


def stems(text: str) -> set[str]:
    """Return the words of a text in lower case, without the endings of plurals."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {
        re.sub(r"(?:(?<=[sxz])es|(?<![su])s)$", "", word) for word in words if len(word) >= _SHORTEST_WORD
    }


def _covered(about: set[str], queries: Sequence[str]) -> float:
    """Return which part of a phrase is among the words; later phrases count less."""
    asked = [words for words in map(stems, queries) if words]
    weighted = [_LESS_EXACT**number * len(each & about) / len(each) for number, each in enumerate(asked)]
    return max(weighted, default=0.0)


def _score(work: Work, fits: float, frames: Sequence[Frame]) -> float:
    shape = min(_kept(work, frame) for frame in frames)
    resolution = min(_resolution(work, frame) for frame in frames)
    seconds = max(frame.seconds for frame in frames)
    length = min(1.0, work.seconds / (seconds + _SPARE_SECONDS)) if work.kind == "clip" else 1.0
    return _RELEVANCE * fits + _SHAPE * shape + _RESOLUTION * resolution + _LENGTH * length


def _resolution(work: Work, frame: Frame) -> float:
    """Return how much of the frame's resolution a picture has that fills it: 1 where no pixel is enlarged."""
    if not work.width or not work.height:
        return 0.5
    return min(1.0, work.width / frame.width, work.height / frame.height)


def _kept(work: Work, frame: Frame) -> float:
    """Return the part of a picture that is left of it when it fills the frame."""
    if not work.width or not work.height:
        return 0.5
    ratio = (work.width / work.height) / (frame.width / frame.height)
    return min(ratio, 1 / ratio)

"""Convert times of spoken words to times of every written character. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of the text are heard from `start_s` to `end_s`.

    Both are None for a word without sound (an emoji).
    """

    start: int
    end: int
    start_s: float | None
    end_s: float | None


def character_times(text: str, spans: Sequence[Span], duration_s: float) -> tuple[list[float], list[float]]:
    """Return start and end of each character in seconds, to the millisecond.

    They are contiguous, never decrease and lie within [0, duration_s].

    A word's letters share its time evenly. Spaces, punctuation and silent characters between two heard words
    share the pause between them.
    """
    if not text:
        return [], []
    bounds = _bounds(len(text), _anchors(text, spans), duration_s)
    return bounds[:-1], bounds[1:]


def _anchors(text: str, spans: Sequence[Span]) -> list[tuple[int, float]]:
    anchors: list[tuple[int, float]] = []
    for span in spans:
        if span.start_s is None or span.end_s is None:
            continue
        first, last = _letters(text, span)
        anchors += [(first, span.start_s), (last, span.end_s)]
    return anchors


def _letters(text: str, span: Span) -> tuple[int, int]:
    """Return the part of a written word that is heard: without the punctuation around it."""
    first, last = span.start, span.end
    while first < last and not text[first].isalnum() and text[first] not in "$€£¥#&@%+-−~<>=":
        first += 1
    while last > first and not text[last - 1].isalnum() and text[last - 1] not in "%+°":
        last -= 1
    return (first, last) if first < last else (span.start, span.end)


def _bounds(length: int, anchors: list[tuple[int, float]], duration_s: float) -> list[float]:
    if not anchors or anchors[0][0] > 0:
        anchors = [(0, 0.0), *anchors]
    if anchors[-1][0] < length:
        anchors = [*anchors, (length, duration_s)]
    bounds = [0.0] * (length + 1)
    highest = 0.0
    for (left, left_s), (right, right_s) in pairwise(anchors):
        for index in range(left, right + 1):
            share = (index - left) / (right - left) if right > left else 1.0
            highest = min(max(highest, round(left_s + share * (right_s - left_s), 3)), duration_s)
            bounds[index] = highest
    return bounds

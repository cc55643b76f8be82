"""Give each word of a recording its time, from the voice's character times as far as they can be trusted."""

import math
from difflib import SequenceMatcher
from typing import NamedTuple

from showrunner.production.segmentation import caption_words

# Faster speech than this (characters a second) is no speech: the times have collapsed. Fast speakers reach
# 25.
_FASTEST = 35.0
# Characters at one and the same time that a voice may have: digits of "2,000", signs that are not spoken.
_SAME_TIME = 12
# What a caption needs at least to be seen at all.
_SHORTEST_SECONDS = 0.06
# Silence at the end of a recording that a voice may leave.
_SILENCE_SECONDS = 3.0
# How far a time may lie behind the end of the audio: the encoder's padding.
_PADDING_SECONDS = 0.3


class Word(NamedTuple):
    """A word as it stands in the text, with its start and end in seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float


class Alignment(NamedTuple):
    """Words in order, without overlap.

    `repair` tells what was wrong with the provider's times; empty: nothing.
    """

    words: list[Word]
    repair: str


def align(
    text: str, characters: list[str], starts: list[float], ends: list[float], seconds: float, language: str
) -> Alignment:
    """Return every word of `text` with times inside `seconds`.

    Times that can't be right (missing, backwards, collapsed, outside the audio, of other text) are replaced:
    evenly by length between the nearest words with good times.
    """
    spans = caption_words(text, language)
    times, faults = _character_times(text, characters, starts, ends, seconds)
    last_s = max((each[1] for each in times if each is not None), default=seconds)
    too_fast = len(text) > _FASTEST * last_s and seconds > 1.3 * last_s
    if too_fast or (last_s < seconds / 2 and seconds - last_s > _SILENCE_SECONDS):
        faults.add("times that end before the audio")
        times = [None] * len(text)
    anchors: list[tuple[float, float] | None] = [_span_times(times[start:end]) for start, end in spans]
    faults |= _drop_unordered(anchors, spans)
    words = _fill(text, spans, anchors, seconds)
    if characters and not faults and any(anchor is None for anchor in anchors):
        faults.add("no times for some words")
    return Alignment(words, ", ".join(sorted(faults)) if characters or starts or ends else "")


type _Time = tuple[float, float] | None


def _character_times(
    text: str, characters: list[str], starts: list[float], ends: list[float], seconds: float
) -> tuple[list[_Time], set[str]]:
    """Return a time, or None, for each character of the text, and what is wrong with the given ones."""
    faults: set[str] = set()
    if not len(characters) == len(starts) == len(ends):
        faults.add("lists of different length")
    given = list(zip(characters, starts, ends, strict=False))
    times: list[_Time] = [None] * len(text)
    letters = [character for character, _, _ in given]
    if "".join(letters) == text and all(len(letter) == 1 for letter in letters):
        pairs = [(index, index) for index in range(len(text))]
    else:
        faults.add("text differs from the script") if given else None
        blocks = SequenceMatcher(None, text, letters, autojunk=False).get_matching_blocks()
        pairs = [(block.a + offset, block.b + offset) for block in blocks for offset in range(block.size)]
    for place, index in pairs:
        start, end = given[index][1], given[index][2]
        if not (math.isfinite(start) and math.isfinite(end)) or start < 0 or end > seconds + _PADDING_SECONDS:
            faults.add("times outside the audio")
        elif end < start:
            faults.add("times that go backwards")
        else:
            times[place] = start, min(end, seconds)
    return times, faults | _drop_collapsed(times)


def _begins_with(one: tuple[float, float] | None, other: tuple[float, float] | None) -> bool:
    """Return True if both times are known and have the same start."""
    return one is not None and other is not None and one[0] == other[0]


def _drop_collapsed(times: list[_Time]) -> set[str]:
    """Remove runs of characters that all have the same time, but for the first character."""
    at, dropped = 0, False
    while at < len(times):
        end = at + 1
        while end < len(times) and _begins_with(times[at], times[end]):
            end += 1
        if end - at > _SAME_TIME:
            times[at + 1 : end] = [None] * (end - at - 1)
            dropped = True
        at = end
    return {"times collapsed to one value"} if dropped else set()


def _span_times(times: list[_Time]) -> _Time:
    known = [each for each in times if each is not None]
    return (
        (min(start for start, _ in known), max(end for _, end in known))
        if known and times[0] is not None
        else None
    )


def _drop_unordered(anchors: list[_Time], spans: list[tuple[int, int]]) -> set[str]:
    """Keep the longest chain of words whose times increase at a speed that speech can have."""
    known = [index for index, anchor in enumerate(anchors) if anchor is not None]
    best: dict[int, tuple[int, int | None]] = {}
    for order, index in enumerate(known):
        best[index] = 1, None
        # A window is enough: a fault longer than this many words leaves nothing to trust anyway.
        for before in known[max(0, order - 60) : order]:
            if best[before][0] + 1 > best[index][0] and _follows(anchors, spans, before, index):
                best[index] = best[before][0] + 1, before
    chain: set[int] = set()
    last: int | None = max(known, key=lambda index: best[index][0], default=None)
    while last is not None:
        chain.add(last)
        last = best[last][1]
    dropped = [index for index in known if index not in chain]
    for index in dropped:
        anchors[index] = None
    return {"times that go backwards"} if dropped else set()


def _follows(anchors: list[_Time], spans: list[tuple[int, int]], before: int, after: int) -> bool:
    first, second = anchors[before], anchors[after]
    assert first is not None  # noqa: S101 - both are known
    assert second is not None  # noqa: S101
    least = (spans[after][0] - spans[before][0]) / _FASTEST if after > before + 3 else 0.0
    return second[0] >= first[0] + least and second[1] >= first[1]


def _fill(text: str, spans: list[tuple[int, int]], anchors: list[_Time], seconds: float) -> list[Word]:
    """Return the words with the anchors' times, and between them times by length."""
    found: list[Word] = []
    at = 0
    while at < len(spans):
        end = at
        while end < len(spans) and anchors[end] is None:
            end += 1
        if end > at:
            begin_s = found[-1].end_s if found else 0.0
            following = anchors[end] if end < len(spans) else None
            found += _spread(
                text, spans[at:end], begin_s, max(begin_s, following[0] if following else seconds)
            )
            at = end
            continue
        start_s, end_s = anchors[at]  # type: ignore[misc]
        found.append(Word(text[slice(*spans[at])], max(start_s, found[-1].end_s if found else 0.0), end_s))
        at += 1
    return _with_length(found, seconds)


def _spread(text: str, spans: list[tuple[int, int]], begin_s: float, end_s: float) -> list[Word]:
    unit = (end_s - begin_s) / max(1, sum(end - start + 1 for start, end in spans))
    found, at = [], begin_s
    for start, end in spans:
        found.append(Word(text[start:end], at, at + (end - start + 1) * unit))
        at += (end - start + 1) * unit
    return found


def _with_length(words: list[Word], seconds: float) -> list[Word]:
    """Give every word a length that can be seen, without overlap and inside the recording."""
    shortest = min(_SHORTEST_SECONDS, seconds / max(1, len(words)))
    starts: list[float] = []
    for word in words:
        starts.append(max(word.start_s, starts[-1] + shortest if starts else 0.0))
    latest = seconds
    for index in reversed(range(len(starts))):
        latest = min(starts[index], latest - shortest)
        starts[index] = max(0.0, latest)
    following = [*starts[1:], seconds]
    return [
        Word(word.text, round(start, 3), round(min(max(word.end_s, start + shortest), limit), 3))
        for word, start, limit in zip(words, starts, following, strict=True)
    ]

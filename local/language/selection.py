"""Choose the sentences of a source for the script, shorten them, and divide them into scenes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from local.language.text import Sentence, count_words, terms, variants, weights, without_connective

# More sentences make the table larger without a better choice: drop the weakest first.
MOST_SENTENCES = 240
# What a narrator can say in one sentence; longer ones are hard to follow by ear.
LONG_SENTENCE = 30
STUMP = 6  # "A ship sails." says little without the next sentence
SHORTENED = 0.93  # a shortened sentence is worth a little less than the full one
UNREACHABLE = -1e9


@dataclass(frozen=True, slots=True)
class ChosenSentence:
    """A sentence as the script has it. `origin` is its index in the source."""

    origin: Sentence
    text: str

    @property
    def words(self) -> int:
        return count_words(self.text)


def choose(
    sentences: Sequence[Sentence], words: int, tolerance: int, at_least: int, topic: str = ""
) -> list[ChosenSentence]:
    """Choose the best sentences with `words` words in total (± `tolerance`), in source order.

    A sentence that refers to the previous one is only chosen together with it. Fewer than `at_least`
    sentences are only chosen if there are no more. If all sentences have fewer than `words` words, all are
    chosen.
    """
    pool = _strongest(sentences, words, topic)
    if sum(sentence.words for sentence in pool) <= words + tolerance:
        return _all(pool)
    return _Table(pool, _qualities(pool, topic), words + tolerance, at_least).best(words, tolerance)


def _all(pool: Sequence[Sentence]) -> list[ChosenSentence]:
    chosen: list[ChosenSentence] = []
    for sentence in pool:
        follows = bool(chosen) and chosen[-1].origin.index == sentence.index - 1
        chosen.append(
            ChosenSentence(sentence, sentence.text if follows else without_connective(sentence.text))
        )
    return chosen


def _qualities(sentences: Sequence[Sentence], topic: str) -> list[float]:
    """Return how much of the subject each word of a sentence carries.

    Openings of paragraphs and figures count extra.
    """
    known = weights(sentence.text for sentence in sentences)
    topic_terms = set(terms(topic))
    most = max(known.values(), default=1)
    return [_quality(sentence, known, most, topic_terms) for sentence in sentences]


def _quality(sentence: Sentence, known: dict[str, int], most: int, topic_terms: set[str]) -> float:
    own = terms(sentence.text)
    central = sum(known[term] for term in own) / (most * max(len(own), 1))
    quality = 0.6 + central + 0.25 * len(topic_terms & set(own)) / max(len(topic_terms), 1)
    quality += 0.45 if sentence.index == 0 else 0.2 if sentence.opens_paragraph else 0.0
    quality += 0.25 if any(character.isdigit() for character in sentence.text) else 0.0
    return quality * (0.7 if sentence.words > LONG_SENTENCE else 0.6 if sentence.words < STUMP else 1.0)


def _strongest(sentences: Sequence[Sentence], words: int, topic: str) -> list[Sentence]:
    if len(sentences) <= MOST_SENTENCES:
        return list(sentences)
    ranked = sorted(
        zip(_qualities(sentences, topic), sentences, strict=True), key=lambda pair: (-pair[0], pair[1].index)
    )
    kept_indexes = {sentence.index for _, sentence in ranked[: max(MOST_SENTENCES, words // 8)]}
    return [sentence for sentence in sentences if sentence.index in kept_indexes]


class _Table:
    """Dynamic programming table: value[previous chosen or not][sentences chosen, capped][words].

    It holds the values after each sentence, and the path to them.
    """

    def __init__(
        self, pool: Sequence[Sentence], qualities: Sequence[float], most_words: int, at_least: int
    ) -> None:
        self._pool = pool
        self._most, self._least = most_words, min(at_least, len(pool))
        self._ways: list[dict[bool, np.ndarray]] = []
        self._forms: list[list[tuple[bool, str]]] = []
        self._history: list[dict[bool, np.ndarray]] = []
        value = {
            False: np.full((self._least + 1, most_words + 1), UNREACHABLE),
            True: np.full((self._least + 1, most_words + 1), UNREACHABLE),
        }
        value[False][0, 0] = 0.0
        for place, (sentence, quality) in enumerate(zip(pool, qualities, strict=True)):
            self._history.append(value)
            value = self._step(value, place, sentence, quality)
        self._value = value

    def _step(
        self, value: dict[bool, np.ndarray], place: int, sentence: Sentence, quality: float
    ) -> dict[bool, np.ndarray]:
        skipped = np.maximum(value[False], value[True])
        ways = {
            False: (value[True] > value[False]).astype(np.int16),
            True: np.full(skipped.shape, -1, np.int16),
        }
        chosen = np.full(skipped.shape, UNREACHABLE)
        forms = self._forms_of(place, sentence)
        for number, (after, text) in enumerate(forms):
            length = count_words(text)
            if length > self._most:
                continue
            worth = (
                length
                * quality
                * (
                    1.0
                    if number < 1 or text in (sentence.text, without_connective(sentence.text))
                    else SHORTENED
                )
            )
            moved = np.full(skipped.shape, UNREACHABLE)
            moved[:, length:] = value[after][:, : self._most + 1 - length] + worth
            counted = np.full(skipped.shape, UNREACHABLE)
            counted[1:] = moved[:-1]
            counted[-1] = np.maximum(counted[-1], moved[-1])
            better = counted > chosen
            chosen[better] = counted[better]
            ways[True][better] = number
        self._ways.append(ways)
        self._forms.append(forms)
        return {False: skipped, True: chosen}

    def _forms_of(self, place: int, sentence: Sentence) -> list[tuple[bool, str]]:
        """Yield (whether the previous sentence is required, text).

        Without its neighbour a sentence loses its "However".
        """
        follows = place > 0 and self._pool[place - 1].index == sentence.index - 1
        beside = [(True, text) for text in variants(sentence.text)] if follows else []
        apart = [
            (after, text)
            for text in variants(without_connective(sentence.text))
            for after in ((False,) if follows else (False, True))
        ]
        return beside + ([] if sentence.needs_previous else apart)

    def best(self, words: int, tolerance: int) -> list[ChosenSentence]:
        value = np.maximum(self._value[False], self._value[True])
        fewest = max((count for count in range(self._least + 1) if (value[count] > 0).any()), default=0)
        lengths = [
            length for length in range(max(words - tolerance, 0), self._most + 1) if value[fewest, length] > 0
        ]
        if not lengths:
            return self._nearest(value, words)
        # Closeness to the wanted length first, then content: giving up two words for better sentences is
        # worth it, ten are not.
        return self._walk(
            fewest,
            max(
                lengths,
                key=lambda length: (
                    value[fewest, length] / max(length, 1) - abs(length - words) / (4 * max(words, 1))
                ),
            ),
        )

    def _nearest(self, value: np.ndarray, words: int) -> list[ChosenSentence]:
        reachable = [
            (abs(length - words), -count, count, length)
            for count in range(self._least + 1)
            for length in range(self._most + 1)
            if value[count, length] > 0
        ]
        return self._walk(*min(reachable)[2:]) if reachable else []

    def _walk(self, count: int, length: int) -> list[ChosenSentence]:
        chosen: list[ChosenSentence] = []
        taken = bool(self._value[True][count, length] > self._value[False][count, length])
        for place in range(len(self._pool) - 1, -1, -1):
            form = int(self._ways[place][taken][count, length])
            if not taken:
                taken = bool(form)
                continue
            after, text = self._forms[place][form]
            chosen.append(ChosenSentence(self._pool[place], text))
            length -= count_words(text)
            count = self._previous_count(place, count, length, after)
            taken = after
        return chosen[::-1]

    def _previous_count(self, place: int, count: int, length: int, after: bool) -> int:
        """Return the previous count: one less below the cap, else the better of the two."""
        if count < self._least:
            return count - 1
        before = self._history[place]
        return count if before[after][count, length] > before[after][count - 1, length] else count - 1


def scenes(chosen: Sequence[ChosenSentence], count: int) -> list[list[ChosenSentence]]:
    """Divide sentences into at most `count` scenes of similar length, between paragraphs if possible."""
    if not chosen:
        return []
    starts = [place for place, item in enumerate(chosen) if place == 0 or not _tied(chosen[place - 1], item)]
    count = max(1, min(count, len(starts)))
    share = sum(item.words for item in chosen) / count
    cost = {(0, 0): 0.0}
    came: dict[tuple[int, int], int] = {}
    ends = [*starts[1:], len(chosen)]
    for number in range(1, count + 1):
        for end in ends:
            options = [
                (cost[number - 1, start] + _unevenness(chosen[start:end], share) + _cut(chosen, end), start)
                for start in [0, *ends]
                if start < end and (number - 1, start) in cost
            ]
            if options:
                cost[number, end], came[number, end] = min(options)
    bounds = [len(chosen)]
    for number in range(count, 0, -1):
        bounds.append(came[number, bounds[-1]])
    return [list(chosen[start:end]) for start, end in pairwise(bounds[::-1])]


def _tied(before: ChosenSentence, item: ChosenSentence) -> bool:
    return item.origin.needs_previous and before.origin.index == item.origin.index - 1


def _unevenness(part: Sequence[ChosenSentence], share: float) -> float:
    return ((sum(item.words for item in part) - share) / share) ** 2


def _cut(chosen: Sequence[ChosenSentence], end: int) -> float:
    """Return the cost of a cut.

    Inside a paragraph it costs as much as a scene that is half too long or too short.
    """
    return (
        0.0
        if end == len(chosen) or chosen[end - 1].origin.paragraph != chosen[end].origin.paragraph
        else 0.25
    )

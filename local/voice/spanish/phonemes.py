"""Convert Spanish words to Kokoro's phonemes by the rules of Spanish spelling.

Kokoro's Spanish voices were trained on the notation of espeak-ng for Castilian Spanish: the stress mark
stands before the vowel, [ai] and [au] are one sign each, and b, d and g are soft inside a phrase. The
README's decisions say how many words of a dictionary come out as espeak-ng writes them.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from local.voice.chunks import MARKS

ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyzáéíóúüñ")
# An accent makes i and u strong: país has two syllables.
STRONG, ACCENTED = "aeoáéíóú", "áéíóú"
PLAIN = str.maketrans("áéíóúüy", "aeiouui")
CLUSTER = re.compile(r"[bcdfgkpt][lr]$|\br$")
VOWELS = re.compile(r"(?:[aeiouáéíóúü]|y(?![aeiouáéíóú]))+")
GLIDES = {"i": "j", "u": "w"}
# A strong and a weak vowel in one syllable.
DIPHTHONGS = {"ai": "I", "au": "W", "ei": "A", "eu": "eʊ", "oi": "oɪ", "ou": "oʊ"}
OPEN_E = re.compile("(?<=ˈ)e(?=[nŋ][^aeiouIWAjw])")
NASAL, SOFT = ("m", "n", "ŋ", "ɲ"), {"b": "β", "d": "ð", "ɡ": "ɣ"}
# Spelling -> consonants. The first that matches at a place is taken.
CONSONANTS = [
    (re.compile(spelling), sounds)
    for spelling, sounds in (
        ("ch", "ʧ"), (r"\bsh", "ʃ"), ("ll", "ʎ"), ("rr", "r"), ("ñ", "ɲ"), ("ph", "f"),
        ("qu(?=[eiéí])", "k"), ("q", "k"),
        ("gu(?=[eiéí])", "ɡ"), ("g(?=[eiéí])", "x"), ("g", "ɡ"), ("j", "x"),
        ("c(?=[eiéí])", "θ"), ("c", "k"), ("z", "θ"),
        # In these names x is read as j.
        ("(?<=m[eé])x(?=ic)|(?<=oa)x(?=ac)|(?<=te)x(?=an)", "x"), (r"\bx", "s"), ("x", "ks"),
        (r"\bp(?=s)", ""), (r"\br|(?<=[nls])r", "r"), ("r", "ɾ"), ("y", "ʝ"),
        ("n(?=[gj])", "ŋ"), ("n(?=[bfpv])", "m"), ("v", "b"), ("h", ""),
        ("([bdfklmnpstw])", r"\1"),
    )
]  # fmt: skip
# Words that are never stressed in a sentence, and those that are stressed weakly.
UNSTRESSED = frozenset({
    "a", "al", "con", "de", "del", "e", "el", "en", "i", "la", "las", "le", "les", "lo", "los", "me", "mi",
    "mis", "nos", "o", "os", "por", "que", "se", "si", "sin", "su", "sus", "te", "tu", "tus", "u", "y",
})  # fmt: skip
WEAK = frozenset({
    "como", "cuando", "desde", "donde", "entre", "hasta", "nuestra", "nuestras", "nuestro", "nuestros",
    "para", "pero", "porque", "sobre", "vuestra", "vuestras", "vuestro", "vuestros",
})  # fmt: skip


class Sound(NamedTuple):
    """Phonemes that belong together. `vowel`: they are the core of a syllable; `accented`: as written."""

    phonemes: str
    vowel: bool = False
    accented: bool = False


class Phonemes:
    def __init__(self, vocabulary: dict[str, int]) -> None:
        self._vocabulary = vocabulary

    def of(self, words: Sequence[str]) -> list[str]:
        """Return the phonemes of each word of a sentence, with the punctuation that stands at the word.

        The sound before a word decides how its first consonant is read: the v of "una vaca" is soft.
        """
        found: list[str] = []
        for word in words:
            before = found[-1][-1:] if found else ""
            found.append(_marked(word, "" if before in MARKS else before))
        return ["".join(sign for sign in phonemes if sign in self._vocabulary) for phonemes in found]


def _marked(word: str, before: str) -> str:
    lead, letters, trail = re.fullmatch(r"(\W*)(.*?)(\W*)", word, re.DOTALL).groups()  # type: ignore[union-attr]
    lead, trail = ("".join(character for character in part if character in MARKS) for part in (lead, trail))
    return lead + pronounce(letters, "" if lead else before) + trail


def pronounce(word: str, before: str = "") -> str:
    """Return the phonemes of one word. `before` is the sound that precedes it without a pause."""
    spelling = _spelling(word)
    sounds = _soft(list(_sounds(spelling)), before)
    marks = _stresses(spelling, sounds)
    spoken = "".join(marks.get(place, "") + sound.phonemes for place, sound in enumerate(sounds))
    return OPEN_E.sub("ɛ", spoken)


def _spelling(word: str) -> str:
    """Return the word in lower case and Spanish letters: foreign accents are removed (à, ô, ç)."""
    letters = (
        letter if letter in ALPHABET else unicodedata.normalize("NFKD", letter)
        for letter in unicodedata.normalize("NFC", word.lower())
    )
    return "".join(letter for letter in "".join(letters) if letter in ALPHABET)


def _sounds(spelling: str) -> Iterator[Sound]:
    place = 0
    while place < len(spelling):
        if vowels := VOWELS.match(spelling, place):
            place = vowels.end()
            inside = spelling[place:] not in ("", "s")
            yield from _syllables(vowels[0], inside and bool(CLUSTER.search(spelling[: vowels.start()])))
            continue
        for pattern, phonemes in CONSONANTS:
            if found := pattern.match(spelling, place):
                yield from (Sound(phoneme) for phoneme in found.expand(phonemes))
                place = found.end()
                break


def _syllables(vowels: str, after_cluster: bool) -> Iterator[Sound]:
    """Divide vowels in a row: a weak one (i, u) before another is a glide, one after a strong one joins it.

    After a consonant and l or r the first is no glide: triángulo has four syllables.
    """
    place = 0
    while place < len(vowels):
        vowel, rest = vowels[place], vowels[place + 1 :]
        plain, accented = vowel.translate(PLAIN), vowel in ACCENTED
        if vowel not in STRONG and rest and not (after_cluster and place == 0):
            yield Sound(GLIDES[plain])
        elif len(rest) == 1 and rest not in STRONG and plain + rest.translate(PLAIN) in DIPHTHONGS:
            yield Sound(DIPHTHONGS[plain + rest.translate(PLAIN)], True, accented)
            return
        else:
            yield Sound(plain, True, accented)
        place += 1


def _soft(sounds: list[Sound], before: str) -> list[Sound]:
    """Soften b, d and g unless they follow a pause or a nasal, or end a syllable."""
    softened: list[Sound] = []
    for place, sound in enumerate(sounds):
        following = sounds[place + 1].phonemes if place + 1 < len(sounds) else ""
        begins = place + 1 < len(sounds) and (sounds[place + 1].vowel or following in "jwɾl")
        prefix = sound.phonemes + following in ("bs", "db", "dx")  # observar, adverbio, adjetivo
        soft = sound.phonemes in SOFT and (begins or prefix) and before and before not in NASAL
        softened.append(Sound(SOFT[sound.phonemes]) if soft else sound)
        before = softened[-1].phonemes[-1]
    return softened


def _stresses(spelling: str, sounds: list[Sound]) -> dict[int, str]:
    """Return the stress marks by the place of the sound that they precede."""
    cores = [place for place, sound in enumerate(sounds) if sound.vowel]
    if not cores or spelling in UNSTRESSED:
        return {}
    if spelling.endswith("mente") and len(cores) > 3:  # An adverb keeps the stress of its adjective.
        adjective = cores[:-2]
        return _word_stress(spelling[:-5], sounds, adjective, "ˈ") | {cores[-2]: "ˈ"}
    return _word_stress(spelling, sounds, cores, "ˌ" if spelling in WEAK else "ˈ")


def _word_stress(spelling: str, sounds: list[Sound], cores: list[int], mark: str) -> dict[int, str]:
    regular = max(len(cores) - 2, 0) if spelling[-1] in "aeiouns" else len(cores) - 1
    stressed = next((core for core, place in enumerate(cores) if sounds[place].accented), regular)
    # Every second syllable of the beginning, but not the one before the stress.
    return {cores[core]: "ˌ" for core in range(0, stressed - 1, 2)} | {cores[stressed]: mark}

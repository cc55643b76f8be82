"""Times of spoken characters from the sound alone."""

import math
import random
from array import array

import pytest

from showrunner.production import captions, speech_times

RATE = 24_000
TEXT = (
    "Cables lie under the sea. They carry almost every message, and ships repair them in all weathers: "
    "with hooks, with patience, and with luck. Who would have thought it? Few people know."
)


def spoken(text, *, pace=14.0, seed=1):
    """Sound of a voice that speaks each word for its length and pauses at punctuation.

    Returns the samples and (word, start, end).
    """
    pick, samples, words = random.Random(seed), array("h"), []

    def add(seconds, loud):
        for number in range(round(seconds * RATE)):
            sound = math.sin(number * 0.05) * (1 + 0.5 * math.sin(number * 0.002)) if loud else 0
            samples.append(round(9000 * sound) + pick.randrange(-40, 40))

    add(0.12, loud=False)
    for word in text.split():
        begun = len(samples) / RATE
        add(len(word.strip(".,:?")) / pace * pick.uniform(0.85, 1.15), loud=True)
        words.append((word, begun, len(samples) / RATE))
        add({".": 0.5, "?": 0.5, ":": 0.35, ",": 0.25}.get(word[-1], 0.03), loud=False)
    return samples.tobytes(), words


@pytest.mark.parametrize("seed", range(5))
def test_words_are_heard_when_their_times_say(seed):
    samples, words = spoken(TEXT, seed=seed)

    starts, ends = speech_times.of_sound(TEXT, samples, RATE)

    seconds = len(samples) / 2 / RATE
    aligned = captions.align(TEXT, list(TEXT), starts, ends, seconds, "en")
    assert aligned.repair == ""
    assert [word.text for word in aligned.words] == [word for word, _, _ in words]
    off = sorted(abs(word.start_s - start) for word, (_, start, _) in zip(aligned.words, words, strict=True))
    assert off[len(off) // 2] < 0.12
    assert off[-1] < 0.5


def test_times_never_decrease_and_lie_inside_the_sound():
    samples, _ = spoken(TEXT, pace=9.0)
    starts, ends = speech_times.of_sound(TEXT, samples, RATE)

    assert len(starts) == len(ends) == len(TEXT)
    assert starts == sorted(starts)
    assert 0 <= starts[0] <= ends[-1] <= len(samples) / 2 / RATE


@pytest.mark.parametrize("samples", [b"", bytes(48_000)], ids=["nothing", "silence"])
def test_silence_has_no_times_and_is_spread_evenly_by_the_captions(samples):
    assert speech_times.of_sound("Bees fly.", samples, RATE) == ([], [])


@pytest.mark.parametrize("text", ["Bees fly", "Bees, hives, honey, wax, queens, drones, nests.", "3.5 km"])
def test_pauses_and_punctuation_need_not_agree_in_number(text):
    samples, _ = spoken("One two. Three four five six. Seven.")
    starts, ends = speech_times.of_sound(text, samples, RATE)

    assert len(starts) == len(ends) == len(text)
    assert starts == sorted(starts)

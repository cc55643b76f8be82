"""Captions: words and times from a recording's alignment, good or bad."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showrunner.production import captions
from showrunner.production.captions import Alignment
from tests.production.samples import words_text

TEXT = "The tide clock has one hand and turns once every twelve hours and twenty five minutes, like the sea."
STEP = 0.06
SECONDS = round(len(TEXT) * STEP, 3)
STARTS = [index * STEP for index in range(len(TEXT))]
ENDS = [start + STEP for start in STARTS]


def aligned(
    characters=TEXT, starts=STARTS, ends=ENDS, text=TEXT, seconds=SECONDS, language="en"
) -> Alignment:
    return captions.align(text, list(characters), list(starts), list(ends), seconds, language)


def check(found: Alignment, text: str, seconds: float) -> None:
    """Every word in order, each long enough to be seen, without overlap and inside the recording."""
    assert "".join(word.text for word in found.words) == "".join(text.split())
    least = min(0.06, seconds / len(found.words)) - 0.002
    for word, after in zip(found.words, [*found.words[1:], None], strict=True):
        assert math.isfinite(word.start_s)
        assert word.end_s - word.start_s >= least
        assert word.end_s <= (after.start_s if after else seconds) + 0.001


def test_good_times_are_kept_and_nothing_is_reported() -> None:
    found = aligned()

    check(found, TEXT, SECONDS)
    assert found.repair == ""
    assert [word.text for word in found.words] == TEXT.split()
    assert found.words[3] == ("has", pytest.approx(15 * STEP, abs=0.001), pytest.approx(18 * STEP, abs=0.001))


HALF = len(TEXT) // 2
BAD = {
    "collapsed half-way": {
        "starts": STARTS[:HALF] + [STARTS[HALF]] * (len(TEXT) - HALF),
        "ends": ENDS[:HALF] + [STARTS[HALF]] * (len(TEXT) - HALF),
    },
    "all at zero": {"starts": [0.0] * len(TEXT), "ends": [0.0] * len(TEXT)},
    "all at the end": {"starts": [SECONDS] * len(TEXT), "ends": [SECONDS] * len(TEXT)},
    "fewer times than characters": {"starts": STARTS[:40], "ends": ENDS[:35]},
    "fewer characters than times": {"characters": TEXT[:30]},
    "one word goes back": {
        "starts": STARTS[:40] + [0.1] * 6 + STARTS[46:],
        "ends": ENDS[:40] + [0.2] * 6 + ENDS[46:],
    },
    "backwards altogether": {"starts": STARTS[::-1], "ends": ENDS[::-1]},
    "ends before it starts": {"ends": [start - 0.5 for start in STARTS]},
    "crammed into a second": {
        "starts": [index / len(TEXT) for index in range(len(TEXT))],
        "ends": [(index + 1) / len(TEXT) for index in range(len(TEXT))],
    },
    "behind the audio": {"starts": [start * 3 for start in STARTS], "ends": [end * 3 for end in ENDS]},
    "negative": {"starts": [start - 3 for start in STARTS]},
    "not a number": {"starts": [math.nan if index % 9 == 0 else start for index, start in enumerate(STARTS)]},
    "other text": {"characters": TEXT.upper()},
    "numbers spelled out": {"characters": "The clock " + "x" * (len(TEXT) - 10)},
    "no characters at all": {"characters": ["" for _ in TEXT]},
}


@pytest.mark.parametrize("name", BAD)
def test_bad_times_are_repaired_and_reported(name: str) -> None:
    found = aligned(**BAD[name])

    check(found, TEXT, SECONDS)
    assert found.repair, "the repair is not reported"


def test_words_before_a_collapse_keep_their_times() -> None:
    found = aligned(**BAD["collapsed half-way"])

    assert [word.start_s for word in found.words[:7]] == [word.start_s for word in aligned().words[:7]]
    assert found.words[-1].end_s == pytest.approx(SECONDS, abs=0.05)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "今天天气很好，我们去公园散步。" * 12),
        ("ja", "公園に行きましょう。「行く。」と言った。"),
        ("th", "สวัสดีครับวันนี้อากาศดีมาก เราไปเดินเล่นกัน"),
        ("km", "សួស្តីពិភពលោកថ្ងៃនេះអាកាសធាតុល្អ"),
        ("ar", "مرحبا بالعالم، كيف الحال؟"),
        ("hi", "नमस्ते दुनिया। आज मौसम अच्छा है।"),
        ("en", "See https://example.org/" + "a" * 223 + " now"),
        ("en", "👨‍👩‍👧‍👦" * 30 + " family"),
    ],
)
def test_no_word_is_too_long_for_a_line(language: str, text: str) -> None:
    found = captions.align(
        text,
        list(text),
        [i * 0.1 for i in range(len(text))],
        [(i + 1) * 0.1 for i in range(len(text))],
        len(text) * 0.1,
        language,
    )

    check(found, text, len(text) * 0.1)
    assert max(len(word.text) for word in found.words) <= 40


@given(words_text, st.floats(0.5, 60), st.lists(st.tuples(st.floats(), st.floats()), max_size=60))
def test_any_times_give_words_in_order(text: str, seconds: float, times: list[tuple[float, float]]) -> None:
    starts, ends = [start for start, _ in times], [end for _, end in times]

    check(captions.align(text, list(text), starts, ends, seconds, "en"), text, seconds)


@given(words_text, st.floats(0.5, 60))
def test_words_without_alignment_fill_the_recording(text: str, seconds: float) -> None:
    found = captions.align(text, [], [], [], seconds, "en")

    check(found, text, seconds)
    assert found.repair == ""
    assert found.words[-1].end_s == pytest.approx(seconds, abs=0.01)

"""Captions: words and times from a recording's alignment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showrunner.production import captions
from tests.production.samples import words_text


@given(words_text)
def test_aligned_words_equal_the_text_and_times_never_decrease(text: str) -> None:
    starts = [index * 0.1 if index % 7 else 0.0 for index in range(len(text))]
    ends = [start + 0.1 for start in starts]

    found = captions.words(list(text), starts, ends)

    assert [word.text for word in found] == text.split()
    times = [time for word in found for time in (word.start_s, word.end_s)]
    assert times == sorted(times)


@given(words_text, st.floats(0.5, 60))
def test_words_without_alignment_fill_the_recording(text: str, seconds: float) -> None:
    found = captions.evenly(text, seconds)

    assert [word.text for word in found] == text.split()
    assert found[-1].end_s == pytest.approx(seconds, abs=0.01)

import os
import subprocess
import sys

import numpy as np
import pytest

from render.plan import timeline
from render.text import bidi, captions, lettering, subtitles
from tests.render.program import environment
from tests.render.samples import plain

# (language, sentence, its words from left to right on the screen)
LINES = [
    ("en", "YouTube הוא אתר גדול", ["YouTube", "גדול", "אתר", "הוא"]),
    ("he", "YouTube הוא אתר גדול", ["גדול", "אתר", "הוא", "YouTube"]),
    ("en", "She said שלום עולם today", ["She", "said", "עולם", "שלום", "today"]),
    ("he", "הוא עולה 25 USD היום", ["היום", "USD", "25", "עולה", "הוא"]),
    ("ar", "ملف PDF، نسخة 2.0", ["2.0", "نسخة", "،", "PDF", "ملف"]),
    ("fa", "سال 1402 شروع شد", ["شد", "شروع", "1402", "سال"]),
    ("he", "ראה YouTube (Google) כאן", ["כאן", "YouTube", "(Google)", "ראה"]),
    ("he", "ה-YouTube חדש", ["חדש", "YouTube", "ה-"]),
    ("en", "Only left to right", ["Only", "left", "to", "right"]),
]


def painted(spoken, text, language, preset="boxed"):
    parsed = timeline.parse(spoken(text, 1080, 1080, language=language, captions={"preset": preset}))
    return parsed, captions.Painter(parsed, parsed.outputs[0])


@pytest.mark.parametrize(("language", "text", "on_screen"), LINES)
def test_words_stand_in_visual_order(language, text, on_screen):
    words = [(word, index > 0) for index, word in enumerate(text.split())]
    parts = captions._visual_parts(words, bidi.is_rtl(text, language))
    assert [part.text for part in parts if part.word is not None] == on_screen
    assert sum(part.word is None for part in parts) == len(words) - 1


@pytest.mark.parametrize(("language", "text", "on_screen"), LINES)
def test_the_highlight_follows_the_words_as_they_are_spoken(spoken, language, text, on_screen):
    """The box behind the spoken word appears at the place of that word, whichever way the line is read."""
    _, painter = painted(spoken, text, language)
    margin, size = painter.style.base.margin, painter.style.base.size
    for page in painter.pages:
        words, _ = painter._prepared(page)
        for number, unit in enumerate(page.units):
            parts = [word for word in words if word.number == number]
            frame = plain(1080, 1080)
            painter.paint(frame, unit.start_s + 0.05)
            # A row of the box above all letters.
            columns = np.flatnonzero(frame.luma[parts[0].y + margin + round(0.2 * size)] < 160)
            left = min(part.x + margin for part in parts)
            right = max(part.x + margin + part.letters_width for part in parts)
            assert left - 0.2 * size <= columns.min() <= left + 1
            assert right - 1 <= columns.max() <= right + 0.2 * size


def test_a_broken_line_keeps_its_paragraphs_direction():
    """A line starts with a Latin word, but its paragraph is Hebrew: the word stands at the right."""
    lines, style = lettering.fitted("הסרטון הראשון YouTube שלנו", lettering.TextStyle(60), 420, 2)
    latin = next(line for line in lines if line.startswith("YouTube"))
    assert latin.endswith("שלנו")
    assert lettering._runs(latin, style)[-1][0] == "YouTube"


def test_brackets_are_mirrored_in_right_to_left_text():
    style = lettering.TextStyle(100, language="he")
    opening = lettering.masks("(ש", style).letters
    columns = np.flatnonzero(opening.max(axis=0) > 128)
    drawn = opening[:, columns.min() : columns.max() + 1]
    bracket = lettering.masks(")", lettering.TextStyle(100, rtl=False)).letters
    own = np.flatnonzero(bracket.max(axis=0) > 128)
    shape = bracket[:, own.min() : own.max() + 1]
    assert np.abs(drawn[:, -shape.shape[1] :].astype(int) - shape).mean() < 8


def test_subtitle_players_get_the_direction_too(spoken):
    _, painter = painted(spoken, "YouTube הוא אתר גדול", "he")
    assert "\n\u200fYouTube הוא" in subtitles.srt(painter.pages)
    _, painter = painted(spoken, "She said שלום today", "en")
    assert "\u200f" not in subtitles.srt(painter.pages)


NO_FRIBIDI = """
from render.errors import HostFailure
from render.text import bidi, lettering
style = lettering.TextStyle(60, outline=3)
assert not bidi.shaping()
assert lettering.masks("Latin letters", style).letters.max() == 255
for text in ("שלום", "مرحبا", "नमस्ते"):
    try:
        bidi.require_shaping(text)
    except HostFailure as failure:
        assert "libfribidi0" in str(failure)
    else:
        raise AssertionError(text)
"""


def test_without_fribidi_latin_text_is_drawn_and_other_text_is_refused_with_the_remedy(tmp_path):
    """An empty file in the place of the library: the loader finds it first and cannot open it."""
    for name in ("libfribidi.so.0", "libfribidi.so"):
        (tmp_path / name).touch()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", NO_FRIBIDI],
        env=environment(LD_LIBRARY_PATH=str(tmp_path), PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

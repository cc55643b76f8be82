import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from render import job
from render.errors import FontMissing, TimelineInvalid
from render.picture import contact_sheet
from render.plan import timeline
from render.text import bidi, captions, fonts, lettering, styles, subtitles
from render.text.pages import paginate
from tests.render.samples import plain

ASPECTS = [(540, 960), (960, 540), (720, 720)]
WORDS = st.lists(
    st.sampled_from(
        [
            "a",
            "of",
            "the",
            "sea",
            "hearts",
            "octopus,",
            "swimming.",
            "Unbelievably",
            "blood;",
            "counterintuitively",
            "iron!",
            "it",
            "37",
            "%",
            "copper-based",
        ]
    ),
    min_size=3,
    max_size=40,
)


def pages_of(document):
    parsed = timeline.parse(document)
    return paginate(parsed, parsed.outputs[0])


def test_captions_break_at_sentences_and_not_after_abbreviations(spoken):
    document = spoken("He met Prof. Lind at St. Pancras. It was cold and wet.", 960, 540, captions={})
    words = document["scenes"][0]["narration"]["words"]
    for word in words:
        word["ends_sentence"] = word["text"] in ("Pancras.", "wet.")
    shown = [page.text().split() for page in pages_of(document)]
    for word in words:
        del word["ends_sentence"]
    guessed = [page.text().split() for page in pages_of(document)]

    assert [page[-1] for page in shown if page[-1].endswith(".")] == ["Pancras.", "wet."]
    assert not {page[-1] for page in shown} & {"Prof.", "St."}
    # A plan that doesn't say it is broken by its punctuation, as before.
    assert {page[-1] for page in guessed} & {"Prof.", "St."}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, preset=st.sampled_from(sorted(styles.presets())), size=st.sampled_from(ASPECTS))
def test_pages_have_at_most_two_lines_and_no_widow(spoken, words, preset, size):
    document = spoken(" ".join(words), *size, captions={"preset": preset})
    found = pages_of(document)
    assert [unit.text for page in found for unit in page.units] == words
    for page in found:
        assert len(page.lines) <= 2
        if len(page.lines) == 2:
            assert len(page.lines[1]) >= 2, page.text()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, preset=st.sampled_from(sorted(styles.presets())), size=st.sampled_from(ASPECTS))
def test_pages_follow_one_another_without_overlap(spoken, words, preset, size):
    found = pages_of(spoken(" ".join(words), *size, captions={"preset": preset}))
    for before, after in pairwise(found):
        assert before.start_s < before.end_s <= after.start_s


def test_no_page_has_a_single_word_left_over(spoken):
    found = pages_of(spoken("Two of them pump blood through the gills and the third serves the body"))
    assert all(len(page.units) > 1 for page in found)


def test_a_sentence_ends_its_page(spoken):
    found = pages_of(spoken("It has three hearts. They all beat. Two serve the gills."))
    assert all(not unit.text.endswith(".") for page in found for unit in page.units[:-1])


@pytest.mark.parametrize("preset", sorted(styles.presets()))
@pytest.mark.parametrize("size", ASPECTS)
def test_captions_stay_inside_the_safe_area(spoken, preset, size):
    """Paint captions on a plain frame, in every script, at the moment of the largest word."""
    for language, text in contact_sheet.SAMPLES.values():
        parsed = timeline.parse(spoken(text, *size, language=language, captions={"preset": preset}))
        painter = captions.Painter(parsed, parsed.outputs[0])
        for page in painter.pages[:2]:
            frame = plain(*size, luma=200)
            painter.paint(frame, page.units[-1].start_s + 0.06)
            rows, columns = np.nonzero(frame.luma != 200)
            assert rows.size > 50, (language, page.text())
            safe = parsed.outputs[0].safe_area
            assert rows.min() >= safe.top * size[1] - 1
            assert rows.max() <= (1 - safe.bottom) * size[1] + 1
            assert columns.min() >= safe.left * size[0] - 1
            assert columns.max() <= (1 - safe.right) * size[0] + 1


def test_the_fonts_have_all_letters_of_the_sample_scripts():
    for _, text in contact_sheet.SAMPLES.values():
        assert fonts.missing(text) == []
        assert fonts.split(text, "anton", 400)


def test_arabic_is_shaped_and_joined():
    word = "للأخطبوط"
    style = lettering.TextStyle(100)
    assert bidi.shaping()
    assert lettering.width(word, style) < 0.8 * sum(lettering.width(letter, style) for letter in word)


def test_a_word_is_never_drawn_with_two_fonts():
    """Anton has Δ and Σ for formulas, but not the rest of the Greek alphabet."""
    for word in ("ΧΤΑΠΟΔΙ", "ΤΡΕΙΣ", "Việt", "сердца"):
        assert len({face for _, face in fonts.split(word, "anton", 400)}) == 1
    assert fonts.split("octopus", "anton", 400)[0][1].name.startswith("Anton")


def test_devanagari_conjuncts_are_formed():
    style = lettering.TextStyle(100)
    assert lettering.width("क्ष", style) < lettering.width("क", style) + lettering.width("ष", style)


def test_a_han_character_has_its_regional_form():
    drawn = [
        lettering.masks("直", lettering.TextStyle(120, language=language)).letters
        for language in ("zh-CN", "ja")
    ]
    assert (drawn[0] != drawn[1]).any()


def test_a_right_to_left_line_starts_at_the_right(spoken):
    parsed = timeline.parse(
        spoken("للأخطبوط ثلاثة قلوب", 1080, 1080, language="ar", captions={"preset": "clean"})
    )
    painter = captions.Painter(parsed, parsed.outputs[0])
    placed, _ = painter._prepared(painter.pages[0])
    assert [word.number for word in sorted(placed, key=lambda word: word.x)] == [2, 1, 0]


def test_no_chinese_line_starts_with_closing_punctuation(spoken):
    for name in ("Han", "Kana"):
        language, text = contact_sheet.SAMPLES[name]
        for preset in styles.presets():
            for page in pages_of(spoken(text * 3, language=language, captions={"preset": preset})):
                for line in page.lines:
                    assert line[0].text[0] not in lettering.NOT_FIRST


def test_subtitle_files_contain_the_burned_in_pages(spoken):
    found = pages_of(spoken("Salt & <pepper> make it taste, of course, much better."))
    srt, vtt = subtitles.srt(found), subtitles.vtt(found, "en")
    texts = [block.split("\n", 2)[2] for block in srt.strip().split("\n\n")]
    assert texts == [page.text() for page in found]
    assert "&amp; &lt;pepper&gt;" in vtt
    times = [
        float(h) * 3600 + float(m) * 60 + float(s.replace(",", "."))
        for h, m, s in re.findall(r"(\d\d):(\d\d):(\d\d,\d{3})", srt)
    ]
    assert times == sorted(times)
    assert re.findall(r"--> .*", srt) == [line.replace(".", ",") for line in re.findall(r"--> .*", vtt)]


def test_an_unknown_preset_is_refused_with_the_known_ones(spoken):
    with pytest.raises(TimelineInvalid, match="bold"):
        pages_of(spoken("one two three", captions={"preset": "comic"}))


def test_an_unknown_override_is_refused(spoken):
    with pytest.raises(TimelineInvalid, match="colr"):
        pages_of(spoken("one two three", captions={"preset": "bold", "overrides": {"colr": "#ffffff"}}))


def test_an_override_changes_one_field_and_keeps_the_rest(spoken):
    parsed = timeline.parse(
        spoken(
            "one two three",
            captions={"preset": "bold", "overrides": {"case": "upper", "outline": {"width": 0.2}}},
        )
    )
    look = styles.resolve_style(parsed.captions, parsed.palette, parsed.outputs[0], "en")
    assert look.case == "upper"
    assert look.base.outline == round(0.2 * look.base.size)


def test_a_missing_letter_is_an_error_and_a_missing_symbol_is_reported(spoken):
    with pytest.raises(FontMissing, match="CANADIAN"):
        pages_of(spoken("ᐊᐃᐅ one two"))
    assert fonts.missing("three hearts \U0001fbf0") == ["\U0001fbf0"]


EMOJI = ["🎉", "❤️", "👍🏽", "👨‍👩‍👧", "🇩🇪", "1️⃣", "☀️", "→", "✓", "₿"]


@pytest.mark.parametrize("emoji", EMOJI)
def test_an_emoji_sequence_is_drawn_as_one_picture(emoji):
    """A sequence is no wider than two letters, and is not the box for a missing glyph."""
    style = lettering.TextStyle(100)
    assert fonts.missing(emoji) == []
    assert fonts.clusters(f"a{emoji}b") == ["a", emoji, "b"]
    drawn = lettering.masks(emoji, style).letters
    assert np.count_nonzero(drawn > 128) > 300
    assert lettering.width(emoji, style) < 160
    ((_, face),) = fonts.split(emoji, "inter", 700)
    box = fonts.load(face, 100).getmask("\U0010fffd")
    assert box.size != fonts.load(face, 100).getmask(emoji).size or bytes(box) != bytes(
        fonts.load(face, 100).getmask(emoji)
    )


def test_no_two_flags_have_the_same_picture_but_the_neutral_ones():
    """Norway was drawn as BV. A pair of letters that is no flag has a question mark."""
    style = lettering.TextStyle(24)
    letters = [chr(0x1F1E6 + index) for index in range(26)]
    pictures = {a + b: lettering.masks(a + b, style).letters.tobytes() for a in letters for b in letters}
    neutral = {lettering.masks(flag, style).letters.tobytes() for flag in ("🏳", "🇿🇿")}
    shown = [picture for picture in pictures.values() if picture not in neutral]
    assert len(shown) == len(set(shown)) > 250
    assert pictures["🇳🇴"] in neutral
    assert pictures["🇩🇪"] not in neutral


@pytest.mark.parametrize("script", sorted(contact_sheet.SAMPLES))
def test_no_letter_is_lost_between_fonts(script):
    _, text = contact_sheet.SAMPLES[script]
    for family, weight in (("inter", 700), ("anton", 400), ("montserrat", 800), ("source-serif", 600)):
        assert "".join(run for run, _ in fonts.split(text, family, weight)) == text


def test_a_space_after_an_emoji_is_no_wider_than_any_other():
    style = lettering.TextStyle(100)
    assert lettering.width("🎉 a", style) < lettering.width("🎉", style) + lettering.width("a", style) + 45


def test_titles_and_charts_are_checked_for_missing_characters_too(plan):
    document = plan(title="All of it \U0001fbf0")
    document["scenes"][0]["visual"]["generated"] = {
        "template": "chart_bar",
        "series": [{"label": "Rare \U0001fbf1", "value": 1}],
    }
    assert job._preflight(timeline.parse(document))[1] == ["\U0001fbf0", "\U0001fbf1"]


@pytest.mark.parametrize("accent", ["#101010", "#ffffff", "#0000aa", "#ffb84d"])
def test_the_highlight_is_readable_whatever_the_brand(spoken, accent):
    from render.picture import colour

    for preset in styles.presets():
        parsed = timeline.parse(
            spoken("one two", captions={"preset": preset}, brand={"palette": {"accent": accent}})
        )
        look = styles.resolve_style(parsed.captions, parsed.palette, parsed.outputs[0], "en")
        behind = look.panel[0] if look.panel else look.base.outline_fill
        assert colour.contrast(look.spoken.fill, behind) >= 4.5

"""The mood of the music follows the script's style and words."""

import re

import pytest

from showrunner.production import moods
from tests.production.samples import written


def script_about(text: str):
    found = written(60, 2)
    scenes = [scene.model_copy(update={"narration": text}) for scene in found.scenes[:1]]
    return found.model_copy(update={"scenes": scenes})


@pytest.mark.parametrize(
    ("style", "plain"), [("educational", "calm"), ("entertainment", "bright"), ("news", "news")]
)
def test_a_script_without_words_of_a_mood_gets_the_mood_of_its_style(style, plain):
    text = "The committee met on Tuesday and wrote down what each member had measured in the warm water."
    assert moods.of_script(script_about(text), style, "en") == plain


@pytest.mark.parametrize(
    ("language", "text", "mood"),
    [
        ("en", "The storm brought danger. Fear spread, and the crash left victims in the dark.", "tense"),
        ("en", "They dreamed of a future, and with courage and hope they overcame it.", "hopeful"),
        ("en", "A funny cat laughs at a silly joke, and the clown has a toy.", "playful"),
        ("es", "La tormenta trajo peligro y miedo, y la guerra dejó víctimas.", "tense"),
        ("fr", "Le chien drôle et le clown jouent au jeu, quelle blague.", "playful"),
        ("de", "Mit Hoffnung und mutig in die Zukunft: der Traum wurde ein Erfolg.", "hopeful"),
    ],
)
def test_the_words_of_a_script_choose_its_mood(language, text, mood):
    assert moods.of_script(script_about(text), "educational", language) == mood


def test_a_language_without_listed_words_gets_the_mood_of_its_style():
    assert (
        moods.of_script(script_about("Perigo, medo e guerra: vítimas na tempestade."), "educational", "pt")
        == "calm"
    )


def test_news_are_never_playful():
    text = "A funny cat laughs at a silly joke, and the clown has a toy and a game."
    assert moods.of_script(script_about(text), "news", "en") == "news"


def test_words_that_only_begin_like_a_mood_do_not_count():
    text = "Warm windows, category, function, kidney, software, restaurant, warning, deadline, dogma, sole."
    assert moods.of_script(script_about(text), "educational", "en") == "calm"
    assert not re.search(moods._pattern("tense", "de"), "die totale zahl der giftigen mutter")


@pytest.mark.parametrize("language", ["en", "es", "fr", "de"])
def test_every_mood_but_that_of_news_has_words_in_every_language(language):
    assert all(moods._WORDS[mood][language].split() for mood in moods.MOODS if mood != "news")

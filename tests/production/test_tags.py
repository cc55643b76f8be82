"""Test that tags name things: nouns of the text, not verbs and prepositions."""

import pytest

from showrunner.production import planning, tags
from tests.production.samples import written

TIDE = (
    "The tide clock has one hand. The ocean bulges toward the moon. As the Earth turns, the ocean carries "
    "two bulges around the planet. Fishermen in Norway read the clock before they sail."
)


@pytest.mark.parametrize(
    ("language", "text", "wanted", "unwanted"),
    [
        (
            "en",
            TIDE,
            {"tide", "ocean", "moon", "earth", "planet", "norway", "clock"},
            {"toward", "bulges", "around"},
        ),
        (
            "fr",
            "L'océan monte vers la lune. La marée suit la lune, et le port de Brest attend la marée.",
            {"océan", "lune", "marée", "port", "brest"},
            {"vers", "attend", "monte"},
        ),
        (
            "es",
            "El mar sube hacia la luna. Los puertos de Vigo siempre esperan la marea.",
            {"luna", "puertos", "vigo", "marea"},
            {"hacia", "siempre", "esperan"},
        ),
        (
            "de",
            "Der Hafen schläft. Die Flut folgt dem Mond, und der Hafen in Hamburg wartet zwischen den Ufern.",
            {"hafen", "flut", "mond", "hamburg", "ufern"},
            {"zwischen", "schläft", "wartet"},
        ),
        (
            "es",
            "La bahía mide 80 kilómetros. El agua sube 16 metros y baja a 4 grados.",
            {"bahía", "agua"},
            {"kilómetros", "metros", "grados"},
        ),
        ("de", "Die Flut steigt 3,5 Meter bei 10 Grad.", {"flut"}, {"meter", "grad"}),
        ("ru", "Порт уже спал. Порт ждал моряка.", {"порт"}, {"ждал"}),
    ],
)
def test_tags_are_what_the_text_names(language: str, text: str, wanted: set[str], unwanted: set[str]) -> None:
    found = set(tags.of_text(text, [], language))

    assert wanted <= found
    assert not unwanted & found


@pytest.mark.parametrize(
    ("language", "tag"),
    [("en", "Toward"), ("en", "through"), ("es", "hacia"), ("fr", "vers"), ("de-AT", "zwischen")],
)
def test_a_models_tag_that_names_nothing_is_left_out(language: str, tag: str) -> None:
    answered = written(40).model_copy(update={"tags": ["tide", tag, f"{tag} the moon"]})

    assert planning.finished(answered, language).tags == ["tide", f"{tag} the moon"]


def test_words_of_the_titles_come_first_and_no_more_than_ten_are_kept() -> None:
    text = " ".join(f"The thing{letter} waits for the harbour." for letter in "abcdefghijklmnop")

    found = tags.of_text(text, ["A harbour"], "en")

    assert found[0] == "harbour"
    assert len(found) == tags.MOST

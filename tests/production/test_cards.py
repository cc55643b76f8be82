"""Test which card a passage gets."""

import itertools

import pytest

from showrunner.production import cards, planning, timeline, visuals
from tests.production.samples import job, pictures, recording, visual, written

FIGURES = [
    ("en", "It was 50 meters long when it was built in 1858.", "50", "meters long"),
    ("en", "It carried 200 terabits per second in 1858.", "200", "terabits per second"),
    ("en", "By May 2026 it had 8,000 users.", "8,000", "users"),
    ("en", "It cost $3.5 million to build.", "$3.5 million", "to build"),
    ("en", "Every day 1.4 billion people speak it.", "1.4 billion", "people speak"),
    ("de", "Am 3. Mai kamen 1.200 Schiffe.", "1.200", "Schiffe"),
    ("de", "Er zahlte 2,5 Millionen Euro dafür.", "2,5 Millionen", "Euro dafür"),
    ("fr", "Elle a payé 3,50 € pour le pain.", "3,50 €", "pour le pain"),
    ("fr", "Il pèse 12 000 tonnes.", "12 000", "tonnes"),
    ("es", "Llegó con 1.200 kg de sal.", "1.200", "kg de sal"),
    ("es", "Cada costa ve 2 mareas altas en 24 horas y 50 minutos.", "2", "mareas altas"),
    ("es", "La luna está a unos 384.000 km y los atrae.", "384.000", "km"),
    ("en", "Cables break about 150 to 200 times a year.", "150 to 200", "times a year"),
]


@pytest.mark.parametrize(("language", "text", "value", "label"), FIGURES)
def test_a_figure_becomes_a_card_with_what_it_counts(
    language: str, text: str, value: str, label: str
) -> None:
    card = cards.from_words(text, language)

    assert (card.template, card.value, card.label) == ("number", value, label)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "He left at 9 a.m. on Jan. 5 from Pier 4."),
        ("en", "In 1858 the first cable failed."),
        ("en", "From 1858 to 1866 nobody tried it again."),
        ("es", "Tardó 24 horas y 50 minutos."),
        ("en", "Call 555-0199 now, or +1 415 555 0100."),
        ("en", "Version 3.13.1 came out late."),
        ("en", "It rose by 10–20 percent."),
        ("de", "Das Schiff kam am 3. Mai um 9 Uhr."),
        ("fr", "Il est parti à 9 heures."),
        ("es", "Salió el 5 de enero a las 9 de la noche."),
    ],
)
def test_times_dates_years_versions_and_phone_numbers_are_no_figures(language: str, text: str) -> None:
    assert cards.from_words(text, language).template != "number"


@pytest.mark.parametrize(
    ("language", "text", "shown"),
    [
        ("en", "He said “we choose to go to the moon” and left.", "we choose to go to the moon"),
        ("de", "Sie sagte: „Der Hafen schläft noch immer tief.“", "Der Hafen schläft noch immer tief."),
        ("fr", "Il dit : « Le port dort encore ce matin »", "Le port dort encore ce matin"),
    ],
)
def test_a_quotation_becomes_a_card(language: str, text: str, shown: str) -> None:
    card = cards.from_words(text, language)

    assert (card.template, card.text) == ("quote", shown)


@pytest.mark.parametrize(
    ("language", "text", "shown"),
    [
        ("en", "The sea is calm. Boats wait in the harbour for the tide to come back in.", "The sea is calm"),
        ("zh", "谁会买呢？港口已经睡着了。", "港口已经睡着了"),
        (
            "es",
            "Cuando sube la marea, los barcos de los pescadores salen del viejo puerto.",
            "Cuando sube la marea",
        ),
        ("es", "La luna está a unos mil kilómetros y,", "La luna está a unos mil kilómetros"),
        ("es", "y por eso cada costa", "por eso cada costa"),
        ("es", "Si está llena o es nueva,", "Si está llena o es nueva"),
        ("fr", "mais la mer remonte et le", "la mer remonte"),
        ("de", "Aber niemand wartet.", "Aber niemand wartet"),
    ],
)
def test_other_passages_show_their_key_phrase(language: str, text: str, shown: str) -> None:
    card = cards.from_words(text, language)

    assert (card.template, card.text) == ("phrase", shown)


def test_no_counter_runs_through_figures_that_nobody_said() -> None:
    counter = visual(template="counter", value="1,858", label="ships")

    assert visuals.generated(counter, "0")["generated"]["template"] == "number"


@pytest.mark.parametrize(
    ("language", "text", "title"),
    [
        ("en", "The sea is calm. Boats wait.", "The sea is calm"),
        (
            "en",
            "When the tide comes back into the harbour, the boats of the fishermen rise and sail away early.",
            "When the tide comes back into the harbour",
        ),
        ("de", "# Ebbe und Flut\n\nDer Hafen schläft.", "Ebbe und Flut"),
        ("zh", "港口已经睡着了。谁会买呢？", "港口已经睡着了"),
        ("es", "¿Quién lo diría? El puerto ya dormía.", "¿Quién lo diría?"),
    ],
)
def test_the_title_of_a_manual_script_is_short(language: str, text: str, title: str) -> None:
    assert planning.manual(text, None, language).title == title


def test_pauses_bring_a_written_video_to_its_length() -> None:
    text = written(100, 4)
    for seconds_each in (3.9, 4.4, 5.0):
        recordings = [recording(passage, seconds_each) for passage in text.passages]
        ordered = job(length_seconds=30)
        planned = timeline.plan(ordered, text, recordings, pictures(text, ordered))

        assert abs(timeline.duration(planned) - 30) <= 3
        starts = [s["narration"]["start_s"] for s in planned["scenes"]]
        pauses = [after - before - seconds_each for before, after in itertools.pairwise(starts)]
        shortest, longest = timeline.PAUSES_SECONDS
        assert all(shortest - 0.01 <= pause <= longest + 0.01 for pause in pauses)


@pytest.mark.parametrize(
    ("language", "text", "unit", "series"),
    [
        (
            "en",
            "A message by cable needs 30 milliseconds. The same message by satellite needs 250 milliseconds.",
            "Milliseconds",
            [("Cable", 30), ("Satellite", 250)],
        ),
        (
            "en",
            "A cable needs 30 milliseconds, a satellite 250.",
            "Milliseconds",
            [("Cable", 30), ("Satellite", 250)],
        ),
        (
            "en",
            "Nigeria has 220 million people, and Ghana has 34 million people.",
            "million people",
            [("Nigeria", 220), ("Ghana", 34)],
        ),
        (
            "en",
            "Elephants live 70 years, horses live 30 years.",
            "Years",
            [("Elephants", 70), ("Horses", 30)],
        ),
        ("es", "El tren recorre 300 km y el coche recorre 90 km.", "km", [("Tren", 300), ("Coche", 90)]),
        (
            "de",
            "Die Bahn braucht 3 Stunden, das Auto braucht 5 Stunden.",
            "Stunden",
            [("Auto", 5), ("Bahn", 3)],
        ),
        ("fr", "Le train coûte 45 €, mais le bateau coûte 90 €.", "€", [("Train", 45), ("Bateau", 90)]),
    ],
)
def test_a_comparison_in_a_script_gets_its_bars(
    language: str, text: str, unit: str, series: list[tuple[str, float]]
) -> None:
    card = cards.from_words(text, language)

    assert (card.template, card.text) == ("chart_bar", unit)
    assert sorted((each.label, each.value) for each in card.series) == sorted(series)


def test_figures_of_three_years_become_a_line() -> None:
    text = (
        "In 1990 Lagos had 4.7 million people, in 2000 it had 7.2 million people, in 2020 14 million people."
    )
    card = cards.from_words(text, "en")

    assert card.template == "chart_line"
    assert [(each.label, each.value) for each in card.series] == [("1990", 4.7), ("2000", 7.2), ("2020", 14)]
    assert cards.says(card, text)
    assert not cards.says(card, text.replace("7.2", "8.3"))


@pytest.mark.parametrize(
    "text",
    [
        "A whale weighs 150 tons. It eats 4 tons a day.",
        "The tower is 300 meters tall and weighs 10,100 tons.",
        "It takes 3 hours, then 5 hours more.",
        "Cables break about 150 to 200 times a year. A repair takes 10 days.",
        "A drop weighs 1 gram and the ship carries 90,000 grams.",
        "Queen Victoria sent a message of 98 words, and it took about 16 hours to arrive.",
        "Light moves at 200,000 kilometers per second. The cable is 6,000 kilometers long.",
    ],
)
def test_figures_without_a_name_of_their_own_get_no_bars(text: str) -> None:
    assert not cards.from_words(text, "en").series

"""Test which card a passage gets, and when a card is shown."""

import itertools

import pytest

from showrunner.production import cards, planning, timeline, visuals
from tests.production.samples import TIMELINE, job, recording, visual, written

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
    ],
)
def test_other_passages_show_their_key_phrase(language: str, text: str, shown: str) -> None:
    card = cards.from_words(text, language)

    assert (card.template, card.text) == ("phrase", shown)


def words(text: str, seconds_each: float = 0.5, start_s: float = 0.0) -> list[dict[str, object]]:
    return [
        {"text": word, "start_s": start_s + n * seconds_each, "end_s": start_s + (n + 1) * seconds_each}
        for n, word in enumerate(text.split())
    ]


LONG = (
    "The hull was built in a small yard near the river by four brothers. "
    "It was 50 meters long. Nobody had seen such a ship before, and people came from far to look at it."
)


def test_a_figure_appears_with_its_words_and_leaves_after_their_sentence() -> None:
    spoken = words(LONG)
    card = {"template": "number", "value": "50", "label": "meters long"}

    appears, leaves = cards.span(card, spoken, "en", 0.0, spoken[-1]["end_s"] + 0.2)

    at = next(word for word in spoken if word["text"] == "50")
    assert appears == pytest.approx(at["start_s"] - cards.LEAD_SECONDS)
    assert leaves == pytest.approx(appears + cards.SHORTEST_CARD_SECONDS)
    assert leaves < next(word for word in spoken if word["text"] == "before,")["end_s"]


@pytest.mark.parametrize(
    "card",
    [
        {"template": "number", "value": "500", "label": "meters"},
        {"template": "number", "value": "5", "label": "meters"},
        {"template": "gradient"},
        {"template": "chart_bar", "series": [{"label": "a", "value": 1.0}]},
    ],
)
def test_a_card_whose_words_are_not_spoken_as_written_stands_for_the_whole_scene(
    card: dict[str, object],
) -> None:
    assert cards.span(card, words(LONG), "en", 1.0, 20.0) == (1.0, 20.0)


def test_an_abbreviation_does_not_end_the_sentence_of_a_card() -> None:
    text = (
        "Long before anybody thought of it they met at the old pier. "
        "The 40 divers of Dr. Okafor found St. Ives asleep. "
        "Then they left the quiet harbour for many long years."
    )
    spoken = words(text)

    leaves = cards.span({"template": "number", "value": "40"}, spoken, "en", 0.0, 30.0)[1]

    assert leaves == pytest.approx(
        next(w["end_s"] for w in spoken if w["text"] == "asleep.") + cards.LEAD_SECONDS
    )


def planned_of(text: str, language: str = "en", **changes: object) -> dict[str, object]:
    script = planning.finished(planning.manual(text, None, language), language)
    recordings = [recording(passage, len(passage) * 0.06) for passage in script.passages]
    pictures = [
        timeline.Picture.model_validate(visuals.generated(each, 1)) for each in visuals.of_passages(script)
    ]
    return timeline.plan(job(language=language, manual_script=text, **changes), script, recordings, pictures)


def test_a_manual_script_gets_cards_that_stand_only_while_their_words_are_spoken() -> None:
    planned = planned_of(LONG)

    TIMELINE.validate(planned)
    edges = [(scene["start_s"], scene["end_s"]) for scene in planned["scenes"]]
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
    card = next(s for s in planned["scenes"] if s["visual"]["generated"]["template"] == "number")
    spoken = [
        word for scene in planned["scenes"] if scene["narration"] for word in scene["narration"]["words"]
    ]
    figure = next(word for word in spoken if word["text"] == "50")
    assert 0 <= figure["start_s"] - card["start_s"] < 1.5
    assert card["end_s"] < spoken[-1]["end_s"]


def test_no_counter_runs_through_figures_that_nobody_said() -> None:
    counter = visual(template="counter", value="1,858", label="ships")

    assert visuals.generated(counter, 1)["generated"]["template"] == "number"


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
        pictures = [
            timeline.Picture.model_validate(visuals.generated(each, 1)) for each in visuals.of_passages(text)
        ]
        planned = timeline.plan(job(length_seconds=30), text, recordings, pictures)

        assert abs(timeline.duration(planned) - 30) <= 3
        starts = [s["narration"]["start_s"] for s in planned["scenes"] if s["narration"]]
        pauses = [after - before - seconds_each for before, after in itertools.pairwise(starts)]
        shortest, longest = timeline.PAUSES_SECONDS
        assert all(shortest - 0.01 <= pause <= longest + 0.01 for pause in pauses)

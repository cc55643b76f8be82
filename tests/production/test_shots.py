"""Passages are divided into shots at sentences, clauses and pauses; each shows what its own words say."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from showrunner.errors import PromiseNotKept
from showrunner.production import planning, shots, timeline, visuals
from showrunner.production.script import Script, ShotDescription
from showrunner.production.segmentation import caption_words, sentence_ends
from tests.production.samples import TIMELINE, job, pictures, recording, visual, words_text, written

BRIEF = json.loads((Path(__file__).parents[2] / "events/brief.json").read_text())
PACES = ("calm", "normal", "fast")


def manual(text: str, language: str = "en") -> Script:
    return planning.finished(planning.manual(text, None, language), language)


def planned(text: str, language: str = "en", **changes: Any) -> dict[str, Any]:
    """Return the plan of a manual script that is spoken at a usual speed."""
    ordered, script = job(language=language, manual_script=text, **changes), manual(text, language)
    recordings = [recording(passage, len(passage) * 0.063) for passage in script.passages]
    return timeline.plan(ordered, script, recordings, pictures(script, ordered))


def lengths(plan: dict[str, Any]) -> list[float]:
    return [shot["end_s"] - shot["start_s"] for scene in plan["scenes"] for shot in scene["shots"]]


@pytest.mark.parametrize("pace", PACES)
def test_shots_last_two_to_seven_seconds_and_differ_in_length(pace: Any) -> None:
    found = lengths(planned(BRIEF["source_text"], pace=pace))

    assert min(found) >= timeline.SHORTEST_SHOT_SECONDS
    assert max(found) < 7
    assert sum(2 <= each <= 6 for each in found) >= 0.85 * len(found)
    assert 60 * len(found) / sum(found) >= 10
    assert len({round(each, 1) for each in found}) > 10


def test_a_faster_channel_has_more_shots() -> None:
    counts = [len(lengths(planned(BRIEF["source_text"], pace=pace))) for pace in PACES]

    assert counts[0] < counts[1] < counts[2]


@pytest.mark.parametrize("seed", range(6))
def test_a_sentence_is_not_parted_where_one_begins_beside_it(seed: int) -> None:
    text = (
        "In deep water, a modern cable is about as thick as a garden hose. Light moves through glass at "
        "about 200,000 kilometers per second, two thirds of its speed in empty space."
    )
    number = visual(template="counter", text="Light", value="200,000", label="kilometers per second")
    fast = job(voice=job().voice._replace(words_per_minute=229))

    found = shots.divide(text, number, fast, seed)

    assert [shot.text.split()[0] for shot in found[:2]] == ["In", "Light"]


def test_most_cuts_are_at_the_end_of_a_sentence_or_clause() -> None:
    script = manual(BRIEF["source_text"])
    inside = [shot.text[-1] for passage in shots.of_script(script, job()) for shot in passage[:-1]]

    assert sum(last in ".,;:" for last in inside) >= 0.7 * len(inside)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("de", "Der Hafen schläft noch. Am Morgen kommen die Fischer zurück, und dann wird es laut am Kai."),
        ("fr", "Le port dort encore. Au matin, les pêcheurs reviennent et le quai se réveille peu à peu."),
        ("zh", "港口已经睡着了。早上渔民回来的时候，码头上就会变得非常热闹，到处都是人和船。"),
    ],
)
def test_shots_have_all_the_words_of_their_passage(language: str, text: str) -> None:
    ordered = job(language=language)
    found = shots.divide(text, visual(), ordered, 1)

    assert len(found) > 1
    assert sum(shot.words for shot in found) == len(caption_words(text, language))
    assert "".join("".join(shot.text for shot in found).split()) == "".join(text.split())


@settings(max_examples=60, deadline=None)
@given(words_text, st.sampled_from(PACES), st.floats(0.2, 90))
def test_any_text_and_recording_is_divided_without_gaps(text: str, pace: Any, seconds: float) -> None:
    script = written(12).model_copy(update={"hook": text})
    ordered = job(pace=pace)
    recordings = [recording(passage, seconds) for passage in script.passages]

    plan = timeline.plan(ordered, script, recordings, pictures(script, ordered))

    for scene in plan["scenes"]:
        edges = [(shot["start_s"], shot["end_s"]) for shot in scene["shots"]]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
        assert all(last - first >= 1.49 for first, last in edges) or len(edges) == 1


def test_a_long_shot_is_divided_into_parts_that_can_all_be_seen() -> None:
    shot = pictures(written(12), job())[0][0].model_copy(update={"kind": "photograph"})
    starts = [1.55, 3.2, 6.9, 7.1, 7.3, 12.4]
    words = [{"text": "x", "start_s": 0.0, "end_s": 0.4}]
    words += [{"text": "x", "start_s": start, "end_s": start + 0.1} for start in starts]

    parts = timeline._divided((0.0, 13.8, shot), words)

    assert len(parts) > 1
    assert all(last - first >= 1.499 for first, last, _ in parts)


def described(begins: str, kind: Any = "footage", **fields: Any) -> ShotDescription:
    return ShotDescription(begins=begins, kind=kind, **{"searches": [], "avoid": [], **fields})


TIDE = (
    "The harbour sleeps under grey clouds while the old boats wait for a tide that is late tonight. "
    "Nobody speaks on the pier, and the lamps burn low until the first gulls come home."
)


def test_shots_begin_where_the_writer_begins_them_and_show_what_is_described() -> None:
    wanted = [
        described("The harbour sleeps", searches=["harbour at night", "grey clouds", "pier", "more"]),
        described("while the old", "photograph", searches=["old fishing boats"], avoid=["yacht"]),
        described("nobody speaks", searches=["empty pier"]),
    ]

    found = shots.divide(TIDE, visual(), job(), 1, wanted)

    assert [shot.text.split()[0] for shot in found][:3] == ["The", "while", "Nobody"]
    assert found[0].queries == ["harbour at night", "grey clouds", "pier"]
    assert (found[1].kind, found[1].avoid) == ("photograph", ["yacht"])
    assert found[-1].queries == ["empty pier"]


def test_descriptions_of_words_that_are_not_spoken_are_left_out() -> None:
    wanted = [described("Something else entirely", searches=["nothing"]), described("")]

    assert shots.divide(TIDE, visual(), job(), 1, wanted) == shots.divide(TIDE, visual(), job(), 1)


def test_a_diagram_is_shown_where_the_writer_wants_it() -> None:
    steps = visual(template="steps", items=["Catch", "Sort", "Sell"])
    wanted = [described("The harbour"), described("while the"), described("Nobody speaks", "diagram")]

    found = shots.divide(TIDE, steps, job(), 1, wanted)

    shown = [shot for shot in found if shot.kind == "diagram"]
    assert [shot.text[:6] for shot in shown] == ["Nobody"]
    assert visuals.generated(shown[0].visual, "0")["generated"]["template"] == "steps"


def test_photographs_take_turns_with_footage_and_a_video_of_footage_moves() -> None:
    still = [
        described(begins, "photograph") for begins in ("The harbour", "while the", "Nobody", "until the")
    ]
    scene = manual(TIDE).scenes[0].model_copy(update={"narration": TIDE, "shots": still})
    script = manual(TIDE).model_copy(update={"scenes": [scene]})

    mixed, footage = (
        [shot.kind for shot in shots.of_script(script, job(visual_style=style))[0]]
        for style in ("mixed", "footage")
    )

    assert mixed[:3] == ["photograph", "footage", "photograph"]
    assert set(footage) == {"footage"}


LONG = (
    "The hull was built in a small yard near the river by four brothers. "
    "It was 50 meters long from the bow to the stern. "
    "Nobody had seen such a ship before, and people came from far away to look at it."
)


def test_a_figure_is_shown_while_its_sentence_is_spoken() -> None:
    plan = planned(LONG)
    shown = [shot for scene in plan["scenes"] for shot in scene["shots"]]
    card = next(shot for shot in shown if shot["visual"]["generated"]["template"] == "number")
    spoken = [word for scene in plan["scenes"] for word in scene["narration"]["words"]]
    figure = next(word for word in spoken if word["text"] == "50")
    after = next(word for word in spoken if word["text"] == "Nobody")

    assert 0 <= figure["start_s"] - card["start_s"] < 1.5
    assert card["end_s"] <= after["start_s"]


def test_no_template_is_shown_twice_in_a_row() -> None:
    found = [
        shot.visual.template
        for scene in shots.of_script(manual(BRIEF["source_text"]), job())
        for shot in scene
    ]

    assert not [pair for pair in itertools.pairwise(found) if pair[0] == pair[1] != "gradient"]
    assert {"number", "phrase"} <= set(found)


def test_of_two_counters_or_numbers_in_a_row_the_second_is_another_card() -> None:
    figures = [
        visual(template="counter", text="Cables break", value="150", label="times a year"),
        visual(template="number", text="Cables last", value="25", label="years"),
        visual(template="counter", text="Cables serve", value="600", label="cables"),
    ]
    texts = ["Cables break 150 times a year.", "They last 25 years.", "About 600 cables are there."]
    plain = manual("One. Two.")
    scenes = [
        plain.scenes[0].model_copy(update={"narration": text, "visual": figure})
        for text, figure in zip(texts, figures, strict=True)
    ]
    script = plain.model_copy(update={"scenes": scenes})

    found = [shot for scene in shots.of_script(script, job(visual_style="typographic")) for shot in scene]

    typeset = [visuals.generated(shot.visual, "0")["generated"]["template"] for shot in found]
    assert typeset == ["number", "phrase", "number"]


def test_a_chart_is_shown_with_the_figures_of_its_scene() -> None:
    chart = visual(
        template="chart_bar",
        label="Milliseconds",
        series=[{"label": "a", "value": 1}, {"label": "b", "value": 2}],
    )
    text = (
        "Nobody likes to wait for an answer. By cable it takes 30 milliseconds, by satellite 250. "
        "That is why most of the traffic goes through the sea."
    )

    found = shots.divide(text, chart, job(), 1)

    assert ["250" in shot.text for shot in found] == [shot.visual.template == "chart_bar" for shot in found]


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    text = "The 40 divers of Dr. Okafor found St. Ives asleep. Then they left."

    ends = sentence_ends(text, text.split(), "en")

    assert [text.split()[index] for index in sorted(ends)] == ["asleep.", "left."]


def test_a_figure_counts_for_as_long_as_it_is_spoken() -> None:
    """ "12,500" is one word, but takes as long as three."""
    text = (
        "In {}, {} and {} ships laid {} miles of cable, then {} miles more, and lost {} of them in the deep."
    )
    figures = text.format("1,858", "1,866", "1,956", "12,500", "27,350", "14,780")
    words = text.format("spring", "summer", "fall", "many", "some", "few")
    assert len(caption_words(figures, "en")) == len(caption_words(words, "en"))

    counts = [len(shots.divide(each, visual(), job(), 1)) for each in (figures, words)]

    assert counts[0] > counts[1]


def test_a_slow_speaker_gets_no_shot_that_is_too_long() -> None:
    script, ordered = manual(LONG), job()
    recordings = [recording(passage, len(passage) * 0.12) for passage in script.passages]

    found = lengths(timeline.plan(ordered, script, recordings, pictures(script, ordered)))

    assert max(found) < 7


def test_a_renderer_without_shots_gets_each_as_a_scene() -> None:
    plan = planned(LONG)

    old = timeline.as_version_1(plan)

    assert old["schema_version"] == 1
    assert [scene["id"] for scene in old["scenes"]] == [
        shot["id"] for scene in plan["scenes"] for shot in scene["shots"]
    ]
    spoken = [scene["narration"]["audio"] for scene in plan["scenes"]]
    assert [scene["narration"]["audio"] for scene in old["scenes"] if scene["narration"]] == spoken
    assert timeline.duration(old) == timeline.duration(plan)
    assert timeline.chapters(old) == timeline.chapters(plan)


def test_a_clip_begins_after_its_first_moments_where_it_is_long_enough() -> None:
    script, ordered = manual(LONG), job()
    chosen = [
        [
            timeline.Picture(
                words=shot.words,
                kind="clip",
                uri="s3://b/c.mp4",
                seconds=seconds,
                source="page",
                licence="free",
            )
            for shot, seconds in zip(found, (30.0, 3.0, 12.0, 30.0), strict=False)
        ]
        for found in shots.of_script(script, ordered)
    ]
    recordings = [recording(passage, len(passage) * 0.063) for passage in script.passages]

    plan = timeline.plan(ordered, script, recordings, chosen)

    first, second = plan["scenes"][0]["shots"][:2]
    assert first["visual"]["trim"] == {"start_s": 1.0}
    assert "trim" not in second["visual"]


def templates(style: Any) -> list[str]:
    ordered = job(visual_style=style)
    return [
        shot.visual.template
        for scene in shots.of_script(manual(BRIEF["source_text"]), ordered)
        for shot in scene
    ]


def test_footage_and_cards_take_turns_in_a_mixed_video() -> None:
    ordered = job(visual_style="mixed")
    found = [shot for scene in shots.of_script(manual(BRIEF["source_text"]), ordered) for shot in scene]

    assert not [pair for pair in itertools.pairwise(found) if pair[0].is_card and pair[1].is_card]
    assert any(shot.overlaid for shot in found)
    assert all(shot.queries for shot in found)


def test_a_number_is_set_over_footage_and_no_two_in_a_row() -> None:
    for style in ("mixed", "footage"):
        ordered = job(visual_style=style)
        found = [shot for scene in shots.of_script(manual(BRIEF["source_text"]), ordered) for shot in scene]
        numbers = [shot for shot in found if shot.kind == "number"]

        assert len(numbers) >= 3
        assert all(shot.overlaid and not shot.is_card and shot.queries for shot in numbers)
        assert not [pair for pair in itertools.pairwise(found) if pair[0].kind == pair[1].kind == "number"]


def test_no_shot_of_a_typographic_video_is_an_empty_ground() -> None:
    found = templates("typographic")

    assert found.count("gradient") <= len(found) / 10
    assert not [pair for pair in itertools.pairwise(found) if pair[0] == pair[1]]


def test_the_second_of_two_figures_in_a_row_is_said_in_words() -> None:
    plain = manual("One. Two.")
    figures = [
        visual(template="number", value="30 ms"),
        visual(template="number", text="A satellite", value="250", label="ms"),
    ]
    texts = ["A cable needs 30 milliseconds.", "A satellite needs 250 milliseconds."]
    scenes = [
        plain.scenes[0].model_copy(update={"narration": text, "visual": figure})
        for text, figure in zip(texts, figures, strict=True)
    ]
    script = plain.model_copy(update={"scenes": scenes})

    found = [shot for scene in shots.of_script(script, job(visual_style="typographic")) for shot in scene]

    typeset = [(shot.visual.template, shot.visual.text) for shot in found if shot.visual.value]
    assert typeset == [("number", None), ("phrase", "250 ms")]


def test_what_moves_around_numbers_takes_turns() -> None:
    ordered = job(visual_style="typographic")
    found = [shot for scene in shots.of_script(manual(BRIEF["source_text"]), ordered) for shot in scene]
    motifs = [shot.motif for shot in found if shot.motif]

    assert len(motifs) == sum(shot.kind == "number" for shot in found)
    assert all(one != other for one, other in itertools.pairwise(motifs))
    assert len(set(motifs)) >= 3


def test_a_film_ends_with_its_title_over_its_subject_and_not_with_the_words_of_the_last_sentence() -> None:
    script = manual("The tide of the bay rises. It falls again.").model_copy(
        update={"title": "How tides work", "call_to_action": "Follow for more short stories like this one."}
    )

    (ending,) = shots.of_script(script, job(visual_style="mixed"))[-1]
    (typeset,) = shots.of_script(script, job(visual_style="typographic"))[-1]

    assert ending.overlaid
    assert (ending.visual.template, ending.visual.text) == ("title", "How tides work")
    assert "tides" in ending.queries[0]
    assert (typeset.visual.template, typeset.visual.text) == ("title", "How tides work")
    assert not typeset.overlaid


def test_a_video_of_footage_films_what_can_be_filmed() -> None:
    assert not {"counter", "list"} & set(templates("footage"))
    assert "number" in templates("mixed")


def test_a_typographic_video_searches_for_nothing() -> None:
    ordered = job(visual_style="typographic")
    found = [shot for scene in shots.of_script(manual(BRIEF["source_text"]), ordered) for shot in scene]

    assert not any(shot.queries for shot in found)
    assert templates("typographic").count("number") >= templates("mixed").count("number")


def with_clips(script: Any, ordered: Any) -> list[list[timeline.Picture]]:
    """Return a clip for each shot, with its card over it."""
    clip = {"kind": "clip", "uri": "s3://b/c.mp4", "seconds": 30.0, "source": "page", "licence": "free"}
    return [
        [
            timeline.Picture.model_validate(visuals.overlaid({"words": shot.words, **clip}, shot))
            for shot in found
        ]
        for found in shots.of_script(script, ordered)
    ]


def test_a_figure_over_footage_leaves_when_its_sentence_ends() -> None:
    text = "It was 50 meters long. People came from far away to look at this strange new ship in the bay."
    script, ordered = manual(text), job()
    (found,) = with_clips(script, ordered)
    card = next(each.overlay for each in found if each.overlay)
    # One shot speaks of the figure and goes on.
    whole = [timeline.Picture(**{**found[0].model_dump(), "words": None, "overlay": card})]

    plan = timeline.plan(ordered, script, [recording(text, len(text) * 0.063)], [whole])

    TIMELINE.validate(plan)
    shot, words = plan["scenes"][0]["shots"][0], plan["scenes"][0]["narration"]["words"]
    last = next(word for word in words if word["text"] == "long.")
    assert shot["visual"]["overlay"]["value"] == "50 m"
    # It can be read for a second and a half, and then it leaves.
    assert 0 < shot["visual"]["overlay_end_s"] - last["end_s"] < 0.8
    spoken = next(word for word in words if word["text"] == "50")
    assert shot["visual"]["overlay"]["figure"]["spoken_s"] == spoken["start_s"]
    assert shot["visual"]["overlay_end_s"] < shot["end_s"] - 1


def test_of_a_divided_card_the_part_that_speaks_the_figure_shows_it() -> None:
    text = "Modern cables last for many years under water, and the best of them carry more than 200 terabits."
    number = visual(template="number", text="Modern cables", value="200", label="terabits every second")
    script, ordered = manual(text), job(visual_style="typographic")
    whole = timeline.Picture.model_validate(visuals.generated(number, "0", "streaks"))

    plan = timeline.plan(ordered, script, [recording(text, 8.0)], [[whole]])

    first, *_, last = (shot["visual"]["generated"] for shot in plan["scenes"][0]["shots"])
    assert (first["template"], first["text"]) == ("title", "Modern cables")
    assert last["value"] == "200 Tbit/s"


def test_the_words_that_lead_to_a_number_are_seen_before_it_and_no_empty_gauge() -> None:
    text = "Light moves through the glass of a cable at about 200,000 kilometers per second, day and night."
    number = visual(template="number", value="200,000", label="kilometers per second")
    script, ordered = manual(text), job(visual_style="typographic")
    whole = timeline.Picture.model_validate(visuals.generated(number, "0", "streaks"))

    plan = timeline.plan(ordered, script, [recording(text, 6.0)], [[whole]])

    lead, shown = plan["scenes"][0]["shots"]
    card = shown["visual"]["generated"]
    assert lead["visual"]["generated"] == {
        "template": "phrase",
        "text": "Light moves through the glass of a cable at about…",
    }
    assert card["value"] == "200,000 km/s"
    assert 0 <= card["figure"]["spoken_s"] - shown["start_s"] < 0.5
    assert lead["end_s"] == shown["start_s"]


def test_shots_that_were_joined_or_divided_still_differ_from_their_neighbours() -> None:
    text = "One fish swims. Two fish swim in the bay. Three of them came back."
    script, ordered = manual(text), job(visual_style="typographic")
    cards = [visual(template=name, text=name) for name in ("phrase", "title", "phrase")]
    chosen = [
        timeline.Picture.model_validate({"words": words, **visuals.generated(each, "0")})
        for words, each in zip((3, 2, 9), cards, strict=True)
    ]

    plan = timeline.plan(ordered, script, [recording(text, 7.0)], [chosen])

    found = [shot["visual"]["generated"] for shot in plan["scenes"][0]["shots"]]
    assert [each["template"] for each in found] == ["phrase", "title"]
    assert [each["text"] for each in found] == ["phrase", "phrase"]


def test_a_renderer_of_before_gets_no_cards_over_footage() -> None:
    script, ordered = manual(LONG), job()
    recordings = [recording(passage, len(passage) * 0.063) for passage in script.passages]
    plan = timeline.plan(ordered, script, recordings, with_clips(script, ordered))
    assert "overlay" in str(plan)

    old = timeline.without_overlays(plan)

    assert "overlay" not in str(old)
    assert "figure" not in str(timeline.without_overlays(planned(LONG)))


def test_a_plan_with_too_few_clips_breaks_the_channels_promise() -> None:
    script = manual(LONG)

    def plan(kinds: list[str], promised: float) -> None:
        ordered = job(visual_style="footage", promised_motion=promised)
        chosen = [
            [
                timeline.Picture(words=shot.words, kind=kind, uri="s3://b/c", source="page", licence="free")
                for shot, kind in zip(found, itertools.cycle(kinds), strict=False)
            ]
            for found in shots.of_script(script, ordered)
        ]
        recordings = [recording(passage, len(passage) * 0.063) for passage in script.passages]
        timeline.require_motion(ordered, timeline.plan(ordered, script, recordings, chosen))

    plan(["clip"], 0.9)
    plan(["image"], 0.0)
    # About two thirds of the shots: too near to what is promised to be sure of the film.
    with pytest.raises(PromiseNotKept, match="for which 70% are needed"):
        plan(["clip", "image", "clip"], 0.6)
    with pytest.raises(PromiseNotKept, match="pexels/api_key"):
        plan(["clip", "image", "image"], 0.6)

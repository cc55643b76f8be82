"""The timeline keeps the renderer's schema."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from showrunner.production import script, timeline, visuals
from tests.production.samples import GENERATED, TIMELINE, job, pictures, recording, visual, written


def test_chapters_start_at_zero_and_are_omitted_when_youtube_would_ignore_them() -> None:
    text = script.with_chapters("About.", [(3.0, "One"), (8.0, "too soon"), (20.0, "Two"), (3700.0, "Three")])

    assert text == "About.\n\n0:00 One\n0:20 Two\n1:01:40 Three"
    assert script.with_chapters("About.", [(0, "One"), (20, "Two")]) == "About."


@settings(max_examples=40)
@given(st.integers(1, 12), st.sampled_from(["educational", "entertainment", "news"]), st.floats(0.4, 20))
def test_a_timeline_follows_the_renderers_schema_without_gaps(
    scenes: int, style: str, seconds: float
) -> None:
    planned_job = job(style=style)
    text = written(40 + scenes * 10, scenes)
    recordings = [recording(passage, seconds) for passage in text.passages]

    planned = timeline.plan(planned_job, text, recordings, pictures(text, planned_job))

    TIMELINE.validate(planned)
    TIMELINE.validate(timeline.as_version_1(planned))
    edges = [(shot["start_s"], shot["end_s"]) for scene in planned["scenes"] for shot in scene["shots"]]
    assert edges[0][0] == 0
    assert all(before[1] == after[0] for before, after in itertools.pairwise(edges))
    for scene in planned["scenes"]:
        assert scene["shots"][0]["start_s"] <= scene["narration"]["start_s"]
        assert scene["narration"]["words"][-1]["end_s"] <= scene["shots"][-1]["end_s"] + 0.001


@given(
    st.sampled_from(
        ["title", "phrase", "number", "list", "quote", "chart_bar", "chart_line", "counter", "gradient"]
    ),
    st.one_of(st.none(), st.text(max_size=900)),
    st.lists(st.text(max_size=400), max_size=12),
    st.one_of(st.none(), st.text(max_size=90)),
    st.lists(
        st.builds(dict, label=st.text(max_size=100), value=st.floats(allow_nan=False, allow_infinity=False)),
        max_size=30,
    ),
)
def test_any_model_output_becomes_a_backdrop_that_the_renderer_accepts(
    template: str, text: str, items: list[str], value: str, series: list[dict[str, object]]
) -> None:
    found = visuals.generated(
        visual(template=template, text=text, items=items, value=value, label=value, series=series), "0-3"
    )

    GENERATED.validate(found["generated"])


def test_the_renderer_is_told_where_sentences_end_and_an_abbreviation_ends_none() -> None:
    passage = "Dr. Okafor met Prof. Lind at 9 a.m. on Jan. 5 near St. Pancras. It worked."
    text = written(30).model_copy(
        update={
            "hook": "",
            "scenes": [script.Scene(heading="One", narration=passage, visual=visual())],
            "call_to_action": "",
        }
    )

    planned = timeline.plan(job(), text, [recording(passage, 6.0)], pictures(text, job()))

    words = planned["scenes"][0]["narration"]["words"]
    assert [word["text"] for word in words if word["ends_sentence"]] == ["Pancras.", "worked."]
    old = timeline.as_version_1(planned)["scenes"][0]["narration"]["words"]
    assert {name for word in old for name in word} == {"text", "start_s", "end_s"}


def test_a_card_does_not_repeat_the_heading_above_it() -> None:
    card = visual(template="phrase", text="Deep Water")
    scenes = [
        script.Scene(heading=heading, narration="The water is deep.", visual=card)
        for heading in ("deep water", "Shallow water")
    ]
    text = written(30).model_copy(update={"hook": "", "scenes": scenes, "call_to_action": ""})
    chosen = [
        [timeline.Picture.model_validate(visuals.generated(each, "0"))] for each in visuals.of_passages(text)
    ]
    recordings = [recording(passage, 4.0) for passage in text.passages]

    planned = timeline.plan(job(), text, recordings, chosen)

    shown = [scene["shots"][0]["visual"]["generated"]["template"] for scene in planned["scenes"]]
    assert shown[0] == "gradient" != shown[1]
    assert [scene["heading"] for scene in planned["scenes"]] == ["deep water", "Shallow water"]


def test_a_chart_without_figures_falls_back_to_its_phrase() -> None:
    assert (
        visuals.generated(visual(template="chart_bar", text="Deep water"), "0")["generated"]["template"]
        == "phrase"
    )
    assert visuals.generated(visual(template="number"), "0")["generated"]["template"] == "gradient"


def test_a_figure_stays_under_a_heading_that_its_phrase_repeats() -> None:
    card = visual(template="number", text="Deep Water", value="200", label="meters")
    scene = script.Scene(heading="Deep water", narration="The water is 200 meters deep.", visual=card)
    text = written(30).model_copy(update={"hook": "", "scenes": [scene], "call_to_action": ""})
    chosen = [[timeline.Picture.model_validate(visuals.generated(card, "0"))]]

    planned = timeline.plan(job(), text, [recording(text.passages[0], 4.0)], chosen)

    assert planned["scenes"][0]["shots"][-1]["visual"]["generated"]["value"] == "200 m"

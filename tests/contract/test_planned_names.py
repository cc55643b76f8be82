"""Every name that planning and the API can emit is one that the renderer has."""

import json
from typing import get_args

import pytest

from local.language import shots as local_shots
from render.plan import timeline as renderer
from render.sound import tracks
from render.text import styles
from showrunner.production import moods, planning, script, timeline, visuals, voices
from showrunner.production.job import SIZES, Output
from showrunner.videos.schemas import Brief
from tests.production.samples import job, recording, visual

SCHEMA = json.loads(renderer.SCHEMA_FILE.read_text())
DEFINITIONS = SCHEMA["$defs"]
LANGUAGES = set(get_args(Brief.model_fields["language"].annotation.__args__[0]))
STYLES = get_args(get_args(Brief.model_fields["style"].annotation)[0])


def planned(style: str, template: str = "gradient", aspect: str = "9:16", seed: int = 7) -> dict:
    """The timeline of a small film of this style, as the steps plan it."""
    name, width, height = SIZES[aspect]
    ordered = job(style=style, outputs=[Output(name=name, width=width, height=height)], seed=seed)
    written = planning.manual(
        "One sentence about the sea.\n\n---\n\nAnd another one about ships.", "Sea", "en"
    )
    content = visual(template=template, text="Words", items=["a", "b"], value="7", label="seas", series=[])
    pictures = [[timeline.Picture.model_validate(visuals.generated(content, "0"))] for _ in written.passages]
    recordings = [recording(text, 2.0) for text in written.passages]
    return timeline.plan(ordered, written, recordings, pictures)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_planned_with_names_that_the_renderer_has(style):
    for seed in range(20):
        plan = planned(style, seed=seed)

        renderer.parse(plan)
        assert plan["captions"]["preset"] in styles.presets()


@pytest.mark.parametrize("aspect", SIZES)
def test_every_aspect_is_planned_for_the_renderer(aspect):
    renderer.parse(planned("news", aspect=aspect))


@pytest.mark.parametrize("template", get_args(script.Template))
def test_every_template_of_a_script_is_one_of_the_renderers(template):
    assert template in DEFINITIONS["generated"]["properties"]["template"]["enum"]
    renderer.parse(planned("news", template=template))


@pytest.mark.parametrize("kind", get_args(script.Kind))
def test_every_kind_of_a_shot_is_filmed_or_typeset_by_the_renderer(kind):
    templates = visuals.TEMPLATES.get(kind, ())

    assert bool(templates) == (kind not in visuals.FILMED)
    assert set(templates) <= set(DEFINITIONS["generated"]["properties"]["template"]["enum"])
    assert all(visuals.kind_of(template) == kind for template in templates)


def test_every_template_and_every_kind_of_the_local_model_is_the_planners():
    assert {visuals.kind_of(template) for template in get_args(script.Template)} == set(visuals.TEMPLATES)
    assert all(visuals.kind_of(template) == kind for template, kind in local_shots.KINDS.items())


def test_the_prompt_names_every_kind_and_template_of_the_schema():
    names = {*get_args(script.Kind), *get_args(script.Template)} - {"title", "counter", "gradient"}

    assert [name for name in names if name not in script.question(job()).instructions] == []


def test_moods_transitions_and_motions_are_the_renderers():
    transitions = {kind for kinds in timeline._TRANSITIONS.values() for kind in kinds} | {"cut"}

    assert set(moods.MOODS) == set(DEFINITIONS["music"]["properties"]["mood"]["enum"]) == set(tracks.MOODS)
    assert transitions <= set(DEFINITIONS["transition"]["properties"]["kind"]["enum"])
    assert set(timeline._MOTIONS) <= set(
        DEFINITIONS["visual"]["properties"]["motion"]["properties"]["kind"]["enum"]
    )


def test_fonts_and_presets_of_a_channel_are_the_renderers():
    from render.text import fonts
    from showrunner.channels import schemas as channels

    assert set(get_args(channels.CaptionPreset)) == set(styles.presets())
    for name in get_args(channels.Font):
        fonts.family(name)  # raises for an unknown one


def test_every_voice_of_a_brief_is_known():
    names = set(get_args(get_args(Brief.model_fields["voice"].annotation)[0])) - {"ai_clone"}

    assert all(set(voices.languages(name)) == LANGUAGES for name in names)

import json

import jsonschema
import pytest

from render.errors import TimelineInvalid
from render.plan import timeline


def test_the_schema_is_itself_valid():
    jsonschema.Draft202012Validator.check_schema(json.loads(timeline.SCHEMA_FILE.read_text()))


def test_defaults_are_filled_in(plan):
    parsed = timeline.parse(plan())
    assert (parsed.fps, parsed.integrated_lufs, parsed.true_peak_dbtp) == (30, -14, -1)
    assert parsed.captions.preset == "bold"
    assert parsed.captions.burn_in
    assert parsed.frame_count == 60


@pytest.mark.parametrize(
    ("width", "height", "shape"), [(1080, 1920, "tall"), (1920, 1080, "wide"), (1080, 1080, "square")]
)
def test_each_aspect_has_its_own_safe_area(plan, width, height, shape):
    output = timeline.parse(plan(outputs=[{"name": "o", "width": width, "height": height}])).outputs[0]
    assert output.shape == shape
    assert 0 < output.safe_area.top < 0.4


def test_a_wrong_field_is_named(plan):
    with pytest.raises(TimelineInvalid, match=r"outputs\.0\.width"):
        timeline.parse(plan(outputs=[{"name": "o", "width": 7, "height": 100}]))


def test_an_unknown_field_is_refused(plan):
    with pytest.raises(TimelineInvalid, match="colour_scheme"):
        timeline.parse(plan(colour_scheme="x"))


def test_a_gap_between_scenes_is_refused(plan):
    scene = plan()["scenes"][0]
    with pytest.raises(TimelineInvalid, match="Scene 1 starts at"):
        timeline.parse(plan(scenes=[scene, {**scene, "id": "1", "start_s": 2.5, "end_s": 4}]))


def test_words_out_of_order_are_refused(spoken):
    document = spoken("one two three")
    document["scenes"][0]["narration"]["words"].reverse()
    with pytest.raises(TimelineInvalid, match="not in order"):
        timeline.parse(document)


def test_two_outputs_of_one_name_are_refused(plan):
    output = {"name": "o", "width": 540, "height": 960}
    with pytest.raises(TimelineInvalid, match="same name"):
        timeline.parse(plan(outputs=[output, output]))


def test_an_image_without_an_asset_is_refused(plan):
    scene = {**plan()["scenes"][0], "visual": {"kind": "image"}}
    with pytest.raises(TimelineInvalid):
        timeline.parse(plan(scenes=[scene]))

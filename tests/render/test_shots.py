"""A scene consists of shots: each has a picture of its own, heading and captions continue across them."""

import copy
import itertools
import json

import boto3
import numpy as np
import pytest

from render.encode import segments
from render.encode.encoders import Encoder
from render.errors import TimelineInvalid
from render.picture.compose import Composer
from render.picture.compositor import Compositor
from render.plan import timeline
from render.plan.cuts import cuts
from tests.render import samples
from tests.render.program import call

GRADIENT = {"kind": "generated", "generated": {"template": "gradient"}}
ENCODER, CPU = Encoder("libx264", ""), Compositor("cpu", "")


def shot(name, start_s, end_s, visual=GRADIENT, transition="cut"):
    return {
        "id": name,
        "start_s": start_s,
        "end_s": end_s,
        "visual": visual,
        "transition": {"kind": transition, "duration_s": 0.4},
    }


def scene(name, start_s, lengths, transition="cut", **fields):
    """Return a scene of shots of these lengths in seconds; `transition` leads into the first one."""
    edges = list(itertools.accumulate(lengths, initial=start_s))
    shots = [
        shot(f"{name}-{index}", first, last, transition="cut" if index else transition)
        for index, (first, last) in enumerate(itertools.pairwise(edges))
    ]
    return {"id": name, "shots": shots, **fields}


@pytest.fixture
def shots(plan):
    """Return a builder of a timeline of version 2 with the given scenes."""
    return lambda *scenes, **fields: plan(schema_version=2, scenes=list(scenes), **fields)


def names(document):
    parsed = timeline.parse(document)
    return [piece.name for piece in segments.plan(parsed, parsed.outputs[0], ENCODER, CPU, {})]


def test_a_scene_lasts_as_long_as_its_shots(shots):
    parsed = timeline.parse(shots(scene("0", 0, [2, 3]), scene("1", 5, [4])))

    assert [(each.start_s, each.end_s) for each in parsed.scenes] == [(0, 5), (5, 9)]
    assert [each.id for each in parsed.shots] == ["0-0", "0-1", "1-0"]
    assert parsed.frame_count == 270


def test_a_gap_between_shots_is_refused(shots):
    first = scene("0", 0, [2, 3])
    first["shots"][1]["start_s"] = 2.5
    with pytest.raises(TimelineInvalid, match="Scene 0-1 starts at"):
        timeline.parse(shots(first))


def test_each_version_has_its_own_scenes(shots, plan):
    with pytest.raises(TimelineInvalid, match="visual"):
        timeline.parse(plan(schema_version=2))
    with pytest.raises(TimelineInvalid, match=r"scenes\.0"):
        timeline.parse(plan(scenes=[scene("0", 0, [2])]))


def test_an_old_plan_is_drawn_as_before(shots, plan):
    """A scene of version 1 looks like a scene with one shot of the same name."""
    old = plan(outputs=[{"name": "o", "width": 180, "height": 320}])
    new = copy.deepcopy(old) | {"schema_version": 2}
    new["scenes"] = [{"id": "0", "shots": [shot("0", 0, 2)]}]
    drawn = []
    for document in (old, new):
        parsed = timeline.parse(document)
        drawn.append(Composer(parsed, parsed.outputs[0], {}).draw(30).as_bytes())
    assert drawn[0] == drawn[1]


def test_heading_and_captions_continue_across_shots(shots):
    """Compare with the same shots without text: text is at the same pixels on both sides of a cut."""
    words = [
        {"text": text, "start_s": 0.2 + 0.45 * index, "end_s": 0.6 + 0.45 * index}
        for index, text in enumerate(["One", "caption", "over", "the", "cut."])
    ]
    spoken = {"audio": {"uri": "none.wav"}, "start_s": 0.1, "duration_s": 3.5, "words": words}
    output = {"name": "o", "width": 270, "height": 480}

    def difference(number):
        pictures = []
        for fields in ({"heading": "The heading", "narration": spoken}, {}):
            parsed = timeline.parse(shots(scene("0", 0, [1.2, 2.8], **fields), outputs=[output]))
            pictures.append(Composer(parsed, parsed.outputs[0], {}).draw(number).luma.astype(int))
        return np.abs(pictures[0] - pictures[1]) > 40

    before, after = difference(35), difference(37)
    for rows in (slice(60, 130), slice(280, 365)):
        assert before[rows].sum() > 200
        overlap = (before[rows] & after[rows]).sum() / before[rows].sum()
        assert overlap > 0.75, overlap


def test_pieces_end_with_hard_cuts(shots):
    """The fade at 8.5 s is nearer to the planned end of 8 s than the cut at 6 s."""
    document = shots(scene("0", 0, [3, 3, 2.5]), scene("1", 8.5, [4, 4, 3.5, 5], "fade"))

    edges = [last for _, last in cuts(timeline.parse(document))]

    assert edges[0] == 180
    assert 255 not in edges


def test_one_other_shot_changes_one_piece(shots):
    document = shots(scene("0", 0, [3, 5, 4]), scene("1", 12, [4, 4, 4], "fade"), scene("2", 24, [5, 3]))
    changed = copy.deepcopy(document)
    changed["scenes"][1]["shots"][1]["visual"] = {**GRADIENT, "generated": {"template": "title", "text": "A"}}

    pairs = list(zip(names(document), names(changed), strict=True))

    assert len(pairs) > 3
    assert sum(before != after for before, after in pairs) == 1


def test_a_caption_that_must_give_way_to_another_shots_text_is_drawn_again(shots):
    """A page in the middle of the picture moves down while generated text is shown, in every piece of it."""
    words = [{"text": "long", "start_s": 7.2, "end_s": 8.9}]
    spoken = {"audio": {"uri": "none.wav"}, "start_s": 7.1, "duration_s": 2, "words": words}
    document = shots(
        scene("0", 0, [4, 4, 4, 4], narration=spoken), captions={"preset": "impact"}, title_card=None
    )
    changed = copy.deepcopy(document)
    changed["scenes"][0]["shots"][2]["visual"] = {**GRADIENT, "generated": {"template": "title", "text": "A"}}

    edges = cuts(timeline.parse(document))
    before = next(index for index, (first, last) in enumerate(edges) if first <= 230 < last)

    assert edges[before][1] == 240
    assert names(document)[before] != names(changed)[before]


def test_a_replaced_shot_is_rendered_alone(tmp_path, aws):
    """Render from S3 to S3 twice, the second time with another photograph in the second shot."""
    client = boto3.client("s3", endpoint_url=aws)
    client.create_bucket(Bucket="render-shots")
    photos = [samples.photograph(tmp_path / f"{number}.jpg", 200, 356, number) for number in range(5)]
    for photo in photos:
        client.upload_file(str(photo), "render-shots", f"a/{photo.name}")

    def rendered(second):
        lengths, pictures = [8, 4, 4, 3], [0, second, 2, 3]
        whole = scene("0", 0, lengths)
        for each, number in zip(whole["shots"], pictures, strict=True):
            each["visual"] = {"kind": "image", "asset": {"uri": f"{number}.jpg"}}
        path = samples.timeline(tmp_path, [whole], 180, 320, schema_version=2, music=None)
        client.upload_file(str(path), "render-shots", "a/timeline.json")
        done = call(
            "s3://render-shots/a/timeline.json",
            "s3://render-shots/a/render",
            AWS_ENDPOINT_URL=aws,
            TMPDIR=str(tmp_path),
        )
        assert done.returncode == 0, done.stderr[-1500:]
        client.download_file("render-shots", "a/render/video.mp4", str(tmp_path / f"{second}.mp4"))
        report = json.loads(
            client.get_object(Bucket="render-shots", Key="a/render/report.json")["Body"].read()
        )
        return report["resumed_segments"], samples.decoded(tmp_path / f"{second}.mp4", 180, 320)

    resumed, before = rendered(1)
    assert resumed == 0
    resumed, after = rendered(4)
    pieces = cuts(timeline.parse(json.loads((tmp_path / "timeline.json").read_text())))
    assert resumed == len(pieces) - 1
    differs = [bool((one != other).any()) for one, other in zip(before[::15], after[::15], strict=True)]
    assert differs == [240 <= number < 360 for number in range(0, len(before), 15)]
    stored = client.list_objects_v2(Bucket="render-shots", Prefix="a/render/segments/")["Contents"]
    assert len(stored) == len(pieces)

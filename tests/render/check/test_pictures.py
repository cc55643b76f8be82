"""Motion, shots and repeats are measured on a finished file, not taken from its plan."""

import numpy as np
import pytest

from local.platforms import footage
from render.check import pictures
from render.encode import segments
from render.encode.encoders import Encoder
from render.picture.compose import Composer
from render.plan import timeline
from tests.render import samples

SIZE = {"name": "o", "width": 180, "height": 320}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Return a folder with three photographs and two clips of three seconds."""
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(3):
        samples.photograph(folder / f"{number}.jpg", 300, 520, number)
    for name, kind in (("sea.mp4", "sea"), ("lights.mp4", "lights")):
        draw = footage.KINDS[kind](footage.Canvas(5, 180, 320))
        frames = np.stack([draw(at / 12) for at in range(36)])
        raw = folder / "raw"
        raw.write_bytes(frames.tobytes())
        reading = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "180x320", "-r", "12", "-i", raw)
        samples.ffmpeg(
            *reading, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", folder / name
        )
    return folder


def measured(plan, folder, *visuals, **fields):
    """Draw and encode a film with one shot of three seconds for each visual, and measure the file."""
    shots = [
        {"id": str(number), "start_s": 3 * number, "end_s": 3 * number + 3, "visual": visual}
        for number, visual in enumerate(visuals)
    ]
    document = plan(schema_version=2, scenes=[{"id": "0", "shots": shots}], outputs=[SIZE], **fields)
    parsed = timeline.parse(document)
    files = {asset.uri: folder / asset.uri for _, asset in parsed.assets()}
    encoder = Encoder("libx264", "")
    session = segments.Session(encoder, parsed.outputs[0], parsed.fps)
    piece = segments.Segment(parsed.outputs[0], 0, 0, parsed.frame_count, False, "film.mp4")
    composer = Composer(parsed, parsed.outputs[0], files)
    target = folder / "film.mp4"
    list(session.encode(piece, composer, target, lambda _: None))
    return pictures.measure(pictures.look(target, parsed, parsed.outputs[0]), parsed)


def image(number, motion="zoom_in", amount=0.2):
    return {
        "kind": "image",
        "asset": {"uri": f"{number}.jpg"},
        "motion": {"kind": motion, "amount": amount},
    }


def clip(name):
    return {"kind": "clip", "asset": {"uri": name}}


def card(template="title", text="Deep water"):
    return {"kind": "generated", "generated": {"template": template, "text": text}}


def test_clips_move_and_photographs_under_a_camera_move_do_not(plan, sources):
    found = measured(
        plan, sources, image(0), clip("sea.mp4"), image(1, "pan_left"), clip("lights.mp4"), image(2, "pan_up")
    )

    assert found == {"motion_share": 0.4, "longest_shot_s": 3.0, "shots_per_minute": 20.0, "repeats": 0}


def test_cards_do_not_move(plan, sources):
    found = measured(plan, sources, card(), card("gradient"), card("quote", "We choose to go to the moon."))

    assert found["motion_share"] == 0


def test_a_repeated_file_and_a_copy_of_it_are_repeats(plan, sources):
    (sources / "copy.mp4").write_bytes((sources / "sea.mp4").read_bytes())

    found = measured(plan, sources, clip("sea.mp4"), image(0), clip("sea.mp4"), image(1), clip("copy.mp4"))

    assert found["repeats"] == 2


def test_a_cut_that_is_not_seen_makes_no_shot(plan, sources):
    still = image(0, "none")

    found = measured(plan, sources, still, still, image(1))

    assert (found["longest_shot_s"], found["shots_per_minute"]) == (6.0, round(60 * 2 / 9, 1))

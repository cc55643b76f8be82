import itertools

import cv2
import numpy as np
import pytest

from render.picture import compose, generated, transitions
from render.picture.planes import Frame
from render.plan import timeline
from render.plan.spans import spans
from tests.render import samples

PLANS = {
    "title": {"text": "Three hearts, blue blood"},
    "phrase": {"text": "Its heart stops every time it swims"},
    "number": {"value": "37 %", "label": "of the ocean floor"},
    "counter": {"value": "1,284", "label": "subscribers"},
    "list": {"text": "Hearts", "items": ["Two for the gills", "One for the body"]},
    "steps": {"items": ["Save", "Wait", "Look again"]},
    "quote": {"text": "The sea holds one in its net of wonder forever.", "attribution": "J. C."},
    "chart_bar": {
        "text": "Hearts",
        "series": [{"label": "Octopus", "value": 3}, {"label": "Human", "value": 1}],
    },
    "chart_line": {
        "text": "Views",
        "series": [
            {"label": "Jan", "value": 12},
            {"label": "Feb", "value": 18.5},
            {"label": "Mar", "value": 44},
        ],
    },
}


def drawn(plan, template, size=(540, 960), seed=1, at=150, **generated):
    document = plan(seed=seed, outputs=[{"name": "o", "width": size[0], "height": size[1]}])
    document["scenes"][0] |= {
        "end_s": 6,
        "visual": {"kind": "generated", "generated": {"template": template, **generated}},
    }
    parsed = timeline.parse(document)
    return compose.Composer(parsed, parsed.outputs[0], {}).draw(at)


@pytest.mark.parametrize("size", [(540, 960), (960, 540), (540, 540)])
@pytest.mark.parametrize("template", sorted(PLANS))
def test_each_template_shows_its_content_inside_the_safe_area(plan, template, size):
    with_it, without = drawn(plan, template, size, **PLANS[template]), drawn(plan, "gradient", size)
    rows, columns = np.nonzero(np.abs(with_it.luma.astype(int) - without.luma) > 40)
    assert rows.size > 200
    assert rows.min() >= 0.05 * size[1]
    assert rows.max() <= 0.92 * size[1]
    assert columns.min() >= 0.05 * size[0]
    assert columns.max() <= 0.95 * size[0]


@pytest.mark.parametrize("template", ["gradient", "number"])
def test_pictures_are_a_function_of_the_seed(plan, template):
    fields = PLANS.get(template, {})
    first, again, other = (drawn(plan, template, seed=seed, **fields).luma for seed in (4, 4, 5))
    assert (first == again).all()
    assert (first != other).mean() > 0.3


def test_a_backdrop_moves_gently_all_the_time(plan):
    before, after = (drawn(plan, "gradient", at=at).luma.astype(int) for at in (60, 90))
    assert 0.05 < np.abs(before - after).mean() < 12


def test_a_template_without_content_shows_only_the_backdrop(plan):
    size = (180, 320)
    plain = drawn(plan, "gradient", size).as_bytes()
    for template in ("title", "number", "list", "quote", "chart_bar", "chart_line", "counter"):
        assert drawn(plan, template, size).as_bytes() == plain, template


def test_a_counter_never_shows_another_number(plan):
    """Once its number has entered, its picture stays the same while the bar below it fills."""
    document = plan()
    document["scenes"][0]["visual"]["generated"] = {"template": "counter", "value": "1,284,000"}
    parsed = timeline.parse(document)
    scene = parsed.scenes[0]
    layers = generated.painter(scene.shots[0], scene.heading, parsed, parsed.outputs[0], 4.0).layers
    bar = min(layer.y for layer in layers if layer.entry == "grow_right") - 2
    frames = []
    for at_s in (0.7, 1.0, 3.0):
        frames.append(samples.plain(540, 960, 128))
        for layer in layers:
            layer.paint(frames[-1], at_s)
    assert (frames[0].luma[:bar] != 128).sum() > 1000
    assert all((frame.luma[:bar] == frames[-1].luma[:bar]).all() for frame in frames)
    assert (frames[1].luma[bar:] != frames[-1].luma[bar:]).any()


PALETTES = {
    "white on white": ["#ffffff"] * 5,
    "black on black": ["#000000"] * 5,
    "grey": ["#808080"] * 5,
    "pastel": ["#ffe0f0", "#fff0c0", "#e0ffe0", "#ffd0d0", "#ffffc0"],
    "middling": ["#3366cc", "#cc3366", "#5577aa", "#446688", "#66aa55"],
    "ours": [None] * 5,
}


@pytest.mark.parametrize("template", ["title", "number", "quote", "list", "chart_bar"])
@pytest.mark.parametrize("name", sorted(PALETTES))
def test_text_is_legible_on_every_palette(plan, name, template):
    """Compare each letter's pixels with the backdrop behind them, which a frame without text shows."""
    fields = ("primary", "accent", "background", "surface", "text")
    palette = {field: colour for field, colour in zip(fields, PALETTES[name], strict=True) if colour}
    document = plan(brand={"palette": palette}, outputs=[{"name": "o", "width": 540, "height": 960}])
    document["scenes"][0] |= {
        "end_s": 8,
        "visual": {"kind": "generated", "generated": {"template": template, **PLANS[template]}},
    }
    parsed = timeline.parse(document)
    scene, output = parsed.scenes[0], parsed.outputs[0]
    painter = generated.painter(scene.shots[0], scene.heading, parsed, output, 8.0)
    over_black, over_white = (samples.plain(output.width, output.height, luma) for luma in (16, 235))
    for layer in painter.layers:
        if layer.entry == "rise":
            layer.paint(over_black, 7.0)
            layer.paint(over_white, 7.0)
    letters = np.abs(over_white.luma.astype(int) - over_black.luma) < 3
    inside = cv2.erode(letters.astype(np.uint8), np.ones((3, 3))) > 0
    shown = painter.paint(7.0, 0.85).as_rgb()[inside]
    painter.layers = []
    behind = painter.paint(7.0, 0.85).as_rgb()[inside]
    light, dark = np.sort([relative_luminance(shown), relative_luminance(behind)], axis=0)[::-1]
    assert inside.sum() > 300
    assert np.percentile((light + 0.05) / (dark + 0.05), 5) >= 4.5


def relative_luminance(rgb):
    """WCAG 2."""
    share = rgb / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("size", [(90, 160), (160, 90)])
@pytest.mark.parametrize("kind", sorted(transitions.KINDS))
def test_a_transition_leads_from_one_picture_to_the_other(kind, size):
    def frames():
        rng = np.random.default_rng(1)
        return [
            Frame.within(rng.integers(*tones, size[0] * size[1] * 3 // 2, np.uint8), *size)
            for tones in ((20, 90), (150, 230))
        ]

    def between(at):
        return transitions.KINDS[kind](*frames(), at)

    first, second = frames()
    for before, plane in zip(first.planes, between(0.0).planes, strict=True):
        assert np.abs(plane.astype(int) - before).mean() < (1 if kind != "zoom" else 25)
    for after, plane in zip(second.planes, between(1.0).planes, strict=True):
        assert np.abs(plane.astype(int) - after).mean() < 1
    means = [float(between(float(at)).luma.mean()) for at in np.linspace(0, 1, 9)]
    assert all(later >= earlier - 12 for earlier, later in itertools.pairwise(means))


def test_transitions_are_centred_on_the_cut_and_never_overlap(plan):
    scene = plan()["scenes"][0]
    document = plan(
        scenes=[
            {
                **scene,
                "id": str(index),
                "start_s": index,
                "end_s": index + 1,
                "transition": {"kind": "fade", "duration_s": 2},
            }
            for index in range(3)
        ]
    )
    scenes = spans(timeline.parse(document))
    assert [(span.start, span.end) for span in scenes] == [(0, 30), (30, 60), (60, 90)]
    assert scenes[0].last - 30 == 30 - scenes[1].first == 10
    assert scenes[1].last <= 2 * 60 - scenes[1].last + 2 * 10

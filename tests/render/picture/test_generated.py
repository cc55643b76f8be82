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


FIGURES = {
    "ring": {"value": "95%", "label": "of the traffic", "figure": {"motif": "ring", "share": 0.95}},
    "dots": {"value": "98", "label": "words", "figure": {"motif": "dots", "count": 98}},
    "dial": {"value": "30 ms", "text": "A message", "figure": {"motif": "dial"}},
    "scale": {"value": "36,000 km", "figure": {"motif": "scale"}},
    "streaks": {"value": "200,000 km/s", "text": "Light in glass", "figure": {"motif": "streaks"}},
    "pulse": {"value": "15,000 V", "figure": {"motif": "pulse"}},
}


def lit(plan, motif, size, at_s):
    """Return what a motif lights up on a plain frame, and the frame's rows and columns of text."""
    document = plan(outputs=[{"name": "o", "width": size[0], "height": size[1]}])
    document["scenes"][0]["visual"] = {
        "kind": "generated",
        "generated": {"template": "number", **FIGURES[motif]},
    }
    parsed = timeline.parse(document)
    scene = parsed.scenes[0]
    painter = generated.painter(scene.shots[0], scene.heading, parsed, parsed.outputs[0], 4.0)
    lights, letters = (samples.plain(*size, 16) for _ in range(2))
    for light in painter.lights:
        light.paint(lights, at_s)
    for layer in painter.layers:
        layer.paint(letters, at_s)
    return lights.luma, letters.luma


@pytest.mark.parametrize("size", [(360, 640), (640, 360)])
@pytest.mark.parametrize("motif", sorted(FIGURES))
def test_what_is_around_a_number_moves_all_the_time_and_leaves_it_legible(plan, motif, size):
    shown = [lit(plan, motif, size, at_s) for at_s in (1.6, 2.1, 2.6, 3.1)]
    steps = [np.abs(one.astype(int) - other) for (one, _), (other, _) in itertools.pairwise(shown)]

    assert all((step > 12).mean() > 0.001 for step in steps)
    letters = shown[-1][1] > 90
    assert letters.sum() > 300
    # What goes on behind the letters stays dark.
    behind = [light[letters].astype(int) for light, _ in shown]
    assert max(np.percentile(each, 97) for each in behind) < 100


def test_a_ring_is_filled_up_to_its_share_and_dots_are_as_many_as_are_counted(plan):
    ring = lit(plan, "ring", (360, 640), 3.0)[0]
    rows, columns = np.nonzero(ring > 60)
    middle = (rows.min() + rows.max()) / 2, (columns.min() + columns.max()) / 2
    turns = np.arctan2(columns - middle[1], middle[0] - rows) / (2 * np.pi) % 1
    assert 0.93 < turns.max() < 0.97

    dots = lit(plan, "dots", (540, 960), 3.0)[0]
    count, _ = cv2.connectedComponents((dots > 60).astype(np.uint8))
    assert count - 1 == 98


def test_a_number_counts_up_to_its_value(plan):
    assert [generated.counted("1,284 km", share) for share in (0.25, 0.5, 1.0)] == [
        "321 km",
        "642 km",
        "1,284 km",
    ]
    assert generated.counted("1.4 million", 0.5) == "0.7 million"
    assert generated.counted("384.000 km", 0.5) == "192.000 km"
    assert generated.counted("150–200", 0.5) is None
    assert generated.counted("1 s", 0.5) is None

    frames = [lit(plan, "pulse", (360, 640), at_s)[1] for at_s in (0.5, 2.0, 3.0)]
    assert (frames[0] != frames[1]).any()
    assert (frames[1] == frames[2]).all()


def over_white(plan, at_s, size=(360, 640), **visual):
    """Return a frame of a card over a white picture, and its letters."""
    document = plan(outputs=[{"name": "o", "width": size[0], "height": size[1]}])
    overlay = {"template": "number", "value": "200,000 km/s", "label": "in glass", "text": "Light"}
    document["scenes"][0]["visual"] = {
        "kind": "image",
        "asset": {"uri": "white.png"},
        "overlay": overlay,
        **visual,
    }
    parsed = timeline.parse(document)
    scene = parsed.scenes[0]
    layers = generated.overlay(scene.shots[0], scene.heading, parsed, parsed.outputs[0], 4.0)
    frame = Frame.of_rgb(np.full((size[1], size[0], 3), 255, np.uint8))
    for layer in layers:
        layer.paint(frame, at_s)
    return frame.as_rgb(), layers


def test_a_card_over_a_bright_picture_has_contrast_and_leaves_in_time(plan):
    shown, layers = over_white(plan, 1.2, overlay_end_s=1.6)
    veiled = Frame.of_rgb(np.full((640, 360, 3), 255, np.uint8))
    layers[0].paint(veiled, 1.2)
    letters = np.abs(shown.astype(int) - veiled.as_rgb()).max(axis=2) > 60
    # Letters without their edges, where they are mixed with what is behind.
    bright = letters & (relative_luminance(shown) > 0.4)
    bright = cv2.erode(bright.astype(np.uint8), np.ones((3, 3))) > 0
    assert bright.sum() > 500
    behind = relative_luminance(veiled.as_rgb()[bright])
    ratio = (relative_luminance(shown[bright]) + 0.05) / (behind + 0.05)
    # WCAG 2 asks for 3 of large letters. The dark rim around all of them has more than 4.5.
    assert np.percentile(ratio, 5) >= 3
    edge = cv2.dilate(letters.astype(np.uint8), np.ones((5, 5))) > 0
    rim = edge & (relative_luminance(shown) < 0.02)
    assert rim.sum() > 500
    least = np.percentile(relative_luminance(shown[bright]), 5)
    assert (least + 0.05) / (0.02 + 0.05) >= 4.5
    gone, _ = over_white(plan, 1.7, overlay_end_s=1.6)
    assert (gone == 255).all()

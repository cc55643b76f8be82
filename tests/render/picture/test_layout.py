"""Nothing that is drawn as text or as a mark covers anything else, compared on the pixels."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from render.picture import generated, layout, overlays
from render.picture.compose import Composer
from render.plan import timeline
from render.text import captions, styles
from render.text.pages import paginate
from tests.render.samples import plain

ASPECTS = [(360, 640), (640, 360), (360, 360)]
PLANS = {
    "title": {"text": "Three hearts, blue blood and nine brains"},
    "phrase": {
        "text": "Its heart stops every time it swims, which is why it prefers to crawl along the floor"
    },
    "number": {"value": "1,284,000", "label": "octopuses live on the floor of the northern ocean today"},
    "counter": {"value": "1,284,000", "label": "octopuses live on the floor of the northern ocean today"},
    "list": {
        "text": "Three hearts with three jobs",
        "items": ["Two for the gills", "One for the body", "It rests while swimming", "Blood is blue"],
    },
    "steps": {
        "text": "How it escapes",
        "items": [
            "Ink the water and wait",
            "Change colour",
            "Squeeze through a gap of two centimetres",
            "Hide",
        ],
    },
    "quote": {
        "text": "The sea, once it casts its spell, holds one in its net of wonder forever.",
        "attribution": "Jacques Cousteau",
    },
    "chart_bar": {
        "text": "Hearts of animals compared",
        "label": "Hearts that beat at the same time",
        "series": [
            {"label": name, "value": value}
            for name, value in (("Octopus", 3), ("Human", 1), ("Hagfish", 4), ("Worm", 5), ("Squid", 3))
        ],
    },
    "chart_line": {
        "text": "Views of the channel",
        "series": [
            {"label": name, "value": value}
            for name, value in (("Jan", 12), ("Feb", 18.5), ("Mar", 44), ("Apr", 30))
        ],
    },
}
SPOKEN = (
    "An octopus unquestionably has three hearts. Counterintuitively two of them pump blood through the "
    "gills, and the extraordinarily muscular third serves the body."
)


@pytest.fixture
def film(spoken, tmp_path):
    """Return a builder of a timeline with everything that is drawn, and its output."""
    Image.new("RGB", (200, 120), (255, 255, 255)).save(tmp_path / "logo.png")

    def build(preset, size, template="title", **fields):
        document = spoken(
            SPOKEN,
            *size,
            captions={"preset": preset},
            demo=True,
            brand={"logo": {"uri": "logo.png"}},
            title_card={
                "text": "Why an octopus has three hearts and what they do all day",
                "kicker": "Marine biology",
                "start_s": 0,
                "end_s": 3,
            },
        )
        generated_ = {"template": template, **PLANS.get(template, {}), **fields}
        document["scenes"][0] |= {
            "heading": "Three hearts of the octopus and of the other animals of the sea",
            "visual": {"kind": "generated", "generated": generated_},
        }
        parsed = timeline.parse(document)
        return parsed, parsed.outputs[0]

    return build


def drawn(output, paint):
    """Return which pixels `paint` changes in a plain frame."""
    frame = plain(output.width, output.height, 128)
    paint(frame)
    chroma = np.asarray(frame.chroma).reshape(output.height // 2, output.width // 2, 2)
    changed = (chroma != 128).any(axis=2).repeat(2, axis=0).repeat(2, axis=1)
    return (frame.luma != 128) | changed


def caption_pixels(parsed, output):
    """Return the pixels of all captions, each word at its largest."""
    painter, found = captions.Painter(parsed, output), np.zeros((output.height, output.width), bool)
    for page in painter.pages:
        for unit in page.units:
            found |= drawn(output, lambda frame, at=unit.start_s + 0.08: painter.paint(frame, at))
    return found


def content_pixels(parsed, output):
    scene = parsed.scenes[0]
    painter = generated.painter(scene.shots[0], scene.heading, parsed, output, 9.0)

    def paint(frame):
        for layer in painter.layers:
            layer.paint(frame, 8.0)

    return drawn(output, paint)


def overlaps(areas):
    return [
        f"{first}/{second}"
        for (first, one), (second, other) in itertools.combinations(areas.items(), 2)
        if (one & other).any()
    ]


@pytest.mark.parametrize("size", ASPECTS)
@pytest.mark.parametrize("preset", sorted(styles.presets()))
def test_nothing_covers_anything_else(film, tmp_path, preset, size):
    parsed, output = film(preset, size)
    marks = [overlays.demo_mark(output), overlays.logo(tmp_path / "logo.png", "logo.png", output)]
    heading = overlays.Heading(parsed.scenes[0].heading, parsed, output, marks)
    card = overlays.TitleCard(parsed, output)
    fixed = {
        "captions": caption_pixels(parsed, output),
        "demo": drawn(output, lambda frame: marks[0].paint(frame, 1.5)),
        "logo": drawn(output, lambda frame: marks[1].paint(frame, 1.5)),
    }
    titled = drawn(output, lambda frame: [layer.paint(frame, 1.5) for layer in card.layers])
    assert overlaps({**fixed, "title card": titled}) == []
    fixed["heading"] = drawn(output, lambda frame: heading.paint(frame, 1.5))
    for template in PLANS:
        found = content_pixels(*film(preset, size, template))
        assert found.sum() > 200, template
        assert overlaps({**fixed, template: found}) == []


@pytest.mark.parametrize("size", ASPECTS)
@pytest.mark.parametrize("motif", ["ring", "dots", "dial", "scale", "streaks", "pulse"])
def test_what_moves_around_a_number_covers_no_caption_and_no_mark(film, tmp_path, motif, size):
    figure = {"motif": motif, "share": 0.6 if motif == "ring" else None, "count": 60}
    parsed, output = film("bold", size, "number", figure=figure)
    scene = parsed.scenes[0]
    painter = generated.painter(scene.shots[0], scene.heading, parsed, output, 9.0)
    marks = [overlays.demo_mark(output), overlays.logo(tmp_path / "logo.png", "logo.png", output)]
    heading = overlays.Heading(scene.heading, parsed, output, marks)
    lit = np.zeros((output.height, output.width), bool)
    for at_s in (4.0, 4.4, 4.9, 5.5):
        lit |= drawn(output, lambda frame, at=at_s: [light.paint(frame, at) for light in painter.lights])

    assert lit.sum() > 200
    fixed = {
        "captions": caption_pixels(parsed, output),
        "heading": drawn(output, lambda frame: heading.paint(frame, 1.5)),
        "demo": drawn(output, lambda frame: marks[0].paint(frame, 1.5)),
        "logo": drawn(output, lambda frame: marks[1].paint(frame, 1.5)),
    }
    assert overlaps({motif: lit, **fixed}) == []
    # Streaks rush past behind the letters, weakly, and so do circles.
    if motif not in ("streaks", "pulse"):
        assert overlaps({motif: lit, "letters": content_pixels(parsed, output)}) == []


@pytest.mark.parametrize("size", ASPECTS)
def test_list_items_are_not_much_smaller_than_their_heading(film, size):
    many = [f"Number {index} of the things to know about it" for index in range(8)]
    for template in ("list", "steps"):
        parsed, output = film("bold", size, template, items=many)
        scene = parsed.scenes[0]
        layers = generated.painter(scene.shots[0], scene.heading, parsed, output, 9.0).layers
        heights = [
            layer.sprite.height for layer in layers if layer.sprite.height > 12 and layer.sprite.width > 60
        ]
        assert min(heights) >= 0.5 * max(heights)


def test_captions_in_the_middle_move_down_for_a_card_only(plan, spoken):
    document = spoken(SPOKEN, 360, 640, captions={"preset": "impact"})
    clear, _ = (timeline.parse(document) for _ in range(2))
    rows = np.nonzero(caption_pixels(clear, clear.outputs[0]).any(axis=1))[0]
    assert rows.min() < 320 < rows.max()
    document["scenes"][0]["visual"]["generated"] = {"template": "title", "text": "Octopus"}
    covered = timeline.parse(document)
    rows = np.nonzero(caption_pixels(covered, covered.outputs[0]).any(axis=1))[0]
    assert rows.min() > 320


def test_a_title_card_hides_the_text_below_it(film):
    """The generated text enters when the title card has left."""
    parsed, output = film("bold", (360, 640), "quote")
    bare, _ = film("bold", (360, 640), "gradient", text=None, attribution=None)
    composers = [Composer(replace(plan, captions=None, logo=None), output, {}) for plan in (parsed, bare)]
    for number, hidden in ((30, True), (75, True), (135, False)):
        shown, empty = (composer.draw(number).luma.astype(int) for composer in composers)
        assert bool(np.abs(shown - empty).max() < 3) is hidden


@pytest.mark.parametrize(
    ("heading", "fields", "shown"),
    [
        ("Three hearts", {"template": "list", "text": "Three hearts", "items": ["One"]}, False),
        ("Three hearts", {"template": "list", "text": "THREE HEARTS:", "items": ["One"]}, False),
        ("Octopuses today", {"template": "number", "value": "7", "label": "octopuses today"}, False),
        ("Three hearts", {"template": "list", "text": "Their jobs", "items": ["One"]}, True),
        ("Three hearts", {"template": "gradient"}, True),
        (None, {"template": "gradient"}, False),
    ],
)
def test_a_heading_that_repeats_the_card_is_not_shown(plan, heading, fields, shown):
    document = plan()
    document["scenes"][0] |= {"heading": heading, "visual": {"kind": "generated", "generated": fields}}
    scene = timeline.parse(document).scenes[0]
    assert layout.shows_heading(scene.heading, scene.shots[0].visual) is shown


def test_a_caption_ends_with_its_scene(plan):
    """The last words end just before the cut, and the next scene's voice starts a little later."""
    words = [
        {"text": text, "start_s": 0.5 * index, "end_s": 0.5 * index + 0.45}
        for index, text in enumerate("abcd")
    ]
    first = plan()["scenes"][0] | {
        "narration": {"audio": {"uri": "n.wav"}, "start_s": 0, "duration_s": 2, "words": words}
    }
    later = {"text": "e", "start_s": 2.6, "end_s": 3}
    second = plan()["scenes"][0] | {
        "id": "1",
        "start_s": 2,
        "end_s": 4,
        "narration": {"audio": {"uri": "n.wav"}, "start_s": 2.5, "duration_s": 1, "words": [later]},
    }
    parsed = timeline.parse(plan(scenes=[first, second], captions={"preset": "bold"}))
    assert paginate(parsed, parsed.outputs[0])[0].end_s <= 2.0


def test_captions_that_stand_on_the_card_are_not_drawn_a_second_time(spoken):
    document = spoken("Its heart stops when it swims.", 360, 640)
    for text, hidden in (("Its heart stops when it swims", True), ("It swims", False)):
        document["scenes"][0]["visual"]["generated"] = {"template": "phrase", "text": text}
        parsed = timeline.parse(document)
        assert bool(caption_pixels(parsed, parsed.outputs[0]).any()) is not hidden


def test_a_card_over_a_photograph_is_drawn_until_it_leaves(plan, tmp_path):
    """Dim the photograph behind a card, and move the captions below the card."""
    photograph = tmp_path / "white.png"
    Image.new("RGB", (360, 640), (250, 250, 250)).save(photograph)
    document = plan(outputs=[{"name": "o", "width": 360, "height": 640}])
    document["scenes"][0]["visual"] = {
        "kind": "image",
        "asset": {"uri": "white.png"},
        "overlay": {"template": "number", "value": "98", "label": "words", "figure": {"motif": "dots"}},
        "overlay_end_s": 1.4,
    }
    parsed = timeline.parse(document)
    composer = Composer(parsed, parsed.outputs[0], {"white.png": photograph})

    shown, left = composer.draw(33).luma, composer.draw(50).luma

    assert shown[300].max() < 140
    assert left.min() > 200
    assert layout.filled(parsed) == [(0.0, 2.0, "")]

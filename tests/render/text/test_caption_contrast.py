"""Every word of a caption can be read over a white and over a busy clip: measured on the pixels."""

import cv2
import numpy as np
import pytest

from render.picture import clips
from render.picture.planes import Frame
from render.plan import timeline
from render.plan.timeline import Asset, Visual
from render.text import captions, styles
from tests.render import samples

SIZES = {"9:16": (1080, 1920), "16:9": (1920, 1080)}
# Waves of all tones move through the picture: the worst ground for letters.
CLIPS = {
    "white": "color=white:s=320x180:r=30:d=1",
    "busy": (
        "nullsrc=s=320x180:r=30:d=1,geq=lum='128+127*sin(X/3+N)*sin(Y/4)':cb='128+90*sin(X/9)'"
        ":cr='128+90*cos(Y/7)'"
    ),
}
WORDS = ("Two", "bright", "hearts", "beat,", "one", "quietly", "rests")
# Of the rim of a letter, so much may have less contrast: in its corners letter and rim are mixed.
CORNERS = 0.05
# Pixels around a letter in which it meets its rim.
RIM = 5


def painter_of(preset, size):
    words = [
        {"text": text, "start_s": 0.5 * index, "end_s": 0.45 + 0.5 * index}
        for index, text in enumerate(WORDS)
    ]
    scene = {
        "id": "0",
        "start_s": 0,
        "end_s": 5,
        "visual": {"kind": "clip", "asset": {"uri": "c.mp4"}},
        "narration": {"audio": {"uri": "none"}, "start_s": 0, "duration_s": 4, "words": words},
    }
    parsed = timeline.parse(
        {
            "schema_version": 1,
            "video_id": "v",
            "title": "t",
            "outputs": [{"name": "o", "width": size[0], "height": size[1]}],
            "captions": {"preset": preset},
            "scenes": [scene],
        }
    )
    return captions.Painter(parsed, parsed.outputs[0])


@pytest.fixture(scope="module")
def grounds(tmp_path_factory):
    """Return a frame of each clip, by its name and the aspect ratio."""
    folder, found = tmp_path_factory.mktemp("clips"), {}
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    for name, graph in CLIPS.items():
        samples.ffmpeg("-f", "lavfi", "-i", graph, *coding, folder / f"{name}.mp4")
        for aspect, size in SIZES.items():
            visual = Visual("clip", Asset(name), fit="cover")
            painter = clips.ClipPainter(folder / f"{name}.mp4", name, visual, *size, 30)
            found[name, aspect] = painter.paint(5)
            painter.close()
    return found


def luminance(rgb):
    value = rgb.astype(np.float32) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def near(rgb, wanted, levels=14):
    return np.abs(rgb.astype(int) - np.array(wanted)).max(axis=2) <= levels


def rim_contrasts(shown, letters, strokes, reach):
    """Return the contrast of each pixel of the rim around letters to them.

    `letters` is a mask of their own colour, `strokes` one that has their soft edges too.
    """
    inner, outer = (
        cv2.dilate(strokes.astype(np.uint8), np.ones((2 * side + 1,) * 2, np.uint8))
        for side in (1, 1 + reach)
    )
    found = luminance(shown)
    light, ring = found[letters].mean(), found[(outer == 1) & (inner == 0)]
    return (np.maximum(light, ring) + 0.05) / (np.minimum(light, ring) + 0.05)


@pytest.mark.parametrize("aspect", SIZES)
@pytest.mark.parametrize("ground", CLIPS)
@pytest.mark.parametrize("preset", sorted(styles.presets()))
def test_every_word_is_legible_inside_the_safe_area(grounds, preset, ground, aspect):
    size, plain = SIZES[aspect], grounds[ground, aspect]
    painter = painter_of(preset, size)
    style, safe = painter.style, painter.output.safe_area
    read = set()
    # While a word is spoken on each page, at its largest.
    for at_s in (0.1, 2.1):
        shown = Frame(plain.luma.copy(), plain.chroma.copy(), *size)
        black = samples.plain(*size, luma=16)
        painter.paint(shown, at_s)
        painter.paint(black, at_s)
        rows, columns = np.nonzero(np.abs(black.luma.astype(int) - 16) > 30)
        assert columns.min() >= safe.left * size[0] - 1
        assert columns.max() <= (1 - safe.right) * size[0] + 1
        assert rows.min() >= safe.top * size[1] - 1
        assert rows.max() <= (1 - safe.bottom) * size[1] + 1
        colours, over_black = shown.as_rgb(), black.as_rgb()
        for word in painter._placed[1]:
            # Its letters and their rim, without the words beside it and above it.
            left, top = word.x + style.base.margin - RIM, word.y + style.base.margin
            rows = (top, word.y + word.still.height - style.base.margin)
            columns = (left, left + word.letters_width + 2 * RIM)
            window = np.s_[slice(*rows), slice(*columns)]
            part, dark = colours[window], over_black[window]
            # What has the letters' colour over black too is a letter, not the ground.
            fills = {style.spoken.fill, style.waiting.fill, style.base.fill}
            fill = max(fills, key=lambda each, part=part, dark=dark: _count(part, dark, each))
            letters, strokes = (near(part, fill, by) & near(dark, fill, by) for by in (14, 140))
            # What differs between the grounds shows the ground: it is no part of a letter.
            strokes &= np.abs(part.astype(int) - dark).max(axis=2) <= 14
            assert np.count_nonzero(letters) > 100, word.unit.text
            contrasts = rim_contrasts(part, letters, strokes, max(2, style.base.outline // 2))
            low = float((contrasts < 4.5).mean())
            assert low <= CORNERS, (word.unit.text, low, np.percentile(contrasts, 5))
            read.add(word.unit.text)
    assert read == set(WORDS)


def _count(part, dark, fill):
    return np.count_nonzero(near(part, fill) & near(dark, fill))


def test_the_measurement_finds_letters_without_a_rim():
    """White letters on white, as they would be without outline, shadow and panel."""
    picture, drawn = np.full((60, 60, 3), 235, np.uint8), np.zeros((60, 60), np.uint8)
    cv2.putText(drawn, "a", (10, 45), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 6)
    letters = drawn > 0
    picture[letters] = 255
    assert (rim_contrasts(picture, letters, letters, 2) < 4.5).all()

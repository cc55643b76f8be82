"""Draw every caption preset in every aspect ratio and script on one picture, as videos show them."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from render.picture.backdrop import Tones, painted
from render.picture.colour import Pixels
from render.picture.planes import Frame
from render.plan.timeline import (
    Asset,
    CaptionStyle,
    Narration,
    Output,
    Palette,
    Scene,
    Shot,
    Timeline,
    Visual,
    Word,
)
from render.text import captions, lettering, styles
from render.text.lettering import TextStyle

SAMPLES = {
    "Latin": ("en", "The octopus keeps three hearts beating under cold water."),
    "Cyrillic": ("ru", "У осьминога три сердца, и каждое делает своё дело."),
    "Greek": ("el", "Το χταπόδι έχει τρεις καρδιές και γαλάζιο αίμα."),
    "Han": ("zh", "章鱼有三颗心脏，其中两颗把血液送到鳃。"),
    "Kana": ("ja", "タコには心臓が三つあり、血は青い色をしています。"),
    "Hangul": ("ko", "문어는 심장이 세 개이고 피는 푸른색입니다."),
    "Arabic": ("ar", "للأخطبوط ثلاثة قلوب ودمه أزرق اللون."),
    "Hebrew": ("he", "לתמנון יש שלושה לבבות ודם כחול."),
    "Thai": ("th", "ปลาหมึก มีหัวใจ สามดวง และเลือดสีฟ้า"),
    "Bengali": ("bn", "অক্টোপাসের তিনটি হৃদয় আর নীল রক্ত আছে।"),
    "Emoji": ("en", "Three hearts ❤️ one octopus 🐙 and a 👍🏽 from me 🎉"),
    "Devanagari": ("hi", "ऑक्टोपस के तीन हृदय होते हैं और रक्त नीला।"),
}
ASPECTS = (Output("tall", 540, 960), Output("wide", 960, 540), Output("square", 720, 720))
# Cells are drawn at full size and reduced by this factor.
SHOWN = 0.42
_GAP, _HEAD = 10, 46


def draw_sheets(target: str) -> Path:
    """Write one PNG with all cells to `target`, print and return its path."""
    sections = [section(output) for output in ASPECTS]
    width = max(picture.shape[1] for picture in sections)
    padded = [
        cv2.copyMakeBorder(
            picture, 0, _GAP, 0, width - picture.shape[1], cv2.BORDER_CONSTANT, value=(24, 24, 28)
        )
        for picture in sections
    ]
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(padded), cv2.COLOR_RGB2BGR))
    print(path)
    return path


def section(output: Output) -> Pixels:
    """Return the cells of one output as RGB: a column for each preset, a row for each script."""
    from render.plan.timeline import parse

    # Parse a document to get the aspect ratio's default safe area.
    document = {
        "schema_version": 1,
        "video_id": "x",
        "title": "x",
        "outputs": [{"name": "x", "width": output.width, "height": output.height}],
        "scenes": [
            {
                "id": "0",
                "start_s": 0,
                "end_s": 1,
                "visual": {"kind": "generated", "generated": {"template": "gradient"}},
            }
        ],
    }
    real = parse(document).outputs[0]
    rows = [np.hstack([_cell(preset, script, real) for preset in styles.presets()]) for script in SAMPLES]
    return np.vstack([_titles(list(styles.presets()), rows[0].shape[1]), *rows])


def _cell(preset: str, script: str, output: Output) -> Pixels:
    language, text = SAMPLES[script]
    plan = _plan(preset, language, text, output)
    frame = _background(output)
    painter = captions.Painter(plan, output)
    page = painter.pages[0]
    words = page.units
    painter.paint(frame, words[len(words) // 2].start_s + 0.05)
    rgb = _with_safe_area(frame.as_rgb(), output)
    small = cv2.resize(rgb, None, fx=SHOWN, fy=SHOWN, interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(
        small, _GAP // 2, _GAP // 2, _GAP // 2, _GAP // 2, cv2.BORDER_CONSTANT, value=(24, 24, 28)
    )  # type: ignore[return-value]


def _plan(preset: str, language: str, text: str, output: Output) -> Timeline:
    pieces = text.split() if " " in text else [text]
    step = 4.0 / len(pieces)
    words = tuple(Word(piece, index * step, (index + 0.9) * step) for index, piece in enumerate(pieces))
    scene = Scene(
        "0", (Shot("0", 0.0, 5.0, Visual("generated")),), None, Narration(Asset("none"), 0.0, 4.0, words)
    )
    return Timeline(
        "contact", "Contact sheet", (output,), (scene,), language=language, captions=CaptionStyle(preset)
    )


def _background(output: Output) -> Frame:
    return Frame.of_rgb(_half_dark(output))


@cache
def _half_dark(output: Output) -> Pixels:
    """Return a half dark, half bright picture: captions must be legible on both."""
    dark = painted(Tones.of(Palette()), (output.width, output.height), np.random.default_rng(3))
    bright = np.clip(dark.astype(np.int16) + 150, 0, 255).astype(np.uint8)
    split = np.where((np.arange(output.width) < output.width // 2)[None, :, None], dark, bright)
    return np.ascontiguousarray(split)


def _with_safe_area(rgb: Pixels, output: Output) -> Pixels:
    safe = output.safe_area
    corners = (
        (round(safe.left * output.width), round(safe.top * output.height)),
        (round((1 - safe.right) * output.width), round((1 - safe.bottom) * output.height)),
    )
    return cv2.rectangle(np.ascontiguousarray(rgb), *corners, (255, 80, 80), 1)  # type: ignore[return-value]


def _titles(names: list[str], width: int) -> Pixels:
    head = np.full((_HEAD, width, 3), (24, 24, 28), np.uint8)
    cell = width // len(names)
    for index, name in enumerate(names):
        rgba, _, base = lettering.draw(name, TextStyle(24, weight=700))
        x, y = index * cell + 8, max(0, 32 - base)
        part = rgba[max(0, base - 32) :][: _HEAD - y, : width - x]
        share = part[..., 3:].astype(np.float32) / 255
        region = head[y : y + part.shape[0], x : x + part.shape[1]]
        region[:] = (region * (1 - share) + part[..., :3] * share).astype(np.uint8)
    return head

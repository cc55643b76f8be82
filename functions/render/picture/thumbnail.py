"""Thumbnails: the best frame of the video or a backdrop, with the title in letters that are legible at 120
pixels.
"""

import io
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from render.errors import AssetCorrupt
from render.picture import backdrop, clips, colour, stills
from render.picture.colour import Pixels
from render.picture.planes import Frame, Sprite
from render.plan.timeline import Output, Timeline, Visual
from render.text import fonts, lettering
from render.text.lettering import TextStyle

# YouTube's own limit.
MAX_BYTES = 2_000_000
CANDIDATES = 6
# Width of the pictures that are compared. A JPEG is decoded at a quarter of its size for that.
_PREVIEW = 224
# A clip's frame so long after its beginning.
_INTO_CLIP_S = 1.0
# A longer title is not legible at 120 pixels at any text size.
MAX_LETTERS = 48


@dataclass(frozen=True)
class Shape:
    """A thumbnail's file name and size in pixels."""

    name: str
    width: int
    height: int


def shapes(output: Output, first: bool) -> list[Shape]:
    """Return the thumbnails of an output: always 1280x720, which the platforms' APIs take; also upright for a
    tall video.
    """
    stem = "thumbnail" if first else f"thumbnail.{output.name}"
    return [Shape(f"{stem}.jpg", 1280, 720)] + (
        [Shape(f"{stem}.tall.jpg", 1080, 1920)] if output.shape == "tall" else []
    )


def make_jpeg(timeline: Timeline, files: dict[str, Path], shape: Shape) -> bytes:
    output = Output(
        shape.name,
        shape.width,
        shape.height,
        safe_area=replace(timeline.outputs[0].safe_area, top=0.08, bottom=0.08, left=0.06, right=0.06),
    )
    picture = _picture(timeline, files, output)
    text = timeline.title if timeline.thumbnail_text is None else timeline.thumbnail_text
    if text.strip():
        picture = _typeset(picture, text.strip(), timeline, output)
    return _jpeg(picture)


def _picture(timeline: Timeline, files: dict[str, Path], output: Output) -> Pixels:
    """Return the best of a few pictures, without text; a backdrop if the video has none."""
    shots = [shot for shot in timeline.shots if shot.visual.asset]
    if timeline.thumbnail_source == "typeset" or not shots:
        return backdrop.painted(
            backdrop.Tones.of(timeline.palette),
            (output.width, output.height),
            np.random.default_rng(timeline.seed + 1),
        )
    step = max(1, len(shots) // CANDIDATES)
    best = max(
        shots[::step][:CANDIDATES], key=lambda shot: appeal(_preview(shot.visual, files, output))
    ).visual
    assert best.asset is not None
    path, name, size = files[best.asset.uri], best.asset.uri, (output.width, output.height)
    if best.kind == "image":
        background = colour.parse(timeline.palette.background)
        return stills.framed(stills.load(path, name, max(size), background), size, best.fit, best.focus)
    # A little after the frame that was rated: a clip may be faded in.
    start_s = best.trim[0] + _INTO_CLIP_S
    ends_s = best.trim[1] if best.trim[1] is not None and best.trim[1] > start_s else None
    try:
        later = replace(best, trim=(start_s, ends_s))
        painter = clips.ClipPainter(path, name, later, *size, timeline.fps, frames=1)
        frame = painter.paint(0)
    except AssetCorrupt:
        # The clip is shorter.
        painter = clips.ClipPainter(path, name, best, *size, timeline.fps, frames=1)
        frame = painter.paint(0)
    painter.close()
    return frame.as_rgb()


def _preview(visual: Visual, files: dict[str, Path], output: Output) -> Pixels:
    """Return a small version of a shot's picture, cropped like the thumbnail."""
    assert visual.asset is not None
    size = (_PREVIEW, 2 * round(_PREVIEW / 2 * output.height / output.width))
    return stills.framed(_small(files[visual.asset.uri], visual), size, visual.fit, visual.focus)


# Decoded once for all thumbnail shapes.
@lru_cache(maxsize=CANDIDATES)
def _small(path: Path, visual: Visual) -> Pixels:
    """Decode a picture at a reduced size, large enough for an upright crop of _PREVIEW pixels."""
    assert visual.asset is not None
    if visual.kind == "clip":
        # Parts begin at key frames: any other picture takes thirty decoded ones.
        return clips.still(path, visual.asset.uri, visual.trim[0])
    return stills.load(path, visual.asset.uri, 400)


def appeal(rgb: Pixels) -> float:
    """Rate a picture by sharpness, contrast, colour and exposure.

    Each term is limited, so noise alone does not win.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    sharp = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    contrast = float(grey.std())
    lively = float(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)[..., 1].mean())
    exposure = 1 - abs(float(grey.mean()) - 118) / 138
    return sharp / (sharp + 300) + contrast / (contrast + 50) + 0.5 * lively / (lively + 80) + 0.6 * exposure


def _typeset(picture: Pixels, text: str, timeline: Timeline, output: Output) -> Pixels:
    """Draw the title very large over a darkened lower part, with a bar in the accent colour."""
    tall = output.height > output.width
    palette = timeline.palette
    shade = colour.mix(colour.parse(palette.background), (0, 0, 0), 0.4)
    ink, accent = (
        colour.legible(colour.parse(palette.text), shade, 9),
        colour.legible(colour.parse(palette.accent), shade, 4.5),
    )
    side = round(output.width * 0.06)
    room = output.width - 2 * side if tall else round(output.width * 0.78)
    words = _shortened(text)
    size = round(output.width * 0.155) if tall else round(output.height * 0.215)
    style = TextStyle(
        size,
        fonts.family(timeline.font),
        900,
        timeline.language,
        ink,
        outline=round(size * 0.045),
        outline_fill=shade,
        shadow=round(size * 0.07),
        shadow_drop=round(size * 0.03),
        shadow_opacity=0.6,
    )
    lines, style = lettering.fitted(words, style, room, 5 if tall else 3, 0.5)
    step = round(style.size * 1.1)
    block = step * len(lines)
    bar = max(10, round(output.height * (0.009 if tall else 0.018)))
    bottom = round(output.height * (0.80 if tall else 0.93))
    top = bottom - block - 2 * bar
    picture = _darkened(picture, shade, top - style.size)
    frame = Frame.of_rgb(picture)
    rtl = bool(style.rtl)
    bar_width = round(output.width * 0.14)
    frame_bar = Sprite.from_rgba(np.full((bar, bar_width, 4), (*accent, 255), np.uint8))
    frame_bar.blend(frame, output.width - side - bar_width if rtl else side, top - round(bar * 0.6))
    for row, line in enumerate(lines):
        last = replace(style, fill=accent) if row == len(lines) - 1 and len(lines) > 1 else style
        sprite, left, base = lettering.sprite(line, last)
        x = output.width - side - round(lettering.width(line, style)) if rtl else side
        sprite.blend(frame, x - left, top + 2 * bar + row * step + round(style.size * 0.84) - base)
    return frame.as_rgb()


def _shortened(text: str) -> str:
    """Shorten a long title at a punctuation mark, or else after a word with an ellipsis."""
    if len(text) <= MAX_LETTERS:
        return text
    for mark in (": ", " – ", " — ", " - ", "? ", "! ", ". ", " | ", ", "):
        head = text.split(mark, 1)[0].strip()
        if 8 <= len(head) <= MAX_LETTERS and head != text:
            return head + (mark.strip() if mark.strip() in "?!" else "")
    words = text.split()
    shortened = ""
    for word in words:
        if len(shortened) + len(word) + 1 > MAX_LETTERS - 1:
            return shortened.rstrip(",;:") + "…"
        shortened = f"{shortened} {word}".strip()
    return shortened[:MAX_LETTERS]


def _darkened(picture: Pixels, shade: colour.RGB, from_y: int) -> Pixels:
    """Darken the picture towards `shade`, starting a little above `from_y`."""
    height = picture.shape[0]
    reach = max(1, height - from_y)
    rise = (np.arange(height, dtype=np.float32) - from_y + reach * 0.25) / (reach * 0.6)
    return colour.shaded(picture, shade, np.clip(rise, 0, 1) * np.float32(0.78))


def _jpeg(picture: Pixels) -> bytes:
    for quality in (92, 86, 80, 70, 60):
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=quality, subsampling=0 if quality > 85 else 2)
        if buffer.tell() <= MAX_BYTES:
            break
    return buffer.getvalue()

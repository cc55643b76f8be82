"""Measure text, wrap it in balanced lines, and draw it with outline and shadow.

One line may use several fonts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypedDict

import cv2
import numpy as np
from PIL import Image, ImageDraw

from render.picture import colour
from render.picture.colour import RGB, Pixels
from render.picture.planes import Sprite
from render.text import bidi, fonts

# Height above and below the baseline in ems. Devanagari and stacked Arabic marks need more than Latin.
ASCENT, DESCENT = 1.12, 0.42


@dataclass(frozen=True)
class TextStyle:
    """Font, colours, outline and shadow of a text. Sizes are in pixels.

    `rtl`: the text's paragraph is read from right to left. None: its own letters decide.
    """

    size: int
    family: str = fonts.HOUSE
    weight: int = 700
    language: str = "en"
    fill: RGB = (255, 255, 255)
    outline: int = 0
    outline_fill: RGB = (0, 0, 0)
    shadow: int = 0
    shadow_drop: int = 0
    shadow_opacity: float = 0.0
    rtl: bool | None = None

    @property
    def margin(self) -> int:
        """Return the pixels that outline and shadow need around the letters: an even number, for the chroma
        grid.
        """
        return (self.outline + 2 * self.shadow + self.shadow_drop + 4) // 2 * 2

    def sized(self, size: int) -> "TextStyle":
        """Return this style at another size, with outline and shadow scaled."""
        factor = size / self.size
        outline, shadow = round(self.outline * factor), round(self.shadow * factor)
        return replace(
            self, size=size, outline=outline, shadow=shadow, shadow_drop=round(self.shadow_drop * factor)
        )


def is_cjk(sign: str) -> bool:
    """Return True for a Chinese, Japanese or full-width character."""
    code = ord(sign)
    return (
        0x2E80 <= code <= 0x9FFF
        or 0xF900 <= code <= 0xFAFF
        or 0xFF00 <= code <= 0xFFEF
        or 0x20000 <= code <= 0x3FFFF
    )


def width(text: str, style: TextStyle) -> float:
    """Return the width of a line in pixels, without outline and shadow."""
    return sum(
        _run_width(run, face, style.size, style.language, rtl) for run, face, rtl in _runs(text, style)
    )


def _runs(text: str, style: TextStyle) -> list[tuple[str, Path, bool]]:
    """Return the parts of a line from left to right: (text, font file, read from right to left)."""
    paragraph_rtl = bidi.is_rtl(text, style.language) if style.rtl is None else style.rtl
    found = []
    for run in bidi.visual_runs(text, paragraph_rtl):
        parts = fonts.split(text[run.start : run.end], style.family, style.weight)
        found += [(part, face, run.rtl) for part, face in (reversed(parts) if run.rtl else parts)]
    return found


@lru_cache(maxsize=8192)
def _run_width(run: str, face: Path, size: int, language: str, rtl: bool) -> float:
    # Measure at a large size and scale down: FreeType rounds advances to whole pixels at small sizes.
    return fonts.load(face, 200).getlength(run, **_shaping(language, rtl)) * size / 200


class _Shaping(TypedDict, total=False):
    """Pillow's options for the shaping of a run."""

    language: str
    direction: str


def _shaping(language: str, rtl: bool) -> _Shaping:
    """Return Pillow's options for a run. Without FriBidi it accepts none."""
    if not bidi.shaping():
        return {}
    return {"language": fonts.han_language(language), "direction": "rtl" if rtl else "ltr"}


@dataclass(frozen=True)
class Masks:
    """Coverage (0 to 255) of the letters, of the letters with outline, and of the shadow, as arrays [height,
    width].

    `left` and `baseline` are the position in them where the text starts.
    """

    letters: Pixels
    rim: Pixels
    shadow: Pixels | None
    left: int
    baseline: int


def masks(text: str, style: TextStyle) -> Masks:
    """Return the masks of a text. They do not depend on colours, so a word and its highlight share them."""
    return _masks(text, replace(style, fill=(0, 0, 0), outline_fill=(0, 0, 0)))


@lru_cache(maxsize=24)
def _masks(text: str, style: TextStyle) -> Masks:
    margin = style.margin
    width_ = (int(np.ceil(width(text, style))) + 2 * margin + style.size // 3 + 1) // 2 * 2
    baseline = margin + round(ASCENT * style.size)
    height = (baseline + round(DESCENT * style.size) + margin + 1) // 2 * 2
    letters = _mask(text, style, width_, height, margin, baseline, 0)
    rim = _mask(text, style, width_, height, margin, baseline, style.outline) if style.outline else letters
    return Masks(letters, rim, _shadow(rim, style) if style.shadow_opacity else None, margin, baseline)


def _mask(
    text: str, style: TextStyle, canvas_width: int, canvas_height: int, x: int, baseline: int, stroke: int
) -> Pixels:
    image = Image.new("L", (canvas_width, canvas_height))
    pen, at = ImageDraw.Draw(image), float(x)
    for run, face, rtl in _runs(text, style):
        pen.text(
            (at, baseline),
            run,
            font=fonts.load(face, style.size),
            fill=255,
            anchor="ls",
            stroke_width=stroke,
            **_shaping(style.language, rtl),
        )
        at += _run_width(run, face, style.size, style.language, rtl)
    return np.asarray(image)


def _shadow(rim: Pixels, style: TextStyle) -> Pixels:
    """Return the blurred shadow, computed at half size because it has no detail."""
    half = cv2.resize(rim, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(half, (0, 0), max(0.6, style.shadow / 2))
    full = cv2.resize(soft, (rim.shape[1], rim.shape[0]), interpolation=cv2.INTER_LINEAR)
    dropped = np.zeros_like(full)
    dropped[style.shadow_drop :] = full[: full.shape[0] - style.shadow_drop]
    return cv2.convertScaleAbs(dropped, alpha=style.shadow_opacity)  # type: ignore[return-value]


def sprite(text: str, style: TextStyle) -> tuple[Sprite, int, int]:
    """Return (sprite, left, baseline): the drawn text, and the position in it where the text starts."""
    shape = masks(text, style)
    return _coloured(shape, style), shape.left, shape.baseline


def _coloured(shape: Masks, style: TextStyle) -> Sprite:
    """Build the premultiplied planes from the masks: letters over outline over shadow, each in one colour."""
    tones = list(
        zip(colour.yuv(style.fill), colour.yuv(style.outline_fill), colour.yuv((0, 0, 0)), strict=True)
    )
    full = _shares(shape.letters, shape.rim, shape.shadow)
    half = tuple(cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for mask in full)
    luma, u, v = (_lit(shares, tone) for shares, tone in zip((full, half, half), tones, strict=True))
    behind, behind_half = (
        255 - cv2.add(cv2.add(letters, outline), shadow) for letters, outline, shadow in (full, half)
    )
    return Sprite((luma, cv2.merge([u, v])), (behind, cv2.merge([behind_half, behind_half])))  # type: ignore[arg-type]


def _lit(shares: Any, tones: tuple[int, int, int]) -> Pixels:
    (letters, outline, shadow), (ink, rim, black) = shares, tones
    colours = cv2.addWeighted(letters, ink / 255, outline, rim / 255, 0)
    lit: Pixels = cv2.addWeighted(colours, 1.0, shadow, black / 255, 0)
    return lit


def _shares(letters: Pixels, rim: Pixels, shadow: Pixels | None) -> tuple[Any, Any, Any]:
    """Return how much of each pixel is letter, outline and shadow; the sum is at most 255."""
    outline = cv2.subtract(rim, letters)
    if shadow is None:
        return letters, outline, np.zeros_like(letters)
    return letters, outline, cv2.multiply(shadow, 255 - cv2.max(rim, letters), scale=1 / 255)


def draw(text: str, style: TextStyle) -> tuple[Pixels, int, int]:
    """Return (RGBA picture, left, baseline) of the letters alone, not premultiplied, for pictures outside a
    video.
    """
    shape = masks(text, style)
    rgba = np.dstack(
        [np.broadcast_to(np.array(style.fill, np.uint8), (*shape.letters.shape, 3)), shape.letters]
    )
    return rgba, shape.left, shape.baseline


def pieces(text: str) -> list[tuple[str, bool]]:
    """Split a text where a line may break: at spaces and between CJK characters.

    Returns (part, a space precedes it).
    """
    found: list[tuple[str, bool]] = []
    for word in text.split():
        for index, part in enumerate(_breakable(word)):
            found.append((part, index == 0 and bool(found)))
    return found


# Japanese and Chinese line breaking rules (kinsoku): characters that may not begin a line, and that may not
# end one.
NOT_FIRST = set(
    "、。，．・：；？！ー）］｝〉》」』】〕％…‥ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ々ゝゞ!?,.:;)]}%’”"
)
NOT_LAST = set("（［｛〈《「『【〔$£¥([{‘“")


def _breakable(word: str) -> list[str]:
    if not any(is_cjk(sign) for sign in word):
        return [word]
    parts: list[str] = []
    for cluster in fonts.clusters(word):
        latin = parts and not is_cjk(cluster[0]) and not is_cjk(parts[-1][-1])
        if parts and (cluster[0] in NOT_FIRST or parts[-1][-1] in NOT_LAST or latin):
            parts[-1] += cluster
        else:
            parts.append(cluster)
    return parts


def wrap(text: str, style: TextStyle, limit: float, max_lines: int) -> list[str] | None:
    """Wrap a text into as few balanced lines as possible, none wider than `limit` pixels.

    A last line of a single word is avoided. Returns None if it does not fit into `max_lines`.
    """
    units = pieces(text)
    widths = [width(part, style) for part, _ in units]
    space = width(" ", style)
    for count in range(1, max_lines + 1):
        breaks = balanced(widths, [space if gap else 0.0 for _, gap in units], limit, count)
        if breaks is not None:
            return [_joined(units[start:end]) for start, end in pairwise(breaks)]
    return None


def _joined(units: Sequence[tuple[str, bool]]) -> str:
    return "".join((" " if gap and index else "") + part for index, (part, gap) in enumerate(units))


def balanced(widths: Sequence[float], gaps: Sequence[float], limit: float, lines: int) -> list[int] | None:
    """Return the break positions [0, ..., len] for exactly `lines` lines, so that the longest line is as
    short as possible.

    A last line of one part is used only if nothing else fits. Returns None if the lines cannot be kept within
    `limit`.
    """
    count = len(widths)
    if lines > count:
        return None
    sums = np.concatenate([[0.0], np.cumsum(np.add(widths, gaps))])

    def line(start: int, end: int) -> float:
        return float(sums[end] - sums[start] - gaps[start])

    best: dict[tuple[int, int], tuple[float, list[int]]] = {(0, 0): (0.0, [0])}
    for row in range(1, lines + 1):
        for end in range(row, count + 1):
            options = []
            for start in range(row - 1, end):
                if (row - 1, start) not in best or (row == lines and end < count) or line(start, end) > limit:
                    continue
                lone = 2 * limit if row == lines > 1 and end - start == 1 and count > 2 else 0.0
                worst, path = best[(row - 1, start)]
                options.append((max(worst, line(start, end)) + lone, [*path, end]))
            if options:
                best[(row, end)] = min(options)
    return best[(lines, count)][1] if (lines, count) in best else None


def fitted(
    text: str, style: TextStyle, limit: float, max_lines: int, smallest: float = 0.45
) -> tuple[list[str], TextStyle]:
    """Wrap a text at the largest size that fits, down to the share `smallest` of the style's size.

    If even that is too large, cut the text and add an ellipsis. Returns (lines, the style at the size used
    and with the text's direction).
    """
    style = replace(style, rtl=bidi.is_rtl(text, style.language))
    for percent in range(100, round(smallest * 100) - 1, -4):
        sized = style.sized(max(8, style.size * percent // 100))
        lines = wrap(text, sized, limit, max_lines)
        if lines and not (
            len(lines) > 1 and percent > 80 and len(lines[-1].split()) == 1 and len(text.split()) > 3
        ):
            return lines, sized
    sized = style.sized(max(8, round(style.size * smallest)))
    words = text.split()
    while len(words) > 1:
        words = words[:-1]
        if lines := wrap(" ".join(words) + "…", sized, limit, max_lines):
            return lines, sized
    return [text[: max(1, int(limit / sized.size))] + "…"], sized

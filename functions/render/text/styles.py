"""Caption styles: a preset, the timeline's overrides and the brand's colours, resolved to pixels for one
output.
"""

import json
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from render.errors import TimelineInvalid
from render.picture import colour
from render.plan.timeline import CaptionStyle, Output, Palette
from render.text import fonts, lettering
from render.text.lettering import TextStyle

PRESETS_FILE = Path(__file__).with_name("presets") / "captions.json"
LINE_HEIGHT = 1.22
# Presets count words per line for an upright picture. A wider picture has room for longer lines.
_WORDS_FACTOR = {"tall": 1.0, "square": 1.2, "wide": 1.6}


@dataclass(frozen=True)
class ResolvedStyle:
    """A caption style in pixels of one output, with the brand's colours.

    `base`, `spoken` and `waiting` are the text styles of a word at rest, of the word being spoken, and of a
    word beside it. `mark` is the colour of the box or underline below the spoken word; `mark_radius` and
    `mark_padding` are shares of the text size. `panel` is (colour, opacity, radius, padding) of the box
    behind a page, or None.
    """

    base: TextStyle
    waiting: TextStyle
    spoken: TextStyle
    case: str
    mode: str
    mark: colour.RGB
    mark_radius: float
    mark_padding: float
    panel: tuple[colour.RGB, float, float, float] | None
    pop_scale: float
    pop_s: float
    position: str
    words_per_line: int
    words_per_page: int

    @property
    def line_height(self) -> int:
        return round(self.base.size * LINE_HEIGHT)

    @property
    def reach(self) -> int:
        """Return how far outline, shadow and panel reach beyond the letters."""
        return self.base.margin + round(self.base.size * (self.panel[3] if self.panel else 0.0))

    @property
    def room(self) -> int:
        """Return the height of two lines with all that surrounds them, the first with an enlarged word."""
        size, letters = self.base.size, lettering.ASCENT + lettering.DESCENT
        enlarged = (self.pop_scale - 1) / 2 * (letters * size + 2 * self.base.margin)
        return round(2 * self.reach + self.line_height + letters * size + enlarged)


def presets() -> dict[str, dict[str, Any]]:
    """Return the presets of presets/captions.json by name."""
    found: dict[str, dict[str, Any]] = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return found


def resolve_style(captions: CaptionStyle, palette: Palette, output: Output, language: str) -> ResolvedStyle:
    """Resolve a preset and its overrides for one output.

    Raises TimelineInvalid for an unknown preset or field.
    """
    known = presets()
    if captions.preset not in known:
        raise TimelineInvalid(
            f"{captions.preset!r} is no caption preset; use one of {', '.join(sorted(known))}."
        )
    data = _overridden(known[captions.preset], dict(captions.overrides))
    size = round(data["size"] * _reference(output))
    outline, shadow, mark = data["outline"], data["shadow"], data["highlight"]
    style = TextStyle(
        size=size,
        family=fonts.family(data["font"]),
        weight=data["weight"],
        language=language,
        fill=_colour(data["colour"], palette),
        outline=round(outline["width"] * size),
        outline_fill=_colour(outline["colour"], palette),
        shadow=round(shadow["blur"] * size),
        shadow_drop=round(shadow["drop"] * size),
        shadow_opacity=shadow["opacity"],
    )
    panel = data.get("panel")
    behind = _behind(style, panel, palette)
    spoken = replace(style, fill=colour.legible(_colour(mark["colour"], palette), behind, 6))
    animation = data["animation"]
    return ResolvedStyle(
        base=replace(style, fill=colour.legible(style.fill, behind)),
        waiting=replace(
            style, fill=colour.mix(style.fill, style.outline_fill, 1 - data.get("waiting_opacity", 1.0))
        ),
        spoken=spoken,
        case=data["case"],
        mode=mark["mode"],
        mark=_mark_colour(mark, palette, style.fill),
        mark_radius=mark.get("radius", 0.2),
        mark_padding=mark.get("padding", 0.12),
        panel=(_colour(panel["colour"], palette), panel["opacity"], panel["radius"], panel["padding"])
        if panel
        else None,
        pop_scale=animation.get("scale", 1.0) if animation["kind"] == "pop" else 1.0,
        pop_s=animation.get("duration_s", 0.0),
        position=data["position"],
        words_per_line=round(data["words_per_line"] * _WORDS_FACTOR[output.shape]),
        words_per_page=round(data["words_per_page"] * _WORDS_FACTOR[output.shape]),
    )


def _overridden(preset: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    allowed = {*preset, "panel", "waiting_opacity"}
    merged = dict(preset)
    for name, value in overrides.items():
        if name not in allowed:
            raise TimelineInvalid(
                f"{name!r} is no field of captions; use one of {', '.join(sorted(allowed))}."
            )
        merged[name] = (
            {**merged[name], **value}
            if isinstance(value, dict) and isinstance(merged.get(name), dict)
            else value
        )
    return merged


def _reference(output: Output) -> int:
    """Return the length in pixels that preset sizes are shares of: the short side."""
    return min(output.width, output.height)


def _colour(text: str, palette: Palette) -> colour.RGB:
    return colour.parse(getattr(palette, text[1:]) if text.startswith("@") else text)


def _behind(style: TextStyle, panel: dict[str, Any] | None, palette: Palette) -> colour.RGB:
    """Return the colour that surrounds the letters on any picture: the panel's, or the outline's."""
    return _colour(panel["colour"], palette) if panel else style.outline_fill


def _mark_colour(mark: dict[str, Any], palette: Palette, letters: colour.RGB) -> colour.RGB:
    box = _colour(mark.get("box_colour", mark["colour"]), palette)
    if mark["mode"] != "box":
        return box
    # Darken (or lighten) the box until the letters on it are legible; a pale brand colour would hide white
    # letters.
    for step in range(20):
        shade = colour.mix(box, (0, 0, 0) if colour.luminance(letters) > 0.4 else (255, 255, 255), step / 20)
        if colour.contrast(shade, letters) >= 3.2:
            return shade
    return box


def cased(text: str, case: str) -> str:
    """Return the text in upper case, lower case or unchanged, as the preset's `case` says."""
    if case == "upper":
        return _without_tonos(text.upper())
    return text.lower() if case == "lower" else text


def _without_tonos(text: str) -> str:
    """Remove accents from Greek capitals, which are written without them."""
    if not any("\u0370" <= sign <= "\u03ff" for sign in text):
        return text
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).replace("\u0301", ""))


def word_space(chosen: ResolvedStyle) -> float:
    """Return the gap between two words in pixels.

    It is wider than the font's space, because outlines narrow it and an enlarged spoken word needs room on
    both sides.
    """
    space = max(lettering.width(" ", chosen.base), 0.2 * chosen.base.size)
    return space + (0.05 + 0.5 * (chosen.pop_scale - 1)) * chosen.base.size

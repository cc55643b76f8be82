"""Right-to-left text: the direction of a paragraph, and the visual order of a line.

The Unicode bidirectional algorithm (UAX 9) is FriBidi's. Pillow loads the same library for shaping.
"""

import ctypes
import ctypes.util
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby

from PIL import features

from render.errors import HostFailure

_LTR, _RTL = 0x110, 0x111  # FRIBIDI_PAR_LTR and FRIBIDI_PAR_RTL
_RTL_LANGUAGES = frozenset(("ar", "ckb", "dv", "fa", "he", "ks", "ps", "sd", "ug", "ur", "yi"))
# Code points of the scripts whose letters change shape or place beside others: Indic and Southeast Asian.
_SHAPED = ((0x0900, 0x109F), (0x1780, 0x17FF))


@dataclass(frozen=True)
class Run:
    """A part [start, end) of a line that is read in one direction."""

    start: int
    end: int
    rtl: bool


def is_rtl(text: str, language: str = "en") -> bool:
    """Return True if a paragraph is read from right to left.

    The first strong letter decides (UAX 9, P2). In a right-to-left language any right-to-left letter is
    enough, because a sentence that starts with a foreign name is still one of that language.
    """
    strong = [kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL")]
    if language.lower().split("-")[0] in _RTL_LANGUAGES:
        return any(kind != "L" for kind in strong)
    return bool(strong) and strong[0] != "L"


def needs_shaping(text: str) -> bool:
    """Return True if the text cannot be drawn letter by letter from left to right."""
    return _has_rtl(text) or any(low <= ord(sign) <= high for sign in text for low, high in _SHAPED)


def shaping() -> bool:
    """Return True if Pillow found FriBidi here, which it needs for complex scripts."""
    return bool(features.check("raqm"))


def require_shaping(text: str) -> None:
    """Raise HostFailure if the text needs shaping and this machine has no FriBidi."""
    if needs_shaping(text) and not shaping():
        raise HostFailure(
            "This machine cannot draw Arabic, Hebrew, Indic or Southeast Asian text, because FriBidi is "
            "missing. Install it: apt install libfribidi0, or brew install fribidi."
        )


@lru_cache(maxsize=1024)
def visual_runs(line: str, rtl: bool) -> tuple[Run, ...]:
    """Return the runs of a line from left to right. `rtl`: its paragraph is read from right to left.

    Raises HostFailure if the text needs FriBidi and this machine does not have it.
    """
    if not rtl and not _has_rtl(line):
        return (Run(0, len(line), False),) if line else ()
    require_shaping(line)
    return _ordered(_levels(line, rtl))


def _has_rtl(text: str) -> bool:
    return any(
        unicodedata.bidirectional(sign) in ("R", "AL", "AN", "RLE", "RLO", "RLI", "FSI") for sign in text
    )


def _ordered(levels: list[int]) -> tuple[Run, ...]:
    """Return the runs of equal level in visual order (UAX 9, L2)."""
    runs, at = [], 0
    for level, group in groupby(levels):
        end = at + len(list(group))
        runs.append((level, Run(at, end, level % 2 == 1)))
        at = end
    for lowest in range(max(levels), 0, -1):
        start = 0
        while start < len(runs):
            end = start
            while end < len(runs) and runs[end][0] >= lowest:
                end += 1
            runs[start:end] = runs[start:end][::-1]
            start = end + 1
    return tuple(run for _, run in runs)


def _levels(line: str, rtl: bool) -> list[int]:
    """Return the embedding level of each character."""
    count = len(line)
    characters = (ctypes.c_uint32 * count)(*map(ord, line))
    direction = ctypes.c_uint32(_RTL if rtl else _LTR)
    levels = (ctypes.c_int8 * count)()
    if not _fribidi().fribidi_log2vis(characters, count, ctypes.byref(direction), None, None, None, levels):
        raise MemoryError("FriBidi has no memory.")
    return list(levels)


@cache
def _fribidi() -> ctypes.CDLL:
    for name in ("libfribidi.so.0", "libfribidi.0.dylib"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return ctypes.CDLL(ctypes.util.find_library("fribidi"))

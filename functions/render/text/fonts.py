"""Font files: which file serves a family and weight, which characters it has, and which file draws each part
of a text.
"""

import importlib.util
import struct
import unicodedata
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ImageFont

from render.errors import FontMissing
from render.text import bidi

FOLDER = Path(__file__).with_name("fonts")

FAMILIES: dict[str, dict[int, str]] = {
    "inter": {500: "Inter-500.ttf", 700: "Inter-700.ttf", 900: "Inter-900.ttf"},
    "montserrat": {800: "Montserrat-800.ttf"},
    "anton": {400: "Anton-400.ttf"},
    "source-serif": {600: "SourceSerif4-600.ttf"},
}
HOUSE = "inter"
_BY_SCRIPT = ("NotoSansArabic-700.ttf", "NotoSansDevanagari-700.ttf")
_CJK_PACKAGE, _CJK_FILE = "cvttf_NotoSansCJK_Bold", "NotoSansCJKtc-Bold.otf"
# Monochrome emoji, which take the caption's colour, and the scripts that the other files lack: Hebrew, Thai,
# Bengali, ...
_OTHERS_PACKAGE, _OTHERS_FIRST = "manimgx_fonts", ("NotoEmoji[wght].ttf", "NotoSans[wght].ttf")

# Noto Emoji draws flags as the letters of a territory, and these four with another territory's letters
# (Norway as BV). A white flag says nothing wrong.
_MISTAKEN_FLAGS, _NEUTRAL_FLAG = frozenset(("🇭🇲", "🇮🇴", "🇳🇴", "🇸🇯")), "\U0001f3f3"

# The CJK font draws Han characters in their Taiwanese form unless a language tag selects another (BCP 47).
_HAN_LANGUAGE = {"zh": "zh-cn", "ja": "ja", "ko": "ko"}


def family(name: str | None) -> str:
    """Return the key in FAMILIES for any usual spelling; None is the house font. Raises FontMissing."""
    if name is None:
        return HOUSE
    key = name.strip().lower().replace(" ", "-").replace("_", "-")
    key = {"source-serif-4": "source-serif", "inter-display": "inter"}.get(key, key)
    if key not in FAMILIES:
        raise FontMissing(f"There is no font {name!r}; use one of {', '.join(sorted(FAMILIES))}.", asset=name)
    return key


def chain(family_key: str, weight: int) -> tuple[Path, ...]:
    """Return the font files to try in order: the family at its nearest weight, the house font, then fonts by
    script.
    """
    names = [_nearest(family_key, weight)]
    if family_key != HOUSE:
        # Anton's only weight is named 400 but looks as heavy as 900 in other fonts.
        names.append(_nearest(HOUSE, 900 if family_key == "anton" else weight))
    return (*(FOLDER / name for name in (*names, *_BY_SCRIPT)), _cjk(), *_other_scripts())


def _nearest(family_key: str, weight: int) -> str:
    weights = FAMILIES[family_key]
    return weights[min(weights, key=lambda have: abs(have - weight))]


@cache
def _cjk() -> Path:
    return _installed(_CJK_PACKAGE, _CJK_FILE)


@cache
def _other_scripts() -> tuple[Path, ...]:
    first = tuple(_installed(_OTHERS_PACKAGE, name) for name in _OTHERS_FIRST)
    others = sorted(
        path
        for path in first[0].parent.glob("NotoSans*.ttf")
        if "Italic" not in path.name and path not in first
    )
    return (*first, *others)


def _installed(package: str, name: str) -> Path:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / name).is_file():
            return path
    raise FontMissing(
        f"The font file {name} is missing: install the packages of requirements.txt.", asset=name
    )


@lru_cache(maxsize=256)
def load(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Return a font file at a size in pixels, with complex text layout if this machine has it.

    Raises FontMissing.
    """
    try:
        engine = ImageFont.Layout.RAQM if bidi.shaping() else ImageFont.Layout.BASIC
        face = ImageFont.truetype(str(path), size, layout_engine=engine)
        if path.name.endswith("[wght].ttf"):
            face.set_variation_by_axes([700])
    except OSError as unreadable:
        raise FontMissing(f"The font file {path.name} cannot be read.", asset=path.name) from unreadable
    return face


def han_language(language: str) -> str:
    """Return the language tag that selects the regional form of Han characters."""
    tag = language.lower()
    if tag.startswith("zh") and any(part in tag for part in ("tw", "hant")):
        return "zh-tw"
    if tag.startswith("zh") and "hk" in tag:
        return "zh-hk"
    return _HAN_LANGUAGE.get(tag[:2], tag)


def split(text: str, family_key: str, weight: int) -> list[tuple[str, Path]]:
    """Split a text into (run, font file).

    Raises FontMissing for a letter that no font has; drops other such characters.
    """
    runs: list[tuple[str, Path]] = []
    faces = chain(family_key, weight)
    for word in _words(text):
        # A display font may have only some letters of a script (Greek for formulas). Never mix two fonts in
        # one word.
        whole = _covering("".join(word), faces)
        for cluster in (_NEUTRAL_FLAG if cluster in _MISTAKEN_FLAGS else cluster for cluster in word):
            face = whole or _face_for(cluster, faces)
            if face is None:
                continue
            # A space belongs to the run before it, but for the one between emoji, which is as wide as they
            # are.
            if runs and (runs[-1][1] == face or (cluster.isspace() and runs[-1][1].name != _OTHERS_FIRST[0])):
                runs[-1] = (runs[-1][0] + cluster, runs[-1][1])
            else:
                runs.append((cluster, face))
    return runs


def _words(text: str) -> list[list[str]]:
    """Group grapheme clusters into words: consecutive letters of one script."""
    found: list[list[str]] = []
    before = None
    for cluster in clusters(text):
        script = (
            unicodedata.name(cluster[0], "").split(" ")[0]
            if unicodedata.category(cluster[0]).startswith("L")
            else None
        )
        if script and script == before:
            found[-1].append(cluster)
        else:
            found.append([cluster])
        before = script
    return found


def _covering(text: str, faces: tuple[Path, ...]) -> Path | None:
    needed = [ord(sign) for sign in text if not _invisible(sign)]
    return next(
        (
            face
            for face in faces
            if all(code < coverage(face).size and coverage(face)[code] for code in needed)
        ),
        None,
    )


def _face_for(cluster: str, faces: tuple[Path, ...]) -> Path | None:
    if face := _covering(cluster, faces):
        return face
    if any(unicodedata.category(sign).startswith("L") for sign in cluster):
        name = unicodedata.name(cluster[0], "unnamed")
        raise FontMissing(f"No installed font has the letter {cluster!r} ({name}).", asset=cluster)
    return None


def _invisible(sign: str) -> bool:
    return unicodedata.category(sign) == "Cf" or "\ufe00" <= sign <= "\ufe0f"


def clusters(text: str) -> list[str]:
    """Split a text into grapheme clusters: a base character with its marks, an emoji with its skin tone, a
    flag.
    """
    found: list[str] = []
    for sign in text:
        if found and (_combines(sign) or found[-1].endswith("\u200d") or _completes(found[-1], sign)):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _combines(sign: str) -> bool:
    return unicodedata.category(sign).startswith("M") or _invisible(sign)


def _completes(cluster: str, sign: str) -> bool:
    return "\U0001f3fb" <= sign <= "\U0001f3ff" or (
        _is_flag_letter(sign) and len(cluster) == 1 and _is_flag_letter(cluster)
    )


def _is_flag_letter(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def missing(text: str) -> list[str]:
    """Return the characters that no font can draw, such as rare symbols. Raises FontMissing for a letter."""
    faces = chain(HOUSE, 700)
    return [
        cluster for cluster in clusters(text) if not cluster.isspace() and _face_for(cluster, faces) is None
    ]


@cache
def coverage(path: Path) -> npt.NDArray[np.bool_]:
    """Return a flag for each code point: True if the font has a glyph for it.

    Read from the cmap table, formats 4 and 12, which all fonts here use. Raises FontMissing.
    """
    try:
        data = path.read_bytes()
    except OSError as absent:
        raise FontMissing(f"The font file {path.name} is missing.", asset=path.name) from absent
    start = _table(data, b"cmap")
    covered = np.zeros(0x30000, np.bool_)
    for index in range(struct.unpack_from(">H", data, start + 2)[0]):
        platform, _, offset = struct.unpack_from(">HHI", data, start + 4 + 8 * index)
        if platform in (0, 3):
            _mark(data, start + offset, covered)
    return covered


def _table(data: bytes, tag: bytes) -> int:
    for index in range(struct.unpack_from(">H", data, 4)[0]):
        name, _, offset, _ = struct.unpack_from(">4sIII", data, 12 + 16 * index)
        if name == tag:
            return int(offset)
    raise FontMissing("A font file has no character map.")


def _mark(data: bytes, at: int, covered: npt.NDArray[np.bool_]) -> None:
    form = struct.unpack_from(">H", data, at)[0]
    if form == 12:
        for group in range(struct.unpack_from(">I", data, at + 12)[0]):
            first, last, _ = struct.unpack_from(">III", data, at + 16 + 12 * group)
            covered[first : last + 1] = True
    elif form == 4:
        count = struct.unpack_from(">H", data, at + 6)[0] // 2
        ends = struct.unpack_from(f">{count}H", data, at + 14)
        starts = struct.unpack_from(f">{count}H", data, at + 16 + 2 * count)
        for first, last in zip(starts, ends, strict=True):
            if first <= last < 0xFFFF:
                covered[first : last + 1] = True

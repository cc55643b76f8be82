"""Play a slow piece on plucked strings, for the stand-in of Wikimedia Commons: no recording is copied."""

import subprocess
from functools import cache
from pathlib import Path

import imageio_ffmpeg
import numpy as np

RATE = 44_100
SECONDS = 64
# Each chord of a round is held for two seconds: semitones above A of 220 Hz.
CHORDS = ((0, 3, 7, 12), (-4, 0, 3, 8), (-9, -2, 3, 7), (-2, 2, 5, 10))
_NOTE_SECONDS, _RINGS_SECONDS, _PARTIALS = 0.5, 2.5, 6


def write_music(seed: int, target: Path) -> None:
    """Write the piece as Ogg Vorbis, in a key of the seed. The file appears complete."""
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    reading = ("-f", "f32le", "-ar", str(RATE), "-ac", "1", "-i", "-")
    coding = ("-c:a", "libvorbis", "-q:a", "5", "-f", "ogg", str(part))
    command = (imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *reading, *coding)
    subprocess.run(command, check=True, input=_played(seed).tobytes())
    part.replace(target)


def _played(seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    sound = np.zeros(round((SECONDS + _RINGS_SECONDS) * RATE), np.float32)
    for number in range(round(SECONDS / _NOTE_SECONDS)):
        chord = CHORDS[number // 4 % len(CHORDS)]
        # The lowest note of a chord first, then the others in an order of the seed's own.
        semitones = chord[0] - 12 if number % 4 == 0 else chance.choice(chord)
        note = _plucked(220 * 2 ** ((semitones + seed % 7) / 12))
        at = round(number * _NOTE_SECONDS * RATE)
        sound[at : at + note.size] += note
    played = sound[: SECONDS * RATE]
    return (0.6 / float(np.abs(played).max()) * played).astype(np.float32)


@cache
def _plucked(frequency: float) -> np.ndarray:
    seconds = np.arange(round(_RINGS_SECONDS * RATE), dtype=np.float32) / RATE
    partials = [
        np.exp(-seconds * (1.2 + number)) * np.sin(2 * np.pi * frequency * number * seconds) / number**1.4
        for number in range(1, _PARTIALS + 1)
    ]
    return np.sum(partials, axis=0).astype(np.float32) * np.minimum(1, seconds / 0.004)

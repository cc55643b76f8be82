"""Measure loudness, true peak, silence and clipping of recordings and of the finished track."""

import itertools
import math
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from render import ffmpeg
from render.sound.pcm import RATE

SILENCE_DB, SILENCE_S = -60, 1.0
_BLOCK_S = 10


@dataclass(frozen=True)
class Loudness:
    """Integrated loudness (BS.1770) and true peak; minus infinity for silence."""

    integrated_lufs: float
    true_peak_dbtp: float


# ffmpeg's meter of gated loudness (BS.1770). dualmono: a mono voice plays from both speakers.
METER = "ebur128=dualmono=true:framelog=quiet"
# ffmpeg options that describe the mix: interleaved stereo floats.
RAW_FORMAT = ("-f", "f32le", "-ar", str(RATE), "-ac", "2")


def loudness_of_file(raw: Path) -> float:
    """Return the LUFS of a file in RAW_FORMAT; minus infinity for silence."""
    return integrated(ffmpeg.read_log(*RAW_FORMAT, "-i", raw, "-af", METER, "-f", "null", "-"))


def integrated(log: str) -> float:
    """Read the integrated loudness in LUFS from a log of METER."""
    level = _number(r"I:\s+(\S+) LUFS", log[log.rfind("Summary:") :])
    # The meter reports -70 for silence.
    return level if level > -70 else -math.inf


@dataclass(frozen=True)
class Measured:
    """Hold what one pass over a finished track measured.

    `silences` are (start, end) in seconds; the end is None for silence until the end. `flat_share` is the
    share of loud moments with flat tops, as clipping leaves them.
    """

    loudness: Loudness
    silences: tuple[tuple[float, float | None], ...]
    flat_share: float


def measure(path: Path) -> Measured:
    """Measure a finished track in one pass: loudness, true peak, silence of SILENCE_S or more, clipping."""
    chain = f"silencedetect=n={SILENCE_DB}dB:d={SILENCE_S},ebur128=peak=true:framelog=quiet"
    command = [
        ffmpeg.binary(),
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-i",
        str(path),
        "-vn",
        "-af",
        chain,
        *RAW_FORMAT,
        "-",
    ]
    tops = _FlatTops()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        while block := process.stdout.read(_BLOCK_S * RATE * 8):
            tops.feed(np.frombuffer(block, np.float32))
        process.stdout.close()
        process.wait()
        errors.seek(0)
        log = errors.read().decode(errors="replace")
    return read_meters(log, tops.flat_share())


class _FlatTops:
    """Detect clipping by the flat tops of the waveform, which survive a lossy codec.

    For each twentieth of a second near the loudest level, count the samples within a tenth of its own peak.
    Measured shares: speech and music up to 0.05, a pure tone 0.28, speech clipped 12 dB below its peaks 0.4
    to 0.6.
    """

    WINDOW, NEAR, FLAT = RATE // 20, 0.8, 0.32

    def __init__(self) -> None:
        self._windows: list[npt.NDArray[np.float32]] = []

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        """Add a block of interleaved stereo samples."""
        magnitude = np.abs(
            samples[::2][: samples.size // 2 // self.WINDOW * self.WINDOW].reshape(-1, self.WINDOW)
        )
        peaks = magnitude.max(axis=1)
        shares = (magnitude >= 0.9 * peaks[:, None]).mean(axis=1, dtype=np.float32)
        self._windows.append(np.stack([peaks, shares]))

    def flat_share(self) -> float:
        """Return the share of loud windows with flat tops, 0 to 1."""
        peaks, shares = (
            np.concatenate(self._windows, axis=1) if self._windows else np.zeros((2, 0), np.float32)
        )
        audible = peaks > 0.02
        if not audible.any():
            return 0.0
        # The 95th percentile, because a codec overshoots at the start of a sound.
        loud = audible & (peaks >= self.NEAR * np.percentile(peaks[audible], 95))
        return float((shares[loud] > self.FLAT).mean())


def read_meters(log: str, flat_share: float) -> Measured:
    """Read loudness, true peak and silences from ffmpeg's log."""
    summary = log[log.rfind("Summary:") :]
    level = Loudness(_number(r"I:\s+(\S+) LUFS", summary), _number(r"Peak:\s+(\S+) dBFS", summary))
    starts = [float(value) for value in re.findall(r"silence_start: (-?[\d.]+)", log)]
    ends: list[float | None] = [float(value) for value in re.findall(r"silence_end: ([\d.]+)", log)]
    return Measured(level, tuple(itertools.zip_longest(starts, ends)), flat_share)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else -math.inf

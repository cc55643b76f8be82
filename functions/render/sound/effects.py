"""Synthesise the sounds of transitions (licence CC0)."""

import numpy as np

from render.sound.pcm import RATE, Sound


def effect(kind: str, seed: int) -> tuple[Sound, float]:
    """Return (mono samples, the second in them that belongs on the cut) of a transition sound."""
    rng = np.random.default_rng((seed, *kind.encode()))
    match kind:
        case "whoosh":
            return _swept_noise(0.9, 300, 5200, 0.55, rng) * np.float32(0.5), 0.5
        case "rise":
            return _swept_noise(1.2, 500, 7500, 0.95, rng) * np.float32(0.4), 1.12
        case "pop":
            t = np.arange(round(0.18 * RATE), dtype=np.float32) / RATE
            glide = 2 * np.pi * (420 * t + 900 * t * t)
            return (np.sin(glide) * np.exp(-t * 26) * np.minimum(1, t / 0.003) * 0.5).astype(np.float32), 0.02
    return np.zeros(1, np.float32), 0.0


def _swept_noise(length_s: float, low: float, high: float, peak_at: float, rng: np.random.Generator) -> Sound:
    """Return noise that rises in pitch and level: eight bands, each loudest at its own time."""
    count = round(length_s * RATE)
    t = np.arange(count) / count
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / RATE)
    out = np.zeros(count)
    for band in range(8):
        centre = low * (high / low) ** (band / 7)
        shape = np.exp(-(((np.log2(np.maximum(frequencies, 1) / centre)) / 0.45) ** 2))
        out += np.fft.irfft(spectrum * shape, count) * np.exp(
            -(((t - peak_at * (0.35 + 0.65 * band / 7)) / 0.22) ** 2)
        )
    envelope = np.minimum(1, t / 0.05) * np.minimum(1, (1 - t) / 0.08)
    out *= envelope
    return np.asarray(out / np.abs(out).max(), np.float32)

"""Synthesise the built-in music and the transition sounds (licence CC0, see README).

The result depends on the mood and the seed only. Music loops without a seam.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RATE = 48_000
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Mood:
    """Tempo in beats per minute, a chord for each two bars (semitones above A2, 110 Hz), and the level of
    each instrument.
    """

    bpm: float
    chords: tuple[tuple[int, ...], ...]
    pad: float
    pluck: float
    pulse: float
    beat: float
    brightness: float


MOODS = {
    "calm": Mood(
        72,
        ((0, 7, 12, 16, 19), (-4, 3, 8, 12, 19), (3, 10, 15, 19, 22), (-2, 5, 10, 14, 17)),
        1.0,
        0.55,
        0.0,
        0.0,
        0.55,
    ),
    "bright": Mood(
        104,
        ((3, 10, 15, 19, 22), (-2, 5, 10, 14, 17), (0, 7, 12, 15, 19), (-4, 3, 8, 12, 15)),
        0.6,
        0.9,
        0.25,
        0.5,
        0.9,
    ),
    "news": Mood(
        112,
        ((0, 7, 12, 15, 19), (0, 8, 12, 15, 20), (-2, 5, 10, 14, 17), (-5, 2, 7, 11, 14)),
        0.7,
        0.35,
        0.9,
        0.6,
        0.75,
    ),
}


def bed(name: str, seed: int) -> Sound:
    """Return eight bars of stereo music [sample, channel] with a peak of 0.5, which loop without a seam."""
    mood = MOODS[name]
    rng = np.random.default_rng((seed, *name.encode()))
    beat = 60 / mood.bpm
    # A length with many small factors, for the Fourier transform in `_room`. The tempo changes by less than
    # 0.1 %.
    count = round(32 * beat * RATE / 3600) * 3600
    # One row per channel, as they are written and transformed.
    mix = np.zeros((2, count), np.float32)
    transposed = int(rng.integers(-3, 3))
    for bar, chord in enumerate(mood.chords):
        notes = [110 * 2 ** ((step + transposed) / 12) for step in chord]
        _pads(mix, notes, bar * 8 * beat, 8 * beat, mood)
        _plucks(mix, notes, bar * 8 * beat, beat, mood, rng)
        _pulses(mix, notes, bar * 8 * beat, beat, mood)
    if mood.beat:
        _drums(mix, beat, mood, rng)
    wet = _room(mix, rng)
    mixed = mix + 0.35 * wet
    return np.ascontiguousarray((mixed * (0.5 / float(np.abs(mixed).max()))).astype(np.float32).T)


def _place(mix: Sound, at_s: float, mono: Sound, gain: float, pan: float) -> None:
    """Add a mono sound at a stereo position. What reaches past the end continues at the beginning."""
    start = round(at_s * RATE) % mix.shape[1]
    sides = np.array([np.cos((pan + 1) * np.pi / 4), np.sin((pan + 1) * np.pi / 4)], np.float32) * np.float32(
        gain
    )
    while mono.size:
        part = mono[: mix.shape[1] - start]
        for side, share in zip(mix, sides, strict=True):
            side[start : start + part.size] += part * share
        mono, start = mono[part.size :], 0


def _pads(mix: Sound, notes: list[float], at_s: float, length_s: float, mood: Mood) -> None:
    """Add chords of detuned soft saw waves.

    They have nothing above 8 kHz, so they are computed at half the rate.
    """
    t = np.arange(round((length_s + 1.6) * RATE / 2), dtype=np.float32) / np.float32(RATE / 2)
    swell = np.minimum(1, t / 1.6) * np.minimum(1, (length_s + 1.6 - t) / 1.6)
    swell = swell * swell * (3 - 2 * swell)
    left, right = np.zeros_like(t), np.zeros_like(t)
    for voice, frequency in enumerate(notes):
        for side, detune in ((left, 0.9972), (right, 1.0028)):
            phase = 2 * np.pi * ((frequency * detune * t) % 1)
            for harmonic in range(1, 6):
                gain = np.float32(
                    0.10 / (1 + 0.3 * voice) * mood.brightness ** (harmonic - 1) / harmonic**1.5
                )
                np.add(side, np.sin(phase * harmonic + voice + harmonic) * gain, out=side)
    bass = np.sin(2 * np.pi * ((notes[0] / 2 * t) % 1)) * np.float32(0.14)
    for tone, pan in ((left, -0.6), (right, 0.6), (bass, 0.0)):
        shaped = (tone * swell).astype(np.float32)
        full = np.empty(2 * shaped.size - 1, np.float32)
        full[::2], full[1::2] = shaped, (shaped[1:] + shaped[:-1]) / 2
        _place(mix, at_s, full, mood.pad, pan)


def _plucks(
    mix: Sound, notes: list[float], at_s: float, beat: float, mood: Mood, rng: np.random.Generator
) -> None:
    """Add arpeggios one or two octaves up, with random notes left out."""
    order = (1, 2, 4, 3, 2, 4, 1, 3)
    for step in range(16):
        if rng.random() < 0.22:
            continue
        frequency = notes[order[step % 8]] * (2 if step % 4 else 4)
        t = np.arange(round(1.4 * RATE), dtype=np.float32) / RATE
        decay = np.exp(-t * 4.2) * np.minimum(1, t / 0.004)
        tone = np.sin(2 * np.pi * frequency * t) + 0.35 * mood.brightness * np.sin(
            2 * np.pi * 2 * frequency * t
        ) * np.exp(-t * 5)
        gain = 0.085 * mood.pluck * float(rng.uniform(0.6, 1.0))
        _place(
            mix,
            at_s + step * beat / 2,
            (tone * decay).astype(np.float32),
            gain,
            float(rng.uniform(-0.5, 0.5)),
        )
        _place(
            mix,
            at_s + step * beat / 2 + beat * 0.75,
            (tone * decay).astype(np.float32),
            gain * 0.35,
            float(rng.uniform(-0.8, 0.8)),
        )


def _pulses(mix: Sound, notes: list[float], at_s: float, beat: float, mood: Mood) -> None:
    """Add repeated muted eighth notes on the root."""
    if not mood.pulse:
        return
    t = np.arange(round(0.30 * RATE), dtype=np.float32) / RATE
    for step in range(16):
        frequency = notes[0] * (1 if step % 4 else 2)
        tone = (
            np.sin(2 * np.pi * frequency * t)
            + 0.4 * np.sin(2 * np.pi * 2 * frequency * t)
            + 0.2 * np.sin(2 * np.pi * 3 * frequency * t)
        )
        _place(
            mix,
            at_s + step * beat / 2,
            (tone * np.exp(-t * 13) * np.minimum(1, t / 0.003)).astype(np.float32),
            0.16 * mood.pulse * (1.0 if step % 2 == 0 else 0.7),
            0.0,
        )


def _drums(mix: Sound, beat: float, mood: Mood, rng: np.random.Generator) -> None:
    t = np.arange(round(0.35 * RATE), dtype=np.float32) / RATE
    kick = (
        np.sin(2 * np.pi * (48 * t + 14 * (1 - np.exp(-t * 30)))) * np.exp(-t * 11) * np.minimum(1, t / 0.002)
    ).astype(np.float32)
    noise = rng.standard_normal(t.size).astype(np.float32)
    hat = (np.diff(noise, prepend=np.float32(0)) * np.exp(-t * 55) * np.minimum(1, t / 0.001)).astype(
        np.float32
    )
    for step in range(32):
        if step % 2 == 0:
            _place(mix, step * beat, kick, 0.28 * mood.beat, 0.0)
        _place(mix, (step + 0.5) * beat, hat, 0.035 * mood.beat, 0.25)


def _room(mix: Sound, rng: np.random.Generator) -> Sound:
    """Return a soft reverb by circular convolution: the echo of the end continues at the beginning."""
    length = round(1.8 * RATE)
    t = np.arange(length, dtype=np.float32) / RATE
    out = np.empty_like(mix)
    for side, heard in zip(mix, out, strict=True):
        impulse = rng.standard_normal(length).astype(np.float32) * np.exp(-t * 3.4) * np.minimum(1, t / 0.02)
        # A moving average removes hiss from the reverb.
        impulse = np.convolve(impulse, np.ones(9, np.float32) / 9, "same").astype(np.float32)
        impulse /= np.sqrt((impulse**2).sum())
        heard[:] = np.fft.irfft(
            np.fft.rfft(side) * np.fft.rfft(impulse.astype(np.float32), side.size), side.size
        )
    return out


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

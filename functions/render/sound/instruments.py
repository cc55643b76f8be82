"""Single notes and drum strokes of the built-in music, each computed from sine waves and noise.

Every sound is mono and depends on its arguments only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from render.sound.pcm import RATE, Sound

# Partials above this frequency are left out: they cost time and are hardly heard under a voice.
_HIGHEST_HZ = 9_000
# The root mean square of a note's loudest half second, so that levels mean the same for all instruments.
_NOTE_RMS = 0.1


@dataclass(frozen=True)
class Instrument:
    """`play` returns a note of (frequency in Hz, seconds until it is released).

    `spread` is the detuning, as a share of the frequency, between a copy on the left and one on the right; 0
    plays one note. `rings` is how long a note may sound after its release, in seconds.
    """

    play: Callable[[float, float], Sound]
    spread: float = 0.0


def note(name: str, frequency: float, length_s: float) -> Sound:
    """Return a note of an instrument at the level of all notes."""
    sound = INSTRUMENTS[name].play(frequency, length_s)
    window = RATE // 2
    power = max(
        float(np.square(sound[start : start + window]).mean())
        for start in range(0, max(1, sound.size - window // 2), window)
    )
    return np.asarray(sound * np.float32(_NOTE_RMS / np.sqrt(power + 1e-12)), np.float32)


def _time(length_s: float) -> npt.NDArray[np.float32]:
    return (np.arange(round(length_s * RATE), dtype=np.float64) / RATE).astype(np.float32)


def _wave(frequency: float, count: int) -> npt.NDArray[np.float32]:
    """Return the phase of a frequency, 0 to 2 pi. In 64 bits, because 32 drift within seconds."""
    turns = frequency * np.arange(count, dtype=np.float64) / RATE
    # As np.mod(turns, 1), in a quarter of the time.
    turns -= np.floor(turns)
    turns *= 2 * np.pi
    return turns.astype(np.float32)


def _released(sound: Sound, length_s: float, release_s: float) -> Sound:
    """Fade a note out from its release on, and end it there."""
    held, fade = round(length_s * RATE), round(release_s * RATE)
    sound = sound[: held + fade]
    tail = sound[held:]
    at = np.arange(tail.size, dtype=np.float32) / max(1, fade)
    tail *= 0.5 + 0.5 * np.cos(np.pi * np.minimum(1, at))
    return sound


def _sustained(
    frequency: float,
    length_s: float,
    gains: tuple[float, ...],
    attack_s: float,
    release_s: float,
    vibrato: float = 0.0,
) -> Sound:
    """Return harmonics with the given gains that swell, hold and fade. They are computed at half the rate."""
    count = round((length_s + release_s) * RATE / 2)
    phase = _wave(2 * frequency, count)
    t = np.arange(count, dtype=np.float32) / np.float32(RATE / 2)
    if vibrato:
        # The depth of a vibrato grows as a player's does.
        phase = phase + np.float32(vibrato * frequency / 5.2) * np.minimum(1, t / 0.8) * np.sin(
            np.float32(2 * np.pi * 5.2) * t
        )
    out = np.zeros(count, np.float32)
    for harmonic, gain in enumerate(gains, 1):
        if harmonic * frequency < _HIGHEST_HZ:
            out += np.float32(gain) * np.sin(phase * harmonic + np.float32(harmonic * harmonic))
    swell = np.minimum(1, t / attack_s) * np.minimum(1, (length_s + release_s - t) / release_s)
    out *= swell * swell * (3 - 2 * swell)
    full = np.empty(2 * count, np.float32)
    full[::2] = out
    full[1:-1:2], full[-1] = (out[1:] + out[:-1]) / 2, 0
    return full


def _struck(
    frequency: float,
    partials: tuple[tuple[float, float, float], ...],
    attack_s: float,
    length_s: float,
) -> Sound:
    """Return decaying partials: each is (multiple of the frequency, gain, decay per second)."""
    t = _time(length_s)
    out = np.zeros(t.size, np.float32)
    for multiple, gain, decay in partials:
        if multiple * frequency < _HIGHEST_HZ:
            # A partial that has faded by 70 dB is not computed any further.
            count = min(t.size, round(8 / decay * RATE))
            out[:count] += (
                np.float32(gain)
                * np.exp(-t[:count] * np.float32(decay))
                * np.sin(_wave(multiple * frequency, count))
            )
    out *= np.minimum(1, t / np.float32(attack_s))
    return out


def _pad(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, tuple(0.55 ** (k - 1) / k for k in range(1, 6)), 1.2, 1.4)


def _air(frequency: float, length_s: float) -> Sound:
    """Play a pad that is almost a sine wave, like breath over a bottle."""
    return _sustained(frequency, length_s, (1, 0.12, 0.22, 0, 0.06), 1.6, 1.8, 0.004)


def _strings(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, tuple(0.84 ** (k - 1) / k for k in range(1, 11)), 0.35, 0.9, 0.006)


def _organ(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, (1, 0.6, 0.35, 0.3, 0, 0.12, 0, 0.1), 0.05, 0.25)


def _brass(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, tuple(0.78 ** (k - 1) for k in range(1, 8)), 0.12, 0.35, 0.004)


def _flute(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, (1, 0.28, 0.08, 0.03), 0.09, 0.22, 0.010)


def _clarinet(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, (1, 0.03, 0.42, 0.03, 0.2, 0.02, 0.1), 0.05, 0.14, 0.005)


def _piano(frequency: float, length_s: float) -> Sound:
    # The strings of a piano are stiff: their partials lie a little above the multiples.
    high = frequency / 440
    partials = tuple(
        (k * np.sqrt(1 + 4e-4 * k * k), 0.62 ** (k - 1), (1.1 + 0.55 * k) * (0.7 + 0.5 * high))
        for k in range(1, 11)
    )
    ringing = _struck(frequency, partials, 0.003, length_s + 1.0)
    return _released(ringing, length_s, 0.9)


def _guitar(frequency: float, length_s: float) -> Sound:
    # Plucked at a fifth of the string: every fifth partial is missing.
    partials = tuple((k, abs(float(np.sin(np.pi * k / 5))) / k, 1.3 + 0.75 * k) for k in range(1, 14))
    return _released(_struck(frequency, partials, 0.002, length_s + 0.7), length_s, 0.6)


def _pluck(frequency: float, _length_s: float) -> Sound:
    return _struck(frequency, ((1, 1, 4.2), (2, 0.3, 9), (3, 0.12, 14)), 0.004, 1.4)


def _pizzicato(frequency: float, _length_s: float) -> Sound:
    partials = tuple((k, 0.75 ** (k - 1), 7 + 3.2 * k) for k in range(1, 8))
    return _struck(frequency, partials, 0.003, 0.7)


def _muted(frequency: float, _length_s: float) -> Sound:
    return _struck(frequency, ((1, 1, 13), (2, 0.4, 15), (3, 0.25, 18), (5, 0.1, 24)), 0.003, 0.45)


def _marimba(frequency: float, _length_s: float) -> Sound:
    return _struck(frequency, ((1, 1, 5.5), (3.93, 0.22, 13), (9.5, 0.06, 30)), 0.002, 1.1)


def _celesta(frequency: float, _length_s: float) -> Sound:
    return _struck(frequency, ((1, 1, 2.6), (2.0, 0.1, 4), (2.76, 0.22, 5), (5.4, 0.12, 11)), 0.002, 2.2)


def _bell(frequency: float, _length_s: float) -> Sound:
    partials = (
        (0.5, 0.25, 0.9),
        (1, 1, 1.4),
        (1.19, 0.3, 1.8),
        (2, 0.45, 2.2),
        (2.74, 0.25, 3),
        (4.1, 0.12, 5),
    )
    return _struck(frequency, partials, 0.003, 3.2)


def _rhodes(frequency: float, length_s: float) -> Sound:
    """Play an electric piano: one sine wave modulates another, and a tine rings at the attack."""
    t = _time(length_s + 0.8)
    phase = _wave(frequency, t.size)
    index = 1.3 * np.exp(-t * 4.5) + 0.18
    body = np.sin(phase + index * np.sin(phase)) * np.exp(-t * 1.5)
    tine = 0.09 * np.sin(_wave(min(_HIGHEST_HZ, 14 * frequency), t.size)) * np.exp(-t * 22)
    sound = ((body + tine) * np.minimum(1, t / 0.003)).astype(np.float32)
    return _released(sound, length_s, 0.5)


def _bass(frequency: float, length_s: float) -> Sound:
    partials = ((1, 1, 1.6), (2, 0.5, 3.2), (3, 0.25, 5), (4, 0.12, 8))
    return _released(_struck(frequency, partials, 0.005, length_s + 0.12), length_s, 0.1)


def _sub(frequency: float, length_s: float) -> Sound:
    return _sustained(frequency, length_s, (1, 0.22, 0.06), 0.08, 0.3)


INSTRUMENTS = {
    "pad": Instrument(_pad, 0.0028),
    "air": Instrument(_air, 0.0018),
    "strings": Instrument(_strings, 0.0024),
    "organ": Instrument(_organ, 0.0012),
    "brass": Instrument(_brass, 0.0016),
    "flute": Instrument(_flute),
    "clarinet": Instrument(_clarinet),
    "piano": Instrument(_piano),
    "guitar": Instrument(_guitar),
    "pluck": Instrument(_pluck),
    "pizzicato": Instrument(_pizzicato),
    "muted": Instrument(_muted),
    "marimba": Instrument(_marimba),
    "celesta": Instrument(_celesta),
    "bell": Instrument(_bell),
    "rhodes": Instrument(_rhodes),
    "bass": Instrument(_bass),
    "sub": Instrument(_sub),
}


@cache
def stroke(drum: str) -> Sound:
    """Return a stroke of a drum, with a peak of 1."""
    rng = np.random.default_rng(tuple(drum.encode()))
    t = _time({"tom": 0.6, "kick": 0.4, "snare": 0.3, "clap": 0.25, "brush": 0.3}.get(drum, 0.15))
    noise = rng.standard_normal(t.size).astype(np.float32)
    bright = np.diff(noise, prepend=np.float32(0))
    match drum:
        case "kick":
            sound = np.sin(2 * np.pi * (48 * t + 14 / 3 * (1 - np.exp(-t * 30)))) * np.exp(-t * 10)
        case "tom":
            sound = np.sin(2 * np.pi * (82 * t + 2.0 * (1 - np.exp(-t * 18)))) * np.exp(-t * 7)
        case "snare":
            sound = 0.5 * np.sin(2 * np.pi * 186 * t) * np.exp(-t * 26) + 0.22 * bright * np.exp(-t * 19)
        case "clap":
            # Three hands, a hundredth of a second apart.
            hands = sum(np.exp(-np.abs(t - at) * 260) for at in (0.004, 0.014, 0.025))
            sound = (bright + 0.4 * noise) * (hands + 0.7 * np.exp(-t * 24) * (t > 0.025))
        case "brush":
            sound = bright * np.minimum(1, t / 0.02) * np.exp(-t * 17)
        case "shaker":
            sound = bright * np.minimum(1, t / 0.018) * np.exp(-t * 42)
        case "rim":
            sound = (np.sin(2 * np.pi * 1720 * t) + 0.6 * np.sin(2 * np.pi * 810 * t)) * np.exp(-t * 75)
        case _:  # hat
            sound = np.diff(bright, prepend=np.float32(0)) * np.exp(-t * 60)
    sound = sound * np.minimum(1, t / 0.0015)
    return np.asarray(sound / np.abs(sound).max(), np.float32)

"""Play the built-in music: a mood's track as a loop without a seam, and accents that fit it (licence CC0)."""

from collections.abc import Iterator
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from render.sound import instruments
from render.sound.pcm import RATE, Sound
from render.sound.tracks import BARS, CHORDS, MOODS, SCALES, SECTION_BARS, Part, Track

_SIGNS_PER_BEAT = 4
# Nobody plays exactly on time: seconds by which notes and strokes are early or late.
_LATE_S = 0.006
# The reverb has nothing high, so it is computed at a quarter of the rate.
_ROOM_RATE = RATE // 4
# A section with more instruments may be this much louder than the others.
_LEVELLED, _LEVEL_WINDOW_S = 0.8, 3.0
_PEAK = 0.5
# An accent begins this long before its cut and swells towards it.
ACCENT_LEAD_S = 0.9
_ACCENT_S = 3.2


def track_of(mood: str, seed: int) -> Track:
    """Return one of the mood's tracks."""
    return MOODS[mood][seed % len(MOODS[mood])]


def loop_count(track: Track) -> int:
    """Return the length of a track in samples.

    It has many small factors, for the Fourier transforms in `_room`. The tempo changes by less than 0.1 %.
    """
    return round(BARS * track.beats * 60 / track.bpm * RATE / 3600) * 3600


def bar_at(track: Track, sample: int) -> int:
    """Return the bar that is played at a sample of the endlessly repeated track."""
    count = loop_count(track)
    return sample % count * BARS // count


def bed(mood: str, seed: int) -> Sound:
    """Return a track of the mood as stereo [sample, channel] with a peak of 0.5. It loops without a seam."""
    track = track_of(mood, seed)
    rng = np.random.default_rng(tuple(track.name.encode()))
    # One row per channel, as they are written and transformed.
    mix = np.zeros((2, loop_count(track)), np.float32)
    for part in track.parts:
        _play(mix, track, part, rng)
    for drum in track.drums:
        for at_s, sign in _strokes(track, drum.pattern, drum.sections):
            gain = drum.level * (1.0 if sign == "x" else 0.5) * float(rng.uniform(0.85, 1.0))
            _place(mix, at_s + float(rng.uniform(0, _LATE_S)), instruments.stroke(drum.name), gain, drum.pan)
    mix += np.float32(track.room) * _room(mix)
    mix *= _level(mix)
    return np.ascontiguousarray((mix * np.float32(_PEAK / float(np.abs(mix).max()))).T)


def _step_s(track: Track) -> float:
    """Return the seconds of one sign of a pattern, so that all bars fill the loop exactly."""
    return loop_count(track) / RATE / (BARS * track.beats * _SIGNS_PER_BEAT)


def _frequency(track: Track, bar: int, of: str, octave: int, index: int) -> float:
    """Return the frequency of a tone of the bar's chord, or of the track's scale."""
    root, name = track.chords[bar % len(track.chords)]
    tones = CHORDS[name] if of == "chord" else SCALES[track.scale]
    steps = tones[index % len(tones)] + 12 * (index // len(tones)) + (root if of == "chord" else 0)
    return float(110 * 2 ** ((track.key + steps) / 12 + octave))


def _notes(track: Track, part: Part) -> Iterator[tuple[int, int, int, str]]:
    """Yield (bar, sign in the bar, length in signs, sign) of each note that a part plays."""
    for bar in range(BARS):
        if part.sections[bar // SECTION_BARS] != "1":
            continue
        pattern = part.bars[bar % len(part.bars)][: track.beats * _SIGNS_PER_BEAT]
        for start, sign in enumerate(pattern):
            if sign not in ".-":
                held = len(pattern[start + 1 :]) - len(pattern[start + 1 :].lstrip("-"))
                yield bar, start, 1 + held, sign


def _at_s(track: Track, bar: int, sign: int) -> float:
    # The second eighth of a beat is its third sign, and an eighth is two signs.
    late = 2 * track.swing if sign % _SIGNS_PER_BEAT == 2 else 0.0
    return (bar * track.beats * _SIGNS_PER_BEAT + sign + late) * _step_s(track)


def _play(mix: Sound, track: Track, part: Part, rng: np.random.Generator) -> None:
    spread = instruments.INSTRUMENTS[part.instrument].spread
    sides = ((1 - spread, -0.6), (1 + spread, 0.6)) if spread else ((1.0, part.pan),)
    play = cache(lambda frequency, length_s: instruments.note(part.instrument, frequency, length_s))
    for bar, sign, length, tone in _notes(track, part):
        chord = CHORDS[track.chords[bar % len(track.chords)][1]]
        indices = range(len(chord)) if tone == "c" else [int(tone)]
        # More tones at once are each quieter.
        gain = part.level / len(indices) ** 0.7 * float(rng.uniform(0.85, 1.0))
        late_s = float(rng.uniform(0, _LATE_S))
        for number, index in enumerate(indices):
            frequency = _frequency(track, bar, part.of, part.octave, index)
            # A strum: the strings one after the other.
            strum_s = 0.011 * number if part.instrument == "guitar" else 0.0
            for detune, pan in sides:
                sound = play(frequency * detune, length * _step_s(track))
                at_s = _at_s(track, bar, sign) + late_s + strum_s
                _place(mix, at_s, sound, gain / len(sides) ** 0.5, pan)


def _strokes(track: Track, pattern: str, sections: str) -> Iterator[tuple[float, str]]:
    for bar in range(BARS):
        if sections[bar // SECTION_BARS] == "1":
            for sign, stroke in enumerate(pattern[: track.beats * _SIGNS_PER_BEAT]):
                if stroke != ".":
                    yield _at_s(track, bar, sign), stroke


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


def _room(mix: Sound) -> Sound:
    """Return a soft reverb by circular convolution: the echo of the end continues at the beginning."""
    step = RATE // _ROOM_RATE
    rng = np.random.default_rng(1)
    t = np.arange(round(1.8 * _ROOM_RATE), dtype=np.float32) / _ROOM_RATE
    out = np.empty_like(mix)
    for side, heard in zip(mix, out, strict=True):
        impulse = rng.standard_normal(t.size).astype(np.float32) * np.exp(-t * 3.4) * np.minimum(1, t / 0.02)
        impulse = np.convolve(impulse, np.ones(3, np.float32) / 3, "same").astype(np.float32)
        impulse /= np.sqrt((impulse**2).sum())
        dark = side.reshape(-1, step).mean(axis=1)
        spectrum = np.fft.rfft(dark) * np.fft.rfft(impulse, dark.size)
        # A longer inverse transform brings the result back to the full rate.
        heard[:] = np.fft.irfft(spectrum, side.size) * step
    return out


def _level(mix: Sound) -> npt.NDArray[np.float32]:
    """Return gains that bring loud and quiet sections near each other: a pause may fall into any of them."""
    step = RATE // _ROOM_RATE
    heard = _as_heard(mix.reshape(2, -1, step).mean(axis=2), _ROOM_RATE)
    block = _ROOM_RATE // 10
    count = heard.shape[1] // block
    power = np.square(heard[:, : count * block]).sum(axis=0).reshape(count, block).mean(axis=1)
    width = round(_LEVEL_WINDOW_S * 10)
    around = np.concatenate([power[-width:], power, power[:width]])
    window = np.hanning(2 * width + 1)
    smooth = np.convolve(around, window / window.sum(), "valid")[:count] + 1e-9
    gains = (smooth.mean() / smooth) ** (_LEVELLED / 2)
    at = np.arange(mix.shape[1], dtype=np.float64) / mix.shape[1] * count
    return np.asarray(np.interp(at, np.arange(count) + 0.5, gains, period=count), np.float32)


@lru_cache(maxsize=8)
def accent(track: Track, bar: int, lufs: float) -> Sound:
    """Return what marks a cut in a bar of the track: a swell towards it, then its chord and a deep stroke.

    Stereo [sample, channel]; the cut is ACCENT_LEAD_S after its beginning. The second after it has the
    loudness `lufs`.
    """
    out = np.zeros((2, round((ACCENT_LEAD_S + _ACCENT_S) * RATE)), np.float32)
    chord = CHORDS[track.chords[bar % len(track.chords)][1]]
    for number, index in enumerate(range(min(4, len(chord)))):
        sound = instruments.note(track.accent, _frequency(track, bar, "chord", 1, index), 1.6)
        pan = (number - 1) * 0.3
        _place_once(out, ACCENT_LEAD_S + 0.012 * number, sound, 0.5, pan)
        # The same tone backwards leads to the cut.
        before = sound[: round(ACCENT_LEAD_S * RATE)][::-1]
        rise = np.linspace(0, 1, before.size, dtype=np.float32) ** 3
        _place_once(out, ACCENT_LEAD_S - before.size / RATE, before * rise, 0.35, -pan)
    _place_once(out, ACCENT_LEAD_S, instruments.stroke("tom"), 0.25, 0.0)
    cut = round(ACCENT_LEAD_S * RATE)
    power = float(np.square(_as_heard(out[:, cut : cut + RATE], RATE)).sum()) / RATE
    level = np.sqrt(10 ** ((lufs + 0.691) / 10) / power)
    fade = np.minimum(1, np.arange(out.shape[1], 0, -1, dtype=np.float32) / (0.8 * RATE))
    out *= fade * np.float32(level)
    return np.ascontiguousarray(out.T)


def _as_heard(sound: Sound, rate: int) -> Sound:
    """Weight frequencies as BS.1770 does: less below 60 Hz, and 4 dB more above 1.7 kHz."""
    squared = np.fft.rfftfreq(sound.shape[-1], 1 / rate) ** 2
    weight = squared / (squared + 38.0**2) * np.sqrt(1 + 1.51 * squared / (squared + 1700.0**2))
    return np.asarray(np.fft.irfft(np.fft.rfft(sound) * weight, sound.shape[-1]), np.float32)


def _place_once(out: Sound, at_s: float, mono: Sound, gain: float, pan: float) -> None:
    """Add a mono sound; what reaches past the end is cut off."""
    start = round(at_s * RATE)
    _place(out, at_s, mono[: out.shape[1] - start], gain, pan)

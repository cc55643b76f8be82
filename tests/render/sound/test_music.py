"""The built-in music: 24 tracks that differ in what is measured of them, and accents that fit them."""

import itertools

import numpy as np
import pytest

from render.sound import instruments, music
from render.sound.loudness import loudness_of_file
from render.sound.pcm import RATE
from render.sound.tracks import BARS, CHORDS, MOODS, SCALES

TRACKS = [(mood, number) for mood in MOODS for number in range(len(MOODS[mood]))]


@pytest.fixture(scope="module")
def beds():
    return {(mood, number): music.bed(mood, number) for mood, number in TRACKS}


def tempo(bed):
    """Return the beats a minute, of all tracks' tempos, at which new sounds come most regularly."""
    step, window = 512, 1024
    mono = bed.mean(axis=1)
    frames = np.lib.stride_tricks.sliding_window_view(mono, window)[::step] * np.hanning(window)
    bands = np.log(np.abs(np.fft.rfft(frames.astype(np.float32), axis=1)[:, 2:200]) + 1e-3)
    new = np.maximum(0, np.diff(bands, axis=0)).sum(axis=1)
    new -= new.mean()
    at = np.arange(new.size) * step / RATE
    # Beats, and their halves and quarters.
    strength = {
        each.bpm: sum(abs(np.sum(new * np.exp(-2j * np.pi * each.bpm / 60 * k * at))) for k in (1, 2, 4))
        for tracks in MOODS.values()
        for each in tracks
    }
    return max(strength, key=strength.__getitem__)


def spectrum(bed):
    """Return the power of each frequency, and the frequencies, averaged over the track."""
    frames = bed.mean(axis=1)[: bed.shape[0] // 8192 * 8192].reshape(-1, 8192) * np.hanning(8192)
    return np.square(np.abs(np.fft.rfft(frames, axis=1))).mean(axis=0), np.fft.rfftfreq(8192, 1 / RATE)


def chroma(bed):
    """Return how much of the sound lies on each of the twelve tones, as a unit vector."""
    power, frequencies = spectrum(bed)
    heard = (frequencies > 100) & (frequencies < 2000)
    tones = np.round(12 * np.log2(frequencies[heard] / 110)).astype(int) % 12
    found = np.bincount(tones, power[heard], 12)
    return found / np.linalg.norm(found)


def centroid(bed):
    power, frequencies = spectrum(bed)
    return float((power * frequencies).sum() / power.sum())


def test_there_are_four_tracks_in_each_of_six_moods():
    tracks = [track for mood in MOODS.values() for track in mood]
    assert len(MOODS) == 6
    assert [len(mood) for mood in MOODS.values()] == [4] * 6
    assert len({track.name for track in tracks}) == len({track.bpm for track in tracks}) == 24
    assert len({frozenset(part.instrument for part in track.parts) for track in tracks}) >= 20
    assert {track.key for track in tracks} == set(range(-6, 6))


def test_every_pattern_fits_its_bar_and_is_heard():
    for track in (track for mood in MOODS.values() for track in mood):
        signs = track.beats * 4
        for part in track.parts:
            assert part.instrument in instruments.INSTRUMENTS, track.name
            assert len(part.sections) == 4
            held = [bar for bar in part.bars if set(bar) <= set("c0-")]
            assert all(len(bar) == signs or bar in held for bar in part.bars), (track.name, part)
        assert all(len(drum.pattern) == signs and len(drum.sections) == 4 for drum in track.drums), track.name
        assert all(name in CHORDS for _, name in track.chords)
        assert track.scale in SCALES
        assert track.accent in instruments.INSTRUMENTS


def test_no_track_clips_or_pauses(beds):
    for (mood, number), bed in beds.items():
        assert np.isfinite(bed).all()
        assert 0.45 <= np.abs(bed).max() <= 0.501, (mood, number)
        second = np.square(bed[: bed.shape[0] // RATE * RATE]).mean(axis=1).reshape(-1, RATE).mean(axis=1)
        assert 10 * np.log10(second.min() / second.mean()) > -14, (mood, number)


def test_all_tracks_differ_in_what_is_measured(beds):
    """Any two differ in at least two of tempo, tones and sound."""
    found = {key: (tempo(bed), chroma(bed), centroid(bed)) for key, bed in beds.items()}
    for key, (heard, _, _) in found.items():
        # A slow track may sound like one of twice its tempo.
        assert music.track_of(*key).bpm in (heard, heard / 2), key
    for one, other in itertools.combinations(found, 2):
        (bpm, tones, bright), (other_bpm, other_tones, other_bright) = found[one], found[other]
        differences = [
            bpm != other_bpm,
            float(tones @ other_tones) < 0.9,
            abs(np.log2(bright / other_bright)) > 0.12,
        ]
        assert sum(differences) >= 2, (one, other)


def test_a_track_loops_without_a_seam_and_is_always_the_same(beds):
    for key in TRACKS[::5]:
        bed = beds[key]
        inside = np.abs(np.diff(bed, axis=0)).max(axis=1)
        assert np.abs(bed[0] - bed[-1]).max() <= np.percentile(inside, 99.9)
        assert bed.shape[0] == music.loop_count(music.track_of(*key))
    assert (music.bed("calm", 5) == beds["calm", 1]).all()


def test_an_accent_has_the_tones_of_the_chord_that_is_played(tmp_path):
    track = music.track_of("calm", 0)
    for bar in (0, 1, 6):
        sound = music.accent(track, bar, -20.0)
        root, name = track.chords[bar % len(track.chords)]
        chord = {(track.key + root + step) % 12 for step in CHORDS[name]}
        assert set(np.argsort(chroma(sound))[-3:]) <= chord
        cut = round(music.ACCENT_LEAD_S * RATE)
        before, after = (np.square(part).mean() for part in (sound[:cut], sound[cut : cut + RATE // 2]))
        assert after > 2 * before > 0
        assert np.abs(sound[-48:]).max() < 0.01
        sound[cut : cut + RATE].tofile(tmp_path / "second.f32")
        assert loudness_of_file(tmp_path / "second.f32") == pytest.approx(-20, abs=2.0)


@pytest.mark.parametrize("seconds", [0, 7.3, 100])
def test_the_bar_of_a_time_is_counted_through_the_loops(seconds):
    track = music.track_of("news", 2)
    bar_s = music.loop_count(track) / RATE / BARS
    assert music.bar_at(track, round(seconds * RATE)) == int(seconds / bar_s) % BARS

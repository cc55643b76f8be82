"""Mix the soundtrack in blocks: narration at one loudness, music lowered under speech, and effects."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from render.errors import AssetCorrupt, AssetRefused
from render.plan.timeline import Music, Timeline
from render.sound import effects, music
from render.sound.loudness import loudness_of_file
from render.sound.pcm import RATE, Sound
from render.sound.recordings import BLOCK_S, Recording, decode, looped
from render.sound.tracks import Track

# Loudness of narration in the mix: near the usual target, so that mastering changes little.
NARRATION_LUFS = -16.0
# The music is lowered before the first syllable and raised after the last, slowly enough not to be noticed.
ATTACK_S, RELEASE_S, HOLD_S = 0.28, 0.80, 0.75
EDGE_FADE_S = 0.008
BED_FADE_IN_S, BED_FADE_OUT_S = 1.2, 1.8
# A longer music track is repeated from here. More of it would only fill the disk.
LONGEST_LOOP_S = 600
# An accent of the music is this much louder than the track: heard, but never before the voice.
ACCENT_DB = 1.5
# A scene that follows sooner gets no accent of its own.
ACCENTS_APART_S = 4.0
# Steps per second of the curve that lowers the music.
ENVELOPE_RATE = 100


@dataclass(frozen=True)
class Voice:
    """One scene's narration: its first sample in the video, and the gain that brings it to NARRATION_LUFS."""

    start: int
    recording: Recording
    gain: float

    @property
    def end(self) -> int:
        return self.start + self.recording.count

    def read(self, first: int, last: int) -> Sound:
        """Return the samples [first, last) of the video, with gain and short fades at both ends."""
        first, last = first - self.start, last - self.start
        at = np.arange(first, last)
        edge = max(1, min(self.recording.count // 2, round(EDGE_FADE_S * RATE)))
        fade = np.clip(np.minimum(at, self.recording.count - 1 - at) / edge, 0, 1).astype(np.float32)
        return self.recording.read(first, last)[:, 0] * (np.float32(self.gain) * fade)


class Mixer:
    """Mixes a timeline. Voices and music are decoded to `folder`; memory holds one block of each."""

    def __init__(self, timeline: Timeline, files: dict[str, Path], folder: Path) -> None:
        self.timeline, self.files, self.folder = timeline, files, folder
        self.total = round(timeline.duration_s * RATE)
        self.voices = self._voices()
        self.bed = Bed(timeline, files, folder) if timeline.music else None
        self.effects = list(self._effects())
        self._envelope = self._duck() if self.bed else None

    def _effects(self) -> Iterator[tuple[int, Sound]]:
        known: dict[str, tuple[Sound, float]] = {}
        for shot in self.timeline.shots[1:]:
            kind = shot.transition.sound
            if kind == "none":
                continue
            if kind not in known:
                samples, accent_s = effects.effect(kind, self.timeline.seed)
                known[kind] = samples * np.float32(10 ** (-12 / 20)), accent_s
            samples, accent_s = known[kind]
            yield round((shot.start_s - accent_s) * RATE), samples

    def blocks(self) -> Iterator[Sound]:
        """Yield the mix in stereo blocks of BLOCK_S seconds, before mastering."""
        envelope = self._envelope
        for start in range(0, self.total, BLOCK_S * RATE):
            end = min(self.total, start + BLOCK_S * RATE)
            block = np.zeros((end - start, 2), np.float32)
            for voice in self.voices:
                first, last = max(start, voice.start), min(end, voice.end)
                if last > first:
                    block[first - start : last - start] += voice.read(first, last)[:, None]
            for at, samples in self.effects:
                _add(block, start, at, samples)
            if self.bed and envelope is not None:
                block += self.bed.block(start, end - start) * _gain(envelope, start, end - start)[:, None]
            yield block

    def _voices(self) -> list[Voice]:
        levelled: dict[str, tuple[Recording, float]] = {}
        found = []
        for scene in self.timeline.scenes:
            if scene.narration:
                uri = scene.narration.audio.uri
                if uri not in levelled:
                    levelled[uri] = self._levelled(uri, f"scene {scene.id}")
                found.append(Voice(round(scene.narration.start_s * RATE), *levelled[uri]))
        return found

    def _levelled(self, uri: str, where: str) -> tuple[Recording, float]:
        recording = decode(self.files[uri], uri, 1, self.folder)
        if (
            recording.count < RATE // 50
            or max(float(np.abs(block).max()) for block in recording.blocks()) <= 1e-4
        ):
            raise AssetCorrupt(f"The narration of {where} is silent: {uri}", asset=uri)
        level = recording.lufs if math.isfinite(recording.lufs) else _loudness_of_short(recording)
        return recording, 10 ** ((NARRATION_LUFS - level) / 20)

    def _duck(self) -> npt.NDArray[np.float32]:
        """Return the gain of the music in dB, ENVELOPE_RATE times a second, for the whole video.

        It is computed before the first block, because the music is lowered before a word starts.
        """
        assert self.timeline.music is not None
        count = self.total * ENVELOPE_RATE // RATE + 2
        speaking = np.zeros(count, bool)
        active = {voice.recording.path: _active(voice.recording) for voice in self.voices}
        for voice in self.voices:
            first = voice.start * ENVELOPE_RATE // RATE
            flags = active[voice.recording.path][: max(0, count - first)]
            speaking[first : first + flags.size] |= flags
        return duck_envelope(speaking, self.timeline.music.duck_db)


def _loudness_of_short(recording: Recording) -> float:
    """Estimate the loudness of a recording too short (0.4 s) or too quiet for the meter by its power."""
    power = max(float(np.square(block).mean()) for block in recording.blocks())
    return -0.691 + 10 * math.log10(2 * power)


def duck_envelope(speaking: npt.NDArray[np.bool_], depth_db: float) -> npt.NDArray[np.float32]:
    """Return the gain curve in dB: 0 without speech, -depth_db under speech, with raised-cosine flanks.

    `speaking` has ENVELOPE_RATE flags a second. Pauses shorter than HOLD_S stay lowered.
    """
    held = _close_gaps(speaking, round(HOLD_S * ENVELOPE_RATE))
    depth = np.zeros(held.size, np.float32)
    for start, end in _runs(held):
        attack, release = round(ATTACK_S * ENVELOPE_RATE), round(RELEASE_S * ENVELOPE_RATE)
        down = np.arange(max(0, start - attack), start)
        depth[down] = np.maximum(depth[down], _cosine((down - (start - attack)) / attack))
        depth[start:end] = 1
        up = np.arange(end, min(held.size, end + release))
        depth[up] = np.maximum(depth[up], 1 - _cosine((up - end) / release))
    return -depth_db * depth


def _cosine(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    return (0.5 - 0.5 * np.cos(np.pi * at)).astype(np.float32)


def _active(recording: Recording) -> npt.NDArray[np.bool_]:
    """Return a flag for each hundredth of a second: louder than 38 dB below the loudest."""
    step = RATE // ENVELOPE_RATE
    powers = [
        np.square(block[: block.shape[0] // step * step, 0].reshape(-1, step)).mean(axis=1)
        for block in recording.blocks()
    ]
    power = np.concatenate(powers) if powers else np.zeros(0)
    return power > power.max() * 10 ** (-38 / 10) if power.size else np.zeros(0, bool)


def _close_gaps(speaking: npt.NDArray[np.bool_], gap: int) -> npt.NDArray[np.bool_]:
    held = speaking.copy()
    for start, end in _runs(~speaking):
        if start > 0 and end < speaking.size and end - start <= gap:
            held[start:end] = True
    return held


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(start), int(end)) for start, end in itertools.batched(edges, 2, strict=True)]


def _gain(envelope_db: npt.NDArray[np.float32], start: int, count: int) -> npt.NDArray[np.float32]:
    at = (start + np.arange(count)) * (ENVELOPE_RATE / RATE)
    return np.asarray(10 ** (np.interp(at, np.arange(envelope_db.size), envelope_db) / 20), np.float32)


def _add(block: Sound, block_start: int, at: int, samples: Sound) -> None:
    first, last = max(block_start, at), min(block_start + block.shape[0], at + samples.shape[0])
    if last > first:
        piece = samples[first - at : last - at]
        block[first - block_start : last - block_start] += piece[:, None] if piece.ndim == 1 else piece


class Bed:
    """Background music: an endless loop at its level, faded in and out with the video.

    The built-in music has an accent at each change of scene, in the chord that is played then. It also plays
    where the plan's own music can't be decoded; `notes` say so.
    """

    def __init__(self, timeline: Timeline, files: dict[str, Path], folder: Path) -> None:
        assert timeline.music is not None
        plan = timeline.music
        self.total = round(timeline.duration_s * RATE)
        self.accents: list[tuple[int, Sound]] = []
        self.notes: list[str] = []
        recording = self._recorded(plan, files, folder)
        if recording:
            self.loop = recording
        else:
            (folder / "bed.f32").write_bytes(music.bed(plan.mood, timeline.seed).tobytes())
            self.loop = Recording(folder / "bed.f32", 2, loudness_of_file(folder / "bed.f32"))
            track = music.track_of(plan.mood, timeline.seed)
            self.accents = list(_accents(timeline, track, self.loop.lufs + ACCENT_DB))
        level = self.loop.lufs
        # level_db is the level under speech. Without speech the music is louder by duck_db. Mastering is
        # expected to bring the narration to the target.
        target = NARRATION_LUFS + plan.level_db + plan.duck_db
        self.gain = np.float32(10 ** ((target - level) / 20)) if math.isfinite(level) else np.float32(0)

    def _recorded(self, plan: Music, files: dict[str, Path], folder: Path) -> Recording | None:
        """Return the plan's own music as a loop, from its beginning if its section can't be played.

        None if it has none, or none that can be decoded.
        """
        if plan.asset is None:
            return None
        name = plan.asset.uri
        for start_s in dict.fromkeys((plan.start_s, 0.0)):
            try:
                return looped(decode(files[name], name, 2, folder, LONGEST_LOOP_S, start_s))
            except (AssetCorrupt, AssetRefused) as fault:
                instead = "It plays from its beginning." if start_s else "A built-in track plays instead."
                self.notes.append(f"The music can't be played: {fault.message} {instead}")
        return None

    def change_level(self, db: float) -> None:
        """Make the music louder (or, with a negative number, quieter)."""
        self.gain *= np.float32(10 ** (db / 20))

    def block(self, start: int, count: int) -> Sound:
        """Return `count` stereo samples from sample `start` of the video."""
        at = np.arange(start, start + count) / RATE
        fade = np.minimum(
            np.clip(at / BED_FADE_IN_S, 0, 1), np.clip((self.total / RATE - at) / BED_FADE_OUT_S, 0, 1)
        )
        gain = np.asarray(self.gain * (fade * fade * (3 - 2 * fade)), np.float32)
        block = self.loop.around(start, count)
        for first, samples in self.accents:
            _add(block, start, first, samples)
        return block * gain[:, None]


def _accents(timeline: Timeline, track: Track, lufs: float) -> Iterator[tuple[int, Sound]]:
    """Yield (first sample, samples) of the accent at each change of scene that has no sound of its own."""
    before_s = 0.0
    for scene in timeline.scenes[1:]:
        if scene.start_s - before_s >= ACCENTS_APART_S and scene.shots[0].transition.sound == "none":
            before_s = scene.start_s
            cut = round(scene.start_s * RATE)
            first = cut - round(music.ACCENT_LEAD_S * RATE)
            yield first, music.accent(track, music.bar_at(track, cut), lufs)

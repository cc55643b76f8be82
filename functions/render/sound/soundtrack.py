"""The soundtrack: narration at one loudness, a bed that steps back under speech, effects; mixed block by block, then brought to the target and measured."""

import hashlib
import itertools
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from render import ffmpeg
from render.errors import AssetCorrupt
from render.plan.timeline import Timeline
from render.sound import music
from render.sound.music import RATE, Sound

# Where narration is brought before the whole is measured: near the usual target, so that the last gain is small.
NARRATION_LUFS = -16.0
BLOCK_S = 10
# The bed goes down before the first syllable and comes back after the last, both without being noticed.
ATTACK_S, RELEASE_S, HOLD_S = 0.28, 0.80, 0.75
EDGE_FADE_S = 0.008
BED_FADE_IN_S, BED_FADE_OUT_S = 1.2, 1.8
BED_SEAM_S = 2.0
# A longer track of the user's begins again after this; half an hour of it would only fill the disk.
LONGEST_LOOP_S = 600
ENVELOPE_RATE = 100
# AAC moves peaks by up to about a decibel; the limiter starts this far below the ceiling and the result is measured.
AAC_HEADROOM_DB = 0.8
# At this rate the fast coder costs half the time of the default one, and the default's search finds nothing left to save.
AAC_BITRATE = "192k"
TOLERANCE_LU = 0.4
SILENCE_DB, SILENCE_S = -60, 1.0


@dataclass(frozen=True)
class Loudness:
    integrated_lufs: float
    true_peak_dbtp: float


class Recording:
    """Decoded sound as a file of floats, read piece by piece: an hour of it takes no more memory than a minute."""

    def __init__(self, path: Path, channels: int, lufs: float) -> None:
        self.path, self.channels, self.lufs = path, channels, lufs
        self.count = path.stat().st_size // (4 * channels)

    def read(self, first: int, last: int) -> Sound:
        samples = np.fromfile(self.path, np.float32, max(0, last - first) * self.channels, offset=4 * self.channels * first)
        return samples.reshape(-1, self.channels)

    def blocks(self) -> Iterator[Sound]:
        for start in range(0, self.count, BLOCK_S * RATE):
            yield self.read(start, min(self.count, start + BLOCK_S * RATE))

    def around(self, start: int, count: int) -> Sound:
        """From `start` on, beginning again after the end."""
        pieces = []
        while count > 0:
            at = start % self.count
            pieces.append(self.read(at, min(self.count, at + count)))
            start, count = start + pieces[-1].shape[0], count - pieces[-1].shape[0]
        return np.concatenate(pieces)


@dataclass(frozen=True)
class Voice:
    """One scene's narration: where it begins, and what brings it to its level."""

    start: int
    recording: Recording
    gain: float

    @property
    def end(self) -> int:
        return self.start + self.recording.count

    def read(self, first: int, last: int) -> Sound:
        """Levelled, faded over its very first and last milliseconds. Both in samples of the film."""
        first, last = first - self.start, last - self.start
        at = np.arange(first, last)
        edge = max(1, min(self.recording.count // 2, round(EDGE_FADE_S * RATE)))
        fade = np.clip(np.minimum(at, self.recording.count - 1 - at) / edge, 0, 1).astype(np.float32)
        return self.recording.read(first, last)[:, 0] * (np.float32(self.gain) * fade)


class Mixer:
    """Blocks of the finished mix before mastering. Voices and bed lie decoded in `folder`; memory holds ten seconds of each that sounds."""

    def __init__(self, timeline: Timeline, files: dict[str, Path], folder: Path) -> None:
        self.timeline, self.files, self.folder = timeline, files, folder
        self.total = round(timeline.duration_s * RATE)
        self.voices = self._voices()
        self.bed = Bed(timeline, files, folder) if timeline.music else None
        self.effects = list(self._effects())

    def _effects(self) -> Iterator[tuple[int, Sound]]:
        known: dict[str, tuple[Sound, float]] = {}
        for scene in self.timeline.scenes[1:]:
            kind = scene.transition.sound
            if kind == "none":
                continue
            if kind not in known:
                samples, accent_s = music.effect(kind, self.timeline.seed)
                known[kind] = samples * np.float32(10 ** (-12 / 20)), accent_s
            samples, accent_s = known[kind]
            yield round((scene.start_s - accent_s) * RATE), samples

    def blocks(self) -> Iterator[Sound]:
        envelope = self._duck() if self.bed else None
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
        if recording.count < RATE // 50 or max(float(np.abs(block).max()) for block in recording.blocks()) <= 1e-4:
            raise AssetCorrupt(f"The narration of {where} is silent: {uri}", asset=uri)
        level = recording.lufs if math.isfinite(recording.lufs) else _syllable(recording)
        return recording, 10 ** ((NARRATION_LUFS - level) / 20)

    def _duck(self) -> npt.NDArray[np.float32]:
        """Gain of the bed in decibels, a hundred times a second. Known for the whole film before the first block: ducking begins before the word does."""
        assert self.timeline.music is not None
        count = self.total * ENVELOPE_RATE // RATE + 2
        speaking = np.zeros(count, bool)
        active = {voice.recording.path: _active(voice.recording) for voice in self.voices}
        for voice in self.voices:
            first = voice.start * ENVELOPE_RATE // RATE
            flags = active[voice.recording.path][: max(0, count - first)]
            speaking[first : first + flags.size] |= flags
        return duck_envelope(speaking, self.timeline.music.duck_db)


def _syllable(recording: Recording) -> float:
    """Of what is too short to have a loudness (0.4 s) or too faint: its mean power, played from both sides."""
    power = max(float(np.square(block).mean()) for block in recording.blocks())
    return -0.691 + 10 * math.log10(2 * power)


def duck_envelope(speaking: npt.NDArray[np.bool_], depth_db: float) -> npt.NDArray[np.float32]:
    """0 dB in the open, -depth under speech, with raised-cosine flanks; pauses shorter than the hold stay ducked."""
    held = _closed(speaking, round(HOLD_S * ENVELOPE_RATE))
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
    """Per hundredth of a second: louder than 38 dB below the loudest."""
    step = RATE // ENVELOPE_RATE
    powers = [np.square(block[: block.shape[0] // step * step, 0].reshape(-1, step)).mean(axis=1) for block in recording.blocks()]
    power = np.concatenate(powers) if powers else np.zeros(0)
    return power > power.max() * 10 ** (-38 / 10) if power.size else np.zeros(0, bool)


def _closed(speaking: npt.NDArray[np.bool_], gap: int) -> npt.NDArray[np.bool_]:
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
    return (10 ** (np.interp(at, np.arange(envelope_db.size), envelope_db) / 20)).astype(np.float32)


def _add(block: Sound, block_start: int, at: int, samples: Sound) -> None:
    first, last = max(block_start, at), min(block_start + block.shape[0], at + samples.shape[0])
    if last > first:
        piece = samples[first - at : last - at]
        block[first - block_start : last - block_start] += piece[:, None] if piece.ndim == 1 else piece


class Bed:
    """Music without end, at its level, faded in and out with the film."""

    def __init__(self, timeline: Timeline, files: dict[str, Path], folder: Path) -> None:
        assert timeline.music is not None
        plan = timeline.music
        self.total = round(timeline.duration_s * RATE)
        if plan.asset:
            self.loop = looped(decode(files[plan.asset.uri], plan.asset.uri, 2, folder, limit_s=LONGEST_LOOP_S))
        else:
            (folder / "bed.f32").write_bytes(music.bed(plan.mood, timeline.seed).tobytes())
            self.loop = Recording(folder / "bed.f32", 2, loudness(folder / "bed.f32"))
        level = self.loop.lufs
        # level_db is what remains under speech; in the open the bed is louder by the ducking.
        wanted = NARRATION_LUFS + plan.level_db + plan.duck_db
        self.gain = np.float32(10 ** ((wanted - level) / 20)) if math.isfinite(level) else np.float32(0)

    def block(self, start: int, count: int) -> Sound:
        at = np.arange(start, start + count) / RATE
        fade = np.minimum(np.clip(at / BED_FADE_IN_S, 0, 1), np.clip((self.total / RATE - at) / BED_FADE_OUT_S, 0, 1))
        return self.loop.around(start, count) * (self.gain * (fade * fade * (3 - 2 * fade)).astype(np.float32))[:, None]


def looped(track: Recording) -> Recording:
    """The track with its end laid over its beginning at constant power, so that the last sample leads into the first."""
    seam = min(round(BED_SEAM_S * RATE), track.count // 3)
    at = np.linspace(0, np.pi / 2, seam, dtype=np.float32)[:, None]
    path = track.path.with_suffix(".loop.f32")
    with path.open("wb") as file:
        file.write((track.read(0, seam) * np.sin(at) + track.read(track.count - seam, track.count) * np.cos(at)).tobytes())
        for start in range(seam, track.count - seam, BLOCK_S * RATE):
            file.write(track.read(start, min(track.count - seam, start + BLOCK_S * RATE)).tobytes())
    return Recording(path, track.channels, track.lufs)


def decode(path: Path, name: str, channels: int, folder: Path, limit_s: float | None = None) -> Recording:
    """Floats at our rate, in a file in `folder`, measured on the way. Raises AssetCorrupt or AssetRefused naming the asset."""
    target = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}-{channels}.f32"
    limit = ["-t", str(limit_s)] if limit_s else []
    layout = "mono" if channels == 1 else "stereo"
    chain = f"aresample={RATE},aformat=channel_layouts={layout},{_METER}"
    log = ffmpeg.told("-y", *ffmpeg.source(path), *limit, "-vn", "-af", chain, "-f", "f32le", target, asset=name)
    if not target.stat().st_size:
        raise AssetCorrupt(f"There is no sound in {name}.", asset=name)
    return Recording(target, channels, _integrated(log))


# ── loudness ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# Gated loudness as BS.1770 defines it, by ffmpeg's meter; a mono voice will play from both sides.
_METER = "ebur128=dualmono=true:framelog=quiet"
_RAW = ("-f", "f32le", "-ar", str(RATE), "-ac", "2")


def loudness(raw: Path) -> float:
    """LUFS of a file of our floats in stereo; minus infinity for silence."""
    return _integrated(ffmpeg.told(*_RAW, "-i", raw, "-af", _METER, "-f", "null", "-"))


def _integrated(log: str) -> float:
    level = _number(r"I:\s+(\S+) LUFS", log[log.rfind("Summary:") :])
    # The meter's own floor.
    return level if level > -70 else -math.inf


@dataclass(frozen=True)
class Measured:
    """What one pass over a finished track says."""

    loudness: Loudness
    silences: tuple[tuple[float, float | None], ...]
    flat_share: float


def measure(path: Path) -> Measured:
    """By ffmpeg's own meters: ebur128 with true peak, and silence below -60 dB (nobody hears it) of a second or more; the samples pass by `_Tops`."""
    chain = f"silencedetect=n={SILENCE_DB}dB:d={SILENCE_S},ebur128=peak=true:framelog=quiet"
    command = [ffmpeg.binary(), "-hide_banner", "-nostdin", "-nostats", "-i", str(path), "-vn", "-af", chain, *_RAW, "-"]
    tops = _Tops()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        while block := process.stdout.read(BLOCK_S * RATE * 8):
            tops.feed(np.frombuffer(block, np.float32))
        process.stdout.close()
        process.wait()
        errors.seek(0)
        log = errors.read().decode(errors="replace")
    return read_meters(log, tops.flat_share())


class _Tops:
    """How flat the tops of a waveform are, as clipping leaves them; a lossy coder blurs the straight runs of samples, but not that.

    In each twentieth of a second that comes near the loudest: which share of its samples lies within a tenth of its own peak. Measured: speech and
    music up to 0.05, a pure tone 0.28, speech that was clipped twelve decibels below its peaks 0.4 to 0.6.
    """

    WINDOW, NEAR, FLAT = RATE // 20, 0.8, 0.32

    def __init__(self) -> None:
        self._windows: list[npt.NDArray[np.float32]] = []

    def feed(self, samples: npt.NDArray[np.float32]) -> None:
        magnitude = np.abs(samples[::2][: samples.size // 2 // self.WINDOW * self.WINDOW].reshape(-1, self.WINDOW))
        peaks = magnitude.max(axis=1)
        shares = (magnitude >= 0.9 * peaks[:, None]).mean(axis=1, dtype=np.float32)
        self._windows.append(np.stack([peaks, shares]))

    def flat_share(self) -> float:
        peaks, shares = np.concatenate(self._windows, axis=1) if self._windows else np.zeros((2, 0), np.float32)
        audible = peaks > 0.02
        if not audible.any():
            return 0.0
        # Near the loudest, but for single ones: a coder overshoots where sound begins.
        loud = audible & (peaks >= self.NEAR * np.percentile(peaks[audible], 95))
        return float((shares[loud] > self.FLAT).mean())


def read_meters(log: str, flat_share: float) -> Measured:
    summary = log[log.rfind("Summary:") :]
    level = Loudness(_number(r"I:\s+(\S+) LUFS", summary), _number(r"Peak:\s+(\S+) dBFS", summary))
    starts = [float(value) for value in re.findall(r"silence_start: (-?[\d.]+)", log)]
    ends: list[float | None] = [float(value) for value in re.findall(r"silence_end: ([\d.]+)", log)]
    return Measured(level, tuple(itertools.zip_longest(starts, ends)), flat_share)


def _number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    return float(found[1]) if found else -math.inf


# ── the finished track ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Track:
    """The finished soundtrack with what was measured on it."""

    path: Path
    measured: Measured


def produce(timeline: Timeline, files: dict[str, Path], folder: Path) -> Track:
    """AAC at the target loudness. A track that is silent by plan (no narration, no music) stays silent."""
    # What a killed run left may be of assets that have changed since.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    raw = folder / "mix.f32"
    with raw.open("wb") as file:
        for block in Mixer(timeline, files, folder).blocks():
            file.write(block.tobytes())
    before = loudness(raw)
    target = folder / "sound.m4a"
    gain, ceiling = timeline.integrated_lufs - before, timeline.true_peak_dbtp - AAC_HEADROOM_DB
    if not math.isfinite(before):
        gain = 0.0
    for _ in range(4):
        _master(raw, gain, ceiling, target)
        after = measure(target)
        quiet, loud = timeline.integrated_lufs - after.loudness.integrated_lufs, after.loudness.true_peak_dbtp - timeline.true_peak_dbtp
        if not math.isfinite(before) or (abs(quiet) <= TOLERANCE_LU and loud <= -0.05):
            break
        # The limiter takes loudness away, the encoder adds peaks: correct both by what was measured.
        gain += quiet
        ceiling -= max(0.0, loud + 0.15)
    for done in folder.glob("*.f32"):
        done.unlink()
    return Track(target, after)


def _master(raw: Path, gain_db: float, ceiling_db: float, target: Path) -> None:
    # Limited at four times the rate: peaks between the samples count as true peaks.
    chain = f"volume={gain_db:.3f}dB,aresample={RATE * 4},alimiter=level=false:limit={10 ** (ceiling_db / 20):.6f}:attack=5:release=90,aresample={RATE}"
    # Without the search for middle and side, which takes a third of the time and finds nothing at this rate.
    coding = ("-c:a", "aac", "-aac_coder", "fast", "-aac_ms", "0", "-b:a", AAC_BITRATE)
    ffmpeg.run("-y", *_RAW, "-i", raw, "-af", chain, *coding, "-f", "mp4", target)

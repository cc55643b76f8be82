"""Decoded sound as files of floats, read in blocks, so that memory does not grow with length."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from render import ffmpeg
from render.errors import AssetCorrupt
from render.sound import loudness
from render.sound.pcm import RATE, Sound

BLOCK_S = 10
BED_SEAM_S = 2.0


class Recording:
    """Decoded sound in a file of floats.

    `count` is its length in samples per channel, `lufs` its loudness.
    """

    def __init__(self, path: Path, channels: int, lufs: float) -> None:
        self.path, self.channels, self.lufs = path, channels, lufs
        self.count = path.stat().st_size // (4 * channels)

    def read(self, first: int, last: int) -> Sound:
        """Return the samples [first, last) as [sample, channel]."""
        samples = np.fromfile(
            self.path, np.float32, max(0, last - first) * self.channels, offset=4 * self.channels * first
        )
        return samples.reshape(-1, self.channels)

    def blocks(self) -> Iterator[Sound]:
        """Yield the whole recording in blocks of BLOCK_S seconds."""
        for start in range(0, self.count, BLOCK_S * RATE):
            yield self.read(start, min(self.count, start + BLOCK_S * RATE))

    def around(self, start: int, count: int) -> Sound:
        """Return `count` samples from `start`, repeating the recording from its beginning."""
        pieces = []
        while count > 0:
            at = start % self.count
            pieces.append(self.read(at, min(self.count, at + count)))
            start, count = start + pieces[-1].shape[0], count - pieces[-1].shape[0]
        return np.concatenate(pieces)


def looped(track: Recording) -> Recording:
    """Return the track as a seamless loop: its end is cross-faded at constant power into its beginning."""
    seam = min(round(BED_SEAM_S * RATE), track.count // 3)
    at = np.linspace(0, np.pi / 2, seam, dtype=np.float32)[:, None]
    path = track.path.with_suffix(".loop.f32")
    with path.open("wb") as file:
        file.write(
            (
                track.read(0, seam) * np.sin(at) + track.read(track.count - seam, track.count) * np.cos(at)
            ).tobytes()
        )
        for start in range(seam, track.count - seam, BLOCK_S * RATE):
            file.write(track.read(start, min(track.count - seam, start + BLOCK_S * RATE)).tobytes())
    return Recording(path, track.channels, track.lufs)


def decode(
    path: Path,
    name: str,
    channels: int,
    folder: Path,
    limit_s: float | None = None,
    start_s: float = 0.0,
) -> Recording:
    """Decode an audio file to floats at RATE in a file in `folder`, and measure its loudness in the same
    pass.

    `name` is the asset's URI. Sound before `start_s` is left out, and what is longer than `limit_s` is cut
    off. Raises AssetCorrupt, AssetRefused, DiskFull.
    """
    target = folder / f"{hashlib.sha256(name.encode()).hexdigest()[:24]}-{channels}.f32"
    skipped = ["-ss", str(start_s)] if start_s else []
    limit = ["-t", str(limit_s)] if limit_s else []
    layout = "mono" if channels == 1 else "stereo"
    # Sound that starts late, or has a gap, keeps its times: words are timed by them.
    chain = f"aresample={RATE}:async=1:first_pts=0,aformat=channel_layouts={layout},{loudness.METER}"
    log = ffmpeg.read_log(
        "-y", *skipped, *ffmpeg.source(path), *limit, "-vn", "-af", chain, "-f", "f32le", target, asset=name
    )
    if not target.stat().st_size:
        after = f" after {start_s:g} s" if start_s else ""
        raise AssetCorrupt(f"There is no sound in {name}{after}.", asset=name)
    return Recording(target, channels, loudness.integrated(log))

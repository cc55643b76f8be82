"""Make the finished soundtrack: mix, bring it to the target loudness through a limiter, encode it as AAC and
measure it.
"""

import math
import shutil
from dataclasses import dataclass
from pathlib import Path

from render import ffmpeg
from render.plan.timeline import Timeline
from render.sound.loudness import RAW_FORMAT, Measured, loudness_of_file, measure
from render.sound.mix import NARRATION_LUFS, Mixer
from render.sound.pcm import RATE

# AAC raises peaks by up to about 1 dB. The limiter starts this far below the ceiling; the result is measured.
AAC_HEADROOM_DB = 0.8
# At this bit rate the fast coder takes half the time of the default one, whose search saves nothing.
AAC_BITRATE = "192k"
TOLERANCE_LU = 0.4
# The music in pauses may differ this much from the timeline's level before the mix is made again.
BED_TOLERANCE_DB = 0.75
_MIXING_PASSES = 4
# Mastering is repeated with corrected gain and ceiling at most this many times.
_MASTERING_PASSES = 4


@dataclass(frozen=True)
class Track:
    """The finished soundtrack (AAC in MP4), its measurements, and what of the plan it doesn't play."""

    path: Path
    measured: Measured
    notes: tuple[str, ...] = ()


def produce(timeline: Timeline, files: dict[str, Path], folder: Path) -> Track:
    """Make the soundtrack in `folder` at the timeline's loudness.

    Without narration and music it stays silent.

    Raises AssetCorrupt, AssetRefused, DiskFull.
    """
    # Files of a killed run may come from other assets.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    raw = folder / "mix.f32"
    mixer = Mixer(timeline, files, folder)
    before = _mixed(mixer, raw)
    target = folder / "sound.m4a"
    gain, ceiling = timeline.integrated_lufs - before, timeline.true_peak_dbtp - AAC_HEADROOM_DB
    if not math.isfinite(before):
        gain = 0.0
    for _ in range(_MASTERING_PASSES):
        _master(raw, gain, ceiling, target)
        after = measure(target)
        quiet, loud = (
            timeline.integrated_lufs - after.loudness.integrated_lufs,
            after.loudness.true_peak_dbtp - timeline.true_peak_dbtp,
        )
        if not math.isfinite(before) or (abs(quiet) <= TOLERANCE_LU and loud <= -0.05):
            break
        # The limiter lowers the loudness and the encoder adds peaks. Correct both by what was measured.
        gain += quiet
        ceiling -= max(0.0, loud + 0.15)
    for done in folder.glob("*.f32"):
        done.unlink()
    return Track(target, after, tuple(mixer.bed.notes) if mixer.bed else ())


def _mixed(mixer: Mixer, raw: Path) -> float:
    """Write the mix to `raw` and return its loudness.

    Pauses lower the loudness of the whole, so mastering makes everything louder, and the music in the pauses
    too. The mix is made again with quieter music until that is right.
    """
    lowered = 0.0
    for _ in range(_MIXING_PASSES):
        with raw.open("wb") as file:
            for block in mixer.blocks():
                file.write(block.tobytes())
        before = loudness_of_file(raw)
        # Mastering raises everything by target - before. Planned was target - NARRATION_LUFS.
        excess = NARRATION_LUFS - before - lowered
        if not mixer.bed or not mixer.voices or not math.isfinite(before) or abs(excess) <= BED_TOLERANCE_DB:
            break
        mixer.bed.change_level(-excess)
        lowered += excess
    return before


def _master(raw: Path, gain_db: float, ceiling_db: float, target: Path) -> None:
    # Limit at twice the rate, because peaks between samples count as true peaks. Four times took 0.35 s of
    # CPU more for a minute and gave no lower peaks (measured); the result is measured anyway.
    limiter = f"alimiter=level=false:limit={10 ** (ceiling_db / 20):.6f}:attack=5:release=90"
    chain = f"volume={gain_db:.3f}dB,aresample={RATE * 2},{limiter},aresample={RATE}"
    # Without the mid/side search, which takes a third of the time and saves nothing at this bit rate.
    coding = ("-c:a", "aac", "-aac_coder", "fast", "-aac_ms", "0", "-b:a", AAC_BITRATE)
    ffmpeg.run("-y", *RAW_FORMAT, "-i", raw, "-af", chain, *coding, "-f", "mp4", target)

"""The finished file, inspected before anybody may call it finished: every finding has a name, and one is enough to fail."""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import ffmpeg, sound
from .errors import AssetCorrupt
from .timeline import Output, Timeline

LONGEST_FAULT_S = 1.0
DURATION_TOLERANCE_S = 0.1
LOUDNESS_TOLERANCE_LU = 1.0
# Meters of two makers differ by a tenth.
PEAK_TOLERANCE_DB = 0.1
# Silence is what nobody hears under normal listening: 60 dB below full scale.
SILENCE_DB = -60
# A picture stands still when frames differ by less than the encoder's own noise. Slow drifts over soft backgrounds stay above it.
FREEZE_NOISE = 0.00012
_TAGS = {"h264": "h264", "hevc": "hevc", "av1": "av1"}


@dataclass
class Inspection:
    measured: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def fault(self, name: str, message: str) -> None:
        self.findings.append({"name": name, "message": message})


def inspect(path: Path, timeline: Timeline, output: Output, caption_files: list[Path], pages: int) -> Inspection:
    """Decodes the whole file once. The result says what was measured and what is wrong."""
    found = Inspection()
    try:
        media = ffmpeg.probe(path, path.name)
    except AssetCorrupt as unreadable:
        found.fault("UnplayableHeader", unreadable.message)
        return found
    _streams(found, media, timeline, output)
    _faststart(found, path)
    if not found.findings:
        _content(found, path, timeline, output)
    _captions(found, timeline, caption_files, pages)
    return found


def _streams(found: Inspection, media: ffmpeg.Media, timeline: Timeline, output: Output) -> None:
    found.measured |= {
        "duration_s": media.duration_s,
        "width": media.width,
        "height": media.height,
        "fps": media.fps,
        "video_codec": media.video_codec,
        "audio_codec": media.audio_codec,
        "pixel_format": media.pixel_format,
        "colour": media.video_tags,
        "sample_rate": media.sample_rate,
    }
    if media.video_codec != _TAGS[output.codec]:
        found.fault("WrongVideoCodec", f"The picture is {media.video_codec or 'missing'}, planned was {output.codec}.")
    if media.audio_codec != "aac":
        found.fault("WrongAudioCodec", f"The sound is {media.audio_codec or 'missing'}, planned was aac.")
    if (media.width, media.height) != (output.width, output.height):
        found.fault("WrongAspect", f"The picture is {media.width}x{media.height}, planned was {output.width}x{output.height}.")
    if media.duration_s is None or abs(media.duration_s - timeline.duration_s) > DURATION_TOLERANCE_S:
        found.fault("WrongDuration", f"The file lasts {media.duration_s} s, planned was {timeline.duration_s:.3f} s.")
    if "bt709" not in media.video_tags:
        found.fault("WrongColour", f"The picture is not tagged BT.709 but {media.video_tags or 'nothing'}.")


def _faststart(found: Inspection, path: Path) -> None:
    """The index must come before the media data, or a player has to fetch the whole file first."""
    with path.open("rb") as file:
        at, order = 0, []
        while len(head := file.read(8)) == 8:
            size, name = int.from_bytes(head[:4]), head[4:].decode("latin-1")
            size = int.from_bytes(file.read(8)) if size == 1 else size
            order.append(name)
            if size < 8:
                break
            at += size
            file.seek(at)
    found.measured["atoms"] = order
    if "moov" not in order or "mdat" not in order or order.index("moov") > order.index("mdat"):
        found.fault("UnplayableHeader", "The index of the file is not in front of its data.")


def _content(found: Inspection, path: Path, timeline: Timeline, output: Output) -> None:
    """Black, still, silent or clipped stretches, loudness and frame count, from one pass over a small copy of every frame."""
    shrink = max(1, min(output.width, output.height) // 270)
    video = f"scale={output.width // shrink}:{output.height // shrink}:flags=fast_bilinear,blackdetect=d={LONGEST_FAULT_S}:pic_th=0.99:pix_th=0.06,freezedetect=n={FREEZE_NOISE}:d={LONGEST_FAULT_S}"
    audio = f"silencedetect=n={SILENCE_DB}dB:d={LONGEST_FAULT_S},ebur128=peak=true:framelog=quiet,astats=measure_perchannel=none:measure_overall=Peak_count+Flat_factor+Number_of_NaNs"
    done = subprocess.run(
        [ffmpeg.binary(), "-hide_banner", "-nostdin", "-i", str(path), "-filter_complex_threads", "1", "-vf", video, "-af", audio, "-f", "null", "-"],
        capture_output=True,
        check=False,
    )
    log = done.stderr.decode(errors="replace")
    if done.returncode or re.search(r"error while decoding|Invalid NAL|corrupt", log):
        found.fault("Undecodable", f"The file cannot be decoded to its end: {ffmpeg.last_line(log)}")
        return
    _picture(found, log, timeline)
    _sound(found, log, timeline)


def _picture(found: Inspection, log: str, timeline: Timeline) -> None:
    frames = re.findall(r"frame=\s*(\d+)", log)
    found.measured["frames"] = int(frames[-1]) if frames else 0
    if abs(found.measured["frames"] - timeline.frame_count) > 1:
        found.fault("WrongFrameCount", f"The file has {found.measured['frames']} frames, planned were {timeline.frame_count}.")
    black = [(float(start), float(length)) for start, length in re.findall(r"black_start:([\d.]+).*?black_duration:([\d.]+)", log)]
    frozen = _frozen(log, timeline)
    found.measured |= {"black_s": sum(length for _, length in black), "frozen_s": sum(end - start for start, end in frozen)}
    for start, length in black:
        found.fault("BlackPicture", f"The picture is black for {length:.1f} s from {start:.1f} s on.")
    for start, end in frozen:
        if not _still_by_plan(timeline, start, end):
            found.fault("FrozenPicture", f"The picture stands still for {end - start:.1f} s from {start:.1f} s on.")


def _frozen(log: str, timeline: Timeline) -> list[tuple[float, float]]:
    starts = [float(value) for value in re.findall(r"freeze_start: ([\d.]+)", log)]
    ends = [float(value) for value in re.findall(r"freeze_end: ([\d.]+)", log)]
    return list(zip(starts, [*ends, timeline.duration_s][: len(starts)], strict=True))


def _still_by_plan(timeline: Timeline, start: float, end: float) -> bool:
    """A photograph without a camera move is meant to stand still."""
    touched = [scene for scene in timeline.scenes if scene.end_s > start + 0.05 and scene.start_s < end - 0.05]
    return all(scene.visual.kind == "image" and (scene.visual.motion == "none" or scene.visual.amount == 0) for scene in touched)


def _sound(found: Inspection, log: str, timeline: Timeline) -> None:
    level = sound.read_summary(log)
    peaks = re.search(r"Peak count: ([\d.]+)", log)
    flat = re.search(r"Flat factor: ([\d.]+)", log)
    silent = [float(value) for value in re.findall(r"silence_duration: ([\d.]+)", log)]
    found.measured |= {
        "loudness_lufs": level.integrated_lufs,
        "true_peak_dbtp": level.true_peak_dbtp,
        "silent_s": sum(silent),
        "peak_count": float(peaks[1]) if peaks else 0.0,
        "flat_factor": float(flat[1]) if flat else 0.0,
    }
    planned = timeline.music is not None or any(scene.narration for scene in timeline.scenes)
    if not planned:
        return
    if abs(level.integrated_lufs - timeline.integrated_lufs) > LOUDNESS_TOLERANCE_LU:
        found.fault("WrongLoudness", f"The sound has {level.integrated_lufs:.1f} LUFS, planned were {timeline.integrated_lufs:.1f}.")
    if level.true_peak_dbtp > timeline.true_peak_dbtp + PEAK_TOLERANCE_DB:
        found.fault("TruePeakTooHigh", f"The true peak is {level.true_peak_dbtp:.1f} dBTP, at most {timeline.true_peak_dbtp:.1f} was planned.")
    # A flat factor above zero means runs of samples at the very peak, which is how clipping looks.
    if found.measured["flat_factor"] > 5:
        found.fault("ClippedSound", f"The sound is clipped (flat factor {found.measured['flat_factor']:.1f}).")
    for start, end in _silences(log, timeline):
        found.fault("SilentSound", f"There is no sound for {end - start:.1f} s from {start:.1f} s on.")


def _silences(log: str, timeline: Timeline) -> list[tuple[float, float]]:
    """Stretches in which something should be heard: with music everywhere but its fades, without it only inside a narration."""
    starts = [float(value) for value in re.findall(r"silence_start: (-?[\d.]+)", log)]
    ends = [float(value) for value in re.findall(r"silence_end: ([\d.]+)", log)]
    stretches = list(zip(starts, [*ends, timeline.duration_s][: len(starts)], strict=True))
    if timeline.music:
        return stretches
    spoken = [(scene.narration.start_s, scene.narration.start_s + scene.narration.duration_s) for scene in timeline.scenes if scene.narration]
    return [(start, end) for start, end in stretches if any(min(end, last) - max(start, first) > 2 * LONGEST_FAULT_S for first, last in spoken)]


def _captions(found: Inspection, timeline: Timeline, files: list[Path], pages: int) -> None:
    found.measured["caption_pages"] = pages
    words = any(scene.narration and scene.narration.words for scene in timeline.scenes)
    if timeline.captions is None or not words:
        return
    if not pages or any(not path.exists() or path.stat().st_size < 20 for path in files):
        found.fault("MissingCaptions", "There are words, but no captions.")

"""The finished file, inspected before anybody may call it finished: every finding has a name, and one is enough to fail."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error

from render import ffmpeg
from render.check import stillness
from render.errors import AssetCorrupt
from render.picture import backdrop
from render.picture.colour import Pixels
from render.plan.timeline import Output, Scene, Timeline, Visual
from render.sound.soundtrack import Measured, Track

DURATION_TOLERANCE_S = 0.1
LOUDNESS_TOLERANCE_LU = 1.0
# Meters of two makers differ by a tenth.
PEAK_TOLERANCE_DB = 0.1
# Key frames this close together can't miss a fault of a second: two of them lie in it.
KEYS_APART_S = 0.5
# A camera move slower than this (pixels a second at the picture's edge) can't be told from a still picture by the eye, nor by `watch`.
SLOWEST_MOVE = 3.0
# In a picture that stops moving x264 still improves it for some frames, then codes next to nothing. Measured at veryfast, over every phase of a stop of
# 1.03 s in photographs, noise, grain and backdrops: the quietest ten frames in a row (key frames apart) take 293 bytes each at most at 1080x1920, 59 at
# 540x960 and 27 at 320x180; our usual camera moves 386, 164 and 27 at least. Slower moves and small pictures are looked at more than they need to be.
QUIET_FRAMES = 10
QUIET_BITS_PER_PIXEL = 0.0013
FRAME_OVERHEAD_BYTES = 40
# A twentieth of the loud moments with flat tops: measured 0 for speech and music however hard they were limited, 0.37 and more for what was clipped.
FLATTEST = 0.05


@dataclass
class Inspection:
    measured: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def fault(self, name: str, message: str) -> None:
        self.findings.append({"name": name, "message": message})


class Keys:
    """Key frames in order of time. Neighbours are compared; kept are the first, the last, and between which of them a fault may lie."""

    def __init__(self) -> None:
        self.count = 0
        self.gap_s = 0.0
        self.suspects: list[tuple[float, float]] = []
        self.first: tuple[float, Pixels] | None = None
        self.last: tuple[float, Pixels] | None = None

    def see(self, at_s: float, picture: Pixels) -> None:
        if self.last is None:
            self.first = (at_s, picture)
        else:
            before_s, before = self.last
            self.gap_s = max(self.gap_s, at_s - before_s)
            if stillness.alike(before, picture) or stillness.dark(before):
                self.suspects.append((before_s, at_s))
        self.last = (at_s, picture)
        self.count += 1

    def follow(self, later: "Keys") -> None:
        if later.first is not None:
            self.see(*later.first)
            self.suspects += later.suspects
            self.gap_s, self.last, self.count = max(self.gap_s, later.gap_s), later.last, self.count + later.count - 1

    def stretches(self, duration_s: float) -> list[tuple[float, float]] | None:
        """Where a fault may lie; None when they are too far apart to say, or when there are none."""
        if self.first is None or self.last is None or max(self.gap_s, self.first[0], duration_s - self.last[0]) > KEYS_APART_S + 0.01:
            return None
        return self.suspects


@dataclass(frozen=True)
class Glance:
    """A piece of the film, looked at while others are drawn; by its packets it is known again in the finished file."""

    packets: int
    digest: str
    keys: Keys


def glance(path: Path, start_s: float) -> Glance | None:
    """`start_s` is the piece's place in the film. None where it can't be decoded: the finished file then says so itself."""
    keys, digest, count = Keys(), hashlib.sha256(), 0
    try:
        for at_s, picture in stillness.pictures(path, keys_only=True):
            keys.see(start_s + at_s, picture)
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    digest.update(bytes(packet))
                    count += 1
    except av.error.FFmpegError:
        return None
    return Glance(count, digest.hexdigest(), keys)


def inspect(
    path: Path,
    timeline: Timeline,
    output: Output,
    track: Track,
    caption_files: list[Path],
    pages: int,
    files: dict[str, Path],
    skips_stills: bool = False,
    pieces: Sequence[Glance | None] = (),
) -> Inspection:
    """Reads every packet, decodes every key frame, and between them what could hold a fault. Key frames of `pieces` that the file holds, packet for
    packet, have been decoded already.

    That is: where key frames half a second apart are alike or black; where they are further apart and the encoder is known to code a still picture in
    next to nothing, the stretches of so few bytes; else everything. The sound was measured on `track`; here it must be the same, byte for byte.
    """
    found = Inspection()
    try:
        media = ffmpeg.probe(path, path.name)
    except AssetCorrupt as unreadable:
        found.fault("UnplayableHeader", unreadable.message)
        return found
    _streams(found, media, timeline, output)
    _faststart(found, path)
    if not found.findings:
        sizes, same = _packets(found, path, timeline, track, pieces)
        stretches = quiet_stretches(sizes, timeline, output) if skips_stills else [(0.0, timeline.duration_s)]
        _picture(found, path, timeline, output, files, stretches, pieces if same else ())
        _sound(found, track.measured, timeline)
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
    if media.video_codec != output.codec:
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


def _packets(found: Inspection, path: Path, timeline: Timeline, track: Track, pieces: Sequence[Glance | None]) -> tuple[dict[int, int], bool]:
    """Every frame present once, at its own time; the sound that of the measured track.

    Returns the bytes of each frame that isn't a key frame, and whether the picture is that of the pieces.
    """
    sizes, times, sound, same = {}, [], hashlib.sha256(), _Same(pieces)
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.stream.type == "audio":
                sound.update(bytes(packet))
                continue
            same.feed(bytes(packet))
            times.append(round(packet.pts * packet.time_base * timeline.fps))
            if not packet.is_keyframe:
                sizes[times[-1]] = packet.size
    found.measured["frames"] = len(times)
    if sorted(times) != list(range(timeline.frame_count)):
        found.fault("WrongFrameCount", f"The file has {len(times)} frames at {len(set(times))} times, planned were {timeline.frame_count}.")
    if sound.hexdigest() != audio_digest(track.path):
        found.fault("WrongSound", "The sound in the file is not the one that was mixed.")
    return sizes, same.whole()


class _Same:
    """Whether packets are those of the pieces, in their order."""

    def __init__(self, pieces: Sequence[Glance | None]) -> None:
        self._expected, self._digest, self._count, self._same = list(pieces), hashlib.sha256(), 0, bool(pieces)

    def feed(self, packet: bytes) -> None:
        piece = self._expected[0] if self._expected else None
        if piece is None:
            self._same = False
        if not self._same or piece is None:
            return
        self._digest.update(packet)
        self._count += 1
        if self._count == piece.packets:
            self._same = self._digest.hexdigest() == piece.digest
            self._expected, self._digest, self._count = self._expected[1:], hashlib.sha256(), 0

    def whole(self) -> bool:
        return self._same and not self._expected


def audio_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.pts is not None:
                digest.update(bytes(packet))
    return digest.hexdigest()


def quiet_stretches(sizes: dict[int, int], timeline: Timeline, output: Output) -> list[tuple[float, float]]:
    """Seconds in which so little was coded that the picture may stand still or be black; a picture that moves can't be coded in so few bytes."""
    most = QUIET_FRAMES * (FRAME_OVERHEAD_BYTES + output.width * output.height * QUIET_BITS_PER_PIXEL / 8)
    stretches: list[tuple[float, float]] = []
    frames = sorted(sizes)
    for index in range(max(1, len(frames) - QUIET_FRAMES + 1)):
        run = frames[index : index + QUIET_FRAMES]
        if sum(sizes[number] for number in run) > most:
            continue
        start, end = (run[0] / timeline.fps, (run[-1] + 1) / timeline.fps) if run else (0.0, timeline.duration_s)
        if stretches and stretches[-1][1] >= start - 0.01:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches


def _picture(
    found: Inspection,
    path: Path,
    timeline: Timeline,
    output: Output,
    files: dict[str, Path],
    stretches: list[tuple[float, float]],
    pieces: Sequence[Glance | None],
) -> None:
    """Black and still stretches; `stretches` are where to look when the key frames are too far apart to say."""
    black: list[tuple[float, float]] = []
    still: list[tuple[float, float]] = []
    try:
        keys = _keys(path, pieces)
        found.measured["key_frames"] = keys.count
        close = keys.stretches(timeline.duration_s)
        # A fault of a second holds such a stretch wholly, and may begin and end a second beside it.
        for start, end in _merged(stretches if close is None else close):
            seen = stillness.watched(path, max(0.0, start - 1.0), min(timeline.duration_s, end + 1.0))
            black += seen.black
            still += seen.still
    except av.error.FFmpegError as broken:
        found.fault("Undecodable", f"The file cannot be decoded to its end: {broken}")
        return
    found.measured |= {"black_s": round(sum(end - start for start, end in black), 3), "frozen_s": round(sum(end - start for start, end in still), 3)}
    for start, end in black:
        if not _by_source(timeline, files, start, end, "black"):
            found.fault("BlackPicture", f"The picture is black for {end - start:.1f} s from {start:.1f} s on.")
    for start, end in still:
        if not _still_by_plan(timeline, output, start, end) and not _by_source(timeline, files, start, end, "still"):
            found.fault("FrozenPicture", f"The picture stands still for {end - start:.1f} s from {start:.1f} s on.")


def _keys(path: Path, pieces: Sequence[Glance | None]) -> Keys:
    keys = Keys()
    for piece in pieces:
        assert piece is not None
        keys.follow(piece.keys)
    if not pieces:
        for at_s, picture in stillness.pictures(path, keys_only=True):
            keys.see(at_s, picture)
    return keys


def _merged(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those that would be looked at twice, since each is looked at with a second around it, made one."""
    merged: list[tuple[float, float]] = []
    for start, end in stretches:
        if merged and start - merged[-1][1] <= 2.0:
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _touched(timeline: Timeline, start: float, end: float) -> list[Scene]:
    return [scene for scene in timeline.scenes if scene.end_s > start + 0.05 and scene.start_s < end - 0.05]


def _still_by_plan(timeline: Timeline, output: Output, start: float, end: float) -> bool:
    """A picture without a camera move, or with one so slow that nobody can see it, is meant to stand still."""
    reach = max(output.width, output.height) / 2
    return all(_move(scene.visual) * reach < SLOWEST_MOVE * (scene.end_s - scene.start_s) for scene in _touched(timeline, start, end))


def _move(visual: Visual) -> float:
    """How far the picture's edge goes in the scene, as a share of its distance from the middle; a clip moves by itself."""
    if visual.kind == "clip":
        return math.inf
    if visual.generated:
        return backdrop.DRIFT
    return 0.0 if visual.motion == "none" else visual.amount


def _by_source(timeline: Timeline, files: dict[str, Path], start: float, end: float, what: str) -> bool:
    """A clip that is black or stands still in itself shows what it shows: a title, a presentation."""
    visuals = [scene.visual for scene in _touched(timeline, start, end)]
    return all(visual.kind == "clip" and visual.asset is not None and _has(files[visual.asset.uri], visual, what) for visual in visuals)


def _has(clip: Path, visual: Visual, what: str) -> bool:
    try:
        return bool(getattr(stillness.watched(clip, *visual.trim), what))
    except av.error.FFmpegError:
        # Damaged, though ffmpeg could play it: it explains nothing.
        return False


def _sound(found: Inspection, measured: Measured, timeline: Timeline) -> None:
    level = measured.loudness
    silent = [(start, timeline.duration_s if end is None else end) for start, end in measured.silences]
    found.measured |= {
        "loudness_lufs": level.integrated_lufs,
        "true_peak_dbtp": level.true_peak_dbtp,
        "silent_s": round(sum(end - start for start, end in silent), 3),
        "flat_share": round(measured.flat_share, 4),
    }
    if timeline.music is None and not any(scene.narration for scene in timeline.scenes):
        return
    if abs(level.integrated_lufs - timeline.integrated_lufs) > LOUDNESS_TOLERANCE_LU:
        found.fault("WrongLoudness", f"The sound has {level.integrated_lufs:.1f} LUFS, planned were {timeline.integrated_lufs:.1f}.")
    if level.true_peak_dbtp > timeline.true_peak_dbtp + PEAK_TOLERANCE_DB:
        found.fault("TruePeakTooHigh", f"The true peak is {level.true_peak_dbtp:.1f} dBTP, at most {timeline.true_peak_dbtp:.1f} was planned.")
    if measured.flat_share > FLATTEST:
        found.fault("ClippedSound", f"The sound is clipped: {measured.flat_share:.0%} of its loud moments have flat tops.")
    for start, end in silent:
        if _should_sound(timeline, start, end):
            found.fault("SilentSound", f"There is no sound for {end - start:.1f} s from {start:.1f} s on.")


def _should_sound(timeline: Timeline, start: float, end: float) -> bool:
    """With music everywhere; without it only inside a narration, where speakers pause for less than two seconds."""
    if timeline.music:
        return True
    spoken = [(scene.narration.start_s, scene.narration.start_s + scene.narration.duration_s) for scene in timeline.scenes if scene.narration]
    return any(min(end, last) - max(start, first) > 2 * stillness.LONGEST_S for first, last in spoken)


def _captions(found: Inspection, timeline: Timeline, files: list[Path], pages: int) -> None:
    found.measured["caption_pages"] = pages
    words = any(scene.narration and scene.narration.words for scene in timeline.scenes)
    if timeline.captions is None or not words:
        return
    if not pages or any(not path.exists() or path.stat().st_size < 20 for path in files):
        found.fault("MissingCaptions", "There are words, but no captions.")

"""Inspect a finished file before it is published.

Each fault is a finding with a name; one finding rejects the file.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
from av.container import InputContainer

from render import ffmpeg
from render.check import pictures, stillness
from render.errors import AssetCorrupt
from render.picture import backdrop
from render.picture.colour import Pixels
from render.plan.timeline import Output, Shot, Timeline, Visual
from render.sound.loudness import Measured
from render.sound.soundtrack import Track

DURATION_TOLERANCE_S = 0.1
LOUDNESS_TOLERANCE_LU = 1.0
# Two makers' meters differ by 0.1 dB.
PEAK_TOLERANCE_DB = 0.1
# Two pictures this far apart always lie inside a fault of one second.
APART_S = 0.5
# A decoded key frame and the picture that was drawn for it differ by less than this on average, in levels.
# Measured on photographs at 1080x1920, CRF 20 and 21: 0.14 to 0.2; a picture of another shot differs by 27. A
# piece that differs by more is not refused, but the finished file is decoded.
_CODING_ERROR = 1.5
# Key frames that are compared with what was drawn are so far apart.
KEYS_DECODED_S = 2.0
# Neither the eye nor `stillness` can tell a slower camera move (pixels per second at the picture's edge) from
# a still picture.
SLOWEST_MOVE = 3.0
# Frames in a row whose bytes are added up when a still picture is looked for by its bytes. Bytes of one frame
# in the container, beside those per pixel (`encoders.STILL_BITS`).
QUIET_FRAMES = 10
FRAME_OVERHEAD_BYTES = 40
# Decoded at each join: the key frame before it and so many frames after it.
_AFTER_JOIN_FRAMES = 6
# Less than half a frame at 60 fps.
_BEFORE_JOIN_S = 2e-3
# Share of loud moments with flat tops. Measured: 0 for speech and music however strongly limited, 0.37 and
# more after clipping.
MAX_FLAT_SHARE = 0.05


@dataclass
class Inspection:
    """The result: measured values for report.json, and findings ({name, message})."""

    measured: dict[str, Any] = field(default_factory=dict)
    findings: list[dict[str, Any]] = field(default_factory=list)

    def add_finding(self, name: str, message: str) -> None:
        self.findings.append({"name": name, "message": message})


class Samples:
    """Pictures of a video in order of time: key frames, or pictures as they were drawn.

    Neighbours are compared when they are added. Only the first, the last and the suspect intervals are kept.
    """

    def __init__(self) -> None:
        self.gap_s = 0.0
        self.suspects: list[tuple[float, float]] = []
        self.first: tuple[float, Pixels] | None = None
        self.last: tuple[float, Pixels] | None = None

    def add(self, at_s: float, picture: Pixels) -> None:
        """Add the next picture: its time in seconds, and the picture as `stillness.reduced` returns it."""
        if self.last is None:
            self.first = (at_s, picture)
        else:
            before_s, before = self.last
            self.gap_s = max(self.gap_s, at_s - before_s)
            if stillness.similar(before, picture) or stillness.is_dark(before):
                self.suspects.append((before_s, at_s))
        self.last = (at_s, picture)

    def append(self, later: "Samples") -> None:
        """Add the pictures of a later piece."""
        if later.first is not None:
            self.add(*later.first)
            self.suspects += later.suspects
            self.gap_s, self.last = max(self.gap_s, later.gap_s), later.last

    def stretches(self, duration_s: float) -> list[tuple[float, float]] | None:
        """Return the intervals (start, end) that may hold a fault.

        None if the pictures are too far apart to tell, or if there are none.
        """
        if (
            self.first is None
            or self.last is None
            or max(self.gap_s, self.first[0], duration_s - self.last[0]) > APART_S + 0.01
        ):
            return None
        return self.suspects


@dataclass(frozen=True)
class PieceInspection:
    """Hold what an inspection of one encoded piece found.

    The number of packets and their SHA-256 identify the piece in the finished file. `opening` is its first
    key frame as it was decoded, `shots` is what was seen of the shots that are in it.
    """

    packets: int
    digest: str
    samples: Samples
    opening: Pixels
    shots: pictures.SeenShots


# Pictures of a piece as they were drawn, APART_S apart, each with its time in the piece in seconds.
Drawn = Sequence[tuple[float, Pixels]]


def inspect_piece(
    path: Path,
    timeline: Timeline,
    output: Output,
    start_s: float,
    drawn: Drawn = (),
    keys_only: bool = True,
) -> PieceInspection | None:
    """Decode the key frames of a piece that starts at `start_s` in the video, and two pictures of each shot.

    With `drawn`, key frames must show what was drawn for them, and the drawn pictures tell where nothing
    moves; then key frames are decoded KEYS_DECODED_S apart. Otherwise all key frames tell that, or, without
    `keys_only`, all frames. Returns None if the piece cannot be decoded or shows something else; the
    inspection of the finished file then reports why.
    """
    seen, digest, count = Samples(), hashlib.sha256(), 0
    opening: Pixels | None = None
    expected = {round(at_s * 1000): picture for at_s, picture in drawn}
    try:
        apart_s = KEYS_DECODED_S if drawn else 0.0
        for at_s, picture in stillness.reduced_frames(
            path, keys_only=keys_only or bool(drawn), apart_s=apart_s, threads=1
        ):
            opening = picture if opening is None else opening
            if not drawn:
                seen.add(start_s + at_s, picture)
            elif not _shows(picture, expected.get(round(at_s * 1000))):
                return None
        with av.open(str(path)) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    digest.update(bytes(packet))
                    count += 1
        shots = pictures.look(path, timeline, output, start_s)
    except av.error.FFmpegError:
        return None
    for at_s, picture in drawn:
        seen.add(start_s + at_s, picture)
    return None if opening is None else PieceInspection(count, digest.hexdigest(), seen, opening, shots)


def _shows(decoded: Pixels, drawn: Pixels | None) -> bool:
    """Return True if a decoded picture is the drawn one, or if that is not known."""
    return drawn is None or float(cv2.absdiff(decoded, drawn).mean()) < _CODING_ERROR


def inspect(
    path: Path,
    timeline: Timeline,
    output: Output,
    track: Track,
    caption_files: list[Path],
    pages: int,
    files: dict[str, Path],
    still_bits: float | None = None,
    pieces: Sequence[PieceInspection | None] = (),
) -> Inspection:
    """Inspect a finished file: read every packet, decode every key frame, and decode other frames where a
    fault may be.

    That is: between two pictures at most APART_S apart that are similar or black (pictures as they were
    drawn, or key frames), and where the encoder repeats a picture, which takes almost no bytes. Where
    pictures are further apart, the stretches of very few bytes if the encoder codes a still picture in few
    bytes (`still_bits`, bits per pixel), else everything. If the file's packets are those of `pieces`, their
    key frames are not decoded again. The sound was measured on `track`; here its packets must be the same.
    """
    report = Inspection()
    try:
        media = ffmpeg.probe(path, path.name)
    except AssetCorrupt as unreadable:
        report.add_finding("UnplayableHeader", unreadable.message)
        return report
    _streams(report, media, timeline, output)
    _faststart(report, path)
    if not report.findings:
        sizes, same = _packets(report, path, timeline, track, pieces)
        try:
            suspects = _suspects(path, timeline, output, sizes, still_bits, pieces if same else ())
            _picture(report, path, timeline, output, files, suspects)
            shots = {
                number: seen for piece in pieces if same and piece for number, seen in piece.shots.items()
            }
            shots |= pictures.look(path, timeline, output, known=shots)
            report.measured["picture"] = pictures.measure(shots, timeline)
        except av.error.FFmpegError as broken:
            report.add_finding("Undecodable", f"The file cannot be decoded to its end: {broken}")
        if same:
            _check_joins(report, path, pieces)
        _sound(report, track.measured, timeline)
    _captions(report, timeline, caption_files, pages)
    return report


def _streams(report: Inspection, media: ffmpeg.Media, timeline: Timeline, output: Output) -> None:
    report.measured |= {
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
        report.add_finding(
            "WrongVideoCodec", f"The picture is {media.video_codec or 'missing'}, not {output.codec}."
        )
    if media.audio_codec != "aac":
        report.add_finding("WrongAudioCodec", f"The sound is {media.audio_codec or 'missing'}, not aac.")
    if (media.width, media.height) != (output.width, output.height):
        report.add_finding(
            "WrongAspect",
            f"The picture is {media.width}x{media.height}, not {output.width}x{output.height}.",
        )
    if media.duration_s is None or abs(media.duration_s - timeline.duration_s) > DURATION_TOLERANCE_S:
        report.add_finding(
            "WrongDuration", f"The file lasts {media.duration_s} s, not {timeline.duration_s:.3f} s."
        )
    if "bt709" not in media.video_tags:
        report.add_finding("WrongColour", f"The colour tags are {media.video_tags or 'missing'}, not BT.709.")


def _faststart(report: Inspection, path: Path) -> None:
    """Check that the index precedes the media data.

    Otherwise a player has to download the whole file first.
    """
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
    report.measured["atoms"] = order
    if "moov" not in order or "mdat" not in order or order.index("moov") > order.index("mdat"):
        report.add_finding("UnplayableHeader", "The file's index is not before its media data.")


def _packets(
    report: Inspection, path: Path, timeline: Timeline, track: Track, pieces: Sequence[PieceInspection | None]
) -> tuple[dict[int, int], bool]:
    """Check that every frame is present once at its time, and that the sound is that of the measured track.

    Returns the bytes of each frame that is no key frame, and True if the video packets are those of the
    pieces.
    """
    sizes, times, sound, same = dict[int, int](), list[int](), hashlib.sha256(), _PacketComparison(pieces)
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.stream.type == "audio":
                if packet.pts >= 0:  # as audio_digest reads the track
                    sound.update(bytes(packet))
                continue
            same.feed(bytes(packet))
            times.append(round(packet.pts * packet.time_base * timeline.fps))
            if not packet.is_keyframe:
                sizes[times[-1]] = packet.size
    report.measured |= {"frames": len(times), "key_frames": len(times) - len(sizes)}
    if sorted(times) != list(range(timeline.frame_count)):
        report.add_finding(
            "WrongFrameCount",
            f"The file has {len(times)} frames at {len(set(times))} times, not {timeline.frame_count}.",
        )
    if sound.hexdigest() != audio_digest(track.path):
        report.add_finding("WrongSound", "The sound in the file is not the one that was mixed.")
    return sizes, same.whole()


class _PacketComparison:
    """Compare a stream of packets with those of the pieces, in order."""

    def __init__(self, pieces: Sequence[PieceInspection | None]) -> None:
        self._expected, self._digest, self._count, self._same = (
            list(pieces),
            hashlib.sha256(),
            0,
            bool(pieces),
        )

    def feed(self, packet: bytes) -> None:
        """Add the next packet."""
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
        """Return True if all packets were those of the pieces, and none is missing."""
        return self._same and not self._expected


def audio_digest(path: Path) -> str:
    """Return the SHA-256 of the audio packets of a file, without the encoder's silence before time 0."""
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            if packet.pts is not None and packet.pts >= 0:
                digest.update(bytes(packet))
    return digest.hexdigest()


def quiet_stretches(
    sizes: dict[int, int], timeline: Timeline, output: Output, still_bits: float
) -> list[tuple[float, float]]:
    """Return intervals (start, end) in seconds with so few bytes that the picture may be still or black.

    A moving picture cannot be coded in so few bytes.
    """
    most = QUIET_FRAMES * (FRAME_OVERHEAD_BYTES + output.width * output.height * still_bits / 8)
    stretches: list[tuple[float, float]] = []
    frames = sorted(sizes)
    for index in range(max(1, len(frames) - QUIET_FRAMES + 1)):
        run = frames[index : index + QUIET_FRAMES]
        if sum(sizes[number] for number in run) > most:
            continue
        start, end = (
            (run[0] / timeline.fps, (run[-1] + 1) / timeline.fps) if run else (0.0, timeline.duration_s)
        )
        if stretches and stretches[-1][1] >= start - 0.01:
            stretches[-1] = (stretches[-1][0], end)
        else:
            stretches.append((start, end))
    return stretches


def _picture(
    report: Inspection,
    path: Path,
    timeline: Timeline,
    output: Output,
    files: dict[str, Path],
    suspects: list[tuple[float, float]],
) -> None:
    """Find black and still intervals. `suspects` is where to look, in order of time.

    Raises av.error.FFmpegError.
    """
    black: list[tuple[float, float]] = []
    still: list[tuple[float, float]] = []
    # A fault of one second contains the whole interval and may reach one second beyond it.
    for start, end in _merged(suspects):
        seen = stillness.monitor(path, max(0.0, start - 1.0), min(timeline.duration_s, end + 1.0))
        black += seen.black
        still += seen.still
    report.measured |= {
        "black_s": round(sum(end - start for start, end in black), 3),
        "frozen_s": round(sum(end - start for start, end in still), 3),
    }
    for start, end in black:
        if not _source_explains(timeline, files, start, end, "black"):
            report.add_finding("BlackPicture", f"The picture is black from {start:.1f} s to {end:.1f} s.")
    for start, end in still:
        if not _still_by_design(timeline, output, start, end) and not _source_explains(
            timeline, files, start, end, "still"
        ):
            report.add_finding(
                "FrozenPicture", f"The picture stands still from {start:.1f} s to {end:.1f} s."
            )


def _check_joins(report: Inspection, path: Path, pieces: Sequence[PieceInspection | None]) -> None:
    """Decode across every join, on two threads.

    The pieces were inspected with their own stream headers, but a player has the first piece's only.
    """
    joins = [
        (piece.samples.first[0], piece.opening)
        for piece in pieces[1:]
        if piece is not None and piece.samples.first is not None
    ]
    half = len(joins) // 2
    with ThreadPoolExecutor(2) as threads:
        for problems in threads.map(_problems_at, [path, path], [joins[:half], joins[half:]]):
            for at_s, problem in problems:
                report.add_finding("Undecodable", f"Pieces are joined wrongly at {at_s:.3f} s: {problem}.")


def _problems_at(path: Path, joins: list[tuple[float, Pixels]]) -> list[tuple[float, str]]:
    """Return the joins (time in seconds, first picture after it) that a player can't cross, and why."""
    found = []
    with ffmpeg.open_media(path) as container:
        context = container.streams.video[0].codec_context
        context.thread_count = 1
        context.options = {"err_detect": "explode", "skip_loop_filter": "all"}
        for at_s, expected in joins:
            try:
                if not _decodes_across(container, at_s, expected):
                    found.append((at_s, "the picture is not that of its piece"))
            except av.error.FFmpegError as broken:
                found.append((at_s, str(broken)))
    return found


def _decodes_across(container: InputContainer, at_s: float, expected: Pixels) -> bool:
    """Decode the key frame before a join, then the first frames after it, with one decoder.

    Returns True if all are decoded and the first one shows `expected`. Raises av.error.FFmpegError.
    """
    context = container.streams.video[0].codec_context
    container.seek(int((at_s - _BEFORE_JOIN_S) * 1_000_000))
    packets = list(_around_join(container, at_s))
    decoded = [frame for packet in packets for frame in context.decode(packet)] + context.decode(None)
    shown = [frame for frame in decoded if abs(float(frame.time or 0.0) - at_s) < _BEFORE_JOIN_S]
    return (
        len(decoded) == len(packets)
        and len(shown) == 1
        and stillness.similar(stillness.reduced(shown[0]), expected)
    )


def _around_join(container: InputContainer, at_s: float) -> Iterator["av.Packet[Any]"]:
    """Yield the last key frame before the join, and the first packets after it."""
    after = 0
    for packet in container.demux(video=0):
        if packet.pts is None or packet.time_base is None:
            continue
        after += after > 0 or float(packet.pts * packet.time_base) > at_s - _BEFORE_JOIN_S
        if packet.is_keyframe or after:
            yield packet
        if after == _AFTER_JOIN_FRAMES:
            return


def _suspects(
    path: Path,
    timeline: Timeline,
    output: Output,
    sizes: dict[int, int],
    still_bits: float | None,
    pieces: Sequence[PieceInspection | None],
) -> list[tuple[float, float]]:
    """Return the intervals that may be still or black, in order of time. Raises av.error.FFmpegError."""
    found = _samples(path, pieces).stretches(timeline.duration_s)
    if found is not None:
        return sorted(found + quiet_stretches(sizes, timeline, output, 0.0))
    if still_bits is not None:
        return quiet_stretches(sizes, timeline, output, still_bits)
    return [(0.0, timeline.duration_s)]


def _samples(path: Path, pieces: Sequence[PieceInspection | None]) -> Samples:
    """Return the pictures of the pieces, or, without pieces, the key frames of the file."""
    samples = Samples()
    for piece in pieces:
        assert piece is not None
        samples.append(piece.samples)
    if not pieces:
        for at_s, picture in stillness.reduced_frames(path, keys_only=True):
            samples.add(at_s, picture)
    return samples


def _merged(stretches: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Merge intervals that would be decoded twice, because each is decoded with one second around it."""
    merged: list[tuple[float, float]] = []
    for start, end in stretches:
        if merged and start - merged[-1][1] <= 2.0:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _shots_between(timeline: Timeline, start: float, end: float) -> list[Shot]:
    return [shot for shot in timeline.shots if shot.end_s > start + 0.05 and shot.start_s < end - 0.05]


def _still_by_design(timeline: Timeline, output: Output, start: float, end: float) -> bool:
    """Return True if no shot in the interval moves visibly: no camera move, or one too slow to see."""
    reach = max(output.width, output.height) / 2
    return all(
        _move(shot.visual) * reach < SLOWEST_MOVE * (shot.end_s - shot.start_s)
        for shot in _shots_between(timeline, start, end)
    )


def _move(visual: Visual) -> float:
    """Return how far the picture's edge moves in the shot, as a share of its distance from the centre.

    A clip moves by itself (infinite).
    """
    if visual.kind == "clip":
        return math.inf
    if visual.generated:
        return backdrop.DRIFT
    return 0.0 if visual.motion == "none" else visual.amount


def _source_explains(timeline: Timeline, files: dict[str, Path], start: float, end: float, what: str) -> bool:
    """Return True if the interval shows only clips that are black or still themselves, such as a title or
    slides.
    """
    visuals = [shot.visual for shot in _shots_between(timeline, start, end)]
    return all(
        visual.kind == "clip"
        and visual.asset is not None
        and _source_is(files[visual.asset.uri], visual, what)
        for visual in visuals
    )


def _source_is(clip: Path, visual: Visual, what: str) -> bool:
    try:
        return bool(getattr(stillness.monitor(clip, *visual.trim), what))
    except av.error.FFmpegError:
        # It is damaged although ffmpeg could play it, so it does not explain the fault.
        return False


def _sound(report: Inspection, measured: Measured, timeline: Timeline) -> None:
    level = measured.loudness
    silent = [(start, timeline.duration_s if end is None else end) for start, end in measured.silences]
    report.measured |= {
        "loudness_lufs": level.integrated_lufs,
        "true_peak_dbtp": level.true_peak_dbtp,
        "silent_s": round(sum(end - start for start, end in silent), 3),
        "flat_share": round(measured.flat_share, 4),
    }
    if timeline.music is None and not any(scene.narration for scene in timeline.scenes):
        return
    if abs(level.integrated_lufs - timeline.integrated_lufs) > LOUDNESS_TOLERANCE_LU:
        report.add_finding(
            "WrongLoudness",
            f"The sound has {level.integrated_lufs:.1f} LUFS, not {timeline.integrated_lufs:.1f}.",
        )
    if level.true_peak_dbtp > timeline.true_peak_dbtp + PEAK_TOLERANCE_DB:
        report.add_finding(
            "TruePeakTooHigh",
            f"The true peak is {level.true_peak_dbtp:.1f} dBTP, more than {timeline.true_peak_dbtp:.1f}.",
        )
    if measured.flat_share > MAX_FLAT_SHARE:
        report.add_finding(
            "ClippedSound",
            f"The sound is clipped: {measured.flat_share:.0%} of its loud moments have flat tops.",
        )
    for start, end in silent:
        if _must_have_sound(timeline, start, end):
            report.add_finding("SilentSound", f"There is no sound from {start:.1f} s to {end:.1f} s.")


def _must_have_sound(timeline: Timeline, start: float, end: float) -> bool:
    """Return True if silence in the interval is a fault: always with music; without it only inside a
    narration, where speakers pause for less than two seconds.
    """
    if timeline.music:
        return True
    spoken = [
        (scene.narration.start_s, scene.narration.start_s + scene.narration.duration_s)
        for scene in timeline.scenes
        if scene.narration
    ]
    return any(min(end, last) - max(start, first) > 2 * stillness.LONGEST_S for first, last in spoken)


def _captions(report: Inspection, timeline: Timeline, files: list[Path], pages: int) -> None:
    report.measured["caption_pages"] = pages
    words = any(scene.narration and scene.narration.words for scene in timeline.scenes)
    if timeline.captions is None or not words:
        return
    if not pages or any(not path.exists() or path.stat().st_size < 20 for path in files):
        report.add_finding("MissingCaptions", "There are words, but no captions.")

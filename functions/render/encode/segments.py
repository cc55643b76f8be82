"""Split the video into pieces, encode them in one process per core, keep them as checkpoints, and join them
by copying packets.
"""

import ctypes
import gc
import hashlib
import heapq
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import Any

import av
import av.error
import av.logging
import cv2

from render import errors, memory
from render.check import gate
from render.encode.encoders import Encoder, open_stream, options
from render.errors import HostFailure, RenderError
from render.picture.compose import Composer
from render.picture.compositor import Compositor
from render.plan.spans import spans
from render.plan.timeline import Output, Timeline
from render.storage import Destination

# Long enough that starting an encoder and its extra key frame cost little; short enough that a reclaimed host
# loses little.
LONGEST_S = 8.0
# A piece ends with a scene that ends within this share of the piece's length of its planned end, so that a
# scene's picture is prepared once.
SNAP = 0.5
# Near the end of the video each piece takes a third of the rest, so that all cores finish together. Starting
# a shorter piece than this would cost more than it saves.
SHORTEST_S = 1.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Segment:
    """One piece: frames [first, last) of an output, and its name at the destination.

    `photographs`: it shows photographs only.
    """

    output: Output
    index: int
    first: int
    last: int
    photographs: bool
    name: str


def cuts(timeline: Timeline) -> list[tuple[int, int]]:
    """Return the frame ranges of the pieces.

    They depend on the timeline only, so a resumed render on another machine finds the same pieces.
    """
    scenes = spans(timeline)
    clips = [
        (span.first, span.last)
        for span, scene in zip(scenes, timeline.scenes, strict=True)
        if scene.visual.kind == "clip"
    ]
    ranges: list[tuple[int, int]] = []
    start = 0
    while start < timeline.frame_count:
        end = _next_cut(start, timeline.frame_count, timeline.fps, [span.start for span in scenes], clips)
        ranges.append((start, end))
        start = end
    return ranges


def _next_cut(start: int, total: int, fps: int, scenes: list[int], clips: list[tuple[int, int]]) -> int:
    length = round(max(SHORTEST_S, min(LONGEST_S, (total - start) / fps / 3)) * fps)
    end = start + length
    end = min(
        (first for first in scenes if abs(first - end) <= SNAP * length),
        key=lambda first: abs(first - end),
        default=end,
    )
    if total - end < fps * SHORTEST_S / 2:
        end = total
    for first, last in clips:
        if first < end < last:
            # A clip is decoded from its start, so it is only cut if it is very long.
            end = last if last - start <= 4 * LONGEST_S * fps else end
    return min(total, end)


def plan(
    timeline: Timeline, output: Output, encoder: Encoder, drawn_by: Compositor, assets: dict[str, str]
) -> list[Segment]:
    """Return the pieces of an output.

    Their names contain a hash of everything that their picture depends on.
    """
    means = [options(encoder, timeline.fps), drawn_by.name]
    identity = json.dumps(
        [program_digest(), asdict(timeline), asdict(output), means, assets], sort_keys=True, default=str
    )
    key = hashlib.sha256(identity.encode()).hexdigest()[:20]
    others = [
        span
        for span, scene in zip(spans(timeline), timeline.scenes, strict=True)
        if scene.visual.kind != "image"
    ]
    return [
        Segment(
            output,
            index,
            first,
            last,
            not any(span.first < last and first < span.last for span in others),
            f"segments/{output.name}/{key}-{index:04d}.mp4",
        )
        for index, (first, last) in enumerate(cuts(timeline))
    ]


@cache
def program_digest() -> str:
    """Return the SHA-256 of this program's files, so that checkpoints of another version are not used."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*")):
        if path.suffix in (".py", ".json", ".ttf"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def encode(
    segment: Segment, composer: Composer, encoder: Encoder, target: Path, on_frames: Callable[[int], None]
) -> None:
    """Draw and encode a piece in this process, without a pipe. The file gets its name when it is complete."""
    part = target.with_name(target.name + ".part")
    fps = composer.timeline.fps
    # A time base of 1 / (512 * fps) is exact for every frame and the same in all pieces, so packets can be
    # copied.
    with av.open(
        str(part), "w", format="mp4", options={"video_track_timescale": str(fps * 512)}
    ) as container:
        stream = open_stream(
            container, encoder, segment.output.width, segment.output.height, fps, segment.photographs
        )
        for number in range(segment.first, segment.last):
            picture = av.VideoFrame.from_dlpack(composer.draw(number).planes, format="nv12")
            picture.pts, picture.time_base = number - segment.first, Fraction(1, fps)
            container.mux(stream.encode(picture))
            on_frames(1)
        container.mux(stream.encode())
    del stream, container
    # Free the encoder's memory before the next one is opened.
    memory.release()
    part.replace(target)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass(frozen=True)
class Work:
    """What all pieces of a render share.

    `encoders` and `compositors` are by output name; `folder` holds intermediate files.
    """

    timeline: Timeline
    files: dict[str, Path]
    encoders: dict[str, Encoder]
    compositors: dict[str, Compositor]
    folder: Path
    destination: Destination


def _worker(work: Work, segments: list[Segment], following: Any, results: Any) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.ERROR)
    composer: Composer | None = None
    try:
        for segment in _next_segments(segments, following):
            encoder = work.encoders[segment.output.name]
            if composer is None or composer.output != segment.output:
                composer = Composer(
                    work.timeline,
                    segment.output,
                    work.files,
                    encoder.on_gpu,
                    work.compositors[segment.output.name].on_device,
                )
            counter = _FrameCounter(results)
            path = local(work.folder, segment)
            encode(segment, composer, encoder, path, counter)
            counter.flush()
            work.destination.publish(path, segment.name)
            results.put(("segment", (segment.name, inspected(work.folder, segment, composer.timeline.fps))))
        results.put(("end", None))
    except BaseException as failure:  # noqa: BLE001 - the parent raises it again
        results.put(("failed", error_document(failure)))


def _next_segments(segments: list[Segment], following: Any) -> Iterator[Segment]:
    """Take the next free piece, in order, until none is left.

    `following` is a counter shared by all workers.
    """
    while True:
        with following.get_lock():
            index = following.value
            following.value += 1
        if index >= len(segments):
            return
        yield segments[index]


class _FrameCounter:
    """Reports encoded frames to the parent about three times a second."""

    def __init__(self, results: Any) -> None:
        self.results, self.count, self.sent_at = results, 0, time.monotonic()

    def __call__(self, frames: int) -> None:
        self.count += frames
        if time.monotonic() - self.sent_at > 0.3:
            self.flush()

    def flush(self) -> None:
        """Report the frames counted so far."""
        if self.count:
            self.results.put(("frames", self.count))
        self.count, self.sent_at = 0, time.monotonic()


def inspected(folder: Path, segment: Segment, fps: int) -> gate.PieceInspection | None:
    """Inspect an encoded piece (see `gate.inspect_piece`)."""
    return gate.inspect_piece(local(folder, segment), segment.first / fps)


def local(folder: Path, segment: Segment) -> Path:
    """Return the local path of a piece and create its folder."""
    path = folder / segment.name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def error_document(failure: BaseException) -> dict[str, Any]:
    """Describe an exception for the parent process, which raises it again by its class name."""
    if isinstance(failure, RenderError):
        return {"class": type(failure).__name__, "message": failure.message, "asset": failure.asset}
    if isinstance(failure, OSError) and failure.errno == 28:
        return {"class": "DiskFull", "message": "The disk is full.", "asset": None}
    import traceback

    return {
        "class": "HostFailure",
        "message": "".join(traceback.format_exception_only(failure)).strip(),
        "asset": None,
        "trace": traceback.format_exc(),
    }


class Pool:
    """The worker processes of one render.

    They are forked, so create the pool before any thread is started.
    """

    def __init__(self, work: Work, segments: list[Segment], workers: int) -> None:
        context = multiprocessing.get_context("fork")
        self.work, self.segments = work, segments
        # A shared counter, because a pipe's capacity would limit the length of a video.
        following, self.results = context.Value("i", 0), context.Queue()
        missing = [segment for segment in segments if not self._resumed(segment)]
        self.resumed = len(segments) - len(missing)
        self.frames_before = sum(segment.last - segment.first for segment in segments) - sum(
            segment.last - segment.first for segment in missing
        )
        self.open = {segment.name for segment in missing}
        count = max(1, min(workers, len(missing)))
        self.processes: list[BaseProcess] = [
            context.Process(target=_worker, args=(work, missing, following, self.results), daemon=False)
            for _ in range(count if missing else 0)
        ]
        # These objects stay alive: garbage collection in the workers need not visit them, which would also
        # copy their pages.
        gc.freeze()
        for process in self.processes:
            process.start()

    def _resumed(self, segment: Segment) -> bool:
        path = local(self.work.folder, segment)
        return path.exists() or self.work.destination.fetch(segment.name, path)

    def wait(self, on_frames: Callable[[int], None]) -> dict[str, gate.PieceInspection | None]:
        """Wait until every piece is stored, and return what was seen in each by name.

        Raises a worker's error, or HostFailure if a worker was killed.
        """
        resumed = [segment for segment in self.segments if segment.name not in self.open]
        try:
            seen = {
                segment.name: inspected(self.work.folder, segment, self.work.timeline.fps)
                for segment in resumed
            }
            while self.open:
                self._take(on_frames, seen)
        finally:
            self.stop()
        return seen

    def _take(self, on_frames: Callable[[int], None], seen: dict[str, gate.PieceInspection | None]) -> None:
        try:
            kind, value = self.results.get(timeout=1.0)
        except Empty:
            dead = [process for process in self.processes if process.exitcode not in (None, 0)]
            if dead:
                raise HostFailure(
                    f"A drawing process was killed (exit code {dead[0].exitcode}); "
                    "most often because memory ran out."
                ) from None
            return
        if kind == "frames":
            on_frames(value)
        elif kind == "segment":
            name, seen[name] = value
            self.open.discard(name)
        elif kind == "failed":
            if "trace" in value:
                print(value["trace"], file=sys.stderr, flush=True)
            raise getattr(errors, value["class"])(value["message"], asset=value["asset"])

    def stop(self) -> None:
        """End the workers."""
        for process in self.processes:
            if self.open and process.is_alive():
                process.terminate()
            process.join(timeout=10)


def join(segments: list[Segment], folder: Path, sound: Path, fps: int, target: Path) -> None:
    """Join the pieces and the sound to one file with the index in front, by copying packets.

    Raises OSError of the disk, HostFailure if a piece is damaged.
    """
    try:
        _joined(segments, folder, sound, fps, target)
    except av.error.FFmpegError as failure:
        if isinstance(failure, OSError):
            raise
        raise HostFailure(
            f"The finished pieces cannot be joined: {failure}. "
            "If it happens again, delete segments/ at the destination."
        ) from failure


def _joined(segments: list[Segment], folder: Path, sound: Path, fps: int, target: Path) -> None:
    options = {"movflags": "+faststart", "video_track_timescale": str(fps * 512)}
    with (
        av.open(str(local(folder, segments[0]))) as first,
        av.open(str(sound)) as track,
        av.open(str(target), "w", format="mp4", options=options) as joined,
    ):
        picture, tone = (
            joined.add_stream_from_template(source.streams[0], opaque=True) for source in (first, track)
        )
        packets = (_pictures(segments, folder, fps), (packet for packet in track.demux() if packet.size))
        for packet in heapq.merge(*packets, key=_coded_at):
            packet.stream = picture if packet.stream.type == "video" else tone
            joined.mux(packet)


def _pictures(segments: list[Segment], folder: Path, fps: int) -> Iterator["av.Packet[Any]"]:
    for segment in segments:
        with av.open(str(local(folder, segment))) as piece:
            for packet in piece.demux():
                if packet.size and packet.dts is not None and packet.pts is not None:
                    begins = round(segment.first / fps / packet.time_base)
                    packet.dts, packet.pts = packet.dts + begins, packet.pts + begins
                    yield packet


def _coded_at(packet: "av.Packet[Any]") -> float:
    return (packet.dts or 0) * float(packet.time_base)


def workers() -> int:
    """Return the number of worker processes: RENDER_WORKERS, or the cores that this process may use."""
    return int(os.environ.get("RENDER_WORKERS") or os.process_cpu_count() or 1)

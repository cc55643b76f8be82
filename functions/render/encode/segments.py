"""Name the pieces of a video, encode one, and join them by copying packets."""

import ctypes
import gc
import hashlib
import heapq
import io
import json
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from render import memory
from render.check import gate, stillness
from render.encode.encoders import (
    KEYS_APART_S,
    Encoder,
    group_length,
    headers_of,
    keeps_quantizer,
    open_stream,
    options,
)
from render.encode.quantizers import Quantizers
from render.errors import HostFailure
from render.picture.colour import Pixels
from render.picture.compose import Composer
from render.picture.compositor import Compositor
from render.picture.layout import filled
from render.plan.cuts import cuts
from render.plan.spans import spans
from render.plan.timeline import Output, Timeline, Visual
from render.text.pages import Page, paginate

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Segment:
    """One piece: frames [first, last) of an output, and its name at the destination.

    `shows` is "photographs" if it shows nothing else, "clips" if one of its shots is a clip, else empty.
    """

    output: Output
    index: int
    first: int
    last: int
    shows: str
    name: str


def plan(
    timeline: Timeline, output: Output, encoder: Encoder, compositor: Compositor, assets: dict[str, str]
) -> list[Segment]:
    """Return the pieces of an output.

    Their names contain a hash of everything that their bytes depend on: this program, the timeline except the
    visuals of shots that they do not show, the files that they draw, the encoder's options and headers, the
    card and its driver. So a render with one other shot draws only that shot's piece again, and one that
    resumes on another card does not use pieces that cannot be joined with its own.
    """
    means = [options(encoder, timeline.fps), compositor.name, encoder.device, encoder.headers, av.__version__]
    common = [program_digest(), _without_visuals(timeline), asdict(output), means]
    shots, covered, pages = timeline.shots, spans(timeline), paginate(timeline, output)
    pieces = []
    for index, (first, last) in enumerate(cuts(timeline)):
        shown = [
            (number, shot.visual)
            for number, (span, shot) in enumerate(zip(covered, shots, strict=True))
            if span.first < last and first < span.last
        ]
        drawn = [timeline.logo, *(visual.asset for _, visual in shown)]
        files = sorted({asset.uri for asset in drawn if asset})
        identity = [
            common,
            [(number, asdict(replace(visual, replaceable=False))) for number, visual in shown],
            _filled_behind(timeline, pages, first / timeline.fps, last / timeline.fps),
            [(uri, assets.get(uri)) for uri in files],
        ]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()[:20]
        kinds = {visual.kind for _, visual in shown}
        shows = "clips" if "clip" in kinds else "photographs" if kinds == {"image"} else ""
        name = f"segments/{output.name}/{key}-{index:04d}.mp4"
        pieces.append(Segment(output, index, first, last, shows, name))
    return pieces


def _without_visuals(timeline: Timeline) -> dict[str, Any]:
    nothing = Visual("generated")
    scenes = tuple(
        replace(scene, shots=tuple(replace(shot, visual=nothing) for shot in scene.shots))
        for scene in timeline.scenes
    )
    return asdict(replace(timeline, scenes=scenes))


def _filled_behind(
    timeline: Timeline, pages: tuple[Page, ...], start_s: float, end_s: float
) -> list[tuple[float, float, str]]:
    """Return what fills the picture behind the captions of an interval: their place depends on it."""
    shown = [page for page in pages if page.start_s < end_s and start_s < page.end_s]
    return [
        (first, last, text)
        for first, last, text in filled(timeline)
        if any(first < page.end_s and page.start_s < last for page in shown)
    ]


@cache
def program_digest() -> str:
    """Return the SHA-256 of this program's files, so that checkpoints of another version are not used."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*")):
        if path.suffix in (".py", ".json", ".ttf"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


class Session:
    """Encodes pieces of one output, one after another, in this process and without a pipe.

    On a GPU the encoder stays open: a CUDA context and an NVENC session take about 200 ms to open, and a
    minute has ten pieces. Each piece starts with a key frame of its own, and a piece is finished when the
    first packet of the next one arrives. On the CPU each piece gets an encoder of its own, so that its bytes
    do not depend on which pieces the process encoded before, and the old one's memory is freed.
    """

    def __init__(self, encoder: Encoder, output: Output, fps: int, keep_open: bool | None = None) -> None:
        self.encoder, self.output, self.fps = encoder, output, fps
        self.keep_open = encoder.on_gpu if keep_open is None else keep_open
        self._sink: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._count = 0
        self._files: deque[_PieceFile] = deque()
        # By the pieces' names, until the caller takes them for their inspection.
        self.drawn: dict[str, list[tuple[float, Pixels]]] = {}

    def encode(
        self, segment: Segment, composer: Composer, target: Path, on_frames: Callable[[int], None]
    ) -> Iterator[Segment]:
        """Draw and encode a piece. Yields the pieces whose files were finished meanwhile."""
        stream = self._open(segment)
        quantizers = self._quantizers(composer)
        self._files.append(_PieceFile(segment, stream, target, self._count, self.fps))
        drawn = self.drawn[segment.name] = []
        for number in range(segment.first, segment.last):
            if quantizers and number > segment.first and (number - segment.first) % quantizers.length == 0:
                before = quantizers.current
                if quantizers.next_group(number) != before:
                    yield from self._close_encoder()
                    # A cycle holds the encoder. The next one needs its memory at once.
                    gc.collect()
                    stream = self._open(segment, quantizers.current)
            picture = av.VideoFrame.from_dlpack(composer.draw(number).planes, format="nv12")
            # Counted from the session's start: an encoder expects times without gaps.
            picture.pts, picture.time_base = self._count, Fraction(1, self.fps)
            if number == segment.first:
                picture.pict_type = PictureType.I
            # At each planned key frame, and between them.
            if (number - segment.first) % (KEYS_APART_S * self.fps) % int(gate.APART_S * self.fps) == 0:
                drawn.append(((number - segment.first) / self.fps, stillness.reduced(picture)))
            self._count += 1
            packets = stream.encode(picture)
            if quantizers:
                quantizers.feed(packets)
            yield from self._write(packets)
            on_frames(1)
        if not self.keep_open:
            yield from self.finish()

    def finish(self) -> Iterator[Segment]:
        """Take the last packets out of the encoder and close it. Yields the pieces that this finishes."""
        yield from self._close_encoder()
        while self._files:
            yield self._files.popleft().close()
        # Before the next encoder is opened.
        memory.release()

    def _close_encoder(self) -> Iterator[Segment]:
        if self._stream is not None and self._sink is not None:
            yield from self._write(self._stream.encode())
            self._sink.close()
        self._sink = self._stream = None

    def _quantizers(self, composer: Composer) -> Quantizers | None:
        if self.keep_open or not keeps_quantizer(self.encoder):
            return None
        changes = {frame for span in composer.spans for frame in (span.first, span.last)}
        return Quantizers(group_length(self.encoder, self.fps), changes)

    def _write(self, packets: list["av.Packet[Any]"]) -> Iterator[Segment]:
        for packet in packets:
            while len(self._files) > 1 and self._files[1].owns(packet):
                yield self._files.popleft().close()
            self._files[0].write(packet)

    def _open(self, segment: Segment, quantizer: int | None = None) -> VideoStream:
        if self._stream is None:
            # The encoder belongs to a container in memory, because it outlives the pieces' files.
            self._sink = av.open(io.BytesIO(), "w", format="mp4")
            size = (segment.output.width, segment.output.height)
            self._stream = open_stream(self._sink, self.encoder, *size, self.fps, segment.shows, quantizer)
            self._sink.start_encoding()
        return self._stream


class _PieceFile:
    """The file of a piece. It gets its name when it is complete.

    `start` is its first frame in the session.
    """

    def __init__(self, segment: Segment, stream: VideoStream, target: Path, start: int, fps: int) -> None:
        self.segment, self.target, self.start, self.fps = segment, target, start, fps
        self.part = target.with_name(target.name + ".part")
        # A time base of 1 / (512 * fps) is exact for every frame and the same in all pieces, so packets can
        # be copied.
        scale = {"video_track_timescale": str(fps * 512)}
        self._container = av.open(str(self.part), "w", format="mp4", options=scale)
        self._copy = self._container.add_stream_from_template(stream, opaque=True)

    def owns(self, packet: "av.Packet[Any]") -> bool:
        """Return True if the packet is of this piece or a later one.

        B-frames never cross a piece's key frame.
        """
        return packet.pts is not None and packet.pts >= self._starts_at(packet)

    def write(self, packet: "av.Packet[Any]") -> None:
        """Add a packet, with times from the piece's start."""
        if packet.pts is not None and packet.dts is not None:
            start = self._starts_at(packet)
            packet.pts, packet.dts = packet.pts - start, packet.dts - start
        packet.stream = self._copy
        self._container.mux(packet)

    def close(self) -> Segment:
        """Finish the file and return its piece."""
        self._container.close()
        self.part.replace(self.target)
        return self.segment

    def _starts_at(self, packet: "av.Packet[Any]") -> int:
        return round(self.start / self.fps / packet.time_base)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def local(folder: Path, segment: Segment) -> Path:
    """Return the local path of a piece and create its folder."""
    path = folder / segment.name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def is_usable(path: Path, encoder: Encoder) -> bool:
    """Return True if a piece of an earlier run can be joined with this encoder's. Deletes it otherwise."""
    try:
        usable = not encoder.headers or headers_of(path) == encoder.headers
    except av.error.FFmpegError:
        usable = False
    if not usable:
        path.unlink(missing_ok=True)
    return usable


def join(segments: list[Segment], folder: Path, sound: Path, fps: int, target: Path) -> None:
    """Join the pieces and the sound to one file with the index in front, by copying packets.

    Raises OSError of the disk, HostFailure if a piece is damaged or has other stream headers than the first.
    """
    try:
        _check_headers(segments, folder)
        _joined(segments, folder, sound, fps, target)
    except av.error.FFmpegError as failure:
        if isinstance(failure, OSError):
            raise
        raise HostFailure(
            f"The finished pieces cannot be joined: {failure}. "
            "If it happens again, delete segments/ at the destination."
        ) from failure


def _check_headers(segments: list[Segment], folder: Path) -> None:
    """The file has the first piece's headers only; a player decodes all pieces with them."""
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(headers_of, [local(folder, segment) for segment in segments]))
    for segment, headers in zip(segments, found, strict=True):
        if headers != found[0]:
            raise HostFailure(
                f"The finished pieces cannot be joined: piece {segment.index} has other stream headers than "
                "the first one. Delete segments/ at the destination and retry."
            )


def _joined(segments: list[Segment], folder: Path, sound: Path, fps: int, target: Path) -> None:
    # YouTube warns of edit lists, and some players ignore them: the first picture gets the time 0 by negative
    # composition offsets, and the packet of silence with which the sound's encoder begins is left out.
    options = {
        "movflags": "+faststart+negative_cts_offsets",
        "use_editlist": "0",
        "video_track_timescale": str(fps * 512),
    }
    with (
        av.open(str(local(folder, segments[0]))) as first,
        av.open(str(sound)) as track,
        av.open(str(target), "w", format="mp4", options=options) as joined,
    ):
        picture, tone = (
            joined.add_stream_from_template(source.streams[0], opaque=True) for source in (first, track)
        )
        packets = (_pictures(segments, folder, fps), _sounds(track))
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


def _sounds(track: "av.container.InputContainer") -> Iterator["av.Packet[Any]"]:
    return (packet for packet in track.demux() if packet.size and (packet.pts or 0) >= 0)


def _coded_at(packet: "av.Packet[Any]") -> float:
    return (packet.dts or 0) * float(packet.time_base)

"""Decode source clips to frames of the video's size and rate, and repeat clips that are too short.

A clip keeps its speed, and its sound is never used.
"""

import fcntl
import itertools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np

from render import ffmpeg
from render.errors import AssetCorrupt
from render.picture import stills
from render.picture.colour import Pixels
from render.picture.planes import Frame
from render.plan.timeline import Framing, Take, Visual

# Length in frames of the cross-fade when a clip is repeated. Nine frames at 1080x1920 take 28 MB.
SEAM = 9
_FULL_HD = 1920 * 1080
_UNCHANGED = Take().grade
_BT709 = "out_color_matrix=bt709:out_range=tv:flags=bicubic"
# Makes pixels square. Nonsense is ignored, as `ffmpeg.probe` ignores it.
_SQUARE = "scale=w='if(between(sar,0.1,10),max(2,round(iw*sar/2)*2),iw)':h=ih:flags=bicubic,setsar=1,"
# The most that a process without rights may ask for. With the usual 64 KB a picture takes dozens of turns
# between the two processes.
_PIPE_BYTES = 1 << 20
# Behind a picture that does not fill the frame: a small copy of it, darker by so many levels and blurred.
_BACK_SHARE, _BACK_DARKER, _BACK_SIGMA = 8, 21, 6.0


@dataclass(frozen=True)
class _Filling:
    """How a frame is filled: `filters` bring a decoded picture to `decoded` (width, height), OpenCV the rest.

    What has to be enlarged is enlarged here: in ffmpeg's queues and in the pipe wait several pictures, and
    OpenCV takes half the time.
    """

    filters: str
    decoded: tuple[int, int]
    frame: tuple[int, int]

    def fill(self, picture: Frame, at_s: float, /) -> Frame:
        """Return the frame for a decoded picture. `at_s` is its time in seconds from the clip's start."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Cropped(_Filling):
    """A window of the picture, enlarged to `scaled` (width, height), that follows a path.

    `path` holds (second, x, y) of the window's corner in the enlarged picture.
    """

    scaled: tuple[int, int]
    path: tuple[tuple[float, float, float], ...]

    def fill(self, picture: Frame, at_s: float, /) -> Frame:
        picture = _resized(picture, self.scaled, cv2.INTER_CUBIC)
        if self.scaled == self.frame:
            return picture
        x, y = (int(corner) & ~1 for corner in _along(self.path, at_s))
        return picture.window(x, y, *self.frame)


@dataclass(frozen=True)
class _Whole(_Filling):
    """The whole picture in the middle of the frame, before a blurred copy of itself."""

    scaled: tuple[int, int]

    def fill(self, picture: Frame, _at_s: float, /) -> Frame:
        width, height = self.frame
        front = _resized(picture, self.scaled, cv2.INTER_CUBIC)
        small = (max(2, width // _BACK_SHARE & ~1), max(2, height // _BACK_SHARE & ~1))
        covering = max(small[0] / front.width, small[1] / front.height)
        reduced = _resized(
            front,
            (_even(front.width * covering), _even(front.height * covering)),
            cv2.INTER_AREA,
        )
        left, top = ((reduced.width - small[0]) // 4 * 2, (reduced.height - small[1]) // 4 * 2)
        back = reduced.window(left, top, *small)
        luma, chroma = (cv2.GaussianBlur(plane, (0, 0), _BACK_SIGMA) for plane in back.planes)
        back = Frame(cv2.subtract(luma, np.array((_BACK_DARKER, 0, 0, 0), np.float64)), chroma, *small)
        back = _resized(back, self.frame, cv2.INTER_LINEAR)
        x, y = (width - front.width) // 4 * 2, (height - front.height) // 4 * 2
        for plane, over in zip(back.window(x, y, *self.scaled).planes, front.planes, strict=True):
            plane[:] = over
        return back


class ClipPainter:
    """Frames of a clip. `paint` must be called with ascending indices; earlier frames are skipped."""

    def __init__(
        self,
        path: Path,
        name: str,
        visual: Visual,
        width: int,
        height: int,
        fps: int,
        gpu: bool = False,
        output: str = "",
        frames: int | None = None,
    ) -> None:
        """`output` is the name of the output, for which a framing was chosen (takes.choose_all).

        `frames` is how many frames are asked for, if that is known.
        """
        self.path, self.name, self.fps, self.gpu = path, name, fps, gpu
        self.width, self.height = width, height
        self.grade = visual.take.grade if visual.take else _UNCHANGED
        media = self.media = ffmpeg.probe(path, name)
        if media.video_codec is None:
            raise AssetCorrupt(f"The clip {name} has no picture.", asset=name)
        framing = _chosen(visual, output) or _framing(media, visual, path, name, width / height)
        self.filling = _filling(media, visual, framing, (width, height))
        # A picture may start after the sound. Without this, its first frame would stand still until then.
        # Seeking and the length count from the file's first moment, which MPEG calls half a second or more.
        self.start_s = max(visual.trim[0], media.video_start_s - media.start_s)
        end_s = visual.trim[1] if visual.trim[1] is not None else media.duration_s
        self.length_s = (end_s - self.start_s) if end_s is not None else None
        if self.length_s is not None and self.length_s <= 1 / fps:
            raise AssetCorrupt(f"The clip {name} is shorter than its trim asks for.", asset=name)
        self.seam = self._seam_frames(frames)
        # What is not repeated need not be decoded further than it is shown.
        self.most = frames if self.seam == 0 else None
        self._frames: Iterator[Frame] | None = None
        self._next, self._uploads = 0, False

    def _seam_frames(self, asked: int | None) -> int:
        """Return the length of the cross-fade in frames: 0 for a clip that is not repeated."""
        if self.length_s is None:
            return SEAM
        count = int(self.length_s * self.fps + 1e-6)
        # A very short clip must keep some frames between its cross-fades.
        return 0 if asked is not None and count >= asked else min(SEAM, count // 3)

    def upload(self) -> None:
        """Return device frames from now on."""
        self._uploads = True

    def paint(self, index: int) -> Frame:
        """Return the frame with this index in the scene."""
        if self._frames is None:
            self._frames, self._next = self._endless(), 0
        for _ in range(index - self._next):
            next(self._frames)
        self._next = index + 1
        frame = next(self._frames)
        return frame.uploaded() if self._uploads else frame

    def close(self) -> None:
        """Stop the decoder."""
        if self._frames is not None:
            self._frames.close()  # type: ignore[attr-defined]
            self._frames = None

    def _endless(self) -> Iterator[Frame]:
        """Repeat the clip. From the second round on, its start is cross-faded with the end of the round
        before.
        """
        tail: list[Frame] = []
        while True:
            held: list[Frame] = []
            number = -1
            for number, frame in enumerate(self._once()):
                if number < len(tail):
                    frame.mix(tail[number], 1 - (number + 1) / (len(tail) + 1))
                held.append(frame)
                if len(held) > (self.seam if self.most is None else 1):
                    yield held.pop(0)
            if number < 0:
                raise AssetCorrupt(f"The clip {self.name} has no frame that can be decoded.", asset=self.name)
            if self.most is not None:
                # By rounding of times it may have a frame less than its header says: the last one again.
                yield from (held[0].copied() for _ in range(SEAM))
                held = []
            elif number < self.seam:
                # The whole clip is shorter than the cross-fade: show it as it is.
                yield from held
                held = []
            tail = held

    def _once(self) -> Iterator[Frame]:
        """Decode the clip once. If NVDEC fails, continue on the CPU with the next frame."""
        delivered = 0
        if self.gpu:
            try:
                for frame in self._decoded():
                    yield frame
                    delivered += 1
                return
            except _DecoderFailed as failure:
                # A card may not decode this codec, size or bit depth, and a decoder may fail at any frame.
                print(
                    f"NVDEC does not decode {self.name} after {delivered} frames ({failure}); the CPU does.",
                    file=sys.stderr,
                    flush=True,
                )
                self.gpu = False
        try:
            yield from itertools.islice(self._decoded(), delivered, None)
        except _DecoderFailed as failure:
            raise AssetCorrupt(
                f"The clip {self.name} cannot be decoded to its end: {failure}", asset=self.name
            ) from failure

    def _decoded(self) -> Iterator[Frame]:
        """Yield the frames that the decoder writes. Raises _DecoderFailed with its last message."""
        # Into a file: a damaged clip can write more messages than a pipe holds, and nothing reads them while
        # it plays.
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed below, with the process
        process = subprocess.Popen(self.decoder(), stdout=subprocess.PIPE, stderr=errors)
        assert process.stdout is not None
        # Refused where a user's pipes hold too much already.
        with suppress(OSError):
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        width, height = self.filling.decoded
        try:
            for number in itertools.count():
                buffer = _read(process.stdout, width * height * 3 // 2)
                if buffer is None:
                    break
                picture = _graded(_picture(buffer, width, height), self.grade)
                yield self.filling.fill(picture, number / self.fps)
            if process.wait():
                errors.seek(0)
                raise _DecoderFailed(ffmpeg.last_line(errors.read().decode(errors="replace")))
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
            errors.close()

    def decoder(self) -> list[str]:
        """Return the ffmpeg command. With a GPU, NVDEC decodes, and the card scales what is above 1080p."""
        hardware, on_card = [], ""
        if self.gpu:
            on_card = _scaled_on_card(self.media, self.width, self.height)
            hardware = ["-hwaccel", "cuda", *(["-hwaccel_output_format", "cuda"] if on_card else [])]
        trim = ["-ss", f"{self.start_s:.6f}"] if self.start_s else []
        length = ["-t", f"{self.length_s:.6f}"] if self.length_s is not None else []
        graph = (
            f"{on_card}{_progressive(self.media)}{_square(self.media)}fps={self.fps},"
            f"{_toned(self.media, self.width, self.height)}{self.filling.filters},format=yuv420p"
        )
        # One thread and short queues: there is one process per core, and each picture that waits takes memory
        # (12 MB at 4K).
        reading = [*hardware, "-threads", "1", *trim, *length, *ffmpeg.source(self.path)]
        most = ["-frames:v", str(self.most)] if self.most is not None else []
        writing = ["-an", "-sn", *most, "-filter_threads", "1", "-vf", graph, "-thread_queue_size", "1"]
        return ffmpeg.command(*reading, *writing, "-f", "rawvideo", "-")


class _DecoderFailed(Exception):
    """The decoder ended with an error. The message is its last one."""


def _scaled_on_card(media: ffmpeg.Media, width: int, height: int) -> str:
    """Return filters that scale a clip above 1080p on the card before it is downloaded, or nothing.

    A 4K frame takes 12 MB to download and a CPU several milliseconds to scale. A rotated clip is left to the
    CPU: ffmpeg turns it before all other filters, which needs it in main memory. So is one that is interlaced
    or has pixels that are not square.
    """
    if (
        media.rotated
        or media.interlaced
        or media.pixel_aspect != 1
        or media.width * media.height <= _FULL_HD
        or max(width / media.width, height / media.height) >= 1
    ):
        return ""
    depth = "p010le" if "10" in media.pixel_format else "nv12"
    cover = "force_original_aspect_ratio=increase:force_divisible_by=2:interp_algo=bicubic"
    return f"scale_cuda={width}:{height}:{cover},hwdownload,format={depth},"


def _read(stream: IO[bytes], count: int) -> Pixels | None:
    """Return `count` bytes, or None at the end of the stream."""
    buffer = np.empty(count, np.uint8)
    view, done = memoryview(buffer), 0
    while done < count:
        got = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            return None
        done += got
    return buffer


def _progressive(media: ffmpeg.Media) -> str:
    """Return a filter that makes whole pictures of fields, or nothing for a progressive clip."""
    return "bwdif=mode=send_field:deint=interlaced," if media.interlaced else ""


def _square(media: ffmpeg.Media) -> str:
    """Return filters that make pixels square, or nothing if they are."""
    return "" if media.pixel_aspect == 1 else _SQUARE


def _toned(media: ffmpeg.Media, width: int, height: int) -> str:
    """Return filters that convert HDR (PQ or HLG) to BT.709, or nothing for SDR.

    Reference white is 203 nits (BT.2408). Up to 70 % of it nothing changes; above, a smooth curve compresses
    up to five times that brightness. Scaling comes first, because floating-point steps take twelve bytes per
    pixel.
    """
    if not any(transfer in media.video_tags for transfer in ("smpte2084", "arib-std-b67")):
        return ""
    return (
        f"scale={width}:{height}:force_original_aspect_ratio=increase:force_divisible_by=2:flags=bicubic,zscale=t=linear:npl=203,format=gbrpf32le,"
        "zscale=p=bt709,tonemap=mobius:param=0.7:desat=0:peak=5,zscale=t=bt709:m=bt709:r=tv,format=yuv420p,"
    )


def _graded(frame: Frame, grade: tuple[float, float, float, float]) -> Frame:
    """Change luma by (gain, offset) and chroma by (U, V) in place."""
    if grade != _UNCHANGED:
        gain, offset, u, v = grade
        cv2.addWeighted(frame.luma, gain, frame.luma, 0, offset, dst=frame.luma)
        cv2.add(frame.chroma, np.array((u, v, 0, 0)), dst=frame.chroma)
    return frame


def _chosen(visual: Visual, output: str) -> Framing | None:
    return dict(visual.take.framings).get(output) if visual.take else None


def _framing(media: ffmpeg.Media, visual: Visual, path: Path, name: str, aspect: float) -> Framing:
    """Return how to fill an output of this aspect ratio with a clip that was not looked at before."""
    keep = stills.kept_by_crop(media.width, media.height, round(1000 * aspect), 1000)
    smart = visual.fit == "smart" and visual.focus is None
    if keep < stills.KEPT_WHOLE and (
        visual.fit == "blur" or (smart and keep < (stills.KEEP_TALL if aspect < 1 else stills.KEEP_WIDE))
    ):
        return Framing("blur")
    centre = visual.focus or (
        _attention(path, name, media, aspect) if smart and keep < stills.KEPT_WHOLE else (0.5, 0.5)
    )
    return Framing("crop", ((0.0, *centre),))


def _filling(media: ffmpeg.Media, visual: Visual, framing: Framing, frame: tuple[int, int]) -> _Filling:
    """Return how a clip fills a frame of (width, height)."""
    left, top, right, bottom = inset = visual.take.inset if visual.take else Take().inset
    across, down = (right - left) * media.width, (bottom - top) * media.height
    width, height = frame
    if framing.kind == "blur":
        scale = min(width / across, height / down)
        scaled = min(width, _even(across * scale)), min(height, _even(down * scale))
        decoded = _decoded_size(media, frame, (across, down), scaled)
        filters = f"{_cut_out(inset)}scale={decoded[0]}:{decoded[1]}:{_BT709},setsar=1"
        return _Whole(filters, decoded, frame, scaled)
    # Cut first and scale what is left: a wide clip in an upright video would be scaled to three times as many
    # pixels as are shown.
    share_x = min(1.0, width / height * down / across)
    share_y = min(1.0, across / (width / height) / down)
    xs = [_first(x, share_x) for _, x, _ in framing.path]
    ys = [_first(y, share_y) for _, _, y in framing.path]
    seen = (
        left + min(xs) * (right - left),
        top + min(ys) * (bottom - top),
        left + (max(xs) + share_x) * (right - left),
        top + (max(ys) + share_y) * (bottom - top),
    )
    scaled = (
        _even(width * (max(xs) - min(xs) + share_x) / share_x),
        _even(height * (max(ys) - min(ys) + share_y) / share_y),
    )
    cut = (seen[2] - seen[0]) * media.width, (seen[3] - seen[1]) * media.height
    decoded = _decoded_size(media, frame, cut, scaled)
    filters = f"{_cut_out(seen)}scale={decoded[0]}:{decoded[1]}:{_BT709},setsar=1"
    path = tuple(
        (second, (x - min(xs)) / share_x * width, (y - min(ys)) / share_y * height)
        for (second, _, _), x, y in zip(framing.path, xs, ys, strict=True)
    )
    return _Cropped(filters, decoded, frame, scaled, path)


def _decoded_size(
    media: ffmpeg.Media, frame: tuple[int, int], cut: tuple[float, float], scaled: tuple[int, int]
) -> tuple[int, int]:
    """Return the size that ffmpeg delivers of a part of `cut` pixels: its own, or `scaled` if that is less.

    HDR is scaled to the frame's size before its tones are changed. Ten bits or more colours than 4:2:0 would
    be lost before the picture is enlarged.
    """
    # As ffmpeg's crop rounds, so that what is not scaled is only copied.
    own = max(2, round(cut[0]) & ~1), max(2, round(cut[1]) & ~1)
    usual = media.pixel_format in ("yuv420p", "yuvj420p") and not _toned(media, *frame)
    return own if usual and own[0] * own[1] < scaled[0] * scaled[1] else scaled


def _even(number: float) -> int:
    return max(2, round(number / 2) * 2)


def _first(centre: float, share: float) -> float:
    """Return where a window begins that covers `share` of a side and is centred as near as it can be."""
    return min(max(centre - share / 2, 0.0), 1.0 - share)


def _cut_out(part: tuple[float, float, float, float]) -> str:
    """Return a filter that keeps a part of the picture (left, top, right, bottom as shares), or nothing."""
    left, top, right, bottom = part
    if min(right - left, bottom - top) >= 1:
        return ""
    return f"crop=w=iw*{right - left:.5f}:h=ih*{bottom - top:.5f}:x=iw*{left:.5f}:y=ih*{top:.5f},"


def _along(path: tuple[tuple[float, float, float], ...], at_s: float) -> tuple[float, float]:
    """Return (x, y) at a time on a path of (second, x, y), easing in and out between its points."""
    before = path[0]
    for point in path:
        if at_s < point[0]:
            share = (at_s - before[0]) / (point[0] - before[0])
            eased = (3 - 2 * share) * share * share
            return before[1] + (point[1] - before[1]) * eased, before[2] + (point[2] - before[2]) * eased
        before = point
    return before[1:]


def _picture(buffer: Pixels, width: int, height: int) -> Frame:
    """Wrap a buffer of yuv420p, as the decoder writes it."""
    area = width * height
    halves = buffer[area:].reshape(2, height // 2, width // 2)
    return Frame(buffer[:area].reshape(height, width), cv2.merge(list(halves)), width, height)


def _resized(frame: Frame, size: tuple[int, int], interpolation: int) -> Frame:
    if (frame.width, frame.height) == size:
        return frame
    luma = cv2.resize(frame.luma, size, interpolation=interpolation)
    half = size[0] // 2, size[1] // 2
    # One after the other: OpenCV takes three times as long for two interleaved ones.
    chroma = [cv2.resize(plane, half, interpolation=interpolation) for plane in cv2.split(frame.chroma)]
    return Frame(luma, cv2.merge(chroma), *size)


def _attention(path: Path, name: str, media: ffmpeg.Media, aspect: float) -> tuple[float, float]:
    """Choose the crop by one frame from the clip's first half."""
    return stills.attention(still(path, name, (media.duration_s or 0) * 0.3), aspect)


def still(path: Path, name: str, at_s: float) -> Pixels:
    """Return one frame at `at_s`, 320 pixels wide; the first one if the clip is shorter."""
    graph = f"{_SQUARE}scale=320:-2"
    picture_only = ("-frames:v", "1", "-vf", graph, "-f", "image2pipe", "-c:v", "ppm", "-")
    for seek in (["-ss", f"{at_s:.3f}"], []):
        picture = ffmpeg.run(*seek, *ffmpeg.source(path), *picture_only, asset=name)
        if picture:
            decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
            if decoded is not None:
                return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
    raise AssetCorrupt(f"The clip {name} has no frame that can be decoded.", asset=name)

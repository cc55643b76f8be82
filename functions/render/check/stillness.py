"""Watches a picture run by, small: is it black, does it stand still? Asked of the finished file, and of a source clip that is blamed for it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import av.error
import cv2
import numpy as np

from render import ffmpeg
from render.picture.colour import Pixels

# Longer than this is a fault.
LONGEST_S = 1.0
# Luma averaged over blocks of this side: the encoder's noise goes, which a key frame renews, and motion stays.
_BLOCK = 8
# Measured at 1080x1920 with x264 from ultrafast to veryfast: through the renewal by a key frame, still pictures differ by 0.4 at most and fewer than
# 1 % of their blocks by more than 1, none by more than 5; our slowest backdrops and camera moves differ by 0.55 and more in a second, and 10 % of their
# blocks by 2. A few letters that move over a plain ground change few blocks, but those by much.
_ALIKE_MEAN, _ALIKE_STEP, _ALIKE_SHARE, _ALIKE_MOST = 0.5, 1, 0.025, 8
# Limited range begins at 16; this is 6 % above it, and so dark are all but one in a hundred blocks.
_DARK, _DARK_SHARE = 29, 0.99


def small(frame: av.VideoFrame) -> Pixels:
    plane = frame.planes[0]
    deep = 2 if "10le" in frame.format.name else 1
    luma = np.frombuffer(plane, np.uint16 if deep == 2 else np.uint8).reshape(-1, plane.line_size // deep)[: frame.height, : frame.width]
    if deep == 2:
        luma = (luma >> 2).astype(np.uint8)
    return cv2.resize(luma, (max(1, frame.width // _BLOCK), max(1, frame.height // _BLOCK)), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def alike(first: Pixels, second: Pixels) -> bool:
    difference = cv2.absdiff(first, second)
    stepped = np.count_nonzero(difference > _ALIKE_STEP)
    return int(difference.max()) <= _ALIKE_MOST and float(difference.mean()) < _ALIKE_MEAN and stepped <= _ALIKE_SHARE * difference.size


def dark(picture: Pixels) -> bool:
    return np.count_nonzero(picture <= _DARK) >= _DARK_SHARE * picture.size


@dataclass
class Watch:
    """Fed with every picture of a stretch in order; `black` and `still` are the runs that lasted too long, in seconds."""

    black: list[tuple[float, float]] = field(default_factory=list)
    still: list[tuple[float, float]] = field(default_factory=list)
    _before: deque[tuple[float, Pixels]] = field(default_factory=deque)
    _dark_since: float | None = None

    def see(self, at_s: float, picture: Pixels) -> None:
        if not dark(picture):
            self._dark_since = None
        elif self._dark_since is None:
            self._dark_since = at_s
        elif at_s - self._dark_since >= LONGEST_S - 1e-6:
            _extend(self.black, self._dark_since, at_s)
        self._before.append((at_s, picture))
        while len(self._before) > 1 and at_s - self._before[1][0] >= LONGEST_S - 1e-6:
            self._before.popleft()
        since, first = self._before[0]
        # Two pictures a second apart that are alike, and the ones between them too: a loop of a second's length comes back to the same picture.
        if at_s - since >= LONGEST_S - 1e-6 and all(alike(first, self._before[index][1]) for index in (-1, len(self._before) // 2, len(self._before) // 4)):
            _extend(self.still, since, at_s)


def _extend(runs: list[tuple[float, float]], start: float, end: float) -> None:
    if runs and start <= runs[-1][1]:
        runs[-1] = (runs[-1][0], end)
    else:
        runs.append((start, end))


def pictures(path: Path, start_s: float = 0.0, end_s: float | None = None, keys_only: bool = False) -> Iterator[tuple[float, Pixels]]:
    """Second and small picture. Raises av.error.FFmpegError where the stream is damaged."""
    with ffmpeg.opened(path) as container:
        stream = container.streams.video[0]
        # Threads by frames: our pictures are one slice each.
        stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", 2
        # The softening of block borders is what nobody sees after averaging; between key frames it would be missed by the frames that build on it.
        stream.codec_context.options = {"err_detect": "explode"} | ({"skip_loop_filter": "all"} if keys_only else {})
        if start_s > 0:
            container.seek(int(start_s * 1_000_000))
        # Told to skip the other frames, the decoder would still hand each packet to the next thread, and all key frames to the same one.
        packets = (packet for packet in container.demux(stream) if packet.is_keyframe or packet.size == 0 or not keys_only)
        for frame in (frame for packet in packets for frame in packet.decode()):
            at_s = float(frame.time or 0.0)
            if end_s is not None and at_s >= end_s:
                return
            if at_s >= start_s - 1e-6:
                yield at_s, small(frame)


def watched(path: Path, start_s: float = 0.0, end_s: float | None = None) -> Watch:
    watch = Watch()
    for at_s, picture in pictures(path, start_s, end_s):
        watch.see(at_s, picture)
    return watch

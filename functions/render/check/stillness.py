"""Detect black and still pictures in a finished file or a source clip, on frames reduced to one eighth."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np

from render import ffmpeg
from render.picture.colour import Pixels

# A longer black or still part is a fault.
LONGEST_S = 1.0
# Side of the blocks over which luma is averaged. This removes encoder noise, which changes at each key frame,
# and keeps motion.
_BLOCK = 8
# Measured at 1080x1920 with x264 from ultrafast to veryfast. Across a key frame, still pictures differ by at
# most 0.4 on average, fewer than 1 % of their blocks by more than 1, and none by more than 5. The slowest
# backdrops and camera moves differ by at least 0.55 within a second, and 10 % of their blocks by 2. A few
# letters that move on a plain background change few blocks, but by much.
_SIMILAR_MEAN, _SIMILAR_STEP, _SIMILAR_SHARE, _SIMILAR_MAX = 0.5, 1, 0.025, 8
# Black is 16 in limited range; the limit is 6 % above it, and 99 % of the blocks must be below.
_DARK, _DARK_SHARE = 29, 0.99


def reduced(frame: av.VideoFrame) -> Pixels:
    """Return the luma of a frame, averaged over blocks of 8x8 pixels, as [height / 8, width / 8]."""
    plane = frame.planes[0]
    if "10le" in frame.format.name:
        deep = np.frombuffer(plane, np.uint16).reshape(-1, plane.line_size // 2)
        rows = (deep >> 2).astype(np.uint8)
    else:
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    luma = rows[: frame.height, : frame.width]
    size = (max(1, frame.width // _BLOCK), max(1, frame.height // _BLOCK))
    return cv2.resize(luma, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def similar(first: Pixels, second: Pixels) -> bool:
    """Return True if two reduced pictures show the same still picture, apart from encoder noise."""
    difference = cv2.absdiff(first, second)
    stepped = int(np.count_nonzero(difference > _SIMILAR_STEP))
    return (
        int(difference.max()) <= _SIMILAR_MAX
        and float(difference.mean()) < _SIMILAR_MEAN
        and stepped <= _SIMILAR_SHARE * difference.size
    )


def is_dark(picture: Pixels) -> bool:
    """Return True if a reduced picture is black."""
    return int(np.count_nonzero(picture <= _DARK)) >= _DARK_SHARE * picture.size


@dataclass
class Monitor:
    """Collects intervals (start, end) in seconds that are black or still for LONGEST_S and more.

    Feed every frame in order.
    """

    black: list[tuple[float, float]] = field(default_factory=list)
    still: list[tuple[float, float]] = field(default_factory=list)
    _before: deque[tuple[float, Pixels]] = field(default_factory=deque)
    _dark_since: float | None = None

    def add(self, at_s: float, picture: Pixels) -> None:
        """Add the next frame: its time in seconds and its reduced picture."""
        if not is_dark(picture):
            self._dark_since = None
        elif self._dark_since is None:
            self._dark_since = at_s
        elif at_s - self._dark_since >= LONGEST_S - 1e-6:
            _extend(self.black, self._dark_since, at_s)
        self._before.append((at_s, picture))
        while len(self._before) > 1 and at_s - self._before[1][0] >= LONGEST_S - 1e-6:
            self._before.popleft()
        since, first = self._before[0]
        # Compare two pictures one second apart, and pictures between them: a loop of one second shows the
        # same picture again.
        if at_s - since >= LONGEST_S - 1e-6 and all(
            similar(first, self._before[index][1])
            for index in (-1, len(self._before) // 2, len(self._before) // 4)
        ):
            _extend(self.still, since, at_s)


def _extend(runs: list[tuple[float, float]], start: float, end: float) -> None:
    if runs and start <= runs[-1][1]:
        runs[-1] = (runs[-1][0], end)
    else:
        runs.append((start, end))


def reduced_frames(
    path: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    keys_only: bool = False,
    apart_s: float = 0.0,
    threads: int = 2,
) -> Iterator[tuple[float, Pixels]]:
    """Yield (time in seconds, reduced picture) of each frame in [start_s, end_s).

    With `keys_only` decode key frames only, and not those that follow within `apart_s`. Raises
    av.error.FFmpegError if the stream is damaged.
    """
    with ffmpeg.open_media(path) as container:
        stream = container.streams.video[0]
        # Frame threads, because our pictures have one slice each.
        stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", threads
        # Skip the deblocking filter for key frames: the average hides it. Other frames would be wrong,
        # because they build on filtered ones.
        stream.codec_context.options = {"err_detect": "explode"} | (
            {"skip_loop_filter": "all"} if keys_only else {}
        )
        if start_s > 0:
            container.seek(int(start_s * 1_000_000))
        # Filter packets here. If the decoder skipped them, it would still pass each to the next thread, and
        # all key frames to the same one.
        packets = container.demux(stream)
        if keys_only:
            packets = _keys(packets, apart_s)
        for frame in (frame for packet in packets for frame in packet.decode()):
            at_s = float(frame.time or 0.0)
            if end_s is not None and at_s >= end_s:
                return
            if at_s >= start_s - 1e-6:
                yield at_s, reduced(frame)


def _keys(packets: Iterator["av.Packet[Any]"], apart_s: float) -> Iterator["av.Packet[Any]"]:
    """Yield the key frames that are `apart_s` apart, and what ends the stream."""
    next_s = -math.inf
    for packet in packets:
        at_s = float((packet.pts or 0) * packet.time_base) if packet.time_base else 0.0
        if packet.size == 0:
            yield packet
        elif packet.is_keyframe and at_s >= next_s - 1e-3:
            next_s = at_s + apart_s
            yield packet


def monitor(path: Path, start_s: float = 0.0, end_s: float | None = None) -> Monitor:
    """Decode an interval of a file and return the black and still parts in it."""
    result = Monitor()
    for at_s, picture in reduced_frames(path, start_s, end_s):
        result.add(at_s, picture)
    return result

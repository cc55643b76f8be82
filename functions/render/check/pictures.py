"""Measure on a finished video how much it moves, how long its shots are, and which pictures it repeats.

Of each planned shot two pictures are decoded, from its later half and a moment apart: from the shot's piece
while others are drawn, or from the finished file. A shot moves if the later picture is not the earlier one as
seen by a camera that pans, zooms or turns. So a photograph under a camera move does not move. A card never
counts as moving.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.container import InputContainer

from render import ffmpeg
from render.check import stillness
from render.picture.colour import Pixels
from render.plan.timeline import Output, Shot, Timeline
from render.text import styles

# Seconds between the two pictures: a slow river is seen to flow, and the camera has hardly moved.
APART_S = 0.4
# The rows that are looked at, as shares of the height: below the marks, above the captions.
_ROWS, _ROWS_OVER_MIDDLE = (0.14, 0.60), (0.14, 0.42)
# Grey levels by which a block of 8x8 pixels must change, and the share of the blocks that must. Measured at
# 360x640: photographs under any camera move up to 0.2 %, cards at rest 0, a list whose items appear 2.2 %,
# bars that grow 13 %, eleven kinds of drawn clips 2.5 % and more.
_STEP, _SHARE = 5, 0.02
# Two pictures are the same if their blocks differ by less than this on average, in grey levels.
_SAME = 3.0
_FEWEST_POINTS = 8
# A frame at 24 fps, the slowest.
_A_FRAME_S = 0.042


@dataclass(frozen=True)
class Seen:
    """A picture of a shot, as the file shows it."""

    picture: Pixels
    moves: bool


# By the shots' numbers in the timeline.
SeenShots = dict[int, Seen]


def measure(seen: SeenShots, timeline: Timeline) -> dict[str, Any]:
    """Return {motion_share, longest_shot_s, shots_per_minute, repeats} of what `look` saw of all shots.

    `motion_share` is the part of the time with real movement. Neighbours that look the same are one shot.
    `repeats` counts the shots with a photograph or clip that an earlier one showed already.
    """
    shots = [(timeline.shots[number], each) for number, each in sorted(seen.items())]
    runs: list[list[tuple[Shot, Seen]]] = []
    for shot, each in shots:
        if runs and not each.moves and _same(runs[-1][-1][1].picture, each.picture):
            runs[-1].append((shot, each))
        else:
            runs.append([(shot, each)])
    moving = sum(shot.end_s - shot.start_s for shot, each in shots if each.moves)
    longest = max((run[-1][0].end_s - run[0][0].start_s for run in runs), default=0.0)
    return {
        "motion_share": round(moving / timeline.duration_s, 3),
        "longest_shot_s": round(longest, 2),
        "shots_per_minute": round(60 * len(runs) / timeline.duration_s, 1),
        "repeats": _repeats(shots),
    }


def look(
    path: Path, timeline: Timeline, output: Output, start_s: float = 0.0, known: Collection[int] = ()
) -> SeenShots:
    """Return what a file that begins at `start_s` of the video shows of its shots, without those `known`.

    Shots whose pictures are not in the file are left out. Raises av.error.FFmpegError if the file can't be
    decoded.
    """
    rows, found = _rows(timeline, output), SeenShots()
    with ffmpeg.open_media(path) as container:
        stream = container.streams.video[0]
        end_s = start_s + (container.duration or 0) / 1_000_000
        # The pictures of a shot that goes on in the next piece are in the finished file only.
        room_s = APART_S + _A_FRAME_S if end_s < timeline.duration_s - _A_FRAME_S else 0.0
        # Pictures that no other one needs are left out: three of four, mostly.
        stream.codec_context.skip_frame = "NONREF"
        # One thread: a decoder's own threads need Python's lock to log, and who closes it waits holding it.
        stream.codec_context.thread_count = 1
        for number, shot in enumerate(timeline.shots):
            # In the later half: a title card or the entry of a text may cover the first seconds.
            middle_s = (shot.start_s + shot.end_s) / 2
            latest_s = max(middle_s, shot.start_s + (shot.end_s - shot.start_s) * 2 / 3 - APART_S / 2)
            if number not in known and start_s <= middle_s and latest_s < end_s - room_s:
                container.seek(int((latest_s - start_s) * 1_000_000))
                pair = list(_pair(container, middle_s - start_s, rows))
                if pair:
                    # What is typeset has animations, but nobody takes them for footage.
                    filmed = shot.visual.kind != "generated" and len(pair) == 2
                    found[number] = Seen(pair[0], filmed and _moved(*pair))
    return found


def _pair(container: InputContainer, from_s: float, rows: tuple[float, float]) -> Iterator[Pixels]:
    """Yield the first picture from a time on (often a key frame), and the one APART_S later."""
    first_s = None
    for frame in container.decode(video=0):
        time_s = float(frame.time or 0.0)
        if time_s < (from_s - 1e-3 if first_s is None else first_s + APART_S):
            continue
        whole = stillness.reduced(frame)
        yield whole[round(rows[0] * len(whole)) : round(rows[1] * len(whole))]
        if first_s is not None:
            return
        first_s = time_s


def _rows(timeline: Timeline, output: Output) -> tuple[float, float]:
    if timeline.captions is None or not timeline.captions.burn_in:
        return _ROWS
    chosen = styles.resolve_style(timeline.captions, timeline.palette, output, timeline.language)
    return _ROWS if chosen.position == "lower" else _ROWS_OVER_MIDDLE


def _moved(before: Pixels, after: Pixels) -> bool:
    """Return True if no camera move over a still picture leads from one picture to the other."""
    expected, inside = _as_seen_later(before, after)
    changed = cv2.absdiff(expected, after) > _STEP
    return float(np.mean(changed[inside])) >= _SHARE if inside.any() else False


def _as_seen_later(before: Pixels, after: Pixels) -> tuple[Pixels, Any]:
    """Return the earlier picture after the camera's move, and where it is known."""
    everywhere = np.ones(before.shape, bool)
    points = cv2.goodFeaturesToTrack(before, 200, 0.01, 4)
    if points is None or len(points) < _FEWEST_POINTS:
        return before, everywhere
    tracked, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None)  # type: ignore[call-overload]
    kept = found.ravel() == 1
    if np.count_nonzero(kept) < _FEWEST_POINTS:
        return before, everywhere
    move, _ = cv2.estimateAffinePartial2D(points[kept], tracked[kept], ransacReprojThreshold=0.5)
    if move is None or abs(np.hypot(move[0, 0], move[0, 1]) - 1) > 0.2:
        return before, everywhere
    size = (before.shape[1], before.shape[0])
    expected = cv2.warpAffine(before, move, size, flags=cv2.INTER_CUBIC)
    # A rim of one block is mixed with what was outside the picture.
    known = cv2.warpAffine(np.full(before.shape, 255, np.uint8), move, size)
    inside = cv2.erode(known, np.ones((3, 3), np.uint8), borderValue=0) == 255
    return np.asarray(expected, np.uint8), inside


def _same(one: Pixels, other: Pixels) -> bool:
    return float(np.mean(cv2.absdiff(one, other))) < _SAME


def _repeats(shots: list[tuple[Shot, Seen]]) -> int:
    """Return how many photographs and clips were shown before: the same file, or a picture like it."""
    count, earlier = 0, list[tuple[str, Seen]]()
    for shot, each in shots:
        if shot.visual.asset is None:
            continue
        uri = shot.visual.asset.uri
        count += any(before == uri or _same(seen.picture, each.picture) for before, seen in earlier)
        earlier.append((uri, each))
    return count

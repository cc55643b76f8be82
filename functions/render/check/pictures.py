"""Measure on a finished video how much it moves, how long its shots are, and which pictures it repeats.

Of each planned shot two pictures are decoded from the file, from its later half and a moment apart. A shot
moves if the later picture is not the earlier one as seen by a camera that pans, zooms or turns. So a
photograph under a camera move does not move. A card never counts as moving.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

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


@dataclass(frozen=True)
class _Seen:
    """A picture of a shot, as the file shows it."""

    shot: Shot
    picture: Pixels
    moves: bool


def measure(path: Path, timeline: Timeline, output: Output) -> dict[str, Any]:
    """Return {motion_share, longest_shot_s, shots_per_minute, repeats} of a finished file.

    `motion_share` is the part of the time with real movement. Neighbours that look the same are one shot.
    `repeats` counts the shots with a photograph or clip that an earlier one showed already. Raises
    av.error.FFmpegError if the file can't be decoded.
    """
    seen = _sampled(path, timeline, _rows(timeline, output))
    runs: list[list[_Seen]] = []
    for each in seen:
        if runs and not each.moves and _same(runs[-1][-1].picture, each.picture):
            runs[-1].append(each)
        else:
            runs.append([each])
    moving = sum(each.shot.end_s - each.shot.start_s for each in seen if each.moves)
    return {
        "motion_share": round(moving / timeline.duration_s, 3),
        "longest_shot_s": round(
            max((run[-1].shot.end_s - run[0].shot.start_s for run in runs), default=0.0), 2
        ),
        "shots_per_minute": round(60 * len(runs) / timeline.duration_s, 1),
        "repeats": _repeats(seen),
    }


def _rows(timeline: Timeline, output: Output) -> tuple[float, float]:
    if timeline.captions is None or not timeline.captions.burn_in:
        return _ROWS
    chosen = styles.resolve_style(timeline.captions, timeline.palette, output, timeline.language)
    return _ROWS if chosen.position == "lower" else _ROWS_OVER_MIDDLE


def _sampled(path: Path, timeline: Timeline, rows: tuple[float, float]) -> list[_Seen]:
    found: list[_Seen] = []
    with ffmpeg.open_media(path) as container:
        stream = container.streams.video[0]
        # Pictures that no other one needs are left out: three of four, mostly.
        stream.codec_context.skip_frame = "NONREF"
        stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", 2
        for shot in timeline.shots:
            # In the later half: a title card or the entry of a text may cover the first seconds.
            at_s = max(shot.start_s, shot.start_s + (shot.end_s - shot.start_s) * 2 / 3 - APART_S / 2)
            container.seek(int(at_s * 1_000_000))
            pair: list[tuple[float, Pixels]] = []
            for frame in container.decode(stream):
                time_s = float(frame.time or 0.0)
                if time_s < at_s - 1e-3 or (pair and time_s < pair[0][0] + APART_S):
                    continue
                whole = stillness.reduced(frame)
                part = whole[round(rows[0] * len(whole)) : round(rows[1] * len(whole))]
                pair.append((time_s, part))
                if len(pair) == 2:
                    break
            if pair:
                # What is typeset has animations, but nobody takes them for footage.
                filmed = shot.visual.kind != "generated" and len(pair) == 2
                found.append(_Seen(shot, pair[0][1], filmed and _moved(pair[0][1], pair[1][1])))
    return found


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


def _repeats(seen: list[_Seen]) -> int:
    """Return how many photographs and clips were shown before: the same file, or a picture like it."""
    count, earlier = 0, list[_Seen]()
    for each in seen:
        if each.shot.visual.asset is None:
            continue
        uri = each.shot.visual.asset.uri
        count += any(
            (before.shot.visual.asset and before.shot.visual.asset.uri == uri)
            or _same(before.picture, each.picture)
            for before in earlier
        )
        earlier.append(each)
    return count

"""Choose the part of each clip that is shown, and how: from a few pictures of it, before anything is drawn.

Parts begin at key frames, which cost little to reach. Of up to CANDIDATES of them a few pictures are decoded
and rated by sharpness, movement and exposure. A part with a cut inside, or one that was filmed with a shaking
hand, loses. Nothing here depends on the video's other clips, so that one other shot changes no piece but its
own.
"""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from render import ffmpeg
from render.picture import stills
from render.picture.colour import Pixels
from render.plan.spans import Span, spans
from render.plan.timeline import Framing, Output, Shot, Take, Timeline, Visual

# More candidates or pictures cost time and found no better part.
CANDIDATES, PICTURES = 4, 7
# Transfer characteristics of HDR: SMPTE ST 2084 (PQ) and ARIB STD-B67 (HLG), as ITU-T H.273 numbers them.
_HDR = (16, 18)
# Width of the pictures that are rated: enough to see what is sharp.
_WIDTH = 240
# A longer clip is looked at from its beginning: the demuxer reads all bytes of the parts it passes.
_LONGEST_S = 90.0
# A hand shakes by more than this share of the width within half a second. A tripod, a gimbal and a smooth pan
# stay below a third of it.
_SHAKE = 0.0045
# Two pictures show different shots if their colours overlap by less than this.
_SAME_SHOT = 0.55
# A packet between key frames holds a new picture, so there is a cut, if it has this share of a key frame's
# size and is so many times as large as most.
_NEW_PICTURE, _OUTSTANDING = 0.7, 2.0
# Black borders are at most this light (of 255), at least this share of the side, and end with a step of
# so many levels within a few pixels.
_BLACK, _THINNEST, _EDGE = 26, 0.03, 40
# Less movement than this, in grey levels, is a photograph.
_STILL = 0.35
# Light matching: every clip is brought this part of the way to the same exposure, contrast and grey, and
# by so much at most. Luma in its limited range, 16 to 235.
_LUMA, _SPREAD, _STRENGTH = 112.0, 46.0, 0.35
_LARGEST_OFFSET, _LARGEST_TINT, _GAINS = 14.0, 5.0, (0.92, 1.12)
# A window that holds this share of what is interesting holds the subject.
_CLEAR = 0.6
# There is a second subject if its peak has this share of the first one's, with so little of it between the
# two. Otherwise the interest is spread (water, leaves, a crowd), and any part will do.
_SECOND, _BETWEEN = 0.5, 0.25
# A subject that moves less than this, as a share of the side, is not followed. A crop moves at most this
# share of the side in a second.
_FOLLOWED, _FASTEST = 0.08, 0.12

SHAKY = "The clip is shaky."
BORDERED = "The clip has black borders."
STILL = "Nothing moves in the clip."
CUT = "The clip has no part without a cut that is long enough."
BROKEN = "The clip cannot be decoded."


@dataclass(frozen=True)
class Fault:
    """A reason to take another clip for a shot. `drawable`: this one can be shown, if there is no other."""

    shot: str
    asset: str
    reason: str
    drawable: bool = True


@dataclass(frozen=True)
class _Picture:
    at_s: float
    rgb: Pixels
    grey: Pixels


@dataclass(frozen=True)
class _Part:
    """A part of a clip that begins at a key frame, and its first pictures."""

    start_s: float
    end_s: float
    pictures: tuple[_Picture, ...]
    later: tuple[_Picture, ...]

    @property
    def sharpness(self) -> float:
        detail = float(cv2.Laplacian(self.pictures[0].grey, cv2.CV_32F).var())
        return detail / (detail + 250)

    @property
    def movement(self) -> float:
        """Return how much the pictures differ from one to the next, in grey levels."""
        pairs = itertools.pairwise(self.pictures)
        found = [float(cv2.absdiff(one.grey, other.grey).mean()) for one, other in pairs]
        return max(found, default=0.0)

    @property
    def shake(self) -> float:
        """Return how far the camera strays from a smooth path, as a share of the width."""
        return _shake(self.pictures)

    @property
    def exposure(self) -> float:
        return 1 - abs(float(self.pictures[0].grey.mean()) - 118) / 138

    def rate(self, needed_s: float) -> float:
        missing = max(0.0, 1 - (self.end_s - self.start_s) / needed_s)
        shaky = 1.0 if self.shake > _SHAKE else self.shake / _SHAKE * 0.2
        return self.sharpness + 0.8 * min(1, self.movement / 5) + 0.6 * self.exposure - shaky - 2 * missing


def choose_all(timeline: Timeline, files: dict[str, Path], threads: int) -> tuple[Timeline, list[Fault]]:
    """Return the timeline with the chosen part and framing of each clip, and what is wrong with clips.

    A clip that can't be decoded stays as planned: if it is drawn, whoever draws it says why.
    """
    pairs = list(zip(timeline.shots, spans(timeline), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        chosen = list(pool.map(lambda pair: _choose_or_keep(pair[0], pair[1], timeline, files), pairs))
    found = iter(chosen)
    scenes = tuple(
        replace(scene, shots=tuple(replace(shot, visual=next(found)[0]) for shot in scene.shots))
        for scene in timeline.scenes
    )
    return replace(timeline, scenes=scenes), [
        Fault(shot.id, shot.visual.asset.uri, reason, reason != BROKEN)
        for (shot, _), (_, reasons) in zip(pairs, chosen, strict=True)
        for reason in reasons
        if shot.visual.asset
    ]


def _choose_or_keep(
    shot: Shot, span: Span, timeline: Timeline, files: dict[str, Path]
) -> tuple[Visual, list[str]]:
    visual = shot.visual
    if visual.kind != "clip" or visual.asset is None:
        return visual, []
    needed_s = (span.last - span.first) / timeline.fps
    try:
        return choose(files[visual.asset.uri], visual, needed_s, timeline.outputs)
    except (av.error.FFmpegError, cv2.error, ValueError, OSError):
        return visual, [BROKEN]


def choose(
    path: Path, visual: Visual, needed_s: float, outputs: tuple[Output, ...]
) -> tuple[Visual, list[str]]:
    """Return the visual with its best part of `needed_s` seconds, and the reasons against the clip.

    A trim with an end is kept. Raises av.error.FFmpegError, and ValueError if there is no picture.
    """
    with ffmpeg.open_media(path) as container:
        if not container.streams.video:
            raise ValueError(f"{path} has no picture")
        reader = _Reader(container)
        from_s, to_s = _range(visual, reader)
        parts = list(_parts(reader, from_s, to_s, needed_s, visual.trim[1] is not None))
    if not parts:
        raise ValueError(f"{path} has no picture")
    best = max(parts, key=lambda part: part.rate(needed_s))
    seen = [*best.pictures, *best.later]
    inset = _inset([picture.grey for part in parts for picture in part.pictures])
    shown = [_inside(picture, inset) for picture in seen]
    size = (reader.width * (inset[2] - inset[0]), reader.height * (inset[3] - inset[1]))
    framings = tuple((output.name, _framing(shown, best.start_s, size, output, visual)) for output in outputs)
    take = Take(inset, Take().grade if reader.is_hdr else _grade(shown), framings)
    # A part that reaches the clip's end says so by the clip's own end.
    ends = None if math.isclose(best.end_s, to_s) and visual.trim[1] is None else best.end_s
    reasons = [
        reason
        for reason, holds in (
            (SHAKY, best.shake > _SHAKE),
            (BORDERED, inset != (0.0, 0.0, 1.0, 1.0)),
            (STILL, best.movement < _STILL),
            (CUT, best.end_s - best.start_s < needed_s - 0.05 and to_s - from_s >= needed_s),
        )
        if holds
    ]
    return replace(visual, trim=(best.start_s, ends), take=take), reasons


class _Reader:
    """Reads pictures and packets of a clip at chosen times. Times are those of the decoder's seek option."""

    def __init__(self, container: InputContainer) -> None:
        self.container, self.stream = container, container.streams.video[0]
        context = self.stream.codec_context
        context.thread_count = 1
        if context.width * context.height > ffmpeg.LARGEST_PIXELS:
            raise ValueError("the clip's pictures are too large")
        # What is averaged over blocks needs no deblocking.
        context.options = {"skip_loop_filter": "all"}
        # ffmpeg's -ss counts from the container's beginning.
        self.zero_s = (container.start_time or 0) / 1_000_000
        self.duration_s = (container.duration or 0) / 1_000_000
        # PQ or HLG: only after tone mapping is known how light a picture is.
        self.is_hdr = context.color_trc in _HDR
        self.turns, aspect = 0, self.stream.sample_aspect_ratio or Fraction(1)
        self.width, self.height = context.width * float(aspect), float(context.height)

    def pictures(self, at_s: float, count: int) -> list[_Picture]:
        """Return the first `count` pictures from the key frame at or before a time."""
        self._seek(at_s)
        found: list[_Picture] = []
        for frame in self.container.decode(self.stream):
            if not found and (turns := round(frame.rotation / 90) % 4):
                self._turn(turns)
            found.append(self._picture(frame))
            if len(found) == count:
                break
        return found

    def packets(self, from_s: float, to_s: float) -> Iterator[tuple[float, int, bool]]:
        """Yield (time, bytes, is a key frame) of the packets in an interval."""
        self._seek(from_s)
        for packet in self.container.demux(self.stream):
            if packet.pts is None or packet.time_base is None:
                continue
            at_s = float(packet.pts * packet.time_base) - self.zero_s
            if at_s >= to_s:
                return
            yield at_s, packet.size, packet.is_keyframe

    def _seek(self, at_s: float) -> None:
        self.container.seek(int(max(0.0, at_s + self.zero_s) * 1_000_000))

    def _picture(self, frame: av.VideoFrame) -> _Picture:
        height = max(2, round(_WIDTH * frame.height / frame.width))
        small = frame.reformat(width=_WIDTH, height=height, format="rgb24", interpolation="AREA")
        rgb = np.ascontiguousarray(np.rot90(small.to_ndarray(), self.turns))
        return _Picture(float(frame.time or 0) - self.zero_s, rgb, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))  # type: ignore[arg-type]

    def _turn(self, turns: int) -> None:
        if not self.turns and turns % 2:
            self.width, self.height = self.height, self.width
        self.turns = turns


def _range(visual: Visual, reader: _Reader) -> tuple[float, float]:
    start_s = visual.trim[0]
    end_s = visual.trim[1] if visual.trim[1] is not None else reader.duration_s
    return start_s, max(start_s, min(end_s, start_s + _LONGEST_S))


def _parts(reader: _Reader, from_s: float, to_s: float, needed_s: float, is_fixed: bool) -> Iterator[_Part]:
    """Yield the parts that may be shown: the planned one, and those from key frames further on."""
    room = 0.0 if is_fixed else max(0.0, to_s - from_s - needed_s)
    starts: list[float] = []
    for number in range(CANDIDATES if room > 0 else 1):
        pictures = reader.pictures(from_s + room * number / max(1, CANDIDATES - 1), PICTURES)
        if not pictures:
            continue
        # The first part may begin before the key frame that it is rated by is over.
        start_s = max(from_s, min(pictures[0].at_s, from_s + room))
        if any(abs(start_s - known) < 0.2 for known in starts):
            continue
        starts.append(start_s)
        end_s = to_s if is_fixed else min(to_s, start_s + needed_s + 0.001)
        later = list(_key_pictures(reader, start_s + 0.3, end_s))
        cut_s = _first_cut(reader, pictures[0], later, start_s, end_s)
        kept = tuple(picture for picture in later if picture.at_s < cut_s)
        yield _Part(start_s, cut_s, tuple(pictures), kept)


def _key_pictures(reader: _Reader, from_s: float, to_s: float) -> Iterator[_Picture]:
    """Yield the key frames in an interval, at most one in half a second."""
    times = [at_s for at_s, _, is_key in reader.packets(from_s, to_s) if is_key and at_s >= from_s]
    before = from_s - 1
    for at_s in times:
        if at_s - before >= 0.5:
            before = at_s
            yield from reader.pictures(at_s + 0.001, 1)


def _first_cut(
    reader: _Reader, first: _Picture, later: list[_Picture], start_s: float, end_s: float
) -> float:
    """Return when the shot ends that begins at `start_s`: at a cut, or at `end_s`.

    An encoder puts a key frame at a cut; one that doesn't writes a packet as large as a key frame.
    """
    cuts = [
        one.at_s for before, one in itertools.pairwise([first, *later]) if _overlap(before, one) < _SAME_SHOT
    ]
    sizes = list(reader.packets(start_s, end_s))
    keys, others = ([size for _, size, is_key in sizes if is_key is kind] for kind in (True, False))
    if keys and others:
        # Where much moves, all packets are large.
        largest = max(_NEW_PICTURE * sum(keys) / len(keys), _OUTSTANDING * sorted(others)[len(others) // 2])
        cuts += [at_s for at_s, size, is_key in sizes if not is_key and size > largest]
    return min([at_s for at_s in cuts if at_s > start_s + 0.1], default=end_s)


def _overlap(one: _Picture, other: _Picture) -> float:
    """Return how much the colours of two pictures overlap, 0 to 1."""
    found = []
    for picture in (one, other):
        counts = cv2.calcHist([picture.rgb], [0, 1, 2], None, [6, 6, 6], [0, 256] * 3)
        # Neighbouring colours count as near: a cloud before the sun is no cut.
        found.append(cv2.GaussianBlur(counts.reshape(6, 36), (3, 1), 0) / picture.grey.size)
    return float(np.minimum(*found).sum())


def _shake(pictures: tuple[_Picture, ...]) -> float:
    if len(pictures) < 5:
        return 0.0
    window = cv2.createHanningWindow(pictures[0].grey.shape[::-1], cv2.CV_32F)
    places = [(0.0, 0.0)]
    for one, other in itertools.pairwise(pictures):
        (x, y), certain = cv2.phaseCorrelate(
            one.grey.astype(np.float32), other.grey.astype(np.float32), window
        )
        # Water and crowds have no common movement.
        if certain < 0.15:
            return 0.0
        places.append((places[-1][0] + x, places[-1][1] + y))
    at = np.array([picture.at_s for picture in pictures])
    at = (at - at[0]) / max(1e-3, at[-1] - at[0])
    strays = [np.array(side) - np.polyval(np.polyfit(at, side, 2), at) for side in zip(*places, strict=True)]
    return float(np.sqrt(np.mean(np.square(strays)) * 2) / pictures[0].grey.shape[1])


def _inset(greys: list[Pixels]) -> tuple[float, float, float, float]:
    """Return the part of the picture inside black borders, as shares. Borders lie on both opposite sides."""
    lightest = np.max(np.stack([grey for grey in greys if grey.shape == greys[0].shape]), axis=0)
    if np.percentile(lightest, 90) <= 2 * _BLACK:
        return 0.0, 0.0, 1.0, 1.0
    sides = []
    for axis in (0, 1):
        light = np.flatnonzero(np.percentile(lightest, 97, axis=axis) > _BLACK)
        length = lightest.shape[1 - axis]
        first, last = (int(light[0]), int(light[-1]) + 1) if light.size else (0, length)
        # A border ends at once; a night sky grows light little by little.
        usual = np.median(lightest, axis=axis).astype(int)
        inside = min(usual[min(first + 2, length - 1)], usual[max(last - 3, 0)])
        if inside - max(usual[max(first - 3, 0)], usual[min(last + 2, length - 1)]) < _EDGE:
            first, last = 0, length
        thin = _THINNEST * length
        # One more row: the edge of a border is mixed with the picture.
        sides.append(
            ((first + 1) / length, (last - 1) / length)
            if first > thin and length - last > thin
            else (0.0, 1.0)
        )
    (left, right), (top, bottom) = sides
    return left, top, right, bottom


def _inside(picture: _Picture, inset: tuple[float, float, float, float]) -> _Picture:
    height, width = picture.grey.shape
    left, top, right, bottom = inset
    rows = slice(round(top * height), max(round(top * height) + 2, round(bottom * height)))
    columns = slice(round(left * width), max(round(left * width) + 2, round(right * width)))
    return _Picture(picture.at_s, picture.rgb[rows, columns], picture.grey[rows, columns])


def _grade(pictures: list[_Picture]) -> tuple[float, float, float, float]:
    """Return (gain, offset, U, V) that bring a clip lightly towards the same look as all others."""
    planes = [cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2YCrCb).reshape(-1, 3) for picture in pictures]
    values = np.concatenate(planes).astype(np.float32)
    luma, v, u = (float(mean) for mean in values.mean(axis=0))
    luma, spread = 16 + luma * 219 / 255, float(values[:, 0].std()) * 219 / 255
    gain = min(max((_SPREAD / max(spread, 1.0)) ** _STRENGTH, _GAINS[0]), _GAINS[1])
    shift = min(max(_STRENGTH * (_LUMA - luma), -_LARGEST_OFFSET), _LARGEST_OFFSET)
    # The gain turns around the clip's own mean, so that it changes contrast only.
    tints = [min(max(_STRENGTH * (128 - mean), -_LARGEST_TINT), _LARGEST_TINT) for mean in (u, v)]
    return round(gain, 3), round(luma * (1 - gain) + shift, 2), round(tints[0], 2), round(tints[1], 2)


def _framing(
    pictures: list[_Picture], start_s: float, size: tuple[float, float], output: Output, visual: Visual
) -> Framing:
    """Choose how a picture of `size` fills an output: a crop that follows the subject, or the whole of it."""
    keep = stills.kept_by_crop(round(size[0]), round(size[1]), output.width, output.height)
    if visual.focus or visual.fit == "cover" or keep >= stills.KEPT_WHOLE:
        return Framing("crop", ((0.0, *(visual.focus or (0.5, 0.5))),))
    tightest = stills.KEEP_TALL if output.height > output.width else stills.KEEP_WIDE
    if visual.fit == "blur" or keep < tightest:
        return Framing("blur")
    aspect = output.width / output.height
    along_x = size[0] / size[1] > aspect
    interests = list(_interests(pictures, along_x))
    whole = np.mean(interests, axis=0)
    windows = [_window(each, keep, along_x) for each in interests]
    held = float(np.mean([share for _, share in windows]))
    if held < _CLEAR and _two_subjects(whole, keep):
        return Framing("blur")
    middles = [middle for middle, _ in windows]
    if float(np.ptp(middles)) < _FOLLOWED:
        path = [(0.0, _window(whole, keep, along_x)[0])]
    else:
        seconds = [max(0.0, picture.at_s - start_s) for picture in pictures]
        path = _smooth(list(zip(seconds, middles, strict=True)))
    return Framing(
        "crop", tuple((second, middle, 0.5) if along_x else (second, 0.5, middle) for second, middle in path)
    )


def _interests(pictures: list[_Picture], along_x: bool) -> Iterator[npt.NDArray[np.float32]]:
    """Yield for each picture how interesting each column (or row) is: contrast, odd colours, movement."""
    for number, picture in enumerate(pictures):
        other = pictures[number + 1 if number + 1 < len(pictures) else number - 1]
        weight = stills.interest(picture.rgb)
        moved = cv2.absdiff(picture.grey, other.grey).astype(np.float32)
        if len(pictures) > 1 and float(moved.max()) > 12:
            weight = weight + 1.5 * cv2.GaussianBlur(moved, (0, 0), 2) / float(moved.max())
        profile = np.asarray(weight, np.float32).sum(axis=0 if along_x else 1)
        # What is everywhere is background.
        profile = np.maximum(0, profile - 0.8 * np.percentile(profile, 20))
        yield cv2.GaussianBlur(profile[None, :], (0, 0), profile.size / 40)[0] + np.float32(1e-6)


def _window(profile: npt.NDArray[np.float32], share: float, along_x: bool) -> tuple[float, float]:
    """Return (middle, share of the interest inside) of the best window, which covers `share` of the side."""
    span = min(profile.size, max(1, round(share * profile.size)))
    sums = np.convolve(profile, np.ones(span, np.float32), "valid")
    middles = (np.arange(sums.size) + span / 2) / profile.size
    best = int(np.argmax(sums * (1 - 0.45 * np.abs(middles - (0.5 if along_x else 0.42)))))
    return float(middles[best]), float(sums[best] / profile.sum())


def _two_subjects(profile: npt.NDArray[np.float32], share: float) -> bool:
    """Return True if there is a second peak too far from the first for a window of `share` of the side."""
    soft = cv2.GaussianBlur(profile[None, :], (0, 0), profile.size / 25)[0]
    first = int(np.argmax(soft))
    far = np.abs(np.arange(soft.size) - first) > 0.8 * share * soft.size
    second = int(np.argmax(np.where(far, soft, 0)))
    between = soft[min(first, second) : max(first, second) + 1]
    return bool(soft[second] > _SECOND * soft[first] and between.min() < _BETWEEN * soft[second])


def _smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a path of averages over 0.8 s, which moves by _FASTEST in a second at most."""
    groups = itertools.groupby(points, key=lambda point: int(point[0] / 0.8))
    means = [tuple(np.mean(list(group), axis=0)) for _, group in groups]
    path = [(0.0, float(means[0][1]))]
    for second, middle in means[1:]:
        reach = _FASTEST * (float(second) - path[-1][0])
        moved = path[-1][1] + min(max(float(middle) - path[-1][1], -reach), reach)
        path.append((round(float(second), 2), round(moved, 4)))
    return path

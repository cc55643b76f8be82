"""Transitions between two scenes.

Each makes one frame from two at a progress of 0 to 1, and may draw on both.
"""

from collections.abc import Callable

import cv2
import numpy as np

from render.picture.planes import Frame, Plane, part


def _slowed(at: float) -> float:
    """Ease in and out (smoothstep of the fifth order)."""
    return at * at * at * (at * (at * 6 - 15) + 10)


def cut(first: Frame, second: Frame, at: float) -> Frame:
    """Show the new scene from the middle on."""
    return second if at >= 0.5 else first


def fade(first: Frame, second: Frame, at: float) -> Frame:
    """Blend from the old scene to the new one."""
    first.mix(second, _slowed(at))
    return first


def slide(first: Frame, second: Frame, at: float) -> Frame:
    """Move the new scene in from the right, over the old one, which darkens a little."""
    shift = _even(first.width * (1 - _slowed(at)))
    cv2.convertScaleAbs(first.luma, dst=first.luma, alpha=1 - 0.35 * at, beta=16 * 0.35 * at)
    for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True)):
        width, height, left = first.width >> level, first.height >> level, shift >> level
        if left < width:
            cv2.copyTo(part(new, 0, height, 0, width - left), None, part(old, 0, height, left, width))  # type: ignore[call-overload]
    return first


def push(first: Frame, second: Frame, at: float) -> Frame:
    """Move both: the new scene pushes the old one up (tall pictures) or to the left (others)."""
    upright = first.height > first.width
    length = first.height if upright else first.width
    shift = _even(length * _slowed(at))
    if shift in (0, length):
        return second if shift else first
    moved = _up if upright else _aside
    width, height = first.width, first.height
    luma, chroma = (
        moved(old, new, shift >> level, width >> level, height >> level)
        for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True))
    )
    return Frame(luma, chroma, width, height)


def _up(old: Plane, new: Plane, shift: int, width: int, height: int) -> Plane:
    return cv2.vconcat([part(old, shift, height, 0, width), part(new, 0, shift, 0, width)])


def _aside(old: Plane, new: Plane, shift: int, width: int, height: int) -> Plane:
    return cv2.hconcat([part(old, 0, height, shift, width), part(new, 0, height, 0, shift)])


def wipe(first: Frame, second: Frame, at: float) -> Frame:
    """Reveal the new scene behind a soft diagonal edge that crosses the picture."""
    width, height = first.width, first.height
    luma, chroma = (
        _wiped(old, new, width >> level, height >> level, at)
        for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True))
    )
    return Frame(luma, chroma, width, height)


def _wiped(old: Plane, new: Plane, width: int, height: int, at: float) -> Plane:
    slant, soft = 0.22, 0.10
    edge = -slant - soft + _slowed(at) * (1 + 2 * (slant + soft))
    across = np.arange(width, dtype=np.float32)[None, :] / width
    down = np.arange(height, dtype=np.float32)[:, None] / height * slant
    share = np.clip((edge + soft - across - down + slant / 2) / (2 * soft), 0, 1)
    return cv2.blendLinear(new, old, share, 1 - share)


def zoom(first: Frame, second: Frame, at: float) -> Frame:
    """Enlarge the old scene while the new one, at first a little too large, appears behind it."""
    share = _slowed(at)
    for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True)):
        size = (first.width >> level, first.height >> level)
        cv2.addWeighted(
            _enlarged(old, size, 1 + 0.35 * share),
            1 - share,
            _enlarged(new, size, 1.18 - 0.18 * share),
            share,
            0,
            dst=old,
        )
    return first


def _enlarged(plane: Plane, size: tuple[int, int], factor: float) -> Plane:
    width, height = size
    matrix = np.array(
        [[1 / factor, 0, width / 2 * (1 - 1 / factor)], [0, 1 / factor, height / 2 * (1 - 1 / factor)]]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    # The border is never visible. OpenCV warps on an OpenCL device with a constant border only.
    return cv2.warpAffine(plane, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT)


def _even(value: float) -> int:
    return round(value / 2) * 2


KINDS: dict[str, Callable[[Frame, Frame, float], Frame]] = {
    "cut": cut,
    "fade": fade,
    "slide": slide,
    "push": push,
    "wipe": wipe,
    "zoom": zoom,
}

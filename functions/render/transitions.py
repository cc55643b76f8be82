"""From one scene to the next: six ways, each making one frame of two at a progress between 0 and 1."""

from collections.abc import Callable

import cv2
import numpy as np

from .colour import Pixels
from .planes import Frame


def _slowed(at: float) -> float:
    """Starts and lands softly (smoothstep of the fifth order)."""
    return at * at * at * (at * (at * 6 - 15) + 10)


def cut(first: Frame, second: Frame, at: float) -> Frame:
    return second if at >= 0.5 else first


def fade(first: Frame, second: Frame, at: float) -> Frame:
    first.mix(second, _slowed(at))
    return first


def slide(first: Frame, second: Frame, at: float) -> Frame:
    """The new scene comes in over the old one from the right; the old one darkens a little."""
    shift = _even(first.width * (1 - _slowed(at)))
    cv2.convertScaleAbs(first.luma, dst=first.luma, alpha=1 - 0.35 * at, beta=16 * 0.35 * at)
    for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True)):
        part = shift >> level
        old[:, part:] = new[:, : new.shape[1] - part]
    return first


def push(first: Frame, second: Frame, at: float) -> Frame:
    """Both move: the new scene pushes the old one up (tall pictures) or to the left (others)."""
    axis = 0 if first.height > first.width else 1
    shift = _even(first.luma.shape[axis] * _slowed(at))
    luma, chroma = (_moved(old, new, shift >> level, axis) for level, (old, new) in enumerate(zip(first.planes, second.planes, strict=True)))
    return Frame(luma, chroma)


def _moved(old: Pixels, new: Pixels, part: int, axis: int) -> Pixels:
    return np.concatenate([old[part:], new[:part]] if axis == 0 else [old[:, part:], new[:, :part]], axis)


def wipe(first: Frame, second: Frame, at: float) -> Frame:
    """A soft diagonal edge travels across the picture."""
    luma, chroma = (_wiped(old, new, at) for old, new in zip(first.planes, second.planes, strict=True))
    return Frame(luma, chroma)


def _wiped(old: Pixels, new: Pixels, at: float) -> Pixels:
    height, width = old.shape[:2]
    slant, soft = 0.22, 0.10
    edge = -slant - soft + _slowed(at) * (1 + 2 * (slant + soft))
    across = np.arange(width, dtype=np.float32)[None, :] / width
    down = np.arange(height, dtype=np.float32)[:, None] / height * slant
    share = np.clip((edge + soft - across - down + slant / 2) / (2 * soft), 0, 1)
    return cv2.blendLinear(new, old, share, 1 - share)  # type: ignore[return-value]


def zoom(first: Frame, second: Frame, at: float) -> Frame:
    """The old scene comes closer while the new one, a little too large, settles behind it."""
    share = _slowed(at)
    for old, new in zip(first.planes, second.planes, strict=True):
        cv2.addWeighted(_enlarged(old, 1 + 0.35 * share), 1 - share, _enlarged(new, 1.18 - 0.18 * share), share, 0, dst=old)
    return first


def _enlarged(plane: Pixels, factor: float) -> Pixels:
    height, width = plane.shape[:2]
    matrix = np.array([[1 / factor, 0, width / 2 * (1 - 1 / factor)], [0, 1 / factor, height / 2 * (1 - 1 / factor)]])
    return cv2.warpAffine(plane, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _even(value: float) -> int:
    return round(value / 2) * 2


KINDS: dict[str, Callable[[Frame, Frame, float], Frame]] = {"cut": cut, "fade": fade, "slide": slide, "push": push, "wipe": wipe, "zoom": zoom}

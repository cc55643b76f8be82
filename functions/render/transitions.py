"""From one scene to the next: six ways, each drawing two frames into one at a progress between 0 and 1."""

from collections.abc import Callable

import cv2
import numpy as np

from .planes import Frame


def _slowed(at: float) -> float:
    """Starts and lands softly (smoothstep of the fifth order)."""
    return at * at * at * (at * (at * 6 - 15) + 10)


def cut(first: Frame, second: Frame, out: Frame, at: float) -> None:
    out.copy_from(second if at >= 0.5 else first)


def fade(first: Frame, second: Frame, out: Frame, at: float) -> None:
    share = _slowed(at)
    cv2.addWeighted(first.buffer, 1 - share, second.buffer, share, 0, dst=out.buffer)


def slide(first: Frame, second: Frame, out: Frame, at: float) -> None:
    """The new scene comes in over the old one from the right; the old one darkens a little."""
    shift = _even(out.width * (1 - _slowed(at)))
    cv2.convertScaleAbs(first.y, dst=out.y, alpha=1 - 0.35 * at, beta=16 * 0.35 * at)
    np.copyto(out.u, first.u)
    np.copyto(out.v, first.v)
    for target, source, part in _with_shift(out, second, shift):
        target[:, part:] = source[:, : source.shape[1] - part]


def push(first: Frame, second: Frame, out: Frame, at: float) -> None:
    """Both move: the new scene pushes the old one up (tall pictures) or to the left (others)."""
    if out.height > out.width:
        shift = _even(out.height * _slowed(at))
        for level, (target, old, new) in enumerate(zip(out.planes, first.planes, second.planes, strict=True)):
            part = shift // 2 if level else shift
            target[: target.shape[0] - part] = old[part:]
            target[target.shape[0] - part :] = new[:part]
        return
    shift = _even(out.width * _slowed(at))
    for level, (target, old, new) in enumerate(zip(out.planes, first.planes, second.planes, strict=True)):
        part = shift // 2 if level else shift
        target[:, : target.shape[1] - part] = old[:, part:]
        target[:, target.shape[1] - part :] = new[:, :part]


def wipe(first: Frame, second: Frame, out: Frame, at: float) -> None:
    """A soft diagonal edge travels across the picture."""
    for target, old, new in zip(out.planes, first.planes, second.planes, strict=True):
        height, width = target.shape
        slant, soft = 0.22, 0.10
        edge = -slant - soft + _slowed(at) * (1 + 2 * (slant + soft))
        across = np.arange(width, dtype=np.float32)[None, :] / width
        down = np.arange(height, dtype=np.float32)[:, None] / height * slant
        share = np.clip((edge + soft - across - down + slant / 2) / (2 * soft), 0, 1)
        np.copyto(target, cv2.blendLinear(new, old, share, 1 - share))


def zoom(first: Frame, second: Frame, out: Frame, at: float) -> None:
    """The old scene comes closer while the new one, a little too large, settles behind it."""
    share = _slowed(at)
    for target, old, new in zip(out.planes, first.planes, second.planes, strict=True):
        near, far = _enlarged(old, 1 + 0.35 * share), _enlarged(new, 1.18 - 0.18 * share)
        cv2.addWeighted(near, 1 - share, far, share, 0, dst=target)


def _enlarged(plane: "np.typing.NDArray[np.uint8]", factor: float) -> "np.typing.NDArray[np.uint8]":
    height, width = plane.shape
    matrix = np.array([[1 / factor, 0, width / 2 * (1 - 1 / factor)], [0, 1 / factor, height / 2 * (1 - 1 / factor)]])
    return cv2.warpAffine(plane, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _even(value: float) -> int:
    return round(value / 2) * 2


def _with_shift(out: Frame, source: Frame, shift: int) -> "list[tuple[np.typing.NDArray[np.uint8], np.typing.NDArray[np.uint8], int]]":
    return [(target, plane, shift // 2 if level else shift) for level, (target, plane) in enumerate(zip(out.planes, source.planes, strict=True))]


KINDS: dict[str, Callable[[Frame, Frame, Frame, float], None]] = {"cut": cut, "fade": fade, "slide": slide, "push": push, "wipe": wipe, "zoom": zoom}

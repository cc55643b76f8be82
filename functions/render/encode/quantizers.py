"""Choose a constant quantizer for x264 where its rate control would give nearly the same one to every frame.

To follow a CRF, x264 analyses each frame in half size. At ultrafast that is a fifth of its time (5.7 instead
of 4.5 ms a frame); slower presets need the analysis for other choices too. But a shot keeps its quantizer for
seconds (measured: photographs 17 to 18, cards 17 to 19, clips 20). So the CRF encodes the first half second
of a shot, and what follows gets the quantizer that it chose. If the bytes then grow, the CRF chooses again;
if they shrink, the quantizer is lowered.

Everything depends on the piece's own frames, so its bytes are the same on every machine.
"""

import math
from collections.abc import Collection, Iterable
from typing import Any

import av

# FF_QP2LAMBDA: the unit of a packet's quality.
_UNITS = 118
# The CRF gives the first frames after a key frame higher quantizers. Those of the later ones must lie this
# close together, or the picture is changing.
_SETTLED, _STEADY = 8, 2
# The mean of a group is rounded up from this fraction on.
_ROUNDED_UP = 0.25
# The CRF's quantizer moves by 2.4 when a picture gets twice as complex (x264: qcomp 0.6), and with a constant
# quantizer the bytes grow with the complexity. So within this factor it would move by little more than one.
# Captions alone change the bytes by up to 1.38.
_CHANGED = 1.4
# Below this nobody sees a difference. x264 takes 0 as lossless, which has other stream headers, and a packet
# that does not say its quantizer counts as 0.
_LOWEST = 8


class Quantizers:
    """Choose the quantizer of each group of pictures (a key frame and those up to the next) of one piece."""

    def __init__(self, length: int, changes: Collection[int]) -> None:
        """`length` is that of a group in frames, `changes` are frames with which something else begins."""
        self.length, self._changes = length, changes
        self.current: int | None = None
        # Mean bytes of a frame since the quantizer was chosen; 0 before the first group.
        self._usual = 0.0
        # Quantizer and bytes of the group's frames that are no key frames.
        self._seen: list[tuple[int, int]] = []

    def feed(self, packets: "Iterable[av.Packet[Any]]") -> None:
        """Add packets of the current group."""
        self._seen += [(_quantizer(packet), packet.size) for packet in packets if not packet.is_keyframe]

    def next_group(self, first: int) -> int | None:
        """Return the quantizer of the group that begins with frame `first`, or None: the CRF chooses."""
        seen, self._seen = self._seen, []
        changes = any(abs(change - first) < self.length for change in self._changes)
        # x264 returns each packet with the next frame, so a new encoder's last one is missing.
        if changes or len(seen) < self.length - 2:
            self.current = None
        elif self.current is None:
            self.current, self._usual = _settled([quantizer for quantizer, _ in seen]), 0.0
        else:
            self._adapt(sum(size for _, size in seen) / len(seen))
        return self.current

    def _adapt(self, mean_bytes: float) -> None:
        assert self.current is not None
        self._usual = self._usual or mean_bytes
        if mean_bytes > self._usual * _CHANGED:
            # What moves now may end soon, so the CRF looks at it.
            self.current = None
        elif mean_bytes < self._usual / _CHANGED:
            # The CRF would begin with a key frame that is worse than those around it.
            self.current, self._usual = max(_LOWEST, self.current - 1), 0.0


def _settled(quantizers: list[int]) -> int | None:
    """Return the quantizer that stands for those of a group. None if they differ much or are very low."""
    last = quantizers[-_SETTLED:]
    if min(last) < _LOWEST or max(last) - min(last) > _STEADY:
        return None
    return math.ceil(sum(quantizers) / len(quantizers) - _ROUNDED_UP)


def _quantizer(packet: "av.Packet[Any]") -> int:
    if not packet.has_sidedata("quality_stats"):
        return 0
    return round(int.from_bytes(bytes(packet.get_sidedata("quality_stats"))[:4], "little") / _UNITS)

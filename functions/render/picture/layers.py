"""Animated sprites: the parts of title cards and generated scenes."""

from dataclasses import dataclass

from render.picture.planes import Frame, Sprite


@dataclass(frozen=True)
class Layer:
    """A sprite at its final position (`x`, `y`), with the way it enters and leaves.

    `entry` is "rise" (moves up by `rise` pixels and fades in), "grow_right", "grow_up" or "fade". Times are
    seconds from the start of its scene or title card; `leave_s` is when it has faded out.
    """

    sprite: Sprite
    x: int
    y: int
    enter_s: float = 0.0
    entry: str = "rise"
    entry_s: float = 0.55
    leave_s: float | None = None
    rise: int = 40

    def paint(self, frame: Frame, at_s: float, entered: bool = False) -> None:
        """Draw the sprite at `at_s`. With `entered` it has no entry animation."""
        progress = 1.0 if entered else (at_s - self.enter_s) / self.entry_s
        if progress <= 0 or (self.leave_s is not None and at_s >= self.leave_s):
            return
        share = settled(min(1.0, progress))
        opacity = 1.0 if self.leave_s is None else min(1.0, (self.leave_s - at_s) / LEAVE_S)
        match self.entry:
            case "rise":
                self.sprite.blend(frame, self.x, self.y + round((1 - share) * self.rise), share * opacity)
            case "grow_right":
                self._part(frame, 0, 0, round(self.sprite.width * share), self.sprite.height, opacity)
            case "grow_up":
                self._part(
                    frame,
                    0,
                    round(self.sprite.height * (1 - share)),
                    self.sprite.width,
                    self.sprite.height,
                    opacity,
                )
            case _:
                self.sprite.blend(frame, self.x, self.y, share * opacity)

    def _part(self, frame: Frame, left: int, top: int, right: int, bottom: int, opacity: float) -> None:
        if right - left >= 2 and bottom - top >= 2:
            self.sprite.blend(frame, self.x, self.y, opacity, (left, top, right, bottom))


LEAVE_S = 0.35


def settled(at: float) -> float:
    """Ease out: fast at first, then slower (a quintic curve)."""
    return 1 - (1 - at) ** 5 if at < 1 else 1.0

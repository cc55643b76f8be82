"""Which frames each shot and its transitions cover."""

from dataclasses import dataclass

from render.plan.timeline import Timeline, Transition


@dataclass(frozen=True)
class Span:
    """The frames of a shot. [first, last) includes its transitions, [start, end) are its own."""

    first: int
    start: int
    end: int
    last: int


def spans(timeline: Timeline) -> list[Span]:
    """Return the frame range of each shot of `timeline.shots`."""
    shots = timeline.shots
    starts = [round(shot.start_s * timeline.fps) for shot in shots] + [timeline.frame_count]
    halves = [
        0,
        *(_half(shots[index].transition, index, starts, timeline.fps) for index in range(1, len(shots))),
        0,
    ]
    return [
        Span(starts[i] - halves[i], starts[i], starts[i + 1], starts[i + 1] + halves[i + 1])
        for i in range(len(shots))
    ]


def _half(transition: Transition, index: int, starts: list[int], fps: int) -> int:
    """Return half of the transition into a shot, in frames.

    It is at most a third of either shot, so that two transitions do not overlap.
    """
    if transition.kind == "cut":
        return 0
    shorter = min(starts[index] - starts[index - 1], starts[index + 1] - starts[index])
    return max(0, min(round(transition.duration_s * fps / 2), shorter // 3))

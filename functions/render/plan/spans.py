"""Which frames each scene and its transitions cover."""

from dataclasses import dataclass

from render.plan.timeline import Timeline


@dataclass(frozen=True)
class Span:
    """The frames of a scene. [first, last) includes its transitions, [start, end) are its own."""

    first: int
    start: int
    end: int
    last: int


def spans(timeline: Timeline) -> list[Span]:
    """Return the frame range of each scene."""
    starts = [round(scene.start_s * timeline.fps) for scene in timeline.scenes] + [timeline.frame_count]
    halves = [0] + [_half(timeline, index, starts) for index in range(1, len(timeline.scenes))] + [0]
    return [
        Span(starts[i] - halves[i], starts[i], starts[i + 1], starts[i + 1] + halves[i + 1])
        for i in range(len(timeline.scenes))
    ]


def _half(timeline: Timeline, index: int, starts: list[int]) -> int:
    """Return half of the transition into a scene, in frames.

    It is at most a third of either scene, so that two transitions do not overlap.
    """
    transition = timeline.scenes[index].transition
    if transition.kind == "cut":
        return 0
    shorter = min(starts[index] - starts[index - 1], starts[index + 1] - starts[index])
    return max(0, min(round(transition.duration_s * timeline.fps / 2), shorter // 3))

"""Cut a video into pieces that are encoded one by one."""

from render.plan.spans import Span, spans
from render.plan.timeline import Timeline

# Long enough that starting an encoder and its extra key frame cost little; short enough that a reclaimed host
# loses little.
LONGEST_S = 8.0
# A piece ends with a shot that ends within this share of the piece's length of its planned end, so that a
# shot's picture is prepared once. A shot that ends with a hard cut is preferred: no frame of the piece then
# shows the next shot, so a change of that one leaves the piece as it is.
SNAP = 0.5
# Near the end of the video each piece takes a third of the rest, so that all cores finish together. Starting
# a shorter piece than this would cost more than it saves.
SHORTEST_S = 1.0


def cuts(timeline: Timeline) -> list[tuple[int, int]]:
    """Return the frame ranges [first, last) of the pieces.

    They depend on the timeline only, so a resumed render on another machine finds the same pieces.
    """
    shots = spans(timeline)
    clips = [
        (span.first, span.last)
        for span, shot in zip(shots, timeline.shots, strict=True)
        if shot.visual.kind == "clip"
    ]
    ranges: list[tuple[int, int]] = []
    start = 0
    while start < timeline.frame_count:
        end = _next_cut(start, timeline.frame_count, timeline.fps, shots, clips)
        ranges.append((start, end))
        start = end
    return ranges


def _next_cut(start: int, total: int, fps: int, shots: list[Span], clips: list[tuple[int, int]]) -> int:
    length = round(max(SHORTEST_S, min(LONGEST_S, (total - start) / fps / 3)) * fps)
    planned = start + length
    near = [span for span in shots if abs(span.start - planned) <= SNAP * length]
    hard = [span for span in near if span.first == span.start]
    end = min((span.start for span in hard or near), key=lambda at: abs(at - planned), default=planned)
    if total - end < fps * SHORTEST_S / 2:
        end = total
    for first, last in clips:
        if first < end < last:
            # A clip is decoded from its start, so it is only cut if it is very long.
            end = last if last - start <= 4 * LONGEST_S * fps else end
    return min(total, end)

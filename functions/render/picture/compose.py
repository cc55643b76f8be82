"""Draw any frame of a video by its number: the shot or transition, and the overlays above it."""

from collections import OrderedDict
from pathlib import Path

from render.picture import clips, colour, generated, layout, overlays, stills, transitions
from render.picture.layers import Layer
from render.picture.motifs import Lights
from render.picture.motion import Move, Plate
from render.picture.planes import Frame
from render.plan.spans import spans
from render.plan.timeline import Output, Scene, Timeline
from render.text import captions

# A transition needs two shots. A third one would only cost memory.
PAINTERS_KEPT = 2
_Painter = clips.ClipPainter | stills.StillPainter | generated.GeneratedPainter


class Composer:
    """Draws frames of one output. It holds decoders and sprites, so each process needs its own."""

    def __init__(
        self,
        timeline: Timeline,
        output: Output,
        files: dict[str, Path],
        gpu: bool = False,
        on_device: bool = False,
    ) -> None:
        """`files` are local paths by asset URI.

        `gpu`: decode clips with NVDEC. `on_device`: draw with OpenCL.
        """
        self.timeline, self.output, self.files, self.gpu, self.on_device = (
            timeline,
            output,
            files,
            gpu,
            on_device,
        )
        self.shots, self.spans = timeline.shots, spans(timeline)
        # The scene that each shot belongs to.
        self._scenes = tuple(scene for scene in timeline.scenes for _ in scene.shots)
        self._painters: OrderedDict[int, _Painter] = OrderedDict()
        # What is typeset over the pictures of these painters.
        self._overlays: dict[int, list[Layer | Lights]] = {}
        self._last_heading: tuple[Scene, overlays.Heading] | None = None
        self._captions = (
            captions.Painter(timeline, output) if timeline.captions and timeline.captions.burn_in else None
        )
        self._title = overlays.TitleCard(timeline, output) if timeline.title_card else None
        self._marks = self._fixed_marks()

    def _fixed_marks(self) -> list[Layer]:
        marks = [overlays.demo_mark(self.output)] if self.timeline.demo else []
        if self.timeline.logo:
            marks.append(
                overlays.logo(self.files[self.timeline.logo.uri], self.timeline.logo.uri, self.output)
            )
        return marks

    def draw(self, number: int) -> Frame:
        """Return frame `number` of the video in main memory. Numbers must ascend within a clip's shot."""
        at_s = (number + 0.5) / self.timeline.fps
        index = self._shot_at(number)
        frame = self._shots(number, index)
        covered = self._title is not None and self._title.start_s <= at_s < self._title.end_s
        scene = self._scenes[index]
        if layout.shows_heading(scene.heading, self.shots[index].visual) and not covered:
            self._heading(scene).paint(frame, at_s - self._text_start(scene.start_s))
        if self._title:
            self._title.paint(frame, at_s)
        if self._captions:
            self._captions.paint(frame, at_s)
        for mark in self._marks:
            mark.paint(frame, at_s)
        self._close_finished(number)
        return frame.downloaded() if self.on_device else frame

    def _shot_at(self, number: int) -> int:
        low, high = 0, len(self.spans) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.spans[middle].start <= number else (low, middle - 1)
        return low

    def _shots(self, number: int, index: int) -> Frame:
        span = self.spans[index]
        incoming = None
        if number < 2 * span.start - span.first:
            incoming = index
        elif number >= 2 * span.end - span.last:
            incoming = index + 1
        if incoming is None or not 0 < incoming < len(self.spans):
            return self._shot(index, number)
        opening = self.spans[incoming]
        if opening.first == opening.start:
            return self._shot(index, number)
        first, second = self._shot(incoming - 1, number), self._shot(incoming, number)
        progress = (number + 0.5 - opening.first) / (2 * (opening.start - opening.first))
        return transitions.KINDS[self.shots[incoming].transition.kind](first, second, progress)

    def _shot(self, index: int, number: int) -> Frame:
        span = self.spans[index]
        painter = self._painter(index)
        progress = (number + 0.5 - span.first) / (span.last - span.first)
        start_s = self.shots[index].start_s
        covered_s = self._text_start(start_s) - start_s
        at_s = (number + 0.5 - span.start) / self.timeline.fps
        if isinstance(painter, generated.GeneratedPainter):
            return painter.paint(at_s, progress, covered_s)
        if isinstance(painter, clips.ClipPainter):
            frame = painter.paint(number - span.first)
        else:
            frame = painter.paint(progress)
        for drawing in self._overlays.get(index, ()):
            drawing.paint(frame, at_s - covered_s)
        return frame

    def _close_finished(self, number: int) -> None:
        """Stop the decoders of clips whose last frame is drawn: each holds ten pictures and more."""
        for index, painter in list(self._painters.items()):
            if isinstance(painter, clips.ClipPainter) and number + 1 >= self.spans[index].last:
                painter.close()
                del self._painters[index]

    def _painter(self, index: int) -> _Painter:
        if index in self._painters:
            self._painters.move_to_end(index)
            return self._painters[index]
        while len(self._painters) >= PAINTERS_KEPT:
            gone, old = self._painters.popitem(last=False)
            self._overlays.pop(gone, None)
            if isinstance(old, clips.ClipPainter):
                old.close()
        painter = self._painters[index] = self._new_painter(index)
        if self.shots[index].visual.overlay:
            self._overlays[index] = self._overlay(index)
        if self.on_device:
            painter.upload()
        return painter

    def _new_painter(self, index: int) -> _Painter:
        shot, span = self.shots[index], self.spans[index]
        visual, width, height = shot.visual, self.output.width, self.output.height
        if visual.generated:
            length_s = (span.end - span.start) / self.timeline.fps
            return generated.painter(shot, self._scenes[index].heading, self.timeline, self.output, length_s)
        assert visual.asset is not None
        name = visual.asset.uri
        if visual.kind == "clip":
            return clips.ClipPainter(
                self.files[name],
                name,
                visual,
                width,
                height,
                self.timeline.fps,
                self.gpu,
                self.output.name,
                span.last - span.first,
            )
        # As large as the plate needs, before it is known whether the file has to be rotated.
        side = max(Plate.size(width, height, Move(visual.motion, visual.amount).headroom))
        rgb = stills.load(self.files[name], name, side, colour.parse(self.timeline.palette.background))
        return stills.StillPainter(rgb, visual, width, height)

    def _overlay(self, index: int) -> list[Layer | Lights]:
        span, scene = self.spans[index], self._scenes[index]
        length_s = (span.end - span.start) / self.timeline.fps
        return generated.overlay(self.shots[index], scene.heading, self.timeline, self.output, length_s)

    def _heading(self, scene: Scene) -> overlays.Heading:
        if self._last_heading is None or self._last_heading[0] is not scene:
            drawn = overlays.Heading(scene.heading or "", self.timeline, self.output, self._marks)
            self._last_heading = scene, drawn
        return self._last_heading[1]

    def _text_start(self, start_s: float) -> float:
        """Return when a text that starts at `start_s` appears: then, or after the title card."""
        title = self._title
        if title and title.start_s <= start_s < title.end_s:
            return title.end_s
        return start_s

    def close(self) -> None:
        """Stop the decoders of clips."""
        for painter in self._painters.values():
            if isinstance(painter, clips.ClipPainter):
                painter.close()
        self._painters.clear()

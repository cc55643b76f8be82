"""Draw any frame of a video by its number: the scene or transition, and the overlays above it."""

from collections import OrderedDict
from pathlib import Path

from render.picture import clips, colour, generated, layout, overlays, stills, transitions
from render.picture.layers import Layer
from render.picture.motion import Move, Plate
from render.picture.planes import Frame
from render.plan.spans import Span, spans
from render.plan.timeline import Output, Scene, Timeline
from render.text import captions

# A transition needs two scenes. A third one would only cost memory.
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
        self.spans = spans(timeline)
        self._painters: OrderedDict[int, _Painter] = OrderedDict()
        self._headings: dict[int, overlays.Heading] = {}
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
        """Return frame `number` of the video in main memory. Numbers must ascend within a clip's scene."""
        at_s = (number + 0.5) / self.timeline.fps
        index = self._scene_at(number)
        frame = self._scenes(number, index)
        covered = self._title is not None and self._title.start_s <= at_s < self._title.end_s
        if layout.shows_heading(self.timeline.scenes[index]) and not covered:
            self._heading(index).paint(frame, at_s - self._text_start(index))
        if self._title:
            self._title.paint(frame, at_s)
        if self._captions:
            self._captions.paint(frame, at_s)
        for mark in self._marks:
            mark.paint(frame, at_s)
        return frame.downloaded() if self.on_device else frame

    def _scene_at(self, number: int) -> int:
        low, high = 0, len(self.spans) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.spans[middle].start <= number else (low, middle - 1)
        return low

    def _scenes(self, number: int, index: int) -> Frame:
        span = self.spans[index]
        incoming = None
        if number < 2 * span.start - span.first:
            incoming = index
        elif number >= 2 * span.end - span.last:
            incoming = index + 1
        if incoming is None or not 0 < incoming < len(self.spans):
            return self._scene(index, number)
        opening = self.spans[incoming]
        if opening.first == opening.start:
            return self._scene(index, number)
        first, second = self._scene(incoming - 1, number), self._scene(incoming, number)
        progress = (number + 0.5 - opening.first) / (2 * (opening.start - opening.first))
        return transitions.KINDS[self.timeline.scenes[incoming].transition.kind](first, second, progress)

    def _scene(self, index: int, number: int) -> Frame:
        span = self.spans[index]
        painter = self._painter(index)
        if isinstance(painter, clips.ClipPainter):
            return painter.paint(number - span.first)
        progress = (number + 0.5 - span.first) / (span.last - span.first)
        if isinstance(painter, stills.StillPainter):
            return painter.paint(progress)
        covered_s = self._text_start(index) - self.timeline.scenes[index].start_s
        return painter.paint((number + 0.5 - span.start) / self.timeline.fps, progress, covered_s)

    def _painter(self, index: int) -> _Painter:
        if index in self._painters:
            self._painters.move_to_end(index)
            return self._painters[index]
        while len(self._painters) >= PAINTERS_KEPT:
            _, old = self._painters.popitem(last=False)
            if isinstance(old, clips.ClipPainter):
                old.close()
        painter = self._painters[index] = self._new_painter(self.timeline.scenes[index], self.spans[index])
        if self.on_device:
            painter.upload()
        return painter

    def _new_painter(self, scene: Scene, span: Span) -> _Painter:
        visual, width, height = scene.visual, self.output.width, self.output.height
        if visual.generated:
            return generated.painter(
                visual.generated,
                scene,
                self.timeline,
                self.output,
                (span.end - span.start) / self.timeline.fps,
            )
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
                span.last - span.first,
                self.gpu,
            )
        # As large as the plate needs, before it is known whether the file has to be rotated.
        side = max(Plate.size(width, height, Move(visual.motion, visual.amount).headroom))
        rgb = stills.load(self.files[name], name, side, colour.parse(self.timeline.palette.background))
        return stills.StillPainter(rgb, visual, width, height)

    def _heading(self, index: int) -> overlays.Heading:
        if index not in self._headings:
            self._headings = {
                index: overlays.Heading(
                    self.timeline.scenes[index].heading or "", self.timeline, self.output, self._marks
                )
            }
        return self._headings[index]

    def _text_start(self, index: int) -> float:
        """Return when a scene's heading and text appear: with the scene, or after the title card."""
        scene, title = self.timeline.scenes[index], self._title
        if title and title.start_s <= scene.start_s < title.end_s:
            return title.end_s
        return scene.start_s

    def close(self) -> None:
        """Stop the decoders of clips."""
        for painter in self._painters.values():
            if isinstance(painter, clips.ClipPainter):
                painter.close()
        self._painters.clear()

"""Draw and encode the pieces of a render in one process per core."""

import gc
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import Empty
from typing import Any

import av.logging
import cv2

from render import errors
from render.check import gate
from render.encode.encoders import Encoder
from render.encode.segments import Segment, Session, die_with_parent, is_usable, local
from render.errors import HostFailure, RenderError
from render.picture.compose import Composer
from render.picture.compositor import Compositor
from render.plan.timeline import Timeline
from render.storage import Destination


@dataclass(frozen=True)
class Work:
    """Hold the timeline, files and encoders that all pieces of a render share.

    `encoders` are by output name; `folder` holds intermediate files.
    """

    timeline: Timeline
    files: dict[str, Path]
    encoders: dict[str, Encoder]
    compositor: Compositor
    folder: Path
    destination: Destination


def _worker(work: Work, segments: list[Segment], following: Any, results: Any) -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)
    av.logging.set_level(av.logging.ERROR)
    try:
        for segment, drawn in _encoded(work, segments, following, results):
            work.destination.publish(local(work.folder, segment), segment.name)
            results.put(("segment", (segment.name, inspected(work, segment, drawn))))
        results.put(("end", None))
    except BaseException as failure:  # noqa: BLE001 - the parent raises it again
        results.put(("failed", error_document(failure)))


def _encoded(
    work: Work, segments: list[Segment], following: Any, results: Any
) -> Iterator[tuple[Segment, gate.Drawn]]:
    """Encode the pieces that this worker takes; yield each, and what was drawn, when its file is finished."""
    composer: Composer | None = None
    session: Session | None = None
    for segment in _next_segments(segments, following):
        encoder = work.encoders[segment.output.name]
        if composer is None or session is None or composer.output != segment.output:
            if session is not None:
                yield from _with_drawn(session, session.finish())
            on_device = work.compositor.on_device
            composer = Composer(work.timeline, segment.output, work.files, encoder.on_gpu, on_device)
            session = Session(encoder, segment.output, work.timeline.fps)
        counter = _FrameCounter(results)
        encoding = session.encode(segment, composer, local(work.folder, segment), counter)
        for finished in _with_drawn(session, encoding):
            # The parent stops counting when the last piece is stored.
            counter.flush()
            yield finished
        counter.flush()
    if session is not None:
        yield from _with_drawn(session, session.finish())


def _with_drawn(session: Session, finished: Iterator[Segment]) -> Iterator[tuple[Segment, gate.Drawn]]:
    for segment in finished:
        yield segment, session.drawn.pop(segment.name)


def _next_segments(segments: list[Segment], following: Any) -> Iterator[Segment]:
    """Take the next free piece, in order, until none is left.

    `following` is a counter shared by all workers.
    """
    while True:
        with following.get_lock():
            index = following.value
            following.value += 1
        if index >= len(segments):
            return
        yield segments[index]


class _FrameCounter:
    """Reports encoded frames to the parent about three times a second."""

    def __init__(self, results: Any) -> None:
        self.results, self.count, self.sent_at = results, 0, time.monotonic()

    def __call__(self, frames: int) -> None:
        self.count += frames
        if time.monotonic() - self.sent_at > 0.3:
            self.flush()

    def flush(self) -> None:
        """Report the frames counted so far."""
        if self.count:
            self.results.put(("frames", self.count))
        self.count, self.sent_at = 0, time.monotonic()


def inspected(work: Work, segment: Segment, drawn: gate.Drawn = ()) -> gate.PieceInspection | None:
    """Inspect an encoded piece (see `gate.inspect_piece`).

    Of a piece of an earlier run it is not known what was drawn: all its frames are decoded, unless the bytes
    of the encoder's frames tell where a picture stands still.
    """
    keys_only = work.encoders[segment.output.name].still_bits is not None
    path, start_s = local(work.folder, segment), segment.first / work.timeline.fps
    return gate.inspect_piece(path, work.timeline, segment.output, start_s, drawn, keys_only)


def error_document(failure: BaseException) -> dict[str, Any]:
    """Describe an exception for the parent process, which raises it again by its class name."""
    if isinstance(failure, RenderError):
        return {"class": type(failure).__name__, "message": failure.message, "asset": failure.asset}
    if isinstance(failure, OSError) and failure.errno == 28:
        return {"class": "DiskFull", "message": "The disk is full.", "asset": None}
    return {
        "class": "HostFailure",
        "message": "".join(traceback.format_exception_only(failure)).strip(),
        "asset": None,
        "trace": traceback.format_exc(),
    }


class Pool:
    """The worker processes of one render.

    They are forked, so create the pool before any thread is started.
    """

    def __init__(self, work: Work, segments: list[Segment], workers: int) -> None:
        context = multiprocessing.get_context("fork")
        self.work, self.segments = work, segments
        # A shared counter, because a pipe's capacity would limit the length of a video.
        following, self.results = context.Value("i", 0), context.Queue()
        missing = [segment for segment in segments if not self._resumed(segment)]
        self.resumed = len(segments) - len(missing)
        self.frames_before = sum(segment.last - segment.first for segment in segments) - sum(
            segment.last - segment.first for segment in missing
        )
        self.open = {segment.name for segment in missing}
        count = max(1, min(workers, len(missing)))
        self.processes: list[BaseProcess] = [
            context.Process(target=_worker, args=(work, missing, following, self.results), daemon=False)
            for _ in range(count if missing else 0)
        ]
        # These objects stay alive: garbage collection in the workers need not visit them, which would also
        # copy their pages.
        gc.freeze()
        for process in self.processes:
            process.start()

    def _resumed(self, segment: Segment) -> bool:
        """Return True if an earlier run's piece is there and can be joined with the pieces of this run."""
        path = local(self.work.folder, segment)
        stored = path.exists() or self.work.destination.fetch(segment.name, path)
        return stored and is_usable(path, self.work.encoders[segment.output.name])

    def wait(self, on_frames: Callable[[int], None]) -> dict[str, gate.PieceInspection | None]:
        """Wait until every piece is stored, and return what was seen in each by name.

        Raises a worker's error, or HostFailure if a worker was killed.
        """
        resumed = [segment for segment in self.segments if segment.name not in self.open]
        try:
            seen = {segment.name: inspected(self.work, segment) for segment in resumed}
            while self.open:
                self._take(on_frames, seen)
        finally:
            self.stop()
        return seen

    def _take(self, on_frames: Callable[[int], None], seen: dict[str, gate.PieceInspection | None]) -> None:
        try:
            kind, value = self.results.get(timeout=1.0)
        except Empty:
            dead = [process for process in self.processes if process.exitcode not in (None, 0)]
            if dead:
                raise HostFailure(
                    f"A drawing process was killed (exit code {dead[0].exitcode}); "
                    "most often because memory ran out."
                ) from None
            return
        if kind == "frames":
            on_frames(value)
        elif kind == "segment":
            name, seen[name] = value
            self.open.discard(name)
        elif kind == "failed":
            if "trace" in value:
                print(value["trace"], file=sys.stderr, flush=True)
            raise getattr(errors, value["class"])(value["message"], asset=value["asset"])

    def stop(self) -> None:
        """End the workers."""
        for process in self.processes:
            if self.open and process.is_alive():
                process.terminate()
            process.join(timeout=10)


def worker_count() -> int:
    """Return the number of worker processes: RENDER_WORKERS, or the cores that this process may use."""
    return int(os.environ.get("RENDER_WORKERS") or os.process_cpu_count() or 1)

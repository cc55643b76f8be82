"""Run one render: read, check, draw, mix, join, inspect, publish.

A restarted render continues with what was finished.
"""

import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2

from render import errors, ffmpeg, isolation, memory, storage
from render.check import gate
from render.encode import encoders, segments
from render.encode.workers import Pool, Work, error_document, worker_count
from render.errors import (
    AssetMissing,
    ClipsRejected,
    HostFailure,
    QualityRejected,
    RenderError,
    TimelineInvalid,
)
from render.picture import compositor, takes, thumbnail
from render.plan import assets, timeline
from render.plan.timeline import Output, Timeline
from render.sound import soundtrack
from render.storage import Destination
from render.text import bidi, fonts, subtitles
from render.text.pages import Page, paginate

Progress = Callable[[str, int, int], None]
# Caption pages by output name.
Pages = dict[str, tuple[Page, ...]]


def print_progress(phase: str, done: int, total: int) -> None:
    """Print a line of JSON for the caller of this program, with the id of the request that it is for."""
    line: dict[str, Any] = {"phase": phase, "done": done, "total": total}
    if request_id := os.environ.get("REQUEST_ID"):
        line["request_id"] = request_id
    print(json.dumps(line), flush=True)


class ProgressReporter:
    """Reports progress on standard output, and to progress.json in S3 at most once a second."""

    EVERY_S = 1.0

    def __init__(self, destination: Destination) -> None:
        self.destination, self.sent_at, self.phase = destination, 0.0, ""

    def __call__(self, phase: str, done: int, total: int) -> None:
        print_progress(phase, done, total)
        now = time.monotonic()
        # Reading the timeline is no progress of the video.
        if (
            self.destination.remote
            and phase != "read"
            and (now - self.sent_at >= self.EVERY_S or phase != self.phase)
        ):
            self.sent_at, self.phase = now, phase
            # Progress is optional. If S3 fails, a later step that needs it reports that.
            with suppress(errors.StorageUnavailable):
                self.destination.put_text(
                    json.dumps({"phase": phase, "done": done, "total": total}), "progress.json"
                )


class Clock:
    """Measures seconds by phase for report.json."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to a phase."""
        start = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0) + time.monotonic() - start, 3)


def read(uri: str) -> Timeline:
    """Read and validate a timeline. Raises AssetMissing, TimelineInvalid, StorageUnavailable."""
    try:
        document = json.loads(storage.read_bytes(uri))
    except FileNotFoundError as missing:
        raise AssetMissing(f"There is no timeline at {uri}", asset=uri) from missing
    except ValueError as broken:
        raise TimelineInvalid(f"The timeline is not JSON: {broken}", asset=uri) from broken
    return timeline.parse(document)


def render(uri: str, destination: Destination, progress: Progress | None = None) -> dict[str, Any]:
    """Render a timeline and return the report that was written.

    Raises RenderError; then nothing new is at the final names.
    """
    cv2.setNumThreads(1)
    memory.set_limits()
    progress = progress or ProgressReporter(destination)
    clock = Clock()
    with clock.phase("read"):
        plan = read(uri)
        destination.remove("error.json")
        folder = destination.scratch(plan.video_id)
        files = assets.fetch_all(plan, storage.parent(uri), folder)
        pages, missing_characters = _preflight(plan)
    progress("read", 1, 1)
    with clock.phase("clips"):
        plan, faults = _with_takes(plan, files)
        _require_clips(plan, faults)
    # Sound and thumbnails need no encoder, so they start before encoders are probed.
    side = SideProcess(plan, files, folder)
    try:
        with clock.phase("probe"):
            chosen = {
                output.name: encoders.choose(
                    output.codec, encoders.requested(), encoders.probe(output, plan.fps)
                )
                for output in plan.outputs
            }
            drawing = compositor.choose(compositor.requested())
        work = Work(plan, files, chosen, drawing, folder, destination)
        with clock.phase("frames"):
            pieces, inspections, resumed = _draw(work, progress)
        with clock.phase("sound"):
            track = side.result()
    except BaseException:
        side.stop()
        raise
    progress("sound", 1, 1)
    results = _finish_outputs(work, pieces, inspections, track, pages, clock, progress)
    notes = [f"No font has {sign!r}; it was left out." for sign in missing_characters]
    report = _report(work, results, [*notes, *track.notes], faults, clock, resumed)
    with clock.phase("publish"):
        _publish(plan, results, folder, destination, report)
    progress("publish", 1, 1)
    _tidy(folder, destination, {piece.name for piece in pieces})
    return report


def _with_takes(plan: Timeline, files: dict[str, Path]) -> tuple[Timeline, list[takes.Fault]]:
    """Return the timeline with the best part of each clip, and what is wrong with clips.

    Files are untrusted, so a process of its own decodes them: one that crashes it is shown as planned, and
    fails where it is drawn.
    """
    if not any(shot.visual.kind == "clip" for shot in plan.shots):
        return plan, []
    try:
        found: tuple[Timeline, list[takes.Fault]] = isolation.attempt(
            takes.choose_all, plan, files, worker_count()
        )
    except isolation.Failed as failure:
        print(f"The clips could not be looked at: {failure}", file=sys.stderr, flush=True)
        return plan, []
    return found


def _require_clips(plan: Timeline, faults: list[takes.Fault]) -> None:
    """Raise ClipsRejected if a clip has a fault and another one can take its place."""
    replaceable = {shot.id for shot in plan.shots if shot.visual.replaceable}
    found = [fault for fault in faults if fault.shot in replaceable]
    if found:
        raise ClipsRejected(
            f"Other clips are needed for {len(found)} shots. The first: {found[0].reason}",
            findings=[asdict(fault) for fault in found],
        )


def _preflight(plan: Timeline) -> tuple[Pages, list[str]]:
    """Check everything that needs no drawing: caption preset, fonts, characters.

    Returns the caption pages by output name, and the characters that no font has.
    """
    fonts.family(plan.font)
    bidi.require_shaping("".join(plan.texts()))
    return {output.name: paginate(plan, output) for output in plan.outputs}, sorted(
        set(fonts.missing("".join(plan.texts())))
    )


def _draw(
    work: Work, progress: Progress
) -> tuple[list[segments.Segment], dict[str, gate.PieceInspection | None], int]:
    """Draw and encode all pieces. Returns them, their inspections by name, and how many were resumed."""
    plan = work.timeline
    identities = {name: f"{path.stat().st_size}:{assets.sha256(path)}" for name, path in work.files.items()}
    pieces = [
        piece
        for output in plan.outputs
        for piece in segments.plan(plan, output, work.encoders[output.name], work.compositor, identities)
    ]
    pool = Pool(work, pieces, worker_count())
    # Look up the ffmpeg binary now, while the workers draw.
    ffmpeg.binary()
    total = plan.frame_count * len(plan.outputs)
    return pieces, pool.wait(_FrameProgress(progress, total, pool.frames_before)), pool.resumed


def _finish_outputs(
    work: Work,
    pieces: list[segments.Segment],
    inspections: dict[str, gate.PieceInspection | None],
    track: soundtrack.Track,
    pages: Pages,
    clock: Clock,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Join and inspect each output."""
    plan, results = work.timeline, []
    for number, output in enumerate(plan.outputs):
        own = [piece for piece in pieces if piece.output == output]
        with clock.phase("join"):
            video = work.folder / f"joined.{output.name}.mp4"
            segments.join(own, work.folder, track.path, plan.fps, video)
        progress("join", number + 1, len(plan.outputs))
        with clock.phase("inspect"):
            written = _write_captions(plan, output, pages[output.name], work.folder)
            found = gate.inspect(
                video,
                plan,
                output,
                track,
                written,
                len(pages[output.name]),
                work.files,
                work.encoders[output.name].still_bits,
                [inspections[piece.name] for piece in own],
            )
            results.append(_accept(output, video, written, found))
        progress("inspect", number + 1, len(plan.outputs))
    return results


class _FrameProgress:
    def __init__(self, progress: Progress, total: int, done: int) -> None:
        self.progress, self.total, self.done = progress, total, done
        progress("frames", done, total)

    def __call__(self, frames: int) -> None:
        self.done += frames
        self.progress("frames", self.done, self.total)


class SideProcess:
    """Makes sound and thumbnails in a separate process while frames are drawn."""

    def __init__(self, plan: Timeline, files: dict[str, Path], work: Path) -> None:
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self.process = context.Process(
            target=_run_side_process, args=(plan, files, work, sender), daemon=False
        )
        self.process.start()
        sender.close()

    def result(self) -> soundtrack.Track:
        """Wait for the process and return the soundtrack.

        Raises its error, or HostFailure if it was killed.
        """
        try:
            kind, value = self.receiver.recv()
        except EOFError as ended:
            self.process.join()
            raise HostFailure(
                f"The sound process was ended from outside (exit code {self.process.exitcode})."
            ) from ended
        self.process.join()
        if kind == "failed":
            if "trace" in value:
                print(value["trace"], file=sys.stderr, flush=True)
            raise getattr(errors, value["class"])(value["message"], asset=value["asset"])
        track: soundtrack.Track = value
        return track

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()


def _run_side_process(plan: Timeline, files: dict[str, Path], work: Path, sender: Any) -> None:
    segments.die_with_parent()
    try:
        result = soundtrack.produce(plan, files, work / "sound")
        memory.release()
        # Outputs share those of the same size.
        drawn: dict[tuple[int, int], bytes] = {}
        for number, output in enumerate(plan.outputs):
            for shape in thumbnail.shapes(output, number == 0):
                size = shape.width, shape.height
                if size not in drawn:
                    drawn[size] = thumbnail.make_jpeg(plan, files, shape)
                    memory.release()
                (work / shape.name).write_bytes(drawn[size])
        sender.send(("done", result))
    except BaseException as failure:  # noqa: BLE001 - the parent raises it again
        sender.send(("failed", error_document(failure)))


def _write_captions(plan: Timeline, output: Output, pages: tuple[Page, ...], work: Path) -> list[Path]:
    """Write the subtitle files and return their paths."""
    if plan.captions is None:
        return []
    paths = []
    for kind, text in {"srt": subtitles.srt(pages), "vtt": subtitles.vtt(pages, plan.language)}.items():
        paths.append(work / f"captions.{output.name}.{kind}")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def _accept(output: Output, video: Path, written: list[Path], found: gate.Inspection) -> dict[str, Any]:
    if found.findings:
        names = ", ".join(sorted({finding["name"] for finding in found.findings}))
        raise QualityRejected(
            f"The finished video did not pass inspection: {names}. {found.findings[0]['message']}",
            findings=found.findings,
        )
    return {"output": output, "video": video, "captions": written, "measured": found.measured}


def _names(plan: Timeline, output: Output) -> dict[str, str]:
    infix = "" if output == plan.outputs[0] else f".{output.name}"
    pictures = [shape.name for shape in thumbnail.shapes(output, output == plan.outputs[0])]
    upright = {"thumbnail_tall": pictures[1]} if len(pictures) > 1 else {}
    written = {} if plan.captions is None else {"srt": f"captions{infix}.srt", "vtt": f"captions{infix}.vtt"}
    return {"video": f"video{infix}.mp4", "thumbnail": pictures[0], **upright, **written}


def _beside(names: dict[str, str], result: dict[str, Any], folder: Path) -> dict[str, Path]:
    """Return where the files beside a video are, by their kind: thumbnails and captions."""
    captions = {path.suffix[1:]: path for path in result["captions"]}
    return {kind: captions.get(kind, folder / name) for kind, name in names.items() if kind != "video"}


def _report(
    work: Work,
    results: list[dict[str, Any]],
    notes: list[str],
    faults: list[takes.Fault],
    clock: Clock,
    resumed: int,
) -> dict[str, Any]:
    plan = work.timeline
    outputs = []
    for result in results:
        output, video = result["output"], result["video"]
        names = _names(plan, output)
        beside = _beside(names, result, work.folder)
        outputs.append(
            {
                "name": output.name,
                "file": names.pop("video"),
                **names,
                "bytes": video.stat().st_size,
                "sha256": assets.sha256(video),
                "sha256_beside": {kind: assets.sha256(path) for kind, path in beside.items()},
                "width": output.width,
                "height": output.height,
                "fps": plan.fps,
                "codec": output.codec,
                "encoder": _described(work.encoders[output.name]),
                "compositor": asdict(work.compositor),
                "measured": result["measured"],
            }
        )
    first = results[0]["measured"]
    return {
        "video_id": plan.video_id,
        "duration_s": first["duration_s"],
        "loudness_lufs": first["loudness_lufs"],
        "true_peak_dbtp": first["true_peak_dbtp"],
        "picture": first.get("picture"),
        "rejected_clips": [asdict(fault) for fault in faults],
        "outputs": outputs,
        "resumed_segments": resumed,
        "timings_s": clock.seconds,
        "findings": [],
        "notes": notes,
        "demo": plan.demo,
    }


def _described(encoder: encoders.Encoder) -> dict[str, str]:
    return {"name": encoder.name, "reason": encoder.reason, "device": encoder.device}


def _publish(
    plan: Timeline,
    results: list[dict[str, Any]],
    work: Path,
    destination: Destination,
    report: dict[str, Any],
) -> None:
    """Publish the video after its thumbnails and captions, and the report last: whoever sees the report finds
    everything else.
    """
    for result in results:
        names = _names(plan, result["output"])
        for kind, path in {**_beside(names, result, work), "video": result["video"]}.items():
            destination.publish(path, names[kind])
    destination.publish_json(report, "report.json", work)


def _tidy(work: Path, destination: Destination, pieces: set[str]) -> None:
    """Delete intermediate files, and pieces of other renders.

    In S3 the video's own pieces stay as long as the bucket's rule for them says (a week): a render with one
    other shot draws only that shot's piece again.
    """
    for name in set(destination.names("segments")) - pieces:
        destination.remove(name)
    shutil.rmtree(work, ignore_errors=True)
    if not destination.remote:
        shutil.rmtree(Path(destination.uri) / "segments", ignore_errors=True)


def fail(failure: RenderError, destination: Destination) -> None:
    """Write error.json to the destination. If that fails too, the log says so."""
    document = json.dumps(failure.as_document(), indent=2, ensure_ascii=False) + "\n"
    try:
        if destination.remote:
            destination.put_text(document, "error.json")
        else:
            Path(destination.uri).mkdir(parents=True, exist_ok=True)
            part = Path(destination.uri) / "error.json.part"
            part.write_text(document, encoding="utf-8")
            part.replace(part.with_suffix(""))
    except (OSError, RenderError) as unwritable:
        print(f"error.json could not be written: {unwritable}", file=sys.stderr)

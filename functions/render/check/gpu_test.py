"""Measure what this machine's GPU does for a render: python -m render --self-test --gpu

Each step runs in a process of its own, because a driver that does not match can crash or hang. A step that
fails prints its reason, and the next one runs. All steps together end within BUDGET_S.
"""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from render import ffmpeg, isolation, job
from render.encode import encoders
from render.encode.cards import find_card
from render.encode.encoders import Encoder
from render.errors import EXIT_GPU
from render.picture import compositor
from render.picture.clips import ClipPainter
from render.picture.compose import Composer
from render.plan import timeline
from render.plan.cuts import cuts
from render.plan.timeline import Asset, Output, Timeline, Visual
from render.storage import Destination

PRESETS = ("p1", "p2", "p4", "p6")
_CLIPS = {
    "h264": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
    "hevc_10_bit": (
        *("-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
        *("-x265-params", "log-level=error"),
    ),
}
NEED_CARD = ("context", "encode_fps", "decode_fps", "join")
# Less than three minutes. A step that is not done by then is ended, and later ones are skipped.
BUDGET_S = 170
# A step that takes longer hangs.
STEP_S = 60


def gpu_test(output: Output | None = None, frames: int = 150) -> int:
    """Print a line of JSON for each step, and return the exit code: 0 if the GPU's encoder works, else 5.

    `output` is the size to test at (1080x1920), `frames` the number of frames per measurement.
    """
    output = output or Output("main", 1080, 1920)
    started = time.monotonic()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="render-gpu-test-") as folder:
        steps: dict[str, Callable[[], Any]] = {
            "card": lambda: str(find_card() or "no NVIDIA card or driver"),
            "probe": lambda: _probe(output),
            "draw_fps": lambda: _draw(output, frames),
            "context": lambda: _open_twice(output),
            "encode_fps": lambda: _encode_by_preset(output, frames),
            "decode_fps": lambda: _decode(output, frames, Path(folder)),
            "join": lambda: _render(output, Path(folder), "gpu"),
        }
        for name, step in steps.items():
            begun = time.monotonic()
            left_s = BUDGET_S - (begun - started)
            if name in NEED_CARD and not _encodes(results):
                results[name] = "skipped: the GPU's encoder does not work"
            elif left_s <= 0:
                results[name] = "skipped: no time left"
            else:
                results[name] = _attempted(step, min(STEP_S, left_s))
            line = {"step": name, "seconds": round(time.monotonic() - begun, 2), "result": results[name]}
            print(json.dumps(line), flush=True)
    ok = isinstance(results["join"], dict)
    print(json.dumps({"ok": ok, "seconds": round(time.monotonic() - started, 1)}))
    return 0 if ok else EXIT_GPU


def _encodes(results: dict[str, Any]) -> bool:
    return isinstance(results["probe"], dict) and results["probe"]["h264_nvenc"].startswith("works")


def _attempted(step: Callable[[], Any], timeout_s: float) -> Any:
    try:
        return isolation.attempt(step, timeout_s=timeout_s)
    except isolation.Failed as failure:
        return f"failed: {failure}"


def _probe(output: Output) -> dict[str, str]:
    """Return for each encoder whether it works, in how many seconds, and the size of its still frames."""
    results = {}
    for name in ("h264_nvenc", "hevc_nvenc", "av1_nvenc", "libx264"):
        begun = time.monotonic()
        try:
            still = encoders.probe(output, 30)(name).still_bits
            size = "" if still is None else f", {still:.5f} bits per pixel when still"
            results[name] = f"works in {time.monotonic() - begun:.2f} s{size}"
        except isolation.Failed as failure:
            results[name] = str(failure)
    return results


def _open_twice(output: Output) -> dict[str, float]:
    """Return the seconds to open an encoder, and to open a second one beside it (context and session)."""
    results = {}
    with contextlib.ExitStack() as stack:
        for name in ("first_s", "second_s"):
            begun = time.monotonic()
            container = stack.enter_context(av.open(os.devnull, "w", format="null"))
            encoders.open_stream(container, Encoder("h264_nvenc", ""), output.width, output.height, 30)
            container.start_encoding()
            results[name] = round(time.monotonic() - begun, 3)
    return results


def _encode_by_preset(output: Output, frames: int) -> dict[str, Any]:
    """Return frames per second and bytes for each NVENC preset, and for x264 on one thread.

    Opening the encoder is not counted: `_open_twice` measures it.
    """
    composer = Composer(_plan(output), output, {})
    drawn = [composer.draw(number) for number in range(0, 60, 2)]
    results: dict[str, Any] = {}
    for preset in (*PRESETS, "libx264"):
        encoder = Encoder("libx264" if preset == "libx264" else "h264_nvenc", "", still_bits=1.0)
        os.environ["RENDER_NVENC_PRESET"] = preset
        size = 0
        try:
            with av.open(os.devnull, "w", format="null") as container:
                stream = encoders.open_stream(container, encoder, output.width, output.height, 30)
                container.start_encoding()
                begun = time.monotonic()
                for number in range(frames):
                    # Forth and back, so that the picture moves without a jump.
                    at = number % (2 * len(drawn))
                    planes = drawn[min(at, 2 * len(drawn) - 1 - at)].planes
                    frame = av.VideoFrame.from_dlpack(planes, format="nv12")
                    frame.pts, frame.time_base = number, Fraction(1, 30)
                    size += sum(packet.size for packet in stream.encode(frame))
                size += sum(packet.size for packet in stream.encode())
            results[preset] = {"fps": round(frames / (time.monotonic() - begun), 1), "bytes": size}
        except (av.error.FFmpegError, OSError) as failure:
            results[preset] = str(failure)
    return results


def _draw(output: Output, frames: int) -> dict[str, Any]:
    """Return frames per second of drawing on one core, and on an OpenCL device if there is one."""
    results: dict[str, Any] = {}
    works, detail = compositor.works()
    for name, on_device in (("cpu", False), ("opencl", True)):
        if on_device and not works:
            results[name] = detail
            continue
        composer = Composer(_plan(output), output, {}, on_device=on_device)
        composer.draw(0)
        begun = time.monotonic()
        for number in range(frames):
            composer.draw(number % 60)
        results[name] = round(frames / (time.monotonic() - begun), 1)
    return results


def _decode(output: Output, frames: int, folder: Path) -> dict[str, Any]:
    """Return frames per second of decoding and scaling clips of 4K with NVDEC and on the CPU.

    One is H.264, the other HEVC with ten bits, as telephones write it: the card scales both formats.
    """
    results: dict[str, Any] = {}
    for kind, coding in _CLIPS.items():
        clip = folder / f"{kind}.mp4"
        source = ("-f", "lavfi", "-i", "testsrc2=s=3840x2160:r=30", "-frames:v", str(frames // 5))
        # Repeated: to encode so large a picture takes the longest.
        ffmpeg.run(*source, *coding, folder / "once.mp4")
        ffmpeg.run("-stream_loop", "4", "-i", folder / "once.mp4", "-c", "copy", clip)
        for name, gpu in (("nvdec", True), ("cpu", False)):
            shape = (output.width, output.height, 30, gpu)
            painter = ClipPainter(clip, clip.name, Visual("clip", Asset(clip.name)), *shape)
            begun = time.monotonic()
            for number in range(frames):
                painter.paint(number)
            fps = round(frames / (time.monotonic() - begun), 1)
            painter.close()
            helped = f"NVDEC failed; {fps} with the CPU's help"
            results[f"{name}_{kind}"] = fps if painter.gpu == gpu else helped
    return results


def _render(output: Output, folder: Path, request: str) -> dict[str, Any]:
    """Render several pieces with RENDER_ENCODER=`request`, and play the joined file to its end."""
    os.environ["RENDER_ENCODER"] = request
    path = folder / "timeline.json"
    path.write_text(json.dumps(_document(output, 12.0)))
    begun = time.monotonic()
    report = job.render(str(path), Destination(str(folder / "out")), lambda *_: None)
    seconds = time.monotonic() - begun
    played = sum(1 for _ in _played(folder / "out" / "video.mp4"))
    parsed = timeline.parse(_document(output, 12.0))
    pieces = len(cuts(parsed))
    if played != parsed.frame_count:
        raise RuntimeError(f"{played} of {parsed.frame_count} frames were played")
    encoder = report["outputs"][0]["encoder"]
    return {"encoder": encoder, "pieces": pieces, "played": played, "seconds": round(seconds, 2)} | {
        "timings_s": report["timings_s"]
    }


def _played(path: Path) -> Iterator[av.VideoFrame]:
    with ffmpeg.open_media(path) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        yield from container.decode(video=0)


def _plan(output: Output) -> Timeline:
    return timeline.parse(_document(output, 4.0))


def _document(output: Output, seconds: float) -> dict[str, Any]:
    """Return a timeline of a moving backdrop with a chart."""
    series = [{"label": label, "value": value} for label, value in (("One", 1), ("Two", 2), ("Three", 3))]
    chart = {"template": "chart_bar", "text": "GPU", "series": series}
    return {
        "schema_version": 1,
        "video_id": "gpu-test",
        "title": "GPU test",
        "outputs": [{"name": output.name, "width": output.width, "height": output.height}],
        "scenes": [
            {
                "id": "0",
                "start_s": 0,
                "end_s": seconds,
                "visual": {"kind": "generated", "generated": chart},
            }
        ],
        "music": {"mood": "calm"},
    }

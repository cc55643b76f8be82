"""Benchmark of the renderer's encoder options: CPU seconds, bytes and VMAF for each kind of content.

For each content the frames are drawn once, then encoded alternately with the preset's own options ("plain")
and as the renderer does it ("ours", see render.encode), on one thread as in a render. CPU seconds are the
median of the encoding alone. VMAF (model 0.6.1) is the mean and the 5th percentile of every fifth frame
against the drawn frames. `make bench-quality` calls it and writes $SHOWRUNNER_HOME/bench/quality.json; with
RENDER_X264_PRESET in the environment it measures that preset.
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "tests" / "render"), str(ROOT)]

import av  # noqa: E402
import cv2  # noqa: E402
import numpy as np  # noqa: E402
import samples  # noqa: E402

from render import ffmpeg  # noqa: E402
from render.encode import encoders, segments  # noqa: E402
from render.encode.encoders import Encoder  # noqa: E402
from render.picture import compose, planes  # noqa: E402
from render.picture.compositor import Compositor  # noqa: E402
from render.plan import timeline  # noqa: E402

WIDTH, HEIGHT, FPS = 1080, 1920, 30
BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")
SERIES = [
    {"label": label, "value": value}
    for label, value in (("Octopus", 3), ("Human", 1), ("Worm", 5), ("Hagfish", 4))
]
CONTENTS: dict[str, dict[str, Any]] = {
    "photograph": {
        "kind": "image",
        "asset": {"uri": "photo.jpg"},
        "motion": {"kind": "zoom_in", "amount": 0.15},
    },
    "chart": {
        "kind": "generated",
        "generated": {"template": "chart_bar", "text": "Hearts", "series": SERIES},
    },
    "typographic": {
        "kind": "generated",
        "generated": {"template": "phrase", "text": "Its heart stops every time it swims"},
    },
    "clip": {"kind": "clip", "asset": {"uri": "clip.mp4"}},
}


def plan(folder: Path, content: str, seconds: float, photo: Path | None) -> timeline.Timeline:
    """Return a timeline of one scene with captions, as a video has them."""
    folder.mkdir(parents=True, exist_ok=True)
    if photo:
        (folder / "photo.jpg").write_bytes(photo.read_bytes())
    else:
        samples.photograph(folder / "photo.jpg", 1620, 2880, 1)
    samples.clip(folder / "clip.mp4", seconds, "1920x1080", 30, ("-vf", "noise=alls=6:allf=t"))
    words = [
        {"text": word, "start_s": 0.3 * index, "end_s": 0.3 * index + 0.28}
        for index, word in enumerate(samples.TEXT.split()[: int(seconds / 0.3)])
    ]
    narration = {"audio": {"uri": "none.wav"}, "start_s": 0, "duration_s": seconds, "words": words}
    scene = {"id": "0", "start_s": 0, "end_s": seconds, "visual": CONTENTS[content], "narration": narration}
    path = samples.timeline(folder, [scene], WIDTH, HEIGHT, fps=FPS)
    return timeline.parse(json.loads(path.read_text()))


def draw(parsed: timeline.Timeline, folder: Path, target: Path) -> None:
    """Write the frames of the timeline as raw NV12."""
    files = {asset.uri: folder / asset.uri for _, asset in parsed.assets()}
    composer = compose.Composer(parsed, parsed.outputs[0], files)
    with target.open("wb") as file:
        for number in range(parsed.frame_count):
            file.write(composer.draw(number).as_bytes())
    composer.close()


class Drawn(compose.Composer):
    """Reads frames that were drawn before. `spent_s` is the CPU time that this took."""

    def __init__(self, parsed: timeline.Timeline, raw: Path) -> None:
        super().__init__(parsed, parsed.outputs[0], {})
        self.frames, self.spent_s = np.memmap(raw, np.uint8, "r").reshape(-1, WIDTH * HEIGHT * 3 // 2), 0.0

    def draw(self, number: int) -> planes.Frame:
        """Return frame `number`."""
        start = time.process_time()
        frame = planes.Frame.within(self.frames[number].copy(), WIDTH, HEIGHT)
        self.spent_s += time.process_time() - start
        return frame


def encode_piece(parsed: timeline.Timeline, raw: Path, target: Path) -> float:
    """Encode raw frames as the renderer does, in one piece. Returns the CPU seconds that it took."""
    encoder, output = Encoder("libx264", ""), parsed.outputs[0]
    piece = replace(
        segments.plan(parsed, output, encoder, Compositor("cpu", ""), {})[0], last=parsed.frame_count
    )
    drawn, start = Drawn(parsed, raw), time.process_time()
    list(segments.Session(encoder, output, FPS).encode(piece, drawn, target, lambda _: None))
    return time.process_time() - start - drawn.spent_s


def encode(raw: Path, target: Path, options: dict[str, str]) -> float:
    """Encode raw frames with x264 and return the CPU seconds that it took."""
    frames = np.memmap(raw, np.uint8, "r").reshape(-1, WIDTH * HEIGHT * 3 // 2)
    area, spent = WIDTH * HEIGHT, 0.0
    with av.open(str(target), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "nv12"
        context = stream.codec_context
        context.time_base = Fraction(1, FPS)
        # As the renderer tags its videos: BT.709 in limited range.
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        for number, flat in enumerate(frames):
            planes = (
                flat[:area].reshape(HEIGHT, WIDTH).copy(),
                flat[area:].reshape(HEIGHT // 2, WIDTH // 2, 2).copy(),
            )
            frame = av.VideoFrame.from_dlpack(planes, format="nv12")
            frame.pts = number
            start = time.process_time()
            packets = stream.encode(frame)
            spent += time.process_time() - start
            container.mux(packets)
        start = time.process_time()
        packets = stream.encode()
        spent += time.process_time() - start
        container.mux(packets)
    return spent


def vmaf(encoded: Path, raw: Path, folder: Path) -> tuple[float, float]:
    """Return the mean and the 5th percentile of VMAF of every fifth frame."""
    log = folder / "vmaf.json"
    source = (
        "-f",
        "rawvideo",
        "-pix_fmt",
        "nv12",
        "-video_size",
        f"{WIDTH}x{HEIGHT}",
        "-framerate",
        str(FPS),
        *BT709,
        "-i",
        raw,
    )
    vmaf = f"libvmaf=log_fmt=json:log_path={log}:n_subsample=5:n_threads=2"
    graph = f"[0:v]format=yuv420p[a];[1:v]format=yuv420p[b];[a][b]{vmaf}"
    ffmpeg.run("-i", encoded, *source, "-lavfi", graph, "-f", "null", "-")
    scores = [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]
    return float(np.mean(scores)), float(np.percentile(scores, 5))


def variants(extra: list[str]) -> dict[str, dict[str, str]]:
    """Return the options to compare with ours by name. `extra` holds name=x264-params to try."""
    plain = encoders.options(Encoder("libx264", ""), FPS)
    del plain["x264-params"]
    tried = {
        name: {**plain, "x264-params": params} for name, _, params in (each.partition("=") for each in extra)
    }
    return {"plain": plain, **tried}


def compare(folder: Path, content: str, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Encode one content with all variants alternately, and measure the last files."""
    parsed = plan(folder, content, arguments.seconds, arguments.photo)
    raw = folder / "raw.yuv"
    draw(parsed, folder, raw)
    options = variants(arguments.tries)
    spent: dict[str, list[float]] = {name: [] for name in ("ours", *options)}
    for _ in range(arguments.runs):
        spent["ours"].append(encode_piece(parsed, raw, folder / "ours.mp4"))
        for name, each in options.items():
            spent[name].append(encode(raw, folder / f"{name}.mp4", each))
    found = {}
    for name, times in spent.items():
        mean, low = vmaf(folder / f"{name}.mp4", raw, folder)
        size = (folder / f"{name}.mp4").stat().st_size
        found[name] = {
            "cpu_s": statistics.median(times),
            "cpu_min_s": min(times),
            "bytes": size,
            "vmaf": mean,
            "vmaf_p5": low,
        }
        print(
            f"  {content:12} {name:8} {statistics.median(times):6.2f} s CPU ({min(times):.2f} to "
            f"{max(times):.2f}) "
            f"{size:10,} bytes  VMAF {mean:6.2f}, 5 % below {low:6.2f}",
            flush=True,
        )
    raw.unlink()
    return found


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--contents", nargs="+", default=list(CONTENTS), choices=list(CONTENTS))
    parser.add_argument("--photo", type=Path, help="a photograph to use in place of the generated one")
    parser.add_argument(
        "--tries", nargs="*", default=[], metavar="NAME=X264-PARAMS", help="further options to compare"
    )
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    home = Path(os.environ.get("SHOWRUNNER_HOME", ROOT / ".local")) / "bench"
    print(
        f"x264 {encoders.preset()}, CRF {encoders.X264_CRF}, {WIDTH}x{HEIGHT}p{FPS}, {arguments.seconds:g} s"
    )
    found = {content: compare(home / "quality", content, arguments) for content in arguments.contents}
    (home / "quality.json").write_text(json.dumps({"preset": encoders.preset(), "contents": found}, indent=2))


if __name__ == "__main__":
    main()

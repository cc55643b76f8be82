"""Benchmark of the renderer on one content, in three ways by turns.

Ours, the bare encoder fed with the same raw frames (the limit), and one ffmpeg command with filters (naive).

Run alternately, medians of at least three; writes $SHOWRUNNER_HOME/bench/render.json. `make bench-render`
calls it; --quick is a smoke run.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "functions"), str(ROOT / "tests" / "render"), str(ROOT)]

import cv2  # noqa: E402
import samples  # noqa: E402

from local.settings import python_of  # noqa: E402
from render import ffmpeg  # noqa: E402
from render.encode import encoders  # noqa: E402
from render.picture import compose, takes  # noqa: E402
from render.plan import timeline  # noqa: E402
from render.text.pages import paginate  # noqa: E402

WIDTH, HEIGHT, FPS, SCENE_S = 1080, 1920, 30, 12.0
# The clips of the comparison with clips: the stand-in library draws them.
CLIPS, SHOT_S = ("sea", "city", "network", "fibers", "mountains"), 4.0
GOALS = {"veryfast": 1.10, "ultrafast": 1.35}
PEAK_GOAL_MB = 550
# The whole benchmark stays below eight minutes: what no goal is about runs less often, and a bare encoder's
# memory, which doesn't grow with length, is measured over so many seconds.
RUNS = {"naive": 1, "same": 2}
MEMORY_S = 5
CLIPS_S = 30.0
BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")


@dataclass
class Run:
    wall_s: float
    cpu_s: float
    peak_mb: float


def content(folder: Path, length_s: float) -> Path:
    """Return a timeline of stills with slow zooms, narration with word highlights, a title card and music.

    The stills are 1.5 times as large as the output.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(5):
        if not (folder / f"photo{index}.jpg").exists():
            samples.photograph(folder / f"photo{index}.jpg", 1620, 2880, index)
    scenes = [_scene(folder, index, length_s) for index in range(round(length_s / SCENE_S + 0.49))]
    return samples.timeline(
        folder,
        scenes,
        WIDTH,
        HEIGHT,
        title_card={
            "text": "Why an octopus has three hearts",
            "kicker": "Deep sea",
            "start_s": 0,
            "end_s": 3,
        },
        fps=FPS,
    )


def _scene(folder: Path, index: int, length_s: float) -> dict[str, Any]:
    start, end = index * SCENE_S, min((index + 1) * SCENE_S, length_s)
    audio = folder / f"voice{index % 5}.wav"
    _, words = samples.speech(
        audio, f"{samples.TEXT} {samples.TEXT}", start + 0.3, words_per_s=3.0, seed=index % 5
    )
    return {
        "id": str(index),
        "start_s": start,
        "end_s": end,
        "narration": {
            "audio": {"uri": audio.name},
            "start_s": start + 0.3,
            "duration_s": end - start - 0.4,
            "words": [word for word in words if word["end_s"] < end - 0.1],
        },
        "visual": {
            "kind": "image",
            "asset": {"uri": f"photo{index % 5}.jpg"},
            "motion": {"kind": "zoom_out" if index % 2 else "zoom_in", "amount": 0.15},
        },
        "transition": {"kind": "cut"},
    }


def clip_content(folder: Path, length_s: float) -> Path:
    """Return the same timeline with a clip of 1920x1080 in each scene's place, in shots of four seconds."""
    from local.platforms import footage

    plan = content(folder, length_s)
    for index, kind in enumerate(CLIPS[: round(length_s / SHOT_S + 0.49)]):
        if not (folder / f"{kind}.mp4").exists():
            footage.write(kind, index, 1920, 1080, folder / f"{kind}.mp4")
    document = json.loads(plan.read_text())
    document["schema_version"], number = 2, 0
    for scene in document["scenes"]:
        start, end = scene.pop("start_s"), scene.pop("end_s")
        del scene["visual"], scene["transition"]
        scene["shots"] = []
        while start < end:
            asset = {"uri": f"{CLIPS[number % len(CLIPS)]}.mp4"}
            shot = {"id": str(number), "start_s": start, "end_s": min(start + SHOT_S, end)}
            scene["shots"].append({**shot, "visual": {"kind": "clip", "asset": asset}})
            start, number = start + SHOT_S, number + 1
    target = folder / "clips.json"
    target.write_text(json.dumps(document))
    return target


def decoding(plan: Path, target: Path) -> list[str]:
    """Return a command that decodes the clips of a plan for as long as they are shown, and nothing else."""
    parsed = timeline.parse(json.loads(plan.read_text()))
    listed = "".join(
        f"file '{plan.parent / shot.visual.asset.uri}'\noutpoint {shot.end_s - shot.start_s:.3f}\n"
        for shot in parsed.shots
        if shot.visual.asset
    )
    target.write_text(f"ffconcat version 1.0\n{listed}")
    return ffmpeg.command("-f", "concat", "-safe", "0", "-i", target, "-an", "-f", "null", "-")


def trim_voices(folder: Path) -> None:
    """Narration files are as long as a scene has room for, so that no voice runs into the next scene."""
    for path in folder.glob("voice*.wav"):
        short = path.with_suffix(".cut.wav")
        samples.ffmpeg("-i", path, "-t", str(SCENE_S - 0.5), short)
        short.replace(path)


def raw_frames(plan: Path, target: Path) -> None:
    """The very frames that our encoder gets."""
    parsed = timeline.parse(json.loads(plan.read_text()))
    files = {asset.uri: plan.parent / asset.uri for _, asset in parsed.assets()}
    parsed, _ = takes.choose_all(parsed, files, os.process_cpu_count() or 1)
    composer = compose.Composer(parsed, parsed.outputs[0], files)
    with target.open("wb", buffering=0) as file:
        for number in range(parsed.frame_count):
            file.write(composer.draw(number).as_bytes())
    composer.close()


def ours(plan: Path, out: Path, preset: str) -> list[str]:
    return [
        "env",
        # Compiled once, as in the image: where Python is told to write no bytecode, each start compiles the
        # whole program. An empty value counts as not set.
        "PYTHONDONTWRITEBYTECODE=",
        f"PYTHONPYCACHEPREFIX={out.parent / 'bytecode'}",
        f"RENDER_X264_PRESET={preset}",
        "RENDER_ENCODER=cpu",
        f"PYTHONPATH={ROOT / 'functions'}",
        # The environment that renders are run in; this one, with everything for tests, takes a quarter of a
        # second longer to start.
        str(python_of("render")),
        "-m",
        "render",
        str(plan),
        str(out),
    ]


def limit(raw: Path, out: Path, preset: str, *options: str) -> list[str]:
    source = [
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
        str(raw),
    ]
    return ffmpeg.command(
        "-y",
        *source,
        "-c:v",
        "libx264",
        "-preset",
        preset,
        "-crf",
        str(encoders.X264_CRF),
        "-g",
        str(2 * FPS),
        *options,
        *BT709,
        out,
    )


def own_options(preset: str) -> list[str]:
    """Return the options that the renderer uses for photographs, for a bare encoder with the same options."""
    os.environ["RENDER_X264_PRESET"] = preset
    options = encoders.options(encoders.Encoder("libx264", ""), FPS, "photographs")
    return ["-crf", options["crf"], "-x264-params", options["x264-params"]]


def naive(plan: Path, folder: Path, out: Path, preset: str, length_s: float) -> list[str]:
    """Run one ffmpeg: zoompan on doubled stills, libass for words, side-chain ducking, one-pass loudnorm."""
    parsed = timeline.parse(json.loads(plan.read_text()))
    (folder / "captions.ass").write_text(_ass(parsed))
    inputs: list[str] = []
    graph = ""
    for index, scene in enumerate(parsed.scenes):
        frames = round((scene.end_s - scene.start_s) * FPS)
        zoom = f"1+0.15*on/{frames}" if index % 2 == 0 else f"1.15-0.15*on/{frames}"
        inputs += ["-i", str(folder / f"photo{index % 5}.jpg")]
        graph += (
            f"[{index}:v]scale={2 * WIDTH}:{2 * HEIGHT}:flags=lanczos,format=yuv420p,"
            f"zoompan=z='{zoom}':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)'"
            f":d={frames}:s={WIDTH}x{HEIGHT}:fps={FPS}[v{index}];"
        )
    count = len(parsed.scenes)
    inputs += [part for index in range(count) for part in ("-i", str(folder / f"voice{index % 5}.wav"))]
    graph += (
        "".join(f"[v{index}]" for index in range(count))
        + f"concat=n={count}:v=1:a=0,setsar=1,ass={folder / 'captions.ass'}[v];"
    )
    graph += "".join(
        f"[{count + index}:a]aresample=48000,adelay={round((scene.start_s + 0.3) * 1000)}:all=1[n{index}];"
        for index, scene in enumerate(parsed.scenes)
    )
    graph += (
        "".join(f"[n{index}]" for index in range(count)) + f"amix=inputs={count}:normalize=0,asplit[n][key];"
    )
    graph += (
        f"[{2 * count}:a]volume=0.35[m];"
        "[m][key]sidechaincompress=threshold=0.03:ratio=8:attack=20:release=400[bed];"
        "[n][bed]amix=inputs=2:duration=first:normalize=0,loudnorm=I=-14:TP=-1.5:LRA=11,aresample=48000[a]"
    )
    inputs += ["-stream_loop", "-1", "-i", str(_music(folder))]
    return ffmpeg.command(
        "-y", *inputs, "-filter_complex", graph, "-map", "[v]", "-map", "[a]", "-t", str(length_s),
        "-c:v", "libx264", "-preset", preset, "-crf", str(encoders.X264_CRF), "-pix_fmt", "yuv420p",
        "-c:a", "aac", "-b:a", "192k", "-movflags", "+faststart", out,
    )  # fmt: skip


def _music(folder: Path) -> Path:
    from render.sound import music
    from render.sound.pcm import RATE

    path = folder / "bed.wav"
    if not path.exists():
        raw = folder / "bed.f32"
        music.bed("calm", 7).tofile(raw)
        samples.ffmpeg("-f", "f32le", "-ar", str(RATE), "-ac", "2", "-i", raw, path)
        raw.unlink()
    return path


def _ass(parsed: timeline.Timeline) -> str:
    """The same pages as ours, a line for each spoken word."""

    def clock(seconds: float) -> str:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{seconds % 60:05.2f}"

    head = (
        f"[Script Info]\nPlayResX: {WIDTH}\nPlayResY: {HEIGHT}\nScaledBorderAndShadow: yes\n\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, OutlineColour, Bold, BorderStyle, Outline, Shadow, "
        "Alignment, MarginL, MarginR, MarginV\n"
        "Style: Cap,Sans,84,&H00FFFFFF,&H00170D0B,-1,1,8,4,2,120,120,480\n\n[Events]\nFormat: Layer, Start, "
        "End, Style, Text\n"
    )
    lines = []
    for page in paginate(parsed, parsed.outputs[0]):
        units = page.units
        for index, unit in enumerate(units):
            end = units[index + 1].start_s if index + 1 < len(units) else page.end_s
            text = " ".join(
                "{\\c&H4DB8FF&}" + other.text + "{\\c&HFFFFFF&}" if other is unit else other.text
                for other in units
            )
            lines.append(f"Dialogue: 0,{clock(unit.start_s)},{clock(end)},Cap,{text}")
    return head + "\n".join(lines) + "\n"


def measured(command: list[str], memory: bool = False) -> Run:
    """Return the wall time, the CPU time of the process tree and, where asked for, its peak memory.

    Memory is proportional: pages that processes share are counted once.

    Asking costs: each look goes through the page tables of the processes and holds them up, 4 % of a core for
    ours.
    """
    start = time.monotonic()
    before = os.times()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = _Peak(process.pid) if memory else None
    _, errors = process.communicate()
    wall = time.monotonic() - start
    after = os.times()
    if peak:
        peak.stop()
    if process.returncode:
        raise SystemExit(
            f"failed ({process.returncode}): {' '.join(command[:6])} …\n{errors.decode()[-2000:]}"
        )
    return Run(
        round(wall, 2),
        round(after.children_user + after.children_system - before.children_user - before.children_system, 2),
        round(peak.mb, 0) if peak else 0.0,
    )


class _Peak:
    """Samples the proportional set size of a process and all its descendants five times a second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.mb, self._running = pid, 0.0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while self._running:
            self.mb = max(self.mb, sum(_pss_mb(pid) for pid in _tree(self.pid)))
            time.sleep(0.2)

    def stop(self) -> None:
        self._running = False
        self._thread.join()


def _tree(pid: int) -> list[int]:
    found, queue = [], [pid]
    while queue:
        current = queue.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                queue += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _pss_mb(pid: int) -> float:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def summary(runs: list[Run]) -> dict[str, float]:
    walls = [run.wall_s for run in runs]
    return {
        "wall_s": statistics.median(walls),
        "wall_min_s": min(walls),
        "wall_max_s": max(walls),
        "cpu_s": statistics.median(run.cpu_s for run in runs),
        "peak_mb": max(run.peak_mb for run in runs),
        "runs": len(runs),
    }


def compare(
    folder: Path, plan: Path, raw: Path, length_s: float, preset: str, runs: int
) -> dict[str, dict[str, float]]:
    """Run all ways alternately, so that noise falls on all alike. `raw` are the frames of the plan."""
    ways: dict[str, list[str]] = {
        "ours": ours(plan, folder / "out", preset),
        "limit": limit(raw, folder / "limit.mp4", preset),
        "naive": naive(plan, folder, folder / "naive.mp4", preset, length_s),
    }
    if own := own_options(preset):
        ways["same"] = limit(raw, folder / "same.mp4", preset, *own)
    results: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(runs):
        for name, way in ways.items():
            if number >= RUNS.get(name, runs):
                continue
            result = measured(way, memory=name == "naive")
            results[name].append(result)
            print(
                f"  {preset:10} {name:6} run {number + 1}: {result.wall_s:7.2f} s wall, {result.cpu_s:7.2f} "
                "s cpu",
                flush=True,
            )
    for name in ways.keys() - {"naive"}:
        command = ways[name] if name == "ours" else [*ways[name][:-1], "-t", str(MEMORY_S), ways[name][-1]]
        results[name][-1].peak_mb = measured(command, memory=True).peak_mb
    return {name: summary(found) for name, found in results.items()}


def compare_clips(folder: Path, length_s: float, preset: str, runs: int) -> dict[str, dict[str, float]]:
    """Ours, and the bare encoder after the bare decoder, alternately: decoding counts on both sides."""
    plan = clip_content(folder, length_s)
    trim_voices(folder)
    raw = folder / "raw.yuv"
    raw_frames(plan, raw)
    both = [decoding(plan, folder / "clips.ffconcat"), limit(raw, folder / "limit.mp4", preset)]
    ways = {
        "ours": ours(plan, folder / "out", preset),
        "limit": ["sh", "-c", " && ".join(shlex.join(map(str, command)) for command in both)],
    }
    results: dict[str, list[Run]] = {name: [] for name in ways}
    for number in range(runs):
        for name, way in ways.items():
            result = measured(way)
            results[name].append(result)
            print(
                f"  {preset:10} {name:6} clips {number + 1}: {result.wall_s:5.2f} s wall, "
                f"{result.cpu_s:7.2f} s cpu",
                flush=True,
            )
    results["ours"][-1].peak_mb = measured(ways["ours"], memory=True).peak_mb
    raw.unlink()
    return {name: summary(found) for name, found in results.items()}


def by_length(folder: Path, lengths: list[float], preset: str) -> dict[str, dict[str, float]]:
    """Run each length once: does cost grow with length, does memory? 60 s are in the comparison."""
    found = {}
    for length_s in lengths:
        plan = content(folder, length_s)
        trim_voices(folder)
        result = measured(ours(plan, folder / "out", preset), memory=True)
        found[f"{length_s:g}"] = {"wall_s": result.wall_s, "cpu_s": result.cpu_s, "peak_mb": result.peak_mb}
        print(
            f"  {preset:10} ours {length_s:5.0f} s of video: {result.wall_s:7.2f} s wall "
            f"({length_s / result.wall_s:.2f} x real time), {result.cpu_s:7.2f} s cpu, {result.peak_mb:5.0f} "
            "MB",
            flush=True,
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--presets", nargs="+", default=["veryfast", "ultrafast"])
    parser.add_argument("--lengths", nargs="*", type=float, default=[30, 300])
    parser.add_argument("--quick", action="store_true", help="six seconds, one run")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs, arguments.seconds, arguments.lengths, arguments.presets = 1, 6, [6], ["ultrafast"]
    cv2.setNumThreads(1)
    home = Path(os.environ.get("SHOWRUNNER_HOME", ROOT / ".local")) / "bench"
    folder = home / "render"
    print(
        f"1080x1920p30, {arguments.seconds:g} s, {os.process_cpu_count()} cores, load average "
        f"{os.getloadavg()[0]:.1f} at the start"
    )
    plan, raw = content(folder, arguments.seconds), folder / "raw.yuv"
    trim_voices(folder)
    raw_frames(plan, raw)
    comparisons = {
        preset: compare(folder, plan, raw, arguments.seconds, preset, arguments.runs)
        for preset in arguments.presets
    }
    raw.unlink()
    clips = compare_clips(folder, min(CLIPS_S, arguments.seconds), arguments.presets[0], arguments.runs)
    lengths = by_length(folder, arguments.lengths, arguments.presets[0])
    usual = comparisons[arguments.presets[0]]["ours"]
    lengths[f"{arguments.seconds:g}"] = {name: usual[name] for name in ("wall_s", "cpu_s", "peak_mb")}
    report(home, comparisons, clips, lengths, arguments.seconds)


def report(
    home: Path,
    comparisons: dict[str, dict[str, dict[str, float]]],
    clips: dict[str, dict[str, float]],
    lengths: dict[str, dict[str, float]],
    seconds: float,
) -> None:
    ratios = {
        preset: {
            "ratio_to_limit": round(found["ours"]["wall_s"] / found["limit"]["wall_s"], 3),
            "ratio_to_naive": round(found["ours"]["wall_s"] / found["naive"]["wall_s"], 3),
            "goal_to_limit": GOALS.get(preset),
            "ratio_to_same_options": round(
                found["ours"]["wall_s"] / found.get("same", found["limit"])["wall_s"], 3
            ),
        }
        for preset, found in comparisons.items()
    }
    first = next(iter(ratios.values()))
    peak = max(
        [found["ours"]["peak_mb"] for found in (*comparisons.values(), clips)]
        + [found["peak_mb"] for found in lengths.values()]
    )
    document = {
        "ratio_to_limit": first["ratio_to_limit"],
        "ratio_to_naive": first["ratio_to_naive"],
        "clips_ratio_to_limit": round(clips["ours"]["wall_s"] / clips["limit"]["wall_s"], 3),
        "clips": clips,
        "peak_mb": peak,
        "wall_s": {length: found["wall_s"] for length, found in lengths.items()},
        "by_length": lengths,
        "presets": {preset: {**ratios[preset], **comparisons[preset]} for preset in comparisons},
        "seconds": seconds,
        "cores": os.process_cpu_count(),
        "load_average": os.getloadavg(),
    }
    home.mkdir(parents=True, exist_ok=True)
    (home / "render.json").write_text(json.dumps(document, indent=2) + "\n")
    print(f"\n{'preset':10} {'way':6} {'median s':>9} {'min':>7} {'max':>7} {'cpu s':>8} {'peak MB':>8}")
    for preset, found in comparisons.items():
        for name, result in found.items():
            print(
                f"{preset:10} {name:6} {result['wall_s']:9.2f} {result['wall_min_s']:7.2f} "
                f"{result['wall_max_s']:7.2f} {result['cpu_s']:8.2f} {result['peak_mb']:8.0f}"
            )
    for preset, ratio in ratios.items():
        print(
            f"{preset}: {ratio['ratio_to_limit']:.2f} x the bare encoder (goal {ratio['goal_to_limit']}; "
            f"{ratio['ratio_to_same_options']:.2f} x with our options), "
            f"{ratio['ratio_to_naive']:.2f} x the filter graph"
        )
    print(f"clips: {document['clips_ratio_to_limit']:.2f} x the bare decoder and encoder")
    print(
        f"peak of all processes together {peak:.0f} MB (goal {PEAK_GOAL_MB}); written to "
        f"{home / 'render.json'}"
    )


if __name__ == "__main__":
    main()

"""One small film rendered once for all tests that look at a finished file, and the ways to call the renderer."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("samples", Path(__file__).with_name("samples.py"))
samples = importlib.util.module_from_spec(_SPEC)
sys.modules["samples"] = samples
_SPEC.loader.exec_module(samples)

TEXTS = [
    "An octopus has three hearts, and every one has its own job.",
    "Two of them pump blood through the gills.",
    "The third one stops beating when it swims.",
]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "functions"), "RENDER_X264_PRESET": "ultrafast", "RENDER_ENCODER": "cpu", **more}


def call(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "render", *map(str, arguments)]
    return subprocess.run(command, env=environment(**more), capture_output=True, text=True, check=False, timeout=110)


@dataclass
class Film:
    folder: Path
    out: Path
    document: dict[str, Any]
    report: dict[str, Any]
    lines: list[dict[str, Any]]


def visuals(folder: Path) -> list[dict[str, Any]]:
    samples.photograph(folder / "photo.jpg", 500, 800, 1)
    samples.clip(folder / "clip.mp4", 1.5, "480x270")
    return [
        {"kind": "image", "asset": {"uri": "photo.jpg"}},
        {"kind": "clip", "asset": {"uri": "clip.mp4"}},
        {"kind": "generated", "generated": {"template": "number", "value": "3", "label": "hearts"}},
    ]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("film")
    scenes = samples.narrated(folder, TEXTS, visuals(folder))
    path = samples.timeline(folder, scenes, 360, 640, brand={"palette": {"accent": "#ffcc00"}})
    done = call(path, folder / "out")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    report = json.loads((folder / "out" / "report.json").read_text())
    return Film(folder, folder / "out", json.loads(path.read_text()), report, [json.loads(line) for line in done.stdout.splitlines()])


@pytest.fixture
def plan() -> Callable[..., dict[str, Any]]:
    """A least timeline document, with fields put in."""

    def build(**fields: Any) -> dict[str, Any]:
        scene = {"id": "0", "start_s": 0, "end_s": 2, "visual": {"kind": "generated", "generated": {"template": "gradient"}}}
        return {
            "schema_version": 1,
            "video_id": "v",
            "title": "A title",
            "outputs": [{"name": "main", "width": 540, "height": 960}],
            "scenes": [scene],
            **fields,
        }

    return build


@pytest.fixture
def spoken(plan: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A timeline in which a text is spoken evenly."""

    def build(text: str, width: int = 540, height: int = 960, **fields: Any) -> dict[str, Any]:
        pieces = text.split()
        words = [{"text": piece, "start_s": 0.1 + 0.4 * index, "end_s": 0.45 + 0.4 * index} for index, piece in enumerate(pieces)]
        end = 0.4 * len(pieces) + 1
        scene = {
            "id": "0",
            "start_s": 0,
            "end_s": end,
            "visual": {"kind": "generated", "generated": {"template": "gradient"}},
            "narration": {"audio": {"uri": "none.wav"}, "start_s": 0.1, "duration_s": end - 0.2, "words": words},
        }
        return plan(scenes=[scene], outputs=[{"name": "main", "width": width, "height": height}], **fields)

    return build

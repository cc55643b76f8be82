"""Fixtures of the renderer's tests: one short film rendered once, and small timeline documents."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.render import samples
from tests.render.program import call


@dataclass
class Film:
    """A rendered film: its inputs' folder, destination, timeline, report and progress lines."""

    folder: Path
    out: Path
    document: dict[str, Any]
    report: dict[str, Any]
    lines: list[dict[str, Any]]


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("film")
    scenes = samples.narrated(folder, samples.TEXTS, samples.visuals(folder))
    path = samples.timeline(folder, scenes, 360, 640, brand={"palette": {"accent": "#ffcc00"}})
    done = call(path, folder / "out")
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    report = json.loads((folder / "out" / "report.json").read_text())
    return Film(
        folder,
        folder / "out",
        json.loads(path.read_text()),
        report,
        [json.loads(line) for line in done.stdout.splitlines()],
    )


@pytest.fixture
def plan(plan_document: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return a builder of a minimal timeline document with the given fields."""
    return plan_document


@pytest.fixture(scope="session")
def plan_document() -> Callable[..., dict[str, Any]]:
    """Return the builder of `plan` for fixtures of a wider scope."""

    def build(**fields: Any) -> dict[str, Any]:
        scene = {
            "id": "0",
            "start_s": 0,
            "end_s": 2,
            "visual": {"kind": "generated", "generated": {"template": "gradient"}},
        }
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
    """Return a builder of a timeline document in which a text is spoken evenly."""

    def build(text: str, width: int = 540, height: int = 960, **fields: Any) -> dict[str, Any]:
        pieces = text.split()
        words = [
            {"text": piece, "start_s": 0.1 + 0.4 * index, "end_s": 0.45 + 0.4 * index}
            for index, piece in enumerate(pieces)
        ]
        end = 0.4 * len(pieces) + 1
        scene = {
            "id": "0",
            "start_s": 0,
            "end_s": end,
            "visual": {"kind": "generated", "generated": {"template": "gradient"}},
            "narration": {
                "audio": {"uri": "none.wav"},
                "start_s": 0.1,
                "duration_s": end - 0.2,
                "words": words,
            },
        }
        return plan(scenes=[scene], outputs=[{"name": "main", "width": width, "height": height}], **fields)

    return build

"""Check that this machine can render: two seconds of video through every part, in a temporary folder."""

import json
import tempfile
import time
from pathlib import Path

import numpy as np

from render import job
from render.encode import encoders
from render.errors import RenderError
from render.plan.timeline import Output
from render.sound.pcm import RATE, Sound
from render.storage import Destination
from render.text import bidi

_OUTPUT = Output("main", 540, 960)


def self_test() -> int:
    """Render a short video, print what was found, and return the exit code: 0 if it worked."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="render-self-test-") as folder:
        base = Path(folder)
        try:
            report = job.render(str(_timeline(base)), Destination(str(base / "out")), _quietly)
        except (RenderError, OSError) as failure:
            print(json.dumps({"ok": False, "error": type(failure).__name__, "message": str(failure)}))
            return getattr(failure, "exit_code", 4)
    found = {
        "ok": True,
        "seconds": round(time.monotonic() - started, 2),
        "encoder": report["outputs"][0]["encoder"],
        "compositor": report["outputs"][0]["compositor"],
        "loudness_lufs": report["loudness_lufs"],
        "shaping": bidi.shaping(),
        "other_encoders": {
            name: encoders.works(name, _OUTPUT) or "works"
            for name in ("libx265", "libsvtav1", "hevc_nvenc", "av1_nvenc")
        },
    }
    print(json.dumps(found, indent=2))
    return 0


def _quietly(*_: object) -> None:
    """Ignore progress."""


def _timeline(folder: Path) -> Path:
    t = np.arange(round(1.4 * RATE), dtype=np.float32) / RATE
    voice = (0.2 * np.sin(2 * np.pi * 180 * t) * (1 + np.sin(2 * np.pi * 4 * t)) / 2).astype(np.float32)
    _wave(folder / "voice.wav", voice)
    words = [
        {"text": text, "start_s": 0.3 + 0.35 * index, "end_s": 0.6 + 0.35 * index}
        for index, text in enumerate(("This", "machine", "can", "render."))
    ]
    document = {
        "schema_version": 1,
        "video_id": "self-test",
        "title": "Self-test",
        "outputs": [{"name": _OUTPUT.name, "width": _OUTPUT.width, "height": _OUTPUT.height}],
        "scenes": [
            {
                "id": "0",
                "start_s": 0,
                "end_s": 2,
                "visual": {"kind": "generated", "generated": {"template": "title", "text": "Ready"}},
                "narration": {
                    "audio": {"uri": "voice.wav"},
                    "start_s": 0.3,
                    "duration_s": 1.4,
                    "words": words,
                },
            }
        ],
        "music": {"mood": "calm"},
    }
    path = folder / "timeline.json"
    path.write_text(json.dumps(document))
    return path


def _wave(path: Path, samples: Sound) -> None:
    import wave

    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * 32767).astype(np.int16).tobytes())

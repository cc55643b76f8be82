"""Run the renderer as a program, in the environment that its tests use."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment with the fast x264 preset, the CPU encoder and the variables in
    `more`.
    """
    fast = {"RENDER_X264_PRESET": "ultrafast", "RENDER_ENCODER": "cpu"}
    return {**os.environ, "PYTHONPATH": str(ROOT / "functions"), **fast, **more}


def call(*arguments: str | Path, **more: str) -> subprocess.CompletedProcess:
    """Run `python -m render` with these arguments and environment variables. Does not check the exit code."""
    command = [sys.executable, "-m", "render", *map(str, arguments)]
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, check=False, timeout=110
    )

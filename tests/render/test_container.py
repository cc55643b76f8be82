"""Check what can be known about the image without building it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.render.program import ROOT, environment

DOCKERFILE = (ROOT / "functions/render/Dockerfile").read_text()


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(
        r"\\\n\s*", " ", "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))
    )
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in joined.splitlines() if line.strip()]


def test_every_instruction_is_known_and_every_image_has_a_version():
    known = {"FROM", "RUN", "COPY", "ENV", "USER", "WORKDIR", "HEALTHCHECK", "CMD", "ENTRYPOINT", "VOLUME"}
    assert {name for name, _ in instructions()} <= known
    for name, value in instructions():
        if name == "FROM":
            assert re.match(r"python:3\.13-slim@sha256:[0-9a-f]{64}( AS \w+)?$", value), (
                "slim, pinned by digest"
            )


def test_hadolint_accepts_the_dockerfile():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--no-color", ROOT / "functions/render/Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_copied_exists_in_the_build_context():
    for name, value in instructions():
        if name == "COPY" and "--from" not in value:
            assert (ROOT / "functions" / value.split()[0]).exists()


def test_the_image_runs_as_another_user_and_by_itself_does_the_self_test():
    named = dict(instructions())
    assert named["USER"] == "10001"
    assert "HEALTHCHECK" not in named, "docker would run it beside the render, on the render's cores"
    assert "--self-test" in named["CMD"]
    assert "compute,video" in named["ENV"]


def test_opencl_finds_nvidias_implementation_in_the_image():
    setup = " ".join(value for name, value in instructions() if name == "RUN")
    assert "ocl-icd-libopencl1" in setup
    assert "echo libnvidia-opencl.so.1 > /etc/OpenCL/vendors/nvidia.icd" in setup


def test_the_image_has_fribidi():
    """The slim image has none, and Pillow's wheel loads it from the system."""
    assert any("libfribidi0" in value for name, value in instructions() if name == "RUN")


def test_every_requirement_is_pinned():
    lines = [
        line
        for line in (ROOT / "functions/render/requirements.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w\-]+==[\w.]+", line) for line in lines)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="changing the user takes root and setpriv"
)
def test_the_self_test_passes_for_a_user_who_can_write_to_the_scratch_folder_only(tmp_path):
    """Run as in the container: user 10001, read-only code, and one writable folder."""
    code = tmp_path / "srv"
    shutil.copytree(ROOT / "functions/render", code / "render", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", code / "render"],
        check=True,
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    os.chown(scratch, 10001, 10001)
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_mode & 0o001 == 0 and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    # The interpreter may be in a folder that only root can enter: this user may read everything and write
    # nowhere else.
    reading = [
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
        "--bounding-set=-all,+dac_read_search",
    ]
    command = [
        "setpriv",
        "--reuid=10001",
        "--regid=10001",
        "--clear-groups",
        *reading,
        sys.executable,
        "-m",
        "render",
        "--self-test",
    ]
    done = subprocess.run(
        command,
        env=environment(PYTHONPATH=str(code), TMPDIR=str(scratch), HOME="/nonexistent"),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr

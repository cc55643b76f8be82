"""Draw through OpenCL in software: on Oclgrind, a simulated device, with the loader of pyopencl."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from render import isolation
from render.encode import segments
from render.encode.encoders import Encoder
from render.errors import HostFailure
from render.picture import compose, compositor
from render.picture.compositor import Compositor
from render.plan import timeline
from tests.render import samples
from tests.render.program import call, environment

NVENC = Encoder("h264_nvenc", "")


def one(folder, pattern):
    (found,) = folder.glob(pattern)
    return str(found)


@pytest.fixture(scope="session")
def device():
    """The environment in which OpenCV finds the simulated device."""
    spec = importlib.util.find_spec("pyopencl")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the simulated device is to be had for Linux on x86-64 only")
    home = Path(spec.submodule_search_locations[0])
    # pyopencl's loader needs OCL_ICD_VENDORS, and accepts the path of a runtime instead of a folder.
    return {
        "PYOPENCL_HOME": str(home),
        "OPENCV_OPENCL_RUNTIME": one(home / ".libs", "libOpenCL*"),
        "OCL_ICD_VENDORS": one(home / ".libs", "liboclgrind-rt-icd*"),
    }


@pytest.fixture
def on_device(device, monkeypatch):
    for name, value in device.items():
        monkeypatch.setenv(name, value)
    compositor.works.cache_clear()
    yield
    compositor.works.cache_clear()


def differences(document, files, numbers):
    """Of each plane of each frame, drawn on the device and by the processor: the mean and the largest."""
    plan = timeline.parse(document)
    here, there = (compose.Composer(plan, plan.outputs[0], files, on_device=where) for where in (False, True))
    pairs = [
        (one, other)
        for number in numbers
        for one, other in zip(here.draw(number).planes, there.draw(number).planes, strict=True)
    ]
    return [
        (float(cv2.absdiff(one, other).mean()), int(cv2.absdiff(one, other).max())) for one, other in pairs
    ]


def film(*visuals, length_s=1.0):
    scenes = [
        {"id": str(index), "start_s": index * length_s, "end_s": (index + 1) * length_s, "visual": visual}
        for index, visual in enumerate(visuals)
    ]
    return {
        "schema_version": 1, "video_id": "v", "title": "v", "fps": 24, "captions": None, "scenes": scenes,
        "outputs": [{"name": "main", "width": 134, "height": 150}]}  # fmt: skip


def test_the_probe_finds_the_same_frames_on_the_device(on_device):
    assert compositor.works() == (True, "Oclgrind Simulator")


@pytest.mark.parametrize("kind", ["zoom_in", "pan_left", "pan_down", "none"])
def test_a_photograph_under_a_moving_camera_is_the_same_picture(on_device, tmp_path, kind):
    samples.photograph(tmp_path / "photo.jpg", 400, 300, 1)
    document = film({"kind": "image", "asset": {"uri": "photo.jpg"}, "motion": {"kind": kind, "amount": 0.3}})
    found = isolation.attempt(differences, document, {"photo.jpg": tmp_path / "photo.jpg"}, [0, 11, 23])
    assert len(found) == 6
    assert max(mean for mean, _ in found) < 0.3
    assert max(largest for _, largest in found) <= 1


def test_a_clip_and_its_words_are_the_same_picture(on_device, tmp_path):
    samples.clip(tmp_path / "clip.mp4", 1.0, "160x120")
    document = film({"kind": "clip", "asset": {"uri": "clip.mp4"}})
    document["scenes"][0]["heading"] = "A clip"
    found = isolation.attempt(differences, document, {"clip.mp4": tmp_path / "clip.mp4"}, [0, 9])
    assert max(largest for _, largest in found) <= 1


def test_a_chart_that_grows_is_the_same_picture(on_device, tmp_path):
    series = [{"label": "a", "value": 3}, {"label": "b", "value": 5}]
    document = film(
        {"kind": "generated", "generated": {"template": "chart_bar", "series": series}}, length_s=2.0
    )
    found = isolation.attempt(differences, document, {}, [10, 19, 40])
    assert max(largest for _, largest in found) <= 1


def test_frames_that_differ_are_refused_with_figures():
    planes = np.full((8, 8), 100, np.uint8), np.full((4, 4, 2), 100, np.uint8)
    nearly = planes[0].copy()
    nearly[:4] = 101
    compositor._compare(planes, (nearly, planes[1]))
    spot = planes[0].copy()
    spot[3, 3] = 120
    with pytest.raises(RuntimeError, match="20 at most"):
        compositor._compare(planes, (spot, planes[1]))
    with pytest.raises(RuntimeError, match=r"by 2\.0 on average"):
        compositor._compare(planes, (planes[0] + 2, planes[1]))


def test_without_an_opencl_runtime_the_reason_is_reported(monkeypatch):
    monkeypatch.setenv("OPENCV_OPENCL_RUNTIME", "disabled")
    compositor.works.cache_clear()
    assert compositor.works() == (False, "there is no OpenCL device")
    compositor.works.cache_clear()


def test_the_cpu_draws_by_default_and_no_device_is_probed(monkeypatch):
    """Even beside a GPU's encoder: drawing takes less time on the CPU than calling the device."""
    monkeypatch.delenv("RENDER_COMPOSITOR", raising=False)
    asked = []
    chosen = compositor.choose(compositor.requested(), lambda: asked.append(1) or (True, "a card"))
    assert (chosen.name, chosen.on_device, asked) == ("cpu", False, [])


def test_requesting_an_absent_device_is_a_retryable_error():
    with pytest.raises(HostFailure, match="no device") as failure:
        compositor.choose("opencl", lambda: (False, "no device"))
    assert failure.value.exit_code == 4


def test_a_whole_film_is_drawn_on_the_device_and_the_report_says_so(device, tmp_path):
    samples.photograph(tmp_path / "photo.jpg", 400, 300, 1)
    # The simulator draws three frames a second; loudness is measured over 0.4 s at least.
    document = film({"kind": "image", "asset": {"uri": "photo.jpg"}}, length_s=0.5)
    document |= {"music": {"mood": "calm"}}
    (tmp_path / "timeline.json").write_text(json.dumps(document))
    cache = tmp_path / "not" / "there"
    done = call(
        tmp_path / "timeline.json",
        tmp_path / "out",
        RENDER_COMPOSITOR="opencl",
        XDG_CACHE_HOME=str(cache),
        **device,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-500:]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["outputs"][0]["compositor"] == {
        "name": "opencl",
        "reason": "RENDER_COMPOSITOR=opencl; drew the same test frames as the CPU on Oclgrind Simulator",
    }
    # Compiled kernels are kept for the next process.
    assert list(cache.glob("opencv/*/opencl_cache/*"))


COMPILE = """
import sys, cv2, numpy as np
from render.__main__ import main
if sys.argv[1] == "renderer":
    main(["--list"])
assert cv2.ocl.useOpenCL()
cv2.resize(cv2.UMat(np.zeros((64, 64), np.uint8)), (32, 32)).get()
"""


@pytest.mark.parametrize(("by", "kept"), [("renderer", True), ("OpenCV alone", False)])
def test_compiled_kernels_are_kept_in_a_cache_folder_that_did_not_exist(device, tmp_path, by, kept):
    """OpenCV ignores XDG_CACHE_HOME if the folder is not there, so each process would compile again."""
    cache = tmp_path / "not" / "there"
    variables = environment(XDG_CACHE_HOME=str(cache), **device)
    subprocess.run([sys.executable, "-c", COMPILE, by], env=variables, capture_output=True, check=True)
    assert bool(list(cache.glob("opencv/*/opencl_cache/*"))) is kept


def test_drawing_on_the_cpu_opens_no_opencl_device(device):
    program = (
        "from render.picture import compose, compositor\n"
        "from render.plan import timeline\n"
        "plan = timeline.parse(compositor._document())\n"
        "composer = compose.Composer(plan, plan.outputs[0], {})\n"
        "for number in range(plan.frame_count): composer.draw(number)\n"
        "print('OpenCL' in open('/proc/self/maps').read())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(**device),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "False\n"


def test_checkpoints_of_another_compositor_are_not_used(plan):
    parsed = timeline.parse(plan())
    by_cpu, by_device = (
        segments.plan(parsed, parsed.outputs[0], NVENC, Compositor(name, ""), {})
        for name in ("cpu", "opencl")
    )
    assert {piece.name for piece in by_cpu}.isdisjoint(piece.name for piece in by_device)


def test_a_crash_in_isolation_is_reported():
    with pytest.raises(isolation.Failed, match="its process crashed"):
        isolation.attempt(lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(isolation.Failed, match="no such card"):
        isolation.attempt(lambda: (_ for _ in ()).throw(RuntimeError("no such card")))
    assert isolation.attempt(lambda: 7) == 7

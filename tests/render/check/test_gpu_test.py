import json
import os
import subprocess
import sys
import time

import pytest

from render.check import gpu_test
from render.encode import encoders
from render.plan.timeline import Output

SMALL = Output("main", 180, 320)


def test_without_a_card_the_reason_is_printed_and_the_job_belongs_on_a_cpu(capsys):
    if encoders.works("h264_nvenc", SMALL) is None:
        pytest.skip("this machine has a GPU that encodes")
    assert gpu_test.gpu_test(SMALL, 6) == 5
    *steps, end = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    results = {line["step"]: line["result"] for line in steps}
    assert set(results) == {"card", "probe", "draw_fps", "context", "encode_fps", "decode_fps", "join"}
    assert results["probe"]["libx264"].startswith("works in")
    assert not results["probe"]["h264_nvenc"].startswith("works")
    assert results["draw_fps"]["cpu"] > 0
    assert results["join"] == "skipped: the GPU's encoder does not work"
    assert end["ok"] is False


def test_a_step_that_hangs_is_ended():
    assert gpu_test._attempted(lambda: time.sleep(30), 0.1) == "failed: no result within 0.1 s"


# A process of its own, as on a host: the render forks, and another thread of pytest may hold a lock then.
STEPS = """
import json, sys
from pathlib import Path
from render.check import gpu_test
from render.plan.timeline import Output
small, folder = Output("main", 180, 320), Path(sys.argv[1])
encoded, decoded = gpu_test._encode_by_preset(small, 6), gpu_test._decode(small, 5, folder)
print(json.dumps([encoded, decoded, gpu_test._render(small, folder, "cpu")]))
"""


def test_the_steps_for_a_card_run(tmp_path):
    """With the CPU's encoder and decoder, as far as they go."""
    command = [sys.executable, "-c", STEPS, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": "functions"}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    encoded, decoded, played = json.loads(printed)
    assert encoded["libx264"]["fps"] > 0
    assert set(encoded) == {*gpu_test.PRESETS, "libx264"}
    assert min(decoded["cpu_h264"], decoded["cpu_hevc_10_bit"]) > 0
    assert set(decoded) == {f"{name}_{kind}" for name in ("nvdec", "cpu") for kind in ("h264", "hevc_10_bit")}
    assert (played["played"], played["encoder"]["name"]) == (360, "libx264")
    assert played["pieces"] > 2

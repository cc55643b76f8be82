import json

import pytest

from render import isolation
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


def test_the_steps_for_a_card_run(tmp_path):
    """With the CPU's encoder and decoder, as far as they go."""
    encoded = isolation.attempt(gpu_test._encode_by_preset, SMALL, 6)
    assert encoded["libx264"]["fps"] > 0
    assert set(encoded) == {*gpu_test.PRESETS, "libx264"}
    decoded = isolation.attempt(gpu_test._decode, SMALL, 3, tmp_path)
    assert decoded["cpu"] > 0
    played = isolation.attempt(gpu_test._render, SMALL, tmp_path, "cpu")
    assert (played["played"], played["encoder"]["name"]) == (360, "libx264")
    assert played["pieces"] > 2

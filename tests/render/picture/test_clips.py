import itertools
import sys
from pathlib import Path

import numpy as np
import pytest

from render import ffmpeg
from render.errors import AssetCorrupt
from render.picture import clips
from render.plan.timeline import Asset, Visual
from tests.render import samples

SIZE = (180, 320)


def frames(path, count, fps=30, gpu=False, **fields):
    painter = clips.ClipPainter(
        path, path.name, Visual("clip", Asset(path.name), **fields), *SIZE, fps, count, gpu
    )
    try:
        return [painter.paint(index).luma for index in range(count)]
    finally:
        painter.close()


def longest_still(found):
    longest = run = 0
    for before, after in itertools.pairwise(found):
        run = run + 1 if np.abs(before.astype(int) - after).mean() < 0.02 else 0
        longest = max(longest, run)
    return longest


@pytest.mark.parametrize("length_s", [2.0, 0.9, 0.4, 0.32, 0.3, 0.12])
def test_a_clip_fills_its_scene_without_standing_still(tmp_path, length_s):
    found = frames(samples.clip(tmp_path / "c.mp4", length_s, "320x180"), 66)
    assert len(found) == 66
    assert longest_still(found) <= 2


def test_a_slightly_short_clip_is_slowed(tmp_path):
    path = samples.clip(tmp_path / "c.mp4", 2, "320x180", 30)
    painter = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, 75)
    assert painter.slow == pytest.approx(1.25, abs=0.02)
    assert longest_still(frames(path, 75)) <= 2


def test_a_variable_frame_rate_plays_evenly(tmp_path):
    """Every third frame is missing in the source."""
    path = samples.clip(
        tmp_path / "v.mp4", 2, "320x180", 30, ("-vf", "select='mod(n,3)'", "-fps_mode", "vfr")
    )
    found = frames(path, 60)
    assert longest_still(found) <= 2


def test_a_rotated_clip_is_turned_upright(tmp_path):
    samples.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=320x180:r=30:d=1",
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        tmp_path / "plain.mp4",
    )
    samples.ffmpeg(
        "-display_rotation", "90", "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "turned.mp4"
    )

    media = ffmpeg.probe(tmp_path / "turned.mp4")
    assert (media.width, media.height) == (180, 320)
    assert frames(tmp_path / "turned.mp4", 3)[0].shape == (320, 180)


def test_frames_do_not_depend_on_where_reading_begins(tmp_path):
    path = samples.clip(tmp_path / "c.mp4", 1.5, "320x180", 25)
    whole = frames(path, 40)
    painter = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, 40)
    frame = painter.paint(31)
    painter.close()
    assert (frame.luma == whole[31]).all()


def test_a_trim_begins_where_it_says(tmp_path):
    path = samples.clip(tmp_path / "c.mp4", 2, "320x180", 30)
    assert np.abs(frames(path, 3, trim=(1.0, 1.9))[0].astype(int) - frames(path, 32)[30]).mean() < 3


# Linear light as a share of reference white, and its luma in BT.709 on a reference display (BT.1886: light to
# the power of 1/2.4).
HDR_COLOURS = {
    "grey": ((0.18, 0.18, 0.18), 123),
    "light": ((0.5, 0.5, 0.5), 180),
    "dark": ((0.02, 0.02, 0.02), 59),
    "white": ((1.0, 1.0, 1.0), 235),
}


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
@pytest.mark.parametrize("name", HDR_COLOURS)
def test_hdr_is_converted_to_the_right_brightness(tmp_path, transfer, name):
    (red, green, blue), luma = HDR_COLOURS[name]
    found = frames(hdr(tmp_path, transfer, red, green, blue), 2)[0]
    # White is lowered a little to leave room for brighter parts.
    assert float(found.mean()) == pytest.approx(luma, abs=4 if name != "white" else 16)
    assert float(found.std()) < 2


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_highlights_stay_distinct_and_colours_saturated(tmp_path, transfer):
    # Twice and three times reference white; HLG at 203 nits ends at about five times.
    levels = [
        float(frames(hdr(tmp_path, transfer, light, light, light), 2)[0].mean()) for light in (1.0, 2.0, 3.0)
    ]
    assert levels[0] + 4 < levels[1] < levels[2] <= 236
    painter = clips.ClipPainter(hdr(tmp_path, transfer, 0.4, 0.05, 0.05), "red", Visual("clip"), *SIZE, 30, 2)
    frame = painter.paint(1)
    painter.close()
    red, green, blue = frame.as_rgb().reshape(-1, 3).mean(axis=0)
    assert red > 150
    assert max(green, blue) < 0.5 * red


def hdr(folder, transfer, red, green, blue):
    """A plain colour in ten bits, BT.2020, through x265 as cameras and telephones write it."""
    light = f"color=c=black:s=320x180:d=0.3:r=30,format=gbrpf32le,geq=r={red}:g={green}:b={blue}"
    target = f"t={transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le"
    coded = f"zscale=tin=linear:pin=bt709:min=gbr:rin=pc:{target}"
    tags = ("-color_trc", transfer, "-color_primaries", "bt2020", "-colorspace", "bt2020nc")
    samples.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        light,
        "-vf",
        coded,
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=error",
        *tags,
        folder / "hdr.mp4",
    )
    return folder / "hdr.mp4"


@pytest.mark.parametrize("content", [b"nothing", b"\0\0\0\x18ftypmp42" + b"\0" * 400])
def test_a_corrupt_clip_is_named(tmp_path, content):
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(AssetCorrupt, match=r"bad\.mp4"):
        frames(tmp_path / "bad.mp4", 3)


def test_a_sound_file_is_not_accepted_as_a_clip(tmp_path):
    samples.speech(tmp_path / "voice.wav", "only sound")
    with pytest.raises(AssetCorrupt, match="no picture"):
        frames(tmp_path / "voice.wav", 3)


@pytest.mark.slow
def test_a_4k_clip_plays(tmp_path):
    assert longest_still(frames(samples.clip(tmp_path / "4k.mp4", 2, "3840x2160", 50), 60)) <= 2


def test_nvdec_is_asked_for_only_on_a_gpu(tmp_path):
    path = samples.clip(tmp_path / "c.mp4", 1, "320x180")
    with_gpu = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, 30, gpu=True).decoder()
    without = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, 30).decoder()
    at = with_gpu.index("-hwaccel")
    assert with_gpu[at : at + 2] == ["-hwaccel", "cuda"]
    assert with_gpu.index("-i") > at
    assert "-hwaccel" not in without


def test_a_clip_that_nvdec_cannot_decode_is_decoded_on_the_cpu(tmp_path, capfd):
    """Without a GPU that is every clip. With one, the pictures differ by rounding only."""
    path = samples.clip(tmp_path / "c.mp4", 1, "320x180")
    for asked, plain in zip(frames(path, 10, gpu=True), frames(path, 10), strict=True):
        assert np.abs(asked.astype(int) - plain).mean() < 1
    if not Path("/dev/nvidia0").exists():
        assert "NVDEC does not decode c.mp4 after 0 frames" in capfd.readouterr().err


@pytest.fixture
def failing_nvdec(tmp_path, monkeypatch):
    """Use an ffmpeg whose hardware decoder ends with an error in the middle of frame 12."""
    program = tmp_path / "ffmpeg"
    program.write_text(
        f"""#!{sys.executable}
import subprocess, sys
arguments = sys.argv[1:]
if "-hwaccel" not in arguments:
    sys.exit(subprocess.run([{ffmpeg.binary()!r}, *arguments]).returncode)
at = arguments.index("-hwaccel")
del arguments[at : at + 2]
done = subprocess.run([{ffmpeg.binary()!r}, *arguments], stdout=subprocess.PIPE, check=True)
sys.stdout.buffer.write(done.stdout[: {int(11.5 * SIZE[0] * SIZE[1] * 1.5)}])
sys.exit("cuvid decode callback error")
"""
    )
    program.chmod(0o755)
    ffmpeg.binary.cache_clear()
    monkeypatch.setenv("RENDER_FFMPEG", str(program))
    yield
    monkeypatch.undo()
    ffmpeg.binary.cache_clear()


def test_a_clip_continues_on_the_cpu_after_nvdec_fails_in_the_middle(tmp_path, capfd, failing_nvdec):
    path = samples.clip(tmp_path / "c.mp4", 1, "320x180")
    for asked, plain in zip(frames(path, 28, gpu=True), frames(path, 28), strict=True):
        assert np.array_equal(asked, plain)
    assert "after 11 frames (cuvid decode callback error)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("size", "extra", "on_card"),
    [("3840x2160", (), True), ("1920x1080", (), False), ("2160x3840", ("-display_rotation", "90"), False)],
)
def test_a_clip_above_1080p_is_scaled_on_the_card(tmp_path, size, extra, on_card):
    source = samples.clip(tmp_path / "s.mp4", 0.1, size)
    samples.ffmpeg(*extra, "-i", source, "-c", "copy", tmp_path / "c.mp4")
    command = clips.ClipPainter(tmp_path / "c.mp4", "c", Visual("clip"), *SIZE, 30, 3, gpu=True).decoder()
    graph = command[command.index("-vf") + 1]
    assert ("-hwaccel_output_format" in command) is on_card
    assert graph.startswith("scale_cuda=180:320:") is on_card
    assert ("hwdownload,format=nv12" in graph) is on_card


def test_a_broken_clip_is_reported_on_a_gpu_too(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(samples.clip(tmp_path / "c.mp4", 1, "320x180").read_bytes()[:3000])
    with pytest.raises(AssetCorrupt, match=r"bad\.mp4"):
        frames(tmp_path / "bad.mp4", 3, gpu=True)

import itertools
import struct
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
    painter = clips.ClipPainter(path, path.name, Visual("clip", Asset(path.name), **fields), *SIZE, fps, gpu)
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


def test_a_slightly_short_clip_keeps_its_speed(tmp_path):
    """Expect that a clip that is too short begins again, with a cross-fade, instead of standing still."""
    found = numbers(frames(counting(tmp_path / "c.mp4", 2), 75))
    seamless = 60 - clips.SEAM
    assert found[:seamless] == pytest.approx(range(seamless), abs=1)
    assert found[60:] == pytest.approx(range(clips.SEAM, 75 - seamless), abs=1)


def test_a_clip_with_a_frame_less_than_it_says_shows_the_last_one_again(tmp_path):
    """Instead of beginning again for one frame. It is drawn on, so what follows must be another copy."""
    visual = Visual("clip", Asset("c"), trim=(1.5, 2.05))
    painter = clips.ClipPainter(counting(tmp_path / "c.mp4", 2), "c", visual, *SIZE, 30, frames=16)
    shown = []
    for index in range(16):
        frame = painter.paint(index)
        shown.append(frame.luma.copy())
        frame.luma[:] = 0
    painter.close()
    assert numbers(shown) == pytest.approx([*range(45, 60), 59], abs=1)


def test_a_clip_is_not_decoded_further_than_it_is_shown(tmp_path):
    path = counting(tmp_path / "c.mp4", 2)
    long, short = (
        clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, frames=frames).decoder()
        for frames in (10, 70)
    )
    assert long[long.index("-frames:v") + 1] == "10"
    assert "-frames:v" not in short


def test_a_variable_frame_rate_plays_evenly(tmp_path):
    """Every third frame is missing in the source."""
    path = samples.clip(
        tmp_path / "v.mp4", 2, "320x180", 30, ("-vf", "select='mod(n,3)'", "-fps_mode", "vfr")
    )
    found = frames(path, 60)
    assert longest_still(found) <= 2


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("late.mp4", ("-vf", "setpts=PTS+3/TB")),
        ("late.mkv", ("-vf", "setpts=PTS+7/TB")),
        ("program.mpg", ("-c:v", "mpeg2video")),
        ("transport.ts", ("-c:v", "libx264", "-muxdelay", "2")),
    ],
)
def test_a_file_whose_clock_starts_late_is_shown_whole(tmp_path, name, options):
    found = frames(samples.clip(tmp_path / name, 0.4, "320x180", 30, options), 12)
    assert len(found) == 12
    assert longest_still(found) <= 2


def circle(path, stored, aspect="1/1", more="", codec=("libx264", "-pix_fmt", "yuv420p")):
    """Write a clip of a circle of 40 % of its height, stored with the pixel aspect ratio `aspect`."""
    width, height = stored
    inside = f"lt(hypot((X-{width / 2})*{aspect},Y-{height / 2}),{height * 0.2})"
    graph = f"color=black:s={width}x{height}:r=30:d=0.4,format=gray,geq=lum='if({inside},255,0)'"
    samples.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        f"{graph},format=yuv420p{more},setsar={aspect}",
        "-c:v",
        codec[0],
        "-preset",
        "ultrafast",
        *codec[1:],
        path,
    )
    return path


def extent(luma):
    rows, columns = np.nonzero(luma > 128)
    return int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1


@pytest.mark.parametrize("fit", ["smart", "blur"])
@pytest.mark.parametrize(
    ("stored", "aspect"),
    [((704, 480), "10/11"), ((720, 576), "64/45"), ((352, 480), "20/11"), ((1440, 1080), "4/3")],
)
def test_a_circle_of_pixels_that_are_not_square_is_a_circle(tmp_path, stored, aspect, fit):
    path = circle(tmp_path / "c.mp4", stored, aspect)
    # Rows of the whole picture before the blurred one, too.
    width, height = extent(frames(path, 2, fit=fit)[1][112:208] if fit == "blur" else frames(path, 2)[1])
    assert width == pytest.approx(height, abs=3)
    width, height = extent(clips.still(path, "c", 0.1)[..., 0])
    assert width == pytest.approx(height, abs=3)


def test_a_turned_clip_of_pixels_that_are_not_square_is_right_too(tmp_path):
    circle(tmp_path / "plain.mp4", (704, 480), "10/11")
    samples.ffmpeg(
        "-display_rotation", "90", "-i", tmp_path / "plain.mp4", "-c", "copy", tmp_path / "turned.mp4"
    )
    media = ffmpeg.probe(tmp_path / "turned.mp4")
    assert (media.width, media.height) == (480, 640)
    width, height = extent(frames(tmp_path / "turned.mp4", 2)[1])
    assert width == pytest.approx(height, abs=3)


@pytest.mark.parametrize("aspect", ["1/500", "400/1"])
def test_an_absurd_pixel_aspect_is_ignored(tmp_path, aspect):
    circle(tmp_path / "plain.mp4", (320, 240))
    samples.ffmpeg("-i", tmp_path / "plain.mp4", "-c", "copy", "-aspect", f"{aspect}", tmp_path / "c.mp4")
    assert ffmpeg.probe(tmp_path / "c.mp4").width == 320
    assert frames(tmp_path / "c.mp4", 2)[1].max() > 200


def clean_aperture(path, width, height):
    """Insert a `clap` box (ISO/IEC 14496-12, 12.1.4) for the middle of the picture into an MP4."""
    data = bytearray(path.read_bytes())
    assert data.index(b"moov") > data.index(b"mdat"), "sizes before the data would move it"
    box = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    entry = data.index(b"avc1", data.index(b"stsd")) - 4
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        at = data.index(kind, data.index(b"moov")) - 4
        data[at : at + 4] = struct.pack(">I", struct.unpack_from(">I", data, at)[0] + len(box))
    size = struct.unpack_from(">I", data, entry)[0]
    data[entry : entry + 4] = struct.pack(">I", size + len(box))
    data[entry + size : entry + size] = box
    path.write_bytes(data)


def test_what_lies_outside_the_clean_aperture_is_not_shown(tmp_path):
    """The stored picture has a white border, as analogue captures have rubbish at their edges."""
    graph = "color=white:s=360x640:r=30:d=0.4,drawbox=20:40:320:560:color=gray:t=fill"
    samples.ffmpeg("-f", "lavfi", "-i", graph, "-c:v", "libx264", "-pix_fmt", "yuv420p", tmp_path / "c.mp4")
    assert frames(tmp_path / "c.mp4", 2)[1].max() > 230
    clean_aperture(tmp_path / "c.mp4", 316, 556)
    assert frames(tmp_path / "c.mp4", 2)[1].max() < 150


@pytest.mark.parametrize(
    "codec",
    [
        ("libx264", "-pix_fmt", "yuv420p10le"),
        ("libx264", "-pix_fmt", "yuv422p10le"),
        ("libx265", "-pix_fmt", "yuv420p10le", "-x265-params", "log-level=error"),
        ("libx264", "-pix_fmt", "yuv444p"),
        ("libx264", "-pix_fmt", "yuvj420p"),
    ],
)
def test_ten_bits_and_other_samplings_have_the_same_tones(tmp_path, codec):
    graph = "color=0x808080:s=320x180:r=30:d=0.3"
    target = tmp_path / "c.mp4"
    samples.ffmpeg("-f", "lavfi", "-i", graph, "-c:v", codec[0], "-preset", "ultrafast", *codec[1:], target)
    assert float(frames(target, 2)[1].mean()) == pytest.approx(126, abs=2)


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_an_interlaced_clip_has_no_combs(tmp_path, order):
    """A bar moves by 8 pixels from field to field: between whole lines its edge must be straight."""
    inside = "between(X,20+8*mod(N,25),60+8*mod(N,25))"
    bar = f"color=black:s=320x240:r=60:d=1,format=gray,geq=lum='if({inside},255,0)'"
    woven = (
        f"{bar},format=yuv420p,tinterlace=interleave_{'top' if order == 'tff' else 'bottom'},setfield={order}"
    )
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", f"{order}=1", "-crf", "10")
    samples.ffmpeg("-f", "lavfi", "-i", woven, *coding, tmp_path / "c.mp4")
    found = frames(tmp_path / "c.mp4", 12)
    combs = [np.abs(2 * luma[1:-1].astype(int) - luma[:-2] - luma[2:])[60:-60].mean() for luma in found[2:]]
    assert max(combs) < 1.5
    assert longest_still(found) <= 1


def counting(path, length_s=3.0, rate=30, more=()):
    """Write a clip whose frame N has the luma 16 + 2 N (full range); return its path."""
    graph = f"color=black:s=320x180:r={rate}:d={length_s},format=gray,geq=lum='16+2*N',format=yuv420p"
    samples.ffmpeg(
        "-f", "lavfi", "-i", graph, *more, "-c:v", "libx264", "-preset", "ultrafast", "-g", "60", path
    )
    return path


def numbers(found):
    """Return the numbers that `counting` gave to frames."""
    return [round(((float(luma.mean()) - 16) * 255 / 219 - 16) / 2) for luma in found]


def test_an_edit_list_decides_where_a_clip_begins(tmp_path):
    """Cut at 1 s without encoding: the frames since the last key frame are stored but not shown."""
    samples.ffmpeg("-ss", "1.0", "-i", counting(tmp_path / "c.mp4"), "-c", "copy", tmp_path / "cut.mp4")
    assert numbers(frames(tmp_path / "cut.mp4", 4)) == pytest.approx([30, 31, 32, 33], abs=1)
    assert numbers(frames(tmp_path / "cut.mp4", 4, trim=(0.5, 0.9)))[0] == pytest.approx(45, abs=1)


def test_a_picture_that_starts_after_the_sound_begins_at_once(tmp_path):
    late, sound = (
        ("-itsoffset", "0.5", "-i", counting(tmp_path / "c.mp4")),
        ("-f", "lavfi", "-i", "sine=d=3.5"),
    )
    samples.ffmpeg(*late, *sound, "-c:v", "copy", "-c:a", "aac", tmp_path / "late.mp4")
    assert numbers(frames(tmp_path / "late.mp4", 4)) == pytest.approx([0, 1, 2, 3], abs=1)
    painter = clips.ClipPainter(tmp_path / "late.mp4", "late", Visual("clip"), *SIZE, 30)
    assert painter.length_s == pytest.approx(3.0, abs=0.05)


def test_a_variable_frame_rate_keeps_its_times(tmp_path):
    """Of frames 15 to 44 only every fifth is there: what is shown at a time is the frame of that time."""
    chosen = "select='lt(n,15)+gt(n,44)+not(mod(n,5))'"
    found = numbers(frames(counting(tmp_path / "v.mp4", more=("-vf", chosen, "-fps_mode", "vfr")), 80))
    for at in (5, 14, 50, 70, 79):
        assert found[at] == pytest.approx(at, abs=1)
    assert all(found[at] in range(at - 5, at + 2) for at in range(15, 45))


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
    painter = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30)
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
    painter = clips.ClipPainter(hdr(tmp_path, transfer, 0.4, 0.05, 0.05), "red", Visual("clip"), *SIZE, 30)
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
    with_gpu = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30, gpu=True).decoder()
    without = clips.ClipPainter(path, "c", Visual("clip"), *SIZE, 30).decoder()
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
    """Use an ffmpeg whose hardware decoder ends with an error in the middle of frame 12.

    A frame is a part of 100x180 pixels of the 320x180 that the clip has.
    """
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
sys.stdout.buffer.write(done.stdout[: {int(11.5 * 100 * 180 * 1.5)}])
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
    command = clips.ClipPainter(tmp_path / "c.mp4", "c", Visual("clip"), *SIZE, 30, gpu=True).decoder()
    graph = command[command.index("-vf") + 1]
    assert ("-hwaccel_output_format" in command) is on_card
    assert graph.startswith("scale_cuda=180:320:") is on_card
    assert ("hwdownload,format=nv12" in graph) is on_card


def test_a_broken_clip_is_reported_on_a_gpu_too(tmp_path):
    (tmp_path / "bad.mp4").write_bytes(samples.clip(tmp_path / "c.mp4", 1, "320x180").read_bytes()[:3000])
    with pytest.raises(AssetCorrupt, match=r"bad\.mp4"):
        frames(tmp_path / "bad.mp4", 3, gpu=True)

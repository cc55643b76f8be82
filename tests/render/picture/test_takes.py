"""The part of a clip that is shown, its framing and its colours, measured on small clips."""

import numpy as np
import pytest

from render.picture import clips, takes
from render.plan.timeline import Asset, Output, Take, Visual
from tests.render import samples

TALL, WIDE = Output("tall", 180, 320), Output("wide", 320, 180)
CODING = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


def written(path, *graphs, gop=15, more=()):
    """Write a clip of these ffmpeg sources, one after another."""
    inputs = [part for graph in graphs for part in ("-f", "lavfi", "-i", graph)]
    joined = "".join(f"[{number}:v]" for number in range(len(graphs))) + f"concat=n={len(graphs)}"
    samples.ffmpeg(*inputs, "-filter_complex", joined, *more, *CODING, "-g", str(gop), path)
    return path


def drawn(path, picture, seconds=2.0, size=(320, 180), gop=15):
    """Write a clip of `picture(second)`: luma or RGB [height, width]."""
    raw = b"".join(
        np.ascontiguousarray(picture(index / 30)).tobytes() for index in range(round(seconds * 30))
    )
    form = "gray" if picture(0).ndim == 2 else "rgb24"
    source = ("-f", "rawvideo", "-pix_fmt", form, "-s", "x".join(map(str, size)), "-r", "30", "-i", "-")
    samples.piped(raw, *source, *CODING, "-g", str(gop), path)
    return path


def texture(width, height, seed=1):
    """Return a picture with detail everywhere."""
    noise = np.random.default_rng(seed).integers(0, 255, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return np.kron(noise, np.ones((6, 6), np.uint8))[:height, :width] // 2 + 60


def chosen(path, needed_s, *outputs, **fields):
    return takes.choose(path, Visual("clip", Asset(path.name), **fields), needed_s, outputs or (TALL,))


def test_the_part_that_moves_and_is_sharp_is_chosen(tmp_path):
    """Grey and still, then a blurred test picture, then a sharp one, then grey."""
    still = "color=gray:s=320x180:r=30:d=2"
    blurred, sharp = "testsrc2=s=320x180:r=30:d=2,gblur=8", "testsrc2=s=320x180:r=30:d=2"
    visual, reasons = chosen(written(tmp_path / "c.mp4", still, blurred, sharp, still), 1.5)
    start, end = visual.trim
    assert start >= 3.9
    assert end <= 6.1
    assert end - start == pytest.approx(1.5, abs=0.05)
    assert reasons == []


@pytest.mark.parametrize("keys", ["0", "40"])
def test_the_chosen_part_has_no_cut_inside(tmp_path, keys):
    """At a cut there is a key frame, or (without search for cuts) a packet as large as one."""
    parts = (f"testsrc2=s=320x180:r=30:d=1.2,{turn}" for turn in ("vflip", "hflip,negate", "negate"))
    whole = (*parts, "testsrc2=s=320x180:r=30:d=3")
    options = ("-x264-params", f"scenecut={keys}")
    visual, reasons = chosen(written(tmp_path / "c.mp4", *whole, more=options, gop=30), 2.0)
    assert visual.trim[0] >= 3.5
    assert reasons == []


def test_a_clip_of_short_shots_is_shown_up_to_its_cut_and_reported(tmp_path):
    parts = (f"testsrc2=s=320x180:r=30:d=1,hue=h={hue}" for hue in (0, 90, 180, 270))
    visual, reasons = chosen(written(tmp_path / "c.mp4", *parts), 2.0)
    start, end = visual.trim
    assert end - start == pytest.approx(1.0, abs=0.1)
    assert reasons == [takes.CUT]


def test_a_trim_with_an_end_is_kept(tmp_path):
    path = written(tmp_path / "c.mp4", "color=gray:s=320x180:r=30:d=2", "testsrc2=s=320x180:r=30:d=2")
    visual, _ = chosen(path, 1.0, trim=(0.5, 1.5))
    assert visual.trim == (0.5, 1.5)


@pytest.mark.parametrize(("amount", "is_shaky"), [(0, False), (2, False), (8, True)])
def test_a_shaking_camera_is_reported_and_a_smooth_pan_is_not(tmp_path, amount, is_shaky):
    wide = texture(480, 240)
    rng = np.random.default_rng(3)
    offsets = rng.uniform(-amount / 2, amount / 2, (90, 2))

    def picture(second):
        x, y = 20 + 30 * second + offsets[round(second * 30)][0], 20 + offsets[round(second * 30)][1]
        return wide[round(y) : round(y) + 180, round(x) : round(x) + 320]

    _, reasons = chosen(drawn(tmp_path / "c.mp4", picture), 1.0)
    assert (takes.SHAKY in reasons) is is_shaky


@pytest.mark.parametrize("bars", ["pad=320:180:0:30", "pad=320:180:60:0"])
def test_black_borders_are_reported_and_cut_off(tmp_path, bars):
    inner = "320x120" if ":0:30" in bars else "200x180"
    path = written(tmp_path / "c.mp4", f"testsrc2=s={inner}:r=30:d=2,{bars}")
    visual, reasons = chosen(path, 1.0, WIDE)
    assert reasons == [takes.BORDERED]
    painter = clips.ClipPainter(path, "c", visual, 320, 180, 30, output="wide")
    luma = painter.paint(3).luma
    painter.close()
    for rim in (luma[:4], luma[-4:], luma[:, :4], luma[:, -4:]):
        assert rim.max() > 60


def test_a_dark_clip_has_no_borders(tmp_path):
    _, reasons = chosen(written(tmp_path / "c.mp4", "testsrc2=s=320x180:r=30:d=1,eq=brightness=-0.9"), 0.8)
    assert takes.BORDERED not in reasons


def test_a_night_sky_is_no_border(tmp_path):
    """Black above and below, with stars, and light only in the middle."""
    sky = np.zeros((180, 320), np.float32)
    sky += 120 * np.exp(-(((np.arange(180) - 90) / 30) ** 2))[:, None]
    sky[np.random.default_rng(4).integers(60, 120, 40), np.random.default_rng(5).integers(0, 320, 40)] = 220
    _, reasons = chosen(drawn(tmp_path / "c.mp4", lambda _: sky.astype(np.uint8) + 16), 1.0)
    assert takes.BORDERED not in reasons


def test_a_photograph_in_a_clip_is_reported(tmp_path):
    photo = texture(320, 180)
    _, reasons = chosen(drawn(tmp_path / "c.mp4", lambda _: photo), 1.0)
    assert reasons == [takes.STILL]


def ball(centre_of, radius=26):
    """Return a drawing of a bright, detailed ball on a plain ground."""
    base = np.full((180, 320), 90, np.uint8)
    rows, columns = np.mgrid[0:180, 0:320]
    detail = texture(320, 180, 2)

    def picture(second):
        x, y = centre_of(second)
        inside = np.hypot(columns - x, rows - y) < radius
        return np.where(inside, np.minimum(255, detail + 70), base).astype(np.uint8)

    return picture


@pytest.mark.parametrize("x", [60, 250])
def test_an_upright_crop_shows_the_subject(tmp_path, x):
    path = drawn(tmp_path / "c.mp4", ball(lambda second: (x, 90 + 10 * np.sin(9 * second))))
    visual, _ = chosen(path, 1.5)
    framing = dict(visual.take.framings)["tall"]
    assert framing.kind == "crop"
    assert framing.path[0][1] * 320 == pytest.approx(x, abs=30)
    painter = clips.ClipPainter(path, "c", visual, 180, 320, 30, output="tall")
    columns = np.flatnonzero((painter.paint(10).luma > 150).any(axis=0))
    painter.close()
    # The whole ball, 26 pixels of 180 scaled to 320.
    assert np.ptp(columns) >= 80


def test_an_upright_crop_follows_its_subject_smoothly(tmp_path):
    path = drawn(tmp_path / "c.mp4", ball(lambda second: (80 + 40 * second, 90)), seconds=4)
    visual, _ = chosen(path, 3.5)
    framing = dict(visual.take.framings)["tall"]
    assert len(framing.path) >= 3
    assert framing.path[-1][1] - framing.path[0][1] > 0.15
    painter = clips.ClipPainter(path, "c", visual, 180, 320, 30, output="tall")
    middles = []
    for index in range(100):
        found = np.flatnonzero((painter.paint(index).luma > 150).any(axis=0))
        assert np.ptp(found) >= 60, index
        middles.append(float(found.mean()))
    painter.close()
    # The subject never jumps in the picture.
    assert np.abs(np.diff(middles)).max() < 8


def test_a_picture_with_two_far_subjects_is_shown_whole(tmp_path):
    one, other = (
        ball(lambda second: (40, 90 + 9 * np.sin(8 * second))),
        ball(lambda second: (280, 90 + 9 * np.cos(8 * second))),
    )
    path = drawn(tmp_path / "c.mp4", lambda second: np.maximum(one(second), other(second)))
    visual, _ = chosen(path, 1.5)
    assert dict(visual.take.framings)["tall"].kind == "blur"


def test_a_picture_that_is_alike_everywhere_fills_the_screen(tmp_path):
    wide = texture(480, 180)
    path = drawn(tmp_path / "c.mp4", lambda second: wide[:, round(30 * second) :][:, :320])
    visual, _ = chosen(path, 1.5)
    assert dict(visual.take.framings)["tall"].kind == "crop"


def test_a_picture_whose_details_lie_everywhere_fills_the_screen(tmp_path):
    """Sixty small lights that move: none is the subject."""
    places = np.random.default_rng(6).uniform((10, 10), (310, 170), (60, 2))
    balls = [
        ball(lambda second, at=at: (at[0] + 6 * np.sin(4 * second + at[1]), at[1]), radius=5) for at in places
    ]
    path = drawn(tmp_path / "c.mp4", lambda second: np.max([each(second) for each in balls], axis=0))
    visual, _ = chosen(path, 1.5)
    assert dict(visual.take.framings)["tall"].kind == "crop"


def test_clips_come_nearer_to_each_other_but_keep_their_character(tmp_path):
    means, before = [], []
    for name, look in (
        ("warm", "eq=brightness=0.15,colorbalance=rm=.3:bm=-.3"),
        ("cold", "eq=brightness=-0.25"),
    ):
        path = written(tmp_path / f"{name}.mp4", f"testsrc2=s=320x180:r=30:d=1,{look}")
        visual, _ = chosen(path, 0.8, WIDE)
        for found, take in (
            (before, Take(visual.take.inset, framings=visual.take.framings)),
            (means, visual.take),
        ):
            shown = Visual("clip", trim=visual.trim, take=take)
            painter = clips.ClipPainter(path, "c", shown, 320, 180, 30, output="wide")
            frame = painter.paint(2)
            found.append([float(frame.luma.mean()), *frame.chroma.reshape(-1, 2).mean(axis=0)])
            painter.close()
    apart, nearer = np.abs(np.diff(before, axis=0))[0], np.abs(np.diff(means, axis=0))[0]
    assert 0.5 * apart[0] < nearer[0] < 0.85 * apart[0]
    assert nearer[2] < 0.9 * apart[2]


def test_nothing_about_a_clip_depends_on_another(tmp_path):
    path = written(tmp_path / "c.mp4", "testsrc2=s=320x180:r=30:d=3")
    assert chosen(path, 1.0) == chosen(path, 1.0)

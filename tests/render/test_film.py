"""Check a finished video by measuring the file itself."""

import contextlib
import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import psutil
import pytest
from PIL import Image

from render import ffmpeg, job
from render.encode import segments
from render.encode.encoders import Encoder
from render.picture import takes
from render.picture.compose import Composer
from render.picture.compositor import Compositor
from render.plan import assets, timeline
from render.plan import cuts as cuts_module
from render.plan.cuts import cuts
from render.plan.spans import spans
from render.sound import soundtrack
from render.storage import Destination
from showrunner.production.files import BESIDE_A_VIDEO
from tests.render import samples
from tests.render.program import call, environment


def test_all_files_are_written(film):
    assert {path.name for path in film.out.iterdir()} == {
        "video.mp4",
        "thumbnail.jpg",
        "thumbnail.tall.jpg",
        "captions.srt",
        "captions.vtt",
        "report.json",
    }


def test_the_report_names_every_file_beside_the_video_as_the_product_does(film):
    (output,) = film.report["outputs"]

    assert [output[name] for name in BESIDE_A_VIDEO] == [
        "thumbnail.jpg",
        "thumbnail.tall.jpg",
        "captions.srt",
        "captions.vtt",
    ]
    assert output["sha256_beside"] == {
        name: hashlib.sha256((film.out / output[name]).read_bytes()).hexdigest() for name in BESIDE_A_VIDEO
    }


def test_the_video_has_the_required_format(film):
    media = ffmpeg.probe(film.out / "video.mp4")
    assert (media.width, media.height, media.fps) == (360, 640, 30)
    assert (media.video_codec, media.audio_codec, media.sample_rate) == ("h264", "aac", 48000)
    assert "bt709" in media.video_tags
    assert "tv" in media.video_tags
    assert abs(media.duration_s - film.document["scenes"][-1]["end_s"]) < 0.1


def test_the_file_has_no_edit_list(film):
    """YouTube warns of them (hasEditlist), and players that ignore them set sound and picture apart."""
    data = (film.out / "video.mp4").read_bytes()

    assert b"elst" not in data[: data.index(b"mdat")]
    with av.open(str(film.out / "video.mp4")) as shown:
        first = [
            next(shown.decode(stream)).pts for stream in (shown.streams.video[0], shown.streams.audio[0])
        ]
    assert first == [0, 0]


def test_the_report_contains_the_measurements(film):
    assert film.report["loudness_lufs"] == pytest.approx(-14, abs=1)
    assert film.report["true_peak_dbtp"] <= -1
    assert film.report["findings"] == []
    output = film.report["outputs"][0]
    assert output["encoder"] == {"name": "libx264", "reason": "requested by RENDER_ENCODER=cpu", "device": ""}
    assert output["sha256"] == assets.sha256(film.out / "video.mp4")
    assert set(film.report["timings_s"]) >= {"read", "frames", "sound", "join", "inspect"}


def test_progress_is_printed_as_lines_of_json(film):
    frames = [line for line in film.lines if line["phase"] == "frames"]
    assert [line["done"] for line in frames] == sorted(line["done"] for line in frames)
    assert frames[-1]["done"] == frames[-1]["total"] == film.report["outputs"][0]["measured"]["frames"]
    assert film.lines[-1] == {"phase": "publish", "done": 1, "total": 1}


def test_subtitle_files_contain_the_words_of_the_script(film):
    srt = (film.out / "captions.srt").read_text()
    words = " ".join(line for line in srt.splitlines() if line and "-->" not in line and not line.isdigit())
    assert words.split() == " ".join(samples.TEXTS).split()


def test_the_thumbnails_have_their_sizes(film):
    for name, size in (("thumbnail.jpg", (1280, 720)), ("thumbnail.tall.jpg", (1080, 1920))):
        assert Image.open(film.out / name).size == size
        assert (film.out / name).stat().st_size <= 2_000_000


def test_every_frame_has_a_picture_and_none_stands_still(film):
    frames = samples.decoded(film.out / "video.mp4", 360, 640)[:, ::4, ::4].astype(np.int16)
    assert len(frames) == film.report["outputs"][0]["measured"]["frames"]
    assert frames.mean(axis=(1, 2, 3)).min() > 12
    still = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3)) < 0.003
    runs = "".join("x" if value else " " for value in still).split()
    assert max((len(run) for run in runs), default=0) < 30


def test_the_highlight_is_in_time_with_the_voice(film):
    """Find word onsets in the finished sound and highlight changes in the picture; at least 95 % lie within
    80 ms.
    """
    clip = film.document["scenes"][1]
    # The clip's test pattern contains the accent's yellow.
    onsets = [
        onset
        for onset in _onsets(film.out / "video.mp4")
        if not clip["start_s"] - 0.3 < onset < clip["end_s"] + 0.3
    ]
    changes = _highlight_changes(film.out / "video.mp4")
    assert len(onsets) >= 16
    offsets = np.array([np.abs(changes - onset).min() for onset in onsets])
    assert np.percentile(offsets, 95) <= 0.080, offsets.round(3)


def _onsets(path: Path) -> np.ndarray:
    """Where the voice sets in again: the bursts of the sample speech have pauses of at least 45 ms between
    them.
    """
    raw = np.frombuffer(
        samples.ffmpeg("-i", path, "-f", "f32le", "-ac", "1", "-ar", "16000", "-"), np.float32
    )
    power = np.square(raw[: raw.size // 80 * 80].reshape(-1, 80)).mean(axis=1)
    level = 10 * np.log10(power + 1e-12)
    loud = level > np.percentile(level, 90) - 14
    starts = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    kept = [
        start
        for start in starts
        if loud[start : start + 8].all() and not loud[max(0, start - 4) : start].any()
    ]
    return np.array(kept) * 0.005


def _highlight_changes(path: Path) -> np.ndarray:
    """Frames on which the accent-coloured letters are other ones than on the frame before.

    Accent of the sample: #ffcc00.
    """
    frames = samples.decoded(path, 360, 640)[:, 320:500]
    red, green, blue = (frames[..., channel].astype(np.int16) for channel in range(3))
    accent = (red > 200) & (green > 150) & (blue < 90)
    changed = np.array([np.logical_xor(a, b).sum() for a, b in zip(accent[1:], accent[:-1], strict=True)])
    area = np.maximum(accent[1:].sum(axis=(1, 2)), accent[:-1].sum(axis=(1, 2)))
    return (np.flatnonzero((changed > 60) & (changed > 0.5 * area)) + 1) / 30


def test_captions_need_not_be_burned_in(tmp_path, film):
    """Render the film's first scene."""
    document = {**film.document, "captions": {"burn_in": False}, "scenes": film.document["scenes"][:1]}
    for name in ("photo.jpg", "clip.mp4", "voice0.wav", "voice1.wav", "voice2.wav"):
        (tmp_path / name).symlink_to(film.folder / name)
    (tmp_path / "timeline.json").write_text(json.dumps(document))
    assert call(tmp_path / "timeline.json", tmp_path / "out").returncode == 0
    written = (tmp_path / "out" / "captions.srt").read_text()
    assert written
    assert (film.out / "captions.srt").read_text().startswith(written)
    with_them, without = (
        samples.decoded(folder / "video.mp4", 360, 640)[60] for folder in (film.out, tmp_path / "out")
    )
    rows, columns = np.nonzero(np.abs(with_them.astype(int) - without).max(axis=2) > 60)
    assert 0.4 * 640 < rows.min() < rows.max() <= 0.75 * 640 + 2
    assert 0.1 * 360 < columns.min() < columns.max() < 0.9 * 360


def small(folder: Path, **fields) -> Path:
    scenes = samples.narrated(folder, samples.TEXTS[:2], samples.visuals(folder)[:2])
    return samples.timeline(folder, scenes, 180, 320, **fields)


def test_one_plan_gives_three_aspects(tmp_path):
    outputs = [
        {"name": "tall", "width": 180, "height": 320},
        {"name": "wide", "width": 320, "height": 180},
        {"name": "square", "width": 180, "height": 180},
    ]
    done = call(small(tmp_path, outputs=outputs), tmp_path / "out")
    assert done.returncode == 0, done.stderr[-800:]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [(output["file"], output["width"], output["height"]) for output in report["outputs"]] == [
        ("video.mp4", 180, 320), ("video.wide.mp4", 320, 180), ("video.square.mp4", 180, 180)]  # fmt: skip
    spoken = {
        re.sub(
            r"\s+",
            " ",
            re.sub(
                r"\d\d:.*|^\d+$",
                "",
                (tmp_path / "out" / f"captions{infix}.srt").read_text(),
                flags=re.MULTILINE,
            ),
        ).strip()
        for infix in ("", ".wide", ".square")
    }
    assert len(spoken) == 1


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_the_other_codecs_are_rendered_and_inspected_too(tmp_path, codec):
    scenes = samples.narrated(tmp_path, samples.TEXTS[:1], samples.visuals(tmp_path)[:1])
    plan = samples.timeline(
        tmp_path, scenes, 180, 320, outputs=[{"name": "main", "width": 180, "height": 320, "codec": codec}]
    )
    done = call(plan, tmp_path / "out")
    assert done.returncode == 0, done.stderr[-800:]
    assert ffmpeg.probe(tmp_path / "out" / "video.mp4").video_codec == codec


def test_a_killed_render_is_resumed_and_its_picture_is_the_same(tmp_path):
    """Kill the first run after its first finished piece.

    The second keeps that piece and removes the first error. The packets are those of an undisturbed run.
    """
    path = small(tmp_path)
    whole = tmp_path / "whole"
    assert call(path, whole).returncode == 0
    out = tmp_path / "out"
    command = [sys.executable, "-m", "render", str(path), str(out)]
    process = subprocess.Popen(
        command, env=environment(RENDER_WORKERS="1"), stdout=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list((out / "segments").rglob("*.mp4")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "video.mp4").exists()
    kept = {piece: piece.stat().st_mtime_ns for piece in (out / "segments").rglob("*.mp4")}
    assert kept
    (out / "error.json").write_text("{}")
    done = call(path, out)
    assert done.returncode == 0, done.stderr[-500:]
    assert not (out / "error.json").exists()
    assert json.loads((out / "report.json").read_text())["resumed_segments"] >= 1
    assert assets.sha256(out / "video.mp4") == assets.sha256(whole / "video.mp4")
    assert not (out / "segments").exists()
    assert not (out / ".work").exists()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_render_killed_at_any_moment_is_resumed_to_the_same_bytes(tmp_path):
    """Kill the render at every eighth of its time on the same destination: no partial file is left, and the
    result is the same.
    """
    path = small(tmp_path)
    started = time.monotonic()
    assert call(path, tmp_path / "whole").returncode == 0
    whole_s = time.monotonic() - started
    for eighth in range(1, 8):
        out = tmp_path / f"out{eighth}"
        process = subprocess.Popen(
            [sys.executable, "-m", "render", str(path), str(out)],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(whole_s * eighth / 8)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if (out / "video.mp4").exists():
            assert assets.sha256(out / "video.mp4") == assets.sha256(tmp_path / "whole" / "video.mp4")
        assert call(path, out).returncode == 0
        assert assets.sha256(out / "video.mp4") == assets.sha256(tmp_path / "whole" / "video.mp4"), eighth
        assert {entry.name for entry in out.iterdir()} == {
            entry.name for entry in (tmp_path / "whole").iterdir()
        }


def test_sound_is_made_while_encoders_are_probed(tmp_path, film):
    """The probe of a very large output takes a second. It fails here, when the sound has long begun."""
    document = film.document | {"outputs": [{"name": "main", "width": 4096, "height": 4096}]}
    plan = film.folder / "large.json"
    plan.write_text(json.dumps(document))
    done = call(plan, tmp_path / "out", RENDER_ENCODER="gpu")
    if done.returncode == 0:
        pytest.skip("this machine has a GPU that encodes 4096x4096")
    assert done.returncode == 5, done.stderr[-500:]
    assert json.loads((tmp_path / "out" / "error.json").read_text())["error"] == "GpuUnavailable"
    assert (tmp_path / "out" / ".work" / "sound").is_dir()


def test_workers_die_with_the_main_process(tmp_path):
    path = small(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "render", str(path), str(tmp_path / "out")],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    time.sleep(0.5)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    time.sleep(0.5)
    assert children
    assert not [
        child
        for child in children
        if Path(f"/proc/{child}").exists()
        and "Z" not in Path(f"/proc/{child}/stat").read_text().split(")")[1][:3]
    ]


def test_pieces_end_with_scenes_and_know_what_they_show(plan):
    """A scene's picture is then prepared once, and the encoder knows what moves."""
    visuals = [
        {"kind": "image", "asset": {"uri": "a.jpg"}},
        {"kind": "generated", "generated": {"template": "gradient"}},
    ] * 4
    scenes = [
        {"id": str(index), "start_s": 6 * index, "end_s": 6 * index + 6, "visual": visual}
        for index, visual in enumerate(visuals)
    ]
    parsed = timeline.parse(plan(scenes=scenes))
    pieces = segments.plan(parsed, parsed.outputs[0], Encoder("libx264", ""), Compositor("cpu", ""), {})
    assert [(piece.first, piece.last) for piece in pieces[:4]] == [
        (0, 180),
        (180, 360),
        (360, 540),
        (540, 720),
    ]
    assert [piece.shows for piece in pieces[:4]] == ["photographs", "", "photographs", ""]
    assert pieces[-1].last - pieces[-1].first <= 60
    filmed = [scene | {"visual": {"kind": "clip", "asset": {"uri": "c.mp4"}}} for scene in scenes[:1]]
    parsed = timeline.parse(plan(scenes=filmed))
    pieces = segments.plan(parsed, parsed.outputs[0], Encoder("libx264", ""), Compositor("cpu", ""), {})
    assert {piece.shows for piece in pieces} == {"clips"}


def test_pieces_of_another_card_or_driver_have_other_names(film):
    """A Spot job may resume on another card, whose pieces cannot be joined with those of the first."""
    parsed = timeline.parse(film.document)

    def names(**fields):
        encoder = Encoder("h264_nvenc", "", still_bits=0.01, **fields)
        return {
            piece.name
            for piece in segments.plan(parsed, parsed.outputs[0], encoder, Compositor("cpu", ""), {})
        }

    cards = [
        names(device="Tesla T4, driver 570.86.15", headers="1"),
        names(device="NVIDIA A10G, driver 570.86.15", headers="1"),
        names(device="Tesla T4, driver 580.95.05", headers="1"),
        names(device="Tesla T4, driver 570.86.15", headers="2"),
    ]
    assert all(one.isdisjoint(other) for one, other in itertools.combinations(cards, 2))


def test_an_encoder_that_stays_open_makes_pieces_that_join(film, tmp_path):
    """On a GPU one session encodes all pieces of a worker; here libx264 does. The worker skips a piece."""
    parsed = timeline.parse(film.document)
    output, encoder = parsed.outputs[0], Encoder("libx264", "")
    files = {asset.uri: film.folder / asset.uri for _, asset in parsed.assets()}
    parsed, _ = takes.choose_all(parsed, files, 1)
    pieces = segments.plan(parsed, output, encoder, Compositor("cpu", ""), {})
    assert len(pieces) > 3
    finished, streams = [], set()
    for own in (pieces[::2], pieces[1::2]):
        session = segments.Session(encoder, output, parsed.fps, keep_open=True)
        composer = Composer(parsed, output, files)
        for piece in own:
            finished += session.encode(piece, composer, segments.local(tmp_path, piece), lambda _: None)
            streams.add(id(session._stream))
        finished += session.finish()
    assert (sorted(finished, key=pieces.index), len(streams)) == (pieces, 2)
    for piece in pieces:
        with av.open(str(segments.local(tmp_path, piece))) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        shown_at = sorted(round(packet.pts * packet.time_base * parsed.fps) for packet in packets)
        assert packets[0].is_keyframe
        assert shown_at == list(range(piece.last - piece.first))
    track = soundtrack.produce(parsed, files, tmp_path / "sound").path
    segments.join(pieces, tmp_path, track, parsed.fps, tmp_path / "video.mp4")
    ours, theirs = (
        samples.decoded(path, 360, 640) for path in (tmp_path / "video.mp4", film.out / "video.mp4")
    )
    assert len(ours) == parsed.frame_count
    assert np.abs(ours[:, ::8, ::8].astype(int) - theirs[:, ::8, ::8]).mean() < 2


def test_pieces_cover_every_frame_once_and_depend_on_what_they_show(film):
    parsed = timeline.parse(film.document)
    ranges = cuts(parsed)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == parsed.frame_count
    assert all(left[1] == right[0] for left, right in itertools.pairwise(ranges))
    encoder = Encoder("libx264", "")
    one = segments.plan(parsed, parsed.outputs[0], encoder, Compositor("cpu", ""), {"photo.jpg": "1"})
    two = segments.plan(parsed, parsed.outputs[0], encoder, Compositor("cpu", ""), {"photo.jpg": "2"})
    until = spans(parsed)[0].last
    changed = [first for first, second in zip(one, two, strict=True) if first.name != second.name]
    assert parsed.shots[0].visual.asset.uri == "photo.jpg"
    assert changed == [piece for piece in one if piece.first < until]


@pytest.mark.slow
def test_a_film_with_more_pieces_than_a_pipe_holds_is_finished(tmp_path, monkeypatch):
    """Half an hour has over two hundred pieces.

    Here each frame of ten seconds is one piece: three hundred.
    """
    monkeypatch.setattr(cuts_module, "LONGEST_S", 1 / 30)
    monkeypatch.setattr(cuts_module, "SHORTEST_S", 1 / 30)
    for name, value in (("RENDER_X264_PRESET", "ultrafast"), ("RENDER_ENCODER", "cpu")):
        monkeypatch.setenv(name, value)
    visual = {"kind": "generated", "generated": {"template": "gradient"}}
    plan = samples.timeline(
        tmp_path, [{"id": "0", "start_s": 0, "end_s": 10, "visual": visual}], 128, 128, captions=None
    )
    report = job.render(str(plan), Destination(str(tmp_path / "out")), lambda *_: None)
    assert report["outputs"][0]["measured"]["frames"] == 300


@pytest.mark.parametrize(
    ("file", "content", "error"),
    [
        ("photo.jpg", b"", "AssetCorrupt"),
        ("photo.jpg", b"x" * 900, "AssetCorrupt"),
        ("voice1.wav", b"", "AssetCorrupt"),
        ("clip.mp4", b"y" * 900, "AssetCorrupt"),
        ("clip.mp4", None, "AssetMissing"),
    ],
)
def test_a_broken_asset_is_named_and_nothing_is_published(tmp_path, file, content, error):
    path = small(tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    done = call(path, tmp_path / "out")
    assert done.returncode == 3
    document = json.loads((tmp_path / "out" / "error.json").read_text())
    assert document["error"] == error
    assert file in document["asset"]
    assert file in document["message"]
    assert document["retryable"] is False
    assert not [name for name in ("video.mp4", "report.json") if (tmp_path / "out" / name).exists()]


def test_a_narration_replaced_after_a_failure_is_used(tmp_path):
    """The first run fails at a broken photograph.

    Before the second, photograph and narration are replaced.
    """
    scenes = samples.narrated(tmp_path, samples.TEXTS[:1], samples.visuals(tmp_path)[:1])
    path = samples.timeline(tmp_path, scenes, 180, 320)
    (tmp_path / "photo.jpg").write_bytes(b"x" * 900)
    assert call(path, tmp_path / "out").returncode == 3
    samples.visuals(tmp_path)
    samples.speech(tmp_path / "voice0.wav", samples.TEXTS[0], seed=9, words_per_s=3.5)
    assert call(path, tmp_path / "out").returncode == 0
    assert call(path, tmp_path / "fresh").returncode == 0
    assert assets.sha256(tmp_path / "out" / "video.mp4") == assets.sha256(tmp_path / "fresh" / "video.mp4")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_hour_of_narration_takes_no_more_memory_than_a_minute(tmp_path):
    """One scene with one long recording at a small size shows memory that grows with length."""
    peaks = {}
    for minutes in (1, 60):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        length, words = samples.speech(folder / "minute.wav", " ".join([samples.TEXT] * 3), 0.5)
        rounds = max(1, round(minutes * 60 / length))
        samples.ffmpeg(
            "-stream_loop", str(rounds - 1), "-i", folder / "minute.wav", "-c", "copy", folder / "voice.wav"
        )
        heard = [
            {**word, **{at: round(word[at] + length * number, 3) for at in ("start_s", "end_s")}}
            for number in range(rounds)
            for word in words
        ]
        narration = {
            "audio": {"uri": "voice.wav"},
            "start_s": 0.5,
            "duration_s": length * rounds,
            "words": heard,
        }
        visual = {"kind": "generated", "generated": {"template": "gradient"}}
        scene = {
            "id": "0",
            "start_s": 0,
            "end_s": round(0.8 + length * rounds, 3),
            "narration": narration,
            "visual": visual,
        }
        plan = samples.timeline(folder, [scene], 128, 228)
        process = subprocess.Popen(
            [sys.executable, "-m", "render", str(plan), str(folder / "out")],
            env=environment(),
            stdout=subprocess.DEVNULL,
        )
        peaks[minutes] = _peak_mb(process)
        assert process.returncode == 0
        report = json.loads((folder / "out" / "report.json").read_text())
        assert report["duration_s"] == pytest.approx(0.8 + length * rounds, abs=0.1)
        assert report["loudness_lufs"] == pytest.approx(-14, abs=1)
    print(peaks)
    assert peaks[60] < 600
    assert peaks[60] < 1.4 * peaks[1]


def _peak_mb(process: subprocess.Popen) -> float:
    """Proportional memory of a process and all below it, five times a second until it ends."""
    peak = 0.0
    while process.poll() is None:
        found = 0.0
        for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                found += one.memory_full_info().pss / 2**20
        peak = max(peak, found)
        time.sleep(0.2)
    return peak


def test_an_asset_with_another_sha256_is_refused(tmp_path):
    path = small(tmp_path)
    document = json.loads(path.read_text())
    document["scenes"][0]["visual"]["asset"]["sha256"] = "0" * 64
    path.write_text(json.dumps(document))
    assert call(path, tmp_path / "out").returncode == 3
    assert "SHA-256" in json.loads((tmp_path / "out" / "error.json").read_text())["message"]


def test_a_timeline_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "timeline.json").write_text("{")
    done = call(tmp_path / "timeline.json", tmp_path / "out")
    assert done.returncode == 3
    assert json.loads((tmp_path / "out" / "error.json").read_text())["error"] == "TimelineInvalid"


def test_wrong_arguments_exit_with_two(tmp_path):
    assert call().returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_disk_is_reported_as_the_hosts_fault(tmp_path):
    path = small(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(out)], check=False, capture_output=True
    ).returncode:
        pytest.skip("no mounts here")
    try:
        done = call(path, out)
        assert done.returncode == 4, done.stderr[-500:]
        assert "DiskFull" in done.stdout
        assert not (out / "video.mp4").exists()
    finally:
        subprocess.run(["umount", "-l", str(out)], check=False)


def test_the_self_test_passes_here():
    done = call("--self-test")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_the_contact_sheet_shows_every_preset_aspect_and_script(tmp_path):
    from render.picture import contact_sheet

    picture = contact_sheet.section(contact_sheet.ASPECTS[2])
    assert picture.shape[0] > len(contact_sheet.SAMPLES) * 250
    assert imageio_ffmpeg.get_ffmpeg_exe()

import dataclasses
import math
from fractions import Fraction

import av
import pytest

from render.check import gate, stillness
from render.encode import encoders, segments
from render.errors import HostFailure
from render.picture import colour, compose, motion, stills
from render.plan import timeline
from render.sound import loudness, soundtrack
from tests.render import samples

SIZE = "320x180"
BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a function that makes a soundtrack from a graph and measures it, once for the same arguments."""
    tracks = {}

    def record(tone, level, length):
        key = (tone, level, length)
        if key not in tracks:
            path = tmp_path_factory.mktemp("track") / "track.m4a"
            samples.ffmpeg("-f", "lavfi", "-i", tone, "-t", str(length), "-c:a", "aac", "-af", level, path)
            tracks[key] = soundtrack.Track(path, loudness.measure(path))
        return tracks[key]

    return record


@pytest.fixture
def inspect(tmp_path, plan, recorded):
    """Makes a six-second file from a picture and a sound graph and returns the names of what is found wrong
    with it.
    """
    document = plan(outputs=[{"name": "o", "width": 320, "height": 180}], captions=None)
    document["scenes"][0] |= {
        "end_s": 6,
        "visual": {"kind": "image", "asset": {"uri": "x"}, "motion": {"kind": "zoom_in", "amount": 0.4}},
    }
    document["music"] = {}
    parsed = timeline.parse(document)

    def run(picture="testsrc2", tone="sine=f=400:r=48000", size=SIZE, length=6.0, options=BT709, **more):
        change, measured, preset, front = (
            more.get("change"),
            more.get("measured"),
            more.get("preset", "ultrafast"),
            more.get("front", True),
        )
        graph = picture if "=" in picture else f"{picture}=s={size}:r=30"
        source = ("-t", str(length), "-f", "lavfi", "-i", graph)
        made = tmp_path / "made.mp4"
        flags = ("-movflags", "+faststart") if front else ()
        coding = ("-c:v", "libx264", "-preset", preset, "-pix_fmt", "yuv420p", *options, "-c:a", "copy")
        level = more.get("level", "loudnorm=I=-14:TP=-2,aresample=48000" if "sine" in tone else "anull")
        track = recorded(tone, level, length)
        samples.ffmpeg(*source, "-i", track.path, *coding, *flags, made)
        if measured:
            track = soundtrack.Track(track.path, measured)
        if change:
            change(made)
        return {
            finding["name"]
            for finding in gate.inspect(
                made, parsed, parsed.outputs[0], track, [], 0, {}, more.get("still_bits")
            ).findings
        }

    run.timeline = parsed
    return run


def test_a_good_file_passes(inspect):
    assert inspect() == set()


def test_black_is_found(inspect):
    assert "BlackPicture" in inspect(f"color=c=black:s={SIZE}:r=30")


# How each encoder is used: a key frame every half second, or every two seconds if it codes still pictures in
# very few bytes.
USES = {
    "ultrafast": {"preset": "ultrafast", "options": (*BT709, "-g", "15", "-crf", "21")},
    "veryfast": {
        "preset": "veryfast",
        "options": (*BT709, "-g", "60", "-crf", "21"),
        "still_bits": encoders.STILL_BITS,
    },
    "unknown": {"preset": "superfast", "options": (*BT709, "-g", "60", "-crf", "23")},
}
# 1.1 seconds, at every phase relative to the key frames.
PHASES = [1.9, 2.0, 2.27, 2.51, 2.9, 4.85]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("start_s", PHASES)
def test_a_black_second_is_found_wherever_it_lies(inspect, use, start_s):
    fault = f"drawbox=c=black:t=fill:enable='between(t,{start_s},{start_s + 1.1})'"
    assert inspect(f"testsrc2=s={SIZE}:r=30,{fault}", **USES[use]) == {"BlackPicture", "FrozenPicture"}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("start_s", PHASES)
def test_a_frozen_second_is_found_wherever_it_lies(inspect, use, start_s):
    frozen = f"loop=loop=33:size=1:start={round(start_s * 30)}"
    assert inspect(f"testsrc2=s={SIZE}:r=30,noise=alls=6:allf=u,{frozen}", **USES[use]) == {"FrozenPicture"}


@pytest.mark.parametrize("use", USES)
def test_less_than_a_second_is_no_fault(inspect, use):
    assert inspect(f"testsrc2=s={SIZE}:r=30,loop=loop=24:size=1:start=70", **USES[use]) == set()


@pytest.mark.parametrize("use", USES)
def test_a_thin_moving_line_on_a_plain_background_is_not_still(inspect, use):
    slide = "color=c=white:s=320x180:r=30[g];color=c=black:s=3x60:r=30[l];[g][l]overlay=x='60+8*t':y=60"
    assert inspect(slide, **USES[use]) == set()


@pytest.mark.parametrize("use", USES)
def test_a_moving_picture_passes_by_its_key_frames(inspect, use):
    assert inspect(**USES[use]) == set()


@pytest.fixture(scope="module", params=[2, 4])
def slow_backdrop(request, tmp_path_factory, plan_document):
    """Yield two seconds of a backdrop without text at full size, as raw frames in a file."""
    document = plan_document(seed=request.param, outputs=[{"name": "o", "width": 1080, "height": 1920}])
    document["scenes"][0]["end_s"] = 12
    parsed = timeline.parse(document)
    raw = tmp_path_factory.mktemp("backdrop") / "raw.yuv"
    composer = compose.Composer(parsed, parsed.outputs[0], {})
    with raw.open("wb") as file:
        for number in range(105, 165):
            file.write(composer.draw(number).as_bytes())
    yield raw
    raw.unlink()


@pytest.mark.parametrize("use", USES)
def test_the_slowest_backdrops_are_not_reported_as_still(tmp_path, slow_backdrop, use):
    source = ("-f", "rawvideo", "-pix_fmt", "nv12", "-s", "1080x1920", "-r", "30", "-i", slow_backdrop)
    samples.ffmpeg(
        *source,
        "-c:v",
        "libx264",
        "-preset",
        USES[use]["preset"],
        *USES[use]["options"],
        tmp_path / "slow.mp4",
    )
    assert stillness.monitor(tmp_path / "slow.mp4").still == []


def showing(plan, visual):
    """Return the plan with its first scene only, whose one shot has this visual."""
    first = plan.scenes[0]
    shot = dataclasses.replace(first.shots[0], visual=visual)
    return dataclasses.replace(plan, scenes=(dataclasses.replace(first, shots=(shot,)),))


def test_a_planned_still_is_no_fault(inspect):
    output = inspect.timeline.outputs[0]

    def planned(**fields):
        visual = timeline.Visual("image", timeline.Asset("x"), **fields)
        return showing(inspect.timeline, visual)

    assert gate._still_by_design(planned(motion="none"), output, 1, 4)
    assert gate._still_by_design(planned(amount=0.01), output, 1, 4)
    assert not gate._still_by_design(planned(amount=0.15), output, 1, 4)
    assert not gate._still_by_design(inspect.timeline, output, 1, 4)


@pytest.mark.parametrize(
    ("source", "fault"),
    [("testsrc2=s=320x180:r=30,loop=loop=90:size=1:start=30", False), ("testsrc2=s=320x180:r=30", True)],
)
def test_a_still_source_clip_is_no_fault(inspect, tmp_path, source, fault):
    samples.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        source,
        "-t",
        "5",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        tmp_path / "clip.mp4",
    )
    visual = timeline.Visual("clip", timeline.Asset("clip.mp4"))
    parsed = showing(inspect.timeline, visual)
    assert gate._source_explains(parsed, {"clip.mp4": tmp_path / "clip.mp4"}, 2, 4, "still") is not fault


def test_damage_in_the_middle_is_found(inspect):
    """Change some bytes of one frame; the index stays valid."""

    def damage(path):
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 3000] = bytes(value ^ 0x5A for value in data[middle : middle + 3000])
        path.write_bytes(data)

    assert inspect(change=damage) & {"Undecodable", "WrongSound"}


def test_silence_is_found(inspect):
    assert "SilentSound" in inspect(tone="anullsrc=r=48000")


def test_a_silent_stretch_in_between_is_found(inspect):
    assert inspect(tone="sine=f=400:r=48000,volume=0:enable='between(t,2,3.2)'") == {"SilentSound"}


def test_sound_that_was_clipped_is_found(inspect):
    """Amplify by 14 dB, clip at full scale, then bring back to the target loudness: only the waveform's shape
    tells.
    """
    clipped = "sine=f=400:r=48000,volume=32dB,aformat=sample_fmts=s16,volume=-14dB"
    assert "ClippedSound" in inspect(tone=clipped, level="anull")


def test_sound_above_full_scale_is_found(inspect):
    assert {"TruePeakTooHigh", "WrongLoudness"} <= inspect(
        tone="sine=f=400:r=48000,volume=24dB", level="anull"
    )


def test_a_pause_between_narrations_is_no_fault_without_music(inspect):
    quiet = dataclasses.replace(inspect.timeline, music=None)
    assert not gate._must_have_sound(quiet, 1, 4)
    assert gate._must_have_sound(inspect.timeline, 1, 4)


def test_wrong_loudness_and_peaks_and_clipping_are_found(inspect):
    loud = loudness.Measured(loudness.Loudness(-9.0, 0.4), (), 0.4)
    assert inspect(measured=loud) == {"WrongLoudness", "TruePeakTooHigh", "ClippedSound"}
    assert "WrongLoudness" in inspect(
        measured=loudness.Measured(loudness.Loudness(-math.inf, -math.inf), (), 0)
    )


def test_a_wrong_aspect_is_found(inspect):
    assert "WrongAspect" in inspect(size="180x320")


@pytest.mark.parametrize("length", [5.5, 5.8, 6.2])
def test_a_file_of_another_length_is_found(inspect, length):
    assert "WrongDuration" in inspect(length=length)


def test_missing_colour_tags_are_found(inspect):
    assert "WrongColour" in inspect(
        options=("-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-colorspace", "smpte170m")
    )


def test_an_index_at_the_end_is_found(inspect):
    assert inspect(front=False) == {"UnplayableHeader"}


def test_a_truncated_file_is_found(inspect):
    def cut(path):
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])

    assert inspect(change=cut) & {"WrongFrameCount", "Undecodable", "WrongSound"}


def test_a_file_of_garbage_is_found(inspect):
    assert inspect(change=lambda path: path.write_bytes(b"\0" * 2000)) == {"UnplayableHeader"}


def test_missing_captions_are_found(tmp_path, spoken):
    parsed = timeline.parse(spoken("one two three"))
    found = gate.Inspection()
    gate._captions(found, parsed, [tmp_path / "absent.srt"], 2)
    assert [finding["name"] for finding in found.findings] == ["MissingCaptions"]


@pytest.mark.parametrize("stop", [31, 36, 42])
def test_a_camera_move_that_stops_for_a_second_is_decoded(tmp_path, plan, monkeypatch, stop):
    """At full size, by the encoder's bytes: after a stop x264 still improves the picture for a while."""
    monkeypatch.setenv("RENDER_X264_PRESET", "veryfast")
    parsed = timeline.parse(plan(outputs=[{"name": "o", "width": 1080, "height": 1920}]))
    move = motion.Move("zoom_in", 0.15)
    samples.photograph(tmp_path / "photo.jpg", 1620, 2880, 3)
    size = motion.Plate.size(1080, 1920, move.headroom)
    plate = motion.Plate(
        colour.to_planes(stills.framed(stills.load(tmp_path / "photo.jpg", "photo", size[1]), size, "smart")),
        1080,
        1920,
    )
    with av.open(str(tmp_path / "stop.mp4"), "w") as container:
        stream = encoders.open_stream(
            container,
            encoders.Encoder("libx264", "", still_bits=encoders.STILL_BITS),
            1080,
            1920,
            30,
            shows="photographs",
        )
        for number in range(90):
            at = number if number < stop else max(stop, number - 31)
            picture = av.VideoFrame.from_dlpack(plate.paint(move, 0.3 + at / 360).planes, format="nv12")
            picture.pts, picture.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    sizes = {}
    with av.open(str(tmp_path / "stop.mp4")) as container:
        sizes = {
            round(packet.pts * packet.time_base * 30): packet.size
            for packet in container.demux(video=0)
            if packet.size and not packet.is_keyframe
        }
    found = gate.quiet_stretches(sizes, parsed, parsed.outputs[0], encoders.STILL_BITS)
    assert any(start < (stop + 31) / 30 and end > stop / 30 for start, end in found)
    # And little else: the stop, and the runs that reach into it.
    assert sum(end - start for start, end in found) < 1.8


@pytest.fixture
def joined(tmp_path, plan):
    """Two pieces of three seconds, the second black for a second, joined with a tone: the file, its timeline,
    its track, and what was seen of the pieces.
    """
    document = plan(outputs=[{"name": "o", "width": 320, "height": 180}], captions=None)
    document["scenes"][0] |= {
        "end_s": 6,
        "visual": {"kind": "image", "asset": {"uri": "x"}, "motion": {"kind": "zoom_in", "amount": 0.4}},
    }
    document["music"] = {}
    parsed = timeline.parse(document)
    coding = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "15",
        *BT709,
        "-video_track_timescale",
        "15360",
    )
    for name, more in (("0", ""), ("1", ",drawbox=c=black:t=fill:enable='between(t,1,2.1)'")):
        samples.ffmpeg(
            "-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=30{more}", "-t", "3", *coding, tmp_path / f"{name}.mp4"
        )
    tone = "loudnorm=I=-14:TP=-2,aresample=48000"
    samples.ffmpeg(
        "-f",
        "lavfi",
        "-i",
        "sine=f=400:r=48000",
        "-t",
        "6",
        "-af",
        tone,
        "-c:a",
        "aac",
        tmp_path / "track.m4a",
    )
    pieces = [
        segments.Segment(parsed.outputs[0], index, 90 * index, 90 * index + 90, False, f"{index}.mp4")
        for index in range(2)
    ]
    segments.join(pieces, tmp_path, tmp_path / "track.m4a", 30, tmp_path / "film.mp4")
    track = soundtrack.Track(tmp_path / "track.m4a", loudness.measure(tmp_path / "track.m4a"))
    return parsed, tmp_path, track, [inspected(tmp_path, piece, parsed) for piece in pieces]


@pytest.fixture
def recoded(joined):
    """Return the two pieces after the second was encoded again without CABAC, as another card might."""
    parsed, folder, _, _ = joined
    other = ("-c:v", "libx264", "-x264-params", "cabac=0:8x8dct=0:bframes=0", "-g", "15")
    scale = ("-video_track_timescale", "15360")
    samples.ffmpeg("-i", folder / "1.mp4", *other, *BT709, *scale, folder / "other.mp4")
    (folder / "other.mp4").replace(folder / "1.mp4")
    return [
        segments.Segment(parsed.outputs[0], index, 90 * index, 90 * index + 90, False, f"{index}.mp4")
        for index in range(2)
    ]


def inspected(folder, piece, parsed, drawn=()):
    return gate.inspect_piece(folder / piece.name, parsed, piece.output, piece.first / 30, drawn)


def looked_at(joined, seen, monkeypatch):
    """Return the result of an inspection, and how often it decoded key frames of the file itself."""
    parsed, folder, track, _ = joined
    decoded = []
    pictures = stillness.reduced_frames
    monkeypatch.setattr(
        stillness,
        "reduced_frames",
        lambda *arguments, **more: (
            decoded.append(more.get("keys_only", False)) or pictures(*arguments, **more)
        ),
    )
    found = gate.inspect(folder / "film.mp4", parsed, parsed.outputs[0], track, [], 0, {}, None, seen)
    return found, sum(decoded)


def test_key_frames_of_inspected_pieces_are_not_decoded_again(joined, monkeypatch):
    whole, decoded = looked_at(joined, (), monkeypatch)
    assert decoded == 1
    pieced, decoded = looked_at(joined, joined[3], monkeypatch)
    assert decoded == 0
    assert pieced.findings == whole.findings
    assert {finding["name"] for finding in whole.findings} == {"BlackPicture", "FrozenPicture"}
    assert pieced.measured == whole.measured


def drawn(folder, piece):
    """Return pictures of a piece half a second apart, as the worker takes them while it draws."""
    return list(stillness.reduced_frames(folder / piece.name))[::15]


def pieces_of(parsed):
    output = parsed.outputs[0]
    return [segments.Segment(output, at, 90 * at, 90 * at + 90, False, f"{at}.mp4") for at in range(2)]


def test_what_was_drawn_tells_where_to_look(joined, monkeypatch):
    parsed, folder, _, _ = joined
    seen = [inspected(folder, piece, parsed, drawn(folder, piece)) for piece in pieces_of(parsed)]
    found, decoded = looked_at(joined, seen, monkeypatch)
    assert decoded == 0
    assert {finding["name"] for finding in found.findings} == {"BlackPicture", "FrozenPicture"}


def test_a_piece_that_does_not_show_what_was_drawn_is_not_accepted(joined):
    parsed, folder, _, _ = joined
    first, second = pieces_of(parsed)
    shifted = [
        (at_s, picture)
        for (at_s, _), (_, picture) in zip(drawn(folder, first), drawn(folder, second)[::-1], strict=True)
    ]
    assert inspected(folder, first, parsed, shifted) is None


def test_a_picture_that_the_encoder_repeats_is_found_although_other_pictures_were_drawn(joined, monkeypatch):
    """Between two key frames, which are compared with what was drawn, only the bytes tell."""
    parsed, folder, track, _ = joined
    # So coarse that x264 skips the blocks of a still picture instead of refining them.
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "45", "-x264-params", "keyint=60:scenecut=0")
    scale = ("-video_track_timescale", "15360")
    stops = f"testsrc2=s={SIZE}:r=30,loop=loop=36:size=1:start=15"
    pieces = pieces_of(parsed)
    samples.ffmpeg("-f", "lavfi", "-i", stops, "-t", "3", *coding, *BT709, *scale, folder / "0.mp4")
    samples.ffmpeg(
        "-f", "lavfi", "-i", f"testsrc2=s={SIZE}:r=30", "-t", "3", *coding, *BT709, *scale, folder / "1.mp4"
    )
    segments.join(pieces, folder, folder / "track.m4a", 30, folder / "film.mp4")
    moving = drawn(folder, pieces[1])
    stopped = {round(at_s * 30): picture for at_s, picture in stillness.reduced_frames(folder / "0.mp4")}
    claimed = [
        (at_s, stopped[round(at_s * 30)] if at_s in (0.0, 2.0) else picture) for at_s, picture in moving
    ]
    seen = [inspected(folder, pieces[0], parsed, claimed), inspected(folder, pieces[1], parsed, moving)]
    assert None not in seen

    found = gate.inspect(folder / "film.mp4", parsed, parsed.outputs[0], track, [], 0, {}, None, seen)

    assert "FrozenPicture" in {finding["name"] for finding in found.findings}


@pytest.mark.parametrize(
    "seen",
    [
        lambda pieces: pieces[::-1],
        lambda pieces: pieces[:1],
        lambda pieces: [pieces[0], None],
        lambda pieces: [*pieces, pieces[0]],
    ],
)
def test_a_file_with_other_pieces_is_decoded(joined, monkeypatch, seen):
    found, decoded = looked_at(joined, seen(joined[3]), monkeypatch)
    assert decoded == 1
    assert {finding["name"] for finding in found.findings} == {"BlackPicture", "FrozenPicture"}


def test_pieces_with_other_stream_headers_are_not_joined(joined, recoded):
    _, folder, _, _ = joined
    with pytest.raises(HostFailure, match="other stream headers"):
        segments.join(recoded, folder, folder / "track.m4a", 30, folder / "film.mp4")


def test_every_join_is_decoded(joined, recoded):
    """All packets are those of the inspected pieces, but a player has the first piece's headers for both."""
    parsed, folder, track, _ = joined
    segments._joined(recoded, folder, folder / "track.m4a", 30, folder / "film.mp4")
    seen = [inspected(folder, piece, parsed) for piece in recoded]
    assert None not in seen
    found = gate.inspect(folder / "film.mp4", parsed, parsed.outputs[0], track, [], 0, {}, None, seen)
    assert "Undecodable" in {finding["name"] for finding in found.findings}


def test_a_piece_of_another_encoder_is_drawn_again(joined, recoded):
    _, folder, _, _ = joined
    first, second = (segments.local(folder, piece) for piece in recoded)
    encoder = encoders.Encoder("libx264", "", headers=encoders.headers_of(first))
    assert segments.is_usable(first, encoder)
    assert not segments.is_usable(second, encoder)
    assert not second.exists()


def test_a_piece_that_cannot_be_decoded_is_not_inspected(joined):
    parsed, folder, _, _ = joined
    broken = folder / "0.mp4"
    content = bytearray(broken.read_bytes())
    middle = content.index(b"mdat") + 2000
    content[middle : middle + 20_000] = bytes(20_000)
    broken.write_bytes(content)
    assert gate.inspect_piece(broken, parsed, parsed.outputs[0], 0.0) is None


def test_incomplete_pieces_are_the_hosts_fault(joined):
    parsed, folder, _, _ = joined
    pieces = [
        segments.Segment(parsed.outputs[0], index, 90 * index, 90 * index + 90, False, f"{index}.mp4")
        for index in range(2)
    ]
    (folder / "1.mp4").write_bytes((folder / "1.mp4").read_bytes()[:3000])
    with pytest.raises(HostFailure, match="joined"):
        segments.join(pieces, folder, folder / "track.m4a", 30, folder / "film.mp4")

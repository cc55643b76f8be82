import dataclasses
import math

import pytest
import samples

from render import gate, sound, timeline

SIZE = "320x180"
BT709 = ("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv")


@pytest.fixture
def inspect(tmp_path, plan):
    """Makes a six-second file from a picture and a sound graph and returns the names of what is found wrong with it."""
    document = plan(outputs=[{"name": "o", "width": 320, "height": 180}], captions=None)
    document["scenes"][0]["end_s"] = 6
    document["music"] = {}
    parsed = timeline.parse(document)

    def run(picture="testsrc2", tone="sine=f=400:r=48000", size=SIZE, length=6.0, options=BT709, **more):
        change, measured, preset, front = more.get("change"), more.get("measured"), more.get("preset", "ultrafast"), more.get("front", True)
        source = ("-f", "lavfi", "-i", picture if "=" in picture else f"{picture}=s={size}:r=30")
        made = tmp_path / "made.mp4"
        flags = ("-movflags", "+faststart") if front else ()
        coding = ("-c:v", "libx264", "-preset", preset, "-pix_fmt", "yuv420p", *options, "-c:a", "aac")
        level = "loudnorm=I=-14:TP=-2,aresample=48000" if "sine" in tone else "anull"
        samples.ffmpeg(*source, "-f", "lavfi", "-i", tone, "-t", str(length), *coding, "-af", level, *flags, made)
        samples.ffmpeg("-i", made, "-vn", "-c:a", "copy", tmp_path / "track.m4a")
        track = sound.Track(tmp_path / "track.m4a", measured or sound.measure(tmp_path / "track.m4a"))
        if change:
            change(made)
        return {finding["name"] for finding in gate.inspect(made, parsed, parsed.outputs[0], track, [], 0, more.get("skips_stills", False)).findings}

    run.timeline = parsed
    return run


def test_a_good_file_passes(inspect):
    assert inspect() == set()


def test_black_is_found(inspect):
    assert "BlackPicture" in inspect(f"color=c=black:s={SIZE}:r=30")


def test_a_black_stretch_in_between_is_found(inspect):
    assert inspect(f"testsrc2=s={SIZE}:r=30,drawbox=c=black:t=fill:enable='between(t,2,3.5)'") == {"BlackPicture", "FrozenPicture"}


def test_a_frozen_stretch_is_found(inspect):
    assert inspect(f"testsrc2=s={SIZE}:r=30,loop=loop=60:size=1:start=60") == {"FrozenPicture"}


@pytest.mark.parametrize(
    "picture", [f"testsrc2=s={SIZE}:r=30,loop=loop=60:size=1:start=60", f"testsrc2=s={SIZE}:r=30,drawbox=c=black:t=fill:enable='between(t,2,3.5)'"]
)
def test_faults_are_found_without_decoding_everything_too(inspect, picture):
    assert "FrozenPicture" in inspect(picture, preset="veryfast", skips_stills=True)


def test_a_moving_picture_is_not_decoded_in_full(inspect):
    assert inspect(preset="veryfast", skips_stills=True) == set()


def test_a_planned_still_is_no_fault(inspect):
    visual = timeline.Visual("image", timeline.Asset("x"), motion="none")
    still = dataclasses.replace(inspect.timeline, scenes=(dataclasses.replace(inspect.timeline.scenes[0], visual=visual),))
    assert gate._still_by_plan(still, 1, 4)
    assert not gate._still_by_plan(inspect.timeline, 1, 4)


def test_silence_is_found(inspect):
    assert "SilentSound" in inspect(tone="anullsrc=r=48000")


def test_a_pause_between_narrations_is_no_fault_without_music(inspect):
    quiet = dataclasses.replace(inspect.timeline, music=None)
    assert not gate._should_sound(quiet, 1, 4)
    assert gate._should_sound(inspect.timeline, 1, 4)


def test_wrong_loudness_and_peaks_and_clipping_are_found(inspect):
    loud = sound.Measured(sound.Loudness(-9.0, 0.4), (), 900, 30)
    assert inspect(measured=loud) == {"WrongLoudness", "TruePeakTooHigh", "ClippedSound"}
    assert "WrongLoudness" in inspect(measured=sound.Measured(sound.Loudness(-math.inf, -math.inf), (), 0, 0))


def test_a_wrong_aspect_is_found(inspect):
    assert "WrongAspect" in inspect(size="180x320")


def test_a_short_file_is_found(inspect):
    assert "WrongDuration" in inspect(length=5.5)


def test_missing_colour_tags_are_found(inspect):
    assert "WrongColour" in inspect(options=("-color_primaries", "smpte170m", "-color_trc", "smpte170m", "-colorspace", "smpte170m"))


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

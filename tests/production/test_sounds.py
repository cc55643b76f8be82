"""The structure of sound files: their length is read, and what can't be played has none."""

import math
import subprocess

import imageio_ffmpeg
import pytest

from showrunner.production import sounds

FORMATS = {
    "mp3": ("-c:a", "libmp3lame"),
    "wav": (),
    "ogg": ("-c:a", "libvorbis"),
    "opus": ("-c:a", "libopus"),
    "flac": (),
    "m4a": ("-c:a", "aac"),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return three seconds of sound in each format, written by one run of ffmpeg."""
    folder = tmp_path_factory.mktemp("sounds")
    outputs = [
        word
        for name, codec in FORMATS.items()
        for word in ("-map", "0:a", *codec, str(folder / f"tone.{name}"))
    ]
    parted = ("-map", "0:a", "-movflags", "frag_keyframe+empty_moov", str(folder / "parted.m4a"))
    source = ("-f", "lavfi", "-i", "sine=f=300:d=3:r=44100")
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, *outputs, *parted], check=True
    )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", FORMATS)
def test_the_length_of_a_sound_is_read(recorded, name):
    assert sounds.find_seconds(recorded[f"tone.{name}"]) == pytest.approx(3, abs=0.1)


def test_a_recording_without_a_length_can_be_played(recorded):
    assert sounds.find_seconds(recorded["parted.m4a"]) == math.inf


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("damage", ["signature only", "header only", "overwritten", "page"])
def test_what_cannot_be_played_has_no_length(recorded, name, damage):
    content = recorded[f"tone.{name}"]
    start = {"mp3": 48, "flac": 60}.get(name, 12)
    damaged = {
        "signature only": content[:12],
        # Headers of Ogg have codebooks of four kilobytes.
        "header only": content[: {"mp3": 400, "flac": 200, "wav": 44, "m4a": 40}.get(name, 90)],
        "overwritten": content[:start] + bytes(len(content) - start),
        "page": content[:start] + b"<!doctype html><p>Not here.</p>" * 999,
    }[damage]
    assert sounds.find_seconds(damaged) is None


def test_an_mp3_with_a_cover_and_junk_at_its_ends_can_be_played(recorded):
    size = 200_000
    tag = (
        b"ID3\x04\x00\x00"
        + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
        + b"\xff\xfb" * (size // 2)
    )
    content = tag + bytes(300) + recorded["tone.mp3"] + b"TAG" + bytes(125)
    assert sounds.find_seconds(content) == pytest.approx(3, abs=0.1)

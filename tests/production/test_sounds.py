"""Sound files: whether they can be played is read from their headers."""

import itertools
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
DAMAGES = ("signature only", "header only", "overwritten", "page")


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
def test_a_sound_can_be_played(recorded, name):
    assert sounds.is_playable(recorded[f"tone.{name}"])


def test_a_recording_without_a_length_can_be_played(recorded):
    assert sounds.is_playable(recorded["parted.m4a"])


@pytest.mark.parametrize(
    ("name", "damage"),
    # FLAC has its length in the header, so zeros behind it are found by ffmpeg only.
    [each for each in itertools.product(FORMATS, DAMAGES) if each != ("flac", "overwritten")],
)
def test_a_damaged_sound_cannot_be_played(recorded, name, damage):
    content = recorded[f"tone.{name}"]
    start = {"mp3": 48, "flac": 60}.get(name, 12)
    damaged = {
        "signature only": content[:12],
        # Headers of Ogg have codebooks of four kilobytes.
        "header only": content[: {"mp3": 400, "flac": 200, "wav": 44, "m4a": 40}.get(name, 90)],
        "overwritten": content[:start] + bytes(len(content) - start),
        "page": content[:start] + b"<!doctype html><p>Not here.</p>" * 999,
    }[damage]
    assert not sounds.is_playable(damaged)


def test_an_mp3_with_a_cover_and_junk_at_its_ends_can_be_played(recorded):
    size = 200_000
    tag = (
        b"ID3\x04\x00\x00"
        + bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
        + b"\xff\xfb" * (size // 2)
    )
    content = tag + bytes(300) + recorded["tone.mp3"] + b"TAG" + bytes(125)
    assert sounds.is_playable(content)

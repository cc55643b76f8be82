"""The stand-in's stock library serves moving clips, no two alike, as the real one does."""

import itertools
import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from local.platforms import catalogue, footage, pexels
from local.platforms import server as platforms
from render import ffmpeg
from showrunner.platforms.pexels import Pexels


def pictures(kind: str, seed: int) -> list[Any]:
    """Return two small frames of a clip, one second apart."""
    draw = footage.KINDS[kind](footage.Canvas(seed, 180, 320))
    return [draw(at).astype(int) for at in (1.0, 2.0)]


@pytest.mark.parametrize("kind", footage.KINDS)
def test_every_kind_moves_and_no_two_of_its_clips_are_alike(kind: str) -> None:
    shown = [pictures(kind, seed) for seed in range(catalogue.SEEDS_OF_A_KIND)]

    for before, after in shown:
        assert before.shape == (320, 180, 3)
        assert np.abs(before - after).mean() > 0.8
    for one, other in itertools.combinations(shown, 2):
        assert np.abs(one[0] - other[0]).mean() > 6


def test_a_clip_is_the_same_when_it_is_drawn_again() -> None:
    assert (pictures("sea", 3)[1] == pictures("sea", 3)[1]).all()


def test_the_catalogue_describes_each_video_once() -> None:
    found = catalogue.videos()

    assert set(catalogue.TAGS) == set(footage.KINDS)
    assert len({video["id"] for video in found}) == len(found) == 3 * 6 * len(footage.KINDS)
    assert {video["orientation"] for video in found} == {"portrait", "landscape", "square"}


def test_a_search_finds_what_its_words_name_in_the_right_shape() -> None:
    found = catalogue.ranked(catalogue.videos(), "Cables on the sea floor", "portrait")

    assert {video["orientation"] for video in found} == {"portrait"}
    assert {video["kind"] for video in found[:12]} <= {"sea", "underwater", "fibers"}
    assert found[0]["kind"] == "underwater"
    assert {video["kind"] for video in found[6:12]} != {"underwater"}


@pytest.mark.parametrize("query", ["harbour", "zebra 7", "港口"])
def test_a_search_finds_something_for_any_words(query: str) -> None:
    assert len(catalogue.ranked(catalogue.videos(), query, "landscape")) == 6 * len(footage.KINDS)


def test_a_clip_that_is_drawn_slowly_comes_byte_by_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes of the file arrive every BYTE_EVERY_S while it is drawn, and together they are the whole file."""
    monkeypatch.setattr(catalogue, "BYTE_EVERY_S", 0.01)
    video = catalogue.videos()[0] | {"width": 96, "height": 160}

    parts = list(catalogue.Drawn(tmp_path, sys.executable).stream(video))

    (file,) = tmp_path.iterdir()
    assert len(parts) > 3
    assert b"".join(parts) == file.read_bytes()


def test_a_drawn_clip_is_found_and_fetched_as_from_pexels(tmp_path: Path) -> None:
    """The product's own client searches and downloads; the stand-in draws the file once."""
    world = platforms.World()
    drawn = catalogue.Drawn(tmp_path, sys.executable)
    small = [
        video | {"width": 96, "height": 160} for video in catalogue.videos() if video["kind"] == "lights"
    ]
    world.photographs.videos, world.photographs.clip = small, drawn.stream
    serving = platforms.server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{serving.server_port}"
    library = Pexels(pexels.KEY, address, video_host=f"{address}/")
    clip = library.clips("night lights", "portrait", 1080)[0]
    body, again = library.download(clip, 1, 1), library.download(clip, 1, 1)
    serving.shutdown()

    (file,) = tmp_path.iterdir()
    assert body == again == file.read_bytes()
    media = ffmpeg.probe(file)
    assert (media.width, media.height, media.video_codec) == (96, 160, "h264")
    assert media.duration_s == pytest.approx(clip.seconds, abs=0.1)
    capture = cv2.VideoCapture(str(file))
    assert capture.read()[1].mean() > 5


def test_spanish_words_find_the_same_in_the_locale_of_spain() -> None:
    videos = catalogue.videos()

    assert catalogue.ranked(videos, "ciudad de noche", "portrait", "es-ES")[0]["kind"] == "city"
    assert catalogue.ranked(videos, "la luna y el planeta", "portrait", "es-ES")[0]["kind"] == "space"


def test_the_previews_of_a_shape_are_drawn_at_once(tmp_path: Path) -> None:
    videos = [each for each in catalogue.videos() if each["kind"] == "lights"]
    drawn = catalogue.Drawn(tmp_path, sys.executable)

    content = drawn.preview(videos[0], videos)

    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape == (320, 180, 3)
    assert len(list(tmp_path.iterdir())) == catalogue.SEEDS_OF_A_KIND


def test_a_piece_of_music_is_as_long_as_the_catalogue_says(tmp_path: Path) -> None:
    piece, file = catalogue.MUSIC[0], tmp_path / "served.ogg"
    file.write_bytes(catalogue.Drawn(tmp_path, sys.executable).music(piece))

    assert ffmpeg.probe(file, "music").duration_s == pytest.approx(piece["duration"], abs=0.1)

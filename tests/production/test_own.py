"""A user's own files are shown where their names and tags fit, the others scene by scene."""

from typing import Any

from showrunner.production import own
from showrunner.production.job import Asset
from showrunner.production.visuals import Shot
from tests.production.samples import visual


def asset(name: str, *tags: str, kind: Any = "image") -> Asset:
    return Asset(id=name, kind=kind, key=name, sha256="0" * 64, name=name, tags=list(tags))


def shot(text: str, **changes: Any) -> Shot:
    return Shot(words=len(text.split()), text=text, visual=visual(), **changes)


SHOTS = [
    [shot("Nobody is on the pier."), shot("The old harbour sleeps.")],
    [shot("Gulls come home.", queries=["seagulls in flight"])],
]


def test_names_and_tags_decide_where_a_file_is_shown() -> None:
    assets = [asset("old-harbour-2019.jpg"), asset("IMG_2034.JPG", "seagull"), asset("pier.mp4", kind="clip")]

    placed = own.place(assets, SHOTS)

    assert {at: each.id for at, each in placed.of_shots.items()} == {
        (0, 1): "old-harbour-2019.jpg",
        (1, 0): "IMG_2034.JPG",
        (0, 0): "pier.mp4",
    }
    assert placed.of_scenes == {}


def test_files_that_fit_nothing_fill_the_scenes_in_their_order() -> None:
    placed = own.place([asset("IMG_1.jpg"), asset("ship engine room.jpg"), asset("more.jpg")], SHOTS)

    assert placed.of_shots == {}
    assert [placed.of_scenes[scene].id for scene in (0, 1)] == ["IMG_1.jpg", "ship engine room.jpg"]


def test_a_card_keeps_its_place() -> None:
    figure = shot("The harbour has 40 boats.", kind="number")

    assert own.place([asset("harbour")], [[figure]]).of_shots == {}

"""Pixabay, Wikimedia Commons and NASA over HTTP: what is found and left out, and each kind of refusal."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from local.platforms import pixabay as pixabay_server
from local.platforms import server as stand_ins
from local.platforms.world import World
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable, QuotaExceeded
from showrunner.platforms.commons import Commons
from showrunner.platforms.nasa import Nasa
from showrunner.platforms.pixabay import Pixabay

JPEG, MP4 = b"\xff\xd8\xff\xe0", b"\0\0\0\x18ftypmp42"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[World, str]]:
    world = World()
    server = stand_ins.server(world, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield world, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def video(number: int, width: int = 1080, height: int = 1920, duration: int = 12) -> dict[str, Any]:
    return {"id": number, "tags": "sea, ship", "width": width, "height": height, "duration": duration}


@pytest.fixture
def pixabay(served: tuple[World, str]) -> tuple[pixabay_server.Library, Pixabay]:
    world, address = served
    world.pixabay_library = pixabay_server.Library(image=JPEG, clip=MP4)
    world.pixabay_library.photos = [{"id": 1, "tags": "sea, wave", "width": 4000, "height": 6000}]
    world.pixabay_library.videos = [video(1), video(2, 1920, 1080), video(3, duration=2)]
    return world.pixabay_library, Pixabay(pixabay_server.KEY, address, f"{address}/", f"{address}/")


def test_pixabays_clips_have_the_frames_shape_and_the_nearest_size(
    pixabay: tuple[pixabay_server.Library, Pixabay],
) -> None:
    _, client = pixabay

    (found,) = client.clips("sea", "portrait", 720)

    assert (found.id, found.width, found.height, found.seconds) == ("1", 720, 1280, 12.0)
    assert (found.licence, found.must_credit, found.words) == ("Pixabay Content License", False, "sea, ship")
    assert client.download(found, 1, 1) == MP4


def test_pixabays_photographs_are_as_large_as_their_addresses_give_them(
    pixabay: tuple[pixabay_server.Library, Pixabay],
) -> None:
    library, client = pixabay

    (found,) = client.photos("sea", "portrait")

    assert (found.width, found.height) == (853, 1280)
    assert client.download(found, 1, 1) == JPEG
    assert library.searches[-1]["orientation"] == "vertical"
    assert client.photos("sea", "landscape") == []


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("rate_limit", QuotaExceeded),
        ("server_error", PlatformUnavailable),
        ("html", PlatformUnavailable),
    ],
)
def test_pixabays_refusals_are_ours(
    pixabay: tuple[pixabay_server.Library, Pixabay], outcome: str, error: type[Exception]
) -> None:
    library, client = pixabay
    library.outcomes.add(outcome)

    with pytest.raises(error):
        client.photos("sea", "portrait")


def test_a_wrong_key_of_pixabay_is_named(served: tuple[World, str]) -> None:
    with pytest.raises(CredentialRejected, match="key"):
        Pixabay("wrong", served[1]).clips("sea", "portrait", 1080)


def test_a_page_instead_of_a_file_and_a_file_of_two_gigabytes_are_not_used(
    pixabay: tuple[pixabay_server.Library, Pixabay],
) -> None:
    library, client = pixabay
    library.outcomes.add("html_file")
    (found,) = client.clips("sea", "portrait", 720)
    with pytest.raises(PlatformRejected, match="no file of the kind clip"):
        client.download(found, 1, 1)

    library.outcomes.add("huge_video")
    assert client.clips("sea", "portrait", 720) == []


def photo(number: int, licence: str, **changes: Any) -> dict[str, Any]:
    url = f"https://creativecommons.org/licenses/{number}"
    return {"id": number, "title": f"Old harbour {number}", "licence": licence, "licence_url": url, **changes}


@pytest.fixture
def commons(served: tuple[World, str]) -> tuple[World, Commons]:
    world, address = served
    world.commons_library.image, world.commons_library.photos = JPEG, []
    return world, Commons(address, f"{address}/")


@pytest.mark.parametrize(
    ("licence", "must_credit"),
    [("CC BY 4.0", True), ("CC BY 3.0 us", True), ("CC0", False), ("Public domain", False)],
)
def test_commons_gives_works_whose_licence_allows_commerce_and_derivatives(
    commons: tuple[World, Commons], licence: str, must_credit: bool
) -> None:
    world, client = commons
    world.commons_library.photos = [photo(7, licence, artist="Zo&euml; M.")]

    (found,) = client.photos("old harbour", "portrait")

    assert (found.must_credit, found.author, found.licence) == (must_credit, "Zoë M.", licence)
    assert found.page == "https://commons.wikimedia.org/wiki/File:Old_harbour_7.jpg"
    assert client.download(found, 1, 1) == JPEG
    assert client.clips("old harbour", "portrait", 1080) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"licence": "CC BY-SA 4.0"},
        {"licence": "CC BY-NC 4.0"},
        {"licence": "CC BY-ND 2.0"},
        {"licence": "Fair use"},
        {"licence": ""},
        {"licence_url": ""},
        {"restrictions": "personality"},
        {"width": 600},
        {"mime": "image/png"},
    ],
)
def test_commons_other_works_are_left_out(commons: tuple[World, Commons], changes: dict[str, Any]) -> None:
    world, client = commons
    world.commons_library.photos = [{**photo(7, "CC BY 4.0"), **changes}]

    assert client.photos("old harbour", "portrait") == []


def piece(number: int, licence: str, **changes: Any) -> dict[str, Any]:
    plain = photo(number, licence)
    return {
        **plain,
        "title": f"Slow piano {number}",
        "categories": "Piano music",
        "duration": 185.3,
        **changes,
    }


def test_commons_gives_music_with_its_licence(commons: tuple[World, Commons]) -> None:
    world, client = commons
    world.commons_library.music = [piece(9, "CC BY 4.0"), piece(10, "CC0", mime="audio/flac")]
    world.commons_library.sound = lambda found: b"OggS, and so on"

    first, second = client.music("slow piano")

    assert (first.kind, first.seconds, first.must_credit) == ("audio", 185.3, True)
    assert (second.licence, second.must_credit) == ("CC0", False)
    assert client.download(first, 0, 0) == b"OggS, and so on"
    assert world.commons_library.searches[-1]["gsrsearch"] == "filetype:audio slow piano music"
    world.commons_library.sound = lambda found: b"<!doctype html>"
    with pytest.raises(PlatformRejected, match="no file of the kind audio"):
        client.download(first, 0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"licence": "CC BY-SA 4.0"},
        {"licence": "CC BY-NC 3.0"},
        {"restrictions": "trademarked"},
        {"duration": 4.0},
        {"duration": 4000.0},
        {"mime": "audio/midi"},
        {"size": 200 << 20},
    ],
)
def test_commons_music_that_cannot_be_used_is_left_out(
    commons: tuple[World, Commons], changes: dict[str, Any]
) -> None:
    world, client = commons
    world.commons_library.music = [{**piece(9, "CC BY 4.0"), **changes}]

    assert client.music("slow piano") == []


def test_the_stand_in_of_commons_finds_music_by_all_words_as_commons_does(
    commons: tuple[World, Commons],
) -> None:
    world, client = commons
    world.commons_library.music = [piece(9, "CC0"), piece(10, "CC0", title="Loud drums")]

    assert [each.id for each in client.music("slow pianos")] == ["9"]
    assert client.music("fast piano") == []


@pytest.mark.parametrize(
    ("outcome", "error"),
    [("rate_limit", QuotaExceeded), ("html", PlatformUnavailable), ("api_error", PlatformRejected)],
)
def test_commons_refusals_are_ours(
    commons: tuple[World, Commons], outcome: str, error: type[Exception]
) -> None:
    world, client = commons
    world.commons_library.outcomes.add(outcome)

    with pytest.raises(error):
        client.photos("sea", "portrait")


@pytest.fixture
def nasa(served: tuple[World, str]) -> tuple[World, Nasa]:
    world, address = served
    world.nasa_library.image = JPEG
    world.nasa_library.photos = [
        {"nasa_id": "as11 40", "title": "Earthrise", "keywords": ["Moon"], "description": "Seen from orbit"}
    ]
    return world, Nasa(f"{address}/nasa", f"{address}/")


def test_nasas_photographs_are_public_and_fetched_by_their_manifest(nasa: tuple[World, Nasa]) -> None:
    _, client = nasa

    (found,) = client.photos("moon", "portrait")

    assert (found.author, found.licence, found.must_credit) == ("NASA", "Public domain (NASA)", False)
    assert found.page == "https://images.nasa.gov/details/as11%2040"
    assert "Earthrise Moon" in found.words
    assert client.download(found, 1, 1) == JPEG


@pytest.mark.parametrize(
    "changes", [{"description": "Copyright ESA"}, {"photographer": "Image courtesy of JAXA"}, {"nasa_id": ""}]
)
def test_works_in_which_others_have_rights_are_left_out(
    nasa: tuple[World, Nasa], changes: dict[str, Any]
) -> None:
    world, client = nasa
    world.nasa_library.photos[0].update(changes)

    assert client.photos("moon", "portrait") == []


@pytest.mark.parametrize(("outcome", "error"), [("rate_limit", QuotaExceeded), ("html", PlatformUnavailable)])
def test_nasas_refusals_are_ours(nasa: tuple[World, Nasa], outcome: str, error: type[Exception]) -> None:
    world, client = nasa
    world.nasa_library.outcomes.add(outcome)

    with pytest.raises(error):
        client.photos("moon", "portrait")


def test_a_work_of_nasa_without_a_usable_file_is_left_out(nasa: tuple[World, Nasa]) -> None:
    world, client = nasa
    (found,) = client.photos("moon", "portrait")
    world.nasa_library.outcomes.add("no_files")

    with pytest.raises(PlatformRejected, match="no JPEG"):
        client.download(found, 1, 1)

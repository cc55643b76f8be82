"""The routes of artists."""

import pytest

from showrunner.artists import management
from tests.conftest import add_organisation

CHANNEL, OTHER = "UC" + "a" * 22, "UC" + "b" * 22
PATH = "/api/v1/artists"

NO_ACCOUNTS = dict.fromkeys(("youtube", "spotify", "tiktok", "instagram"))


@pytest.fixture
def artist(client):
    body = {"name": "Tide Tables", "tier": "active", "accounts": {"youtube": CHANNEL}}
    return client("POST", PATH, body).body["artist"]


def test_an_artist_is_added_and_shown(client, artist):
    shown = client("GET", f"{PATH}/{artist['id']}")

    assert shown.body["artist"] == artist
    assert (artist["name"], artist["tier"], artist["accounts"]) == (
        "Tide Tables",
        "active",
        NO_ACCOUNTS | {"youtube": CHANNEL},
    )


def test_an_artist_needs_only_a_name(client):
    response = client("POST", PATH, {"name": "Neap"})

    assert response.status == 201
    assert (response.body["artist"]["tier"], response.body["artist"]["accounts"]) == (
        "standard",
        NO_ACCOUNTS,
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": "TIDE tables"}, "Another of your artists has this name already."),
        (
            {"name": "Neap", "accounts": {"youtube": CHANNEL}},
            "This account belongs to another of your artists already.",
        ),
    ],
)
def test_names_and_accounts_are_an_organisations_once(client, artist, body, message):
    response = client("POST", PATH, body)

    assert (response.status, response.body["error"]["message"]) == (409, message)


def test_other_organisations_may_follow_the_same_artist(client, artist, tx, service):
    other = service(add_organisation(tx, "Others"), "artists:all")

    response = other("POST", PATH, {"name": "Tide Tables", "accounts": {"youtube": CHANNEL}})

    assert response.status == 201
    assert [each["id"] for each in other("GET", PATH).body["artists"]] == [response.body["artist"]["id"]]
    assert [each["id"] for each in client("GET", PATH).body["artists"]] == [artist["id"]]


def test_omitted_fields_keep_their_value_and_null_removes_an_account(client, artist):
    path = f"{PATH}/{artist['id']}"

    renamed = client("PUT", path, {"name": "Tides"}).body["artist"]
    moved = client("PUT", path, {"accounts": {"youtube": OTHER}}).body["artist"]
    removed = client("PUT", path, {"accounts": {"youtube": None}}).body["artist"]

    assert (renamed["name"], renamed["tier"], renamed["accounts"]) == (
        "Tides",
        "active",
        NO_ACCOUNTS | {"youtube": CHANNEL},
    )
    assert [each["accounts"]["youtube"] for each in (moved, removed)] == [OTHER, None]


def test_a_removed_artist_is_gone(client, artist):
    path = f"{PATH}/{artist['id']}"

    assert client("DELETE", path).status == 204
    assert [client(method, path, body).status for method, body in (("GET", None), ("PUT", {}))] == [404, 404]
    assert client("DELETE", path).status == 404
    assert client("POST", PATH, {"name": "Tide Tables"}).status == 201


def test_artists_are_listed_by_tier(client, artist):
    client("POST", PATH, {"name": "Neap"})

    def names(query):
        return [each["name"] for each in client("GET", f"{PATH}?{query}").body["artists"]]

    assert names("tier=active") == ["Tide Tables"]
    assert names("sort=name") == ["Neap", "Tide Tables"]


def test_an_artist_of_another_organisation_is_not_found(artist, tx, service):
    other = service(add_organisation(tx, "Others"), "artists:all")
    path = f"{PATH}/{artist['id']}"

    assert [
        other(method, path, {} if method == "PUT" else None).status for method in ("GET", "PUT", "DELETE")
    ] == [
        404,
        404,
        404,
    ]


def test_an_organisation_has_a_limit_of_artists(client, artist, monkeypatch):
    monkeypatch.setattr(management, "MAX_ARTISTS", 1)

    response = client("POST", PATH, {"name": "Neap"})

    assert (response.status, response.body["error"]["code"]) == (409, "CONFLICT")

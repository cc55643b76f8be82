"""The import of rosters."""

import pytest

from tests.conftest import add_organisation

CHANNEL, OTHER, THIRD = ("UC" + letter * 22 for letter in "abc")
PATH = "/api/v1/artists/import"


def load(client, *lines, **headers):
    return client("POST", PATH, {"csv": "\n".join(lines)}, **headers).body


def results(imported):
    return [(row["line"], row["name"], row["result"]) for row in imported["rows"]]


def artists(client):
    found = client("GET", "/api/v1/artists?sort=name").body["artists"]
    return {each["name"]: (each["tier"], each["accounts"]["youtube"]) for each in found}


def test_rows_add_and_change_artists_by_name(client):
    first = load(
        client, "\ufeffName,Tier,YouTube", f"Tides,active,{CHANNEL}", "", '"Neap, the band",,', "Ebb,,"
    )
    second = load(client, "name,youtube", f"TIDES,{OTHER}", '"Neap, the band",', f"Flood,{THIRD}")

    assert (first["added"], second["added"], second["updated"], second["unchanged"]) == (3, 1, 1, 1)
    assert results(first) == [(2, "Tides", "added"), (4, "Neap, the band", "added"), (5, "Ebb", "added")]
    assert results(second) == [
        (2, "TIDES", "updated"),
        (3, "Neap, the band", "unchanged"),
        (4, "Flood", "added"),
    ]
    assert second["rows"][0]["artist_id"] == first["rows"][0]["artist_id"]
    assert artists(client) == {
        "TIDES": ("active", OTHER),
        "Neap, the band": ("standard", None),
        "Ebb": ("standard", None),
        "Flood": ("standard", THIRD),
    }


def test_a_rejected_row_says_why_and_stops_no_other(client):
    client("POST", "/api/v1/artists", {"name": "Owner", "accounts": {"youtube": CHANNEL}})

    imported = load(
        client,
        "name,tier,youtube",
        f"Thief,,{CHANNEL}",
        "Tides,often,",
        "Neap,,channel",
        ",active,",
        "Ebb,,,",
        "Flood,,",
        "FLOOD,active,",
        f"Surge,,{OTHER}",
        f"Swell,,{OTHER}",
    )

    messages = {row["line"]: row["message"] for row in imported["rows"]}
    assert messages[2] == "youtube: the account belongs to Owner"
    assert messages[3].startswith("tier: ")
    assert messages[4].startswith("youtube: channel is not the id of a YouTube channel")
    assert messages[5].startswith("name: ")
    assert messages[6] == "line 6 has 4 columns instead of 3: put a cell with commas in quotes"
    assert messages[8] == "name: an earlier row has it already"
    assert messages[10] == "youtube: an earlier row has it already"
    assert (imported["added"], imported["rejected"]) == (2, 7)
    assert artists(client).keys() == {"Owner", "Flood", "Surge"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("artist\nTides\n", 'the first line must name the columns, one of them "name"'),
        (
            "name,yotube\nTides,\n",
            'the column "yotube" is unknown or twice; known: name, tier, youtube, spotify',
        ),
        ("name\n" + "x\n" * 5_001, "has 5,001 rows; send at most 5,000 at a time"),
    ],
)
def test_what_is_no_roster_is_refused(client, table, message):
    response = client("POST", PATH, {"csv": table})

    assert response.status == 400
    assert response.body["error"]["details"] == [{"field": "csv", "message": message}]


def test_a_roster_of_the_greatest_size_is_imported_in_one_call(client):
    lines = [f"Artist {n},active,UC{n:022}" for n in range(5_000)]

    imported = load(client, "name,tier,youtube", *lines)
    again = load(client, "name,tier,youtube", *lines)

    assert (imported["added"], again["unchanged"]) == (5_000, 5_000)


def test_a_repeat_with_the_same_key_has_the_same_answer(client):
    first = load(client, "name", "Tides", idempotency_key="roster-1")

    assert load(client, "name", "Tides", idempotency_key="roster-1") == first


def test_a_roster_changes_no_artist_of_another_organisation(client, tx, service):
    other = service(add_organisation(tx, "Others"), "artists:all")
    load(other, "name,youtube", f"Tides,{CHANNEL}")

    imported = load(client, "name,tier,youtube", f"Tides,active,{CHANNEL}")

    assert imported["added"] == 1
    assert artists(other) == {"Tides": ("standard", CHANNEL)}

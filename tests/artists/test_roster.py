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


def test_names_are_the_same_as_the_database_compares_them(client):
    """Names are compared in lower case by the database; Python's lower() would keep these two apart."""
    imported = load(client, "name,youtube", "ΣΑΣ,", f"σασ,{CHANNEL}", "Tides,")
    again = load(client, "name,youtube", f"σασ,{CHANNEL}", "İstanbul,", "ISTANBUL,")
    third = load(client, "name,youtube", f"ΣΑΣ,{CHANNEL}")

    assert (imported["added"], imported["rejected"]) == (2, 1)
    assert imported["rows"][1]["message"] == "name: an earlier row has it already"
    assert results(again)[0] == (2, "σασ", "updated")
    assert again["rows"][0]["artist_id"] == imported["rows"][0]["artist_id"]
    # The account is its own, however the name is written.
    assert results(third) == [(2, "ΣΑΣ", "updated")]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffName;Tier;YouTube\r\nTides;active;{channel}\r\n",
        "name,tier,youtube\rTides,active,{channel}\r",
        "name\ttier\tyoutube\nTides\tactive\t{channel}",
    ],
    ids=["semicolons", "carriage returns", "tabs"],
)
def test_tables_come_as_spreadsheets_of_all_systems_write_them(client, text):
    imported = client("POST", PATH, {"csv": text.format(channel=CHANNEL)}).body

    assert imported["added"] == 1
    assert artists(client) == {"Tides": ("active", CHANNEL)}


def test_what_looks_like_a_formula_or_is_no_text_is_a_name_or_refused_and_never_run(client):
    formula = '"=HYPERLINK(""http://x"")"'
    assert load(client, "name", formula)["rows"][0]["name"] == '=HYPERLINK("http://x")'
    for text in ("n\x00a\x00m\x00e\x00", "name\nTi\ud800des", "ÿþn\x00"):  # UTF-16 that was read as another
        assert client("POST", PATH, {"csv": text}).status == 400


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("artist\nTides\n", 'the first line must name the columns, one of them "name"'),
        (
            "name,yotube\nTides,\n",
            'the column "yotube" is unknown or twice; known: name, tier, youtube, spotify',
        ),
        ('name\nTides\n"Ebb" x\n', "line 3 can't be read: ',' expected after '\"'"),
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

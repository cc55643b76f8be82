"""The lists of videos, assets, claims and conflicts, the page of a video, and saved searches."""

import csv
import io
import uuid
from datetime import UTC, datetime, timedelta

import pytest

VIDEOS = "/api/v1/cms/videos"
DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)
CHANNEL = "UC" + "a" * 22


def table(*rows):
    """Return rows as the CSV of a report. A row's missing columns are empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def video(number, **changes):
    return {
        "video_id": f"v{number:010}",
        "claim_id": f"cl{number}",
        "asset_id": f"A{number:015}",
        "channel_id": CHANNEL,
        "channel_display_name": "Sailors",
        "category": "Music",
        "effective_policy": "Monetize",
        "video_privacy_status": "Public",
        "video_title": f"Tides number {number}",
        "views": number * 10,
        "claimed_by_this_owner": "Yes",
        "time_published": f"2026-10-{number:02}T08:00:00Z",
        "time_uploaded": f"2026-09-{number:02}T08:00:00Z",
        "video_length": 60,
        **changes,
    }


def claim(number, **changes):
    return {
        "claim_id": f"cl{number}",
        "claim_status": "ACTIVE",
        "claim_type": "AUDIO",
        "claim_origin": "AUDIO_MATCH",
        "video_id": f"v{number:010}",
        "channel_id": CHANNEL,
        "asset_id": f"A{number:015}",
        "custom_id": f"C{number}",
        "video_title": f"Tides number {number}",
        "artist": "The Sailors",
        "record_label": "Sample Records",
        "isrc": f"USRC{number:08}",
        "upc": f"{number:013}",
        "views": number * 10,
        "claim_created_date": f"2026-10-{number:02}",
        "claim_policy_monetize": "Everywhere",
        **changes,
    }


@pytest.fixture
def label(owner, service):
    """Return a client of the owner's organisation."""
    return service(owner["organisation_id"], "cms:all")


@pytest.fixture
def filled(owner, drop, label):
    """Return a client of an owner with nine videos, seven claims, three assets and a conflict."""
    rows = [video(number) for number in range(1, 8)]
    # A second claim on the same video, a private one of another channel, and one that nobody claims.
    rows += [video(1, claim_id="cl1b", asset_id=f"A{2:015}")]
    rows += [
        video(
            8, video_privacy_status="Private", channel_id="UC" + "b" * 22, category="Comedy", custom_id="X8"
        )
    ]
    rows += [
        video(9, claim_id="", asset_id="", claimed_by_this_owner="No", video_title="100% waves_", views="",
              time_published="", isrc="USRC99999999")
    ]  # fmt: skip
    assert drop(f"video_report_{owner['name']}_V.csv", table(*rows), at=DAY)[0].status == "loaded"
    claims = [claim(number) for number in range(1, 7)]
    claims += [
        claim(7, claim_status="PENDING", artist="Other|The Waves", record_label="Z", claim_policy_monetize="",
              claim_policy_block="DE")
    ]  # fmt: skip
    assert drop(f"claim_report_{owner['name']}_C.csv", table(*claims), at=DAY)[0].status == "loaded"
    assets = [
        {"asset_id": f"A{number:015}", "asset_type": "SOUND_RECORDING", "asset_title": f"Tide {number}",
         "your_isrc": f"USRC{number:08}", "approx_daily_views": number, "active_claims": 1,
         "conflicting_owner": "Other" if number == 2 else ""}
        for number in range(1, 4)
    ]  # fmt: skip
    assert drop(f"asset_full_report_{owner['name']}_L_v1-2.csv", table(*assets), at=DAY)[0].status == "loaded"
    conflict = {
        "asset_id": f"A{2:015}", "conflicting_owner": "Other", "ownership_last_updated": "2026-10-01",
        "conflicting_country_code": "DE|JP", "lifetime_views_in_conflict": 900, "asset_title": "Tide 2",
    }  # fmt: skip
    name = f"asset_conflict_report_{owner['name']}.csv"
    assert drop(name, table(conflict), at=DAY)[0].status == "loaded"
    return label


def numbers(answer):
    assert answer.status == 200, answer.body
    return [int(each["video_id"][1:]) for each in answer.body["videos"]]


def test_a_video_with_several_rows_is_listed_once_with_all_of_its_claims(filled):
    answer = filled("GET", VIDEOS)

    assert numbers(answer) == [8, 7, 6, 5, 4, 3, 2, 1, 9]
    assert (answer.body["pagination"]["total"], answer.body["pagination"]["total_relation"]) == (9, "eq")
    first = next(each for each in answer.body["videos"] if each["video_id"] == f"v{1:010}")
    assert (first["claim_ids"], first["asset_ids"]) == (["cl1", "cl1b"], [f"A{1:015}", f"A{2:015}"])
    assert (first["privacy"], first["published_at"]) == ("public", "2026-10-01T08:00:00+00:00")


FILTERS = {
    "category=Comedy": [8],
    f"channel_id=UC{'b' * 22}": [8],
    "privacy=private": [8],
    "claimed=false": [9],
    "claim_status=pending": [7],
    "policy=Monetize&privacy=public&views_from=40&views_to=60": [6, 5, 4],
    "conflict=true": [2, 1],
    "conflict=false&views_from=60": [8, 7, 6],
    "artist=The+Waves": [7],
    "label=Z": [7],
    "isrc=USRC00000003": [3],
    "isrc=USRC99999999": [9],
    f"upc={4:013}": [4],
    "custom_id=X8": [8],
    f"asset_id=A{2:015}": [2, 1],
    "published_from=2026-10-03&published_to=2026-10-05": [4, 3],
    "title=number+1": [1],
    "title=TIDES&channel_id=UC" + "b" * 22: [8],
    "title=100%25": [9],
    "title=s_": [9],
    "title=number%25": [],
    "title=zz": [],
    "artist=Nobody&title=tides": [],
}
ORDERS = {
    "views": [9, 1, 2, 3, 4, 5, 6, 7, 8],
    "-uploaded_at": [9, 8, 7, 6, 5, 4, 3, 2, 1],
    "title": [9, 1, 2, 3, 4, 5, 6, 7, 8],
    "-views,title": [8, 7, 6, 5, 4, 3, 2, 1, 9],
    "video_id": [1, 2, 3, 4, 5, 6, 7, 8, 9],
}


def test_each_filter_of_videos(filled):
    # One owner for all of them: filling its tables takes longer than a list.
    assert {query: numbers(filled("GET", f"{VIDEOS}?{query}")) for query in FILTERS} == FILTERS


@pytest.mark.parametrize("search", ["", "&title=e"])
def test_cursors_lead_through_every_order(filled, search):
    assert {sort: walk(filled, f"sort={sort}{search}") for sort in ORDERS} == ORDERS


def walk(client, query):
    """Return the numbers of the videos of all pages, two at a time."""
    seen, cursor = [], ""
    for _ in range(20):
        answer = client("GET", f"{VIDEOS}?{query}&limit=2{cursor}")
        seen += numbers(answer)
        following = answer.body["pagination"]["next_cursor"]
        if following is None:
            return seen
        cursor = f"&cursor={following}"
    raise AssertionError("the cursor never ends")


def test_assets_claims_and_conflicts(filled):
    def ids(path, plural, name):
        answer = filled("GET", f"/api/v1/cms/{path}")
        assert answer.status == 200, answer.body
        return [each[name] for each in answer.body[plural]]

    assets = [f"A{number:015}" for number in (3, 2, 1)]
    assert ids("assets", "assets", "asset_id") == assets
    assert ids("assets?conflict=true", "assets", "asset_id") == [assets[1]]
    assert ids("assets?isrc=USRC00000003&type=SOUND_RECORDING", "assets", "asset_id") == [assets[0]]
    assert ids("assets?title=tide+1&views_to=1", "assets", "asset_id") == [assets[2]]
    assert ids("claims?status=pending&policy=block", "claims", "claim_id") == ["cl7"]
    assert ids("claims?artist=The+Sailors&sort=views&limit=2", "claims", "claim_id") == ["cl1", "cl2"]
    assert ids(f"claims?video_id=v{3:010}&policy=monetize", "claims", "claim_id") == ["cl3"]
    assert ids("claims?created_from=2026-10-06", "claims", "claim_id") == ["cl7", "cl6"]
    assert ids("claims?title=number+5", "claims", "claim_id") == ["cl5"]
    (conflict,) = filled("GET", "/api/v1/cms/conflicts?min_age_days=10").body["conflicts"]
    assert (conflict["asset_id"], conflict["conflicting_owner"]) == (assets[1], "Other")
    assert (conflict["countries"], conflict["since"]) == (["DE", "JP"], "2026-10-01")
    assert conflict["age_days"] >= (datetime.now(UTC) - datetime(2026, 10, 2, tzinfo=UTC)).days
    assert ids("conflicts?title=nothing", "conflicts", "asset_id") == []


def test_the_page_of_a_video_has_its_claims_and_its_life(filled, owner, drop):
    rows = [claim(number) for number in range(3, 7)] + [claim(1, claim_status="INACTIVE")]
    later = DAY + timedelta(days=3)
    assert drop(f"claim_report_{owner['name']}_C.csv", table(*rows), at=later)[0].removed_rows == 2

    page = filled("GET", f"{VIDEOS}/v{1:010}").body
    assert page["video"]["title"] == "Tides number 1"
    assert page["report"]["video_length"] == 60
    assert [(each["claim_id"], each["status"]) for each in page["claims"]] == [("cl1", "inactive")]
    (changed,) = page["history"]
    assert (changed["key"], changed["change"], changed["day"]) == ("cl1", "changed", "2026-11-04")
    assert changed["columns"] == {"claim_status": ["ACTIVE", "INACTIVE"]}

    gone = filled("GET", f"{VIDEOS}/v{7:010}").body
    assert gone["claims"] == []
    assert [(each["key"], each["change"]) for each in gone["history"]] == [("cl7", "removed")]
    assert filled("GET", f"{VIDEOS}/nothing").status == 404


def test_a_cell_too_long_for_an_index_fails_no_report(owner, drop, label):
    words = "|".join("".join(uuid.uuid4().hex for _ in range(20)) for _ in range(6))
    long = {"video_title": words, "artist": words, "isrc": words}
    assert drop(f"claim_report_{owner['name']}_C.csv", table(claim(1, **long)), at=DAY)[0].status == "loaded"
    rows = table(video(1, video_title=words, category=words, effective_policy=words))
    assert drop(f"video_report_{owner['name']}_V.csv", rows, at=DAY)[0].status == "loaded"

    assert numbers(label("GET", f"{VIDEOS}?isrc={words[:200]}")) == [1]


def test_a_search_is_saved_run_and_deleted(filled):
    saved = filled(
        "POST",
        "/api/v1/cms/searches",
        {"name": "Few", "list": "videos", "filters": {"views_to": 20, "claimed": True, "sort": "-views"}},
        idempotency_key="s",
    )
    assert saved.status == 201
    assert numbers(filled("GET", saved.body["path"])) == [2, 1]
    again = {"name": "few", "list": "videos", "filters": {}}
    assert filled("POST", "/api/v1/cms/searches", again).status == 409
    assert filled("GET", "/api/v1/cms/searches").body["searches"] == [saved.body]
    wrong = filled("POST", "/api/v1/cms/searches", {"name": "x", "list": "claims", "filters": {"claimed": 1}})
    assert wrong.status == 400
    path = f"/api/v1/cms/searches/{saved.body['id']}"
    assert [filled("DELETE", path).status, filled("DELETE", path).status] == [204, 404]

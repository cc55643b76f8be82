"""The metadata of assets, and of videos on channels that are linked to a content owner."""

import copy
import os
import uuid

import pytest

from local.platforms.library import Library
from showrunner.database import db
from showrunner.store.accounts import organisations
from tests.rights.change_work import CHANGES, add_video, execute
from tests.rights.conftest import add_owner

NEW = {"artist": ["Tide", "Depths"], "genre": ["Ambient"], "title": "Tides (Live)", "upc": "196871234567"}


def says(own):
    """Return what the owner says of its asset at YouTube."""
    asset = own.partner.rights.assets[own.asset_id]
    return asset.get("metadata", {}).get(own.partner.youtube_id)


@pytest.fixture
def known(own):
    """A content owner that has said something of its asset: more than we change."""
    said = {"title": "Tides", "artist": ["Tyde"], "label": "A label", "notes": "Ours", "isrc": "QZABC2600001"}
    own.partner.rights.assets[own.asset_id]["metadata"] = {own.partner.youtube_id: said}
    return own


@pytest.fixture
def linked(known, platforms, monkeypatch):
    """A video in the reports, claimed for the asset, on a channel that is linked to the content owner."""
    monkeypatch.setenv("YOUTUBE_BASE_URL", os.environ["GOOGLE_URL"])
    platforms.library, platforms.spent, platforms.quota = Library(), 0, 10_000
    channel_id, video_id = "UC" + uuid.uuid4().hex[:22], known.ids()[0]
    add_video(known, video_id, known.owner_id, channel_id)
    platforms.rights.channels[channel_id] = known.partner.youtube_id
    known.carry_out(known.propose_claims())
    known.report_claims()
    return known


def test_only_what_was_asked_for_is_changed_and_the_undo_restores_it(known):
    before = copy.deepcopy(says(known))
    table = (
        "asset_id,artist,genre,title,upc,isrc\n"
        f"{known.asset_id},Tide|Depths,Ambient,Tides (Live),196871234567,\n"
        f"{known.asset_id},Other,,,,\n"
        "A999999999999999,Other,,,,\n"
        "A111111111111111,,,,,\n"
        "A111111111111112,,,,12,\n"
        "A111111111111113,,,,,X\n"
        f"A111111111111114,{'é' * 128},,,,\n"
    )
    answer = known.client("POST", CHANGES, {"kind": "asset_metadata", "csv": table})
    assert answer.status == 201, answer.body
    change_set_id, calls = answer.body["change_set"]["id"], known.partner.rights.calls
    first, *others = known.rows(change_set_id)
    assert (first["asset_id"], first["video_id"], first["changes"]) == (known.asset_id, None, NEW)
    assert first["before"] == {"title": "Song", "artist": None, "upc": None}
    words = ("Row 1 is about the same", "no such asset", "nothing to change", "UPC", "isrc", "255 bytes")
    for row, word in zip(others, words, strict=True):
        assert row["status"] == "invalid"
        assert word in row["message"], row
    assert calls.total() == 0

    (row, *_) = known.carry_out(change_set_id)
    assert (row["status"], row["is_exact"]) == ("success", True)
    assert row["before"] == {"title": "Tides", "artist": ["Tyde"], "genre": None, "upc": None}
    assert row["after"] == NEW
    assert says(known) == before | NEW
    (undone,) = known.carry_out(known.undo(change_set_id))
    assert (undone["status"], says(known)) == ("success", before)


def test_what_somebody_has_changed_since_is_not_undone(known):
    change_set_id = known.propose("asset_metadata", [{"asset_id": known.asset_id, "artist": ["Tide"]}])
    known.carry_out(change_set_id)
    says(known)["artist"] = ["Somebody's"]
    (row,) = known.carry_out(known.undo(change_set_id))
    assert row["status"] == "failed"
    assert "artist has been changed since" in row["message"]
    assert says(known)["artist"] == ["Somebody's"]


@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_change_that_is_killed_is_made_once(known, killed_after):
    change_set_id = known.propose("asset_metadata", [{"asset_id": known.asset_id, "genre": ["Ambient"]}])
    known.run(change_set_id)
    execute(known, change_set_id, killed_after=killed_after)
    (row,) = known.rows(change_set_id)
    assert (row["status"], row["before"], row["after"]) == (
        "success",
        {"genre": None},
        {"genre": ["Ambient"]},
    )
    assert known.calls("assets.patch") == 1


def test_what_youtube_does_not_take_is_said(known, monkeypatch):
    monkeypatch.setattr("local.platforms.content_id.MOST_NAME_BYTES", 3)
    change_set_id = known.propose("asset_metadata", [{"asset_id": known.asset_id, "artist": ["Tide"]}])
    (row,) = known.carry_out(change_set_id)
    assert row["status"] == "failed"
    assert "A name is too long" in row["message"]


def test_an_asset_of_another_organisation_is_unknown(known, tx, service):
    stranger = service(add_owner(tx)["organisation_id"], "cms:all")
    rows = [{"asset_id": known.asset_id, "artist": ["Tide"]}]
    answer = stranger("POST", CHANGES, {"kind": "asset_metadata", "rows": rows})
    assert answer.body["change_set"]["rows"]["invalid"] == 1
    assert known.partner.rights.calls.total() == 0


def test_artist_and_genre_of_a_video_are_those_of_the_asset_that_it_is_claimed_for(linked, tx):
    path = f"/api/v1/cms/videos/{linked.ids()[0]}"
    song = {"artist": ["Tide"], "genre": ["Ambient"]}
    before = copy.deepcopy(says(linked))
    calls = linked.partner.rights.calls.total()
    shown = linked.client("PATCH", f"{path}?dry_run=true", {"title": "New", **song})
    assert shown.status == 202, shown.body
    assert (shown.body["change_set"], shown.body["row"]["changes"]) == (None, {"title": "New"})
    assert (shown.body["asset_change"]["change_set"], shown.body["asset_change"]["row"]["changes"]) == (
        None,
        song,
    )
    assert linked.partner.rights.calls.total() == calls

    sent = linked.client("PATCH", path, {"title": "New", **song}).body
    for each in (sent, sent["asset_change"]):
        assert each["change_set"]["status"] == "running"
        execute(linked, each["change_set"]["id"])
        assert linked.set(each["change_set"]["id"])["rows"]["success"] == 1
    assert says(linked) == before | song
    assert linked.world.library.videos[linked.ids()[0]].resource["snippet"]["title"] == "New"
    syncs = linked.client("GET", f"/api/v1/cms/syncs?video_id={linked.ids()[0]}").body["syncs"]
    assert {each["kind"] for each in syncs} == {"metadata", "asset_metadata", "claim"}

    organisations.save_need_of_approval(tx, linked.organisation_id, required=True)
    alone = linked.client("PATCH", path, {"artist": ["Other"]}).body
    assert (alone["row"]["kind"], alone["change_set"]["status"], alone["asset_change"]) == (
        "asset_metadata",
        "ready",
        None,
    )
    for wrong in ({"artist": ["x" * 201]}, {"genre": ["x" * 101]}, {"artist": [""]}, {"genre": "Ambient"}):
        assert linked.client("PATCH", path, wrong).status == 400, wrong


def test_a_video_that_is_claimed_for_several_assets_or_none_names_them(linked, tx):
    path = f"/api/v1/cms/videos/{linked.ids()[0]}"
    other = linked.partner.add_asset(7)
    db.run(
        tx,
        "UPDATE rights.claims SET asset_id = :asset, video_id = :video WHERE claim_id = ("
        "SELECT max(claim_id) FROM rights.claims WHERE organisation_id = :organisation)",
        asset=other,
        video=linked.ids()[0],
        organisation=linked.organisation_id,
    )
    refused = linked.client("PATCH", path, {"artist": ["Tide"]})
    assert refused.status == 400
    assert "2 assets" in refused.body["error"]["message"]
    assert other in refused.body["error"]["message"]
    db.run(tx, "DELETE FROM rights.claims WHERE organisation_id = :id", id=linked.organisation_id)
    refused = linked.client("PATCH", path, {"genre": ["Ambient"]})
    assert refused.status == 400
    assert "no claim of yours" in refused.body["error"]["message"]


def test_a_failed_change_of_an_asset_is_sent_again(linked):
    path = f"/api/v1/cms/videos/{linked.ids()[0]}"
    linked.partner.rights.members.clear()
    sent = linked.client("PATCH", path, {"artist": ["Tide"]}).body
    execute(linked, sent["change_set"]["id"])
    assert linked.rows(sent["change_set"]["id"])[0]["status"] == "failed"
    linked.partner.rights.members[linked.partner.account] = [linked.partner.youtube_id]
    again = linked.client("POST", f"{path}/sync")
    assert (again.status, again.body["row"]["changes"]) == (202, {"artist": ["Tide"]})
    execute(linked, again.body["change_set"]["id"])
    assert says(linked)["artist"] == ["Tide"]
    assert linked.client("POST", f"{path}/sync").status == 409


def test_the_account_of_a_content_owner_changes_videos_of_linked_channels_alone(linked, platforms):
    second = "vid99999999"
    add_video(linked, second, linked.owner_id, "UC" + "z" * 22)
    before = copy.deepcopy(linked.world.library.videos)
    rows = [{"video_id": each, "title": "New"} for each in (linked.ids()[0], second)]
    change_set_id = linked.propose("metadata", rows)
    linked.run(change_set_id)
    execute(linked, change_set_id, killed_after=2)

    first, other = linked.rows(change_set_id)
    assert first["status"] == "success"
    assert other["status"] == "failed"
    undone = linked.carry_out(linked.undo(change_set_id))
    assert [each["status"] for each in undone] == ["success"]
    after = linked.world.library.videos
    assert {key: each.resource for key, each in after.items()} == {
        key: each.resource for key, each in before.items()
    }


def test_a_row_for_an_owner_that_is_another_s_now_is_not_sent(linked, tx):
    change_set_id = linked.propose("metadata", [{"video_id": linked.ids()[0], "title": "New"}])
    db.run(tx, "UPDATE rights.content_owners SET youtube_id = 'Other' WHERE id = :id", id=linked.owner_id)
    linked.run(change_set_id)
    execute(linked, change_set_id)
    (row,) = linked.rows(change_set_id)
    assert (row["status"], "propose it again" in row["message"]) == ("failed", True)
    assert linked.world.library.videos[linked.ids()[0]].resource["snippet"]["title"] != "New"

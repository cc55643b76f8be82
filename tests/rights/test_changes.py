"""Changes of videos on YouTube: proposed, approved, carried out, stopped, and undone."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from showrunner.store.accounts import organisations
from tests.rights.change_work import CHANGES, ROWS, SYNCS, add_video, execute, reset_quota


@pytest.mark.parametrize(
    ("sample", "own"),
    [
        ("publish.plan_changes", set()),
        ("publish.record_changes", {"key", "is_disconnected"}),
        ("publish.finish_changes", {"error"}),
        ("upload.changes", {"key", "tries"}),
    ],
)
def test_the_samples_have_what_the_machine_sends(event, sample, own):
    ids = {"change_set_id", "organisation_id", "attempt", "request_id"}
    step = set() if sample == "upload.changes" else {"step"}

    assert event(sample).keys() == ids | step | own


def test_a_proposal_is_checked_row_by_row_and_sends_nothing(channel, owner):
    other = "UC" + "z" * 22
    add_video(channel, "elsewhere01", owner["id"], other)
    first, second, *_ = channel.ids()
    table = (
        "video_id,title,privacy_status,tags,embedding_allowed\n"
        f'{first},"Tides, live",public,sea|two words,yes\n'
        f"{second},{'x' * 101},,,\n{first},Again,,,\nnowhere0001,Lost,,,\nelsewhere01,Theirs,,,\n"
        f"{second},,secret,,\n{channel.ids()[2]},,,,\nshort,x,,,\n"
    )
    answer = channel.client("POST", CHANGES, {"csv": table, "name": "Tides"}, idempotency_key="p")

    assert answer.status == 201
    found = answer.body["change_set"]
    assert (found["status"], found["rows"]["total"], found["rows"]["pending"]) == ("ready", 8, 1)
    assert answer.body["units"] == 51
    rows = channel.rows(found["id"])
    assert rows[0]["changes"] == {
        "title": "Tides, live", "privacy_status": "public", "tags": ["sea", "two words"],
        "embedding_allowed": True,
    }  # fmt: skip
    assert rows[0]["before"] == {
        "title": f"Old {first}",
        "privacy_status": "private",
        "embedding_allowed": None,
    }
    words = [
        "at most 100",
        "Row 1 changes",
        "no such video",
        other,
        "secret",
        "nothing to change",
        "video_id",
    ]
    for row, word in zip(rows[1:], words, strict=True):
        assert row["status"] == "invalid"
        assert word in row["message"], row
    assert channel.world.spent == 0
    assert channel.client("GET", SYNCS).body["syncs"] == []
    assert (
        channel.client("POST", CHANGES, {"csv": table, "name": "Tides"}, idempotency_key="p").body
        == answer.body
    )


def test_only_what_was_asked_for_is_changed_and_undo_restores_all_of_it(channel):
    before = channel.shown()
    change_set_id = channel.propose(privacy_status="unlisted", tags=[])
    assert channel.run(change_set_id)["status"] == "running"
    assert channel.client("POST", f"{CHANGES}/{change_set_id}/run").status == 409
    assert execute(channel, change_set_id) == ["done"]

    after = channel.shown()
    for video_id in channel.ids():
        assert after[video_id]["snippet"] == before[video_id]["snippet"] | {
            "title": f"New {video_id}", "tags": [],
        }  # fmt: skip
        assert after[video_id]["status"] == before[video_id]["status"] | {"privacyStatus": "unlisted"}
    found = channel.set(change_set_id)
    assert (found["status"], found["rows"]["success"], found["finish_at"]) == ("done", ROWS, None)
    syncs = channel.client("GET", f"{SYNCS}?status=success&video_id={channel.ids()[0]}").body["syncs"]
    assert [(each["is_exact"], each["before"]["title"]) for each in syncs] == [(True, "Old vid00000001")]
    assert channel.client("GET", f"/api/v1/cms/videos/{channel.ids()[0]}").body["syncs"] == syncs
    assert channel.world.spent == 1 + ROWS * 50

    # Repeating any step changes nothing.
    spent = channel.world.spent
    assert execute(channel, change_set_id) == ["done"]
    assert channel.world.spent == spent

    undo = channel.client("POST", f"{CHANGES}/{change_set_id}/undo", idempotency_key="u").body["change_set"]
    assert channel.client("POST", f"{CHANGES}/{change_set_id}/undo").status == 409
    assert channel.set(change_set_id)["undone_by"] == undo["id"]
    somebody = channel.world.library.videos[channel.ids()[1]]
    somebody.resource["snippet"]["title"], somebody.version = "Somebody's", somebody.version + 1
    channel.run(undo["id"])
    execute(channel, undo["id"])
    restored = channel.shown()
    for video_id in channel.ids():
        if video_id != somebody.id:
            assert restored[video_id] == before[video_id]
    assert restored[somebody.id]["snippet"]["title"] == "Somebody's"
    refused = channel.rows(undo["id"])[1]
    assert refused["status"] == "failed"
    assert "title has been changed since" in refused["message"]


def test_a_change_of_somebody_else_between_read_and_write_survives(channel, monkeypatch):
    real, waiting = requests.Session.request, ["once"]

    def request(session, method, url, **more):
        if method == "PUT" and waiting:
            waiting.clear()
            video = channel.world.library.videos[channel.ids()[0]]
            video.resource["snippet"]["description"], video.version = "Somebody's", video.version + 1
        return real(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", request)
    change_set_id = channel.propose()
    channel.run(change_set_id)
    execute(channel, change_set_id)

    snippet = channel.shown()[channel.ids()[0]]["snippet"]
    assert (snippet["title"], snippet["description"]) == ("New vid00000001", "Somebody's")
    assert channel.rows(change_set_id)[0]["status"] == "success"


def test_two_change_sets_of_the_same_videos_at_once_lose_nothing_of_either(channel, monkeypatch):
    """The second one is carried out as a whole between a read and a write of the first one."""
    rows = [{"video_id": each, "description": f"Second {each}"} for each in channel.ids()]
    second = channel.second("POST", CHANGES, {"rows": rows}).body["change_set"]["id"]
    first = channel.propose()
    channel.run(first)
    channel.run(second)
    real, waiting = requests.Session.request, ["once"]

    def request(session, method, url, **more):
        if method == "PUT" and waiting:
            waiting.clear()
            execute(channel, second)
            reset_quota()  # the day's share is less than both cost with their refused writes
        return real(session, method, url, **more)

    monkeypatch.setattr(requests.Session, "request", request)
    execute(channel, first)

    for id_ in (first, second):
        assert [row["status"] for row in channel.rows(id_)] == ["success"] * ROWS
    found = {
        key: (each["snippet"]["title"], each["snippet"]["description"])
        for key, each in channel.shown().items()
    }
    assert found == {each: (f"New {each}", f"Second {each}") for each in channel.ids()}


def test_a_row_that_youtube_refuses_fails_alone(channel):
    channel.world.library.add_faults(
        [{"on": "videos.update", "kind": "status", "status": 403, "reason": "forbidden"}]
    )
    del channel.world.library.videos[channel.ids()[3]]
    change_set_id = channel.propose()
    channel.run(change_set_id)
    execute(channel, change_set_id)

    assert [row["status"] for row in channel.rows(change_set_id)] == [
        "failed",
        "success",
        "success",
        "failed",
    ]
    assert channel.set(change_set_id)["status"] == "done"
    path = f"/api/v1/cms/videos/{channel.ids()[0]}/sync"
    again = channel.client("POST", path)
    assert again.status == 202, again.body
    execute(channel, again.body["change_set"]["id"])
    assert channel.shown()[channel.ids()[0]]["snippet"]["title"] == "New vid00000001"
    assert channel.client("POST", path).status == 409


def test_what_would_take_months_is_refused(channel, tx, owner):
    for number in range(240):
        add_video(channel, f"many{number:07}", owner["id"])
    table = "video_id,title\n" + "".join(f"many{number:07},Title {number}\n" for number in range(240))
    answer = channel.client("POST", CHANGES, {"csv": table})
    refused = channel.client("POST", f"{CHANGES}/{answer.body['change_set']['id']}/run")

    assert datetime.fromisoformat(answer.body["expected_end"]) > datetime.now(UTC) + timedelta(days=19)
    assert refused.status == 409
    assert "Google project of your own" in refused.body["error"]["message"]


def test_a_second_person_approves_where_the_organisation_requires_it(channel, tx):
    organisations.save_need_of_approval(tx, channel.organisation_id, required=True)
    change_set_id = channel.propose()
    path = f"{CHANGES}/{change_set_id}"
    assert channel.client("POST", f"{path}/run").status == 409
    assert channel.client("POST", f"{path}/approve").status == 403
    approved = channel.second("POST", f"{path}/approve").body["change_set"]
    assert (approved["status"], approved["approved_by"] != approved["created_by"]) == ("approved", True)
    assert channel.second("POST", f"{path}/approve").status == 409
    channel.run(change_set_id)

    patched = channel.client("PATCH", f"/api/v1/cms/videos/{channel.ids()[0]}", {"title": "Alone"})
    assert (patched.status, patched.body["change_set"]["status"]) == (202, "ready")


def test_one_video_is_shown_changed_and_refused(channel):
    path = f"/api/v1/cms/videos/{channel.ids()[0]}"
    shown = channel.client("PATCH", f"{path}?dry_run=true", {"title": "One", "category_id": 22})
    assert (shown.status, shown.body["change_set"]) == (202, None)
    assert shown.body["row"]["changes"] == {"title": "One", "category_id": "22"}
    assert channel.client("GET", CHANGES).body["changes"] == []

    changed = channel.client("PATCH", path, {"title": "One", "category_id": 22})
    assert changed.body["change_set"]["status"] == "running"
    execute(channel, changed.body["change_set"]["id"])
    assert channel.shown()[channel.ids()[0]]["snippet"]["categoryId"] == "22"
    for body in ({}, {"title": "x" * 101}, {"title": "<b>"}, {"artist": ["x"]}):
        assert channel.client("PATCH", path, body).status == 400, body
    assert channel.client("PATCH", "/api/v1/cms/videos/nowhere0001", {"title": "x"}).status == 404
    same = channel.client("PATCH", path, {"title": "One"}).body["change_set"]["id"]
    spent = channel.world.spent
    execute(channel, same)
    assert channel.rows(same)[0]["status"] == "unchanged"
    assert channel.world.spent == spent + 1


def test_a_planned_publication_ends_with_the_private_state_and_comes_back_with_the_undo(channel):
    video = channel.world.library.videos[channel.ids()[0]]
    video.resource["status"]["publishAt"] = "2099-01-01T00:00:00Z"
    before = channel.shown()
    changed = channel.client("PATCH", f"/api/v1/cms/videos/{video.id}", {"privacy_status": "unlisted"}).body[
        "change_set"
    ]["id"]
    execute(channel, changed)
    assert "publishAt" not in channel.shown()[video.id]["status"]
    undo = channel.client("POST", f"{CHANGES}/{changed}/undo").body["change_set"]["id"]
    channel.run(undo)
    execute(channel, undo)
    assert channel.shown() == before

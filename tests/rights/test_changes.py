"""Changes of videos on YouTube: proposed, approved, carried out, stopped, and undone."""

import contextlib
import copy
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from functions.publish import app as publish
from functions.upload import app as upload
from local.platforms import owner as stand_in
from local.platforms.google import Grant
from local.platforms.library import Library, Uploaded
from showrunner import quotas
from showrunner.accounts import connections
from showrunner.aws import dynamodb, s3, sdk
from showrunner.database import db
from showrunner.platforms import google
from showrunner.rights.change_rules import SCOPE
from showrunner.store.accounts import organisations
from tests.conftest import service_client

CHANGES, SYNCS = "/api/v1/cms/changes", "/api/v1/cms/syncs"
ROWS = 4
DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})


class Killed(BaseException):
    """Ends a step as the end of its process would: nothing catches it."""


class Channel(NamedTuple):
    """A connected YouTube channel with ROWS videos, and clients of two people of its organisation."""

    world: Any
    tx: Any
    organisation_id: str
    youtube_channel_id: str
    connection_id: str
    account: str
    client: Any
    second: Any

    def ids(self):
        return [f"vid{number:08}" for number in range(1, ROWS + 1)]

    def shown(self):
        """Return snippet and status of each video, as its owner sees them."""
        library = self.world.library
        resources = {key: stand_in.resource(library, video) for key, video in library.videos.items()}
        return copy.deepcopy(
            {key: {part: each[part] for part in ("snippet", "status")} for key, each in resources.items()}
        )

    def propose(self, **fields):
        rows = [{"video_id": each, "title": f"New {each}", **fields} for each in self.ids()]
        answer = self.client("POST", CHANGES, {"rows": rows})
        assert answer.status == 201, answer.body
        return answer.body["change_set"]["id"]

    def run(self, change_set_id):
        answer = self.client("POST", f"{CHANGES}/{change_set_id}/run")
        assert answer.status == 202, answer.body
        return answer.body["change_set"]

    def set(self, change_set_id):
        return self.client("GET", f"{CHANGES}/{change_set_id}").body["change_set"]

    def rows(self, change_set_id):
        return self.client("GET", f"{CHANGES}/{change_set_id}/rows").body["rows"]

    def connect(self):
        refresh_token = f"1//{uuid.uuid4().hex}"
        self.world.sign_ins.refresh_tokens[refresh_token] = Grant(self.account, list(google.YOUTUBE))
        connections.save(self.connection_id, self.organisation_id, refresh_token)


@pytest.fixture
def channel(platforms, tx, owner, signing_key, monkeypatch):
    google._documents.clear()
    reset_quota()
    monkeypatch.setenv("YOUTUBE_BASE_URL", os.environ["GOOGLE_URL"])
    role = "arn:aws:iam::123456789012:role/machine"
    machine = sdk.client("stepfunctions").create_state_machine(
        name="changes", roleArn=role, definition=DEFINITION
    )
    monkeypatch.setenv("CHANGES_MACHINE_ARN", machine["stateMachineArn"])
    organisation_id, youtube_channel_id = str(owner["organisation_id"]), "UC" + uuid.uuid4().hex[:22]
    account = f"{uuid.uuid4().hex[:8]}@example.com"
    subject = f"{account}/{youtube_channel_id}"
    connection_id = connections.id_of(organisation_id, "youtube", subject)
    clients = [
        service_client(signing_key, organisation_id, "cms:all", name=name) for name in ("first", "second")
    ]
    made = Channel(platforms, tx, organisation_id, youtube_channel_id, connection_id, account, *clients)
    platforms.library, platforms.spent, platforms.quota = Library(), 0, 10_000
    platforms.channels[youtube_channel_id] = {"title": "Depths", "handle": "depths"}
    platforms.owned[account] = [youtube_channel_id]
    made.connect()
    db.run(
        tx,
        "INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes) "
        "VALUES (:id, :organisation, 'youtube', :subject, ARRAY[:scope])",
        id=connection_id,
        organisation=organisation_id,
        subject=subject,
        scope=SCOPE,
    )
    for video_id in made.ids():
        add_video(made, video_id, owner["id"])
    yield made
    reset_quota()


def add_video(channel, video_id, owner_id, youtube_channel_id=None):
    snippet = {
        "title": f"Old {video_id}", "description": "Kept.", "tags": ["kept", "two words"], "categoryId": "10",
        "defaultLanguage": "en",
    }  # fmt: skip
    status = {"privacyStatus": "private", "embeddable": False, "license": "creativeCommon"}
    channel.world.library.videos[video_id] = Uploaded(
        video_id,
        youtube_channel_id or channel.youtube_channel_id,
        {"snippet": snippet, "status": status},
        0,
        "",
        Path("/dev/null"),
        0.0,
        looks=1,
    )
    db.run(
        channel.tx,
        """
        INSERT INTO rights.videos (organisation_id, owner_id, digest, first_day, changed_day, video_id,
                                   claim_id, asset_id, channel_id, video_title, video_privacy_status)
        VALUES (:organisation, :owner, gen_random_uuid(), now(), now(), :id, '', '', :channel, :title,
                'Private')
        """,
        organisation=channel.organisation_id,
        owner=owner_id,
        id=video_id,
        channel=youtube_channel_id or channel.youtube_channel_id,
        title=f"Old {video_id}",
    )


def reset_quota():
    day = f"quota#youtube#{quotas.pacific_day(datetime.now(UTC))}"
    for bucket, _ in dynamodb.list_(day):
        dynamodb.remove(day, bucket)


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


def execute(channel, change_set_id, *, killed_after=None, waits=3):
    """Do what the machine does. Returns the states of Apply. killed_after: so many calls of YouTube."""
    attempt = db.value(channel.tx, "SELECT attempt FROM rights.change_sets WHERE id = :id", id=change_set_id)
    ids = {"change_set_id": change_set_id, "organisation_id": channel.organisation_id, "attempt": attempt}
    planned = publish.handler({**ids, "step": "plan", "request_id": "r"}, None)
    states = []
    for batch in s3.get_json(planned["key"]) if planned["batches"] else []:
        tries, outcome = 0, {}
        for _ in range(waits):
            if killed_after is None:
                outcome = upload.handler({**batch, "tries": tries}, None)
            else:
                outcome = apply_killed({**batch, "tries": tries}, killed_after)
                killed_after = None
            states.append(outcome["state"])
            if outcome["state"] == "done":
                break
            tries = outcome["tries"]
        lost = outcome.get("is_disconnected", False)
        publish.handler({**batch, "step": "record", "is_disconnected": lost}, None)
    publish.handler({**ids, "step": "finish", "request_id": "r", "error": ""}, None)
    return states


def apply_killed(event, calls):
    """Let the function end after so many calls of YouTube, and run again as the machine would."""
    real, left = requests.Session.request, [calls]

    def request(session, method, url, **more):
        answer = real(session, method, url, **more)
        left[0] -= "/youtube/v3/" in url
        if left[0] <= 0:
            answer.close()
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "request", request)
        with contextlib.suppress(Killed):
            upload.handler(event, None)
    return upload.handler(event, None)


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


def test_a_step_that_is_killed_after_any_call_loses_no_row_and_writes_none_twice(channel):
    """One read and ROWS writes: killed after each, when YouTube has done it and nobody knows."""
    for killed_after in range(1, ROWS + 2):
        before = channel.shown()
        reset_quota()
        channel.world.spent = 0
        change_set_id = channel.propose(title=f"Title {killed_after}", description=f"Round {killed_after}")
        channel.run(change_set_id)
        execute(channel, change_set_id, killed_after=killed_after)

        assert {row["status"] for row in channel.rows(change_set_id)} == {"success"}
        assert channel.world.spent == 2 + ROWS * 50, "one more read, and no more writes"
        undo = channel.client("POST", f"{CHANGES}/{change_set_id}/undo").body["change_set"]["id"]
        channel.run(undo)
        execute(channel, undo)
        assert channel.shown() == before


@pytest.mark.parametrize("kind", ["close", "lost", "status"])
def test_a_call_that_fails_is_made_again(channel, kind):
    channel.world.library.add_faults([{"on": "videos.update", "kind": kind}])
    change_set_id = channel.propose()
    channel.run(change_set_id)

    assert execute(channel, change_set_id) == ["later", "done"]
    assert {row["status"] for row in channel.rows(change_set_id)} == {"success"}
    assert channel.rows(change_set_id)[0]["before"]["title"] == "Old vid00000001"


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


def test_out_of_quota_in_the_middle_it_waits_and_goes_on(channel):
    # Units for a read and two writes are left of the share.
    share = quotas.SHARES["metadata"]
    quotas.spend("youtube", "general", share - 110, quotas.ALL_UNITS, share="metadata")
    change_set_id = channel.propose()
    described = channel.client("GET", f"{CHANGES}/{change_set_id}").body
    assert described["units"] == 1 + ROWS * 50
    midnight = quotas.pacific_midnight(datetime.now(UTC))
    assert datetime.fromisoformat(described["expected_end"]) >= midnight
    channel.run(change_set_id)

    if not quotas.is_shared_time(datetime.now(UTC)):
        assert execute(channel, change_set_id, waits=1) == ["later"]
        assert [row["status"] for row in channel.rows(change_set_id)] == ["success"] * 2 + ["pending"] * 2
        assert channel.set(change_set_id)["status"] == "stopped"
        reset_quota()
        channel.run(change_set_id)
    assert execute(channel, change_set_id) == ["done"]
    assert {row["status"] for row in channel.rows(change_set_id)} == {"success"}


def test_youtubes_own_refusal_for_quota_waits_too(channel):
    channel.world.quota = 101
    change_set_id = channel.propose()
    channel.run(change_set_id)

    assert execute(channel, change_set_id, waits=1) == ["later"]
    assert [row["status"] for row in channel.rows(change_set_id)] == ["success"] * 2 + ["pending"] * 2
    assert quotas.spent("youtube", "general") >= quotas.ALL_UNITS or quotas._is_fresh(datetime.now(UTC))


def test_what_would_take_months_is_refused(channel, tx, owner):
    for number in range(240):
        add_video(channel, f"many{number:07}", owner["id"])
    table = "video_id,title\n" + "".join(f"many{number:07},Title {number}\n" for number in range(240))
    answer = channel.client("POST", CHANGES, {"csv": table})
    refused = channel.client("POST", f"{CHANGES}/{answer.body['change_set']['id']}/run")

    assert datetime.fromisoformat(answer.body["expected_end"]) > datetime.now(UTC) + timedelta(days=19)
    assert refused.status == 409
    assert "Google project of your own" in refused.body["error"]["message"]


def test_a_stopped_change_set_goes_on_where_it_was(channel):
    change_set_id = channel.propose()
    channel.run(change_set_id)
    assert (
        channel.client("POST", f"{CHANGES}/{change_set_id}/stop").body["change_set"]["status"] == "stopping"
    )
    execute(channel, change_set_id)

    found = channel.set(change_set_id)
    assert (found["status"], found["rows"]["pending"]) == ("stopped", ROWS)
    assert channel.world.spent == 0
    assert channel.client("POST", f"{CHANGES}/{change_set_id}/stop").status == 409
    channel.run(change_set_id)
    execute(channel, change_set_id)
    assert channel.set(change_set_id)["status"] == "done"


def test_a_lost_permission_leaves_rows_that_can_be_run_again(channel):
    connections.remove(channel.connection_id)
    dynamodb.remove(f"connection#{channel.connection_id}", "access")
    change_set_id = channel.propose()
    channel.run(change_set_id)
    execute(channel, change_set_id)

    assert {row["status"] for row in channel.rows(change_set_id)} == {"error"}
    assert "connect it again" in channel.rows(change_set_id)[0]["message"]
    channel.connect()
    channel.run(change_set_id)
    execute(channel, change_set_id)
    assert {row["status"] for row in channel.rows(change_set_id)} == {"success"}


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

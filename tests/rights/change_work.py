"""Change sets in tests: two people who propose, run and undo them, and what the machine does with them.

`Channel` has videos whose metadata is changed, `Owner` claims and policies of a content owner.
"""

import contextlib
import copy
import json
import os
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from showrunner.rights import change_rules, claim_rules
from tests.conftest import service_client
from tests.rights import partner as partners

CHANGES, SYNCS = "/api/v1/cms/changes", "/api/v1/cms/syncs"
ROWS = 4
DEFINITION = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})


class Killed(BaseException):
    """Ends a step as the end of its process would: nothing catches it."""


@dataclass
class Work:
    """Hold what changes of every kind have. `write`: the call of YouTube's that changes one row."""

    world: Any
    tx: Any
    organisation_id: str
    connection_id: str
    client: Any
    second: Any
    write = ""

    def propose_all(self) -> str:
        """Propose a change of ROWS rows and return its id."""
        raise NotImplementedError

    def state(self) -> Any:
        """Return what YouTube has, as far as the proposed change is about it."""
        raise NotImplementedError

    def connect(self) -> None:
        """Connect the account again."""
        raise NotImplementedError

    def leave_quota_for_two(self) -> None:
        """Spend what YouTube's quota has beyond two rows."""
        raise NotImplementedError

    def let_youtube_refuse_after_two(self) -> None:
        """Let YouTube itself say that the quota is spent, after two rows."""
        raise NotImplementedError

    def ids(self):
        return [f"vid{number:08}" for number in range(1, ROWS + 1)]

    def calls(self, name):
        """Return how often a method of YouTube's was called."""
        return self.world.library.log.count(name)

    def run(self, change_set_id):
        answer = self.client("POST", f"{CHANGES}/{change_set_id}/run")
        assert answer.status == 202, answer.body
        return answer.body["change_set"]

    def set(self, change_set_id):
        return self.client("GET", f"{CHANGES}/{change_set_id}").body["change_set"]

    def rows(self, change_set_id):
        return self.client("GET", f"{CHANGES}/{change_set_id}/rows").body["rows"]

    def carry_out(self, change_set_id):
        self.run(change_set_id)
        assert execute(self, change_set_id) == ["done"]
        return self.rows(change_set_id)

    def undo(self, change_set_id):
        answer = self.client("POST", f"{CHANGES}/{change_set_id}/undo")
        assert answer.status == 201, answer.body
        return answer.body["change_set"]["id"]


@dataclass
class Channel(Work):
    """A connected YouTube channel with ROWS videos."""

    youtube_channel_id: str
    account: str
    write = "videos.update"

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

    def propose_all(self):
        return self.propose()

    def state(self):
        return self.shown()

    def connect(self):
        refresh_token = f"1//{uuid.uuid4().hex}"
        self.world.sign_ins.refresh_tokens[refresh_token] = Grant(self.account, list(google.YOUTUBE))
        connections.save(self.connection_id, self.organisation_id, refresh_token)

    def leave_quota_for_two(self):
        """Leave units for a read and two writes of the share."""
        share = quotas.SHARES["metadata"]
        quotas.spend("youtube", "general", share - 110, quotas.ALL_UNITS, share="metadata")

    def let_youtube_refuse_after_two(self):
        self.world.quota = 101


@dataclass
class Owner(Work):
    """A content owner here and at YouTube, with ROWS videos and one asset."""

    owner_id: int
    partner: partners.Partner
    asset_id: str
    write = "claims.insert"

    def calls(self, name):
        return self.partner.rights.calls[name]

    def propose(self, kind, rows):
        answer = self.client("POST", CHANGES, {"kind": kind, "rows": rows})
        assert answer.status == 201, answer.body
        return answer.body["change_set"]["id"]

    def propose_claims(self, **more):
        rows = [
            {"video_id": each, "asset_id": self.asset_id, "action": "monetize", **more} for each in self.ids()
        ]
        return self.propose("claim", rows)

    def propose_all(self):
        return self.propose_claims()

    def state(self):
        return self.partner.live()

    def connect(self):
        refresh_token = f"1//{uuid.uuid4().hex}"
        self.world.sign_ins.refresh_tokens[refresh_token] = Grant(self.partner.account, partners.SCOPES)
        connections.save(self.connection_id, self.organisation_id, refresh_token)

    def leave_quota_for_two(self):
        """Leave calls for a read and a write of each."""
        most = quotas.CONTENT_ID_CALLS_A_DAY
        quotas.spend("youtube", "content_id", most - 4, most)

    def let_youtube_refuse_after_two(self):
        self.partner.rights.calls_a_day = 5

    def report_claims(self):
        """Put the claims at YouTube into the reports, as the next day's does."""
        db.run(self.tx, "DELETE FROM rights.claims WHERE owner_id = :id", id=self.owner_id)
        for each in self.partner.claims():
            db.run(
                self.tx,
                """
                INSERT INTO rights.claims
                       (organisation_id, owner_id, digest, first_day, changed_day, claim_id, video_id,
                        asset_id, channel_id, claim_type, claim_status)
                VALUES (:organisation, :owner, gen_random_uuid(), now(), now(), :claim, :video,
                        :asset, :channel, upper(:type), upper(:status))
                """,
                organisation=self.organisation_id,
                owner=self.owner_id,
                claim=each["id"],
                video=each["videoId"],
                asset=each["assetId"],
                channel="UC" + "a" * 22,
                type=each["contentType"],
                status=each["status"],
            )


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


def _begin(monkeypatch, service):
    """Point a service at the stand-in, with a full quota, and make the machine of changes."""
    google._documents.clear()
    reset_quota()
    monkeypatch.setenv(service, os.environ["GOOGLE_URL"])
    machine = sdk.client("stepfunctions").create_state_machine(
        name="changes", roleArn="arn:aws:iam::123456789012:role/machine", definition=DEFINITION
    )
    monkeypatch.setenv("CHANGES_MACHINE_ARN", machine["stateMachineArn"])


@pytest.fixture
def channel(platforms, tx, owner, signing_key, monkeypatch):
    _begin(monkeypatch, "YOUTUBE_BASE_URL")
    organisation_id, youtube_channel_id = str(owner["organisation_id"]), "UC" + uuid.uuid4().hex[:22]
    account = f"{uuid.uuid4().hex[:8]}@example.com"
    subject = f"{account}/{youtube_channel_id}"
    connection_id = connections.id_of(organisation_id, "youtube", subject)
    clients = [
        service_client(signing_key, organisation_id, "cms:all", name=name) for name in ("first", "second")
    ]
    made = Channel(platforms, tx, organisation_id, connection_id, *clients, youtube_channel_id, account)
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
        scope=change_rules.SCOPE,
    )
    for video_id in made.ids():
        add_video(made, video_id, owner["id"])
    yield made
    reset_quota()


@pytest.fixture
def own(platforms, tx, owner, signing_key, monkeypatch):
    _begin(monkeypatch, "CONTENT_ID_URL")
    partner = partners.add(platforms)
    organisation_id = str(owner["organisation_id"])
    connection_id = connections.id_of(organisation_id, "youtube", f"{partner.account}/")
    db.run(
        tx,
        "UPDATE rights.content_owners SET youtube_id = :youtube WHERE id = :id",
        youtube=partner.youtube_id,
        id=owner["id"],
    )
    db.run(
        tx,
        "INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes) "
        "VALUES (:id, :organisation, 'youtube', :subject, ARRAY[:scope])",
        id=connection_id,
        organisation=organisation_id,
        subject=f"{partner.account}/",
        scope=claim_rules.SCOPE,
    )
    asset_id = partner.add_asset(int(uuid.uuid4().int % 10**9))
    db.run(
        tx,
        """
        INSERT INTO rights.assets (organisation_id, owner_id, digest, first_day, changed_day, asset_id,
                                   asset_title, match_policy)
        VALUES (:organisation, :owner, gen_random_uuid(), now(), now(), :asset, 'Song', 'Track everywhere')
        """,
        organisation=organisation_id,
        owner=owner["id"],
        asset=asset_id,
    )
    clients = [
        service_client(signing_key, organisation_id, "cms:all", name=name) for name in ("first", "second")
    ]
    made = Owner(platforms, tx, organisation_id, connection_id, *clients, owner["id"], partner, asset_id)
    made.connect()
    for video_id in made.ids():
        partner.add_video(video_id)
    yield made
    platforms.library.faults.clear()
    reset_quota()


def reset_quota():
    day = f"quota#youtube#{quotas.pacific_day(datetime.now(UTC))}"
    for bucket, _ in dynamodb.list_(day):
        dynamodb.remove(day, bucket)


def execute(work, change_set_id, *, killed_after=None, waits=3):
    """Do what the machine does. Returns the states of Apply. killed_after: so many calls of YouTube."""
    attempt = db.value(work.tx, "SELECT attempt FROM rights.change_sets WHERE id = :id", id=change_set_id)
    ids = {"change_set_id": change_set_id, "organisation_id": work.organisation_id, "attempt": attempt}
    planned = publish.handler({**ids, "step": "plan", "request_id": "r"}, None)
    states = []
    for batch in s3.get_json(planned["key"]) if planned["batches"] else []:
        tries, outcome = 0, {}
        for _ in range(waits):
            if killed_after is not None:
                with killing(killed_after), contextlib.suppress(Killed):
                    upload.handler({**batch, "tries": tries}, None)
                killed_after = None
            outcome = upload.handler({**batch, "tries": tries}, None)
            states.append(outcome["state"])
            if outcome["state"] == "done":
                break
            tries = outcome["tries"]
        lost = outcome.get("is_disconnected", False)
        publish.handler({**batch, "step": "record", "is_disconnected": lost}, None)
    publish.handler({**ids, "step": "finish", "request_id": "r", "error": ""}, None)
    return states


@contextlib.contextmanager
def killing(calls):
    """End the process, as far as it can see, after so many calls of YouTube: their answers are lost."""
    real, left = requests.Session.request, [calls]

    def request(session, method, url, **more):
        answer = real(session, method, url, **more)
        left[0] -= "/youtube/" in url
        if left[0] <= 0:
            answer.close()
            raise Killed
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests.Session, "request", request)
        yield

"""Two organisations whose content owners rely on the stage's one service account: neither reaches the other.

The account may act for both at YouTube, so nothing there stops a request that names the wrong owner.
"""

import copy
import gzip
import itertools
import json
import os
import uuid
from pathlib import Path

import pytest

from local.platforms.library import Library, Uploaded
from showrunner.access import sessions
from showrunner.aws import s3
from showrunner.database import db
from showrunner.store.accounts import members
from showrunner.store.rights import content_owners
from tests.conftest import Client, add_user, service_client
from tests.rights import partner as partners
from tests.rights.change_work import CHANGES, execute
from tests.rights.conftest import add_owner
from tests.rights.test_streams import CLAIMS, fetched  # noqa: F401 - a fixture
from tests.rights.test_tenancy import everything, operations

VIDEO, CHANNEL, CLAIM, POLICY = "theirvideo1", "UC" + "t" * 22, "clTHEIRS", "STHEIRS"
# So many operations are below /cms today; a document without them would pass unseen.
OPERATIONS = 30


class Theirs:
    """Hold what another organisation has, here and at YouTube, through the same service account."""

    def __init__(self, own, tx, key):
        self.tx, self.rights = tx, own.world.rights
        self.partner = partners.Partner(self.rights, "", uuid.uuid4().hex[:22])
        self.youtube_id = self.partner.youtube_id
        self.rights.owners[self.youtube_id] = "Another label"
        self.rights.policies[self.youtube_id] = {POLICY: {"name": "Theirs", "rules": [{"action": "block"}]}}
        self.rights.members[key.email].append(self.youtube_id)
        self.owner = add_owner(tx)
        content_owners.save(
            tx,
            self.owner["organisation_id"],
            self.owner["name"],
            [],
            self.youtube_id,
            uses_service_account=True,
        )
        self.asset_id = self.partner.add_asset(int(uuid.uuid4().int % 10**9), title="Song of theirs")
        self.partner.add_video(VIDEO)
        # Of a channel that is linked to their content owner.
        self.rights.channels[CHANNEL] = self.youtube_id
        self.library = own.world.library = Library()
        snippet = {"title": "Hidden title", "description": "Hidden.", "categoryId": "10"}
        self.library.videos[VIDEO] = Uploaded(
            VIDEO,
            CHANNEL,
            {"snippet": snippet, "status": {"privacyStatus": "private"}},
            0,
            "",
            Path("/dev/null"),
            0.0,
            looks=1,
        )
        self.rights.claims[CLAIM] = {
            "owner": self.youtube_id,
            "id": CLAIM,
            "videoId": VIDEO,
            "assetId": self.asset_id,
            "contentType": "audiovisual",
            "status": "active",
            "policy": {"id": POLICY, "rules": [{"action": "block"}]},
            "isPartnerUploaded": True,
            "timeCreated": "2026-10-01T00:00:00.000Z",
            "timeStatusLastModified": "2026-10-01T00:00:00.000Z",
        }
        self.report(self.owner["organisation_id"], self.owner["id"])

    def report(self, organisation_id, owner_id):
        """Put their video, asset and claim into the reports of an owner."""
        values = {"organisation": str(organisation_id), "owner": owner_id, "asset": self.asset_id}
        columns = "organisation_id, owner_id, digest, first_day, changed_day"
        rows = ":organisation, :owner, gen_random_uuid(), now(), now()"
        db.run(
            self.tx,
            f"INSERT INTO rights.videos ({columns}, video_id, claim_id, asset_id, channel_id, video_title)"
            f" VALUES ({rows}, :video, :claim, :asset, :channel, 'Title of theirs')",
            video=VIDEO,
            claim=CLAIM,
            channel=CHANNEL,
            **values,
        )
        db.run(
            self.tx,
            f"INSERT INTO rights.assets ({columns}, asset_id, asset_title) VALUES ({rows}, :asset,"
            " 'Song of theirs')",
            **values,
        )
        db.run(
            self.tx,
            f"INSERT INTO rights.claims ({columns}, claim_id, video_id, asset_id, channel_id, claim_type,"
            f" claim_status) VALUES ({rows}, :claim, :video, :asset, :channel, 'AUDIOVISUAL', 'ACTIVE')",
            video=VIDEO,
            claim=CLAIM,
            channel=CHANNEL,
            **values,
        )

    def at_youtube(self):
        """Return what their content owner has at YouTube."""
        video = self.library.videos[VIDEO].resource
        mine = [self.rights.videos[VIDEO], video, self.rights.assets[self.asset_id]]
        return copy.deepcopy([mine, self.rights.policies[self.youtube_id], self.partner.claims()])

    def words(self):
        """Return what no answer to somebody else may have."""
        titles = ["Song of theirs", "Title of theirs", "Hidden", "Another label", POLICY]
        return [self.owner["name"], self.youtube_id, VIDEO, CHANNEL, CLAIM, self.asset_id, *titles]

    def rows(self):
        """Return kind and rows of change sets about what is theirs."""
        policy = {"policy_id": POLICY}
        return {
            "metadata": {"video_id": VIDEO, "title": "x"},
            "claim": {"video_id": VIDEO, "asset_id": self.asset_id, "is_manual": True, "action": "track"},
            "release": {"claim_id": CLAIM},
            "claim_policy": {"claim_id": CLAIM, **policy},
            "match_policy": {"asset_id": self.asset_id, **policy},
            "asset_metadata": {"asset_id": self.asset_id, "title": "x"},
        }

    def bodies(self, own):
        """Yield operation and body for each route that takes one, each naming something of theirs."""
        video = "/api/v1/cms/videos/{video}"
        yield f"patch {video}", {"title": "x"}
        for asset_id in (self.asset_id, own.asset_id):
            yield f"post {video}/claims", {"asset_id": asset_id, "action": "track", "is_manual": True}
        yield f"put {video}/policy", {"policy_id": POLICY}
        upload = {"filename": "a.csv", "bytes": 1, "sha256": "0" * 64}
        for name in (self.owner["name"], self.owner["name"].lower(), self.youtube_id):
            yield "post /api/v1/cms/reports", {**upload, "content_owner": name}
        search = {"name": uuid.uuid4().hex, "list": "videos", "filters": {"channel_id": CHANNEL}}
        yield "post /api/v1/cms/searches", search
        for kind, row in self.rows().items():
            yield f"post {CHANGES}", {"kind": kind, "rows": [row]}
            cells = ",".join(row), ",".join(str(each) for each in row.values())
            more = {**row, "content_owner": self.youtube_id}
            yield f"post {CHANGES}", {"kind": kind, "csv": "\n".join(cells)}
            yield f"post {CHANGES}", {"kind": kind, "rows": [more]}


@pytest.fixture
def theirs(own, tx, monkeypatch):
    monkeypatch.setenv("YOUTUBE_BASE_URL", os.environ["GOOGLE_URL"])
    return Theirs(own, tx, partners.use_service_account(own.world, tx, own.partner, own.owner_id))


def queries(theirs):
    """Return the queries that each reading route is tried with."""
    name = theirs.owner["name"]
    named = [f"?content_owner={name}", f"?content_owner={theirs.youtube_id}"]
    return {
        "/api/v1/cms/assets/search": ["?q=theirs", *(f"{each}&q=theirs" for each in named)],
        "/api/v1/cms/assets/{asset}/ownership": ["", *named],
        "/api/v1/cms/policies": ["", *named],
        "/api/v1/cms/money": ["?month=2026-10", f"?month=2026-10&content_owner={name}"],
        "/api/v1/cms/money/csv": ["?month=2026-10", f"?month=2026-10&content_owner={name}"],
        "/api/v1/cms/reports": ["", f"?content_owner={name}"],
        "/api/v1/cms/videos": ["", "?q=theirs", f"?channel_id={CHANNEL}"],
        "/api/v1/cms/assets": ["", "?q=theirs"],
        "/api/v1/cms/claims": ["", f"?video_id={VIDEO}"],
        "/api/v1/cms/syncs": ["", f"?video_id={VIDEO}"],
    }


def test_no_route_reaches_what_the_account_may_do_for_another_organisation(
    own, tx, theirs, service, signing_key
):
    other = service(theirs.owner["organisation_id"], "cms:all")
    answer = other("POST", CHANGES, {"kind": "release", "rows": [{"claim_id": CLAIM}]})
    assert answer.body["change_set"]["rows"]["pending"] == 1
    ids = {
        "{video}": VIDEO,
        "{channel}": CHANNEL,
        "{asset}": theirs.asset_id,
        "{change_set_id}": answer.body["change_set"]["id"],
        "{report_id}": str(uuid.uuid4()),
        "{search_id}": str(uuid.uuid4()),
    }
    before, at_youtube = everything(tx, theirs.owner), theirs.at_youtube()
    known = queries(theirs)
    bodies = list(theirs.bodies(own))
    called = set()
    # Each caller may send 60 requests a minute.
    callers = [
        service_client(signing_key, own.organisation_id, "cms:all", name=f"caller-{number}")
        for number in range(4)
    ]
    clients = itertools.cycle(callers)
    for method, route in operations():
        tried = [each for operation, each in bodies if operation == f"{method} {route}"] or [None]
        path = route
        for placeholder, value in ids.items():
            path = path.replace(placeholder, value)
        for query in known.get(route, [""]) if method == "get" else [""]:
            for body in tried:
                called.add((method, route))
                answer = next(clients)(method.upper(), path + query, body)
                assert answer.status < 429, (method, path, query, answer.body)
                sent, text = json.dumps([path, query, body]), json.dumps(answer.body)
                shown = [each for each in theirs.words() if each in text and each not in sent]
                assert shown == [], (method, path + query, body, answer.body)
                if "content_owner=" in query and not query.startswith("?month"):
                    assert answer.status == 400 or "/reports" in path, (path + query, answer.body)
    assert len(called) >= OPERATIONS
    assert run_all(next(clients), own) >= 10
    assert theirs.at_youtube() == at_youtube
    assert everything(tx, theirs.owner) == before


def run_all(client, own):
    """Run every change set of the organisation that has rows to send. Returns how many there are."""
    found = client("GET", f"{CHANGES}?limit=100").body["changes"]
    for each in found:
        if each["rows"]["pending"]:
            client("POST", f"{CHANGES}/{each['id']}/run")
            execute(own, each["id"])
    return len(found)


def test_reports_that_name_what_is_of_others_open_nothing_of_theirs(own, tx, theirs):
    """Anybody may drop a file into the folder of their own owner, with whatever ids in it."""
    theirs.report(own.organisation_id, own.owner_id)
    at_youtube = theirs.at_youtube()
    for kind, row in theirs.rows().items():
        (shown,) = own.carry_out(own.propose(kind, [row]))
        assert shown["status"] == "failed", (kind, shown)
        # Before it is sent, it shows what the file said.
        assert not any(each in json.dumps(shown["before"]) for each in (POLICY, "Hidden")), (kind, shown)
    answer = own.client("GET", f"/api/v1/cms/assets/{theirs.asset_id}/ownership")
    assert (answer.status, "shares" in answer.body) == (502, False)
    assert theirs.at_youtube() == at_youtube


def test_rows_of_an_owner_that_has_changed_since_are_not_sent(own, tx, theirs):
    """A platform admin had given an organisation the id of another's content owner, and has mended it."""
    mine = own.partner.youtube_id
    for each, id_ in ((theirs.owner["id"], None), (own.owner_id, theirs.youtube_id)):
        set_youtube_id(tx, each, id_)
    theirs.report(own.organisation_id, own.owner_id)
    change_sets = [own.propose(kind, [row]) for kind, row in theirs.rows().items()]
    assert {own.rows(each)[0]["status"] for each in change_sets} == {"pending"}
    for each, id_ in ((own.owner_id, mine), (theirs.owner["id"], theirs.youtube_id)):
        set_youtube_id(tx, each, id_)
    at_youtube = theirs.at_youtube()
    for each in change_sets:
        own.client("POST", f"{CHANGES}/{each}/run")
        execute(own, each)
        (row,) = own.rows(each)
        assert row["status"] == "failed", row
        assert "propose it again" in row["message"]
    assert theirs.at_youtube() == at_youtube


def set_youtube_id(tx, owner_id, youtube_id):
    db.run(
        tx,
        "UPDATE rights.content_owners SET youtube_id = :youtube WHERE id = :id",
        youtube=youtube_id,
        id=owner_id,
    )


def test_changes_that_run_are_stopped_when_the_owner_is_corrected(own, tx, theirs):
    mine = own.partner.youtube_id
    set_youtube_id(tx, theirs.owner["id"], None)
    set_youtube_id(tx, own.owner_id, theirs.youtube_id)
    theirs.report(own.organisation_id, own.owner_id)
    change_set_id = own.propose("release", [{"claim_id": CLAIM}])
    own.run(change_set_id)
    other_set_id = own.propose("metadata", [{"video_id": VIDEO, "title": "x"}])
    name = db.value(tx, "SELECT name FROM rights.content_owners WHERE id = :id", id=own.owner_id)
    admin = platform_admin(tx, own.organisation_id)
    path = f"/api/v1/admin/organisations/{own.organisation_id}/content-owner"
    answer = admin("POST", path, {"content_owner": True, "name": name, "youtube_id": mine})
    assert answer.status == 200, answer.body

    execute(own, change_set_id)
    found = own.set(change_set_id)
    assert (found["status"], found["rows"]["pending"], own.set(other_set_id)["status"]) == (
        *("stopped", 1),
        "ready",
    )
    assert theirs.partner.claims()[0]["status"] == "active"


def platform_admin(tx, organisation_id):
    """Return a client of a platform admin."""
    user_id = add_user(tx)
    members.add(tx, organisation_id, user_id, "user")
    db.run(
        tx,
        "UPDATE accounts.users SET platform_admin = true, verified_at = now() WHERE id = :id",
        id=user_id,
    )
    return Client(sessions.begin(tx, members.get(tx, user_id))["access_token"])


def test_reports_are_fetched_into_the_folder_of_the_owner_that_they_are_of(fetched, tx):  # noqa: F811
    key = partners.use_service_account(fetched.world, tx, fetched.partner, fetched.owner["id"])
    other, other_id = add_owner(tx), uuid.uuid4().hex[:22]
    fetched.world.rights.members[key.email].append(other_id)
    content_owners.save(tx, other["organisation_id"], other["name"], [], other_id, uses_service_account=True)
    for job, account in (("j1", fetched.partner.youtube_id), ("j2", other_id)):
        fetched.add_job(job, CLAIMS, account=account)
        fetched.add_report(job, f"{job}-r", 3, content=f"claim_id\n{account}\n")
    shown = fetched.night()[CLAIMS]
    assert (shown["job_id"], shown["content_owner"]) == ("j1", fetched.owner["name"])
    for owner, account in ((fetched.owner, fetched.partner.youtube_id), (other, other_id)):
        (found,) = s3.list_keys(f"drops/{owner['name']}/")
        assert account.encode() in gzip.decompress(s3.get_bytes(found))

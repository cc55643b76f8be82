"""Reports that YouTube makes by itself: fetched into the drops, each once, and watched."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from moto.ses.models import ses_backends

from functions.publish import app as publish
from functions.upload import app as upload
from local.platforms.google import Grant
from local.platforms.rights import Jobs
from showrunner.accounts import connections
from showrunner.aws import s3, sdk
from showrunner.database import db
from showrunner.platforms import google
from showrunner.reports import names, streams
from showrunner.reports.streams import Span
from showrunner.rights import stream_fetching
from showrunner.store.accounts import members
from tests.conftest import add_user, service_client
from tests.rights import partner as partners
from tests.rights.conftest import deliver, table

CLAIMS = "content_owner_active_claims_a3"
NOW = datetime.now(UTC).replace(microsecond=0)
CONTENT = "claim_id,video_id,asset_id,claim_status\nc1,dQw4w9WgXcQ,A123456789012345,ACTIVE\n"


class Fetched:
    """A content owner whose account is connected, and what happens in a night."""

    def __init__(self, world, tx, owner, partner, client):
        self.world, self.tx, self.owner, self.partner, self.client = world, tx, owner, partner, client
        self.runs = 0

    def add_job(self, id_, report_type, **more):
        self.world.reporting.jobs[id_] = {
            "account": self.partner.youtube_id,
            "reportTypeId": report_type,
            "name": report_type,
            "systemManaged": True,
            **more,
        }

    def add_report(self, job_id, id_, days_ago, content=CONTENT, made=0):
        """Put a daily report of a past day there, which was made so many seconds later than usual."""
        start = (NOW - timedelta(days=days_ago)).replace(hour=8, minute=0, second=0)
        self.world.reporting.reports[id_] = {
            "jobId": job_id,
            "startTime": start.isoformat().replace("+00:00", "Z"),
            "endTime": (start + timedelta(days=1)).isoformat().replace("+00:00", "Z"),
            "createTime": (start + timedelta(days=2, seconds=made)).isoformat().replace("+00:00", "Z"),
            # Files that are equal to the last byte count as the same one.
            "content": content + f"c{days_ago}-{made},dQw4w9WgXcQ,A123456789012345,ACTIVE\n",
        }

    def night(self):
        """Do what the machine does. Returns the streams of the owner's organisation by type."""
        self.runs += 1
        run = {"stream_run": f"run-{self.owner['name']}-{self.runs}", "request_id": "r"}
        planned = publish.handler({**run, "step": "plan"}, None)
        assert publish.handler({**run, "step": "plan"}, None) == planned
        for task in s3.get_json(planned["key"]):
            while upload.handler(task, None)["state"] == "later":
                pass
            publish.handler({**task, "step": "record"}, None)
        found = self.client("GET", "/api/v1/cms/streams").body["streams"]
        return {each["report_type"]: each for each in found}

    def keys(self):
        return sorted(s3.list_keys(f"drops/{self.owner['name']}/api/"))


@pytest.fixture
def fetched(platforms, tx, owner, signing_key, monkeypatch):
    google._documents.clear()
    monkeypatch.setenv("REPORTING_URL", os.environ["GOOGLE_URL"])
    dead = sdk.client("sqs").create_queue(QueueName="reports-dead")["QueueUrl"]
    monkeypatch.setenv("REPORTS_DEAD_URL", dead)
    platforms.reporting = Jobs()
    platforms.reporting.types = {CLAIMS: {"name": "Claims", "systemManaged": True}}
    partner = partners.add(platforms)
    organisation_id = str(owner["organisation_id"])
    db.run(
        tx,
        "UPDATE rights.content_owners SET youtube_id = :y WHERE id = :id",
        y=partner.youtube_id,
        id=owner["id"],
    )
    subject = f"{partner.account}/"
    connection_id = connections.id_of(organisation_id, "youtube", subject)
    db.run(
        tx,
        "INSERT INTO accounts.connections (id, organisation_id, provider, subject, scopes)"
        " VALUES (:id, :organisation, 'youtube', :subject, :scopes::text[])",
        id=connection_id,
        organisation=organisation_id,
        subject=subject,
        scopes=[*google.YOUTUBE, *google.OWNER],
    )
    token = f"1//{partner.account}"
    platforms.sign_ins.refresh_tokens[token] = Grant(partner.account, [*google.YOUTUBE, *google.OWNER])
    connections.save(connection_id, organisation_id, token)
    yield Fetched(platforms, tx, owner, partner, service_client(signing_key, organisation_id, "cms:all"))
    platforms.library.faults.clear()


def test_each_report_is_dropped_once_and_loaded_by_its_key(fetched):
    fetched.add_job("j1", CLAIMS)
    for number in (5, 4, 3):
        fetched.add_report("j1", f"r{number}", number)
    stream = fetched.night()[CLAIMS]
    assert (stream["state"], stream["kind"], stream["reports"], stream["fetched"]) == ("ok", "claims", 3, 3)
    keys = fetched.keys()
    assert len(keys) == 3
    fetched.world.library.log.clear()
    fetched.night()
    assert "media.download" not in fetched.world.library.log
    assert fetched.keys() == keys

    # What YouTube makes anew has another key, and replaces the one before when it is loaded.
    fetched.add_report("j1", "r3-again", 3, CONTENT.replace("ACTIVE", "INACTIVE"), made=3600)
    fetched.night()
    assert len(fetched.keys()) == 4
    for number, key in enumerate(fetched.keys()):
        (report,) = deliver(key, 1_000, f"{number:018X}")
        assert (report.status, report.kind) == ("loaded", "claims"), report.reason
    day = (NOW - timedelta(days=3)).date()
    assert report.period_end == day
    found = table(fetched.tx, "claims", fetched.owner, "claim_id, claim_status", "claim_id")
    assert [tuple(each.values()) for each in found] == [("c1", "INACTIVE"), ("c3-3600", "ACTIVE")]


def test_a_service_account_fetches_the_reports_of_an_owner_that_has_invited_it(fetched):
    partners.use_service_account(fetched.world, fetched.tx, fetched.partner, fetched.owner["id"])
    fetched.add_job("j1", CLAIMS, monetary=True)
    fetched.add_report("j1", "r3", 3)
    stream = fetched.night()[CLAIMS]
    assert (stream["state"], stream["fetched"]) == ("ok", 1)
    fetched.world.rights.members.clear()
    stream = fetched.night()[CLAIMS]
    assert (stream["state"], "docs/content-owners.md" in stream["reason"]) == ("failed", True)


def test_what_goes_wrong_with_a_stream_stops_no_other(fetched):
    fetched.add_job("j1", CLAIMS)
    fetched.add_job("j2", "content_owner_asset_a3")
    fetched.add_job("j3", "content_owner_holograms_a1")
    for number in (4, 3):
        fetched.add_report("j1", f"c{number}", number)
        fetched.add_report("j2", f"a{number}", number)
        fetched.add_report("j3", f"h{number}", number)
    fetched.world.library.add_faults(
        [{"on": "media.download", "kind": "status", "status": 403, "reason": "forbidden"}]
    )
    found = fetched.night()
    assert (found[CLAIMS]["state"], found[CLAIMS]["fetched"]) == ("failed", 0)
    assert "403" in found[CLAIMS]["reason"]
    assert (found["content_owner_asset_a3"]["state"], found["content_owner_asset_a3"]["fetched"]) == ("ok", 2)
    assert (found["content_owner_holograms_a1"]["state"], found["content_owner_holograms_a1"]["kind"]) == (
        "unknown",
        None,
    )
    assert fetched.night()[CLAIMS]["state"] == "ok"
    assert len(fetched.keys()) == 4
    del fetched.world.reporting.jobs["j2"]
    assert fetched.night()["content_owner_asset_a3"]["state"] == "ended"


def test_a_stream_whose_reports_are_described_anew_stops_no_other(fetched):
    fetched.add_job("j1", CLAIMS)
    fetched.add_job("j2", "content_owner_asset_a3")
    fetched.add_report("j1", "c3", 3)
    fetched.add_report("j2", "a3", 3)
    fetched.world.reporting.reports["c3"]["startTime"] = "3 days ago"
    found = fetched.night()
    assert (found[CLAIMS]["state"], "new form" in found[CLAIMS]["reason"]) == ("failed", True)
    assert (found["content_owner_asset_a3"]["state"], found["content_owner_asset_a3"]["fetched"]) == ("ok", 1)


@pytest.mark.parametrize("kind", ["close", "lost", "status"])
def test_a_call_that_fails_leaves_the_rest_for_the_next_night(fetched, kind):
    fetched.add_job("j1", CLAIMS)
    fetched.add_report("j1", "r3", 3)
    fetched.world.library.add_faults([{"on": "jobs.list", "kind": kind}])
    fetched.night()
    assert fetched.keys() == []
    assert fetched.night()[CLAIMS]["fetched"] == 1


def test_an_account_that_was_disconnected_is_said_so(fetched):
    fetched.add_job("j1", CLAIMS)
    fetched.add_report("j1", "r3", 3)
    assert fetched.night()[CLAIMS]["state"] == "ok"
    fetched.world.rights.members.clear()
    found = fetched.night()[CLAIMS]
    assert (found["state"], "403" in found["reason"]) == ("failed", True)


def test_with_a_service_account_the_organisations_owner_hears_of_a_type_that_ends(fetched):
    partners.use_service_account(fetched.world, fetched.tx, fetched.partner, fetched.owner["id"])
    user_id = add_user(fetched.tx)
    members.add(fetched.tx, str(fetched.owner["organisation_id"]), user_id, "user", owner=True)
    person = members.find_owner(fetched.tx, str(fetched.owner["organisation_id"]))
    fetched.add_job("j1", CLAIMS)
    ends = (NOW + timedelta(days=89)).isoformat().replace("+00:00", "Z")
    fetched.world.reporting.types[CLAIMS]["deprecateTime"] = ends
    fetched.night()
    fetched.night()
    assert len(told(person)) == 1


def told(person):
    """Return the bodies of the emails about reports that a person got."""
    sent = ses_backends["123456789012"]["us-east-1"].sent_messages
    return [each.body for each in sent if person in str(each.destinations) and "reports" in each.subject]


def test_a_type_that_ends_is_announced_once(fetched):
    fetched.add_job("j1", CLAIMS)
    fetched.add_report("j1", "r3", 3)
    ends = NOW + timedelta(days=100)
    fetched.world.reporting.types[CLAIMS]["deprecateTime"] = ends.isoformat().replace("+00:00", "Z")
    user_id = add_user(fetched.tx)
    person = db.value(
        fetched.tx,
        "UPDATE accounts.connections c SET connected_by = u.id FROM accounts.users u"
        " WHERE u.id = :user AND c.organisation_id = :organisation RETURNING u.email",
        user=user_id,
        organisation=str(fetched.owner["organisation_id"]),
    )
    assert fetched.night()[CLAIMS]["deprecated_at"].startswith(ends.date().isoformat())
    assert told(person) == []
    ends = NOW + timedelta(days=89)
    fetched.world.reporting.types[CLAIMS]["deprecateTime"] = ends.isoformat().replace("+00:00", "Z")
    fetched.night()
    fetched.night()
    (body,) = told(person)
    assert f"{CLAIMS} on {ends.date()}" in body


def test_the_time_of_the_function_is_not_exceeded(fetched, monkeypatch):
    monkeypatch.setattr(stream_fetching, "WORK_SECONDS", 0.0)
    fetched.add_job("j1", CLAIMS)
    fetched.add_report("j1", "r3", 3)
    run = {"stream_run": f"late-{fetched.owner['name']}", "request_id": "r"}
    (task,) = s3.get_json(publish.handler({**run, "step": "plan"}, None)["key"])
    assert upload.handler(task, None) == {"state": "later", "wait_seconds": 1}


@pytest.mark.parametrize(
    ("sample", "own"),
    [
        ("publish.plan_streams", {"step"}),
        ("publish.record_streams", {"step", "key"}),
        ("upload.streams", {"key"}),
    ],
)
def test_the_samples_have_what_the_machine_sends(event, sample, own):
    assert event(sample).keys() == {"stream_run", "request_id"} | own


def span(days_ago, days=1, *, fetched=True, made=2):
    start = NOW - timedelta(days=days_ago)
    return Span(start, start + timedelta(days=days), start + timedelta(days=days + made), fetched)


@pytest.mark.parametrize(
    ("spans", "expires_in", "state"),
    [
        ([], None, "new"),
        ([span(4), span(3)], None, "ok"),
        ([span(21), span(3)], None, "ok"),  # YouTube skips up to 20 days
        ([span(40), span(3)], None, "gap"),
        ([span(30)], None, "late"),
        ([span(21, 7), span(14, 7)], None, "ok"),
        ([span(70, 31), span(39, 31)], None, "ok"),
        ([span(130, 31), span(39, 31)], None, "gap"),
        ([span(100, 31)], None, "late"),
        ([span(55, fetched=False), span(3)], None, "expiring"),
        ([span(3)], 10, "expiring"),
        ([span(3)], -1, "ended"),
    ],
)
def test_lateness_gaps_and_expiry_are_told_apart(spans, expires_in, state):
    expires_at = None if expires_in is None else NOW + timedelta(days=expires_in)
    health = streams.assess(spans, expires_at, NOW)
    assert health.state == state
    assert (health.reason is None) == (state == "ok")


def test_every_version_of_a_type_is_the_same_kind():
    assert names.kind_of_type("content_owner_active_claims_a4").name == "claims"
    assert names.kind_of_type("content_owner_holograms_a1") is None

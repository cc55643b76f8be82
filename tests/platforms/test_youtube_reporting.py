"""The Reporting API: lists, jobs and files, and each failure by its class."""

import gzip
import os
import random
from datetime import UTC, datetime

import pytest

from local.platforms import reporting as stand_in
from local.platforms.rights import Jobs
from showrunner.errors import CredentialRejected, PlatformRejected, PlatformUnavailable
from showrunner.platforms import google, youtube_reporting
from showrunner.platforms.youtube_reporting import Reporting
from tests.rights import partner as partners

CLAIMS = "content_owner_active_claims_a3"
SCOPES = [*google.YOUTUBE, google.PARTNER, google.REVENUE]


@pytest.fixture
def partner(platforms):
    made = partners.add(platforms)
    platforms.reporting = Jobs()
    platforms.reporting.types = {
        CLAIMS: {"name": "Claims", "systemManaged": True, "deprecateTime": "2027-01-15T00:00:00Z"},
        "channel_basic_a3": {"name": "User activity"},
        "channel_reach_basic_a1": {"name": "Reach"},
    }
    add_job(platforms, made.youtube_id, "j1", CLAIMS, systemManaged=True)
    return made


def add_job(world, account, id_, report_type, **more):
    world.reporting.jobs[id_] = {"account": account, "reportTypeId": report_type, "name": report_type, **more}


def add_report(world, job_id, id_, day, content="a,b\n1,2\n", created=None):
    world.reporting.reports[id_] = {
        "jobId": job_id,
        "startTime": f"{day}T07:00:00Z",
        "endTime": f"{day}T07:00:00Z".replace(day[-2:], f"{int(day[-2:]) + 1:02}", 1),
        "createTime": created or f"{day}T20:00:00Z",
        "content": content,
    }


@pytest.fixture
def api(platforms, partner):
    token = partners.token(platforms, partner, SCOPES)
    return Reporting(os.environ["GOOGLE_URL"], token, partner.youtube_id)


def test_types_jobs_and_reports_are_listed(platforms, api):
    for number in range(1, 29):
        add_report(platforms, "j1", f"r{number}", f"2026-10-{number:02}")
    assert api.list_types()[CLAIMS].deprecated_at == datetime(2027, 1, 15, tzinfo=UTC)
    (job,) = api.list_jobs()
    assert (job.id, job.report_type, job.expires_at) == ("j1", CLAIMS, None)
    assert [each.id for each in api.list_reports("j1")] == [f"r{number}" for number in range(1, 29)]
    late = api.list_reports("j1", datetime(2026, 10, 20, 20, tzinfo=UTC))
    assert [each.id for each in late] == [f"r{number}" for number in range(21, 29)]


def test_pages_are_read_to_the_end(platforms, api, monkeypatch):
    monkeypatch.setattr(stand_in, "PAGE", 5)
    for number in range(1, 13):
        add_report(platforms, "j1", f"r{number}", f"2026-10-{number:02}")
    assert len(api.list_reports("j1")) == 12


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_comes_packed_and_in_parts(platforms, api, monkeypatch, ranges):
    monkeypatch.setattr(youtube_reporting, "PART_BYTES", 1_000)
    platforms.reporting.ranges = ranges
    content = "".join(random.Random(7).choices("abcdef,\n", k=20_000))
    add_report(platforms, "j1", "r1", "2026-10-01", content)
    (report,) = api.list_reports("j1")
    assert gzip.decompress(api.download(report)).decode() == content
    parts = [each for each in platforms.library.log if each == "media.download"]
    assert (len(parts) > 5) is ranges or not ranges


@pytest.mark.parametrize("kind", ["close", "status"])
def test_a_break_costs_one_part(platforms, api, monkeypatch, kind):
    monkeypatch.setattr(youtube_reporting, "PART_BYTES", 1_000)
    content = "".join(random.Random(7).choices("abcdef,\n", k=20_000))
    add_report(platforms, "j1", "r1", "2026-10-01", content)
    (report,) = api.list_reports("j1")
    platforms.library.log.clear()
    whole = api.download(report)
    calls = platforms.library.log.count("media.download")
    platforms.library.add_faults([{"on": "media.download", "kind": kind, "times": 2}])
    assert api.download(report) == whole
    assert platforms.library.log.count("media.download") == 2 * calls + 2
    platforms.library.add_faults([{"on": "media.download", "kind": kind, "times": 3}])
    with pytest.raises(PlatformUnavailable):
        api.download(report)


def test_a_channel_s_own_jobs_are_created_and_read(platforms, partner):
    own = Reporting(os.environ["GOOGLE_URL"], partners.token(platforms, partner, list(google.YOUTUBE)))
    assert own.list_jobs() == []
    job = own.create_job("channel_reach_basic_a1", "reach")
    assert own.list_jobs() == [job]
    add_report(platforms, job.id, "r1", "2026-10-01", created=datetime.now(UTC).isoformat())
    (report,) = own.list_reports(job.id)
    assert gzip.decompress(own.download(report)) == b"a,b\n1,2\n"
    for refused in ("channel_reach_basic_a1", CLAIMS, "nothing"):
        with pytest.raises(PlatformRejected):
            own.create_job(refused, "again")


def test_who_may_not_read_is_told_so(platforms, partner, api):
    base = os.environ["GOOGLE_URL"]
    with pytest.raises(CredentialRejected):
        Reporting(base, "ya29.old", partner.youtube_id).list_jobs()
    with pytest.raises(PlatformRejected, match="403"):
        Reporting(base, partners.token(platforms, partner, SCOPES), "x" * 22).list_jobs()
    with pytest.raises(PlatformRejected, match="403"):
        Reporting(base, partners.token(platforms, partner, [google.PARTNER]), partner.youtube_id).list_jobs()
    add_job(platforms, partner.youtube_id, "money", "content_owner_ad_revenue_raw_a1", monetary=True)
    narrow = Reporting(base, partners.token(platforms, partner, list(google.YOUTUBE)), partner.youtube_id)
    with pytest.raises(PlatformRejected, match="403"):
        narrow.list_reports("money")
    add_report(platforms, "j1", "r1", "2026-10-01")
    (report,) = api.list_reports("j1")
    with pytest.raises(PlatformRejected, match="another host"):
        api.download(report._replace(url="https://evil.example.com/v1/media/x?alt=media"))

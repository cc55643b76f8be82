"""Daily reports of connected channels: their jobs, each report once, and what a reissued one replaces."""

import gzip
import time
from datetime import UTC, date, datetime, timedelta
from unittest.mock import Mock

import pytest

from functions.load import app as load
from functions.social import app as social
from local.platforms import channel_reports as stand_in
from local.platforms import clock
from showrunner import rates
from showrunner.aws import dynamodb, s3
from showrunner.aws import email as ses
from showrunner.database import db
from showrunner.metrics import item_collection, report_fetching
from showrunner.platforms import youtube_channel_reports as reader
from showrunner.platforms.youtube_channel_reports import Unreadable
from showrunner.platforms.youtube_reporting import ReportType
from showrunner.store.metrics import items
from showrunner.store.metrics import reports as reports_store
from tests.accounts.calls import emails_to
from tests.metrics.conftest import CHANNEL, OTHER, connect, run
from tests.metrics.test_analytics import planned

REACH = "date,channel_id,video_id,video_thumbnail_impressions,video_thumbnail_impressions_ctr\n"


@pytest.fixture
def channel(person, google, artist, monkeypatch):
    """Connect the artist's channel. Its reports begin three days before their jobs."""
    monkeypatch.setattr(stand_in, "BEFORE", timedelta(days=3))
    # A run that waits for its rate goes on with MOST_REPORTS more files. Here none waits, however fast the
    # machine is; one test pauses it.
    monkeypatch.setattr(rates, "YOUTUBE_REPORTING", rates.Rate(60_000, 60))
    assert connect(person, artist).status == 200
    run("accounts")
    yield google
    clock.days = 0.0


def collect(name):
    """Do what the machine does about the channel's reports. Returns the batch and what was loaded."""
    [batch] = planned(name, "reports")
    while (fetched := social.handler(batch, None))["state"] == "later":
        time.sleep(fetched["wait_seconds"])
    assert fetched["state"] == "fetched", fetched
    return batch, load.handler({"key": fetched["key"]}, None)["reports"]


def age(tx, **length):
    """Let the last look have been so long ago."""
    sql = "UPDATE metrics.readings SET checked_at = checked_at - :by::interval, planned_at = planned_at - :by"
    db.run(tx, f"{sql}::interval", by=timedelta(**length))


def begin(tx, days=3):
    """Create the jobs, and let the first reports come."""
    assert collect("first")[1] == 0
    clock.days = days
    age(tx, days=1)


def shown(person, artist, days=60):
    [platform] = person("GET", f"/api/v1/artists/{artist}/metrics?days={days}").body["platforms"]
    return {each["metric"]: each for each in platform["daily"]}, {
        each["subject"]: each for each in platform["reports"]
    }


def reports_of(world, report_type):
    [job_id] = [id_ for id_, job in world.reporting.jobs.items() if job["reportTypeId"] == report_type]
    return {id_: each for id_, each in world.reporting.reports.items() if each["jobId"] == job_id}


def stated(tx, metric="impressions"):
    found = db.rows(tx, "SELECT day, value FROM metrics.days WHERE metric = :metric", metric=metric)
    return {row["day"]: float(row["value"]) for row in found}


def test_jobs_are_created_once_and_their_reports_become_figures_of_days(
    person, tx, channel, artist, monkeypatch
):
    monkeypatch.setattr(report_fetching, "MOST_REPORTS", 5)
    begin(tx)
    assert sorted(each["reportTypeId"] for each in channel.reporting.jobs.values()) == [
        "channel_basic_a3",
        "channel_reach_basic_a1",
    ]

    batch, added = collect("second")

    assert batch["after"] == {}
    made = reports_of(channel, "channel_reach_basic_a1")
    assert added == report_fetching.MOST_REPORTS < 2 * len(made)
    # The rest is due at once.
    age(tx, hours=1)
    assert collect("third")[1] == 2 * len(made) - added
    assert len(channel.reporting.jobs) == 2
    daily, reports = shown(person, artist)
    assert {"impressions", "click_through", "engaged_views", "premium_views"} <= set(daily)
    assert daily["impressions"]["known_days"] == len(made)
    assert daily["impressions"]["age_seconds"] >= 0
    assert (daily["impressions"]["definition"], daily["click_through"]["total"]) == (1, None)
    newest = max(made.values(), key=lambda each: each["startTime"])
    day = newest["startTime"][:10]
    row = newest["content"].splitlines()[1].split(",")
    values = {each["day"]: each["value"] for each in daily["impressions"]["history"]}
    assert (
        values[day]
        == int(row[3])
        == daily["impressions"]["total"]
        - sum(each for name, each in values.items() if each is not None and name != day)
    )
    rates = {each["day"]: each["value"] for each in daily["click_through"]["history"]}
    assert rates[day] == pytest.approx(float(row[4]))
    assert (reports["reach"]["state"], reports["activity"]["state"]) == ("ok", "ok")
    assert reports["reach"]["newest_end"][:10] == newest["endTime"][:10]
    # What YouTube Analytics states has one source.
    assert "views" not in daily


def test_only_new_reports_are_fetched_and_nothing_counts_twice(tx, channel, artist):
    begin(tx)
    collect("second")
    before = stated(tx)
    channel.library.log.clear()
    age(tx, days=1)

    batch, added = collect("third")

    assert set(batch["after"]) == {"activity", "reach"}
    assert (added, stated(tx)) == (0, before)
    assert "media.download" not in channel.library.log
    clock.days += 1
    age(tx, days=1)
    assert collect("fourth")[1] == 2
    assert len(stated(tx)) == len(before) + 1
    # Any day can be loaded again.
    known = stated(tx)
    for key in s3.list_keys("archive/connected/youtube/"):
        if key.endswith(".json.gz"):
            assert load.handler({"key": key}, None)["reports"] == 0
    assert stated(tx) == known


def test_reports_of_one_moment_come_in_several_runs(tx, channel, artist, monkeypatch):
    begin(tx, days=2)
    collect("second")
    [job_id] = [id_ for id_, each in channel.reporting.jobs.items() if "reach" in each["reportTypeId"]]
    made = datetime.fromtimestamp(clock.now(), UTC).isoformat()
    for number in range(1, 6):
        start = datetime(2026, 10, number, 7, tzinfo=UTC)
        channel.reporting.reports[f"moment-{number}"] = {
            "jobId": job_id,
            "startTime": start.isoformat(),
            "endTime": (start + timedelta(days=1)).isoformat(),
            "createTime": made,
            "content": REACH + f"{start:%Y%m%d},{CHANNEL},v1,100,0.05\n",
        }
    before = len(stated(tx))
    monkeypatch.setattr(report_fetching, "MOST_REPORTS", 2)

    added = []
    for number in range(3):
        age(tx, hours=1 if number else 24)
        added.append(collect(f"part {number}")[1])

    assert added == [2, 2, 1]
    assert len(stated(tx)) == before + 5


def test_a_run_that_waits_for_its_rate_goes_on_where_it_stopped(tx, channel, artist, monkeypatch):
    begin(tx)
    channel.library.log.clear()
    waits, download = [], report_fetching._Work._download

    def pause_after(work, report):
        content = download(work, report)
        if not waits:
            rates.pause("youtube_reporting", 300)
        return content

    def wait(seconds):
        waits.append(seconds)
        dynamodb.remove("rate#youtube_reporting", "bucket")

    monkeypatch.setattr(report_fetching._Work, "_download", pause_after)
    monkeypatch.setattr(time, "sleep", wait)

    added = collect("second")[1]

    assert len(waits) == 1
    made = sum(len(reports_of(channel, job["reportTypeId"])) for job in channel.reporting.jobs.values())
    assert added == made == channel.library.log.count("media.download") > 3


def test_a_reissued_report_replaces_the_one_before(tx, channel, artist):
    begin(tx)
    collect("second")
    report = next(iter(reports_of(channel, "channel_reach_basic_a1").values()))
    day = date.fromisoformat(report["startTime"][:10])
    [first_key] = db.rows(
        tx,
        "SELECT key FROM metrics.reports WHERE subject = 'reach' AND start_at = :at",
        at=report["startTime"],
    )
    again = report | {"createTime": datetime.now(UTC) + timedelta(days=3)}
    again["createTime"] = again["createTime"].isoformat()
    again["content"] = REACH + f"{day:%Y%m%d},{CHANNEL},v1,1000,0.05\n{day:%Y%m%d},{CHANNEL},v2,3000,0.01\n"
    channel.reporting.reports["reissued"] = again
    clock.days += 0.01
    age(tx, days=1)
    count = len(stated(tx))

    assert collect("third")[1] == 1

    assert (stated(tx)[day], stated(tx, "click_through")[day], len(stated(tx))) == (4000, 0.02, count)
    [row] = db.rows(
        tx,
        "SELECT key FROM metrics.reports WHERE subject = 'reach' AND start_at = :at",
        at=report["startTime"],
    )
    assert row["key"] != first_key["key"]
    # The report before is still archived; loading it changes nothing.
    for key in s3.list_keys("archive/connected/youtube/"):
        if key.endswith(".json.gz"):
            load.handler({"key": key}, None)
    assert stated(tx)[day] == 4000
    # One that says nothing any more leaves a gap and no old figure.
    channel.reporting.reports["empty"] = again | {
        "createTime": (datetime.now(UTC) + timedelta(days=3.02)).isoformat(),
        "content": REACH,
    }
    clock.days += 0.02
    age(tx, days=1)
    assert collect("fourth")[1] == 1
    assert day not in stated(tx)


def test_reach_of_a_video_is_shown_once_and_a_reissued_report_replaces_it(person, tx, channel, artist):
    video = {"kind": "video", "item_id": "vid00000000", "account_id": CHANNEL, "details": {}}
    items.save_listed(tx, "youtube", datetime.now(UTC), [video, {**video, "item_id": "vid00000009"}])
    begin(tx)
    collect("second")

    def reach():
        found = person("GET", f"/api/v1/artists/{artist}/items?kind=video").body["items"]
        return {each["item_id"]: each["reach"] for each in found}

    made = reports_of(channel, "channel_reach_basic_a1")
    rows = [line.split(",") for each in made.values() for line in each["content"].splitlines()[1:]]
    shown_, clicks = sum(int(row[3]) for row in rows), sum(int(row[3]) * float(row[4]) for row in rows)
    newest = max(each["startTime"][:10] for each in made.values())
    assert reach() == {
        "vid00000000": {
            "impressions": shown_,
            "click_through": pytest.approx(clicks / shown_, abs=1e-5),
            "until": newest,
            "known_days": len(made),
        },
        # Nobody knows.
        "vid00000009": None,
    }
    # A day before the 28 days is not kept, and the newest one is made anew: the video was shown to nobody.
    day = date.fromisoformat(newest)
    old = day - timedelta(days=28)
    for number, (told, count) in enumerate(((old, 70), (old + timedelta(days=1), 40), (day, 0))):
        at = datetime(told.year, told.month, told.day, 8, tzinfo=UTC)
        [job_id] = {each["jobId"] for each in made.values()}
        [report] = [each for each in made.values() if each["startTime"][:10] == newest]
        channel.reporting.reports[f"new{number}"] = {
            "jobId": job_id,
            "startTime": report["startTime"] if told == day else at.isoformat(),
            "endTime": report["endTime"] if told == day else (at + timedelta(days=1)).isoformat(),
            "createTime": (datetime.now(UTC) + timedelta(days=3, minutes=number)).isoformat(),
            "content": f"{REACH}{told:%Y%m%d},{CHANNEL},vid00000000,{count},0.5\n",
        }
    clock.days += 0.1
    age(tx, days=1)
    collect("third")
    of_newest = sum(int(row[3]) for row in rows if row[0] == f"{day:%Y%m%d}")
    found = reach()["vid00000000"]
    assert (found["impressions"], found["until"]) == (shown_ - of_newest + 40, newest)
    assert found["known_days"] == len(made) + 1
    # It ends with the permission.
    assert person("DELETE", f"/api/v1/artists/{artist}/accounts/youtube").status == 204
    assert db.value(tx, "SELECT count(*) FROM metrics.video_days") == 0


def test_a_file_that_cannot_be_read_stops_no_other_and_is_shown(person, tx, channel, artist):
    begin(tx)
    planned_before = list(channel.reporting.jobs)
    assert len(planned_before) == 2
    age(tx, hours=0)
    made = {
        f"{id_}": each
        for id_ in channel.reporting.jobs
        for each in stand_in.made(channel, CHANNEL, id_, channel.reporting.jobs[id_], clock.now()).values()
        if channel.reporting.jobs[id_]["reportTypeId"] == "channel_reach_basic_a1"
    }
    ((job_id, report),) = made.items()
    broken = f"{job_id}-{date.fromisoformat(report['startTime'][:10]):%Y%m%d}"
    channel.reporting.reports[broken] = report | {"content": "date,video_id\n20261101,v\n"}

    collect("second")

    _, reports = shown(person, artist)
    assert (reports["reach"]["state"], reports["activity"]["state"]) == ("failed", "ok")
    assert "can't be read" in reports["reach"]["reason"]
    assert date.fromisoformat(report["startTime"][:10]) not in stated(tx)
    assert len(stated(tx)) == len(stated(tx, "engaged_views")) - 1


def test_a_type_without_a_successor_is_announced_and_a_missing_one_said(
    person, tx, channel, artist, monkeypatch
):
    ends = (datetime.now(UTC) + timedelta(days=40)).isoformat()
    types = {"channel_basic_a3": {"name": "User activity", "deprecateTime": ends}}
    monkeypatch.setattr(stand_in, "TYPES", types)

    collect("first")

    _, reports = shown(person, artist)
    assert reports["activity"]["state"] == "expiring"
    assert "stops making channel_basic_a3" in reports["activity"]["reason"]
    assert (reports["reach"]["state"], reports["reach"]["report_type"]) == ("failed", None)
    assert "no type of report" in reports["reach"]["reason"]


def test_the_end_of_a_type_is_told_once_to_an_organisation(person, tx, channel, artist, monkeypatch):
    address = db.value(
        tx,
        "SELECT u.email FROM accounts.users u JOIN accounts.members m ON m.user_id = u.id"
        " WHERE m.organisation_id = :organisation",
        organisation=person.organisation_id,
    )
    ends = datetime.now(UTC) + timedelta(days=91)
    types = {"channel_basic_a3": {"name": "User activity", "deprecateTime": ends.isoformat()}}
    monkeypatch.setattr(stand_in, "TYPES", types | {"channel_reach_basic_a1": {"name": "Reach"}})
    before = len(emails_to(address))
    collect("too early")
    assert len(emails_to(address)) == before
    ends -= timedelta(days=2)
    types["channel_basic_a3"]["deprecateTime"] = ends.isoformat()
    monkeypatch.setattr(stand_in, "TYPES", types | {"channel_reach_basic_a1": {"name": "Reach"}})
    # A worker that dies before the email is sent leaves it to the repeat.
    age(tx, days=1)
    with monkeypatch.context() as patch:
        patch.setattr(ses, "send", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            collect("killed")

    for name in ("in time", "again"):
        age(tx, days=1)
        batch, _ = collect(name)
        load.handler({"key": batch["key"]}, None)

    [told] = emails_to(address)[before:]
    assert "channels' reports" in told["subject"]
    assert f"channel_basic_a3 on {ends:%Y-%m-%d}" in str(told)
    # Another channel of the organisation has the same type: its people know.
    second = person("POST", "/api/v1/artists", {"name": "Ebb", "tier": "active"}).body["artist"]["id"]
    assert connect(person, second, channel=OTHER).status == 200
    run("accounts-again")
    age(tx, days=1)
    batches = planned("of both", "reports")
    [batch] = [each for each in batches if each["artist_id"] == second]
    loaded = load.handler({"key": social.handler(batch, None)["key"]}, None)
    assert set(loaded) == {"state", "artists", "items", "runs", "reports"}
    assert len(emails_to(address)) == before + 1
    assert db.value(tx, "SELECT count(*) FROM metrics.report_jobs WHERE announced_at IS NOT NULL") == 2


def test_reports_that_do_not_come_are_counted(tx, channel, artist, monkeypatch):
    begin(tx)
    counted = []
    monkeypatch.setattr(
        item_collection.metrics, "add_metric", lambda name, _, value: counted.append((name, value))
    )
    collect("second")
    sql = "SELECT DISTINCT state FROM metrics.report_jobs"
    assert [row["state"] for row in db.rows(tx, sql)] == ["ok"]
    assert reports_store.count_standing(tx, "youtube") == 0
    # Nothing comes any more: three weeks later both subjects are late.
    db.run(tx, "UPDATE metrics.reports SET start_at = start_at - interval '25 days'")
    db.run(tx, "UPDATE metrics.reports SET end_at = end_at - interval '25 days'")
    monkeypatch.setattr(channel.reporting, "reports", {})
    monkeypatch.setattr(stand_in, "made", lambda *_: {})
    age(tx, days=1)
    collect("third")

    assert [row["state"] for row in db.rows(tx, sql)] == ["late"]
    planned("fourth", "reports")
    assert ("ChannelReportsStanding", 2) in counted
    # Those of an account that isn't connected any more are nobody's business.
    db.run(tx, "UPDATE metrics.accounts SET connected_at = NULL")
    assert reports_store.count_standing(tx, "youtube") == 0
    # Nobody has looked for days.
    db.run(tx, "UPDATE metrics.accounts SET connected_at = now()")
    db.run(tx, "UPDATE metrics.report_jobs SET state = 'ok', checked_at = now() - interval '5 days'")
    assert reports_store.count_standing(tx, "youtube") == 2


def test_the_newest_version_of_a_type_is_used():
    now = datetime(2026, 11, 29, tzinfo=UTC)
    offered = [
        ReportType("channel_basic_a3", "", now + timedelta(days=30)),
        ReportType("channel_basic_a10", "", None),
        ReportType("channel_basic_a11", "", now - timedelta(days=1)),
        ReportType("channel_reach_combined_a1", "", None),
    ]
    assert reader.choose("activity", offered, now).id == "channel_basic_a10"
    assert reader.choose("reach", offered, now).id == "channel_reach_combined_a1"
    assert reader.choose("reach", offered[:3], now) is None
    both = [*offered, ReportType("channel_reach_basic_a1", "", None)]
    assert reader.choose("reach", both, now).id == "channel_reach_basic_a1"


def test_the_combined_report_has_the_same_figures_in_more_rows():
    day = date(2026, 11, 1)
    header = REACH.replace("video_id,", "video_id,traffic_source_type,")
    rows = f"20261101,{CHANNEL},v1,5,100,0.1\n20261101,{CHANNEL},v1,7,300,0.02\n20261101,UCother,v1,7,9,0.5\n"
    for content in ((header + rows).encode(), gzip.compress((header + rows).encode())):
        found = {each.metric: each.value for each in reader.read(content, "reach", CHANNEL, day, day)}
        assert found == {"impressions": 400, "click_through": 0.04}


@pytest.mark.parametrize(
    "content",
    [
        REACH.encode() + f"20261102,{CHANNEL},v1,5,0.1\n".encode(),
        REACH.encode() + f"2026-11-01,{CHANNEL},v1,5,0.1\n".encode(),
        REACH.encode() + f"20261101,{CHANNEL},v1,five,0.1\n".encode(),
        b"video_id\nv\n",
        gzip.compress(REACH.encode() * 100)[:40],
        b"\x1f\x8bnot gzip",
        b"\xff\xfe\xfd\n\xff\n",
    ],
    ids=["another day", "another form of date", "no number", "no date", "cut", "not gzip", "not utf-8"],
)
def test_damaged_files_are_refused(content):
    day = date(2026, 11, 1)
    with pytest.raises(Unreadable):
        reader.read(content, "reach", CHANNEL, day, day)


def test_a_report_without_rows_states_nothing():
    assert reader.read(REACH.encode(), "reach", CHANNEL, date(2026, 11, 1), date(2026, 11, 1)) == []


def test_a_withdrawn_permission_forgets_the_reports(person, tx, channel, artist):
    begin(tx)
    count = collect("second")[1]

    assert person("DELETE", f"/api/v1/artists/{artist}/accounts/youtube").status == 204

    assert shown(person, artist) == ({}, {})
    assert db.value(tx, "SELECT count(*) FROM metrics.reports") == 0
    assert connect(person, artist).status == 200
    # It is due at once, and the archived files are not fetched again.
    channel.library.log.clear()
    assert collect("again")[1] == count
    assert "media.download" not in channel.library.log


def test_a_break_leaves_the_rest_for_the_next_hour(person, tx, channel, artist):
    begin(tx)
    channel.library.add_faults([{"on": "media.download", "kind": "close", "times": 3}])

    collect("second")

    _, reports = shown(person, artist)
    assert "failed" in {each["state"] for each in reports.values()}
    age(tx, hours=1)
    collect("third")
    _, reports = shown(person, artist)
    assert {each["state"] for each in reports.values()} == {"ok"}
    assert len(stated(tx)) == len(reports_of(channel, "channel_reach_basic_a1"))


def test_a_token_that_ended_early_is_renewed_once(tx, channel, artist):
    channel.sign_ins.access_tokens.clear()

    assert collect("first")[1] == 0
    assert len(channel.reporting.jobs) == 2


def test_an_execution_of_the_release_before_skips_them(event):
    from functions.youtube import app as youtube

    assert youtube.handler(event("social.reports"), None) == {"state": "skipped"}


def test_the_sample_is_what_the_function_takes(event, tx, google):
    assert social.handler(event("social.reports"), None)["state"] == "disconnected"

"""Collections that are killed anywhere: the machine repeats the step, and nothing is lost or there twice.

A step is killed before and after each of its calls of a platform, of S3, of the state table and of the
database: nothing was done, or it was done and the answer was lost. Killed is no Exception, and no call after
it has an effect, so that no handler can put things right, as none runs in a killed process.
"""

import itertools
import time
from datetime import UTC, datetime, timedelta

import pytest

from functions.airtable import app as airtable
from functions.collect import app as collect
from functions.load import app as load
from local.platforms import channel_reports, clock
from local.platforms import instagram as instagram_stand_in
from local.platforms import tiktok as tiktok_stand_in
from local.platforms.google import Grant
from showrunner import rates
from showrunner.aws import objects, rpc, s3, schedules, secret_uses
from showrunner.database import db
from showrunner.metrics import airtable_writing, clients, collection, fetching, grants
from showrunner.models import Tokens
from showrunner.platforms import google as google_client
from showrunner.platforms import instagram as instagram_client
from showrunner.platforms import tiktok as tiktok_client
from showrunner.platforms.http import Sender
from showrunner.platforms.youtube_channel_reports import SUBJECTS
from showrunner.store.metrics import accounts, artists
from tests.conftest import add_user, put_secrets
from tests.metrics.conftest import CHANNEL, FETCHERS, OWNER, forget
from tests.metrics.test_connected import NAMES, URLS

SPOTIFY = "0" * 21 + "1"
YEAR = 31_536_000
# What a machine starts in an hour: platform and part.
RUNS = (
    *((each, "") for each in ("youtube", "spotify", "tiktok", "instagram")),
    # Twice: what the first finds is asked for in the second.
    *(("youtube", "items"), ("youtube", "items"), ("spotify", "items"), ("spotify", "items")),
)
FACTS = {
    "accounts": "SELECT platform, account_id, state, checked_at IS NOT NULL, response IS NOT NULL"
    " FROM metrics.accounts",
    "points": "SELECT platform, metric, value, definition FROM metrics.points",
    "items": "SELECT platform, kind, item_id, title, figures::text, details::text, checked_at IS NOT NULL"
    " FROM metrics.items",
    "item_points": "SELECT platform, kind, item_id, metric, value, definition FROM metrics.item_points",
    "days": "SELECT platform, metric, day, value FROM metrics.days",
    "reports": "SELECT subject, start_at, created_at, report_type FROM metrics.reports",
    "jobs": "SELECT subject, report_type, problem FROM metrics.report_jobs",
    "readings": "SELECT platform, reading, checked_at IS NOT NULL, covered_until FROM metrics.readings",
}


KINDS = {
    f"{moment} {call}"
    for moment in ("before", "after")
    for call in ("a platform's call", "a call of S3", "a call of the state table", "a statement", "a commit")
}


class Killed(BaseException):
    """The process has ended."""


class _Undone(Exception):
    """A test's way to roll back."""


class Killer:
    """Ends the process at its call number `fatal` (from 1). None lets it go on."""

    def __init__(self):
        self.calls, self.fatal, self.is_dead, self.kinds = 0, None, False, set()

    def arm(self, fatal):
        self.calls, self.fatal, self.is_dead = 0, fatal, False

    def point(self, kind):
        self.calls += 1
        if self.is_dead or self.calls == self.fatal:
            if not self.is_dead:
                self.kinds.add(kind)
            self.is_dead = True
            raise Killed


@pytest.fixture
def killer(monkeypatch):
    killer = Killer()

    def watch(owner, name, kind):
        call = getattr(owner, name)

        def watched(*given, **named):
            killer.point(f"before {kind}")
            answer = call(*given, **named)
            killer.point(f"after {kind}")
            return answer

        monkeypatch.setattr(owner, name, watched)

    watch(Sender, "send", "a platform's call")
    watch(objects, "request", "a call of S3")
    watch(rpc, "call", "a call of the state table")
    watch(db.Session, "execute", "a statement")
    command = db.Session.command

    def watched_command(self, sql):
        # A test's transactions are savepoints of one transaction: RELEASE stands for COMMIT. The server rolls
        # back what a killed process has not committed.
        is_end = sql.startswith("RELEASE")
        if is_end and not killer.is_dead:
            try:
                killer.point("before a commit")
            except Killed:
                command(self, sql.replace("RELEASE", "ROLLBACK TO"))
                raise
        command(self, sql)
        if is_end:
            killer.point("after a commit")

    monkeypatch.setattr(db.Session, "command", watched_command)
    # It writes in a thread of its own, at a moment that no test knows.
    monkeypatch.setattr(secret_uses, "record", lambda *_: None)
    return killer


@pytest.fixture
def stage(tx, google, person, artist, monkeypatch):
    """Return the world, whose time stands still, and an artist with accounts on all platforms."""
    # A step that is killed often leaves the transaction of the test alone for longer than a function may.
    tx.command("SET LOCAL idle_in_transaction_session_timeout = 0")
    base = fetching.config.setting("YOUTUBE_BASE_URL")
    for name in (*URLS, "SPOTIFY_BASE_URL", "SPOTIFY_ACCOUNTS_URL"):
        monkeypatch.setenv(name, base)
    monkeypatch.setenv("SPOTIFY_MODE", "extended")
    put_secrets(dict.fromkeys((*NAMES, "spotify/client_id", "spotify/client_secret"), "local"))
    for cached in (clients._tiktok, clients._instagram, fetching._spotify):
        cached.cache_clear()
    now = time.time()
    monkeypatch.setattr(clock, "now", lambda: now)
    # A killed step asks again and again.
    for name in ("SPOTIFY", "TIKTOK", "INSTAGRAM_ACCOUNT", "YOUTUBE_ANALYTICS", "YOUTUBE_REPORTING"):
        monkeypatch.setattr(rates, name, rates.Rate(1_000_000, 60, burst=100_000))
    monkeypatch.setattr(collection, "FILLED", timedelta(days=2))
    monkeypatch.setattr(channel_reports, "BEFORE", timedelta(days=0))
    google.instagram_app.figures["ada"] = {"media_count": 1}
    google.tiktok_app.figures["ada"] = {"video_count": 2}
    scopes = [google_client.READ, google_client.ANALYTICS]
    google.sign_ins.access_tokens["ya29"] = Grant(OWNER, scopes, CHANNEL)
    google.tiktok_app.access_tokens["act"] = tiktok_stand_in.Grant("ada", tiktok_client.SCOPES, now + 7_200)
    google.instagram_app.long_tokens["IGAA"] = instagram_stand_in.Grant(
        "ada", instagram_client.SCOPES, now, YEAR
    )
    given = {
        "youtube": Tokens(CHANNEL, "ya29", 7_200, "1//", YEAR, tuple(scopes)),
        "tiktok": Tokens(tiktok_stand_in.open_id("ada"), "act", 7_200, "rft", YEAR, ()),
        "instagram": Tokens(instagram_stand_in.user_id("ada"), "IGAA", YEAR, "x", YEAR, ()),
        "spotify": Tokens(SPOTIFY, "", 0, "", 0, ()),
    }
    organisation_id, owner = person.organisation_id, add_user(tx)
    for platform, tokens in given.items():
        account = {"artist_id": artist, "platform": platform, "account_id": tokens.account_id}
        artists.save_accounts(tx, organisation_id, [account])
        if platform != "spotify":
            accounts.save_connected(tx, organisation_id, artist, platform, owner)
            grants.save(grants.Account(platform, organisation_id, artist), tokens)
    begun = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    # One subject of reports is enough.
    monkeypatch.delitem(SUBJECTS, "activity")
    type_ = "channel_reach_basic_a1"
    job = {"account": CHANNEL, "reportTypeId": type_, "name": type_, "createTime": begun}
    google.reporting.jobs["j1"] = job
    yield google
    for cached in (clients._tiktok, clients._instagram, fetching._spotify):
        cached.cache_clear()


def work(step):
    """Do what the machine does in an hour, with `step` for each of its steps."""
    for number, (platform, part) in enumerate(RUNS):
        name = (
            f"metrics-items-{platform}"
            if part
            else f"metrics{'' if platform == 'youtube' else f'-{platform}'}"
        )
        schedules.look_again(name, 0)
        event = {"run": f"{number}", "platform": platform} | ({"part": part} if part else {})
        planned = step(collect.handler, event)
        assert planned["batches"], (platform, part)
        for batch in s3.get_json(planned["key"]):
            social = platform in ("tiktok", "instagram") or batch["reading"] in ("analytics", "reports")
            fetcher = FETCHERS["tiktok" if social else platform]
            fetched = step(fetcher.handler, batch)
            assert fetched["state"] == "fetched", (batch, fetched)
            step(load.handler, {"key": fetched["key"]})


def facts(tx):
    """Return all facts of all artists, but for the times of their observation."""
    return {
        name: sorted(map(str, db.rows(tx, sql.replace("IS NOT NULL,", "IS NOT NULL AS a,", 1))))
        for name, sql in FACTS.items()
    }


def undone(tx, do):
    """Return what `do` returns, and undo what it has done."""
    found = None
    try:
        with db.transaction():
            found = do()
            raise _Undone
    except _Undone:
        forget()
        return found


def collected(tx, step):
    def do():
        work(step)
        return facts(tx)

    return undone(tx, do)


def plain(handler, event):
    return handler(event, None)


def killed_everywhere(killer):
    """Return a step that is killed at its first call, then at its second one, until it comes to its end."""

    def step(handler, event):
        fatal = 1
        while True:
            killer.arm(fatal)
            try:
                return handler(event, None)
            except Killed:
                fatal += 1
            finally:
                killer.arm(None)

    return step


def test_a_collection_that_is_killed_at_every_call_stores_what_one_without_stores(tx, stage, killer):
    expected = collected(tx, plain)
    assert {name: bool(rows) for name, rows in expected.items()} == dict.fromkeys(FACTS, True)
    for name, rows in expected.items():
        assert len(set(rows)) == len(rows), f"{name} has a fact twice"

    assert collected(tx, killed_everywhere(killer)) == expected
    assert killer.kinds == KINDS


def test_rows_for_airtable_are_there_once_though_each_step_is_killed_at_every_call(
    tx, world, person, artist, killer, monkeypatch
):
    # A step that is killed often leaves the transaction of the test alone for longer than a function may.
    tx.command("SET LOCAL idle_in_transaction_session_timeout = 0")
    base = "app" + "B" * 14
    monkeypatch.setenv("AIRTABLE_BASE_URL", fetching.config.setting("YOUTUBE_BASE_URL"))
    monkeypatch.setenv("AIRTABLE_BASES", f"{person.organisation_id}={base}")
    put_secrets({"airtable/token": "local"})
    airtable_writing._client.cache_clear()
    # A killed step asks again and again.
    for name in ("AIRTABLE_BASE", "AIRTABLE"):
        monkeypatch.setattr(rates, name, rates.Rate(1_000_000, 60, burst=100_000))
    world.airtable_app.base(base).window.calls = 1_000_000
    account = {"artist_id": artist, "platform": "youtube", "account_id": CHANNEL}
    artists.save_accounts(tx, person.organisation_id, [account])
    sql = """
        INSERT INTO metrics.items (artist_id, platform, kind, item_id, title, first_at, found_at)
        VALUES (:artist_id, 'youtube', 'video', 'vid00000001', 'Tide', now(), now())
    """
    db.run(tx, sql, artist_id=artist)
    step, tables = killed_everywhere(killer), ("Catalogue", "Videos")

    def sync(run):
        planned = step(collect.handler, {"run": run, "platform": "airtable"})
        batches = s3.get_json(planned["key"]) if planned["batches"] else []
        for batch in batches:
            written = step(airtable.handler, batch)
            assert step(load.handler, {"key": written["key"]})["state"] == "loaded"
        return [each["table"] for each in batches]

    assert sync("first") == [*tables]
    records = world.airtable_app.base(base).records
    rows = {table: [each["fields"] for each in records[table].values()] for table in tables}
    assert rows == {
        "Catalogue": [{"Artist ID": artist, "Artist": "Tides", "Tier": "active", "YouTube": CHANNEL}],
        "Videos": [{"Video ID": "vid00000001", "Title": "Tide", "Artist": "Tides", "Platform": "YouTube"}],
    }
    # What was written is recorded, and isn't written again.
    assert sync("second") == []
    assert killer.kinds == KINDS
    airtable_writing._client.cache_clear()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_collection_that_is_killed_once_stores_the_same_wherever_that_is(tx, stage, killer):
    expected = collected(tx, plain)
    # The test above kills at each call, one after the other; here each kill has a run of its own, at every
    # seventh call, which are as many before as after one.
    for fatal in itertools.count(1, 7):
        # YouTube counts the searches of a day.
        stage.spent_apart.clear()
        killed, calls = [], 0

        def step(handler, event, fatal=fatal, killed=killed):
            nonlocal calls
            killer.arm(None if killed else fatal - calls)
            try:
                answer = handler(event, None)
            except Killed:
                killed.append(handler)
                killer.arm(None)
                return handler(event, None)
            calls += killer.calls
            killer.arm(None)
            return answer

        assert collected(tx, step) == expected, fatal
        if not killed:
            assert fatal > 200
            return

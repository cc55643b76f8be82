"""Reads through the cache: one call for many callers, old answers with their age, and no other's answers."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from showrunner.aws import dynamodb, s3, sdk
from showrunner.caches import public, reads
from showrunner.caches.reads import Key, Memory
from showrunner.errors import CredentialRejected, PlatformUnavailable, QuotaExceeded
from showrunner.models import Representation

pytestmark = pytest.mark.usefixtures("aws")


class Platform:
    """A platform with one document, whose version is its ETag."""

    def __init__(self, body=b'{"title": "Tides"}', fresh_seconds=600):
        self.body, self.fresh_seconds, self.version = body, fresh_seconds, "v1"
        self.etags, self.error, self.seconds = [], None, 0.0

    @property
    def calls(self):
        return len(self.etags)

    def ask(self, etag):
        self.etags.append(etag)
        time.sleep(self.seconds)
        if self.error:
            raise self.error
        return None if etag == self.version else Representation(self.body, self.version, self.fresh_seconds)


class Clock:
    def __init__(self):
        self.now = time.time()

    def __call__(self):
        return self.now


@pytest.fixture
def platform():
    return Platform()


@pytest.fixture
def key():
    return Key(f"https://example.com/{uuid.uuid4()}", "public")


@pytest.fixture
def objects():
    return public.Objects()


def read(key, platform, **more):
    """Read as an execution environment that has just started does."""
    return reads.read(key, platform.ask, **{"memory": Memory(), **more})


def test_an_environment_asks_neither_the_platform_nor_the_table_for_15_minutes(key, platform):
    platform.fresh_seconds = 3_600
    memory, clock = Memory(), Clock()
    reads.read(key, platform.ask, memory=memory, clock=clock)
    dynamodb.remove(key.item, "answer")

    clock.now += reads.MEMORY_SECONDS - 1
    assert reads.read(key, platform.ask, memory=memory, clock=clock).age_seconds == reads.MEMORY_SECONDS - 1
    assert platform.calls == 1

    clock.now += 2
    reads.read(key, platform.ask, memory=memory, clock=clock)
    assert platform.calls == 2


def test_other_environments_have_the_answer_from_the_table_for_an_hour(key, platform):
    platform.fresh_seconds, clock = 86_400, Clock()
    read(key, platform, clock=clock)

    clock.now += reads.TABLE_SECONDS - 1
    assert read(key, platform, clock=clock) == (platform.body, reads.TABLE_SECONDS - 1)
    clock.now += 2
    assert read(key, platform, clock=clock).age_seconds == 0
    assert platform.calls == 2


def test_an_answer_is_asked_for_again_with_its_etag_when_its_time_is_over(key, platform):
    clock = Clock()
    read(key, platform, clock=clock)

    clock.now += 601
    assert read(key, platform, clock=clock) == (platform.body, 0)  # 304: checked now
    clock.now += 599
    assert read(key, platform, clock=clock).age_seconds == 599  # and fresh again
    clock.now += 2
    platform.body, platform.version = b'{"title": "Neap"}', "v2"
    assert read(key, platform, clock=clock).body == platform.body

    assert platform.etags == [None, "v1", "v1"]


@pytest.mark.parametrize(
    "error",
    [PlatformUnavailable("YouTube answers 503.", 7), QuotaExceeded("Today's quota is spent.")],
    ids=["unavailable", "quota"],
)
def test_a_platform_that_fails_gives_the_old_answer_with_its_age(key, platform, error, capsys):
    clock = Clock()
    read(key, platform, clock=clock)
    platform.error = error

    clock.now += 3_000
    assert read(key, platform, clock=clock) == (platform.body, 3_000)
    assert error.message in capsys.readouterr().out
    platform.error = None
    clock.now += 1
    assert read(key, platform, clock=clock) == (platform.body, 0)


def test_a_permission_that_has_ended_shows_no_old_answer(key, platform):
    clock = Clock()
    read(key, platform, clock=clock)
    platform.error = CredentialRejected("YouTube refuses the token.")

    clock.now += 601
    with pytest.raises(CredentialRejected):
        read(key, platform, clock=clock)


def test_without_an_old_answer_the_error_is_raised_and_the_next_caller_asks_at_once(key, platform):
    platform.error = PlatformUnavailable("YouTube answers 503.")
    for _ in range(2):
        with pytest.raises(PlatformUnavailable, match="503"):
            read(key, platform)

    assert platform.calls == 2


def test_public_answers_outlive_the_table_in_s3_for_a_day(key, platform, objects):
    clock = Clock()
    read(key, platform, clock=clock, behind=objects)
    platform.error = PlatformUnavailable("YouTube answers 503.")

    clock.now += public.OBJECT_SECONDS - 1
    old = read(key, platform, clock=clock, behind=objects)
    assert old == (platform.body, public.OBJECT_SECONDS - 1)
    clock.now += 2
    with pytest.raises(PlatformUnavailable):
        read(key, platform, clock=clock, behind=objects)
    assert platform.etags == [None, "v1", None]


def test_answers_of_a_connection_never_reach_s3(platform):
    before = s3.list_keys("cache/")
    read(reads.of_connection("o1", str(uuid.uuid4()), "policies"), platform)

    assert s3.list_keys("cache/") == before


# ------------------------------------------------------------------------------------------------ One call


@pytest.mark.parametrize("environments", ["one", "many"])
def test_fifty_callers_at_once_cause_one_call(key, platform, environments):
    platform.seconds = 0.3
    shared, begin = Memory(), threading.Barrier(50)

    def call(_):
        begin.wait()
        return reads.read(key, platform.ask, memory=shared if environments == "one" else Memory())

    with ThreadPoolExecutor(50) as pool:
        bodies = {each.body for each in pool.map(call, range(50))}

    assert (bodies, platform.calls) == ({platform.body}, 1)


def test_callers_that_wait_for_a_call_that_fails_don_t_call_too(key, platform):
    platform.seconds, platform.error = 0.5, PlatformUnavailable("YouTube answers 503.")
    begin = threading.Barrier(20)

    def call(_):
        begin.wait()
        with pytest.raises(PlatformUnavailable, match="503"):
            read(key, platform)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(call, range(20)))

    assert platform.calls == 1


def test_a_caller_that_was_killed_holds_nobody_up_for_long(key, platform, monkeypatch):
    monkeypatch.setattr(reads, "HOLD_SECONDS", 2)
    assert reads._Flight(key, time.time).begin(0)  # and never ends

    begun = time.monotonic()
    assert read(key, platform).body == platform.body

    assert 0.9 < time.monotonic() - begun < 2 + 1.5  # whole seconds, and the last wait


def test_a_caller_that_waits_too_long_has_the_old_answer_or_an_error(key, platform, monkeypatch):
    monkeypatch.setattr(reads, "WAIT_SECONDS", 0.2)
    clock = Clock()
    read(key, platform, clock=clock)
    clock.now += 700
    flight = reads._Flight(key, clock)
    assert flight.begin(0)

    assert read(key, platform, clock=clock) == (platform.body, 700)
    dynamodb.remove(key.item, "answer")
    with pytest.raises(PlatformUnavailable, match="hasn't answered yet") as refused:
        read(key, platform, clock=clock)
    assert refused.value.retry_after == 2
    assert platform.calls == 1


def test_a_slow_caller_takes_nothing_from_the_one_that_has_taken_over(key):
    clock = Clock()
    slow, second = reads._Flight(key, clock), reads._Flight(key, clock)
    assert slow.begin(0)
    clock.now += reads.HOLD_SECONDS + 1
    assert second.begin(0)

    slow.end("too late")

    assert not reads._Flight(key, clock).begin(0)
    second.end()
    assert reads._Flight(key, clock).begin(0)


# ------------------------------------------------------------------------------------------------ Whose


def test_two_organisations_never_share_an_answer(platform):
    request, connection, memory = f"policies/{uuid.uuid4()}", str(uuid.uuid4()), Memory()
    keys = [
        reads.of_connection("o1", connection, request),
        reads.of_connection("o2", connection, request),
        reads.of_connection("o1", str(uuid.uuid4()), request),
        Key(request, "public"),
    ]
    bodies = []
    for number, key in enumerate(keys):
        platform.body = b"%d" % number
        bodies.append(reads.read(key, platform.ask, memory=memory).body)

    assert bodies == [b"0", b"1", b"2", b"3"]
    assert [reads.read(key, platform.ask, memory=memory).body for key in keys] == bodies
    assert platform.calls == 4


def test_texts_that_look_alike_when_joined_are_different_keys():
    assert Key("a", "bc").item != Key("ab", "c").item


@pytest.mark.parametrize("owner", [("", "c1"), ("o1", "")], ids=["organisation", "connection"])
def test_a_private_answer_needs_an_owner(owner):
    with pytest.raises(ValueError, match="belongs"):
        reads.of_connection(*owner, "policies")


# ------------------------------------------------------------------------------------------------ Bounds


def test_large_answers_are_not_kept(key, platform, objects):
    import random

    for body in (b"x" * (reads.MOST_BYTES + 1), random.Random(7).randbytes(reads.PACKED_BYTES + 1)):
        platform.body, before = body, platform.calls
        memory = Memory()
        assert reads.read(key, platform.ask, memory=memory, behind=objects).body == body
        reads.read(key, platform.ask, memory=memory, behind=objects)
        assert platform.calls == before + 2
    assert dynamodb.find(key.item, "answer") is None


def test_the_memory_of_an_environment_is_bounded():
    memory, now = Memory(), time.time()
    size = reads.MEMORY_BYTES // 4
    for number in range(6):
        memory.put(Key(str(number), "public"), reads.Kept(bytes(size), None, 600, now), now)

    found = [number for number in range(6) if memory.find(Key(str(number), "public"), now)]
    assert found == [2, 3, 4, 5]


def test_an_answer_that_is_never_fresh_is_not_kept(key, platform):
    platform.fresh_seconds = 0
    read(key, platform)
    read(key, platform)

    assert platform.etags == [None, None]


@pytest.mark.parametrize("packed", [b"", b"no gzip", b"\x1f\x8b\x08"], ids=["empty", "text", "cut"])
def test_a_kept_answer_that_can_t_be_read_is_asked_for_again(key, platform, objects, packed):
    dynamodb.put(key.item, "answer", {"packed": packed}, time.time() + 60)
    s3.put_bytes(f"{public.FOLDER}/{key.digest}.gz", packed)

    assert read(key, platform, behind=objects).body == platform.body


def test_reads_go_on_without_state_table_and_bucket(key, platform, objects, monkeypatch):
    monkeypatch.setenv("STATE_TABLE", "no-such-table")
    monkeypatch.setenv("MEDIA_BUCKET", "no-such-bucket")

    assert read(key, platform, behind=objects).body == platform.body
    assert read(key, platform, behind=objects).body == platform.body


def test_the_table_shows_neither_address_nor_credential(platform):
    key = reads.of_connection("o1", "c1", f"policies/{uuid.uuid4()}")
    read(key, platform)

    item = sdk.client("dynamodb").get_item(
        TableName=dynamodb.table(), Key={"pk": {"S": key.item}, "sk": {"S": "answer"}}
    )["Item"]
    assert set(item) == {"pk", "sk", "packed", "expires_at"}
    assert "o1" not in item["pk"]["S"]

"""Read from a platform through a cache: one call for many callers, and the old answer if the platform fails.

There are three levels. The memory of an execution environment keeps an answer for 15 minutes, and the state
table for an hour. The third, S3, keeps public answers for a day (caches/public.py). An answer is used without
a call while it is fresh, which the reader of each kind of answer decides. After that the platform is asked
again: with the ETag of the kept answer, if the platform has ETags. A call that ends with 304 costs as much
quota as any other; its answer is fresh again.

One caller asks, and the others wait for its answer. The mark of that caller in the state table ends by
itself, so a caller that was killed holds nobody up for more than HOLD_SECONDS. The state table and S3 may
fail: then the platform is asked.

Collections of figures don't read through here: they ask for other ids each hour, or once a day.
"""

import contextlib
import gzip
import hashlib
import json
import random
import threading
import time
import uuid
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from showrunner import masking
from showrunner.aws import correlation, dynamodb, rpc
from showrunner.errors import PlatformUnavailable, QuotaExceeded, ServiceUnavailable, StorageMissing
from showrunner.models import Representation

MEMORY_SECONDS, TABLE_SECONDS = 900, 3_600
# Of an answer as it comes. Those that are kept today have some KB.
MOST_BYTES = 256 << 10
# Of an answer as it is packed. DynamoDB takes 400 KB, and charges a write for each KB.
PACKED_BYTES = 64 << 10
# All answers in the memory of an environment: a small part of what a function has.
MEMORY_BYTES = 8 << 20
# Most calls take less than a second. The callers wait within API Gateway's 30 s, and one that takes over
# after this needs up to 18 s for its own call.
HOLD_SECONDS, WAIT_SECONDS = 6, 8
# Between two looks at the state table.
_LOOK_SECONDS = 0.1, 0.3


class Key(NamedTuple):
    """A read: what is asked, and whose credential asks. No other credential gets the answer.

    `request` is the address with its query, or another text that says all of what is asked.
    """

    request: str
    credential: str

    @property
    def item(self) -> str:
        """The key of the answer in the state table, which shows neither address nor credential."""
        return f"cache#{self.digest}"

    @property
    def digest(self) -> str:
        """The SHA-256 of both parts in hexadecimal."""
        return hashlib.sha256(json.dumps([self.request, self.credential]).encode()).hexdigest()


def of_connection(organisation_id: str, connection_id: str, request: str) -> Key:
    """Return the key of a read with the account that an organisation has connected."""
    if not organisation_id or not connection_id:
        raise ValueError("An answer belongs to an organisation and to its connection.")
    return Key(request, f"organisations/{organisation_id}/{connection_id}")


class Kept(NamedTuple):
    """An answer that is kept. `checked_at`: when the platform gave it, or said that it is unchanged."""

    body: bytes
    etag: str | None
    fresh_seconds: int
    checked_at: float

    def is_fresh(self, at: float) -> bool:
        """Return whether it may be used at this time without asking the platform."""
        return at < self.checked_at + self.fresh_seconds


class Known(NamedTuple):
    """The answer to a read. While the platform can't be asked it is an old one."""

    body: bytes
    age_seconds: int


class Level(Protocol):
    """A level behind the state table. It returns None, and keeps nothing, if it fails."""

    def find(self, key: Key, at: float) -> bytes | None:
        """Return what was kept under the key."""

    def put(self, key: Key, packed: bytes) -> None:
        """Keep it."""


# Asks the platform, with the ETag of the kept answer or None. Returns None if that answer is unchanged.
type Ask = Callable[[str | None], Representation | None]


class Memory:
    """The answers in the memory of an execution environment, the oldest of which give way to new ones."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, Kept]] = OrderedDict()
        self._bytes, self._lock = 0, threading.Lock()

    def find(self, key: Key, at: float) -> Kept | None:
        """Return the answer under a key if it is fresh, else None."""
        with self._lock:
            ends_at, kept = self._kept.get(key.digest, (0.0, None))
        return kept if kept and at < ends_at and kept.is_fresh(at) else None

    def put(self, key: Key, kept: Kept, at: float) -> None:
        """Keep an answer for MEMORY_SECONDS, if it stays fresh for so long."""
        with self._lock:
            _, before = self._kept.pop(key.digest, (0.0, None))
            self._kept[key.digest] = (at + MEMORY_SECONDS, kept)
            self._bytes += len(kept.body) - (len(before.body) if before else 0)
            while self._bytes > MEMORY_BYTES:
                _, (_, oldest) = self._kept.popitem(last=False)
                self._bytes -= len(oldest.body)


_memory = Memory()


def read(
    key: Key,
    ask: Ask,
    *,
    behind: Level | None = None,
    memory: Memory | None = None,
    clock: Callable[[], float] = time.time,
) -> Known:
    """Return the answer to a read: a fresh one that is kept, or the platform's.

    If `ask` raises PlatformUnavailable or QuotaExceeded, an old answer is returned with its age, as long as
    one is kept. Without one the error is raised. Other errors are always raised: an old answer isn't shown
    when the permission that it was read with has ended.
    """
    memory, begun_at = memory or _memory, clock()
    if found := memory.find(key, begun_at):
        return _known(found, begun_at)
    old = unpacked(behind.find(key, begun_at)) if behind else None
    gives_up_at = time.monotonic() + WAIT_SECONDS
    while True:
        at = clock()
        kept = _find(key, at) or old
        if kept and kept.is_fresh(at):
            memory.put(key, kept, at)
            return _known(kept, at)
        flight = _Flight(key, clock)
        if flight.begin(begun_at):
            return _ask(key, flight, ask, kept, behind, memory, clock)
        failure = _failure(key, at)
        if failure is None and time.monotonic() > gives_up_at:
            failure = "Another caller has asked the platform for the same, which hasn't answered yet."
        if failure:
            return _old(kept, at, PlatformUnavailable(failure, 2, was_sent=False))
        # Only while another caller's call is on its way.
        time.sleep(random.uniform(*_LOOK_SECONDS))  # noqa: S311 - no secret


def _ask(
    key: Key,
    flight: "_Flight",
    ask: Ask,
    kept: Kept | None,
    behind: Level | None,
    memory: Memory,
    clock: Callable[[], float],
) -> Known:
    """Ask the platform, keep its answer, and let the waiting callers have it."""
    # The caller before may have ended between our look and our turn.
    fresh = _find(key, clock())
    if fresh and fresh.is_fresh(clock()):
        flight.end()
        return _known(fresh, clock())
    try:
        answer = ask(kept.etag if kept else None)
    except PlatformUnavailable as error:
        flight.end(error.message)
        return _old(kept, clock(), error)
    except QuotaExceeded as error:
        flight.end()
        return _old(kept, clock(), error)
    except BaseException:
        flight.end()
        raise
    at = clock()
    if answer is None:
        if kept is None:
            flight.end()
            raise PlatformUnavailable("The platform says that nothing has changed, but nothing is known.")
        checked = kept._replace(checked_at=at)
    else:
        checked = Kept(answer.body, answer.etag, answer.fresh_seconds, at)
    _put(key, checked, behind, memory, at)
    flight.end()
    return _known(checked, at)


def _put(key: Key, kept: Kept, behind: Level | None, memory: Memory, at: float) -> None:
    """Keep an answer at all levels. Large ones, and those that are never fresh, are not kept."""
    if kept.fresh_seconds <= 0 or len(kept.body) > MOST_BYTES:
        return
    packed = _packed(kept)
    if len(packed) > PACKED_BYTES:
        return
    memory.put(key, kept, at)
    with may_fail():
        dynamodb.put(key.item, "answer", {"packed": packed}, kept.checked_at + TABLE_SECONDS)
    if behind:
        behind.put(key, packed)


def _find(key: Key, at: float) -> Kept | None:
    with may_fail():
        found = dynamodb.find(key.item, "answer", at)
        return unpacked(found["packed"]) if found else None
    return None


def _known(kept: Kept, at: float) -> Known:
    return Known(kept.body, max(0, round(at - kept.checked_at)))


def _old(kept: Kept | None, at: float, error: PlatformUnavailable | QuotaExceeded) -> Known:
    """Return the old answer with its age. Raises the error without one."""
    if kept is None:
        raise error
    old = _known(kept, at)
    masking.write_line(
        {
            "level": "WARNING",
            "message": "an old answer of a platform is used",
            "request_id": correlation.current(),
            "age_seconds": old.age_seconds,
            "reason": error.message,
        }
    )
    return old


def _packed(kept: Kept) -> bytes:
    """Return the answer as the state table and S3 keep it: a line of JSON, then the body, packed by gzip."""
    head = {name: getattr(kept, name) for name in ("etag", "fresh_seconds", "checked_at")}
    return gzip.compress(json.dumps(head).encode() + b"\n" + kept.body, mtime=0)


def unpacked(packed: bytes | None) -> Kept | None:
    """Return the kept answer, None without one or for one that can't be read."""
    if packed is None:
        return None
    try:
        head, _, body = gzip.decompress(packed).partition(b"\n")
        return Kept(body, **json.loads(head))
    except (ValueError, TypeError, OSError, EOFError, zlib.error):
        return None


class _Flight:
    """The one call for a read that is on its way, as a mark in the state table that ends by itself.

    https://pkg.go.dev/golang.org/x/sync/singleflight is the same within one process.
    """

    def __init__(self, key: Key, clock: Callable[[], float]) -> None:
        self._key, self._clock, self._holder = key, clock, uuid.uuid4().hex

    def begin(self, since: float) -> bool:
        """Set the mark. Returns False while another caller has it, or if one's call has failed since then."""
        at = self._clock()
        is_free = "attribute_not_exists(pk) OR expires_at <= :now OR failed_at < :since"
        values = {"holder": self._holder}
        with may_fail():
            return dynamodb.put_if(
                is_free,
                {"now": int(at), "since": _milliseconds(since)},
                self._key.item,
                "flight",
                values,
                at + HOLD_SECONDS,
            )
        return True

    def end(self, failure: str | None = None) -> None:
        """Remove the mark. A `failure` stays for those who have come before it, and stops no later caller."""
        values: dict[str, str | int | None] = {"holder": self._holder}
        ends_at = self._clock()
        if failure is not None:
            values |= {"failure": failure, "failed_at": _milliseconds(ends_at)}
            ends_at += HOLD_SECONDS
        # Not the mark of a caller who has taken over meanwhile.
        with may_fail():
            dynamodb.put_if(
                "holder = :holder", {"holder": self._holder}, self._key.item, "flight", values, ends_at
            )


def _milliseconds(at: float) -> int:
    return int(at * 1_000)


def _failure(key: Key, at: float) -> str | None:
    """Return why the call of another caller has failed, None while it is on its way."""
    with may_fail():
        found = dynamodb.find(key.item, "flight", at)
        return str(found["failure"]) if found and "failure" in found else None
    return None


@contextlib.contextmanager
def may_fail() -> Iterator[None]:
    """Go on without the state table or S3 if it fails: the platform can still be asked."""
    with contextlib.suppress(StorageMissing, ServiceUnavailable, rpc.AwsError):
        yield

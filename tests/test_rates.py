"""Limits per window: no window ever holds too many calls, a busy bucket is used nearly whole, pauses hold."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from local.platforms import limits as stand_ins
from showrunner import rates
from showrunner.errors import QuotaExceeded, ServiceUnavailable
from showrunner.rates import Rate

pytestmark = pytest.mark.usefixtures("aws")

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)


@pytest.fixture
def bucket():
    return f"test:{uuid.uuid4()}"


def reserved(bucket, rate, seconds, step=0.01):
    """Ask again and again for so long, and return the moments, in seconds, at which calls were allowed."""
    moments = []
    for number in range(round(seconds / step)):
        try:
            rates.reserve(bucket, rate, NOW + timedelta(seconds=number * step))
            moments.append(number * step)
        except QuotaExceeded:
            pass
    return moments


def most_in_a_window(moments, seconds):
    """Return the most calls that any half-open window of so many seconds holds."""
    return max(sum(begin <= each < begin + seconds for each in moments) for begin in moments)


@pytest.mark.parametrize("rate", [Rate(20, 1, burst=2), Rate(5, 1), Rate(30, 2, burst=3)], ids=str)
def test_no_window_holds_more_than_the_limit_and_a_busy_bucket_is_used(bucket, rate):
    moments = reserved(bucket, rate, 3, step=0.025)

    assert most_in_a_window(moments, rate.seconds - 0.001) <= rate.calls
    assert len(moments) >= 0.95 * (rate.calls - rate.burst + 1) * 3 / rate.seconds


@pytest.mark.parametrize(
    ("rate", "limit", "seconds", "late"),
    [
        # Spotify publishes no number: the limit is our own.
        (rates.SPOTIFY, rates.SPOTIFY.calls, 30, 0),
        (rates.TIKTOK, stand_ins.of("tiktok")["window_calls"], 60, 1),
        (rates.YOUTUBE_ANALYTICS, 720, 60, 1),
        (rates.AIRTABLE_BASE, stand_ins.of("airtable")["window_calls"], 1, 0.04),
        (rates.AIRTABLE, stand_ins.of("airtable")["token_calls"], 1, 0.04),
    ],
    ids=["spotify", "tiktok", "analytics", "base", "airtable"],
)
def test_the_rates_use_95_percent_of_a_platforms_limit_and_never_more_than_it(rate, limit, seconds, late):
    """A busy bucket, whose calls arrive up to `late` seconds after they were reserved."""
    interval = rate.interval / 1_000_000
    moments = [0.0] * (rate.burst - 1) + [number * interval for number in range(3 * limit)]

    # Early ones that are late meet later ones that aren't.
    assert most_in_a_window(moments, seconds + late) <= limit
    assert seconds / interval >= 0.95 * limit


class Clock:
    """A clock for threads: it stands while one of them runs, and jumps to the next waking when all sleep.

    So the threads meet in the state table as they would, and a slow machine changes no result.
    """

    def __init__(self, threads: int) -> None:
        self.now = NOW
        self._running, self._wakings, self._changed = threads, {}, threading.Condition(threading.RLock())

    def sleep_until(self, at: datetime) -> None:
        me = threading.get_ident()
        with self._changed:
            self._wakings[me] = at
            self.leave()
            self._changed.wait_for(lambda: me not in self._wakings)

    def leave(self) -> None:
        """Let the other threads go on without the caller."""
        with self._changed:
            self._running -= 1
            if self._running or not self._wakings:
                return
            self.now = max(self.now, min(self._wakings.values()))
            for thread in [each for each, at in self._wakings.items() if at <= self.now]:
                del self._wakings[thread]
                self._running += 1
            self._changed.notify_all()


def test_50_callers_at_once_never_exceed_the_limit_and_use_95_percent_of_it(bucket):
    rate, clock, moments = Rate(60, 8, burst=3), Clock(50), []
    end = NOW + timedelta(seconds=2 * rate.seconds)

    def call():
        """Call as often as allowed. A caller of the product waits in its state machine, this one here."""
        while clock.now < end:
            at = clock.now
            try:
                rates.reserve(bucket, rate, at)
                moments.append((at - NOW).total_seconds())
            except QuotaExceeded as error:
                clock.sleep_until(error.retry_at)
            except ServiceUnavailable:
                continue
        clock.leave()

    threads = [threading.Thread(target=call) for _ in range(50)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert most_in_a_window(moments, rate.seconds) <= rate.calls
    assert len(moments) >= 0.95 * rate.calls * 2


def test_a_caller_that_comes_too_early_learns_when_to_ask_again(bucket):
    rate = Rate(10, 10, burst=1)
    rates.reserve(bucket, rate, NOW)

    with pytest.raises(QuotaExceeded) as refused:
        rates.reserve(bucket, rate, NOW + timedelta(seconds=0.25))

    assert refused.value.retry_at == NOW + timedelta(seconds=1)
    rates.reserve(bucket, rate, refused.value.retry_at)


def test_a_pause_stops_every_caller_and_a_shorter_one_does_not_end_it(bucket):
    rate = Rate(10, 10, burst=2)
    until = rates.pause(bucket, 30, NOW)
    rates.pause(bucket, 5, NOW)

    with pytest.raises(QuotaExceeded) as refused:
        rates.reserve(bucket, rate, NOW + timedelta(seconds=29))

    assert (refused.value.retry_at, rates.available(bucket, rate, NOW)) == (until, 0)
    rates.reserve(bucket, rate, until)


def test_what_is_available_is_what_may_be_reserved_at_once(bucket):
    rate = Rate(10, 10, burst=3)
    seen = []
    for _ in range(3):
        seen.append(rates.available(bucket, rate, NOW))
        rates.reserve(bucket, rate, NOW)

    assert (seen, rates.available(bucket, rate, NOW)) == ([3, 2, 1], 0)
    assert rates.available(bucket, rate, NOW + timedelta(seconds=2.5)) == 2


def test_calls_that_follow_each_other_are_reserved_at_once_as_far_as_the_bucket_has_them(bucket):
    rate = Rate(10, 10, burst=4)

    assert rates.reserve(bucket, rate, NOW, calls=3) == 3
    assert rates.available(bucket, rate, NOW) == 1
    assert rates.reserve(bucket, rate, NOW, calls=3) == 1
    with pytest.raises(QuotaExceeded) as refused:
        rates.reserve(bucket, rate, NOW, calls=3)
    assert rates.reserve(bucket, rate, refused.value.retry_at, calls=3) == 1


def test_a_caller_with_reserved_calls_asks_the_state_table_once_and_a_pause_ends_them(bucket, monkeypatch):
    rate, sent, call = Rate(3_600, 3_600, burst=10), [], rates.rpc.call
    monkeypatch.setattr(rates.rpc, "call", lambda *given: sent.append(given[1]) or call(*given))
    calls = rates.Calls(bucket, rate)

    for coming in (4, 3, 2, 1):
        calls.take(coming)
    assert sent == ["GetItem", "UpdateItem"]
    assert rates.available(bucket, rate) == 6
    calls.take(3)
    calls.pause(30)
    with pytest.raises(QuotaExceeded):
        calls.take(2)


def test_two_callers_of_a_slow_bucket_are_both_told_when_to_come(aws):
    """One call in two minutes: the place behind the first one lies further ahead than anybody waits."""
    rate, at = Rate(1, 120), datetime.now(UTC)
    bucket = f"slow-{uuid.uuid4().hex}"
    rates.reserve(bucket, rate, at)

    for _ in range(3):
        with pytest.raises(QuotaExceeded) as refused:
            rates.reserve(bucket, rate, at)
        assert refused.value.retry_at == at + timedelta(seconds=120)

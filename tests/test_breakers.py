"""The circuit breaker of a platform, and the metrics of its calls."""

import json
import threading
import time

import pytest

from showrunner import breakers
from showrunner.errors import PlatformRejected, PlatformUnavailable

pytestmark = pytest.mark.usefixtures("aws")


def fail(platform: str) -> None:
    with pytest.raises(PlatformUnavailable), breakers.guard(platform, "call"):
        raise PlatformUnavailable("It is down.")


def test_a_breaker_opens_after_consecutive_failures_and_closes_with_an_answer():
    for _ in range(breakers.FAILURES):
        breakers.check("one", now=100)
        breakers.record("one", answered=False, now=100)
    with pytest.raises(PlatformUnavailable) as refused:
        breakers.check("one", now=101)
    assert (refused.value.retry_after, refused.value.was_sent) == (breakers.PAUSE_SECONDS - 1, False)
    breakers.check("one", now=100 + breakers.PAUSE_SECONDS)
    breakers.record("one", answered=True)
    breakers.check("one", now=101)


def test_after_the_pause_one_more_failure_opens_it_again():
    for _ in range(breakers.FAILURES):
        breakers.record("two", answered=False, now=100)
    later = 100 + breakers.PAUSE_SECONDS
    assert breakers.check("two", now=later) == breakers.FAILURES

    breakers.record("two", answered=False, now=later)

    with pytest.raises(PlatformUnavailable):
        breakers.check("two", now=later + 1)


def test_after_the_pause_one_call_tries_and_the_others_wait_for_its_end():
    for _ in range(breakers.FAILURES):
        breakers.record("probed", answered=False, now=time.time() - breakers.PAUSE_SECONDS - 1)
    made = []

    with breakers.guard("probed", "call"):
        for _ in range(3):
            with pytest.raises(PlatformUnavailable), breakers.guard("probed", "call"):
                made.append("meanwhile")
    with breakers.guard("probed", "call"):
        made.append("after its answer")

    assert made == ["after its answer"]


def test_of_many_callers_after_the_pause_only_one_calls(monkeypatch):
    for _ in range(breakers.FAILURES):
        breakers.record("crowd", answered=False, now=time.time() - breakers.PAUSE_SECONDS - 1)
    made, waits = [], threading.Barrier(8)

    def call():
        waits.wait()
        try:
            with breakers.guard("crowd", "call"):
                made.append(1)
                raise PlatformUnavailable("It is down still.")
        except PlatformUnavailable:
            pass

    threads = [threading.Thread(target=call) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert len(made) == 1


def test_slow_failures_count_together_but_not_those_of_another_hour():
    for number in range(breakers.FAILURES):
        breakers.record("three", answered=False, now=100 + 120 * number)
    with pytest.raises(PlatformUnavailable):
        breakers.check("three", now=100 + 120 * number + 1)
    assert breakers.check("three", now=100 + 120 * number + breakers.WINDOW_SECONDS) == 0


def test_an_open_breaker_refuses_the_call_before_it_is_made():
    for _ in range(breakers.FAILURES):
        fail("four")
    calls = []
    with pytest.raises(PlatformUnavailable), breakers.guard("four", "call"):
        calls.append("made")
    assert calls == []


def test_a_refused_request_is_an_answer():
    for _ in range(breakers.FAILURES - 1):
        fail("five")
    with pytest.raises(PlatformRejected), breakers.guard("five", "call"):
        raise PlatformRejected("No.")
    assert breakers.check("five") == 0


def test_a_paid_answer_is_kept_while_the_state_table_is_away(monkeypatch):
    monkeypatch.setenv("STATE_TABLE", "no-such-table")
    with breakers.guard("six", "call"):
        answer = "paid for"
    assert answer


def test_each_call_writes_metrics_with_bounded_dimensions(capsys):
    with breakers.guard("seven", "answer"):
        pass
    fail("seven")
    with pytest.raises(ZeroDivisionError), breakers.guard("seven", "answer"):
        raise ZeroDivisionError

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [(line["platform"], line["operation"], line["outcome"]) for line in lines] == [
        ("seven", "answer", "ok"),
        ("seven", "call", "PlatformUnavailable"),
        ("seven", "answer", "Unexpected"),
    ]
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Dimensions"] == [["platform", "operation", "outcome"]]
        assert {each["Name"] for each in directive["Metrics"]} <= line.keys()


def test_a_batch_of_calls_reads_the_state_once_and_sees_its_own_failures_at_once(monkeypatch):
    sent, call = [], breakers.rpc.call
    monkeypatch.setattr(breakers.rpc, "call", lambda *given: sent.append(given[1]) or call(*given))
    monkeypatch.setattr(breakers, "KNOWN_SECONDS", 3_600)
    monkeypatch.setattr(breakers, "_known", {})

    for _ in range(3):
        with breakers.guard("eight", "call"):
            pass
    assert sent == ["GetItem"]
    for _ in range(breakers.FAILURES):
        fail("eight")
    with pytest.raises(PlatformUnavailable, match="in a row"), breakers.guard("eight", "call"):
        pass


def test_failures_that_others_see_count_here_a_moment_later(monkeypatch):
    monkeypatch.setattr(breakers, "_known", {"nine": time.monotonic() - 0.001})
    for _ in range(breakers.FAILURES):
        breakers.record("nine", answered=False)

    with pytest.raises(PlatformUnavailable, match="in a row"), breakers.guard("nine", "call"):
        pass


@pytest.mark.parametrize("run", [1, 2])
def test_a_test_leaves_no_breaker_open(run):
    assert breakers.check("openai") == 0
    for _ in range(breakers.FAILURES):
        fail("openai")

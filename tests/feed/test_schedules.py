"""Schedules: they do not run while nothing is due, and never miss what is due."""

import time

import pytest

from showrunner.aws import dynamodb, schedules


@pytest.fixture(autouse=True)
def fresh_environment(aws, monkeypatch):
    """Start as an execution environment that has marked no work yet."""
    monkeypatch.setattr(schedules, "_words", {})


def test_a_schedule_without_a_record_runs():
    assert schedules.is_work_due("test-unknown")


def test_a_schedule_waits_until_the_time_it_recorded():
    now = time.time()
    schedules.look_again("test-named", now + 100)

    assert [schedules.is_work_due("test-named", now + later) for later in (0, 98, 101)] == [
        False,
        False,
        True,
    ]


def test_a_schedule_with_nothing_due_runs_again_within_hours():
    begin = 90_000 * schedules.LOOK_AGAIN_SECONDS
    schedules.look_again("test-nothing", None, begin + 60)
    schedules.look_again("test-far", begin + 1e9, begin + 7200)

    for name in ("test-nothing", "test-far"):
        assert not schedules.is_work_due(name, begin + schedules.LOOK_AGAIN_SECONDS - 1)
        assert schedules.is_work_due(name, begin + schedules.LOOK_AGAIN_SECONDS + 1), "all in the same minute"


def test_a_mark_of_new_work_outlives_a_schedules_record():
    """Work committed after the schedule looked is found: the mark says so, its record "nothing due"."""
    now = time.time()
    schedules.expect_work("test-word")
    schedules.look_again(
        "test-word", None, now + schedules.LOOK_AGAIN_SECONDS
    )  # far ahead of any time used here

    assert schedules.is_work_due("test-word", now + schedules.WORK_SECONDS - 60)
    assert not schedules.is_work_due("test-word", now + schedules.WORK_SECONDS + 60)


def test_an_environment_renews_its_mark_in_time_but_not_at_every_request(monkeypatch):
    puts = []
    monkeypatch.setattr(
        dynamodb, "put", lambda *item: puts.append(item)
    )  # only counts the calls; their effect is tested above
    for _ in range(10):
        schedules.expect_work("test-often")
    schedules._words["test-often"] -= schedules.WORK_SECONDS / 2 + 1
    schedules.expect_work("test-often")

    assert len(puts) == 2

"""metrics/runs.py: a figure that doesn't change is stored once, in whatever order its observations come."""

import itertools
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from showrunner.metrics.runs import MOST_SILENCE, Run, observe

BEGIN = datetime(2026, 11, 28, tzinfo=UTC)


def hour(number):
    return BEGIN + timedelta(hours=number)


def load(observations):
    """Return the stored runs by their begin, as the store keeps them."""
    stored = {}
    for number, value in observations:
        before = max((run for run in stored.values() if run.at <= hour(number)), default=None)
        stored |= {run.at: run for run in observe(before, hour(number), value, 1)}
    return sorted(stored.values())


def test_the_same_value_is_one_run_and_another_value_begins_the_next():
    assert load([(0, 5), (1, 5), (2, 5), (3, 6), (4, 5)]) == [
        Run(hour(0), hour(2), 5, 1),
        Run(hour(3), hour(3), 6, 1),
        Run(hour(4), hour(4), 5, 1),
    ]


def test_a_gap_stays_visible():
    late = 1 + MOST_SILENCE // timedelta(hours=1)

    assert load([(0, 5), (late, 5)]) == [Run(hour(0), hour(0), 5, 1), Run(hour(late), hour(late), 5, 1)]


def test_a_run_ends_with_its_month():
    december = 3 * 24

    assert [run.at for run in load([(december - 1, 5), (december, 5)])] == [
        hour(december - 1),
        hour(december),
    ]


def test_a_new_definition_begins_a_run():
    assert observe(Run(hour(0), hour(1), 5, 1), hour(2), 5, 2) == [Run(hour(2), hour(2), 5, 2)]


def test_a_late_value_interrupts_the_run_around_it():
    assert load([(0, 5), (1, 5), (3, 5), (2, 6)]) == [
        Run(hour(0), hour(0), 5, 1),
        Run(hour(2), hour(2), 6, 1),
        Run(hour(3), hour(3), 5, 1),
    ]


FACTS = st.dictionaries(st.integers(0, 200), st.integers(0, 2), min_size=1, max_size=12)


@given(FACTS, st.randoms(use_true_random=False))
def test_no_order_and_no_repeat_stores_a_value_that_was_not_observed(facts, random):
    observations = list(facts.items()) * 2
    random.shuffle(observations)

    stored = load(observations)

    for run in stored:
        inside = {value for number, value in facts.items() if run.at <= hour(number) <= run.last_at}
        assert inside == {run.value}
        assert {run.at, run.last_at} <= {hour(number) for number in facts}
    assert all(one.last_at < next_.at for one, next_ in itertools.pairwise(stored))


@given(FACTS)
def test_what_is_loaded_in_order_is_whole_and_loading_again_changes_nothing(facts):
    in_order = sorted(facts.items())

    stored = load(in_order)

    for number, value in in_order:
        assert [run.value for run in stored if run.at <= hour(number) <= run.last_at] == [value]
    assert load(in_order + in_order) == stored

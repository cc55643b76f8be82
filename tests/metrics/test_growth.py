"""metrics/growth.py: figures are compared with observed ones only."""

from datetime import UTC, datetime, timedelta

import pytest

from showrunner.metrics.definitions import definition
from showrunner.metrics.growth import Growth, Observation, growth, total_growth

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
NEWEST = Observation(1_000, NOW, 2)


def ago(value, definition=2, **length):
    return Observation(value, NOW - timedelta(**length), definition)


@pytest.mark.parametrize(
    ("days", "around", "change"),
    [
        (1, [ago(900, days=1)], 100),
        (1, [ago(900, hours=35)], 100),
        (1, [ago(900, hours=37)], None),
        (1, [ago(900, hours=11)], None),
        (7, [ago(1_200, days=8)], -200),
        (7, [ago(800, days=7, hours=20), ago(850, days=6, hours=20)], 150),
        (30, [ago(10, days=28, hours=13)], 990),
        (30, [], None),
    ],
)
def test_growth_is_measured_from_the_nearest_observation_that_is_near_enough(days, around, change):
    assert growth(NEWEST, days, around).change == change


def test_growth_across_a_change_of_the_definition_is_unknown_and_says_so():
    before = ago(900, definition=1, days=1)

    assert growth(NEWEST, 1, [before]) == Growth(1, None, before.at, is_redefined=True)


def test_a_total_grows_only_if_each_part_is_known():
    known, unknown = Growth(7, 5, NOW, is_redefined=False), Growth(7, None, None, is_redefined=False)

    assert total_growth(7, [known, known]).change == 10
    assert total_growth(7, [known, unknown]).change is None
    assert total_growth(7, []).change is None


def test_youtube_counts_views_differently_since_august_2026():
    before, after = datetime(2026, 8, 26, 23, 59, tzinfo=UTC), datetime(2026, 8, 27, tzinfo=UTC)

    assert [definition("youtube", "views", at) for at in (before, after)] == [1, 2]
    assert definition("youtube", "followers", after) == 1

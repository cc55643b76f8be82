"""Daily quotas of platforms: never overspent, reset at midnight Pacific time."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from showrunner import quotas
from showrunner.errors import QuotaExceeded

pytestmark = pytest.mark.usefixtures("aws")


def test_concurrent_spending_never_exceeds_the_quota():
    refused = []

    def work():
        for _ in range(10):
            try:
                quotas.spend("many", "general", 3, 40)
            except QuotaExceeded:
                refused.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert quotas.spent("many", "general") == 39
    assert len(refused) == 40 - 13


@pytest.mark.parametrize(("limit", "units"), [(0, 1), (100, 455)])
def test_the_first_call_of_a_day_is_refused_if_it_asks_for_more_than_the_limit(limit, units):
    with pytest.raises(QuotaExceeded):
        quotas.spend(f"first-{limit}", "general", units, limit)

    assert quotas.spent(f"first-{limit}", "general") == 0


def test_the_first_call_of_a_share_is_refused_if_it_asks_for_more_than_the_share():
    with pytest.raises(QuotaExceeded):
        quotas.reserve(
            "first-share", "general", quotas.SHARES["metrics"] + 1, 10_000, "a", share="metrics", now=LATER
        )

    assert quotas.spent("first-share", "general", LATER) == 0


MIDNIGHT = datetime(2031, 7, 4, 7, tzinfo=UTC)  # in Los Angeles


BEFORE, AFTER, LATER = (
    MIDNIGHT - timedelta(seconds=1),
    MIDNIGHT + timedelta(seconds=2),
    MIDNIGHT + timedelta(hours=3),
)


def test_units_reserved_before_midnight_are_settled_in_the_day_before():
    ledger = quotas.Ledger("midnight", "general", 100)
    day = ledger.spend(7, BEFORE)
    ledger.give_back(2, day)
    assert (quotas.spent("midnight", "general", BEFORE), quotas.spent("midnight", "general", AFTER)) == (5, 0)

    ledger.exhaust(day, AFTER)

    assert ledger.spend(1, AFTER) != day
    with pytest.raises(QuotaExceeded):
        ledger.spend(1, BEFORE)


def test_a_quota_refused_in_the_first_minutes_of_a_day_is_retried():
    ledger = quotas.Ledger("early", "general", 100)
    error = ledger.exhaust(ledger.spend(1, AFTER), AFTER)
    assert error.retry_at == AFTER + timedelta(minutes=5)
    with pytest.raises(QuotaExceeded) as refused:
        ledger.spend(1, AFTER + timedelta(minutes=4))
    assert refused.value.retry_at == AFTER + timedelta(minutes=9)
    day = ledger.spend(1, AFTER + timedelta(minutes=5))

    assert ledger.exhaust(day, LATER).retry_at == MIDNIGHT + timedelta(days=1)
    with pytest.raises(QuotaExceeded) as refused:
        ledger.spend(1, LATER)
    assert refused.value.retry_at == MIDNIGHT + timedelta(days=1)


NOON, EVENING = MIDNIGHT + timedelta(hours=12), MIDNIGHT + timedelta(hours=20)


def test_the_shares_add_up_to_the_quota():
    assert sum(quotas.SHARES.values()) == quotas.ALL_UNITS
    assert quotas.SHARES["polling"] >= quotas.POLL_UNITS


def test_a_share_is_kept_for_its_users_until_the_evening():
    shares = quotas.SHARES
    quotas.spend("shares", "general", shares["polling"], quotas.ALL_UNITS, NOON, "polling")

    with pytest.raises(QuotaExceeded) as refused:
        quotas.spend("shares", "general", 1, quotas.ALL_UNITS, NOON, "polling")

    assert refused.value.retry_at == EVENING
    quotas.spend("shares", "general", shares["publication"], quotas.ALL_UNITS, NOON, "publication")
    left = quotas.ALL_UNITS - shares["polling"] - shares["publication"]
    assert quotas.spend("shares", "general", left, quotas.ALL_UNITS, EVENING, "polling") == "2031-07-04"
    with pytest.raises(QuotaExceeded):
        quotas.spend("shares", "general", 1, quotas.ALL_UNITS, EVENING, "metrics")
    assert quotas.spent("shares", "general", EVENING) == quotas.ALL_UNITS


def test_a_reservation_counts_once_and_is_released_once():
    day = quotas.reserve("once", "general", 500, 1000, "a", NOON, "publication")
    quotas.reserve("once", "general", 500, 1000, "a", NOON, "publication")
    quotas.reserve("once", "general", 500, 1000, "b", NOON, "publication")
    with pytest.raises(QuotaExceeded):
        quotas.reserve("once", "general", 500, 1000, "c", NOON, "publication")

    for _ in range(2):
        quotas.release("once", "general", 500, "a", day, "publication")

    assert quotas.spent("once", "general", NOON) == 500
    quotas.reserve("once", "general", 500, 1000, "c", NOON, "publication")


FAIR, BACK = (quotas.Project(name, quotas.ALL_UNITS, quotas.INSERTS_A_DAY) for name in ("fair", "back"))


def test_organisations_that_wait_get_equal_parts_until_noon():
    morning, share = MIDNIGHT + timedelta(hours=1), quotas.SHARES["publication"]
    alone = quotas.reserve_publication(FAIR, share, "first", "alone", MIDNIGHT - timedelta(days=3))
    assert alone == "2031-07-01"
    for asking in ("a", "b"):
        quotas.reserve_publication(FAIR, 500, f"{asking}-0", asking, morning)

    with pytest.raises(QuotaExceeded) as refused:
        quotas.reserve_publication(FAIR, share // 2, "a-1", "a", morning)

    assert refused.value.retry_at == NOON
    quotas.reserve_publication(FAIR, share // 2 - 500, "b-1", "b", morning)
    assert quotas.units_by_organisation("fair", morning) == {"a": 500, "b": share // 2}
    quotas.reserve_publication(FAIR, share // 2 - 500, "a-2", "a", NOON)
    with pytest.raises(QuotaExceeded):
        quotas.reserve_publication(FAIR, 500, "a-3", "a", NOON)  # the share is spent
    assert quotas.units_by_organisation("fair", NOON) == {"a": share // 2, "b": share // 2}
    assert quotas.spent("fair", "general", NOON) == share


def test_a_publication_that_was_released_counts_nowhere():
    day = quotas.reserve_publication(BACK, 500, "a", "o", NOON)

    quotas.release_publication(BACK, 500, "a", "o", day)

    assert (quotas.spent("back", "general", NOON), quotas.units_by_organisation("back", NOON)) == (
        0,
        {"o": 0},
    )


def test_an_organisations_own_project_is_neither_divided_nor_pooled():
    own = quotas.own_project("o-own", 600, 1)

    quotas.reserve_publication(own, 500, "a", "o-own", NOON)
    with pytest.raises(QuotaExceeded):
        quotas.reserve_publication(own, 500, "b", "o-own", NOON)

    assert quotas.spent(own.name, "general", NOON) == 500
    assert quotas.spent(quotas.STAGE.name, "general", NOON) == 0, "the stage's project is not used instead"
    assert quotas.units_by_organisation(own.name, NOON) == {}
    quotas.release_publication(own, 500, "a", "o-own", quotas.pacific_day(NOON))
    assert quotas.spent(own.name, "general", NOON) == 0


def test_a_quota_of_a_month_begins_on_its_first_day(monkeypatch):
    at = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)

    assert quotas.quota_day("airtable", at) == "2027-01-01"
    assert quotas.quota_ends_at("airtable", at) == datetime(2027, 2, 1, tzinfo=UTC)
    assert quotas.quota_ends_at("airtable", datetime(2026, 12, 1, tzinfo=UTC)) == datetime(
        2027, 1, 1, tzinfo=UTC
    )
    # It is kept until then, however early it was used.
    early = datetime(2027, 1, 1, tzinfo=UTC)
    quotas.spend("airtable", "calls", 3, 1_000, early)
    assert quotas.spent("airtable", "calls", at) == 3
    assert quotas.spent("airtable", "calls", at + timedelta(minutes=1)) == 0


def test_the_largest_of_what_a_platform_says_is_kept():
    at = datetime(2027, 3, 1, 12, tzinfo=UTC)
    for used in (60, 97, 80):
        quotas.observe("instagram", "account", used, at)

    assert quotas.spent("instagram", "account", at) == 97
    assert quotas.left(at)["instagram", "account"] == 3

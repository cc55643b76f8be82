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

"""The circuit breaker of a platform."""

import pytest

from showrunner import breakers
from showrunner.errors import PlatformUnavailable

pytestmark = pytest.mark.usefixtures("aws")


def test_a_breaker_opens_after_consecutive_failures_and_closes_with_an_answer():
    for _ in range(breakers.FAILURES):
        breakers.check("one", now=100)
        breakers.record("one", answered=False, now=100)
    with pytest.raises(PlatformUnavailable):
        breakers.check("one", now=101)
    breakers.check("one", now=100 + breakers.PAUSE_SECONDS)
    breakers.record("one", answered=True)
    breakers.check("one", now=101)

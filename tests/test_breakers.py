"""The circuit breaker of a platform."""

import pytest

from showrunner import state
from showrunner.errors import PlatformUnavailable

pytestmark = pytest.mark.usefixtures("aws")


def test_a_breaker_opens_after_consecutive_failures_and_closes_with_an_answer():
    for _ in range(state.FAILURES):
        state.check_breaker("one", now=100)
        state.note_outcome("one", answered=False, now=100)
    with pytest.raises(PlatformUnavailable):
        state.check_breaker("one", now=101)
    state.check_breaker("one", now=100 + state.PAUSE_SECONDS)
    state.note_outcome("one", answered=True)
    state.check_breaker("one", now=101)

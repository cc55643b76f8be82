"""Refresh, reuse and logout in any order, compared with a simple model of refresh token families."""

import contextlib
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from showrunner.access import sessions, tokens
from showrunner.database import db
from showrunner.errors import Unauthorized
from showrunner.store.accounts import members, organisations, users

# No sum of waits is within two seconds of the ten that are tolerated, because time also passes while the test runs.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("refresh"), st.integers(0, 8)),
        st.tuples(st.just("wait"), st.sampled_from([4, 12, 60])),
        st.tuples(st.just("logout"), st.integers(0, 8)),
        st.tuples(st.just("login"), st.just(0)),
    ),
    max_size=12,
)


class Model:
    """The expected state. A family ends at a logout, or when a token is reused more than ten seconds after its first use."""

    def __init__(self):
        self.now, self.families, self.held = 0, {}, []

    def add(self, pair):
        family = tokens.verify(pair["access_token"]).family
        self.families.setdefault(family, True)
        self.held.append([pair, family, None])

    def refresh(self, held):
        """Return whether the token is accepted, and end its family if it was reused."""
        _, family, spent_at = held
        if not self.families[family]:
            return False
        if spent_at is not None and self.now - spent_at > sessions.FORGIVEN_SECONDS:
            self.families[family] = False
            return False
        if spent_at is None:
            held[2] = self.now
        return True


@pytest.fixture
def member(tx, signing_key):
    organisation_id = organisations.add(tx, "Sessions")
    user_id = users.add(tx, f"{uuid.uuid4().hex[:12]}@example.com", None, "Ada", None, None)
    members.add(tx, organisation_id, user_id, "user", owner=True)
    return members.get(tx, user_id)


EXAMPLES = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}


@given(steps=STEPS)
@settings(max_examples=300, **EXAMPLES)
def test_refresh_reuse_and_logout_in_any_order_match_the_model(member, steps, monkeypatch_module):
    run_and_roll_back(member, steps)


@pytest.mark.slow
@pytest.mark.timeout(300)
@given(steps=STEPS)
@settings(max_examples=2000, **EXAMPLES)
def test_refresh_reuse_and_logout_in_any_order_match_the_model_with_many_examples(member, steps, monkeypatch_module):
    run_and_roll_back(member, steps)


def run_and_roll_back(member, steps):
    with contextlib.suppress(RollBack), db.transaction() as tx:
        run(tx, member, steps)
        raise RollBack


class RollBack(Exception):
    """Roll an example back, so that its rows do not slow down the next ones."""


def run(tx, member, steps):
    model = Model()
    model.add(begin(member))
    for kind, number in steps:
        held = model.held[number % len(model.held)]
        if kind == "login":
            model.add(begin(member))
        elif kind == "wait":
            model.now += number
            db.run(tx, "UPDATE access.refresh_tokens SET spent_at = spent_at - make_interval(secs => :seconds) WHERE spent_at IS NOT NULL", seconds=number)
        elif kind == "logout":
            with db.transaction() as inner:
                sessions.end(inner, tokens.verify(held[0]["access_token"]))
            model.families[held[1]] = False
        else:
            expected = model.refresh(held)
            pair = renewed(held[0]["refresh_token"])
            assert (pair is not None) == expected
            if pair is not None:
                model.add(pair)


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RATE_LIMIT_FACTOR", "1000000")
        yield patch


def begin(member):
    with db.transaction() as tx:
        return sessions.begin(tx, member)


def renewed(refresh_token):
    try:
        return sessions.renew(refresh_token)
    except Unauthorized:
        return None

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

# No sum of waits is within two seconds of the ten that are tolerated, because time also passes while the test
# runs.
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
    """The expected state.

    A family ends at a logout, or when a token is reused more than ten seconds after its first use.
    """

    def __init__(self):
        self.now, self.families, self.held = 0, {}, []

    def add(self, pair):
        """Hold a pair. A repeat within ten seconds returns the same successor, which is held once."""
        family = tokens.verify(pair["access_token"]).family
        self.families.setdefault(family, True)
        if not any(held[0]["refresh_token"] == pair["refresh_token"] for held in self.held):
            self.held.append([pair, family, None])

    def refresh(self, held):
        """Return whether the token is accepted, and end its family if it was reused."""
        _, family, spent_at = held
        if not self.families[family]:
            return False
        if spent_at is not None and self.now - spent_at > sessions.GRACE_SECONDS:
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
def test_refresh_reuse_and_logout_in_any_order_match_the_model_with_many_examples(
    member, steps, monkeypatch_module
):
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
            db.run(
                tx,
                "UPDATE access.refresh_tokens SET spent_at = spent_at - make_interval(secs => :seconds) "
                "WHERE spent_at IS NOT NULL",
                seconds=number,
            )
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
        assert max(living_tokens(tx).values(), default=0) <= 1, "a family never has two living chains"


def living_tokens(tx):
    """Return the number of unspent refresh tokens by living family."""
    rows = db.rows(
        tx,
        """
        SELECT f.id::text, count(*) AS n
          FROM access.refresh_tokens t JOIN access.refresh_families f ON f.id = t.family_id
         WHERE t.spent_at IS NULL AND f.revoked_at IS NULL GROUP BY f.id
        """,
    )
    return {row["id"]: row["n"] for row in rows}


class Copy:
    """Somebody who uses a refresh token and keeps the successor: the owner, or a thief who copied it."""

    def __init__(self, refresh_token):
        self.refresh_token = refresh_token

    def refresh(self):
        """Return whether the token was accepted."""
        pair = renewed(self.refresh_token)
        if pair is None:
            return False
        self.refresh_token = pair["refresh_token"]
        return True


TURNS = st.lists(st.tuples(st.sampled_from(["owner", "thief"]), st.sampled_from([0, 4, 12, 60])), max_size=12)


@given(turns=TURNS)
@settings(max_examples=100, **EXAMPLES)
def test_a_thief_and_the_owner_never_have_two_living_chains(member, turns, monkeypatch_module):
    """Whoever refreshes next ends the family, or gets the token that the other one has."""
    with contextlib.suppress(RollBack), db.transaction() as tx:
        start = begin(member)["refresh_token"]
        both = {"owner": Copy(start), "thief": Copy(start)}
        for who, wait in turns:
            db.run(
                tx,
                "UPDATE access.refresh_tokens SET spent_at = spent_at - make_interval(secs => :s) "
                "WHERE spent_at IS NOT NULL",
                s=wait,
            )
            both[who].refresh()
            assert max(living_tokens(tx).values(), default=0) <= 1
        raise RollBack


def test_parallel_refreshes_of_one_token_return_one_successor(member):
    start = begin(member)["refresh_token"]

    successors = {renewed(start)["refresh_token"] for _ in range(8)}

    assert len(successors) == 1


def test_a_copy_used_within_the_grace_period_is_noticed_at_its_next_use(member, tx):
    start = begin(member)["refresh_token"]
    owner, thief = Copy(start), Copy(start)
    assert owner.refresh()
    assert thief.refresh(), "within ten seconds nobody can tell them apart"
    assert owner.refresh()
    db.run(
        tx,
        "UPDATE access.refresh_tokens SET spent_at = spent_at - interval '1 minute' "
        "WHERE spent_at IS NOT NULL",
    )

    assert not thief.refresh(), "its token was spent by the owner"
    assert not owner.refresh(), "and the whole family has ended"


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

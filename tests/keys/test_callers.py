"""A small run of `make bench-keys`: callers in other processes that cache what they read."""

import pytest

from showrunner.aws import dynamodb, ssm
from showrunner.keys import state
from tests.bench import keys as bench

KINDS = (bench.OPENAI, bench.APPSYNC)


@pytest.fixture
def clean(aws):
    before = {name: ssm.current(name) for name in KINDS}
    yield
    for name, value in before.items():
        ssm.write(name, value) if value else ssm.remove(name)
        for other in (state.candidate(name), state.previous(name)):
            ssm.remove(other)
        dynamodb.remove(state.primary_key(name), "rotation")
    ssm.forget()


def test_callers_never_fail_while_rotations_are_killed(tx, clean, tmp_path):
    with (tmp_path / "log").open("w+") as written:
        found = bench.measure(
            KINDS,
            written,
            cache_seconds=0.3,
            callers=1,
            places=lambda: iter((3, 9)),
            moments=("after",),
        )
    assert {name: found[name] for name in bench.MUST_BE_NONE} == dict.fromkeys(bench.MUST_BE_NONE, 0), found
    assert found["calls"] > 20
    assert all(kind["killed"] >= 2 and kind["lost"] == 1 for kind in found["kinds"].values())

"""Change sets of metadata and of claims alike: killed, refused, out of quota, stopped."""

from datetime import UTC, datetime

import pytest

from showrunner import quotas
from showrunner.accounts import connections
from showrunner.aws import dynamodb
from tests.rights.change_work import CHANGES, ROWS, execute, reset_quota


@pytest.fixture(params=["channel", "own"])
def work(request):
    return request.getfixturevalue(request.param)


def statuses(work, change_set_id):
    return [row["status"] for row in work.rows(change_set_id)]


@pytest.mark.parametrize("killed_after", range(1, ROWS + 2))
def test_a_step_that_is_killed_after_any_call_loses_no_row_and_writes_none_twice(work, killed_after):
    """YouTube has done what was asked for, and nobody knows."""
    state, before = work.state(), work.calls(work.write)
    change_set_id = work.propose_all()
    work.run(change_set_id)
    execute(work, change_set_id, killed_after=killed_after)

    assert statuses(work, change_set_id) == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS
    assert {row["status"] for row in work.carry_out(work.undo(change_set_id))} == {"success"}
    assert work.state() == state


@pytest.mark.parametrize("fault", ["close", "lost", "status"])
def test_a_call_that_fails_is_made_again(work, fault):
    work.world.library.add_faults([{"on": work.write, "kind": fault}])
    change_set_id = work.propose_all()
    work.run(change_set_id)

    assert execute(work, change_set_id) == ["later", "done"]
    assert statuses(work, change_set_id) == ["success"] * ROWS


def test_out_of_quota_in_the_middle_it_waits_and_goes_on(work):
    work.leave_quota_for_two()
    change_set_id = work.propose_all()
    end = work.client("GET", f"{CHANGES}/{change_set_id}").body["expected_end"]
    assert datetime.fromisoformat(end) >= quotas.pacific_midnight(datetime.now(UTC))
    work.run(change_set_id)

    # In the last hour of YouTube's day metadata may spend what others have left.
    if work.write == "claims.insert" or not quotas.is_shared_time(datetime.now(UTC)):
        assert execute(work, change_set_id, waits=1) == ["later"]
        assert statuses(work, change_set_id) == ["success"] * 2 + ["pending"] * 2
        assert work.set(change_set_id)["status"] == "stopped"
        reset_quota()
        work.run(change_set_id)
    assert execute(work, change_set_id) == ["done"]
    assert statuses(work, change_set_id) == ["success"] * ROWS


def test_youtubes_own_refusal_for_quota_waits_too(work):
    work.let_youtube_refuse_after_two()
    change_set_id = work.propose_all()
    work.run(change_set_id)

    assert execute(work, change_set_id, waits=1) == ["later"]
    assert statuses(work, change_set_id) == ["success"] * 2 + ["pending"] * 2
    # So nobody asks in vain for the rest of the day.
    again = execute(work, change_set_id, waits=1)
    assert again == ["later"] or quotas._is_fresh(datetime.now(UTC))


def test_a_second_person_who_runs_it_too_starts_nothing(work):
    change_set_id = work.propose_all()
    before = work.calls(work.write)
    work.run(change_set_id)
    refused = work.second("POST", f"{CHANGES}/{change_set_id}/run")
    assert (refused.status, "running already" in refused.body["error"]["message"]) == (409, True)
    # Each step may come twice, and the machine too.
    for _ in range(2):
        assert execute(work, change_set_id) == ["done"]
    assert statuses(work, change_set_id) == ["success"] * ROWS
    assert work.calls(work.write) == before + ROWS
    refused = work.second("POST", f"{CHANGES}/{change_set_id}/run")
    assert (refused.status, "No row is left" in refused.body["error"]["message"]) == (409, True)


def test_a_stopped_change_set_goes_on_where_it_was(work):
    change_set_id = work.propose_all()
    work.run(change_set_id)
    path = f"{CHANGES}/{change_set_id}/stop"
    assert work.client("POST", path).body["change_set"]["status"] == "stopping"
    before = work.calls(work.write)
    execute(work, change_set_id)

    found = work.set(change_set_id)
    assert (found["status"], found["rows"]["pending"]) == ("stopped", ROWS)
    assert work.calls(work.write) == before
    assert work.client("POST", path).status == 409
    assert {row["status"] for row in work.carry_out(change_set_id)} == {"success"}
    assert work.set(change_set_id)["status"] == "done"


def test_a_lost_permission_leaves_rows_that_can_be_run_again(work):
    connections.remove(work.connection_id)
    dynamodb.remove(f"connection#{work.connection_id}", "access")
    change_set_id = work.propose_all()
    work.run(change_set_id)
    execute(work, change_set_id)

    assert set(statuses(work, change_set_id)) == {"error"}
    assert "connect it again" in work.rows(change_set_id)[0]["message"]
    work.connect()
    assert {row["status"] for row in work.carry_out(change_set_id)} == {"success"}

"""Rotation of a key on the deployed stack: API, machine, functions and their policies, SSM, audit log."""

import json
import time

import pytest

pytestmark = pytest.mark.stack

KEYS = "/admin/keys"


def test_a_key_is_tested_switched_and_rolled_back(stack, admin):
    first = value(stack, "openai/api_key")

    assert rotated(admin, "openai/api_key", "rotate", {"value": "local-second-key"})["progress"] == "done"
    assert value(stack, "openai/api_key") == "local-second-key"
    assert rotated(admin, "openai/api_key", "rollback")["progress"] == "done"
    assert value(stack, "openai/api_key") == first

    actions = ["key_rotate_requested", "key_rotate", "key_rollback_requested", "key_rollback"]
    deadline = time.monotonic() + 60  # the machine writes its row after the switch
    while len(events := audit(admin)) < len(actions) and time.monotonic() < deadline:
        time.sleep(1)
    assert [each["action"] for each in reversed(events)] == actions
    done = [each["change"] for each in events if each["action"] == "key_rotate"]
    assert [each["steps"] for each in done] == [["create", "publish", "test", "finish"]]
    assert "local-second-key" not in json.dumps(events)
    machine = next(
        each["stateMachineArn"]
        for each in stack.aws("stepfunctions").list_state_machines()["stateMachines"]
        if each["name"].endswith("-rotation")
    )
    for execution in stack.aws("stepfunctions").list_executions(stateMachineArn=machine)["executions"]:
        history = stack.aws("stepfunctions").get_execution_history(executionArn=execution["executionArn"])
        assert "local-second-key" not in json.dumps(history, default=str)


def audit(admin):
    """Return this admin's events, newest first: the stack keeps those of earlier runs."""
    user_id = admin.get("/users/me").raise_for_status().json()["user"]["id"]
    found = admin.get("/admin/audit", params={"thing": "secret", "subject": user_id})
    return found.raise_for_status().json()["events"]


def value(stack, name):
    parameter = stack.aws("ssm").get_parameter(Name=f"/showrunner/local/{name}", WithDecryption=True)
    return parameter["Parameter"]["Value"]


def rotated(admin, name, kind, body=None):
    """Start a rotation and return how it ended."""
    started = admin.post(f"{KEYS}/{name}/{kind}", json=body)
    assert started.status_code == 202, started.text
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        keys = admin.get(KEYS).raise_for_status().json()["keys"]
        newest = next(each["newest_rotation"] for each in keys if each["name"] == name)
        if newest["progress"] != "running":
            assert newest["rotation_id"] == started.json()["rotation_id"]
            return newest
        time.sleep(1)
    raise AssertionError(f"the rotation of {name} is still running")

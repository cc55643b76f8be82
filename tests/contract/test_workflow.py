"""The GitHub workflow only calls make targets and gives each job only the rights that it needs."""

import re

import pytest
import yaml

from tests.contract.code import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What a runner lacks and a make target can't install for itself.
SYSTEM = "sudo apt-get update && sudo apt-get install --yes nftables"


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request) -> dict:
    return yaml.safe_load(request.param.read_text(encoding="utf-8"))


def steps(workflow: dict) -> list[dict]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_every_command_is_a_make_target(workflow):
    targets = set(
        re.findall(r"^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    commands = [step["run"] for step in steps(workflow) if "run" in step]

    assert commands
    for command in commands:
        assert command == SYSTEM or re.fullmatch(r"make ([a-z-]+)( STAGE=dev)?", command)[1] in targets, (
            command
        )


def test_every_action_is_one_commit_and_no_job_has_more_rights_than_it_names(workflow):
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
    assert workflow["permissions"] == {}
    assert {name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job} == set()
    assert {name for name, job in workflow["jobs"].items() if "id-token" in job["permissions"]} == {"deploy"}


def test_no_step_finds_the_token_of_the_checkout(workflow):
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]

    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_only_what_was_checked_and_tested_is_deployed(workflow):
    deploy = workflow["jobs"]["deploy"]

    assert set(deploy["needs"]) == {"check", "test"}
    assert deploy["if"] == "github.event_name == 'push'"
    assert deploy["environment"] == "dev"

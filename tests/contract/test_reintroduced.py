"""The 24 faults that a first deployment once met, put back one at a time: `make check` refuses each.

The number is the fault's in the list that they were found in. Those of templates, machines and image are
tried in this process, those of the code by pytest in a copy of the repository (`make test-full`).
"""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local import check as make_check
from tests.contract import (
    protections,
    template,
    test_alarms,
    test_deployable,
    test_protections,
    test_statemachine,
    test_template,
    transformed,
)
from tests.contract.code import ROOT
from tests.contract.template import APPLICATION, DATA, EDGE, FILES

MACHINE = ROOT / "statemachines" / "production.asl.json"
IMAGE = test_deployable.DOCKERFILE
SECOND_ROUTE = """  Second:
    Type: AWS::EC2::Route
    Condition: HasNatGateway
    Properties:
      RouteTableId: !Ref PrivateRoutes
      DestinationCidrBlock: 0.0.0.0/0
      NatGatewayId: !Ref NatGateway
"""
DATABASE = "  # ---------------------------------------------------------------- Database\n"
HOST = "  DatabaseHost: {Value: !If [MakesDatabase, !GetAtt Database.Endpoint.Address, !Ref DatabaseHost]"
CAUSE = "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}"
OF = test_deployable


def resource(path: Path, name: str) -> str:
    """Return the lines of a resource in a template."""
    found = re.search(rf"^  {name}:\n(?:    .*\n|\n)+", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[0]


# The fault: its file; what stands there now; what stood there then; the check.
FAULTS: dict[str, tuple[Any, str, str, Callable[..., Any]]] = {
    "01 nft rules on one line": (
        DATA,
        "              masquerade\n            }\n",
        "              masquerade }\n",
        OF.test_every_rule_that_a_start_script_writes_is_understood_by_nft,
    ),
    "01 a start that says nothing": (
        DATA,
        "CreationPolicy: {ResourceSignal",
        "Metadata: {ResourceSignal",
        OF.test_every_machine_tells_cloudformation_how_its_start_ended,
    ),
    "01 512 MB for dnf": (
        DATA,
        "t4g.micro",
        "t4g.nano",
        OF.test_no_machine_that_installs_packages_has_less_memory_than_dnf_takes,
    ),
    "02 names that stay after a failure": (
        DATA,
        "DeletionPolicy: RetainExceptOnCreate",
        "DeletionPolicy: Retain",
        test_template.test_resources_with_data_are_retained,
    ),
    "02 protected from the start": (
        DATA,
        "!If [IsProtected, true, false]",
        "true",
        OF.test_a_failed_first_deployment_can_be_undone,
    ),
    "03 a schedule without a name": (
        APPLICATION,
        "            Name: !Sub showrunner-${Stage}-sweep\n",
        "",
        OF.test_every_physical_name_contains_the_stage,
    ),
    "04 two routes": (DATA, DATABASE, SECOND_ROUTE + DATABASE, OF.test_every_destination_has_one_route),
    "04 an address before the gateway": (
        DATA,
        "    DependsOn: InternetGatewayAttachment\n    Properties: {Domain: vpc}",
        "    Properties: {Domain: vpc}",
        OF.test_what_needs_the_internet_waits_for_the_gateway_to_be_attached,
    ),
    "05 a placeholder as default": (
        APPLICATION,
        "  IngestionUrl:\n    Type: String\n",
        "  IngestionUrl:\n    Type: String\n    Default: https://ingestion.invalid\n",
        OF.test_no_default_points_at_a_machine_that_isnt_there,
    ),
    "07 a GPU that nobody may start": (
        APPLICATION,
        "    Default: auto\n",
        "    Default: gpu\n",
        OF.test_a_new_account_can_render,
    ),
    "07 a late job that goes on": (
        MACHINE,
        '"Next": "FindGpuJob"',
        '"Next": "RenderOnCpu"',
        test_statemachine.test_a_gpu_job_that_came_too_late_is_ended_before_the_cpu_takes_over,
    ),
    "08 deregistered definitions": (
        APPLICATION,
        "{SkipDeregisterOnUpdate: true}",
        "{SkipDeregisterOnUpdate: false}",
        OF.test_a_running_execution_keeps_the_job_definition_that_it_began_with,
    ),
    "12 an exported host": (
        DATA,
        HOST,
        f"{HOST}, Export: {{Name: x}}",
        OF.test_nothing_that_is_exported_stands_in_the_way_of_a_restore,
    ),
    "12 no snapshot": (
        DATA,
        "      SnapshotIdentifier: !If [IsRestored, !Ref DatabaseSnapshot, !Ref AWS::NoValue]\n",
        "",
        OF.test_the_database_can_be_made_from_a_snapshot_beside_the_one_that_is_there,
    ),
    "14 endpoints as a way out": (
        DATA,
        "[instance, gateway, none]",
        "[instance, gateway, endpoints, none]",
        OF.test_every_way_out_that_can_be_chosen_leads_where_the_functions_go,
    ),
    "16 the account's role overwritten": (
        DATA,
        "    Type: AWS::ApiGateway::Account\n    Condition: MakesApiLogs\n",
        "    Type: AWS::ApiGateway::Account\n",
        OF.test_the_whole_account_s_settings_can_be_left_alone,
    ),
    "16 a cause that isn't there": (
        MACHINE,
        CAUSE,
        "{% $states.errorOutput.Cause %}",
        test_statemachine.test_a_cause_that_is_missing_breaks_no_failure_path,
    ),
    "17 metrics of every route": (
        APPLICATION,
        "DetailedMetricsEnabled: !If [HasDetailedMetrics, true, false]",
        "DetailedMetricsEnabled: true",
        OF.test_metrics_of_every_route_are_a_choice,
    ),
    "18 a log that grows for ever": (
        DATA,
        "/postgresql', RetentionInDays: 30}",
        "/postgresql'}",
        OF.test_every_log_group_that_aws_makes_by_itself_is_made_here_and_forgets,
    ),
    "21 $Latest": (
        APPLICATION,
        "!GetAtt RenderLaunchTemplate.LatestVersionNumber",
        "$Latest",
        OF.test_no_version_is_whatever_is_newest,
    ),
    "24 no versions": (
        DATA,
        "VersioningConfiguration: {Status: Enabled}",
        "VersioningConfiguration: {Status: Suspended}",
        OF.test_what_is_overwritten_by_mistake_can_be_brought_back_and_goes_in_time,
    ),
    "11 a failure that nobody keeps": (
        APPLICATION,
        "DestinationConfig: {OnFailure:",
        "DestinationConfig: {OnSuccess:",
        OF.test_what_a_function_fails_on_alone_is_kept,
    ),
    "11 throttles that nobody sees": (
        APPLICATION,
        resource(APPLICATION, "ApiFunctionsThrottled"),
        "",
        test_alarms.test_every_alarm_is_triggered_above_and_has_a_runbook,
    ),
    "13 a NAT that nobody watches": (
        DATA,
        resource(DATA, "NatFails"),
        "",
        test_alarms.test_every_alarm_is_triggered_above_and_has_a_runbook,
    ),
    "19 a health check beside the render": (
        IMAGE,
        "ENTRYPOINT []\n",
        "HEALTHCHECK CMD python -m render --self-test\n",
        OF.test_the_image_is_built_from_what_was_tested,
    ),
    "20 no budget": (
        DATA,
        resource(DATA, "Budget"),
        "",
        test_protections.test_every_value_that_protects_is_the_one_that_was_reviewed,
    ),
    "22 a base image that changes": (
        IMAGE,
        re.findall(r"@sha256:\w+", IMAGE.read_text(encoding="utf-8"))[-1],
        "",
        OF.test_the_image_is_built_from_what_was_tested,
    ),
    "22 packages without hashes": (
        IMAGE,
        " --require-hashes",
        "",
        OF.test_the_image_is_built_from_what_was_tested,
    ),
}
RELEASE, DEPLOYABLE = "tests/local/test_release.py", "tests/contract/test_deployable.py"
ADMIN, WAKING = "tests/functions/test_migrate_admin.py", "tests/database/test_waking.py"
# The same for code: the check is a test that `make check` runs by its name.
CODE: dict[str, tuple[str, str, str, str]] = {
    "02 a stack that was rolled back": (
        "local/stages/stage.py",
        '"CREATE_FAILED", "ROLLBACK_COMPLETE"',
        '"CREATE_FAILED"',
        f"{RELEASE}::test_a_first_deployment_that_never_stood_is_undone_and_made_again",
    ),
    "05 the stage's parameters are lost": (
        "local/release.py",
        "            **given,\n        }\n        return {**values",
        "        }\n        return {**values",
        f"{RELEASE}::test_the_stage_s_file_and_what_the_stacks_say_meet_in_the_parameters",
    ),
    "05 a placeholder is deployed": (
        "local/stages/stage.py",
        '("localhost", "127.0.0.1", ".invalid"',
        '("127.0.0.1"',
        f"{RELEASE}::test_an_address_that_leads_nowhere_is_never_deployed",
    ),
    "06 one pass": (
        "local/release.py",
        "            if self.application_parameters(image, found) == wanted:\n                return\n",
        "            return\n",
        f"{RELEASE}::test_a_stage_is_made_in_order_and_protected_only_when_it_stands",
    ),
    "07 quotas that nobody asks for": (
        "local/stages/preflight.py",
        "        *concurrency(stage),\n",
        "",
        f"{RELEASE}::test_everything_that_is_missing_is_listed_at_once_with_its_command",
    ),
    "08 definitions end while productions run": (
        "local/release.py",
        '        if self.stage.aws("stepfunctions").list_executions(',
        '        if False and self.stage.aws("stepfunctions").list_executions(',
        f"{RELEASE}::test_old_job_definitions_end_only_when_nothing_runs",
    ),
    "09 no first admin": (
        "functions/migrate/app.py",
        'if command == "admin":',
        'if command == "never":',
        f"{ADMIN}::test_the_first_admin_sets_a_password_opens_admin_routes_and_the_ingestion_api",
    ),
    "10 a database that wakes too late": (
        "layers/showrunner/showrunner/database/db.py",
        "WAKE_SECONDS = 22.0",
        "WAKE_SECONDS = 12.0",
        f"{WAKING}::test_waiting_and_the_statement_after_it_fit_into_the_gateway_s_patience",
    ),
    "12 a restored cluster with the name of the old one": (
        "local/release.py",
        "or 1) + 1\n",
        "or 1)\n",
        f"{RELEASE}::test_a_restore_frees_the_old_cluster_makes_another_and_hands_its_host_over",
    ),
    "15 a key that nobody asks for": (
        "layers/showrunner/showrunner/keys/inventory.py",
        '        source="https://console.cloud.google.com/apis/credentials (enable the YouTube Data API v3',
        '        without="nothing",  # (',
        f"{DEPLOYABLE}::test_every_secret_that_the_code_reads_is_asked_for_or_made_at_deployment",
    ),
    "16 a region without certificates": (
        "local/stages/stage.py",
        "    if not path.exists():\n",
        "    if not path:\n",
        f"{DEPLOYABLE}::test_a_region_without_certificates_is_refused_before_anything_is_deployed",
    ),
    "16 zones without the instance types": (
        "local/stages/preflight.py",
        "usable = [zone for zone, types in offered.items() if NAT_TYPE in types]",
        "usable = list(offered)",
        f"{RELEASE}::test_a_region_without_two_usable_zones_is_refused",
    ),
    "16 another's role for API logs": (
        "local/stages/preflight.py",
        'return "keep" if',
        'return "make" if',
        f"{RELEASE}::test_a_role_for_api_logs_that_the_account_has_is_left_alone",
    ),
    "23 a stage that leaves its secrets": (
        "local/stages/destroy.py",
        "    delete_secrets(stage)\n",
        "",
        "tests/local/test_stages.py::test_deleted_data_leave_nothing_of_this_stage_and_all_of_others",
    ),
}


def test_all_24_faults_are_tried_against_what_make_check_runs():
    assert {int(name[:2]) for name in (*FAULTS, *CODE)} == set(range(1, 25))
    run = {word for commands in make_check.checks().values() for command in commands for word in command}
    checks = {f"tests/contract/{inspect.getfile(check).rpartition('/')[2]}" for *_, check in FAULTS.values()}
    checks |= {check for *_, check in CODE.values()}
    assert sorted(each for each in checks if not {each, each.partition("::")[0]} & run) == []


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_of_before_is_refused(name, monkeypatch, tmp_path):
    path, now, then, check = FAULTS[name]
    text = path.read_text(encoding="utf-8")
    assert now in text, "it is said otherwise by now: write this fault as it would be today"
    if "nft" in name and not shutil.which("nft"):
        pytest.skip("nft is not installed here; CI installs nftables and runs this test")
    given: dict[str, Any] = {"tmp_path": tmp_path, "path": path}
    if path == MACHINE:
        given |= {"machine": json.loads(text.replace(now, then))}
    elif path == IMAGE:
        changed = tmp_path / "Dockerfile"
        changed.write_text(text.replace(now, then), encoding="utf-8")
        monkeypatch.setattr(test_deployable, "DOCKERFILE", changed)
    else:
        documents = {
            each: template.parse(text.replace(now, then)) if each == path else template.load(each)
            for each in (*FILES, EDGE)
        }
        for module in (test_deployable, test_template, template, protections):
            monkeypatch.setattr(module, "load", documents.__getitem__, raising=False)
        stacks = {each: transformed.transform(documents[each]) for each in FILES}
        monkeypatch.setattr(transformed, "stack", stacks.__getitem__)
        given |= {"resources": list(transformed.resources())}
    wanted = inspect.signature(check).parameters

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(**{key: value for key, value in given.items() if key in wanted})


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """Return a copy of the repository, with the environments of this one."""
    folder = tmp_path_factory.mktemp("repository") / "copy"
    ignored = shutil.ignore_patterns(".git", ".local", ".aws-sam", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=ignored)
    (folder / ".local").mkdir()
    (folder / ".local" / "env").symlink_to(ROOT / ".local" / "env")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", sorted(CODE))
def test_a_fault_of_the_code_is_refused(name, copy):
    file, now, then, check = CODE[name]
    path = copy / file
    text = path.read_text(encoding="utf-8")
    assert text.count(now) == 1, "it is said otherwise by now: write this fault as it would be today"
    path.write_text(text.replace(now, then), encoding="utf-8")
    try:
        printed = output(copy, check)
    finally:
        path.write_text(text, encoding="utf-8")

    assert f"FAILED {check}" in printed


def output(folder: Path, test: str) -> str:
    """Return what pytest prints for a test of another copy of the repository."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "layers" / "showrunner")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    ).stdout

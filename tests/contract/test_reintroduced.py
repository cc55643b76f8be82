"""Faults that the templates once had, put back: each is found by its check, without the file of values."""

import inspect
import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import template, test_deployable, test_statemachine, test_template, transformed
from tests.contract.code import ROOT
from tests.contract.template import APPLICATION, DATA, FILES

MACHINE = ROOT / "statemachines" / "production.asl.json"
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

# What it was; the file; what stands there now; what stood there then; the check.
FAULTS: dict[str, tuple[Any, str, str, Callable[..., Any]]] = {
    "nft rules on one line": (
        DATA,
        "              masquerade\n            }\n",
        "              masquerade }\n",
        OF.test_every_rule_that_a_start_script_writes_is_understood_by_nft,
    ),
    "a start that says nothing": (
        DATA,
        "CreationPolicy: {ResourceSignal",
        "Metadata: {ResourceSignal",
        OF.test_every_machine_tells_cloudformation_how_its_start_ended,
    ),
    "512 MB for dnf": (
        DATA,
        "t4g.micro",
        "t4g.nano",
        OF.test_no_machine_that_installs_packages_has_less_memory_than_dnf_takes,
    ),
    "names that stay after a failure": (
        DATA,
        "DeletionPolicy: RetainExceptOnCreate",
        "DeletionPolicy: Retain",
        test_template.test_resources_with_data_are_retained,
    ),
    "protected from the start": (
        DATA,
        "!If [IsProtected, true, false]",
        "true",
        OF.test_a_failed_first_deployment_can_be_undone,
    ),
    "a schedule without a name": (
        APPLICATION,
        "            Name: !Sub showrunner-${Stage}-sweep\n",
        "",
        OF.test_every_physical_name_contains_the_stage,
    ),
    "two routes": (DATA, DATABASE, SECOND_ROUTE + DATABASE, OF.test_every_destination_has_one_route),
    "an address before the gateway": (
        DATA,
        "    DependsOn: InternetGatewayAttachment\n    Properties: {Domain: vpc}",
        "    Properties: {Domain: vpc}",
        OF.test_what_needs_the_internet_waits_for_the_gateway_to_be_attached,
    ),
    "a placeholder as default": (
        APPLICATION,
        "  IngestionUrl:\n    Type: String\n",
        "  IngestionUrl:\n    Type: String\n    Default: https://ingestion.invalid\n",
        OF.test_no_default_points_at_a_machine_that_isnt_there,
    ),
    "a GPU that nobody may start": (
        APPLICATION,
        "    Default: auto\n",
        "    Default: gpu\n",
        OF.test_a_new_account_can_render,
    ),
    "a late job that goes on": (
        MACHINE,
        '"Next": "FindGpuJob"',
        '"Next": "RenderOnCpu"',
        test_statemachine.test_a_gpu_job_that_came_too_late_is_ended_before_the_cpu_takes_over,
    ),
    "deregistered definitions": (
        APPLICATION,
        "{SkipDeregisterOnUpdate: true}",
        "{SkipDeregisterOnUpdate: false}",
        OF.test_a_running_execution_keeps_the_job_definition_that_it_began_with,
    ),
    "an exported host": (
        DATA,
        HOST,
        f"{HOST}, Export: {{Name: x}}",
        OF.test_nothing_that_is_exported_stands_in_the_way_of_a_restore,
    ),
    "no snapshot": (
        DATA,
        "      SnapshotIdentifier: !If [IsRestored, !Ref DatabaseSnapshot, !Ref AWS::NoValue]\n",
        "",
        OF.test_the_database_can_be_made_from_a_snapshot_beside_the_one_that_is_there,
    ),
    "endpoints as a way out": (
        DATA,
        "[instance, gateway, none]",
        "[instance, gateway, endpoints, none]",
        OF.test_every_way_out_that_can_be_chosen_leads_where_the_functions_go,
    ),
    "the account's role overwritten": (
        DATA,
        "    Type: AWS::ApiGateway::Account\n    Condition: MakesApiLogs\n",
        "    Type: AWS::ApiGateway::Account\n",
        OF.test_the_whole_account_s_settings_can_be_left_alone,
    ),
    "a cause that isn't there": (
        MACHINE,
        CAUSE,
        "{% $states.errorOutput.Cause %}",
        test_statemachine.test_a_cause_that_is_missing_breaks_no_failure_path,
    ),
    "metrics of every route": (
        APPLICATION,
        "DetailedMetricsEnabled: !If [HasDetailedMetrics, true, false]",
        "DetailedMetricsEnabled: true",
        OF.test_metrics_of_every_route_are_a_choice,
    ),
    "a log that grows for ever": (
        DATA,
        "/postgresql', RetentionInDays: 30}",
        "/postgresql'}",
        OF.test_every_log_group_that_aws_makes_by_itself_is_made_here_and_forgets,
    ),
    "$Latest": (
        APPLICATION,
        "!GetAtt RenderLaunchTemplate.LatestVersionNumber",
        "$Latest",
        OF.test_no_version_is_whatever_is_newest,
    ),
    "no versions": (
        DATA,
        "VersioningConfiguration: {Status: Enabled}",
        "VersioningConfiguration: {Status: Suspended}",
        OF.test_what_is_overwritten_by_mistake_can_be_brought_back_and_goes_in_time,
    ),
    "a failure that nobody keeps": (
        APPLICATION,
        "DestinationConfig: {OnFailure:",
        "DestinationConfig: {OnSuccess:",
        OF.test_what_a_function_fails_on_alone_is_kept,
    ),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_fault_of_before_is_refused(name, monkeypatch, tmp_path):
    path, now, then, check = FAULTS[name]
    text = path.read_text(encoding="utf-8")
    assert now in text, "the templates say it otherwise by now: write this fault as it would be today"
    if "nft" in name and not shutil.which("nft"):
        pytest.skip("nft is not installed here; CI installs nftables and runs this test")
    given: dict[str, Any] = {"tmp_path": tmp_path, "path": path}
    if path == MACHINE:
        given |= {"machine": json.loads(text.replace(now, then))}
    else:
        documents = {
            each: template.parse(text.replace(now, then)) if each == path else template.load(each)
            for each in FILES
        }
        for module in (test_deployable, test_template, template):
            monkeypatch.setattr(module, "load", documents.__getitem__, raising=False)
        given |= {
            "resources": list(
                transformed.resources(
                    *[(each.name, transformed.transform(document)) for each, document in documents.items()]
                )
            )
        }
    wanted = inspect.signature(check).parameters
    if "path" in wanted and path != MACHINE:
        given["path"] = path

    with pytest.raises(AssertionError):
        check(**{key: value for key, value in given.items() if key in wanted})

"""The templates: functions and folders, render jobs, logs, and the two stacks together."""

import ast
import json
import re
import subprocess

import pytest

from local.settings import python_of
from tests.contract import code, template
from tests.contract.code import FUNCTIONS
from tests.contract.template import APPLICATION, DATA, FILES, load, references, resources, walk


def test_folders_and_functions_of_the_templates_match(functions):
    named = [function.name for each in map(load, FILES) for function in template.functions(each).values()]

    assert sorted(named) == code.function_names()


def test_a_functions_name_is_its_folder(functions):
    for function in functions.values():
        assert function.id == "".join(part.capitalize() for part in function.name.split("_")) + "Function"


def test_functions_are_in_alphabetical_order():
    for path in FILES:
        names = list(template.functions(load(path)))

        assert names == sorted(names)


def test_the_handler_exists_and_is_last_in_its_file(functions):
    for name, function in functions.items():
        module, _, handler = function.properties["Handler"].partition(".")
        tree = code.tree(FUNCTIONS / name / f"{module}.py")

        assert handler in template_names(tree.body[-1]), (
            f"functions/{name}/app.py: {handler} is not its last definition"
        )


def template_names(node: ast.AST) -> list[str]:
    return code._targets(node)


def test_both_render_jobs_differ_only_where_their_platform_requires():
    definitions = resources(load(APPLICATION), "AWS::Batch::JobDefinition")
    gpu, cpu = (
        json.loads(json.dumps(definitions[name])) for name in ("GpuJobDefinition", "CpuJobDefinition")
    )
    needs = {
        name: {
            each["Type"]: int(each["Value"]) for each in job["ContainerProperties"]["ResourceRequirements"]
        }
        for name, job in (("gpu", gpu), ("cpu", cpu))
    }
    for job in (gpu, cpu):
        del (
            job["JobDefinitionName"],
            job["PlatformCapabilities"],
            job["ContainerProperties"]["ResourceRequirements"],
        )
    for only_fargate in (
        "NetworkConfiguration",
        "EphemeralStorage",
        "RuntimePlatform",
        "FargatePlatformConfiguration",
    ):
        cpu["ContainerProperties"].pop(only_fargate, None)
    # A host with a GPU is not paid for to encode on its CPU; the CPU's job takes what there is.
    assert gpu["ContainerProperties"].pop("Environment") == [{"Name": "RENDER_ENCODER", "Value": "gpu"}]
    # An empty volume of the instance. EC2 needs `Host`, Fargate refuses it.
    assert [volume.pop("Host") for volume in gpu["ContainerProperties"]["Volumes"]] == [{}]

    assert gpu == cpu
    assert needs["gpu"]["VCPU"] == needs["cpu"]["VCPU"]
    # https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html: 4 vCPUs take 8 to 30
    # GiB in steps of 1.
    assert needs["cpu"]["VCPU"] == 4
    assert needs["cpu"]["MEMORY"] in range(8192, 30_721, 1024)


def test_the_jobs_pass_on_the_machines_parameters():
    commands = [
        job["ContainerProperties"]["Command"]
        for job in resources(load(APPLICATION), "AWS::Batch::JobDefinition").values()
    ]

    assert commands == [["python", "-m", "render", "Ref::timeline", "Ref::destination"]] * 2


def test_every_log_group_has_a_retention_period(functions):
    for path in FILES:
        for name, group in resources(load(path), "AWS::Logs::LogGroup").items():
            assert group.get("RetentionInDays", 0) > 0, name


def test_everything_logs_to_a_log_group_of_the_template(functions):
    """A log group that AWS creates by itself never deletes anything."""
    for name, function in functions.items():
        group = function.properties.get("LoggingConfig", {}).get("LogGroup")
        assert references(group) & resources(function.template, "AWS::Logs::LogGroup").keys(), name
    application = load(APPLICATION)
    groups = resources(application, "AWS::Logs::LogGroup").keys()
    others = {
        **resources(application, "AWS::Serverless::HttpApi"),
        **resources(application, "AWS::Serverless::WebSocketApi"),
        **resources(application, "AWS::Serverless::StateMachine"),
        **resources(application, "AWS::Batch::JobDefinition"),
    }
    keys = ("AccessLogSettings", "Logging", "LogConfiguration")
    for name, resource in others.items():
        settings = [
            inner[key] for inner in walk(resource) if isinstance(inner, dict) for key in keys if key in inner
        ]
        assert references(settings) & groups, name


def test_alarms_go_to_a_topic_whose_key_cloudwatch_may_use():
    """CloudWatch may not use alias/aws/sns, and its policy cannot be changed: https://repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger."""
    topics = resources(load(DATA), "AWS::SNS::Topic")
    assert topics
    key = resources(load(DATA), "AWS::KMS::Key")["StageKey"]["KeyPolicy"]["Statement"]

    assert {
        name: topic.get("KmsMasterKeyId")
        for name, topic in topics.items()
        if references(topic.get("KmsMasterKeyId")) != {"StageKey"}
    } == {}
    assert any(statement["Principal"].get("Service") == "cloudwatch.amazonaws.com" for statement in key)


def test_the_data_stack_exports_what_the_application_imports():
    exported = {
        output["Export"]["Name"]["Fn::Sub"] for output in load(DATA)["Outputs"].values() if "Export" in output
    }
    imported = {
        json.dumps(inner["Fn::ImportValue"]["Fn::Sub"]).strip('"')
        for inner in walk(load(APPLICATION))
        if isinstance(inner, dict) and "Fn::ImportValue" in inner
    }

    assert imported
    assert sorted(imported - exported) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_parameter_and_condition_is_used(path):
    each = load(path)
    used = references({key: value for key, value in each.items() if key != "Parameters"})
    named = [inner.get("Condition") for inner in walk(each["Resources"]) if isinstance(inner, dict)]
    conditions = {name for name in named if isinstance(name, str)} | {
        inner["Fn::If"][0] for inner in walk(each) if isinstance(inner, dict) and "Fn::If" in inner
    }

    assert sorted(each["Parameters"].keys() - used) == []
    assert sorted((each.get("Conditions") or {}).keys() - conditions) == []


SAM = """
import json, sys
from samcli.yamlhelper import yaml_dump, yaml_parse
written = yaml_dump(yaml_parse(sys.stdin.read()))
print(json.dumps({"template": yaml_parse(written), "text": written}))
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_sam_writes_aliases_and_merges_out_as_we_read_them(path):
    """CloudFormation reads neither, so what `sam build` writes must have none."""
    text = path.read_text(encoding="utf-8")
    done = subprocess.run(
        [python_of("sam"), "-c", SAM], input=text, capture_output=True, text=True, check=True
    )
    built = json.loads(done.stdout)

    assert not re.search(r"^\s*(<<|\S+: [&*]\w)", built["text"], re.MULTILINE)
    assert built["template"] == json.loads(json.dumps(load(path), default=str))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_resources_with_data_are_retained(path):
    """Buckets, tables, keys and databases outlive their stack and their own replacement.

    Only a failed first deployment deletes them: otherwise their fixed names would make the next one fail
    ("already exists").
    """
    for name, resource in load(path)["Resources"].items():
        if resource["Type"] in (
            "AWS::S3::Bucket",
            "AWS::DynamoDB::Table",
            "AWS::KMS::Key",
            "AWS::RDS::DBCluster",
        ):
            assert resource.get("DeletionPolicy") in ("RetainExceptOnCreate", "Snapshot"), name
            assert resource.get("UpdateReplacePolicy") in ("Retain", "Snapshot"), name

"""Faults that only a real account would show, looked for in the transformed templates and the image.

Each test is for a whole kind of fault; what it would find is written out beside it where the templates hold
no example.
"""

import re
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local.stages import capacity
from tests.contract import code, settings, template, transformed
from tests.contract.code import ROOT
from tests.contract.template import APPLICATION, DATA, EDGE, FILES, listed, load, references, walk
from tests.contract.transformed import Resource

DOCKERFILE = ROOT / "functions" / "render" / "Dockerfile"
# Parameters that each stage's own file gives, and DNS has once.
OWN_DOMAINS = {"PlatformDomain", "IngestionDomain", "LiveDomain"}


@pytest.fixture(scope="module")
def resources() -> list[Resource]:
    return list(transformed.resources())


# ---------------------------------------------------------------- Start scripts


def scripts(each: Resource) -> list[str]:
    """Return the UserData of a resource as its machine gets it; CloudFormation's values are made up."""
    found = [
        inner["UserData"]
        for inner in walk(each.properties)
        if isinstance(inner, dict) and "UserData" in inner
    ]
    return [
        _filled(value["Fn::Base64"] if isinstance(value, dict) and "Fn::Base64" in value else value)
        for value in found
    ]


def _filled(value: Any) -> str:
    if isinstance(value, dict):
        sub = value["Fn::Sub"]
        return re.sub(r"\$\{(!?)[^}]*\}", "filled-in", sub if isinstance(sub, str) else sub[0])
    return str(value)


def with_script(resources: list[Resource]) -> list[tuple[Resource, str]]:
    return [(each, script) for each in resources for script in scripts(each)]


def heredocs(script: str, name: str) -> list[str]:
    """Return what the script writes into files whose path ends with `name`, by `cat > path <<'WORD'`."""
    pattern = re.compile(rf"^cat > (\S*{re.escape(name)}) <<'(\w+)'\n(.*?)^\2$", re.MULTILINE | re.DOTALL)
    return [found[3] for found in pattern.finditer(script)]


def bash_faults(script: str) -> str:
    return subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False).stderr


def nft_faults(rules: str, folder: Path) -> str:
    """Return the errors that nft reports for the rules.

    It asks the kernel even to check, so it runs in a network namespace of its own.
    """
    file = folder / "rules.nft"
    file.write_text(rules)
    done = subprocess.run(
        ["unshare", "-rn", "nft", "-c", "-f", str(file)], text=True, capture_output=True, check=False
    )
    return done.stderr if done.returncode else ""


def test_every_start_script_is_a_script(resources):
    assert with_script(resources)
    for each, script in with_script(resources):
        assert script.startswith("#!/bin/bash\n"), each.id
        assert bash_faults(script) == "", each.id


def test_every_rule_that_a_start_script_writes_is_understood_by_nft(resources, tmp_path):
    rules = [
        (each.id, text)
        for each, script in with_script(resources)
        for text in heredocs(script, "nftables.conf")
    ]
    assert rules
    assert sorted({each.id for each, script in with_script(resources) if "nft" in script}) == sorted(
        {name for name, _ in rules}
    ), "a rule that isn't looked at"
    if not shutil.which("nft"):
        pytest.skip("nft is not installed here; CI installs nftables and runs this test")
    for name, text in rules:
        assert nft_faults(text, tmp_path) == "", name


def test_a_broken_script_and_a_broken_rule_would_be_found(tmp_path):
    assert bash_faults("#!/bin/bash\nif true; then\n")
    assert heredocs("cat > /etc/x/nftables.conf <<'RULES'\ntable ip nat {}\nRULES\n", "nftables.conf") == [
        "table ip nat {}\n"
    ]
    if shutil.which("nft"):
        assert "syntax error" in nft_faults(
            "table ip nat { chain c { type nat hook postrouting priority srcnat; masquerade } }\n", tmp_path
        )


def signal_faults(each: Resource, script: str) -> list[str]:
    """CloudFormation waits for a machine only by a CreationPolicy, and the script must report a failure."""
    faults = (
        []
        if "ResourceSignal" in each.whole.get("CreationPolicy", {})
        else [f"{each.id} has no CreationPolicy"]
    )
    if (
        not re.search(r"cfn-signal .*--exit-code", script)
        or "trap 'signal 1' ERR" not in script
        or not script.rstrip().endswith("signal 0")
    ):
        faults.append(f"{each.id} doesn't tell CloudFormation how its start ended")
    return faults + (
        []
        if re.search(r"^set -e", script, re.MULTILINE)
        else [f"{each.id} goes on after a command that failed"]
    )


def test_every_machine_tells_cloudformation_how_its_start_ended(resources):
    assert [fault for each, script in with_script(resources) for fault in signal_faults(each, script)] == []


def test_a_machine_that_says_nothing_would_be_found():
    silent = Resource("x", "Nat", "AWS::EC2::Instance", {}, {"Properties": {}})

    assert len(signal_faults(silent, "#!/bin/bash\ndnf install -y nftables\n")) == 3


def test_no_machine_that_installs_packages_has_less_memory_than_dnf_takes(resources):
    small = {"t4g.nano", "t3.nano", "t3a.nano", "t2.nano"}

    assert [
        each.id
        for each, script in with_script(resources)
        if "dnf " in script and each.properties.get("InstanceType") in small
    ] == []


# ---------------------------------------------------------------- Names


def names(each: Resource) -> dict[str, Any]:
    """Physical names that a resource is given: of its identifier, or fixed for its life.

    Only what the template itself says.
    """
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", each.type).schema
    paths = {
        path
        for path in [*schema.get("primaryIdentifier", ()), *schema.get("createOnlyProperties", ())]
        if path not in schema.get("readOnlyProperties", ())
    }
    found = {}
    for path in paths:
        parts = path.removeprefix("/properties/").split("/")
        if (
            not (parts[-1].endswith(("Name", "Identifier")) or path in schema.get("primaryIdentifier", ()))
            or parts[-1] in _NO_NAMES
        ):
            continue
        value: Any = each.properties
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[parts[-1]] = value
    return found


# What is called a name and names something else.
_NO_NAMES = {"ServiceName", "DatabaseName", "DBName", "MasterUsername", "SnapshotIdentifier", "EngineName"}


def name_faults(resources: list[Resource]) -> list[str]:
    """Names that two stages of one account and region would share.

    One that refers to another resource of the stack is as distinct as that one.
    """
    faults = []
    for each in resources:
        given = names(each)
        told = references(list(given.values()))
        own = {other.id for other in resources if other.template == each.template}
        if given and not (told & ({"Stage"} | own | OWN_DOMAINS)):
            faults.append(f"{each.id} ({each.type}): {given}")
    return faults


def test_every_physical_name_contains_the_stage(resources):
    named = [each.type for each in resources if names(each)]

    assert {
        "AWS::SQS::Queue",
        "AWS::S3::Bucket",
        "AWS::Scheduler::Schedule",
        "AWS::Lambda::LayerVersion",
        "AWS::Batch::JobQueue",
    } <= set(named)
    assert name_faults(resources) == []


def test_a_constant_name_would_be_found():
    """The transform names a schedule for its function and event, in every stage the same."""
    sam = transformed.text("""
        Resources:
          ShopFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/shop
              Runtime: python3.13
              Handler: a.b
              Events: {Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}}
          Orders: {Type: AWS::SQS::Queue, Properties: {QueueName: orders}}
          Free: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: 1}}
    """)

    assert sorted(fault.split(" ")[0] for fault in name_faults(list(transformed.resources(("x", sam))))) == [
        "Orders",
        "ShopFunctionNightly",
    ]


# ---------------------------------------------------------------- Routes


def route_faults(resources: list[Resource]) -> list[str]:
    """Return destinations that two routes of one table claim, whatever their conditions.

    When a parameter changes, CloudFormation makes the new route before it deletes the old one.
    """
    claimed = defaultdict(list)
    for each in resources:
        if each.type == "AWS::EC2::Route":
            destination = each.properties.get("DestinationCidrBlock") or each.properties.get(
                "DestinationIpv6CidrBlock"
            )
            claimed[(str(each.properties["RouteTableId"]), str(destination))].append(each.id)
    return [
        f"{', '.join(sorted(ids))} claim {destination}"
        for (_, destination), ids in claimed.items()
        if len(ids) > 1
    ]


def test_every_destination_has_one_route(resources):
    assert any(each.type == "AWS::EC2::Route" for each in resources)
    assert route_faults(resources) == []


def test_two_routes_for_one_destination_would_be_found():
    ids = ("Instance", "Gateway")
    rows = [
        Resource(
            "x",
            name,
            "AWS::EC2::Route",
            {"RouteTableId": {"Ref": "T"}, "DestinationCidrBlock": "0.0.0.0/0"},
            {"Condition": f"Has{name}"},
        )
        for name in ids
    ]

    assert route_faults(rows) == ["Gateway, Instance claim 0.0.0.0/0"]


def test_what_needs_the_internet_waits_for_the_gateway_to_be_attached(resources):
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-dependson.html#gatewayattachment"""
    for each in resources:
        through_gateway = each.type == "AWS::EC2::Route" and "GatewayId" in each.properties
        if each.type in ("AWS::EC2::EIP", "AWS::EC2::NatGateway") or through_gateway:
            assert "InternetGatewayAttachment" in listed(each.whole.get("DependsOn")), each.id


def test_every_way_out_that_can_be_chosen_leads_where_the_functions_go():
    """Functions in the VPC call platforms, too (WAITS_OUTSIDE in test_network): endpoints are not enough."""
    data = load(DATA)
    (route,) = [
        value["Properties"]
        for value in data["Resources"].values()
        if value["Type"] == "AWS::EC2::Route" and "Condition" in value
    ]
    ways = {inner["Fn::If"][0] for inner in walk(route) if isinstance(inner, dict) and "Fn::If" in inner}
    chosen = {
        condition: inner["Fn::Equals"][1] for condition in ways for inner in [data["Conditions"][condition]]
    }

    assert set(data["Parameters"]["Egress"]["AllowedValues"]) == {*chosen.values(), "none"}
    assert data["Parameters"]["Egress"]["Default"] != "none"
    assert [
        name
        for name, each in template.resources(data, "AWS::EC2::VPCEndpoint").items()
        if each.get("VpcEndpointType") != "Gateway"
    ] == []


# ---------------------------------------------------------------- Parameters


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_default_points_at_a_machine_that_isnt_there(path):
    """A placeholder that somebody forgets is deployed: what only a stage knows has no default."""
    for name, parameter in load(path)["Parameters"].items():
        assert not re.search(
            r"localhost|127\.0\.0\.1|\.invalid|example\.(com|org)|:local$", str(parameter.get("Default", ""))
        ), name


def test_a_new_account_can_render():
    """Its quota of GPU instances is 0: https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html"""
    assert load(APPLICATION)["Parameters"]["RenderPlatform"]["Default"] in ("auto", "cpu")


def test_metrics_of_every_route_are_a_choice(resources):
    """Each of about a hundred routes has three custom metrics of 0.30 USD a month."""
    for each in resources:
        for inner in walk(each.properties):
            if isinstance(inner, dict) and "DetailedMetricsEnabled" in inner:
                assert inner["DetailedMetricsEnabled"] == {"Fn::If": ["HasDetailedMetrics", True, False]}, (
                    each.id
                )
    assert load(APPLICATION)["Parameters"]["DetailedMetrics"]["Default"] == "false"


def test_the_whole_account_s_settings_can_be_left_alone(resources):
    """AWS::ApiGateway::Account is one for all stages and all else in the account and region."""
    for each in resources:
        if each.type in (
            "AWS::ApiGateway::Account",
            "AWS::S3::AccountPublicAccessBlock",
            "AWS::SES::ReceiptRuleSet",
            "AWS::ECR::RegistryPolicy",
        ):
            assert "Condition" in each.whole, each.id


# ---------------------------------------------------------------- Releases and restores


def test_a_running_execution_keeps_the_job_definition_that_it_began_with(resources):
    definitions = [each for each in resources if each.type == "AWS::Batch::JobDefinition"]

    assert definitions
    assert [
        each.id
        for each in definitions
        if each.properties.get("ResourceRetentionPolicy") != {"SkipDeregisterOnUpdate": True}
    ] == []


def test_a_release_reaches_a_part_of_the_calls_first(resources):
    """Every function behind an HTTP API is called by its alias, which CodeDeploy moves and takes back."""
    by_id = {each.id: each for each in resources}
    called = {
        alias
        for each in resources
        if each.type == "AWS::ApiGatewayV2::Api" and "Body" in each.properties
        for alias in references(each.properties["Body"])
        if "Function" in alias
    }

    assert {by_id[each].type for each in called} == {"AWS::Lambda::Alias"}
    # Every function of an HTTP API, by its alias.
    served = {
        f"{function.id}Aliaslive"
        for function in template.functions().values()
        if any(event["Type"] == "HttpApi" for event in (function.properties.get("Events") or {}).values())
    }
    assert called == served
    for alias in called:
        policy = by_id[alias].whole["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = by_id[policy["DeploymentGroupName"]["Ref"]].properties
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["AlarmConfiguration"]["Alarms"] == [
            {"Name": {"Ref": "ApiFunctionsFail"}},
            {"Name": {"Ref": "ReleaseFails"}},
        ]


def test_another_release_is_another_version_of_each_of_these_functions(monkeypatch):
    """The transform sees neither a layer's content nor a parameter's value but this one's."""

    def versions(release: str) -> set[str]:
        monkeypatch.setitem(transformed.VALUES, "Release", release)
        found = transformed.transform(load(APPLICATION))["Resources"]
        return {name for name, each in found.items() if each["Type"] == "AWS::Lambda::Version"}

    first, second = versions("0" * 16), versions("1" * 16)

    assert len(first) == len(second) == 9
    assert not first & second


def test_no_version_is_whatever_is_newest(resources):
    """$Latest is read when an instance starts, so a change could reach half of a fleet unannounced."""
    for each in resources:
        if each.type in (
            "AWS::Batch::ComputeEnvironment",
            "AWS::AutoScaling::AutoScalingGroup",
            "AWS::EC2::Instance",
        ):
            versions = [
                inner["Version"]
                for inner in walk(each.properties)
                if isinstance(inner, dict) and "LaunchTemplateId" in inner
            ]
            assert [version for version in versions if version in ("$Latest", "$Default")] == [], each.id


# Resources that a restore, a move to another zone or a change of way out replaces: an exported value of
# theirs that is in use would forbid it.
REPLACEABLE = ("AWS::RDS::", "AWS::EC2::Instance", "AWS::EC2::EIP", "AWS::EC2::NatGateway", "AWS::Lambda::")


def test_nothing_that_is_exported_stands_in_the_way_of_a_restore():
    for path in FILES:
        document = load(path)
        for name, output in (document.get("Outputs") or {}).items():
            kinds = [
                document["Resources"][each]["Type"]
                for each in references(output["Value"])
                if each in document["Resources"]
            ]
            if "Export" in output:
                assert [kind for kind in kinds if kind.startswith(REPLACEABLE)] == [], name


def test_the_database_can_be_made_from_a_snapshot_beside_the_one_that_is_there():
    data = load(DATA)
    cluster = template.resources(data, "AWS::RDS::DBCluster")["Database"]

    assert "DatabaseSnapshot" in references(cluster.get("SnapshotIdentifier"))
    assert "DatabaseGeneration" in references(cluster.get("DBClusterIdentifier")), (
        "a replacement with the name of what it replaces is refused"
    )
    for name in ("DatabaseName", "MasterUsername", "MasterUserPassword"):
        assert cluster[name]["Fn::If"][:2] == ["IsRestored", {"Ref": "AWS::NoValue"}], (
            f"RDS refuses {name} together with a snapshot"
        )


def test_a_failed_first_deployment_can_be_undone():
    """A stack with deletion protection from the start can neither roll back nor be deployed again."""
    data = load(DATA)
    protected = [
        inner
        for inner in walk(data["Resources"])
        if isinstance(inner, dict) and "DeletionProtection" in inner
    ]

    assert [each["DeletionProtection"] for each in protected] == [{"Fn::If": ["IsProtected", True, False]}]
    assert data["Parameters"]["Protected"]["Default"] == "true"


# ---------------------------------------------------------------- Failures that nobody waits for


def without_destination(resources: list[Resource]) -> list[str]:
    """Return functions that are invoked asynchronously and lose a failed event after Lambda's retries."""
    invoked: set[str] = set()
    for each in resources:
        if each.type in (
            "AWS::Scheduler::Schedule",
            "AWS::Events::Rule",
            "AWS::SNS::Subscription",
            "AWS::S3::Bucket",
        ):
            invoked |= references(each.properties) & {
                other.id for other in resources if other.type == "AWS::Lambda::Function"
            }
    kept = set()
    for each in resources:
        if each.type == "AWS::Lambda::EventInvokeConfig" and "OnFailure" in each.properties.get(
            "DestinationConfig", {}
        ):
            kept |= references(each.properties["FunctionName"])
    return sorted(invoked - kept)


def test_what_a_function_fails_on_alone_is_kept(resources):
    assert without_destination(resources) == []


def test_a_schedule_without_a_destination_for_failures_would_be_found():
    sam = transformed.text("""
        Resources:
          ShopFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/shop
              Runtime: python3.13
              Handler: a.b
              Events: {Nightly: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}}
    """)

    assert without_destination(list(transformed.resources(("x", sam)))) == ["ShopFunction"]


def test_every_log_group_that_aws_makes_by_itself_is_made_here_and_forgets(resources):
    """RDS names its groups for the cluster; one that it makes itself keeps everything for ever."""
    groups = {
        str(each.properties.get("LogGroupName")): each.properties.get("RetentionInDays")
        for each in resources
        if each.type == "AWS::Logs::LogGroup"
    }
    for each in resources:
        if each.type == "AWS::RDS::DBCluster":
            name = each.properties["DBClusterIdentifier"]["Fn::Sub"]
            wanted = [
                str({"Fn::Sub": f"/aws/rds/cluster/{name}/{kind}"})
                for kind in each.properties["EnableCloudwatchLogsExports"]
            ]
            assert [group for group in wanted if not groups.get(group)] == []
            assert "DatabaseLogs" in listed(each.whole.get("DependsOn")), "RDS would make the group first"


def test_what_is_overwritten_by_mistake_can_be_brought_back_and_goes_in_time(resources):
    for each in resources:
        if each.type == "AWS::S3::Bucket":
            rules = each.properties["LifecycleConfiguration"]["Rules"]
            assert each.properties.get("VersioningConfiguration") == {"Status": "Enabled"}, each.id
            days = [
                rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
                for rule in rules
                if "NoncurrentVersionExpiration" in rule and "Prefix" not in rule
            ]
            assert days, f"{each.id} keeps every old version for ever"
            assert min(days) <= 7, (
                f"{each.id}: what a person asked to be deleted is there for longer than we promise"
            )


# ---------------------------------------------------------------- Secrets, certificates, the image


def test_every_secret_that_the_code_reads_is_asked_for_or_made_at_deployment():
    from local import release

    # The first two are a rotation's own, the third an organisation's, which works without.
    later = ("candidates/", "previous/", "organisations/")
    found = {read.name for name in template.functions() for read in code.secrets(name)}
    read = {name for name in found if not name.startswith(later)}
    known = {*release.BROUGHT, *release.OPTIONAL, *release.MADE}

    assert sorted(read - known) == [], "make deploy would end well, and the function would fail"
    assert sorted(known - read) == [], "asked for, and read by nobody"


def test_a_region_without_certificates_is_refused_before_anything_is_deployed():
    from local import release
    from local.settings import Refused

    with pytest.raises(Refused, match=r"curl --fail .*rds/eu-nowhere-1\.pem https://truststore\.pki\.rds"):
        release.refuse_region("eu-nowhere-1")
    release.refuse_region("us-east-1")


def image_faults(text: str) -> list[str]:
    """Return faults of an image: bases without a digest, packages without hashes, a HEALTHCHECK."""
    faults = []
    stages = {
        found[1]
        for line in settings.instructions(text)
        if (found := re.search(r"^FROM .* AS (\w+)$", line, re.IGNORECASE))
    }
    for line in settings.instructions(text):
        source = re.match(r"FROM (\S+)", line) or re.match(r"COPY --from=(\S+)", line)
        if (
            source
            and source[1] not in {*stages, "lock"}
            and not re.search(r"@sha256:[0-9a-f]{64}$", source[1])
        ):
            faults.append(f"{source[1]} is not pinned by its digest")
        if re.search(r"\bpip\s+(install|sync)\b", line) and "--require-hashes" not in line:
            faults.append("packages are installed without their hashes")
        if line.startswith("HEALTHCHECK") and "NONE" not in line:
            faults.append("HEALTHCHECK runs beside the render")
        if re.match(r"ADD\s", line) or re.search(r"\b(curl|wget)\b", line):
            faults.append("something is downloaded that no lock file names")
    users = [line.split()[1] for line in settings.instructions(text) if line.startswith("USER ")]
    if not users or not users[-1].isdigit() or users[-1] == "0":
        faults.append("it runs as root")
    return faults


def test_the_image_is_built_from_what_was_tested():
    assert image_faults(DOCKERFILE.read_text(encoding="utf-8")) == []


def unpinned(text: str) -> list[str]:
    """Return the requirements that don't name one version, or one file by its hash."""
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    pinned = re.compile(r"[\w.\[\]-]+==[\w.]+( ?;.*)?|.+ @ .+#sha256=[0-9a-f]{64}.*")
    return [line for line in lines if line and not line.startswith("#") and not pinned.fullmatch(line)]


def test_every_layer_is_built_from_the_versions_that_were_tested():
    """`sam build` installs them without the lock files, whose hashes only the render image has."""
    for path in (*(ROOT / "layers").glob("*/requirements.txt"), DOCKERFILE.with_name("requirements.txt")):
        assert unpinned(path.read_text(encoding="utf-8")) == [], path
    assert unpinned("openai\nrequests>=2\nnumpy==2.*\nboto3==1.44.5 # why\n# a comment\n") == [
        "openai",
        "requests>=2",
        "numpy==2.*",
    ]


def test_an_image_that_is_not_would_be_found():
    assert image_faults(
        "FROM ubuntu:24.04 AS a\nCOPY --from=uv:1 /uv /uv\nFROM a\nRUN pip \\\n"
        "  install numpy\nHEALTHCHECK CMD true\nADD https://example.com/x.tar.gz /srv/\n"
    ) == [
        "ubuntu:24.04 is not pinned by its digest",
        "uv:1 is not pinned by its digest",
        "packages are installed without their hashes",
        "HEALTHCHECK runs beside the render",
        "something is downloaded that no lock file names",
        "it runs as root",
    ]


def test_nobody_is_deployed_to_with_less_than_the_templates_protect():
    """A stage's file says where and how much, never how well the stage is protected."""
    weaker = {"RateLimitFactor", "Protected", "HttpHosts", "Demo", "Stage", "Release"}
    for path in (ROOT / "stages").glob("*.toml"):
        given = tomllib.loads(path.read_text(encoding="utf-8"))
        assert not weaker & given.keys(), path.name
        assert range_faults(given) == [], path.name
        assert "http://" not in path.read_text(encoding="utf-8"), path.name
        assert {"AlarmEmail", "MonthlyBudget"} <= given.keys(), path.name
    told = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    prod = told["prod"]["deploy"]["parameters"]
    assert prod["confirm_changeset"] is True, "a person reads what will change in production"
    for stage in ("dev", "prod"):
        given = told[stage]["deploy"]["parameters"]
        assert not given.keys() & {"disable_rollback", "role_arn", "parameter_overrides"}, stage


# What a stage without users may have, and production may not.
SPARING = {"Rollout": "AllAtOnce", "Schedules": "DISABLED", "Egress": "none", "MonthlyBudget": 0}


def test_production_is_not_spared():
    prod = tomllib.loads((ROOT / "stages" / "prod.toml").read_text(encoding="utf-8"))

    assert [name for name, value in SPARING.items() if prod.get(name) == value] == []


def range_faults(given: dict[str, Any]) -> list[str]:
    """Return the values that the templates' own limits for parameters would refuse."""
    parameters = {name: each for path in (*FILES, EDGE) for name, each in load(path)["Parameters"].items()}
    faults = []
    for name, value in given.items():
        limits = parameters[name]
        allowed = [str(each) for each in limits.get("AllowedValues", [value])]
        if value != "" and (
            str(value) not in allowed
            or not re.fullmatch(limits.get("AllowedPattern", "(?s).*"), str(value))
            or ("MinValue" in limits and float(value) < limits["MinValue"])
            or ("MaxValue" in limits and float(value) > limits["MaxValue"])
        ):
            faults.append(name)
    return faults


def test_a_value_beyond_a_parameters_limits_would_be_found():
    given = {
        "EdgeRate": 10**9,
        "BackupDays": 1,
        "Edge": "perhaps",
        "AlarmHook": "http://a.b",
        "ApiLogs": "keep",
    }

    assert range_faults(given) == ["EdgeRate", "BackupDays", "Edge", "AlarmHook"]


def test_both_templates_are_the_ones_that_are_looked_at(resources):
    assert {each.template for each in resources} == {path.name for path in FILES}
    assert isinstance(resources[0].whole, dict)


def test_production_lets_through_the_requests_that_the_contract_promises():
    settings = transformed.of_type("AWS::ApiGatewayV2::Stage")["PlatformApiApiGatewayDefaultStage"]
    throttle = settings.properties["DefaultRouteSettings"]
    parameters = load(APPLICATION)["Parameters"]
    prod = tomllib.loads((ROOT / "stages" / "prod.toml").read_text(encoding="utf-8"))

    for name, least in (("ThrottlingRateLimit", 1000), ("ThrottlingBurstLimit", 2000)):
        parameter = throttle[name]["Ref"]
        assert prod[parameter] == least <= parameters[parameter]["MaxValue"]
        assert parameters[parameter]["Default"] <= 200, "another stage costs less when it is attacked"


def test_productions_functions_answer_the_requests_that_the_contract_promises():
    """At 80 ms a request, half of the requests to /videos and the rest to the others (capacity.py)."""
    functions = {
        name: each.properties.get("ReservedConcurrentExecutions", 0)
        for name, each in template.functions().items()
    }
    busy = capacity.REQUESTS_A_SECOND * capacity.REQUEST_SECONDS
    others = sum(template.in_stage(functions[name], "prod") for name in ("accounts", "assets", "channels"))

    assert template.in_stage(functions["videos"], "prod") >= busy * capacity.SHARE_OF_VIDEOS
    assert others >= busy * (1 - capacity.SHARE_OF_VIDEOS)
    assert template.in_stage(functions["videos"], "dev") <= 20, "another stage leaves the account room"

"""template.edge.yaml: what is in front of the APIs, and `make edge` against CloudFormation's own model."""

import re

import botocore.session
import pytest
from botocore.stub import ANY, Stubber

from local.settings import Refused
from local.stages import edge
from local.stages.stage import Stage
from tests.contract import code, template
from tests.contract.code import LAYER, ROOT

TEMPLATE = template.load(ROOT / "template.edge.yaml")
DISTRIBUTIONS = template.resources(TEMPLATE, "AWS::CloudFront::Distribution")


def test_a_distribution_is_in_front_of_each_http_api():
    assert sorted(DISTRIBUTIONS) == ["IngestionDistribution", "PlatformDistribution"]
    for each in DISTRIBUTIONS.values():
        config = each["DistributionConfig"]
        assert config["WebACLId"] == {"Fn::GetAtt": ["WebAcl", "Arn"]}
        assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
        assert config["Origins"][0]["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
        # AWS's CachingDisabled: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
        assert config["DefaultCacheBehavior"]["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def test_cloudfront_sends_the_two_headers_that_the_apis_read():
    (function,) = template.resources(TEMPLATE, "AWS::CloudFront::Function").values()
    written = set(
        re.findall(r"request\.headers\['([\w-]+)'\] = \{value: event\.viewer\.ip\}", function["FunctionCode"])
    )
    for each in DISTRIBUTIONS.values():
        (header,) = each["DistributionConfig"]["Origins"][0]["OriginCustomHeaders"]
        assert header["HeaderValue"] == {"Ref": "OriginSecret"}
        written.add(header["HeaderName"])
        (called,) = each["DistributionConfig"]["DefaultCacheBehavior"]["FunctionAssociations"]
        assert called["EventType"] == "viewer-request"

    read = (LAYER / "showrunner" / "web" / "edge.py").read_text(encoding="utf-8")
    assert written == set(re.findall(r'"(x-[\w-]+)"', read))


def test_the_secret_is_never_shown():
    assert TEMPLATE["Parameters"]["OriginSecret"]["NoEcho"] is True
    assert "OriginSecret" not in str(TEMPLATE["Outputs"])


def test_waf_has_managed_rules_and_a_rate_for_each_address():
    (acl,) = template.resources(TEMPLATE, "AWS::WAFv2::WebACL").values()
    rules = {rule["Name"]: rule["Statement"] for rule in acl["Rules"]}
    rate = rules.pop("rate-per-address")["RateBasedStatement"]
    groups = {rule["ManagedRuleGroupStatement"]["Name"] for rule in rules.values()}

    assert acl["Scope"] == "CLOUDFRONT"
    assert (rate["AggregateKeyType"], rate["Limit"]) == ("IP", {"Ref": "EdgeRate"})
    pattern = rate["ScopeDownStatement"]["NotStatement"]["Statement"]["RegexMatchStatement"]["RegexString"]
    assert [bool(re.search(pattern, path)) for path in ("/webhook/x", "/api/v1/webhooks/youtube/x")] == [
        True
    ] * 2
    assert not any(re.search(pattern, path) for path in ("/webhooks", "/api/v1/auth/login", "/x/webhook"))
    assert groups == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesCommonRuleSet",
        "AWSManagedRulesKnownBadInputsRuleSet",
    }


def test_every_function_of_an_http_api_checks_where_its_calls_come_from(functions):
    served = {
        name
        for name, function in functions.items()
        if any(event["Type"] == "HttpApi" for event in (function.properties.get("Events") or {}).values())
    }

    assert served == {
        name for name in functions if ("showrunner.web.edge", "caller_address") in code.reach(name)
    }


# ---------------------------------------------------------------- make edge


@pytest.fixture
def stage(monkeypatch):
    """A stage that is deployed, with the secret in SSM."""
    hosts = {"PlatformApiUrl": "https://p1.execute-api.eu-west-1.amazonaws.com"}
    hosts["IngestionApiUrl"] = "https://i1.execute-api.eu-west-1.amazonaws.com"
    monkeypatch.setattr(Stage, "outputs", lambda self, name: hosts)
    monkeypatch.setattr(Stage, "secrets_there", lambda self, names: {"edge/origin_secret": "old,new"})
    monkeypatch.setattr(Stage, "parameters", lambda self: {"AlarmEmail": "a@b.c", "EdgeRate": "900"})
    return Stage("dev")


@pytest.fixture
def cloudformation(monkeypatch):
    """CloudFormation's client, which answers what a test has told it, and checks every request."""
    client = botocore.session.get_session().create_client("cloudformation", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def described(status):
    outputs = [
        {"OutputKey": "PlatformHost", "OutputValue": "d1.cloudfront.net"},
        {"OutputKey": "IngestionHost", "OutputValue": "d2.cloudfront.net"},
    ]
    stack = {"StackName": "showrunner-edge-dev", "CreationTime": 0, "StackStatus": status, "Outputs": outputs}
    return {"Stacks": [stack]}


PARAMETERS = [
    {"ParameterKey": "Stage", "ParameterValue": "dev"},
    {"ParameterKey": "PlatformOrigin", "ParameterValue": "p1.execute-api.eu-west-1.amazonaws.com"},
    {"ParameterKey": "IngestionOrigin", "ParameterValue": "i1.execute-api.eu-west-1.amazonaws.com"},
    {"ParameterKey": "OriginSecret", "ParameterValue": "new"},
    {"ParameterKey": "EdgeRate", "ParameterValue": "900"},
]
ASKED = {"StackName": "showrunner-edge-dev", "TemplateBody": ANY, "Parameters": PARAMETERS}


def test_a_first_deployment_prints_the_lines_for_the_stages_file(stage, cloudformation, capsys):
    client, stubber = cloudformation
    stubber.add_response("create_stack", {"StackId": "x"}, {**ASKED, "EnableTerminationProtection": True})
    stubber.add_response("describe_stacks", described("CREATE_COMPLETE"))
    stubber.add_response("describe_stacks", described("CREATE_COMPLETE"))

    edge.deploy(stage, client)

    printed = capsys.readouterr().out
    assert 'PlatformUrl = "https://d1.cloudfront.net"' in printed
    assert 'Edge = "on"' in printed
    assert "new" not in printed.replace("showrunner", "")


def test_a_second_deployment_without_changes_is_no_error(stage, cloudformation):
    client, stubber = cloudformation
    stubber.add_client_error("create_stack", "AlreadyExistsException")
    stubber.add_client_error("update_stack", "ValidationError", "No updates are to be performed.")
    stubber.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    stubber.add_response("describe_stacks", described("UPDATE_COMPLETE"))

    edge.deploy(stage, client)


def test_a_stage_that_is_not_deployed_is_refused(stage, monkeypatch):
    monkeypatch.setattr(Stage, "outputs", lambda self, name: {})

    with pytest.raises(Refused, match="make deploy STAGE=dev"):
        edge.parameters(stage)


def test_a_stage_without_the_stack_is_destroyed_all_the_same(stage, cloudformation):
    client, stubber = cloudformation
    stubber.add_client_error("update_termination_protection", "ValidationError", "does not exist")

    edge.remove(stage, client)

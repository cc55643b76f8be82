"""tests/contract/policies.py, tried with every form of request and policy that it must know."""

import json

import pytest

from tests.contract import code, policies, template
from tests.contract.policies import Need, Stacks, Unknown, allows, faults, matches, needs
from tests.contract.template import APPLICATION, DATA, load

BUCKET = "showrunner-local-media-000000000000"
ORGANISATION = "organisations/0b9d6a52"
PLACE = "us-east-1:000000000000"
CALLERS = {
    "ASIAPREPARE": {"kind": "lambda", "name": "showrunner-local-PrepareFunction-1A2B"},
    "ASIAVIDEOS": {"kind": "lambda", "name": "showrunner-local-VideosFunction-3C4D"},
    "ASIARENDER": {"kind": "batch", "name": "showrunner-local-render-cpu"},
}


@pytest.fixture
def stacks() -> Stacks:
    physical = {
        "PrepareFunction": "showrunner-local-PrepareFunction-1A2B",
        "VideosFunction": "showrunner-local-VideosFunction-3C4D",
        "StageKey": "1234",
    }
    return Stacks({"Stage": "local", "PlatformUrl": "http://127.0.0.1:8000"}, physical)


def s3(method: str, path: str, query: str = "", status: int = 200, key: str = "ASIAPREPARE") -> dict:
    return {
        "at": 1.0,
        "access_key": key,
        "service": "s3",
        "method": method,
        "path": path,
        "query": query,
        "target": None,
        "body": None,
        "status": status,
    }


def call(service: str, target: str, body: dict | None, key: str = "ASIAPREPARE") -> dict:
    text = None if body is None else json.dumps(body)
    return {
        "at": 1.0,
        "access_key": key,
        "service": service,
        "method": "POST",
        "path": "/",
        "query": "",
        "target": target,
        "body": text,
        "status": 200,
    }


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("*", "anything/at:all", True),
        ("s3:get*", "s3:getobject", True),
        ("s3:get?bject", "s3:getobject", True),
        ("s3:getobject", "s3:getobjecttagging", False),
        ("arn:aws:s3:::b/organisations/*/videos/*", "arn:aws:s3:::b/organisations/1/videos/2/job.json", True),
        ("arn:aws:s3:::b/organisations/*/videos/*", "arn:aws:s3:::b/organisations/1/assets/2", False),
        ("arn:aws:s3:::b", "arn:aws:s3:::b/key", False),
        ("a.c", "abc", False),
        ("a[b]", "a[b]", True),
    ],
)
def test_wildcards_match_as_in_iam(pattern, text, found):
    assert matches(pattern, text) is found


def statement(
    effect: str = "Allow", action: str = "s3:GetObject", resource: str = "arn:aws:s3:::b/*"
) -> dict:
    return {"Effect": effect, "Action": [action], "Resource": [resource]}


def test_an_action_without_an_allow_is_denied_and_a_deny_wins():
    need = Need("s3:GetObject", "arn:aws:s3:::b/k")

    assert allows([statement()], need)
    assert allows([statement(action="S3:getobject")], need), "actions are not case-sensitive"
    assert not allows([], need)
    assert not allows([statement(resource="arn:aws:s3:::other/*")], need)
    assert not allows([statement(action="s3:PutObject")], need)
    assert not allows([statement(), statement("Deny", "s3:*", "*")], need)


def test_a_statement_for_some_partition_keys_allows_requests_for_them_only():
    keys = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["breaker#hub"]}}
    statements = [{**statement(action="dynamodb:GetItem", resource="t"), "Condition": keys}]
    requests = {
        key: call("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "arn:t", "Key": {"pk": {"S": key}}})
        for key in ("breaker#hub", "connection#1")
    }

    allowed = {
        key: allows(statements, need._replace(resource="t"))
        for key, request in requests.items()
        for need in needs(request)
    }

    assert allowed == {"breaker#hub": True, "connection#1": False}


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"kms:ViaService": ["ssm.x.amazonaws.com", "s3.x.amazonaws.com"]}}, {"ssm", "s3"}),
        ({"StringEquals": {"kms:ViaService": "ssm.x.amazonaws.com"}}, {"ssm"}),
        ({"Null": {"kms:EncryptionContext:purpose": "false"}}, {"sealed"}),
    ],
)
def test_the_stages_key_is_usable_as_its_condition_says(condition, allowed):
    requests = {
        "ssm": call("ssm", "AmazonSSM.GetParameters", {"Names": ["/a"]}),
        "s3": s3("GET", "/b/k"),
        "sealed": call("kms", "TrentService.Decrypt", {"EncryptionContext": {"purpose": "grant"}}),
        "bare": call("kms", "TrentService.Decrypt", {"CiphertextBlob": "x"}),
    }
    statements = [{**statement(action="kms:Decrypt", resource="*"), "Condition": condition}]
    found = {
        name
        for name, line in requests.items()
        for need in needs(line)
        if need.action == "kms:Decrypt" and allows(statements, need)
    }
    assert found == allowed


def test_a_statement_that_cannot_be_evaluated_is_an_error():
    with pytest.raises(Unknown, match="Condition"):
        allows([{**statement(), "Condition": {}}], Need("s3:GetObject", "x"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            s3("GET", "/b/organisations/a%20b.json"),
            [("s3:GetObject", "arn:aws:s3:::b/organisations/a b.json"), ("kms:Decrypt", None)],
        ),
        (
            s3("HEAD", "/b/k", status=404),
            [("s3:GetObject", "arn:aws:s3:::b/k"), ("s3:ListBucket", "arn:aws:s3:::b")],
        ),
        (s3("PUT", "/b/k"), [("s3:PutObject", "arn:aws:s3:::b/k"), ("kms:GenerateDataKey", None)]),
        (
            s3("PUT", "/b/k", "partNumber=1&uploadId=x"),
            [("s3:PutObject", "arn:aws:s3:::b/k"), ("kms:GenerateDataKey", None), ("kms:Decrypt", None)],
        ),
        (
            s3("POST", "/b/k", "uploads"),
            [("s3:PutObject", "arn:aws:s3:::b/k"), ("kms:GenerateDataKey", None), ("kms:Decrypt", None)],
        ),
        (s3("DELETE", "/b/k", "uploadId=x"), [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")]),
        (s3("DELETE", "/b/k"), [("s3:DeleteObject", "arn:aws:s3:::b/k")]),
        (s3("PUT", "/b/k", "tagging"), [("s3:PutObjectTagging", "arn:aws:s3:::b/k")]),
        (s3("GET", "/b", "list-type=2&prefix=x"), [("s3:ListBucket", "arn:aws:s3:::b")]),
        (
            call("ssm", "AmazonSSM.GetParameters", {"Names": ["/showrunner/local/a/b", "/c"]}),
            [
                ("ssm:GetParameters", f"arn:aws:ssm:{PLACE}:parameter/showrunner/local/a/b"),
                ("ssm:GetParameters", f"arn:aws:ssm:{PLACE}:parameter/c"),
                ("kms:Decrypt", None),
            ],
        ),
        (
            call("states", "AWSStepFunctions.StartExecution", {"stateMachineArn": "arn:m", "input": "{}"}),
            [("states:StartExecution", "arn:m")],
        ),
        (
            call("states", "AWSStepFunctions.StopExecution", {"executionArn": "arn:e"}),
            [("states:StopExecution", "arn:e")],
        ),
        (
            call(
                "events", "AWSEvents.PutEvents", {"Entries": [{"EventBusName": "b"}, {"EventBusName": "b"}]}
            ),
            [("events:PutEvents", f"arn:aws:events:{PLACE}:event-bus/b")],
        ),
        (
            call("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "t"}),
            [("dynamodb:GetItem", f"arn:aws:dynamodb:{PLACE}:table/t")],
        ),
        (
            call("sqs", "AmazonSQS.SendMessage", {"QueueUrl": "http://x/000000000000/q"}),
            [("sqs:SendMessage", f"arn:aws:sqs:{PLACE}:q")],
        ),
        (
            call("sqs", "AmazonSQS.SendMessageBatch", {"QueueUrl": "http://x/000000000000/q"}),
            [("sqs:SendMessage", f"arn:aws:sqs:{PLACE}:q")],
        ),
        (call("kms", "TrentService.Decrypt", {"CiphertextBlob": "x"}), [("kms:Decrypt", None)]),
        (
            {
                **call("ses", "", None),
                "body": "Action=SendEmail&Source=a%40example.com&Message.Subject.Data=x",
            },
            [("ses:SendEmail", f"arn:aws:ses:{PLACE}:identity/a@example.com")],
        ),
        (
            {**s3("POST", "/_aws/execute-api/a1b2c3d4/live/@connections/L0SM9%3D"), "service": "execute-api"},
            [
                (
                    "execute-api:ManageConnections",
                    f"arn:aws:execute-api:{PLACE}:a1b2c3d4/live/POST/@connections/L0SM9=",
                )
            ],
        ),
        (
            {**s3("DELETE", "/v1/apis/a1/apikeys/da2-x"), "service": "appsync"},
            [("appsync:DeleteApiKey", f"arn:aws:appsync:{PLACE}:/v1/apis/a1/apikeys/da2-x")],
        ),
        (
            {**s3("GET", "/v2/email/suppression/addresses"), "service": "ses"},
            [("ses:ListSuppressedDestinations", None)],
        ),
        (
            {**s3("DELETE", "/v2/email/suppression/addresses/a%40b.c"), "service": "ses"},
            [("ses:DeleteSuppressedDestination", None)],
        ),
        (
            {**s3("GET", "/v1/apis/a1"), "service": "appsync"},
            [("appsync:GetGraphqlApi", f"arn:aws:appsync:{PLACE}:apis/a1")],
        ),
        (call("dynamodb", "DynamoDB_20120810.PutItem", None), [("dynamodb:PutItem", None)]),
        (call("sts", "", {}), []),
    ],
    ids=lambda value: (
        f"{value['service']} {value['method']} {value['target'] or value['path']}?{value['query']}"
        if isinstance(value, dict)
        else ""
    ),
)
def test_a_request_needs_these_actions_on_these_resources(line, expected):
    assert [(each.action, each.resource) for each in needs(line)] == expected


@pytest.mark.parametrize(
    "line",
    [s3("POST", "/b", "delete"), call("rds", "AmazonRDS.Stop", {}), s3("GET", "/b", "policy")],
    ids=["delete", "rds", "policy"],
)
def test_an_unknown_request_is_an_error_that_names_it(line, stacks):
    with pytest.raises(Unknown):
        needs(line)
    assert "can't judge" in faults([line], CALLERS, stacks)[0]


def test_a_permitted_action_is_allowed(stacks):
    folder = f"/{BUCKET}/{ORGANISATION}/videos/5f0a"
    lines = [
        call("ssm", "AmazonSSM.GetParameters", {"Names": ["/showrunner/local/database/password"]}),
        s3("PUT", f"{folder}/job.json"),
        call(
            "states",
            "AWSStepFunctions.StartExecution",
            {"stateMachineArn": f"arn:aws:states:{PLACE}:stateMachine:showrunner-local-production"},
            "ASIAVIDEOS",
        ),
        call(
            "states",
            "AWSStepFunctions.StopExecution",
            {"executionArn": f"arn:aws:states:{PLACE}:execution:showrunner-local-production:x-1"},
            "ASIAVIDEOS",
        ),
        s3("GET", f"{folder}/render/progress.json", status=404, key="ASIAVIDEOS"),
        s3("GET", f"/{BUCKET}/{ORGANISATION}/products/voice/1.mp3", key="ASIARENDER"),
        s3("PUT", f"{folder}/render/video.mp4", key="ASIARENDER"),
    ]

    assert faults(lines, CALLERS, stacks) == []
    assert policies.used(lines, CALLERS, stacks).keys() == {"prepare", "videos", "render"}


def test_a_forbidden_action_is_detected(stacks):
    lines = [
        s3("GET", f"/{BUCKET}/{ORGANISATION}/videos/5f0a/job.json"),
        s3("PUT", f"/{BUCKET}/{ORGANISATION}/products/voice/1.mp3"),
        s3("PUT", f"/{BUCKET}/{ORGANISATION}/videos/5f0a/job.json", key="ASIARENDER"),
        call("ssm", "AmazonSSM.GetParameters", {"Names": ["/showrunner/local/openai/api_key"]}, "ASIAVIDEOS"),
        call(
            "states",
            "AWSStepFunctions.StartExecution",
            {"stateMachineArn": f"arn:aws:states:{PLACE}:stateMachine:other"},
            "ASIAVIDEOS",
        ),
        s3("DELETE", f"/{BUCKET}/x", key="test"),
    ]

    assert faults(lines, CALLERS, stacks) == [
        f"prepare: s3:GetObject on arn:aws:s3:::{BUCKET}/{ORGANISATION}/videos/5f0a/job.json is not allowed",
        f"prepare: s3:PutObject on arn:aws:s3:::{BUCKET}/{ORGANISATION}/products/voice/1.mp3 is not allowed",
        f"render: s3:PutObject on arn:aws:s3:::{BUCKET}/{ORGANISATION}/videos/5f0a/job.json is not allowed",
        (
            f"videos: ssm:GetParameters on arn:aws:ssm:{PLACE}:parameter/showrunner/local/openai/api_key is "
            "not allowed"
        ),
        f"videos: states:StartExecution on arn:aws:states:{PLACE}:stateMachine:other is not allowed",
    ]


def test_an_unknown_caller_is_an_error(stacks):
    with pytest.raises(Unknown, match="stranger"):
        faults([s3("GET", "/b/k", key="K")], {"K": {"kind": "lambda", "name": "stranger"}}, stacks)


def test_every_statement_of_every_function_and_job_can_be_resolved(stacks):
    """SAM policy templates and managed policies are not used: they would hide what a function may do."""
    for function in template.functions().values():
        assert all(
            isinstance(policy, dict) and "Statement" in policy
            for policy in function.properties.get("Policies", ())
        ), function.name
        for each in stacks.statements_of_function(function):
            assert not [text for text in (*each["Action"], *each["Resource"]) if "${" in text]
            assert each["Effect"] == "Allow"
            allows([each], Need("s3:GetObject", "arn:aws:s3:::b/k"))
    for name in ("showrunner-local-render-gpu", "showrunner-local-render-cpu"):
        assert stacks.statements_of_job(name)


def test_logical_ids_of_both_stacks_are_different():
    """Then one map of physical ids is enough for both."""
    assert load(APPLICATION)["Resources"].keys() & load(DATA)["Resources"].keys() == set()


def test_the_engine_issues_the_keys_that_callers_json_names():
    from local.engine import callers

    assert callers.access_key("prepare") != callers.access_key("videos")
    assert callers.access_key("prepare").startswith("ASIA")
    assert code.function_names()

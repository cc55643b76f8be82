"""The comparison of recorded calls with roles finds what a function may not do, by any way of asking AWS.

tests/conftest.py makes it after each test; `tests/bench/cold.py --try` looks at a first request of every
function.
"""

import contextlib
import os

import pytest
from botocore.exceptions import ClientError

from showrunner.aws import objects, rpc, sdk
from tests.contract import recorded
from tests.contract.code import ROOT

PLACE = "us-east-1:123456789012"


@pytest.fixture(autouse=True)
def asked(aws):
    """Return a function that asks AWS as another function's code would, and returns what is not allowed."""

    def ask(function, what):
        recorded.faults()
        code = compile("what()", str(ROOT / "functions" / function / "app.py"), "exec")
        with contextlib.suppress(ClientError, rpc.AwsError):
            exec(code, {"what": what})
        assert recorded.calls, "the call was recorded"
        return recorded.faults()

    return ask


def test_a_secret_that_the_role_does_not_name_is_found(asked):
    def read():
        rpc.call("ssm", "GetParameters", {"Names": ["/showrunner/test/openai/api_key"]})

    fault = f"artists: ssm:GetParameters on arn:aws:ssm:{PLACE}:parameter/showrunner/test/openai/api_key"
    assert asked("artists", read) == [f"{fault} is not allowed"]
    assert asked("script", read) == []


def test_an_object_outside_the_roles_folder_is_found(asked):
    def put(key):
        return lambda: objects.request("put_object", os.environ["MEDIA_BUCKET"], key, body=b"x")

    assert asked("prepare", put("organisations/1/videos/2/job.json")) == []
    (fault,) = asked("prepare", put("organisations/1/assets/2"))
    assert fault.startswith("prepare: s3:PutObject on arn:aws:s3:::")


def test_a_call_through_botocore_is_found_with_the_machine_that_the_setting_names(asked):
    def start():
        sdk.client("stepfunctions").start_execution(
            stateMachineArn=os.environ["PRODUCTION_MACHINE_ARN"], input="{}"
        )

    assert asked("videos", start) == []
    assert asked("accounts", start) == [
        f"accounts: states:StartExecution on arn:aws:states:{PLACE}:stateMachine:production is not allowed"
    ]


def test_an_item_of_another_kind_than_the_condition_allows_is_found(asked):
    def get(key):
        request = {"TableName": os.environ["STATE_TABLE"], "Key": {"pk": {"S": key}, "sk": {"S": "x"}}}
        return lambda: rpc.call("dynamodb", "GetItem", request)

    found = {key: bool(asked("script", get(key))) for key in ("breaker#openai", "quota#youtube#2026-01-01")}

    assert found == {"breaker#openai": False, "quota#youtube#2026-01-01": True}

"""Environment variables and secrets of the functions."""

import json
import re

from tests.contract import code, template
from tests.contract.template import FILES, Function, load, references

# Settings that the code reads and no template sets, each with the reason.
GIVEN_ELSEWHERE = {
    "RATE_LIMIT_FACTOR": "only tests and load runs raise the limits",
    "BCRYPT_COST": "only tests lower the cost of a password",
    "VERSION": "until a release sets it, the code's own number serves",
}


# Set by Lambda:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime; the
# SDKs' endpoint is only set locally.
GIVEN_BY_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
}


# Set by a template, read by a library.
READ_BY_LIBRARIES = {"POWERTOOLS_LOG_LEVEL": "aws-lambda-powertools"}


def test_every_setting_that_a_function_reads_is_given_to_it(functions):
    given = GIVEN_ELSEWHERE.keys() | GIVEN_BY_LAMBDA
    missing = {
        name: sorted({read.name for read in code.settings(name)} - function.variables.keys() - given)
        for name, function in functions.items()
    }

    assert {name: settings for name, settings in missing.items() if settings} == {}


def test_settings_given_elsewhere_have_a_default_and_are_read(functions):
    reads = {read for name in functions for read in code.settings(name)}

    assert {read.name for read in reads if read.name in GIVEN_ELSEWHERE and read.optional} == set(
        GIVEN_ELSEWHERE
    )


def test_every_environment_variable_is_read(functions):
    read = {name: {read.name for read in code.settings(name)} for name in functions}
    by_anybody = set().union(*read.values()) | READ_BY_LIBRARIES.keys()
    for name, function in functions.items():
        own = (function.own.get("Environment") or {}).get("Variables") or {}
        assert sorted(own.keys() - read[name] - READ_BY_LIBRARIES.keys()) == [], (
            f"{name} is given what it doesn't read"
        )
    for path in FILES:
        common = ((load(path).get("Globals") or {}).get("Function") or {}).get("Environment") or {
            "Variables": {}
        }
        assert sorted(common["Variables"].keys() - by_anybody) == []


def secret_faults(function: Function) -> list[str]:
    named = [
        name
        for name in function.variables
        if re.search("PASSWORD|SECRET|TOKEN|CREDENTIAL|(^|_)KEY(_|$)(?!ARN$)|PRIVATE", name)
    ]
    resolved = [
        name
        for name, value in function.variables.items()
        if re.search("resolve:(ssm-secure|secretsmanager)", json.dumps(value))
    ]
    hidden = {
        name
        for name, parameter in (function.template.get("Parameters") or {}).items()
        if str(parameter.get("NoEcho", "")).lower() == "true"
    }
    return (
        named + resolved + [name for name, value in function.variables.items() if references(value) & hidden]
    )


def test_no_environment_variable_holds_a_secret(functions):
    assert {
        name: secret_faults(function) for name, function in functions.items() if secret_faults(function)
    } == {}


def test_a_secret_in_a_variable_is_detected():
    broken = template.parse("""
        Parameters: {Hidden: {Type: String, NoEcho: true}}
        Resources:
          ShopFunction:
            Type: AWS::Serverless::Function
            Properties:
              CodeUri: functions/shop
              Environment:
                Variables: {API_KEY: abc, A: '{{resolve:secretsmanager:x}}', B: !Ref Hidden, KEYBOARD: us}
    """)

    assert secret_faults(template.functions(broken)["shop"]) == ["API_KEY", "A", "B"]

"""aws/ssm.py: a read of secrets is in the log, by name only."""

import json
import os

import pytest

from showrunner import masking
from showrunner.aws import sdk, ssm
from showrunner.errors import ConfigurationMissing
from tests.conftest import put_secrets


def test_a_read_of_secrets_is_logged_without_their_values_and_once_while_cached(aws, capsys):
    put_secrets({"openai/api_key": "sk-never-in-a-log", "elevenlabs/api_key": "el-never-in-a-log"})

    for _ in range(2):
        assert ssm.secret("openai/api_key") == "sk-never-in-a-log"
    ssm.secrets(["openai/api_key", "elevenlabs/api_key"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    reads = [line["parameter"] for line in lines if line["message"] == "secret read"]
    assert reads == ["openai/api_key", "elevenlabs/api_key"]
    assert "never-in-a-log" not in str(lines)


def test_a_written_secret_is_encrypted_with_the_stages_key(aws):
    for value in ("first", "second"):
        ssm.write("pexels/written", value)

    filters = [{"Key": "Name", "Values": [ssm.parameter("pexels/written")]}]
    (found,) = sdk.client("ssm").describe_parameters(ParameterFilters=filters)["Parameters"]

    assert (found["Type"], found["KeyId"]) == ("SecureString", os.environ["STAGE_KEY_ARN"])
    assert ssm.current("pexels/written") == "second"
    ssm.remove("pexels/written")


# ------------------------------------------------------------------------------------------------ Environment


@pytest.fixture
def variable(aws, monkeypatch):
    """A secret that no stage has in SSM, as a variable of the environment. Returns its name and value."""
    monkeypatch.setenv("ANYBODY_API_KEY", "value-of-the-variable")
    ssm.forget()
    yield "anybody/api_key", "value-of-the-variable"
    ssm.forget()


def test_the_local_stage_takes_a_secret_that_ssm_does_not_have_from_the_environment(variable, monkeypatch):
    name, value = variable
    monkeypatch.setenv("STAGE", "local")

    assert ssm.secret(name, default="a default") == value
    assert masking.masked(f"failed with {value}") == "failed with ***"
    ssm.write(name, "value-in-ssm")
    try:
        assert ssm.secret(name) == "value-in-ssm", "SSM is asked first"
        assert ssm.current(name) == "value-in-ssm"
    finally:
        ssm.remove(name)
    assert ssm.current(name) is None, "a rotation never takes the environment's"


@pytest.mark.parametrize("stage", ["dev", "prod", "test", "local-2", "LOCAL"])
def test_any_other_stage_refuses_a_secret_from_the_environment(variable, monkeypatch, stage):
    name, value = variable
    monkeypatch.setenv("STAGE", stage)

    assert ssm.secret(name, default="a default") == "a default"
    with pytest.raises(ConfigurationMissing, match=f"/showrunner/{stage}/{name} is not in SSM") as raised:
        ssm.secret(name)
    assert value not in str(raised.value)

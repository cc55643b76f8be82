"""aws/ssm.py: a read of secrets is in the log, by name only."""

import json
import os

from showrunner.aws import sdk, ssm
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

"""aws/ssm.py: a read of secrets is in the log, by name only."""

import json

from showrunner.aws import ssm
from tests.conftest import put_secrets


def test_a_read_of_secrets_is_logged_without_their_values_and_once_while_cached(aws, capsys):
    put_secrets({"openai/api_key": "sk-never-in-a-log", "elevenlabs/api_key": "el-never-in-a-log"})

    for _ in range(2):
        assert ssm.secret("openai/api_key") == "sk-never-in-a-log"
    ssm.secrets(["openai/api_key", "elevenlabs/api_key"])

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["secrets"] for line in lines] == [["openai/api_key"], ["elevenlabs/api_key"]]
    assert {line["message"] for line in lines} == {"secrets read"}
    assert "never-in-a-log" not in str(lines)

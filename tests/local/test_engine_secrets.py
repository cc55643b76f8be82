"""The drill of the secrets' recovery: `make restore-keys` into an empty stage on the engine."""

import hashlib
import json
import os
import subprocess
import uuid

import pytest

from local.settings import ROOT
from showrunner.aws import sdk, ssm
from showrunner.keys import backup, state


@pytest.fixture
def stage(engine, monkeypatch):
    """Point this process at the engine, as a stage with secrets of several versions."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", engine.url)
    monkeypatch.setenv("STAGE", "local")
    monkeypatch.setenv("PARAMETER_BACKUP_BUCKET", f"keys-{uuid.uuid4().hex[:12]}")
    sdk.client.cache_clear()
    ssm.forget()
    sdk.client("s3").create_bucket(Bucket=os.environ["PARAMETER_BACKUP_BUCKET"])
    monkeypatch.setenv("STAGE_KEY_ARN", sdk.client("kms").create_key()["KeyMetadata"]["Arn"])
    assert ssm.everything() == []
    for number in range(4):
        ssm.write("openai/api_key", f"sk-version-{number}")
    ssm.write(state.previous("openai/api_key"), "sk-version-2")
    ssm.write("auth/jwks", json.dumps({"keys": []}))
    for number in range(2):
        ssm.write("database/password", json.dumps({"user": "a", "password": f"{number}" * 32}))
    yield
    for name, _, _ in ssm.everything():
        ssm.remove(name)
    sdk.client.cache_clear()
    ssm.forget()


def seen():
    """Return name, version and checksum of each secret."""
    return [
        (name, version, hashlib.sha256(value.encode()).hexdigest())
        for name, version, value in ssm.everything()
    ]


def test_a_lost_stage_gets_all_secrets_back_with_their_versions(stage, engine):
    made = backup.save()
    before = seen()
    assert {name: version for name, version, _ in before} == {
        "auth/jwks": 1,
        "database/password": 2,
        "openai/api_key": 4,
        "previous/openai/api_key": 1,
    }
    for name, _, _ in before:
        ssm.remove(name)
    assert seen() == []

    for _ in range(2):  # the second run finds everything there
        run = subprocess.run(
            ["make", "restore-keys", "STAGE=local", f"FROM=s3://{made['bucket']}/{made['key']}"],
            cwd=ROOT,
            env={**os.environ, "ENGINE_PORT": str(engine.port)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert "4 secrets are restored: names, versions and checksums are the backup's" in run.stdout
        assert "sk-version" not in run.stdout + run.stderr
        assert seen() == before

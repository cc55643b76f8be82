"""The nightly copy of all secrets, and their restore into an empty stage, against SSM and S3 of moto."""

import hashlib
import json
import os

import pytest

from functions.keys import app
from local.settings import Refused
from local.stages import restore_keys
from local.stages.stage import Stage
from showrunner.aws import sdk, ssm
from showrunner.keys import backup, state

BUCKET = "keys-in-a-second-region"


@pytest.fixture
def stage(aws, monkeypatch):
    """A stage of this test's own with four secrets, two of them with older versions."""
    monkeypatch.setenv("STAGE", "lost")
    monkeypatch.setenv("PARAMETER_BACKUP_BUCKET", BUCKET)
    sdk.client("s3").create_bucket(Bucket=BUCKET)
    by_default = {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": os.environ["STAGE_KEY_ARN"],
    }  # template.data.yaml
    sdk.client("s3").put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]},
    )
    ssm.forget()
    for number in range(3):
        ssm.write("openai/api_key", f"sk-version-{number}")
    ssm.write("auth/jwks", json.dumps({"keys": []}))
    ssm.write(state.previous("openai/api_key"), "sk-version-1")
    ssm.write(state.previous("openai/api_key"), "sk-version-2")
    ssm.write(state.candidate("openai/api_key"), "sk-never-used")
    ssm.write("database/password", json.dumps({"user": "a", "password": "b" * 32}))
    yield Stage("lost")
    empty()
    monkeypatch.setenv("STAGE", "test")
    ssm.forget()


def empty():
    for name, _, _ in ssm.everything():
        ssm.remove(name)


def seen():
    return [
        (name, version, hashlib.sha256(value.encode()).hexdigest())
        for name, version, value in ssm.everything()
    ]


def saved():
    made = backup.save()
    return f"s3://{made['bucket']}/{made['key']}"


def test_a_restored_stage_has_the_same_names_versions_and_checksums(stage, capsys):
    source = saved()
    ssm.remove(state.candidate("openai/api_key"))
    before = seen()
    assert [name for name, _, _ in before] == [
        *("auth/jwks", "database/password", "openai/api_key", "previous/openai/api_key"),
    ]
    empty()
    assert seen() == []

    restore_keys.restore(stage, source)
    assert seen() == before
    assert {name: version for name, version, _ in before}["openai/api_key"] >= 3
    restore_keys.restore(stage, source)
    assert seen() == before
    said = capsys.readouterr().out
    assert "4 secrets are restored" in said
    assert "sk-version" not in said


def test_the_copy_is_encrypted_and_lies_in_the_named_bucket(stage):
    made = backup.save()
    assert (made["bucket"], made["secrets"]) == (BUCKET, 4)
    assert made["key"].startswith("keys/lost/20")
    head = sdk.client("s3").head_object(Bucket=BUCKET, Key=made["key"])
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", os.environ["STAGE_KEY_ARN"])


def test_an_interrupted_restore_goes_on(stage):
    source = saved()
    ssm.remove(state.candidate("openai/api_key"))
    before = seen()
    empty()
    ssm.write("openai/api_key", "sk-version-2")
    for _ in range(5):
        ssm.write("auth/jwks", json.dumps({"keys": []}))
    restore_keys.restore(stage, source)
    assert seen() == before


@pytest.mark.parametrize("other", ["openai/api_key", "another/key"])
def test_a_stage_with_other_secrets_is_left_alone(stage, other):
    source = saved()
    empty()
    ssm.write(other, "somebody-elses")
    with pytest.raises(Refused, match="restore into an empty stage"):
        restore_keys.restore(stage, source)
    assert [name for name, _, _ in seen()] == [other]


def test_a_damaged_backup_is_refused(stage):
    made = backup.save()
    client = sdk.client("s3")
    document = json.loads(client.get_object(Bucket=BUCKET, Key=made["key"])["Body"].read())
    document["parameters"][0]["value"] = "changed"
    client.put_object(Bucket=BUCKET, Key=made["key"], Body=json.dumps(document).encode())
    empty()
    with pytest.raises(Refused, match="is damaged"):
        restore_keys.restore(stage, f"s3://{BUCKET}/{made['key']}")
    with pytest.raises(Refused, match="begins with s3://"):
        restore_keys.restore(stage, "keys/lost/today.json")
    assert seen() == []


def test_the_nightly_run_makes_the_copy(stage, monkeypatch, event):
    assert app.handler(event("keys.scheduled"), None)["backup"]["secrets"] == 4

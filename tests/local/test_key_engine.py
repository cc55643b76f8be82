"""The stage's key on the engine's CloudFormation: before the first secret, and the same after the rest."""

from pathlib import Path

import pytest

from local.stages import key
from local.stages import stage as stages
from local.stages.stage import Stage
from tests.contract import template
from tests.local.conftest import Engine
from tests.local.test_verify_engine import Session

THE_REST = (
    "  Rest:\n    Type: AWS::SNS::Topic\n    Properties: {KmsMasterKeyId: !GetAtt StageKey.Arn}\nOutputs:\n"
)


def test_the_key_is_there_before_the_first_secret_and_stays(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Stage, "session", lambda self: Session(engine))
    monkeypatch.setattr(stages, "POLL_SECONDS", 0.1)
    stage = Stage("keyed")

    key.make(stage)
    arn = stage.output(stage.data_stack, "StageKeyArn")
    stage.put_secret("openai/api_key", "value")

    (stored,) = stage.aws("ssm").describe_parameters(
        ParameterFilters=[{"Key": "Name", "Values": [stage.parameter_name("openai/api_key")]}]
    )["Parameters"]
    assert (stored["Type"], stored["KeyId"]) == ("SecureString", arn)
    assert stage.aws("kms").describe_key(KeyId="alias/showrunner-keyed")["KeyMetadata"]["Arn"] == arn

    (tmp_path / "data.yaml").write_text(key.template().replace("Outputs:\n", THE_REST))
    outputs = engine.deploy(stage.data_stack, tmp_path / "data.yaml", Stage="keyed")
    key.make(stage)

    assert outputs["StageKeyArn"] == stage.output(stage.data_stack, "StageKeyArn") == arn
    assert stage.secrets_under_other_keys() == []


def test_the_key_is_the_one_of_the_data_template() -> None:
    """Otherwise the first `make deploy` would replace it, and what it has encrypted would be lost."""
    first, whole = template.parse(key.template()), template.load(template.DATA)

    assert first["Resources"] == {name: whole["Resources"][name] for name in key.RESOURCES}
    assert first["Outputs"] == {"StageKeyArn": whole["Outputs"]["StageKeyArn"]}
    assert first["Parameters"] == {"Stage": whole["Parameters"]["Stage"]}
    assert template.references(first["Resources"]) <= {
        *("Stage", "StageKey", "AWS::Partition", "AWS::AccountId", "AWS::Region"),
    }

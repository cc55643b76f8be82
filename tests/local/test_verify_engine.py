"""make verify against the engine's AWS: what each check that needs no internet finds in real answers."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stages import verify
from local.stages.stage import Stage
from tests.local.conftest import TEMPLATES, Engine


class Session:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def client(self, service: str, **_: Any) -> Any:
        return self.engine.client(service)


STACKS = {"showrunner-data-dev": "stage-data.yaml", "showrunner-dev": "stage-application.yaml"}


@pytest.fixture(scope="module")
def stacks(engine: Engine) -> Iterator[None]:
    """Both stacks of a stage as they stand after a deployment, small enough for a test."""
    for name, template in STACKS.items():
        engine.deploy(name, TEMPLATES / template)
    yield
    for name in STACKS:
        formation = engine.client("cloudformation")
        formation.update_termination_protection(StackName=name, EnableTerminationProtection=False)
        formation.delete_stack(StackName=name)


@pytest.fixture
def stage(engine: Engine, stacks: None, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(Stage, "session", lambda self: Session(engine))
    return Stage("dev")


def test_a_stack_that_nobody_changed_has_no_drift(stage: Stage) -> None:
    assert list(verify.nothing_drifted(stage)) == []


def test_a_queue_that_was_changed_by_hand_is_named(stage: Stage) -> None:
    queue = stage.aws("sqs").get_queue_url(QueueName="verify-waiting")["QueueUrl"]
    stage.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5"})
    try:
        (found,) = verify.nothing_drifted(stage)
    finally:
        stage.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "60"})

    assert found == "showrunner-dev Waiting is modified /VisibilityTimeout"
    assert list(verify.nothing_drifted(stage)) == []


def test_stacks_stand_once_they_are_protected(stage: Stage) -> None:
    assert [each.split()[0] for each in verify.stacks_stand(stage)] == list(STACKS)
    for name in STACKS:
        stage.aws("cloudformation").update_termination_protection(
            StackName=name, EnableTerminationProtection=True
        )

    assert list(verify.stacks_stand(stage)) == []


def test_a_state_table_without_recovery_is_named(stage: Stage) -> None:
    for enabled in (True, False):
        stage.aws("dynamodb").update_continuous_backups(
            TableName="verify-state",
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled},
        )
        found = list(verify.data_can_be_restored(stage))

        assert bool(found) != enabled, found


def test_an_alarm_that_is_on_is_named(stage: Stage) -> None:
    assert list(verify.no_alarm_is_on(stage)) == []

    stage.aws("cloudwatch").set_alarm_state(
        AlarmName="showrunner-dev-TooLong", StateValue="ALARM", StateReason="tried"
    )

    assert list(verify.no_alarm_is_on(stage)) == ["showrunner-dev-TooLong: tried"]


def test_alarms_that_nobody_gets_are_named(stage: Stage) -> None:
    (found,) = verify.alarms_reach_somebody(stage)

    assert found.startswith("nobody gets the alarms")

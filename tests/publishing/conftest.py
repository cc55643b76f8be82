"""Fixtures of the publishing tests."""

from datetime import UTC, datetime

import pytest

from showrunner import quotas
from showrunner.aws import dynamodb
from tests.publishing.studio import Studio, make_studio


@pytest.fixture
def studio(platforms, tx, organisation_id, monkeypatch) -> Studio:
    return make_studio(platforms, tx, organisation_id, monkeypatch)


def reset_quota() -> None:
    day = f"quota#youtube#{quotas.pacific_day(datetime.now(UTC))}"
    for bucket, _ in dynamodb.list_(day):
        dynamodb.remove(day, bucket)


@pytest.fixture(autouse=True)
def fresh_quota(aws):
    reset_quota()
    yield
    reset_quota()

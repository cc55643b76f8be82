"""The sample events of the Platform API: their handlers accept what `sam local invoke` sends."""

import json

import pytest

from tests.conftest import ROOT, send

EXPECTED = {
    "accounts.register": 201,
    "accounts.login": 401,
    "videos.list": 200,
    "videos.generate": 404,
    "channels.add": 201,
    "channels.list": 200,
    "artists.import": 200,
    "artists.list": 200,
    "assets.add": 201,
    "admin.health": 200,
    "admin.unknown": 404,
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_sample_has_its_expected_answer(name, event, client):
    sample = event(name)
    if "authorization" in sample["headers"]:
        sample["headers"]["authorization"] = f"Bearer {client.token}"

    response = send(sample)

    assert response["statusCode"] == EXPECTED[name], response["body"]
    assert response["headers"]["x-request-id"] == sample["headers"].get(
        "x-request-id", response["headers"]["x-request-id"]
    )
    assert response["body"] is None or json.loads(response["body"])


def test_every_sample_of_these_functions_has_an_expectation():
    found = {
        path.stem
        for kind in ("accounts", "artists", "videos", "channels", "assets", "admin")
        for path in (ROOT / "events").glob(f"{kind}.*.json")
    }

    assert found == set(EXPECTED)

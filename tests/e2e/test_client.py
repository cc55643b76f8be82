"""The generated client calls the running stack, as somebody who integrates with it would."""

import importlib
import time

import httpx
import pytest

from tests import clients

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
# The deployment asks for the voices in the background.
CHECK_SECONDS = 60


@pytest.fixture(scope="module")
def caller(stack, tmp_path_factory):
    with clients.generated(tmp_path_factory.mktemp("clients")):
        token = (stack.home / "keys" / "token").read_text()
        made = importlib.import_module("platform_client").AuthenticatedClient(
            stack.address("PLATFORM"), token, raise_on_unexpected_status=True
        )
        yield made


def test_the_generated_client_reads_channels_and_estimates_a_video(stack, caller):
    channels = importlib.import_module("platform_client.api.channels.channels_list_channels")
    estimate = importlib.import_module("platform_client.api.videos.videos_estimate")
    models = importlib.import_module("platform_client.models")

    listed = channels.sync(client=caller)
    brief = models.Brief(channel_id=stack.channel, topic="How tides work", length_seconds=10)
    estimated = estimate.sync(client=caller, body=brief)

    assert stack.channel in [each.id for each in listed.channels]
    assert 0 < float(estimated.cost_usd.total) < 1


def test_the_sample_of_a_voice_plays(caller):
    voices = importlib.import_module("platform_client.api.videos.videos_list_voices")
    until = time.monotonic() + CHECK_SECONDS
    while not all(each.sample_url for each in voices.sync(client=caller).voices):
        assert time.monotonic() < until, "the voices were not checked after the deployment"
        time.sleep(1)
    found = voices.sync(client=caller).voices

    assert {each.name for each in found if each.is_usable} == {"female1", "male1"}
    sample = httpx.get(found[0].sample_url, timeout=60).raise_for_status()
    assert sample.headers["content-type"] == "audio/mpeg"
    assert len(sample.content) > 10_000

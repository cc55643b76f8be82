"""A channel that runs itself, on the deployed templates: topics in, a video ordered by the schedule."""

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def test_a_channel_with_topics_gets_its_video_ordered(stack, ordered):
    slot, executions = ordered.result()

    assert (slot["state"], slot["topic"], slot["reason"]) == ("in_production", "How bees build hives", None)
    assert executions == [f"{slot['video_id']}-1"]
    [cancelled] = [
        each
        for each in stack.api.get(f"/channels/{slot['channel_id']}/calendar")
        .raise_for_status()
        .json()["slots"]
        if each["video_id"] == slot["video_id"]
    ]
    assert cancelled["state"] == "cancelled"

"""A channel that runs itself, on the deployed templates: topics in, a video ordered by the schedule."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.publishing import calendar

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

# The schedule runs every minute: planning and ordering take two runs.
SCHEDULE_SECONDS = 240


def test_a_channel_with_topics_gets_its_video_ordered(stack):
    at = datetime.now(UTC) + calendar.DEFAULT_LEAD + timedelta(minutes=2)
    settings = {"publish_times": [at.strftime("%H:%M")], "topics": ["How bees build hives", "Honey"]}
    body = {"name": "Bees", "niche": "Insects", "settings": settings}
    channel = stack.api.post("/channels", json=body).raise_for_status().json()["channel"]["id"]

    def first_slot():
        slots = stack.api.get(f"/channels/{channel}/calendar").raise_for_status().json()["slots"]
        return slots[0] if slots else {"state": None}

    deadline = time.monotonic() + SCHEDULE_SECONDS
    while first_slot()["state"] in (None, "planned") and time.monotonic() < deadline:
        time.sleep(2)

    slot = first_slot()
    assert (slot["state"], slot["topic"], slot["reason"]) == ("in_production", "How bees build hives", None)
    assert stack.executions(slot["video_id"]) == [f"{slot['video_id']}-1"]
    stack.api.post(f"/videos/{slot['video_id']}/cancel").raise_for_status()
    assert first_slot()["state"] == "cancelled"
    stack.api.post(f"/channels/{channel}/pause").raise_for_status()

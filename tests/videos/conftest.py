"""Fixtures of the videos tests: a channel, an ordered video, and a list of many."""

import pytest

from showrunner.database import db
from tests.videos.calls import order


@pytest.fixture
def channel_id(client):
    response = client("POST", "/api/v1/channels", {"name": "Bees", "niche": "Insects"})
    assert response.status == 201, response
    return response.body["channel"]["id"]


@pytest.fixture
def video(client, channel_id):
    response = client("POST", "/api/v1/videos/generate", order(channel_id))
    assert response.status == 202, response
    return response.body


@pytest.fixture
def many(client, tx, channel_id):
    """Add 25 videos, five per minute, so that the order needs the id."""
    db.run(
        tx,
        """
        INSERT INTO studio.videos (organisation_id, channel_id, request, title, status, priority, created_at)
        SELECT :o, :c, '{}', CASE WHEN n % 3 > 0 THEN 'Title ' || (n % 7) END,
               CASE n % 2 WHEN 0 THEN 'failed' ELSE 'completed' END, 1 + n % 3,
               timestamptz '2026-01-01' + make_interval(mins => n / 5)
          FROM generate_series(0, 24) n
        """,
        o=client.organisation_id,
        c=channel_id,
    )

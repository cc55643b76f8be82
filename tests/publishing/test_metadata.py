"""Metadata that YouTube would refuse are refused before a byte is sent."""

from datetime import UTC, datetime, timedelta

import pytest

from showrunner.publishing import metadata
from showrunner.publishing.job import Metadata

NOW = datetime(2026, 11, 29, 8, tzinfo=UTC)
GOOD = {
    "title": "Cables under the sea",
    "description": "What carries the internet.",
    "tags": ["cables"],
    "category_id": 27,
    "language": "en",
    "made_for_kids": False,
    "synthetic": True,
    "privacy": "public",
}


def faults(**changes):
    found = metadata.find_faults(Metadata.model_validate({**GOOD, **changes}), NOW)
    return [each["field"] for each in found]


def test_good_metadata_has_no_faults():
    assert faults() == faults(description="é" * 2500, title="é" * 100) == []
    assert faults(publish_at=NOW + timedelta(minutes=15)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": "  "}, "title"),
        ({"title": "x" * 101}, "title"),
        ({"title": "a < b"}, "title"),
        ({"description": "é" * 2501}, "description"),
        ({"description": "a > b"}, "description"),
        ({"tags": ["x" * 501]}, "tags"),
        ({"tags": ["one, two"]}, "tags"),
        ({"category_id": 43}, "category"),
        ({"publish_at": NOW - timedelta(days=1)}, "schedule_time"),
        ({"publish_at": NOW + timedelta(minutes=14)}, "schedule_time"),
        ({"publish_at": NOW + timedelta(days=181)}, "schedule_time"),
        ({"publish_at": NOW + timedelta(hours=1), "privacy": "unlisted"}, "privacy"),
    ],
)
def test_what_youtube_refuses_is_named(changes, field):
    assert faults(**changes) == [field]

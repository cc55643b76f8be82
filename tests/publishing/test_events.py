"""Samples of the publication machine's events."""

import json

import pytest

from functions.publish import app as publish
from functions.upload import app as upload
from tests.contract.code import ROOT

# What the release before gave its publications; tests/contract/test_in_flight.py records it.
BEFORE = ROOT / "tests" / "contract" / "in_flight" / "inputs.json"


@pytest.mark.parametrize("release", ["this one", "the one before"])
def test_the_samples_are_one_publication_that_fails_at_its_file(studio, event, release):
    if release == "the one before":
        event = json.loads(BEFORE.read_text(encoding="utf-8")).__getitem__
    begin = event("publish.begin")
    row = studio.order()
    ids = {name: row[name] for name in ("video_id", "organisation_id", "attempt")}

    assert publish.handler({**begin, **ids}, None) == {"do": "work", "step": "check"}
    assert upload.handler({**event("upload.check"), **ids}, None) == {"do": "work", "step": "reserve"}
    waiting = publish.handler({**event("publish.record"), **ids}, None)
    assert (waiting["do"], waiting["wait_seconds"], studio.row()["waiting_for"]) == (
        "wait",
        900,
        "Today's quota of general is spent.",
    )
    assert publish.handler({**event("publish.fail"), **ids}, None) == {"do": "end", "step": "fail"}
    assert (studio.status(), studio.row()["problems"][0]["message"]) == (
        "completed",
        "The file is not an MP4.",
    )

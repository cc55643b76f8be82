"""The progress of a report in rows, as Live clients get it while it is loaded."""

import gzip
import json

import pytest

from showrunner.aws import sdk
from showrunner.live import updates
from showrunner.reports import opening
from showrunner.rights import loading_progress
from tests.rights.test_money import CLAIMS, name, row
from tests.rights.test_snapshots import HEADER, claim


@pytest.fixture
def bus(aws):
    """Return a function that returns the events on the bus since the last call."""
    events, sqs = sdk.client("events"), sdk.client("sqs")
    events.put_rule(Name="progress", EventPattern='{"source": ["showrunner"]}')
    url = sqs.create_queue(QueueName="progress")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_targets(Rule="progress", Targets=[{"Id": "q", "Arn": arn}])

    def read():
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(each["Body"]) for each in messages]
            for each in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return sorted(found, key=lambda each: each["detail"]["at"])

    yield read
    events.remove_targets(Rule="progress", Ids=["q"])
    events.delete_rule(Name="progress")


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        ("money", "They are added up"),
        ("a first snapshot", "Indexes for searches are made"),
        ("a later snapshot", "New, changed and removed rows are stored"),
    ],
)
def test_rows_are_counted_while_a_report_is_loaded_and_what_follows_is_said(
    kind, then, owner, drop, bus, monkeypatch
):
    monkeypatch.setattr(loading_progress, "EVERY_SECONDS", 0.005)
    if kind == "money":
        filename, content = name(owner), CLAIMS + row("1") * 20_000
    else:
        filename = f"claim_report_{owner['name']}_C.csv"
        if kind == "a later snapshot":
            drop(filename, HEADER + "".join(claim(number) for number in range(1, 4_000)))
            bus()
        content = HEADER + "".join(claim(number, status="INACTIVE") for number in range(1, 4_000))
    (report,) = drop(filename + ".gz", gzip.compress(content.encode()))
    assert report.status == "loaded"

    *running, last = bus()
    assert running, "the load took less than 5 ms"
    assert {each["detail-type"] for each in running} == {"report.progressed"}
    details = [each["detail"] for each in running]
    shares = [each["progress"] for each in details]
    assert shares == sorted(shares)
    assert all(0 <= share < 100 for share in shares)
    assert max(each["rows"] for each in details) > 0
    assert f"{report.rows:,} rows were read. {then}" in " ".join(each["message"] for each in details)
    assert (last["detail"]["progress"], last["detail"]["rows"]) == (100, report.rows)
    order = [updates.read(each).delivery.at_us for each in (*running, last)]
    assert order == sorted(order)
    (message,) = updates.read(running[0]).messages()
    assert message["type"] == "processing_update"
    assert (message["report_id"], message["status"], message["rows"]) == (
        str(report.id),
        "loading",
        details[0]["rows"],
    )
    assert updates.read(running[0]).topics == ["reports"]


def test_the_size_of_a_packed_file_is_known_before_it_is_unpacked(tmp_path):
    content = b"a,b\n" * 5_000
    for packed in (content, gzip.compress(content)):
        (tmp_path / "file").write_bytes(packed)
        (payload,) = opening.payloads(tmp_path / "file", "file", tmp_path)
        assert payload.size == len(content)

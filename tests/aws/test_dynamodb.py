"""Items of the state table: expiry is checked at every read; sets are bounded."""

import pytest

from showrunner.aws import dynamodb
from showrunner.errors import Conflict

pytestmark = pytest.mark.usefixtures("aws")


def test_an_item_is_read_as_it_was_written():
    values = {"text": "é", "number": 2**40, "raw": b"\x00\xff", "yes": True}
    dynamodb.put("test#1", "a", {**values, "none": None})
    assert dynamodb.find("test#1", "a") == values
    dynamodb.remove("test#1", "a")
    assert dynamodb.find("test#1", "a") is None


def test_an_expired_item_is_not_returned_though_dynamodb_still_has_it():
    dynamodb.put("test#2", "a", {"x": 1}, expires_at=1000)
    assert dynamodb.find("test#2", "a", now=999) == {"x": 1}
    assert dynamodb.find("test#2", "a", now=1000) is None


def test_an_item_is_taken_once_and_never_after_it_expired():
    dynamodb.put("test#3", "a", {"x": 1}, expires_at=1000)
    assert dynamodb.take("test#3", "a", now=1000) is None
    assert dynamodb.take("test#3", "a", now=999) == {"x": 1}
    assert dynamodb.take("test#3", "a", now=999) is None
    dynamodb.put("test#3", "for ever", {})
    assert dynamodb.take("test#3", "for ever") == {}


def test_a_list_spans_pages_and_omits_expired_items():
    # DynamoDB returns at most one megabyte per page.
    for number in range(8):
        dynamodb.put("test#4", f"{number}", {"x": "a" * 300_000}, expires_at=1000 + number)
    assert [sk for sk, _ in dynamodb.list_("test#4", now=1002)] == ["3", "4", "5", "6", "7"]
    assert dynamodb.list_("test#none") == []


def test_a_set_grows_to_its_limit_and_never_on_a_missing_item():
    dynamodb.put("test#5", "a", {"x": 1})
    dynamodb.extend("test#5", "a", "names", frozenset({"b", "c"}), 3)
    with pytest.raises(Conflict):
        dynamodb.extend("test#5", "a", "names", frozenset({"d", "e"}), 3)
    dynamodb.extend("test#5", "a", "names", frozenset({"d"}), 3)
    assert dynamodb.find("test#5", "a") == {"x": 1, "names": frozenset("bcd")}
    dynamodb.reduce("test#5", "a", "names", frozenset("bcd"))
    assert dynamodb.find("test#5", "a") == {"x": 1}
    with pytest.raises(Conflict):
        dynamodb.extend("test#5", "gone", "names", frozenset({"b"}), 3)
    dynamodb.reduce("test#5", "gone", "names", frozenset({"b"}))
    assert dynamodb.find("test#5", "gone") is None

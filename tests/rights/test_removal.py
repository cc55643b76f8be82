"""A deleted organisation's content owners: after a month their files and rows are gone, and nobody else's."""

import os
from datetime import timedelta

import pytest

from functions.retention import app
from showrunner.aws import s3, sdk
from showrunner.database import db
from tests.rights.conftest import add_owner, table
from tests.rights.test_money import CLAIMS, name, row
from tests.rights.test_snapshots import DAY, HEADER, claim

TABLES = ("reports", "claims", "history", "money", "money_sums", "payments", "content_owners")


@pytest.fixture
def retention(event):
    return lambda: app.handler(event("retention.scheduled"), None)


def load_all(owner, drop):
    for day, rows in enumerate((claim(1) + claim(2), claim(2) + claim(3) + claim(4, views="many"))):
        at = DAY + timedelta(day)
        drop(f"claim_report_{owner['name']}_C.csv", HEADER + rows, folder=owner["name"], at=at)
    drop(name(owner), CLAIMS + row("1") + row("many"), folder=owner["name"])
    summary = "Revenue Type,Partner Revenue (USD)\nAds Revenue,1\n"
    drop(name(owner, "payment_summary_v1-0.csv", "202510"), summary, folder=owner["name"])
    drop("nonsense.csv", "a,b\n1,2\n", folder=owner["name"])


def counts(tx, owner):
    found = {each: len(table(tx, each, {"id": owner["id"]})) for each in TABLES if each != "content_owners"}
    sql = "SELECT count(*) FROM rights.content_owners WHERE id = :id"
    return found | {"content_owners": db.value(tx, sql, id=owner["id"])}


def test_all_of_a_deleted_organisations_content_owners_is_removed_and_nothing_else(
    tx, owner, drop, retention
):
    other = add_owner(tx)
    for each in (owner, other):
        load_all(each, drop)
    kept = counts(tx, other)
    assert min(kept.values()) > 0
    db.run(
        tx,
        "UPDATE accounts.organisations SET deleted_at = now() - interval '31 days' WHERE id = :id",
        id=owner["organisation_id"],
    )

    retention()

    assert set(counts(tx, owner).values()) == {0}
    orphans = "SELECT count(*) FROM rights.rejects WHERE report_id NOT IN (SELECT id FROM rights.reports)"
    assert db.value(tx, orphans) == 0
    assert s3.list_keys(f"drops/{owner['name']}/") == []
    assert counts(tx, other) == kept
    bucket = sdk.client("s3").list_objects_v2(
        Bucket=os.environ["MEDIA_BUCKET"], Prefix=f"drops/{other['name']}/"
    )
    assert bucket["KeyCount"] == 4

"""Snapshots of rights: what is new, changed and removed, and the history of a row."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from showrunner.database import db
from tests.rights.conftest import add_owner, table

HEADER = "claim_id,claim_status,claim_type,video_id,asset_id,asset_labels,custom_id,views,video_title\n"
DAY = datetime(2026, 11, 1, 12, tzinfo=UTC)


def claim(number, status="ACTIVE", views=10, title="A title", labels="One|Two"):
    return f"cl{number:04},{status},AUDIO,{number:011},A{number:015},{labels},C{number},{views},{title}\n"


@pytest.fixture
def snapshot(owner, drop):
    """Return a function that drops a snapshot of claims on a day and returns its record."""

    def put(day, *rows, header=HEADER):
        name = f"claim_report_{owner['name']}_C.csv"
        return drop(name, header + "".join(rows), at=DAY + timedelta(days=day))[0]

    return put


def counts(report):
    return report.status, report.new_rows, report.changed_rows, report.removed_rows


def history(tx, owner):
    found = table(tx, "history", owner, "key, day::text, change, columns", "day, key")
    return [tuple(each.values()) for each in found]


def test_the_life_of_a_claim_can_be_read(tx, owner, snapshot):
    rows = [claim(number) for number in range(1, 6)]
    assert counts(snapshot(0, *rows)) == ("loaded", 5, 0, 0)

    # Days are missing, which is normal. Views alone are no change.
    rows[0] = claim(1, status="INACTIVE", title='"He said ""Hi, you"""')
    rows[1] = claim(2, views=11)
    rows[2] = claim(6)
    report = snapshot(20, *rows)

    assert (counts(report), report.rows, report.accepted) == (("loaded", 1, 1, 1), 5, 5)
    (changed, removed) = history(tx, owner)
    assert changed[:3] == ("cl0001", "2026-11-21", "changed")
    assert set(changed[3]) == {"claim_status", "video_title"}
    assert changed[3]["claim_status"] == ["ACTIVE", "INACTIVE"]
    assert removed[:3] == ("cl0003", "2026-11-21", "removed")
    assert removed[3]["first_day"] == "2026-11-01"
    stored = {each["claim_id"]: each for each in table(tx, "claims", owner)}
    assert sorted(stored) == ["cl0001", "cl0002", "cl0004", "cl0005", "cl0006"]
    assert (stored["cl0002"]["views"], str(stored["cl0002"]["changed_day"])) == (11, "2026-11-01")
    assert stored["cl0001"]["asset_labels"] == ["One", "Two"]
    assert str(stored["cl0001"]["changed_day"]) == "2026-11-21"


def test_a_snapshot_of_less_than_half_waits_for_a_person(tx, owner, snapshot):
    snapshot(0, *(claim(number) for number in range(1, 6)))
    report = snapshot(1, claim(1), claim(2, status="INACTIVE"))

    assert (report.status, report.rows) == ("waiting", 2)
    assert "less than half" in report.reason
    assert len(table(tx, "claims", owner)) == 5
    assert history(tx, owner) == []


def test_an_older_snapshot_changes_nothing(tx, owner, snapshot):
    snapshot(5, claim(1, status="INACTIVE"))
    report = snapshot(4, claim(1))

    assert report.status == "outdated"
    assert [each["claim_status"] for each in table(tx, "claims", owner)] == ["INACTIVE"]


def test_repeated_keys_are_refused_in_first_and_later_snapshots(tx, owner, snapshot):
    first = snapshot(0, claim(1), claim(2), claim(1, status="INACTIVE"))
    later = snapshot(1, claim(1), claim(2), claim(2), claim(1, status="PENDING"), claim(3), claim(3))

    assert (first.rows, first.accepted, first.rejected) == (3, 2, 1)
    assert (later.rows, later.accepted, later.rejected) == (6, 3, 3)
    rejects = db.rows(
        tx, "SELECT row_number, key FROM rights.rejects WHERE report_id = :id ORDER BY 1", id=later.id
    )
    assert [tuple(each.values()) for each in rejects] == [(3, "cl0002"), (4, "cl0001"), (6, "cl0003")]
    assert {each["claim_id"]: each["claim_status"] for each in table(tx, "claims", owner)} == {
        "cl0001": "ACTIVE",
        "cl0002": "ACTIVE",
        "cl0003": "ACTIVE",
    }


def test_a_row_that_cannot_be_read_is_not_taken_for_removed(tx, owner, snapshot):
    snapshot(0, claim(1), claim(2), claim(3))
    report = snapshot(1, claim(1), claim(2, views="lots"), claim(3))

    assert (report.accepted, report.rejected, report.removed_rows) == (2, 1, 0)
    assert [each["claim_id"] for each in table(tx, "claims", owner)] == ["cl0001", "cl0002", "cl0003"]


def test_nothing_is_removed_by_a_snapshot_with_rows_that_could_be_anybodys(tx, owner, snapshot):
    snapshot(0, claim(1), claim(2), claim(3))
    report = snapshot(1, claim(1), "cl0002,ACTIVE\n", claim(4))

    assert (report.accepted, report.rejected, report.removed_rows) == (2, 1, 0)
    assert "nothing was removed" in report.notes[0]
    assert [each["claim_id"] for each in table(tx, "claims", owner)] == [
        "cl0001",
        "cl0002",
        "cl0003",
        "cl0004",
    ]


def test_other_columns_in_another_order_are_no_change_of_the_rows(tx, owner, snapshot):
    snapshot(0, claim(1), claim(2))
    header = "video_id,claim_id,claim_status,asset_id,a_new_column\n"
    rows = [f"{n:011},cl{n:04},ACTIVE,A{n:015},x\n" for n in (1, 2)]
    report = snapshot(1, *rows, header=header)

    assert counts(report) == ("loaded", 0, 0, 0)
    assert report.unknown_columns == ["a_new_column"]
    assert [each["video_title"] for each in table(tx, "claims", owner)] == ["A title", "A title"]


def test_another_owners_rows_are_not_touched(tx, owner, drop, snapshot):
    other = add_owner(tx)
    drop(f"claim_report_{other['name']}_C.csv", HEADER + claim(1) + claim(9), folder=other["name"], at=DAY)
    snapshot(0, claim(1), claim(2))
    snapshot(1, claim(2))

    assert [each["claim_id"] for each in table(tx, "claims", other)] == ["cl0001", "cl0009"]
    assert history(tx, other) == []


def test_videos_have_a_row_for_each_claim_or_several_ids_in_one_cell(tx, owner, drop):
    header = "video_id\tchannel_id\tclaim_id\tasset_id\tvideo_title\tvideo_length\ttime_published\n"
    rows = [
        "00000000001\tuAXFkgsw1L7xaCfnd5JJOw\tc1|c2\tA1|A2\tOne\t1:02:03\t2026-01-31T10:00:00Z\n",
        "00000000002\tUCuAXFkgsw1L7xaCfnd5JJOw\tc3\tA3\tTwo\t61\t\n",
        "00000000002\tUCuAXFkgsw1L7xaCfnd5JJOw\tc4\tA4\tTwo\t61\t2026-01-01T10:00:00Z\n",
        "00000000003\tUCuAXFkgsw1L7xaCfnd5JJOw\t\t\tThree\t0\t\n",
    ]
    (report,) = drop("content_owner_video_metadata_a4.csv", header + "".join(rows), at=DAY)

    assert (report.status, report.accepted, report.rejected) == ("loaded", 4, 0)
    found = table(tx, "videos", owner, "video_id, claim_ids, channel_id, video_length", "video_id, claim_id")
    assert [(each["claim_ids"], each["video_length"]) for each in found] == [
        (["c1", "c2"], 3723),
        (["c3"], 61),
        (["c4"], 61),
        (None, 0),
    ]
    assert {each["channel_id"] for each in found} == {"UCuAXFkgsw1L7xaCfnd5JJOw"}


@pytest.mark.parametrize("share", [0.05, 0.005])
def test_many_random_changes_come_to_what_a_plain_comparison_finds(tx, owner, snapshot, share):
    """Compare tables and counts after any change of two days with two plain dictionaries.

    A few rows are looked up one by one; many are compared with the whole table.
    """
    random.seed(19)
    before = {number: ("ACTIVE", random.randrange(9)) for number in range(1, 2_001)}
    snapshot(0, *(claim(number, *state) for number, state in before.items()))
    for day in (1, 2):
        after = {number: state for number, state in before.items() if random.random() > share}
        for number in random.sample(sorted(after), int(2_000 * share)):
            after[number] = random.choice(("ACTIVE", "INACTIVE", "PENDING")), random.randrange(9)
        after |= {day * 10_000 + number: ("ACTIVE", 1) for number in range(int(1_000 * share))}
        rows = [claim(number, *state) for number, state in after.items()]
        random.shuffle(rows)
        report = snapshot(day, *rows)

        changed = sum(after[number][0] != before[number][0] for number in after.keys() & before.keys())
        assert counts(report) == ("loaded", len(after.keys() - before), changed, len(before.keys() - after))
        stored = {each["custom_id"]: each for each in table(tx, "claims", owner)}
        assert {name: (each["claim_status"], each["views"]) for name, each in stored.items()} == {
            f"C{number}": state for number, state in after.items()
        }
        before = after


def indexes(tx, name):
    """Return what each index of a table is made of, and whether it is a part of another one."""
    found = db.rows(
        tx,
        """
        SELECT regexp_replace(pg_get_indexdef(i.indexrelid), '.* USING ', '') AS made_of,
               h.inhparent IS NOT NULL AS part
          FROM pg_index i LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
         WHERE i.indrelid = (:name)::regclass ORDER BY 1
        """,
        name=f"rights.{name}",
    )
    return [tuple(each.values()) for each in found]


def partitions(tx, owner):
    return {each["of"] for each in table(tx, "claims", owner, "tableoid::regclass::text AS of")}


@pytest.mark.parametrize("rows", [[claim(1), claim(2)], [claim(1), claim(1, title="Same key"), claim(2)]])
def test_an_owners_first_snapshot_gets_a_partition_with_every_index(tx, owner, snapshot, rows):
    report = snapshot(0, *rows)

    assert (report.status, report.accepted, report.rejected) == ("loaded", 2, len(rows) - 2)
    partition = f"claims_{owner['id']}"
    assert partitions(tx, owner) == {f"rights.{partition}"}
    assert indexes(tx, partition) == [(made_of, True) for made_of, _ in indexes(tx, "claims")]
    assert len(indexes(tx, partition)) > 3
    (stored, _) = table(tx, "claims", owner, "organisation_id::text, first_day::text, changed_day::text")
    assert stored == {
        "organisation_id": owner["organisation_id"],
        "first_day": "2026-11-01",
        "changed_day": "2026-11-01",
    }
    # They held for the first snapshot only.
    defaults = "SELECT count(*) FROM pg_attrdef WHERE adrelid = (:name)::regclass"
    assert db.value(tx, defaults, name=f"rights.{partition}") == 0


def test_an_owner_from_before_partitions_keeps_its_rows_and_snapshots(tx, owner, snapshot):
    snapshot(0, claim(1), claim(2))
    # Its rows are where they were before there were partitions.
    rows = db.rows(tx, "SELECT * FROM rights.claims WHERE owner_id = :id", id=owner["id"])
    db.value(tx, "SELECT rights.drop_partitions(:id)::text", id=owner["id"])
    names = ", ".join(rows[0])
    for row in rows:
        values = ", ".join(f":{name}" for name in row)
        db.run(tx, f"INSERT INTO rights.claims ({names}) VALUES ({values})", **row)
    assert partitions(tx, owner) == {"rights.claims_others"}

    assert counts(snapshot(1, claim(2), claim(3))) == ("loaded", 1, 0, 1)
    assert [each["claim_id"] for each in table(tx, "claims", owner, order="claim_id")] == [
        "cl0002",
        "cl0003",
    ]

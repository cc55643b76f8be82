"""Money reports: amounts, months, reissued periods, and files that are refused."""

import gzip
from decimal import Decimal

from showrunner.database import db
from showrunner.store.rights import reports
from tests.rights.conftest import deliver, table

CLAIMS = (
    "Adjustment Type,Day,Country,Video ID,Channel ID,Asset ID,Asset Channel ID,Asset Type,Custom ID,"
    "Content Type,Policy,Claim Type,Claim Origin,Owned Views,YouTube Revenue Split : Auction,"
    "YouTube Revenue Split : Reserved,YouTube Revenue Split : Partner Sold YouTube Served,"
    "YouTube Revenue Split : Partner Sold Partner Served,YouTube Revenue Split,Partner Revenue : Auction,"
    "Partner Revenue : Reserved,Partner Revenue : Partner Sold YouTube Served,"
    "Partner Revenue : Partner Sold Partner Served,Partner Revenue\n"
)


def row(revenue, day="20251003", video="dQw4w9WgXcQ", adjustment="None", channel="UCuAXFkgsw1L7xaCfnd5JJOw"):
    return (
        f"{adjustment},{day},DE,{video},{channel},A123456789012345,,Sound Recording,C1,UGC,Monetize,Audio,"
        f"Audio match,10,0.1,0,0,0,0.1,{revenue},0,0,0,{revenue}\n"
    )


def name(owner, report="claim_raw_v1-1.csv", period="20251001_20251031"):
    return f"YouTube_{owner['name']}_M_{period}_{report}"


def test_amounts_keep_every_digit_and_belong_to_two_months(tx, owner, drop):
    (report,) = drop(
        name(owner),
        CLAIMS
        + row("0.000000123456")
        + row("1234.1", day="20250930")
        + row("(2.5)", channel="uAXFkgsw1L7xaCfnd5JJOw"),
    )

    assert (report.status, report.kind, report.rows, report.accepted, report.rejected) == (
        *("loaded", "ads_claims", 3, 3, 0),
    )
    found = table(tx, "money", owner, "partner_revenue, activity_month::text, channel_id", "row_number")
    assert [each["partner_revenue"] for each in found] == [
        Decimal("0.000000123456"),
        Decimal("1234.1"),
        Decimal("-2.5"),
    ]
    assert [each["activity_month"] for each in found] == ["2025-10-01", "2025-09-01", "2025-10-01"]
    assert {each["channel_id"] for each in found} == {"UCuAXFkgsw1L7xaCfnd5JJOw"}
    sums = table(tx, "money_sums", owner, "activity_month::text, rows, partner_revenue")
    assert [tuple(each.values()) for each in sums] == [
        ("2025-09-01", 1, Decimal("1234.1")),
        ("2025-10-01", 2, Decimal("-2.499999876544")),
    ]


def test_every_row_is_stored_or_refused_with_its_line_column_and_reason(tx, owner, drop):
    bad = row("many") + row("1", day="20251340") + row("1", video="short") + "None,20251003,DE\n"
    (report,) = drop(name(owner), "A title, with a comma\n\n" + CLAIMS + row("1") + bad + "\n" + row("2"))

    assert (report.status, report.rows, report.accepted, report.rejected) == ("loaded", 6, 2, 4)
    rejects = db.rows(
        tx,
        "SELECT row_number, line, column_name, value, reason FROM rights.rejects "
        "WHERE report_id = :id ORDER BY 1",
        id=report.id,
    )
    assert [tuple(each.values()) for each in rejects] == [
        (2, 5, "Partner Revenue : Auction", "many",
         "Partner Revenue : Auction is no amount: write it like 1234.567890."),
        (3, 6, "Day", "20251340", "Day is no day: write it like 20251231 or 2025-12-31."),
        (4, 7, "Video ID", "short", "Video ID is no video id: 11 letters, digits, - and _."),
        (5, 8, None, "None,20251003,DE", "The row has 3 cells, the header has 24 columns."),
    ]  # fmt: skip
    assert [each["row_number"] for each in table(tx, "money", owner, "row_number")] == [1, 6]


def test_a_reissued_period_replaces_the_one_before_and_other_periods_stay(tx, owner, drop):
    (other,) = drop(name(owner, period="20250901_20250930"), CLAIMS + row("5", day="20250901"))
    (first,) = drop(name(owner), CLAIMS + row("1") + row("2"))
    (second,) = drop(name(owner, "claim_raw_v1-1.csv.gz"), gzip.compress((CLAIMS + row("7")).encode()))

    found = table(tx, "money", owner, order="report_month")
    assert [each["partner_revenue"] for each in found] == [Decimal(5), Decimal(7)]
    states = {each["id"]: (each["status"], each["replaced_by"]) for each in table(tx, "reports", owner)}
    assert states == {
        other.id: ("loaded", None),
        first.id: ("replaced", second.id),
        second.id: ("loaded", None),
    }


def test_a_period_without_rows_takes_none_away_until_a_person_says_so(tx, owner, drop):
    (before,) = drop(name(owner), CLAIMS + row("1"))
    (empty,) = drop(name(owner), CLAIMS)
    assert (empty.status, "has no rows" in empty.reason, empty.rows) == ("waiting", True, 0)
    assert [each["report_id"] for each in table(tx, "money", owner)] == [before.id]

    reports.confirm(tx, str(owner["organisation_id"]), empty.id, "somebody")
    (empty,) = deliver(empty.object_key, len(CLAIMS), empty.version)
    assert (empty.status, empty.rows, table(tx, "money", owner)) == ("loaded", 0, [])
    (again,) = drop(name(owner), CLAIMS + "\n")
    assert again.status == "loaded"
    (other,) = drop(name(owner, period="20250901_20250930"), CLAIMS)
    assert other.status == "loaded"


def test_the_same_file_twice_is_recorded_and_changes_nothing(tx, owner, drop):
    (first,) = drop(name(owner), CLAIMS + row("1"))
    (second,) = drop("again/" + name(owner), CLAIMS + row("1"))

    assert (second.status, second.reason) == ("duplicate", f"The same file was loaded before, as {first.id}.")
    assert [each["report_id"] for each in table(tx, "money", owner)] == [first.id]


def test_a_file_that_is_not_complete_changes_nothing(tx, owner, drop):
    drop(name(owner), CLAIMS + row("1"))
    packed = gzip.compress((CLAIMS + "".join(row(f"{n}.5") for n in range(5_000))).encode())
    (report,) = drop(name(owner, "claim_raw_v1-1.csv.gz"), packed[: len(packed) // 2])

    assert (report.status, report.rows) == ("refused", None)
    assert "incomplete" in report.reason
    assert [each["partner_revenue"] for each in table(tx, "money", owner)] == [Decimal(1)]


def test_a_file_in_the_folder_of_another_owner_is_refused(tx, owner, drop):
    (report,) = drop("YouTube_Someone_Else_M_202510_claim_raw_v1-1.csv", CLAIMS + row("1"))

    assert report.status == "refused"
    assert "Someone_Else" in report.reason
    assert table(tx, "money", owner) == []


def test_adjustments_under_the_plain_name_dont_replace_the_plain_report(tx, owner, drop):
    drop(name(owner), CLAIMS + row("1"))
    rows = "".join(
        row("-0.1", f"2025{month}15", adjustment="Dispute Resolution") for month in ("07", "08", "09")
    )
    (report,) = drop(name(owner, "claim_raw_v1-1 (1).csv"), CLAIMS + rows)

    assert (report.status, report.kind) == ("loaded", "ads_claims_adjustments")
    assert len(report.notes) == 1
    sums = table(tx, "money_sums", owner, "activity_month::text AS month, adjustment_type AS kind")
    assert [(each["month"], each["kind"]) for each in sums] == [
        ("2025-07-01", "Dispute Resolution"),
        ("2025-08-01", "Dispute Resolution"),
        ("2025-09-01", "Dispute Resolution"),
        ("2025-10-01", "None"),
    ]


def test_the_payment_summary_has_its_total_row_apart(tx, owner, drop):
    content = "Revenue Type,Partner Revenue (USD)\nAds,1000.25\nPremium,(3.10)\nTotal,997.15\n"
    (report,) = drop(name(owner, "payment_summary_v1-0.csv", "202510"), content)

    assert (report.status, report.rows, report.accepted, report.totals) == ("loaded", 2, 2, 1)
    found = table(tx, "payments", owner, "revenue_type, partner_revenue_usd", "row_number")
    assert [tuple(each.values()) for each in found] == [
        ("Ads", Decimal("1000.25")),
        ("Premium", Decimal("-3.10")),
    ]

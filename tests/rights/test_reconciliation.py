"""A month's money reports beside its payment summary: equal to the cent, or named where they differ."""

import csv
import io
from datetime import date
from decimal import Decimal

import pytest

from local import partner_data
from local.partner_data import Owner
from showrunner.rights.reconciliation import Loaded, Month, Payment, Sum
from tests.rights.conftest import add_owner

MONEY = "/api/v1/cms/money"
OCTOBER, SEPTEMBER = date(2026, 10, 1), date(2026, 9, 1)


@pytest.fixture
def label(owner, service):
    """Return a client of the owner's organisation."""
    return service(owner["organisation_id"], "cms:all")


def compare(sums, payments, kinds=()):
    """Return the comparison of (kind, month, adjustment, amount) and (revenue type, adjustment, amount)."""
    loaded = dict.fromkeys([*kinds, *(each[0] for each in sums), *(["payments"] if payments else [])])
    return Month(
        [Loaded(f"id-{kind}", kind, 1, 0) for kind in loaded],
        [Sum(kind, month, adjustment, "USD", Decimal(amount)) for kind, month, adjustment, amount in sums],
        [Payment(type_, adjustment, Decimal(amount)) for type_, adjustment, amount in payments],
    ).compare()


def lines(found):
    return [(line["revenue_type"], line["adjustment_type"], line["status"]) for line in found["lines"]]


def test_a_generated_month_adds_up_through_the_loader(owner, drop, label, tmp_path):
    generated = Owner(owner["name"], 300, seed=3)
    written = {each.path.name: each for each in partner_data.write_month(generated, tmp_path, OCTOBER, 300)}
    for name, each in written.items():
        (report,) = drop(name, each.path.read_bytes())
        assert (report.status, report.rows, report.rejected) == ("loaded", each.rows, each.rejected), name

    (found,) = label("GET", f"{MONEY}?month=2026-10").body["content_owners"]
    assert (found["content_owner"], found["status"]) == (owner["name"], "reconciled")
    assert found["difference_usd"] == "0.00"
    assert {line["status"] for line in found["lines"]} == {"equal"}
    (ads,) = (line for line in found["lines"] if line["revenue_type"] == "Ads Revenue")
    assert [report["kinds"] for report in ads["reports"]] == [["ads_claims"], ["ads_assets"], ["ads_videos"]]
    backpay = next(line for line in found["lines"] if line["adjustment_type"] == "Backpay")
    assert [each["month"] for report in backpay["reports"] for each in report["months"]] == ["2026-07"] * 2


def test_a_cent_too_little_is_named_with_its_report():
    found = compare(
        [("ads_claims", OCTOBER, "None", "10.0049"), ("ads_videos", OCTOBER, "None", "9.9951")],
        [("Ads Revenue", "None", "10.00")],
    )
    assert found["status"] == "reconciled"

    found = compare(
        [("ads_claims", OCTOBER, "None", "10.00"), ("ads_videos", OCTOBER, "None", "9.99")],
        [("Ads Revenue", "None", "10.00")],
    )
    assert (found["status"], lines(found)) == ("differs", [("Ads Revenue", "None", "differs")])
    differences = {each["kinds"][0]: each["difference_usd"] for each in found["lines"][0]["reports"]}
    assert differences == {"ads_claims": "0.00", "ads_videos": "-0.01"}


def test_parts_of_premium_add_up_and_a_missing_part_is_named():
    paid = [("Subscriptions Revenue - YouTube Premium / Music Premium", "", "30")]
    whole = compare(
        [("premium_music_videos", OCTOBER, "None", "10"), ("premium_other_assets", OCTOBER, "None", "20")],
        paid,
    )
    assert whole["status"] == "reconciled"
    assert whole["lines"][0]["missing"] == []

    part = compare([("premium_other_videos", OCTOBER, "None", "20")], paid)["lines"][0]
    assert (part["status"], part["difference_usd"]) == ("differs", "-10.00")
    assert part["missing"] == [["premium_label_videos"], ["premium_music_videos", "premium_music_assets"]]


def test_adjustments_are_compared_by_themselves_in_their_own_months():
    found = compare(
        [
            ("ads_claims", OCTOBER, "None", "5"),
            ("ads_claims_adjustments", SEPTEMBER, "dispute_resolution", "2"),
            ("ads_claims_adjustments", date(2026, 7, 1), "Dispute Resolution", "-0.5"),
        ],
        [("Ads Revenue", None, "5"), ("Ads Revenue: Dispute Resolution", "None", "1.50")],
    )
    assert found["status"] == "reconciled"
    assert found["lines"][1]["adjustment_type"] == "Dispute Resolution"
    assert found["lines"][1]["reports"][0]["months"] == [
        {"month": "2026-07", "reported_usd": "-0.50"},
        {"month": "2026-09", "reported_usd": "2.00"},
    ]


def test_missing_files_unpaid_money_and_unknown_lines_are_named():
    found = compare(
        [("shorts_ads", OCTOBER, "None", "3")],
        [("Ads Revenue", "None", "5"), ("Ads Revenue: Backpay", "", "1"), ("Moon Revenue", "", "7")],
    )
    assert lines(found) == [
        ("Ads Revenue", "None", "missing"),
        ("Ads Revenue: Backpay", "Backpay", "missing"),
        ("Moon Revenue", "None", "unknown"),
        ("YouTube Shorts - Ads Revenue", "None", "unpaid"),
    ]
    assert "ads_claims" in found["lines"][0]["missing"][0]
    assert "ads_claims_adjustments" in found["lines"][1]["missing"][0]
    assert compare([("shorts_ads", OCTOBER, "None", "3")], [])["status"] == "no_summary"


def test_money_in_other_currencies_is_named_and_not_compared():
    month = Month(
        [Loaded("1", "ads_claims", 1, 0), Loaded("2", "payments", 1, 0)],
        [Sum("ads_claims", OCTOBER, "None", "EUR", Decimal(4))],
        [Payment("Ads Revenue", None, Decimal(0))],
    ).compare()

    assert month["not_compared"] == [{"kind": "ads_claims", "currency": "EUR", "amount": "4.00"}]


def test_the_comparison_can_be_downloaded(owner, drop, label):
    name = f"YouTube_{owner['name']}_M_202610_payment_summary_v1-0.csv"
    drop(name, "Revenue Type,Partner Revenue (USD)\nAds Revenue,(5.10)\n=cmd(),1\nTotal,-4.10\n")

    answer = label("GET", f"{MONEY}/csv?month=2026-10")

    assert answer.headers["content-type"].startswith("text/csv")
    header, ads, formula = csv.reader(io.StringIO(answer.body))
    row = dict(zip(header, ads, strict=True))
    assert (row["Status"], row["Paid USD"], row["Reported USD"]) == ("missing", "-5.10", "")
    assert row["Missing"].startswith("ads_claims or ads_assets")
    assert formula[2] == "'=cmd()"


def test_only_ones_own_content_owners_are_compared(tx, owner, drop, label):
    other = add_owner(tx)
    drop(
        f"YouTube_{other['name']}_M_202610_payment_summary_v1-0.csv",
        "Revenue Type,Partner Revenue (USD)\nAds Revenue,5\n",
        folder=other["name"],
    )

    found = label("GET", f"{MONEY}?month=2026-10").body["content_owners"]
    assert [(each["content_owner"], each["lines"]) for each in found] == [(owner["name"], [])]
    assert label("GET", f"{MONEY}?month=2026-10&content_owner={other['name']}").status == 400
    assert label("GET", f"{MONEY}?month=2026-13").status == 400

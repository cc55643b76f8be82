"""The value of conflicts: the asset's money of the newest months, each amount once."""

import pytest

from showrunner.reports import revenue
from tests.conftest import service_client
from tests.rights.test_money import CLAIMS, name
from tests.rights.test_money import row as money_row

MINE, OTHER = "A123456789012345", "A000000000000007"
HEADER = "asset_id,custom_id,conflicting_owner,ownership_last_updated,asset_title\n"
CONFLICTS = f"{HEADER}{MINE},C1,Somebody,2026-09-01,Tide\n{OTHER},C2,Somebody,2026-09-01,Ebb\n"
ASSETS = "Adjustment Type,Day,Country,Asset ID,Asset Title,Owned Views,Partner Revenue\n"


@pytest.fixture
def client(signing_key, owner):
    return service_client(signing_key, str(owner["organisation_id"]), "cms:read")


def conflicts(client, query=""):
    found = client("GET", f"/api/v1/cms/conflicts?sort=-value_usd{query}").body["conflicts"]
    return [(each["asset_id"], each["value_usd"], each["value_months"]) for each in found]


def test_conflicts_are_worth_what_their_assets_earned_in_the_newest_three_months(owner, drop, client):
    def drop_month(month, amount):
        period = f"2025{month:02}01_2025{month:02}28"
        day = f"2025{month:02}03"
        assert drop(name(owner, period=period), CLAIMS + money_row(amount, day=day))[0].status == "loaded"

    for month in (6, 7, 8):
        drop_month(month, f"{month}.004")
    assert drop(f"asset_conflict_report_{owner['name']}.csv", CONFLICTS)[0].status == "loaded"
    months = ["2025-06", "2025-07", "2025-08"]
    assert conflicts(client) == [(MINE, "21.01", months), (OTHER, "0.00", months)]

    # The newest month takes the place of the oldest. Its money by asset is that by claim: it counts once.
    drop_month(9, "100")
    same = ASSETS + f"None,20250903,DE,{MINE},Tide,10,100\nNone,20250903,DE,{OTHER},Ebb,10,3\n"
    assert drop(name(owner, "asset_raw_v1-1.csv", "20250901_20250930"), same)[0].status == "loaded"
    assert conflicts(client)[0] == (MINE, "115.01", ["2025-07", "2025-08", "2025-09"])

    # A correction that came in a month counts in it; a month's file that comes again takes its place.
    correction = CLAIMS + money_row("(10)", day="20250103", adjustment="Dispute Resolution")
    drop(name(owner, "ADJ_claim_raw_v1-1.csv", "20250901_20250930"), correction)
    assert conflicts(client)[0][1] == "105.01"
    drop_month(9, "50")
    assert conflicts(client, "&min_value_usd=1")[0][:2] == (MINE, "55.01")
    assert conflicts(client, "&min_value_usd=1000") == []


def test_without_money_the_value_is_unknown(owner, drop, client):
    drop(f"asset_conflict_report_{owner['name']}.csv", CONFLICTS)
    assert [each[1:] for each in conflicts(client)] == [(None, []), (None, [])]


@pytest.mark.parametrize(
    ("loaded", "chosen"),
    [
        ({"ads_claims", "ads_assets", "ads_videos"}, ["ads_claims"]),
        ({"ads_assets_summary", "ads_assets_adjustments"}, ["ads_assets_summary", "ads_assets_adjustments"]),
        ({"ads_claims_adjustments"}, ["ads_claims_adjustments"]),
        ({"ads_videos", "shorts_ads", "payments"}, []),
        (
            {"premium_label_videos", "premium_music_assets", "premium_other_videos", "premium_other_assets"},
            ["premium_label_videos", "premium_music_assets", "premium_other_videos"],
        ),
    ],
)
def test_each_part_of_the_money_is_taken_from_one_report(loaded, chosen):
    assert revenue.by_asset(loaded) == chosen

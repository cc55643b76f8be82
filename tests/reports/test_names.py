"""File names of all generations: the report, its owner and period; and names that say nothing."""

import itertools
from datetime import date

import pytest

from showrunner.reports import names
from showrunner.reports.kinds import KINDS


def said(path):
    name = names.read(path)
    period = name.period and (
        name.period.frequency,
        name.period.start.isoformat(),
        name.period.end.isoformat(),
    )
    return name.kind and name.kind.name, name.owner, period


MONTH = ("month", "2025-08-01", "2025-08-31")
SHORTS = "monthly_shorts_non_music_ads_video_summary"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("YouTube_Label_M_202508_claim_raw_v1-1.csv", ("ads_claims", "Label", MONTH)),
        ("YouTube_Some_TV_M_20250801_20250831_claim_raw_v1_1.csv.gz", ("ads_claims", "Some_TV", MONTH)),
        ("YouTube_A_M_B_M_20250801_ADJ_claim_raw_v1-1.csv", ("ads_claims_adjustments", "A_M_B", MONTH)),
        ("YouTube_id0iPcHV_M_20250801_video_summary (1).csv.zip", ("ads_videos_summary", "id0iPcHV", MONTH)),
        ("YouTube_L_M_202508_ADJ_video_raw_v1-1 (12).csv", ("ads_videos_adjustments", "L", MONTH)),
        (f"YouTube_L_M_20250801_{SHORTS}_v1-1.csv", ("shorts_ads", "L", MONTH)),
        (
            "YouTube_L_T_Ecommerce_paid_features_M_20250801_20250831_v1-1.csv",
            ("paid_features", "L_T", MONTH),
        ),
        ("YouTube_L_M_202508_payment_summary_v1-0.csv", ("payments", "L", MONTH)),
        ("YouTube_L_M_202508_affiliate_tax_refund_summary_v1_0.csv", ("tax_refunds", "L", MONTH)),
        (
            "YouTube_L_W_20250804_20250810_asset_raw_v1-1.csv",
            ("ads_assets", "L", ("week", "2025-08-04", "2025-08-10")),
        ),
        ("ads_partner_revenue_month_video_summary_v1_1_20250801.csv", ("ads_videos_summary", None, MONTH)),
        ("red_month_subscription_video_v1_1_20250801.zip", ("premium_music_videos", None, MONTH)),
        ("red_month_subscription_video_non_music_v1_1_20250801.zip", ("premium_other_videos", None, MONTH)),
        (
            "ads_partner_revenue_week_asset_summary_v1_1_20250804.csv",
            ("ads_assets_summary", None, ("week", "2025-08-04", "2025-08-10")),
        ),
        ("asset_full_report_My_Label_L_v1-2.csv", ("assets", "My_Label", None)),
        ("claim_report_My_Label_C.csv", ("claims", "My_Label", None)),
        (
            "drops/L/content_owner_active_claims_a3/20250802/2025-08-05T10/content_owner_active_claims_a3.csv.gz",
            ("claims", None, ("day", "2025-08-02", "2025-08-02")),
        ),
        (
            "drops/L/api/20250801_20250901/music_content_owner_asset_red_revenue_raw_a1.csv.gz",
            ("premium_music_assets", None, MONTH),
        ),
        ("YouTube_L_M_202508_a_new_report_v1-1.csv", (None, "L", MONTH)),
        ("YouTube_L_M_202513_claim_raw_v1-1.csv", ("ads_claims", "L", None)),
        ("YouTube_L_M_20250801_new_kind_of_video_summary_v1-1.csv", (None, "L", MONTH)),
        ("holiday.csv", (None, None, None)),
        ("", (None, None, None)),
    ],
)  # fmt: skip
def test_a_name_says_report_owner_and_period(path, expected):
    assert said(path) == expected


def test_no_two_kinds_share_a_name():
    parts = [part.lower() for kind in KINDS for part in (*kind.studio, *kind.api)]

    assert [part for part, same in itertools.groupby(sorted(parts)) if len(list(same)) > 1] == []


def test_every_kind_is_found_by_each_of_its_names():
    for kind in KINDS:
        for part in kind.studio:
            if kind.is_snapshot:
                path = f"{part}_Some_Owner_L_v1-2.csv"
            elif "_month_" in part:
                path = f"{part}_v1_1_20250801.csv"
            else:
                path = f"YouTube_Some_Owner_M_20250801_{part}_v1-1.csv.gz"
            assert names.read(path).kind == kind, path
        for part in kind.api:
            assert names.read(f"{part}_a1.csv.gz").kind == kind, part


def test_the_owner_of_a_name_is_compared_with_all_names_of_the_folders_owner():
    assert names.same_owner("label_a", "Label_A", [])
    assert names.same_owner("id0iPcHV", "Label_A", ["ID0IPCHV"])
    assert names.same_owner(None, "Label_A", [])
    assert not names.same_owner("Label", "Label_A", ["Label_B"])


def test_months_end_on_their_last_day():
    assert names.month_of(date(2024, 2, 10)).end == date(2024, 2, 29)

"""The kinds of reports: the names that each has in Studio and in the Reporting API, and its columns."""

from typing import NamedTuple

from showrunner.reports import tables
from showrunner.reports.tables import Mapping, Table


class Kind(NamedTuple):
    """A kind of report. studio: parts of Studio's file names. api: prefixes of report type ids, without _a1.

    required: columns by which it is recognised. adjustments: it has corrections of earlier months.
    """

    name: str
    table: Table
    required: tuple[str, ...]
    studio: tuple[str, ...] = ()
    api: tuple[str, ...] = ()
    adjustments: bool = False

    @property
    def is_snapshot(self) -> bool:
        """Each file has all rows of its day, and replaces the one before."""
        return bool(self.table.key)


_M, _P, _D = tables.MONEY_ROWS, tables.PAYMENTS, tables.DEDUCTIONS
_R = "partner_revenue"

KINDS = (
    # Ads, by claim, asset and video.
    Kind(
        "ads_claims",
        _M,
        ("claim_type", "asset_id", "video_id", _R),
        ("claim_raw", "videoclaim_rawdata"),
        ("content_owner_claim_ad_revenue_raw", "content_owner_claim_ad_revenue_summary"),
    ),
    Kind(
        "ads_assets",
        _M,
        ("asset_id", _R),
        ("asset_raw",),
        ("content_owner_asset_ad_revenue_raw",),
    ),
    Kind(
        "ads_assets_summary",
        _M,
        ("asset_id", _R),
        ("asset_summary", "rev_views_by_asset", "ads_partner_revenue_month_asset_summary"),
        ("content_owner_asset_ad_revenue_summary",),
    ),
    Kind(
        "ads_videos",
        _M,
        ("video_id", _R),
        ("video_raw",),
        ("content_owner_ad_revenue_raw",),
    ),
    Kind(
        "ads_videos_summary",
        _M,
        ("video_id", _R),
        ("video_summary", "ads_partner_revenue_month_video_summary"),
        ("content_owner_ad_revenue_summary",),
    ),
    # Ads, adjustments to earlier months.
    Kind(
        "ads_claims_adjustments",
        _M,
        ("claim_type", "asset_id", "video_id", _R),
        ("ADJ_claim_raw",),
        ("content_owner_claim_ad_adjustment_revenue_raw",),
        adjustments=True,
    ),
    Kind(
        "ads_assets_adjustments",
        _M,
        ("asset_id", _R),
        ("ADJ_asset_raw", "adjustment_month_asset_summary"),
        (
            "content_owner_asset_ad_adjustment_revenue_raw",
            "content_owner_asset_ad_adjustment_revenue_summary",
        ),
        adjustments=True,
    ),
    Kind(
        "ads_videos_adjustments",
        _M,
        ("video_id", _R),
        ("ADJ_video_raw",),
        ("content_owner_ad_adjustment_revenue_raw",),
        adjustments=True,
    ),
    Kind(
        "ads_videos_summary_adjustments",
        _M,
        ("video_id", _R),
        ("ADJ_video_summary", "adjustment_month_video_summary"),
        ("content_owner_ad_adjustment_revenue_summary",),
        adjustments=True,
    ),
    # Premium.
    Kind(
        "premium_label_videos",
        _M,
        ("asset_id", _R),
        ("red_label_rawdata_video",),
        ("music_content_owner_red_revenue_raw",),
    ),
    Kind(
        "premium_music_videos",
        _M,
        ("asset_id", _R),
        ("red_music_rawdata_video", "red_month_subscription_video"),
        ("content_owner_music_red_revenue_raw",),
    ),
    Kind(
        "premium_music_assets",
        _M,
        ("asset_id", _R),
        ("red_music_rawdata_asset", "red_month_subscription_asset"),
        ("content_owner_music_asset_red_revenue_raw", "music_content_owner_asset_red_revenue_raw"),
    ),
    Kind(
        "premium_other_videos",
        _M,
        (_R,),
        ("red_rawdata_video", "red_month_subscription_video_non_music"),
        ("content_owner_non_music_red_revenue_raw",),
    ),
    Kind(
        "premium_other_assets",
        _M,
        (_R,),
        ("red_rawdata_asset", "red_month_subscription_asset_non_music"),
        ("content_owner_non_music_asset_red_revenue_raw",),
    ),
    # Shorts.
    Kind(
        "shorts_ads",
        _M,
        ("video_id", _R),
        (
            "monthly_shorts_non_music_ads_video_summary",
            "youtube_shorts_ads_revenue_month_youtube_shorts_ads_video_summary",
        ),
        ("content_owner_shorts_ads_revenue_summary",),
    ),
    Kind(
        "shorts_subscriptions",
        _M,
        ("video_id", _R),
        (
            "monthly_shorts_non_music_subscription_video_summary",
            "youtube_shorts_subscription_revenue_month_youtube_shorts_subscription_video_summary",
        ),
        ("content_owner_shorts_subscription_revenue_summary",),
    ),
    Kind(
        "paid_features",
        _M,
        ("purchase_type", _R),
        ("Ecommerce_paid_features", "paid_features_month_paid_features"),
        ("content_owner_transactions_paid_features_revenue",),
    ),
    # The month's totals, and what is deducted from them.
    Kind(
        "payments",
        _P,
        ("revenue_type", "partner_revenue_usd"),
        ("payment_summary",),
        ("content_owner_payments_summary",),
    ),
    Kind(
        "channel_adjustments",
        _D,
        ("channel_id", "adjustment_type", "adjustment_amount"),
        ("channel_adjustments_summary", "custom_month_channel_adjustments"),
        ("content_owner_channel_adjustments_summary",),
    ),
    Kind(
        "taxes",
        _D,
        ("adsense_earnings_month", "channel_id", "tax_withheld_amount"),
        ("affiliate_payment_summary",),
        ("content_owner_tax_withholding",),
    ),
    Kind(
        "tax_refunds",
        _D,
        ("adsense_earnings_month", "channel_id"),
        ("affiliate_tax_refund_summary",),
        ("content_owner_affiliate_tax_refund_summary",),
    ),
    # Snapshots of rights.
    Kind(
        "conflicts",
        tables.CONFLICTS,
        ("asset_id", "conflicting_owner", "ownership_last_updated"),
        ("asset_conflict_report",),
        ("content_owner_asset_conflict",),
    ),
    Kind(
        "claims",
        tables.CLAIMS,
        ("claim_id", "video_id", "asset_id", "claim_status"),
        ("claim_report",),
        ("content_owner_active_claims",),
    ),
    Kind(
        "videos",
        tables.VIDEOS,
        ("video_id", "channel_id", "video_title"),
        ("video_report",),
        ("content_owner_video_metadata",),
    ),
    Kind(
        "references",
        tables.REFERENCES,
        ("reference_id", "asset_id"),
        ("reference_report",),
        ("content_owner_active_references",),
    ),
    Kind(
        "assets",
        tables.ASSETS,
        ("asset_id", "asset_type"),
        ("asset_full_report",),
        ("content_owner_asset",),
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
# What has no period needs none to be recognised by its columns alone. The most specific first: columns of a
# conflict report include those of an asset report.
SNAPSHOTS = tuple(kind for kind in KINDS if kind.is_snapshot)


def fits(header: list[str], kind: Kind) -> Mapping | None:
    """Return how the header's columns fit the kind, None if it lacks one that the kind needs."""
    mapping = tables.map_columns(header, kind.table)
    return mapping if mapping.found.issuperset(kind.required) else None


def missing(header: list[str], kind: Kind) -> list[str]:
    """Return the columns that the kind needs and the header lacks."""
    found = tables.map_columns(header, kind.table).found
    return [name for name in kind.required if name not in found]


def recognise(header: list[str]) -> Kind | None:
    """Return the kind of a snapshot by its columns alone, None if it is no snapshot that we know.

    Money reports look alike, and only their names have the period: they are never guessed.
    """
    if "partner_revenue" in tables.map_columns(header, tables.MONEY_ROWS).found:
        return None
    return next((kind for kind in SNAPSHOTS if fits(header, kind)), None)

"""The tables that reports are loaded into: their columns, and YouTube's other spellings of these.

Columns have the names of the Reporting API. Studio's files have the same columns in Title Case, with groups
("YouTube Revenue Split : Auction"); `normalise` brings both to one form. Whatever else is known about
spellings is in ALIASES.
"""

import re
from typing import NamedTuple

from showrunner.reports.values import (
    CHANNEL,
    COUNT,
    COUNTRY,
    CURRENCY,
    DAY,
    FLAG,
    KEY,
    LIST,
    MONEY,
    MONTH,
    SECONDS,
    SIGNED_COUNT,
    TEXT,
    TIME,
    VIDEO,
    Type,
)


class Table(NamedTuple):
    """A table of the schema `rights` that reports are loaded into.

    key: the columns that identify a row of a snapshot, empty for tables of periods. figures: columns that
    change every day; their changes are stored but make no history. required: columns without which no row is
    accepted.
    """

    name: str
    columns: dict[str, Type]
    key: tuple[str, ...] = ()
    figures: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()

    @property
    def needs_whole_key(self) -> bool:
        """Every row that is accepted has each part of the key."""
        return self.required.issuperset(self.key)


def _columns(names: str, type_: Type) -> dict[str, Type]:
    return dict.fromkeys(names.split(), type_)


_SPLITS = " ".join(
    f"{group}{part}"
    for group in ("youtube_revenue_split", "partner_revenue")
    for part in (
        "_auction",
        "_reserved",
        "_partner_sold_youtube_served",
        "_partner_sold_partner_served",
        "",
    )
)

MONEY_ROWS = Table(
    "money",
    {
        "adjustment_type": TEXT,
        "day": DAY,
        "country": COUNTRY,
        "currency": CURRENCY,
        "video_id": VIDEO,
        "video_duration_sec": SECONDS,
        **_columns("channel_id asset_channel_id", CHANNEL),
        "asset_id": KEY,
        **_columns("video_title category channel_display_name uploader asset_title asset_labels", TEXT),
        **_columns("asset_type custom_id isrc upc grid artist album label", TEXT),
        **_columns("administer_publish_rights content_type policy claim_type claim_origin", TEXT),
        **_columns("multiple_claims offer purchase_type refund_chargeback", TEXT),
        **_columns("owned_views engaged_views monetized_views", SIGNED_COUNT),
        **_columns("monetized_views_audio monetized_views_audio_visual", SIGNED_COUNT),
        **_columns(_SPLITS, MONEY),
        **_columns("partner_revenue_pro_rata partner_revenue_per_sub_min retail_price_usd", MONEY),
    },
    required=frozenset({"partner_revenue"}),
)

PAYMENTS = Table(
    "payments",
    {
        **_columns("revenue_type adjustment_type notes", TEXT),
        "currency_code": CURRENCY,
        **_columns("partner_revenue_usd partner_revenue_local", MONEY),
    },
    required=frozenset({"revenue_type", "partner_revenue_usd"}),
)

DEDUCTIONS = Table(
    "deductions",
    {
        **_columns("report_name channel_display_name adjustment_type revenue_source", TEXT),
        "channel_id": CHANNEL,
        "adsense_earnings_month": MONTH,
        "local_currency": CURRENCY,
        **_columns("adjustment_amount total_revenue us_sourced_revenue", MONEY),
        **_columns("tax_withheld_amount tax_refund_amount", MONEY),
        **_columns("tax_withholding_rate corrected_tax_withholding_rate", TEXT),
    },
    required=frozenset({"channel_id"}),
)

_METADATA = "tms director season episode_number episode_title release_date hfa_song_code isrc grid album"

CLAIMS = Table(
    "claims",
    {
        "claim_id": KEY,
        "video_id": VIDEO,
        "channel_id": CHANNEL,
        **_columns("asset_id reference_id reference_video_id claim_policy_id asset_policy_id", TEXT),
        **_columns("custom_id claim_status claim_status_detail claim_origin claim_type uploader", TEXT),
        **_columns("channel_display_name video_title content_type", TEXT),
        **_columns("views engaged_views", COUNT),
        **_columns("video_matching_length matching_duration longest_match", TEXT),
        **_columns("claim_policy_monetize claim_policy_track claim_policy_block", TEXT),
        **_columns("asset_policy_monetize asset_policy_track asset_policy_block", TEXT),
        **_columns("claim_created_date video_upload_date", DAY),
        "video_duration_sec": SECONDS,
        "asset_title": TEXT,
        **_columns(f"{_METADATA} record_label upc iswc", TEXT),
        **_columns("artist writers asset_labels", LIST),
        "is_shorts_eligible": FLAG,
    },
    key=("claim_id",),
    figures=frozenset({"views", "engaged_views"}),
    required=frozenset({"claim_id", "video_id"}),
)

ASSETS = Table(
    "assets",
    {
        "asset_id": KEY,
        "custom_id": TEXT,
        **_columns("constituent_asset_id active_reference_id inactive_reference_id", LIST),
        **_columns("approx_daily_views approx_daily_engaged_views sr_approx_daily_engaged_views", COUNT),
        **_columns("asset_type asset_title metadata_origination season episode_title tms", TEXT),
        **_columns("album label isrc upc grid", TEXT),
        **_columns("artist asset_labels conflicting_owner conflicting_country_code other_isrc", LIST),
        "active_claims": COUNT,
        "match_policy": TEXT,
        "is_merged": FLAG,
        **_columns("ownership display_isrc your_isrc", TEXT),
    },
    key=("asset_id",),
    figures=frozenset(
        {
            "approx_daily_views",
            "approx_daily_engaged_views",
            "sr_approx_daily_engaged_views",
            "active_claims",
        }
    ),
    required=frozenset({"asset_id"}),
)

CONFLICTS = Table(
    "conflicts",
    {
        "asset_id": KEY,
        "conflicting_owner": KEY,
        **_columns("custom_id asset_type asset_title isrc ownership other_ownership", TEXT),
        **_columns("constituent_asset_id asset_labels artist conflicting_country_code", LIST),
        **_columns("conflicting_owner_isrc conflicting_owner_asset_title conflicting_owner_artist", TEXT),
        **_columns("approx_daily_views approx_daily_engaged_views engaged_views_in_conflict", COUNT),
        **_columns("lifetime_views_in_conflict lifetime_engaged_views_in_conflict", COUNT),
        "ownership_last_updated": DAY,
        "ownership_origination": TEXT,
    },
    key=("asset_id", "conflicting_owner"),
    figures=frozenset(
        {
            "approx_daily_views",
            "approx_daily_engaged_views",
            "engaged_views_in_conflict",
            "lifetime_views_in_conflict",
            "lifetime_engaged_views_in_conflict",
        }
    ),
    required=frozenset({"asset_id", "conflicting_owner"}),
)

_ADS = (
    "display_ads_enabled in_video_ads_enabled long_nonskippable_video_ads_enabled midrolls_enabled"
    " nonskippable_video_ads_enabled overlay_ads_enabled postrolls_enabled prerolls_enabled"
    " skippable_video_ads_enabled sponsored_cards_enabled third_party_ads_enabled"
)

VIDEOS = Table(
    "videos",
    {
        "video_id": VIDEO,
        # Studio joins the claims and assets of a video in one cell; the API writes a row for each claim.
        **_columns("claim_id asset_id", KEY),
        "channel_id": CHANNEL,
        **_columns("custom_id category channel_display_name claim_origin content_type", TEXT),
        **_columns("effective_policy eidr isrc third_party_video_id", TEXT),
        "other_owners_claiming": LIST,
        **_columns("upload_source video_privacy_status video_title video_url", TEXT),
        **_columns("claimed_by_this_owner claimed_by_another_owner", FLAG),
        **_columns("comments views engaged_views", COUNT),
        **_columns("comments_allowed embedding_allowed ratings_allowed offweb_syndicatable", TEXT),
        **_columns("is_made_for_kids_effective_setting is_made_for_kids_modifiable", TEXT),
        "is_made_for_kids_user_selection": TEXT,
        **_columns(_ADS, TEXT),
        **_columns("time_published time_uploaded", TIME),
        "video_length": SECONDS,
    },
    key=("video_id", "claim_id", "asset_id"),
    figures=frozenset({"comments", "views", "engaged_views"}),
    required=frozenset({"video_id"}),
)

REFERENCES = Table(
    "reference_files",
    {
        "reference_id": KEY,
        **_columns("reference_video_id asset_custom_id asset_id status status_detail", TEXT),
        "date_created": DAY,
        **_columns("reference_type source_of_fingerprint asset_metadata_type asset_title", TEXT),
        **_columns("provider excluded_perc exclusions", TEXT),
        **_columns("asset_labels asset_owners", LIST),
        "active_claims": COUNT,
        "length_sec": SECONDS,
    },
    key=("reference_id",),
    figures=frozenset({"active_claims"}),
    required=frozenset({"reference_id"}),
)

# Normalised spelling -> column. An alias counts only for tables that have the column and whose file lacks it
# under its own name.
ALIASES = {
    "adjustmenttype": "adjustment_type",
    "date": "day",
    "report_date": "day",
    "report_data": "day",
    "month": "day",
    "payment_period": "day",
    "video_channel_id": "channel_id",
    "channel_name": "channel_display_name",
    "username": "uploader",
    "composition_asset_id": "asset_id",
    "composition_custom_id": "custom_id",
    "record_label": "label",
    "video_duration": "video_duration_sec",
    "video_duration_sec_": "video_duration_sec",
    "owned_subscription_views": "owned_views",
    "monetized_views_audiovisual": "monetized_views_audio_visual",
    "partner_revenue_per_subscriber_min": "partner_revenue_per_sub_min",
    "net_partner_revenue_post_revshare": "partner_revenue",
    "net_partner_revenue": "partner_revenue",
    "earnings_usd": "partner_revenue",
    "earnings": "partner_revenue",
    "deduction_amount": "adjustment_amount",
    "revenue_currency": "currency",
    "currency_code": "currency",
    "currency": "currency_code",
    "local_currency_code": "currency_code",
    "local_currency": "currency_code",
    "local_currency_amount": "partner_revenue_local",
    "total_revenue_by_source": "total_revenue",
    "name": "asset_title",
    "title": "video_title",
    "privacy_status": "video_privacy_status",
    "claimed_status": "claimed_by_this_owner",
    "published_at": "time_published",
    "policy": "effective_policy",
    "video_category": "category",
}

# Which spelling stands for a table's column, where two tables use one word differently.
_OWN: dict[str, dict[str, str]] = {
    "payments": {"partner_revenue": "partner_revenue_usd", "earnings_usd": "partner_revenue_usd"},
    "claims": {"label": "record_label", "status": "claim_status"},
    "deductions": {"currency": "local_currency"},
}


def normalise(header: str) -> str:
    """Return a column's name in one form: lower case, words joined by _, without other signs.

    >>> normalise("YouTube Revenue Split : Partner Sold YouTube Served")
    'youtube_revenue_split_partner_sold_youtube_served'
    """
    return re.sub(r"[^a-z0-9]+", "_", header.replace("\ufeff", "").casefold()).strip("_")


class Mapping(NamedTuple):
    """How a file's columns fit a table. `columns` has a name for each column of the file, None if ignored."""

    table: Table
    columns: tuple[str | None, ...]
    unknown: tuple[str, ...]
    repeated: tuple[str, ...]

    @property
    def found(self) -> frozenset[str]:
        return frozenset(name for name in self.columns if name)


def map_columns(header: list[str], table: Table) -> Mapping:
    """Return which column of the table each column of the file is."""
    names = [normalise(each) for each in header]
    own = _OWN.get(table.name, {})
    columns: list[str | None] = []
    unknown, repeated = [], []
    for position, name in enumerate(names):
        column = name if name in table.columns else own.get(name) or ALIASES.get(name)
        if column not in table.columns or (column != name and column in names):
            columns.append(None)
            if name:
                unknown.append(header[position].strip()[:100])
        elif column in columns:
            columns.append(None)
            repeated.append(header[position].strip()[:100])
        else:
            columns.append(column)
    return Mapping(table, tuple(columns), tuple(unknown), tuple(repeated))

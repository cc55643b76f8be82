"""Which reports must add up to which line of the month's payment summary.

A line is a revenue type, perhaps with an adjustment. Its reports are in parts that add up, and each part has
views: the same money by claim, asset or video, any of which is enough.
"""

from typing import NamedTuple

from showrunner.reports.tables import normalise

# How a row that is no adjustment names its adjustment type.
NONE = "None"


class View(NamedTuple):
    """A report that has a part of the money, and the report of corrections to it in earlier months."""

    kind: str
    adjustments: str | None = None


class Revenue(NamedTuple):
    """A revenue type. label: YouTube's. spellings: normalised; parts: add up, one view of each is enough."""

    label: str
    spellings: frozenset[str]
    parts: tuple[tuple[View, ...], ...]


REVENUES = (
    Revenue(
        "Ads Revenue",
        frozenset({"ads_revenue", "ad_revenue", "ads", "advertising_revenue"}),
        (
            (
                View("ads_claims", "ads_claims_adjustments"),
                View("ads_assets", "ads_assets_adjustments"),
                View("ads_assets_summary", "ads_assets_adjustments"),
                View("ads_videos", "ads_videos_adjustments"),
                View("ads_videos_summary", "ads_videos_summary_adjustments"),
            ),
        ),
    ),
    Revenue(
        "Subscriptions Revenue - YouTube Premium / Music Premium",
        frozenset(
            {
                "subscriptions_revenue_youtube_premium_music_premium",
                "subscription_revenue_youtube_premium_music_premium",
                "subscriptions_revenue",
                "subscription_revenue",
            }
        ),
        (
            (View("premium_label_videos"),),
            (View("premium_music_videos"), View("premium_music_assets")),
            (View("premium_other_videos"), View("premium_other_assets")),
        ),
    ),
    Revenue(
        "YouTube Shorts - Ads Revenue",
        frozenset({"youtube_shorts_ads_revenue", "shorts_ads_revenue"}),
        ((View("shorts_ads"),),),
    ),
    Revenue(
        "YouTube Shorts - Subscription Revenue",
        frozenset(
            {
                "youtube_shorts_subscription_revenue",
                "youtube_shorts_subscriptions_revenue",
                "shorts_subscription_revenue",
            }
        ),
        ((View("shorts_subscriptions"),),),
    ),
    Revenue(
        "Transactions Revenue - Others",
        frozenset({"transactions_revenue_others", "transactions_revenue", "paid_features_revenue"}),
        ((View("paid_features"),),),
    ),
)
# Kinds whose rows have an asset: those by claim, which is an asset's, and those by asset.
BY_ASSET = frozenset(
    {
        *("ads_claims", "ads_claims_adjustments"),
        *("ads_assets", "ads_assets_summary", "ads_assets_adjustments"),
        *("premium_label_videos", "premium_music_videos", "premium_music_assets"),
        *("premium_other_videos", "premium_other_assets"),
    }
)
_BY_SPELLING = {spelling: revenue for revenue in REVENUES for spelling in revenue.spellings}


def of_line(revenue_type: str, adjustment_type: str | None) -> tuple[Revenue | None, str]:
    """Return the revenue type and the adjustment of a line of the payment summary.

    The adjustment has a column of its own, or stands behind the type: "Ads Revenue: Dispute Resolution".
    The revenue is None for a type that no report is known for.
    """
    adjustment = adjustment_name(adjustment_type)
    if revenue := _BY_SPELLING.get(normalise(revenue_type)):
        return revenue, adjustment
    begin, _, end = revenue_type.rpartition(":")
    revenue = _BY_SPELLING.get(normalise(begin))
    return revenue, adjustment_name(end) if revenue and adjustment == NONE else adjustment


def by_asset(loaded: set[str]) -> list[str]:
    """Return those of a month's loaded kinds that together have each asset's money once, if it is loaded.

    Of each part of the money the first view that has assets is taken, with its adjustments.
    """
    found = []
    for part in (part for each in REVENUES for part in each.parts):
        view = next((view for view in part if view.kind in BY_ASSET & loaded), None)
        if view is not None:
            found.append(view.kind)
        # The corrections may be there although the ordinary money is not.
        corrections = [view.adjustments] if view else [each.adjustments for each in part]
        found += [each for each in corrections if each in BY_ASSET & loaded][:1]
    return found


def adjustment_name(text: str | None) -> str:
    """Return an adjustment type in one spelling: words with capitals, NONE for an empty one."""
    return " ".join(word[:1].upper() + word[1:] for word in (text or "").replace("_", " ").split()) or NONE

"""Write synthetic reports of a YouTube content owner, with the names, headers and quirks of real ones.

    python -m local.partner_data FOLDER --owner Synthetic_Records --month 2026-10 --day 2026-11-28 --rows 1000

The same seed makes the same files, for any size, and needs no memory for it: each asset, video, claim and
earning is computed from its number. The files of a month agree: the money reports add up to the payment
summary to the cent, by revenue type, and adjustments belong to earlier months. Snapshots of two days differ
in about one row of a hundred. Nobody has earned any of it: titles, notes and SYNTHETIC.txt say so.
"""

import argparse
import calendar
import contextlib
import csv
import gzip
import io
import itertools
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import NamedTuple

NOTE = (
    "Synthetic data, made by local/partner_data.py. No such content owner, video or payment exists: "
    "it is for trying out and measuring the import of partner reports."
)
# The day on which the catalogue begins to change; snapshots of earlier days are those of this one.
FIRST_DAY = date(2026, 1, 1)
# A row of a snapshot changes every so many days, each on a day of its own: one of a hundred a day.
CHANGE_DAYS = 100
# One of so many titles has a line break; so many rows have one more beside them that can't be read.
BREAK_EVERY, FAULT_EVERY = 1_000, 500
CENT = Decimal("0.01")
_64 = (1 << 64) - 1

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_WORDS = (
    *(
        "night",
        "river",
        "golden",
        "echo",
        "summer",
        "kalp",
        "ışık",
        "motörhead",
        "東京",
        "ночь",
        "amor",
        "fire",
    ),
    *('the "best" of', "live, in Lagos", "🎵 remix", "acoustic", "interlude", "part 2", "feat. Nobody", "HD"),
)
_COUNTRIES = ("US", "DE", "BR", "IN", "JP", "GB", "NG", "MX", "FR", "TR", "ID", "KR")
_TERRITORIES = "AR|AU|BR|CA|CL|DE|ES|FR|GB|IN|IT|JP|KR|MX|NG|NL|PL|SE|TR|US|ZA"

REVENUE = {
    "ads": "Ads Revenue",
    "premium": "Subscriptions Revenue - YouTube Premium / Music Premium",
    "shorts_ads": "YouTube Shorts - Ads Revenue",
    "shorts_subscriptions": "YouTube Shorts - Subscription Revenue",
    "transactions": "Transactions Revenue - Others",
}
ADJUSTMENTS = ("Dispute Resolution", "Spam Adjustment", "Backpay")


def _names(text: str) -> list[str]:
    return text.split(",")


_SPLIT = [
    f"{group}{part}"
    for group in ("YouTube Revenue Split", "Partner Revenue")
    for part in (
        *(
            " : Auction",
            " : Reserved",
            " : Partner Sold YouTube Served",
            " : Partner Sold Partner Served",
            "",
        ),
    )
]
CLAIM_MONEY = [
    *("Adjustment Type", "Day", "Country", "Video ID", "Channel ID", "Asset ID", "Asset Channel ID"),
    *("Asset Type", "Custom ID", "Content Type", "Policy", "Claim Type", "Claim Origin", "Owned Views"),
    *_SPLIT,
]
ASSET_MONEY = [
    *("Adjustment Type", "Day", "Country", "Asset ID", "Asset Title", "Asset Labels", "Asset Channel ID"),
    *("Asset Type", "Custom ID", "ISRC", "UPC", "GRid", "Artist", "Album", "Label"),
    *("Administer Publish Rights", "Owned Views", *_SPLIT),
]
VIDEO_MONEY = [
    *("Adjustment Type", "Day", "Country", "Video ID", "Video Title", "Video Duration", "Category"),
    *("Channel ID", "Uploader", "Channel Display Name", "Content Type", "Policy", "Owned Views", *_SPLIT),
]
LABEL_PREMIUM = [
    *("Adjustment Type", "Country", "Day", "Video ID", "Video Channel ID", "Asset ID", "Asset Channel ID"),
    *("Asset Title", "Asset Labels", "Asset Type", "Custom ID", "ISRC", "UPC", "GRID", "Artist", "Album"),
    *("Label", "Claim Type", "Content Type", "Offer", "Owned Views", "Monetized Views : Audio"),
    *("Monetized Views : Audio Visual", "Monetized Views", "YouTube Revenue Split"),
    *("Partner Revenue : Pro Rata", "Partner Revenue : Per Sub Min", "Partner Revenue"),
]
CLAIMS = _names(
    "claim_id,channel_id,asset_id,video_id,reference_id,reference_video_id,claim_policy_id,asset_policy_id,"
    "custom_id,claim_status,claim_status_detail,claim_origin,claim_type,uploader,channel_display_name,"
    "video_title,views,engaged_views,video_matching_length,matching_duration,longest_match,content_type,"
    "claim_policy_monetize,claim_policy_track,claim_policy_block,asset_policy_monetize,asset_policy_track,"
    "asset_policy_block,claim_created_date,video_upload_date,video_duration_sec,asset_title,asset_labels,"
    "tms,director,season,episode_number,episode_title,release_date,hfa_song_code,isrc,grid,artist,album,"
    "record_label,upc,iswc,writers,is_shorts_eligible"
)
ASSETS = _names(
    "asset_id,custom_id,constituent_asset_id,active_reference_id,inactive_reference_id,approx_daily_views,"
    "approx_daily_engaged_views,sr_approx_daily_engaged_views,asset_type,asset_labels,metadata_origination,"
    "season,episode_title,tms,active_claims,match_policy,is_merged,conflicting_owner,ownership,"
    "conflicting_country_code,display_isrc,your_isrc,other_isrc,approx_daily_engaged_views"
)
CONFLICTS = _names(
    "asset_id,custom_id,constituent_asset_id,asset_type,asset_labels,conflicting_owner,"
    "conflicting_country_code,ownership,conflicting_owner_isrc,conflicting_owner_asset_title,"
    "conflicting_owner_artist,engaged_views_in_conflict,lifetime_views_in_conflict,"
    "lifetime_engaged_views_in_conflict,ownership_last_updated,ownership_origination,other_ownership"
)
REFERENCES = _names(
    "reference_id,reference_video_id,asset_custom_id,asset_id,status,status_detail,date_created,"
    "reference_type,source_of_fingerprint,active_claims,asset_metadata_type,asset_title,asset_labels,"
    "asset_owners,provider,length_sec,excluded_perc,exclusions"
)
VIDEOS = _names(
    "video_id,channel_id,claim_id,asset_id,custom_id,category,channel_display_name,claim_origin,"
    "claimed_by_this_owner,comments,comments_allowed,content_type,effective_policy,embedding_allowed,"
    "engaged_views,is_made_for_kids_effective_setting,isrc,midrolls_enabled,other_owners_claiming,"
    "ratings_allowed,time_published,time_uploaded,upload_source,video_length,video_privacy_status,"
    "video_title,video_url,views"
)


def mixed(seed: int, kind: str, number: int) -> int:
    """Return 64 bits that look random and depend only on the arguments (splitmix64)."""
    # Python's own hash of a word differs from run to run.
    word = zlib.crc32(kind.encode())
    x = (seed * 0x9E3779B97F4A7C15 + word * 0x94D049BB133111EB + number * 0xBF58476D1CE4E5B9) & _64
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _64
    return x ^ (x >> 31)


def _letters(bits: int, count: int, begin: str = "") -> str:
    found = list(begin)
    for _ in range(count - len(begin)):
        bits, rest = bits // 64 or bits * 2862933555777941757 + 3037000493, bits % 64
        found.append(_ALPHABET[rest])
    return "".join(found)


class Asset(NamedTuple):
    """A recording of the catalogue."""

    id: str
    custom_id: str
    title: str
    artist: str
    album: str
    isrc: str
    upc: str
    labels: str


class Video(NamedTuple):
    """A video on one of the owner's or of other people's channels."""

    id: str
    title: str
    channel: str
    channel_name: str
    seconds: int
    uploaded: date
    asset: Asset


class Earning(NamedTuple):
    """Earnings of one video in a country on a day. `splits`: auction, reserved, partner sold twice."""

    day: date
    country: str
    video: Video
    views: int
    splits: tuple[Decimal, Decimal, Decimal, Decimal]

    @property
    def total(self) -> Decimal:
        return sum(self.splits, Decimal())


class Written(NamedTuple):
    """A file that was written. rejected: its rows with a mistake in them."""

    path: Path
    rows: int
    rejected: int


class Owner:
    """A content owner with a catalogue of `rows` claims, computed from the seed."""

    def __init__(self, name: str, rows: int, seed: int = 1) -> None:
        self.name, self.rows, self.seed = name, rows, seed
        self.assets = max(1, rows // 4)

    def _bits(self, kind: str, number: int) -> int:
        return mixed(self.seed, kind, number)

    def asset(self, number: int) -> Asset:
        bits = self._bits("asset", number)
        words = (_WORDS[bits % 20], _WORDS[bits // 20 % 20])
        return Asset(
            f"A{10**14 + (self.seed * 10**10 + number):015d}",
            f"SYN-{number:07d}",
            f"Synthetic {' '.join(words)} {number}",
            "Nobody Real" if bits % 3 else f"Nobody Real|The Placeholders {bits % 97}",
            f"Synthetic album {number // 10}",
            f"QZSYN{number % 10_000_000:07d}",
            f"{10**11 + number:012d}",
            "synthetic" if bits % 2 else "synthetic|catalogue",
        )

    def video(self, number: int) -> Video:
        bits = self._bits("video", number)
        words = (_WORDS[bits // (20**place) % 20] for place in range(2 + bits % 4))
        channel = number % max(1, self.rows // 50)
        line_break = "\n" if number % BREAK_EVERY == BREAK_EVERY - 1 else ""
        return Video(
            _letters(bits, 11, f"S{number % 10_000_000:07d}"),
            f"Synthetic video {number}: {line_break}{' '.join(words)}",
            _letters(self._bits("channel", channel), 24, "UC"),
            f"Synthetic channel {channel}",
            20 + bits % 600,
            date(2020, 1, 1) + timedelta(bits % 2_000),
            self.asset(number % self.assets),
        )

    def earnings(self, kind: str, month: date, count: int) -> Iterator[Earning]:
        """Yield `count` earnings of a kind of revenue in a month."""
        last = calendar.monthrange(month.year, month.month)[1]
        for number in range(count):
            bits = self._bits(f"{kind} {month}", number)
            parts = (bits % 10**9, bits // 7 % 10**8, bits // 11 % 10**7 * (bits % 5 == 0), 0)
            yield Earning(
                month.replace(day=1 + bits % last),
                _COUNTRIES[bits // 31 % 12],
                self.video(bits % self.rows),
                bits % 90_000,
                tuple(Decimal(part).scaleb(-12 + bits % 4) for part in parts),  # type: ignore[arg-type]
            )


# ------------------------------------------------------------------------------------------------- Snapshots


def _window(owner: Owner, day: date) -> range:
    """Return the numbers of the rows that a day's snapshot has: one of a thousand ends and begins a day."""
    gone = max(0, (day - FIRST_DAY).days) * owner.rows // 1_000
    return range(gone, gone + owner.rows)


def _version(owner: Owner, number: int, day: date) -> int:
    """Return how often a row has changed until a day."""
    return (max(0, (day - FIRST_DAY).days) + owner.seed + number * 37 % CHANGE_DAYS) // CHANGE_DAYS


def claim_id(owner: Owner, number: int) -> str:
    """Return a claim's id; they have no order, and no two are equal."""
    return f"{mixed(owner.seed, 'claim', number):016x}"


def claim_rows(owner: Owner, day: date) -> Iterator[list[object]]:
    for number in _window(owner, day):
        video, version = owner.video(number), _version(owner, number, day)
        asset, views = video.asset, number % 9_973 * 10 + version
        state = ("ACTIVE", "") if version % 5 else ("INACTIVE", "CLOSED_MANUALLY")
        created, match = video.uploaded + timedelta(1), f"{video.seconds % 200}"
        yield [
            *(
                claim_id(owner, number),
                video.channel,
                asset.id,
                video.id,
                f"ref{number % owner.assets:08d}",
            ),
            *(video.id, "S0000001", "S0000002", asset.custom_id, *state, "Audio match", "AUDIO"),
            *(f"synthetic_user_{number % 977}", video.channel_name, video.title, views, views * 9 // 10),
            *(match, match, match, "UGC" if number % 3 else "PARTNER_UPLOADED", _TERRITORIES, "", ""),
            *(_TERRITORIES, "CN|KP", "", created, video.uploaded, video.seconds, asset.title, asset.labels),
            *("", "", "", "", "", "2024", f"H{number:06d}", asset.isrc, f"A1-SYN-{number:08d}"),
            *(asset.artist, asset.album, "Synthetic Records", asset.upc, "T-000.000.001-0"),
            *("Nobody Real|Someone Invented", "Yes" if video.seconds < 60 else "No"),
        ]


def asset_rows(owner: Owner, day: date) -> Iterator[list[object]]:
    for number in range(owner.assets):
        asset, version = owner.asset(number), _version(owner, number, day)
        in_conflict = number % 50 == 0
        reference = f"ref{number:08d}"
        yield [
            *(asset.id, asset.custom_id, "", reference, "", number % 500 + version, number % 450 + version),
            *(
                number % 400,
                "SOUND_RECORDING",
                asset.labels,
                "Synthetic Records",
                "",
                "",
                "",
                4 + version % 2,
            ),
            *("Monetize in all countries", "No", "Another Invented Owner" if in_conflict else ""),
            *("100% WW", "DE|FR" if in_conflict else "", asset.isrc, asset.isrc, "", number % 450 + version),
        ]


def conflict_rows(owner: Owner, day: date) -> Iterator[list[object]]:
    for number in range(0, owner.assets, 50):
        asset, version = owner.asset(number), _version(owner, number, day)
        yield [
            *(
                asset.id,
                asset.custom_id,
                "",
                "SOUND_RECORDING",
                asset.labels,
                "Another Invented Owner",
                "DE|FR",
            ),
            *("100% WW", asset.isrc, asset.title, asset.artist, number + version, number * 9 + version),
            *(number * 8 + version, FIRST_DAY - timedelta(number % 300), "Another Invented Owner", "100% DE"),
        ]


def reference_rows(owner: Owner, day: date) -> Iterator[list[object]]:
    for number in range(owner.assets):
        asset, version = owner.asset(number), _version(owner, number, day)
        yield [
            *(f"ref{number:08d}", "", asset.custom_id, asset.id, "ACTIVE" if version % 9 else "INACTIVE", ""),
            *(FIRST_DAY - timedelta(number % 900), "AUDIO", "PARTNER", 4 + version % 2, "SOUND_RECORDING"),
            *(asset.title, asset.labels, owner.name, "Synthetic Records", 180, "0.0", ""),
        ]


def video_rows(owner: Owner, day: date) -> Iterator[list[object]]:
    for number in _window(owner, day):
        video, version = owner.video(number), _version(owner, number, day)
        asset, views = video.asset, number % 9_973 * 10 + version
        yield [
            *(video.id, video.channel, claim_id(owner, number), asset.id, asset.custom_id, "Music"),
            *(video.channel_name, "Audio match", "Yes", views // 100, "Allowed", "UGC", "Monetize"),
            *("Yes", views * 9 // 10, "No", asset.isrc, "Yes", "", "Yes", f"{video.uploaded}T12:00:00Z"),
            *(f"{video.uploaded}T11:00:00Z", "Web", video.seconds, "public" if version % 7 else "private"),
            *(video.title, f"https://www.youtube.com/watch?v={video.id}", views),
        ]


# ------------------------------------------------------------------------------------------------- Money


def _splits(earning: Earning) -> list[object]:
    gross = [part * 2 for part in earning.splits]
    return [
        *(f"{part:f}" for part in (*gross, sum(gross, Decimal()))),
        *(f"{part:f}" for part in (*earning.splits, earning.total)),
    ]


def _claim_money(each: Earning, adjustment: str) -> list[object]:
    video, asset = each.video, each.video.asset
    return [
        *(adjustment, f"{each.day:%Y%m%d}", each.country, video.id, video.channel, asset.id, ""),
        *("Sound Recording", asset.custom_id, "UGC", "Monetize", "Audio", "Audio match", each.views),
        *_splits(each),
    ]


def _asset_money(each: Earning, adjustment: str) -> list[object]:
    asset = each.video.asset
    return [
        *(adjustment, f"{each.day:%Y%m%d}", each.country, asset.id, asset.title, asset.labels, ""),
        *("Sound Recording", asset.custom_id, asset.isrc, asset.upc, "", asset.artist, asset.album),
        *("Synthetic Records", "Yes", each.views, *_splits(each)),
    ]


def _video_money(each: Earning, adjustment: str) -> list[object]:
    video = each.video
    return [
        *(adjustment, f"{each.day:%Y%m%d}", each.country, video.id, video.title, video.seconds, "Music"),
        # This report has channel ids without UC, as some of YouTube's have.
        *(video.channel[2:], video.channel_name, video.channel_name, "UGC", "Monetize", each.views),
        *_splits(each),
    ]


def _label_premium(each: Earning, adjustment: str) -> list[object]:
    video, asset, total = each.video, each.video.asset, each.total
    return [
        *(adjustment, each.country, f"{each.day:%Y%m%d}", video.id, video.channel, asset.id, "", asset.title),
        *(asset.labels, "Sound Recording", asset.custom_id, asset.isrc, asset.upc, "", asset.artist),
        *(asset.album, "Synthetic Records", "Audio", "UGC", "music", each.views, each.views // 2),
        *(each.views // 2, each.views, f"{total * 2:f}", f"{total:f}", "0", f"{total:f}"),
    ]


def _other_premium(each: Earning, adjustment: str) -> list[object]:
    video = each.video
    return [
        *(adjustment, each.country, f"{each.day:%Y%m%d}", video.id, video.asset.id, video.asset.custom_id),
        *(video.title, video.channel, each.views, f"{each.total:f}"),
    ]


def _shorts_ads(each: Earning, adjustment: str) -> list[object]:
    video = each.video
    return [
        *(adjustment, video.id, video.title, video.seconds, "Music", video.channel, video.channel_name),
        *("UGC", "Monetize", each.views, f"{each.total:f}"),
    ]


def _shorts_subscriptions(each: Earning, _: str) -> list[object]:
    video = each.video
    return [each.country, video.id, video.asset.custom_id, video.title, f"{each.total:f}"]


def _paid_features(each: Earning, _: str) -> list[object]:
    video = each.video
    price = (each.total * 2).quantize(CENT)
    return [video.channel, video.channel_name, each.country, "Super Chat", price, f"{each.total:f}"]


class Money(NamedTuple):
    """A money report. kind: the part of REVENUE that it belongs to. titles: lines before the header."""

    name: str
    kind: str
    header: list[str]
    row: Callable[[Earning, str], list[object]]
    share: float
    titles: tuple[str, ...] = ()
    adjusted: bool = False


_ADJUSTED = ("Synthetic adjustments", "to earlier months, in one file")
MONEY = (
    # Three views of the same earnings; each adds up to the payment summary by itself.
    Money("{m}_claim_raw_v1-1", "ads", CLAIM_MONEY, _claim_money, 1),
    Money("{m}_asset_raw_v1-1", "ads", ASSET_MONEY, _asset_money, 1),
    Money("{m}_video_raw_v1-1", "ads", VIDEO_MONEY, _video_money, 1),
    Money("{m}_ADJ_claim_raw_v1-1", "ads", CLAIM_MONEY, _claim_money, 0.02, _ADJUSTED, adjusted=True),
    Money("{m}_ADJ_asset_raw_v1-1", "ads", ASSET_MONEY, _asset_money, 0.02, _ADJUSTED, adjusted=True),
    # These two add up together.
    Money(
        "{m}_red_label_rawdata_video_v1-1",
        "premium",
        LABEL_PREMIUM,
        _label_premium,
        0.3,
        ("Synthetic, Asset Summary",),
    ),
    Money(
        "{m}_red_rawdata_video_v1-1",
        "premium",
        _names(
            "Adjustment Type,Country,Day,Video ID,Asset ID,Custom ID,Video Title,Channel ID,Owned Views,"
            "Partner Revenue"
        ),
        _other_premium,
        0.1,
        ("Synthetic, Video Summary",),
    ),
    Money(
        "{m}_monthly_shorts_non_music_ads_video_summary_v1-1",
        "shorts_ads",
        _names(
            "Adjustment Type,Video ID,Video Title,Video Duration (sec),Category,Channel ID,Uploader,"
            "Content Type,Policy,Engaged Views,Net Partner Revenue (Post revshare)"
        ),
        _shorts_ads,
        0.1,
    ),
    Money(
        "{m}_monthly_shorts_non_music_subscription_video_summary_v1-1",
        "shorts_subscriptions",
        _names("Country,Video ID,Custom ID,Video Title,Partner Revenue"),
        _shorts_subscriptions,
        0.1,
        ("Synthetic, Shorts Subscription",),
    ),
    Money(
        "Ecommerce_paid_features_{m}_v1-1",
        "transactions",
        _names("Channel ID,Channel Name,Country,Purchase Type,Retail Price (USD),Earnings (USD)"),
        _paid_features,
        0.02,
        ("Synthetic, Paid Features",),
    ),
)


def _earlier(month: date, count: int) -> date:
    place = month.year * 12 + month.month - 1 - count
    return date(place // 12, place % 12 + 1, 1)


def adjusted_earnings(owner: Owner, month: date, count: int) -> Iterator[tuple[str, Earning]]:
    """Yield (adjustment type, earning) of the three months before. A spam adjustment is taken away."""
    for number, adjustment in enumerate(ADJUSTMENTS, 1):
        for each in owner.earnings("adj", _earlier(month, number), max(1, count // 3)):
            sign = -1 if adjustment == "Spam Adjustment" else 1
            splits = tuple(part * sign for part in each.splits)
            yield adjustment, each._replace(splits=splits)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- Files


# Type of a report of rights -> its name when Studio makes it; those without one come by the API only.
_STUDIO_NAMES = {
    "content_owner_active_claims_a3": "claim_report_{owner}_C",
    "content_owner_asset_a3": "asset_full_report_{owner}_L_v1-2",
    "content_owner_video_metadata_a4": "video_report_{owner}_V_v1-4",
}


def snapshot_reports(owner: Owner, day: date) -> Iterator[tuple[str, list[str], Iterator[list[object]]]]:
    """Yield (type, header, rows) of the five reports of rights of a day."""
    yield "content_owner_active_claims_a3", CLAIMS, claim_rows(owner, day)
    yield "content_owner_asset_a3", ASSETS, asset_rows(owner, day)
    yield "content_owner_video_metadata_a4", VIDEOS, video_rows(owner, day)
    yield "content_owner_active_references_a2", REFERENCES, reference_rows(owner, day)
    yield "content_owner_asset_conflict_a3", CONFLICTS, conflict_rows(owner, day)


def write_snapshots(owner: Owner, folder: Path, day: date) -> list[Written]:
    """Write the five reports of rights of a day. The folder's name should have the day: theirs has none."""
    return [
        write(folder / f"{_STUDIO_NAMES.get(type_, type_).format(owner=owner.name)}.csv.gz", header, rows)
        for type_, header, rows in snapshot_reports(owner, day)
    ]


def write_month(owner: Owner, folder: Path, month: date, rows: int) -> list[Written]:
    """Write the money reports of a month and the payment summary that they add up to.

    rows: those of the largest reports, the ads by claim, asset and video.
    """
    paid: dict[tuple[str, str], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    found = []
    for report in MONEY:
        name = report.name.format(m=_period(month))
        name = f"YouTube_{owner.name}_{name}.csv.gz"
        count = max(1, int(rows * report.share))
        source = _rows_of(owner, report, month, count, paid)
        found.append(write(folder / name, report.header, source, report.titles))
    found += _write_totals(owner, folder, month, paid)
    (folder / "SYNTHETIC.txt").write_text(NOTE + "\n", encoding="utf-8")
    return found


def _period(month: date) -> str:
    last = calendar.monthrange(month.year, month.month)[1]
    return f"M_{month:%Y%m}01_{month:%Y%m}{last:02d}"


def _rows_of(
    owner: Owner,
    report: Money,
    month: date,
    count: int,
    paid: dict[tuple[str, str], dict[str, Decimal]],
) -> Iterator[list[object]]:
    """Yield a report's rows, and add what each pays to the report's sum."""
    if report.adjusted:
        source = adjusted_earnings(owner, month, count)
    else:
        # The reports of ads show the same earnings; any other has its own.
        source_of = "ads" if report.kind == "ads" else report.name
        source = zip(itertools.repeat("None"), owner.earnings(source_of, month, count), strict=False)
    for adjustment, each in source:
        paid[report.kind, adjustment][report.name] += each.total
        yield report.row(each, adjustment)


def _write_totals(
    owner: Owner, folder: Path, month: date, paid: dict[tuple[str, str], dict[str, Decimal]]
) -> list[Written]:
    lines: list[list[object]] = []
    total = Decimal()
    for (kind, adjustment), by_report in paid.items():
        amounts = list(by_report.values())
        # The views of ads say the same; the parts of Premium are added.
        amount = (amounts[0] if kind == "ads" else sum(amounts, Decimal())).quantize(
            CENT, ROUND_HALF_EVEN
        ) + 0
        total += amount
        label = REVENUE[kind] if adjustment == "None" else f"{REVENUE[kind]}: {adjustment}"
        shown = f"{amount}" if amount >= 0 else f"({-amount})"
        lines.append([label, adjustment, shown, "EUR", f"{amount * Decimal('0.9'):.2f}", "Synthetic data"])
    columns = (
        "Revenue Type,Adjustment Type,Partner Revenue (USD),Local Currency Code,Local Currency Amount,Notes"
    )
    begin = f"YouTube_{owner.name}_M_{month:%Y%m}"
    summary = write(folder / f"{begin}_payment_summary_v1-0.csv", columns.split(","), lines)
    with summary.path.open("a", encoding="utf-8", newline="") as file:
        file.write(f"Total,,{total},,,\n")
    deducted: list[list[object]] = [
        [owner.video(number).channel, f"Synthetic channel {number}", reason, f"{number + 1}.25"]
        for number, reason in enumerate(("MONETIZATION DISABLED", "CREDIT - APPEAL"))
    ]
    return [
        summary,
        write(
            folder / f"{begin}_channel_adjustments_summary_v1-0.csv",
            ["Channel ID", "Channel Display Name", "Adjustment Type", "Deduction Amount"],
            deducted,
        ),
    ]


def write(
    path: Path, header: list[str], rows: Iterable[list[object]], titles: tuple[str, ...] = ()
) -> Written:
    """Write a report, with a row too many of every FAULT_EVERY, which can't be read.

    A name that ends in .gz is packed.
    """
    counts = {"rows": 0, "rejected": 0}

    def faulty(source: Iterable[list[object]]) -> Iterator[list[object]]:
        for number, row in enumerate(source, 1):
            counts["rows"] += 1
            yield row
            if number % FAULT_EVERY == 0:
                counts["rows"] += 1
                counts["rejected"] += 1
                yield _fault(row)

    path.parent.mkdir(parents=True, exist_ok=True)
    with _text_file(path) as file:
        for title in titles:
            file.write(f"{title}\n")
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(faulty(rows))
    return Written(path, counts["rows"], counts["rejected"])


def _fault(row: list[object]) -> list[object]:
    """Return a row with a word in place of its first number; without a number it loses its last cells."""
    place = next((place for place, cell in enumerate(row) if isinstance(cell, int)), None)
    return row[:3] if place is None else [*row[:place], "unknown", *row[place + 1 :]]


@contextlib.contextmanager
def _text_file(path: Path) -> Iterator[io.TextIOBase]:
    if path.suffix != ".gz":
        with path.open("w", encoding="utf-8", newline="") as plain:
            yield plain
        return
    # Without a time and name in the header, so that the same seed makes the same bytes.
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as text,
    ):
        yield text


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    owner = Owner(options.owner, options.rows, options.seed)
    written = write_month(owner, options.folder / f"{options.month:%Y-%m}", options.month, options.rows)
    written += write_snapshots(owner, options.folder / f"{options.day}", options.day)
    print(NOTE)
    for each in written:
        print(f"{each.rows:10d} rows  {each.path}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.partner_data", description="Synthetic reports.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--owner", default="Synthetic_Records")
    parser.add_argument("--month", type=lambda text: date.fromisoformat(f"{text}-01"), required=True)
    parser.add_argument("--day", type=date.fromisoformat, required=True, help="of the snapshots")
    parser.add_argument(
        "--rows", type=int, default=1_000, help="claims, and rows of the largest money reports"
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    sys.exit(main())

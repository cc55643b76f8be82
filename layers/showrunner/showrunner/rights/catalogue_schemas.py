"""Define the queries and answers of the lists of /cms: videos, assets, claims, conflicts, saved searches."""

from typing import Annotated, Any, Literal

from pydantic import Field

from showrunner.rights.change_schemas import ChangedRow, VideoId
from showrunner.web.fields import (
    Body,
    Line,
    Moment,
    Page,
    Pagination,
    Result,
    Timestamp,
    YoutubeChannelId,
)

type Title = Annotated[Line, Field(max_length=200)]
type Word = Annotated[Line, Field(max_length=200)]
type AssetId = Annotated[Word, Field(description="Id of the asset.", examples=["A123456789012345"])]
type Artist = Annotated[Word, Field(description="One of the artists.", examples=["The Sailors"])]
type AssetType = Annotated[
    Word, Field(description="Type of the asset, as reports write it.", examples=["SOUND_RECORDING"])
]
type Count = Annotated[int, Field(ge=0, le=1 << 53)]
type ListName = Literal["videos", "assets", "claims", "conflicts"]
type PolicyAction = Literal["monetize", "track", "block"]
type ClaimStatus = Literal["active", "inactive", "pending"]


class _WorkFilter(Page):
    """Filters that the lists of videos, assets and claims have in common."""

    title: Title | None = None
    artist: Artist | None = None
    label: Word | None = None
    isrc: Word | None = None
    upc: Word | None = None
    custom_id: Word | None = None
    views_from: Count | None = None
    views_to: Count | None = None


class CmsVideoFilter(_WorkFilter):
    """Filters and page of the list of videos.

    artist, label, isrc, upc and claim_status look at the claims on a video. Sorted by published_at,
    uploaded_at, title, views or video_id.
    """

    category: Annotated[
        Word | None, Field(description="Category, as reports write it.", examples=["Music"])
    ] = None
    channel_id: YoutubeChannelId | None = None
    privacy: Literal["public", "unlisted", "private"] | None = None
    claimed: bool | None = None
    claim_status: ClaimStatus | None = None
    policy: Annotated[
        Word | None, Field(description="Policy in effect, as reports write it.", examples=["Monetize"])
    ] = None
    conflict: bool | None = None
    asset_id: AssetId | None = None
    published_from: Moment | None = None
    published_to: Moment | None = None


class CmsAssetFilter(_WorkFilter):
    """Filters and page of the list of assets. Sorted by views (of a day), title or asset_id."""

    type: AssetType | None = None
    asset_label: Word | None = None
    policy: Annotated[
        Word | None,
        Field(description="Match policy, as reports write it.", examples=["Monetize in all countries"]),
    ] = None
    conflict: bool | None = None


class CmsClaimFilter(_WorkFilter):
    """Filters and page of the list of claims. Sorted by created_on, views or claim_id."""

    video_id: VideoId | None = None
    asset_id: AssetId | None = None
    channel_id: YoutubeChannelId | None = None
    status: ClaimStatus | None = None
    type: Annotated[
        Word | None, Field(description="What it claims, as reports write it.", examples=["AUDIO"])
    ] = None
    origin: Annotated[
        Word | None, Field(description="How it was made, as reports write it.", examples=["AUDIO_MATCH"])
    ] = None
    policy: Annotated[PolicyAction | None, Field(description="What the claim does somewhere.")] = None
    created_from: Moment | None = None
    created_to: Moment | None = None


class CmsConflictFilter(Page):
    """Filters and page of the conflicts.

    Sorted by lifetime_views_in_conflict, value_usd, daily_views or since.
    """

    title: Title | None = None
    asset_id: AssetId | None = None
    conflicting_owner: Word | None = None
    type: AssetType | None = None
    min_age_days: Annotated[int, Field(ge=0, le=10_000)] | None = None
    min_value_usd: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None


class CmsVideo(Result):
    """A video, as the newest report has it.

    first_day: the report in which it came. changed_day: the newest one in which more than figures changed.
    """

    video_id: str
    content_owner: str
    title: str | None
    channel_id: str | None
    channel: str | None
    category: str | None
    privacy: str | None
    claimed: bool | None
    claimed_by_others: bool | None
    policy: str | None
    isrc: str | None
    custom_id: str | None
    claim_ids: list[str]
    asset_ids: list[str]
    views: int | None
    length_seconds: int | None
    published_at: Timestamp | None
    uploaded_at: Timestamp | None
    first_day: str
    changed_day: str


class CmsVideoList(Result):
    """One page of videos."""

    videos: list[CmsVideo]
    pagination: Pagination


class CmsAsset(Result):
    """An asset, as the newest report has it."""

    asset_id: str
    content_owner: str
    title: str | None
    type: str | None
    custom_id: str | None
    artist: list[str] | None
    album: str | None
    label: str | None
    isrc: str | None
    upc: str | None
    labels: list[str] | None
    match_policy: str | None
    ownership: str | None
    conflicting_owners: list[str] | None
    conflicting_countries: list[str] | None
    active_claims: int | None
    daily_views: int | None
    first_day: str
    changed_day: str


class CmsAssetList(Result):
    """One page of assets."""

    assets: list[CmsAsset]
    pagination: Pagination


class ClaimPolicy(Result):
    """The countries in which a claim monetizes, tracks and blocks, in the words of the report."""

    monetize: str | None
    track: str | None
    block: str | None


class CmsClaim(Result):
    """A claim, as the newest report has it."""

    claim_id: str
    content_owner: str
    video_id: str | None
    asset_id: str | None
    channel_id: str | None
    channel: str | None
    title: str | None
    asset_title: str | None
    status: str | None
    status_detail: str | None
    type: str | None
    origin: str | None
    content_type: str | None
    reference_id: str | None
    policy: ClaimPolicy
    custom_id: str | None
    artist: list[str] | None
    album: str | None
    label: str | None
    isrc: str | None
    upc: str | None
    views: int | None
    created_on: str | None
    first_day: str
    changed_day: str


class CmsClaimList(Result):
    """One page of claims."""

    claims: list[CmsClaim]
    pagination: Pagination


class CmsConflict(Result):
    """An asset that another owner claims to own too, with the age of the conflict, its views and value.

    value_usd: your revenue for this asset in the newest three months whose money reports are loaded
    (value_months), with corrections that came in them; null if none has money by asset.
    """

    asset_id: str
    content_owner: str
    title: str | None
    type: str | None
    custom_id: str | None
    artist: list[str] | None
    isrc: str | None
    conflicting_owner: str
    countries: list[str] | None
    ownership: str | None
    other_ownership: str | None
    since: str
    age_days: int
    daily_views: int | None
    views_in_conflict: int | None
    lifetime_views_in_conflict: int | None
    value_usd: str | None
    value_months: list[str]


class CmsConflictList(Result):
    """One page of conflicts."""

    conflicts: list[CmsConflict]
    pagination: Pagination


class RowHistory(Result):
    """A change that a report brought. columns: name -> [before, after]; empty for a row that was removed."""

    day: str
    of: Literal["videos", "claims"]
    key: str
    change: Literal["changed", "removed"]
    columns: dict[str, Any]


class CmsVideoDetails(Result):
    """A video with all columns of its report, and its newest claims, changes and syncs: at most 200 each."""

    video: CmsVideo
    report: dict[str, Any]
    claims: list[CmsClaim]
    history: list[RowHistory]
    syncs: list[ChangedRow]


class ChannelVideos(Result):
    """Numbers of a channel's videos in the newest reports, and the sum of their views."""

    total: int
    public: int
    unlisted: int
    private: int
    claimed: int
    claimed_by_others: int
    views: int


class ChannelClaims(Result):
    """Numbers of your claims on a channel's videos in the newest reports.

    monetize, track, block: claims that do this somewhere, ended ones too.
    """

    total: int
    active: int
    pending: int
    inactive: int
    monetize: int
    track: int
    block: int


class CmsChannelDetails(Result):
    """A YouTube channel, as the newest reports have it."""

    channel_id: str
    name: str | None
    videos: ChannelVideos
    claims: ChannelClaims


class NewSearch(Body):
    """A search to save. filters: the query parameters of the list, but not cursor, page and limit."""

    name: Annotated[Line, Field(max_length=100)]
    list: ListName
    filters: dict[str, str | int | bool] = Field(default_factory=dict)


class SavedSearch(Result):
    """A saved search. path: the list with these filters."""

    id: str
    name: str
    list: ListName
    filters: dict[str, str | int | bool]
    path: str
    created_by: str
    created_at: Timestamp


class SavedSearches(Result):
    """All saved searches of the organisation."""

    searches: list[SavedSearch]

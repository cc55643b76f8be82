"""Define the request and response bodies of changes: /cms/changes, /cms/syncs and those of one video."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from showrunner.web.fields import (
    PATTERN_WORDS,
    Body,
    Isrc,
    Line,
    Page,
    Pagination,
    Query,
    Result,
    Text,
    Timestamp,
)

_VIDEO = "^[A-Za-z0-9_-]{11}$"
_ASSET = "^A[0-9]{15}$"
_CLAIM = "^[A-Za-z0-9_=-]{1,64}$"
_COUNTRY = "^[A-Z]{2}$"
_UPC = "^[0-9]{12,14}$"

PATTERN_WORDS |= {
    _VIDEO: "is no id of a YouTube video: 11 letters, digits, - and _",
    _ASSET: "is no id of an asset: A and 15 digits",
    _CLAIM: "is no id of a claim: copy it from the list of claims",
    _UPC: "is no UPC or EAN: 12 to 14 digits",
    _COUNTRY: "is no country; write two capital letters, such as DE",
}

type VideoId = Annotated[
    str, Field(pattern=_VIDEO, description="Id of the video on YouTube.", examples=["dQw4w9WgXcQ"])
]
type ChangedAssetId = Annotated[
    str, Field(pattern=_ASSET, description="Id of the asset.", examples=["A123456789012345"])
]
type ClaimId = Annotated[
    str, Field(pattern=_CLAIM, description="Id of the claim.", examples=["cl0000000001"])
]
type ContentType = Literal["audio", "video", "audiovisual"]
type Country = Annotated[str, Field(pattern=_COUNTRY)]
type ChangeKind = Literal["metadata", "claim", "release", "claim_policy", "match_policy", "asset_metadata"]
type ChangeSetStatus = Literal["ready", "approved", "running", "stopping", "stopped", "done"]
type RowStatus = Literal["invalid", "pending", "success", "unchanged", "failed", "error"]
type Tag = Annotated[Line, Field(max_length=100)]
type Artist = Annotated[Line, Field(min_length=1, max_length=200)]
type Genre = Annotated[Line, Field(min_length=1, max_length=100)]


# Of artist and album: https://developers.google.com/youtube/reporting/v1/reports/fields
_MOST_BYTES = 255


class ChangedFields(Body):
    """Fields to change. Omitted fields keep what YouTube has."""

    @model_validator(mode="after")
    def has_a_change(self) -> "ChangedFields":
        """Refuse changes without any field."""
        if not self.model_dump(exclude_none=True, exclude={"video_id", "asset_id"}):
            raise ValueError("there is nothing to change: give at least one field")
        return self


class SongFields(ChangedFields):
    """Fields that a video has through the asset that it is claimed for."""

    artist: Annotated[list[Artist], Field(max_length=50)] | None = None
    genre: Annotated[list[Genre], Field(max_length=50)] | None = None

    @model_validator(mode="after")
    def fits(self) -> "SongFields":
        """Refuse names that YouTube would cut."""
        if any(len(each.encode()) > _MOST_BYTES for each in self.artist or []):
            raise ValueError(f"artist: YouTube takes at most {_MOST_BYTES} bytes in UTF-8 for each")
        return self


class VideoFields(ChangedFields):
    """Fields to change of a video itself.

    A title may have 200 characters here, but YouTube takes 100: a longer one is refused with that reason.
    """

    title: Annotated[Line, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=5000)] | None = None
    tags: Annotated[list[Tag], Field(max_length=100)] | None = None
    category_id: Annotated[int, Field(ge=1, le=99)] | None = None
    privacy_status: Literal["public", "unlisted", "private"] | None = None
    embedding_allowed: bool | None = None
    stats_viewable: bool | None = None


class CmsVideoChanges(VideoFields, SongFields):
    """Fields to change of a video on YouTube. Omitted fields keep what YouTube has.

    A title may have 200 characters here, but YouTube takes 100: a longer one is refused with that reason.
    artist and genre are those of the asset that you claim the video for: they are changed there.
    """


class ChangeRow(VideoFields):
    """A row of a change set."""

    video_id: VideoId


class PolicyChoice(Body):
    """A policy: a saved one by its id, or one action, everywhere or in some countries."""

    policy_id: Annotated[Line, Field(max_length=100)] | None = None
    action: Literal["monetize", "track", "block"] | None = None
    territories: Annotated[list[Country], Field(max_length=249)] | None = None
    except_territories: bool = False

    @model_validator(mode="after")
    def is_one_policy(self) -> "PolicyChoice":
        """Refuse a body with both ways to name a policy, or with none."""
        if (self.policy_id is None) == (self.action is None):
            raise ValueError("give either policy_id or action")
        if self.policy_id is not None and (self.territories or self.except_territories):
            raise ValueError("a saved policy has countries of its own: leave territories out")
        if self.except_territories and not self.territories:
            raise ValueError("except_territories needs territories")
        return self


class NewClaim(PolicyChoice):
    """A claim for a video. is_manual: the video is on somebody else's channel."""

    asset_id: ChangedAssetId
    content_type: ContentType = "audiovisual"
    is_manual: bool = False


class ClaimRow(NewClaim):
    """A row of a change set that makes claims."""

    video_id: VideoId


class ReleaseRow(Body):
    """A row of a change set that ends claims."""

    claim_id: ClaimId


class ClaimPolicyRow(PolicyChoice):
    """A row of a change set that gives claims another policy."""

    claim_id: ClaimId


class MatchPolicyRow(PolicyChoice):
    """A row of a change set that sets what happens to videos that match an asset."""

    asset_id: ChangedAssetId


class AssetMetadataRow(SongFields):
    """A row of a change set that changes what you say of an asset."""

    asset_id: ChangedAssetId
    title: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    album: Annotated[Line, Field(max_length=200)] | None = None
    label: Annotated[Line, Field(max_length=200)] | None = None
    isrc: Isrc | None = None
    upc: Annotated[str, Field(pattern=_UPC)] | None = None
    custom_id: Annotated[Line, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def has_a_short_album(self) -> "AssetMetadataRow":
        """Refuse a name that YouTube would cut."""
        if len((self.album or "").encode()) > _MOST_BYTES:
            raise ValueError(f"album: YouTube takes at most {_MOST_BYTES} bytes in UTF-8")
        return self


class DryRun(Query):
    """The choice to see a change without making it."""

    dry_run: bool = False


class NewChangeSet(Body):
    """Changes of many videos, claims or policies, as CSV or as a list: at most 100,000 rows, a body of 4 MB.

    kind: metadata has video_id and the fields of PATCH /cms/videos/{id}, without artist and genre.
    asset_metadata has asset_id, artist, genre, title, album, label, isrc, upc and custom_id. claim has
    video_id, asset_id, content_type (audiovisual), is_manual and a policy. release has claim_id, claim_policy
    claim_id and a policy, match_policy asset_id and a policy. A policy is policy_id, or action with
    territories and except_territories. The CSV's first line names the columns, with commas, semicolons or
    tabs between them. An empty cell changes nothing; tags, artist, genre and territories are joined by |. A
    row that breaks a rule is marked as invalid and stops no other.
    """

    kind: ChangeKind = "metadata"
    name: Annotated[Line, Field(max_length=200)] = "Changes"
    csv: Annotated[Text, Field(max_length=4 << 20)] | None = None
    rows: Annotated[list[dict[str, Any]], Field(max_length=100_000)] | None = None

    @model_validator(mode="after")
    def has_one_form(self) -> "NewChangeSet":
        """Require the CSV or the list."""
        if (self.csv is None) == (self.rows is None):
            raise ValueError("give either csv or rows")
        return self


class RowCounts(Result):
    """The numbers of rows of a change set with each status."""

    total: int
    invalid: int
    pending: int
    success: int
    unchanged: int
    failed: int
    error: int


class ChangeSet(Result):
    """Changes that are carried out together.

    ready: every row was checked, and nothing was sent. approved: a second person agreed. stopped: some rows
    are left, `reason` says why; run it again to go on.
    """

    id: str
    kind: ChangeKind
    name: str
    status: ChangeSetStatus
    reason: str | None
    undo_of: str | None
    undone_by: str | None
    needs_approval: bool
    created_by: str
    approved_by: str | None
    rows: RowCounts
    finish_at: Timestamp | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class ChangeSetResponse(Result):
    """A change set, and what it costs to carry out what is left: units of YouTube's quota, and the end.

    For claims and policies the units are calls of the Content ID API.

    Both are null when nothing is left.
    """

    change_set: ChangeSet
    units: int | None
    expected_end: Timestamp | None


class ChangeSetFilter(Page):
    """Filter and page of the list of change sets. Sorted by created_at."""

    status: ChangeSetStatus | None = None


class ChangeSetList(Result):
    """One page of change sets."""

    changes: list[ChangeSet]
    pagination: Pagination


class ChangedRow(Result):
    """A row of a change set: what is to be changed, what it was, and what became of it.

    before: what the newest report says; with is_exact what YouTube had just before the write.
    """

    row: int
    change_set_id: str | None
    kind: ChangeKind
    video_id: str | None
    asset_id: str | None
    claim_id: str | None
    content_type: str | None
    status: RowStatus
    message: str | None
    changes: dict[str, Any]
    before: dict[str, Any]
    is_exact: bool
    after: dict[str, Any] | None
    queued_at: Timestamp | None
    finished_at: Timestamp | None


class RowFilter(Page):
    """Filter and page of the rows of a change set. Sorted by row."""

    status: RowStatus | None = None


class ChangedRows(Result):
    """One page of the rows of a change set."""

    rows: list[ChangedRow]
    pagination: Pagination


class SyncFilter(Page):
    """Filters and page of the syncs. Sorted by queued_at."""

    status: Literal["pending", "success", "unchanged", "failed", "error"] | None = None
    video_id: VideoId | None = None


class SyncList(Result):
    """One page of the rows that were sent to YouTube, or wait for it."""

    syncs: list[ChangedRow]
    pagination: Pagination


class AssetChange(Result):
    """A change of an asset's metadata. change_set is null for a dry run."""

    change_set: ChangeSet | None
    row: ChangedRow


class VideoChange(Result):
    """A change of one video. change_set is null for a dry run.

    asset_change: that of artist and genre, which has a change set of its own; null without them. If nothing
    else is changed, change_set and row are theirs.
    """

    change_set: ChangeSet | None
    row: ChangedRow
    asset_change: AssetChange | None


class ClaimsChange(Result):
    """Changes of a video's claims. change_set is null for a dry run."""

    change_set: ChangeSet | None
    rows: list[ChangedRow]

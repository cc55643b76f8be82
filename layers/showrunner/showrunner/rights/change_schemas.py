"""Define the request and response bodies of changes of videos: /cms/changes, /cms/syncs and PATCH."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from showrunner.web.fields import (
    PATTERN_WORDS,
    Body,
    Line,
    Page,
    Pagination,
    Query,
    Result,
    Text,
    Timestamp,
)

_VIDEO = "^[A-Za-z0-9_-]{11}$"

PATTERN_WORDS |= {_VIDEO: "is no id of a YouTube video: 11 letters, digits, - and _"}

type VideoId = Annotated[
    str, Field(pattern=_VIDEO, description="Id of the video on YouTube.", examples=["dQw4w9WgXcQ"])
]
type ChangeSetStatus = Literal["ready", "approved", "running", "stopping", "stopped", "done"]
type RowStatus = Literal["invalid", "pending", "success", "unchanged", "failed", "error"]
type Tag = Annotated[Line, Field(max_length=100)]


class CmsVideoChanges(Body):
    """Fields to change of a video on YouTube. Omitted fields keep what YouTube has.

    A title may have 200 characters here, but YouTube takes 100: a longer one is refused with that reason.
    """

    title: Annotated[Line, Field(max_length=200)] | None = None
    description: Annotated[str, Field(max_length=5000)] | None = None
    tags: Annotated[list[Tag], Field(max_length=100)] | None = None
    category_id: Annotated[int, Field(ge=1, le=99)] | None = None
    privacy_status: Literal["public", "unlisted", "private"] | None = None
    embedding_allowed: bool | None = None
    stats_viewable: bool | None = None

    @model_validator(mode="after")
    def has_a_change(self) -> "CmsVideoChanges":
        """Refuse changes without any field."""
        if not self.model_dump(exclude_none=True, exclude={"video_id"}):
            raise ValueError("there is nothing to change: give at least one field")
        return self


class ChangeRow(CmsVideoChanges):
    """A row of a change set."""

    video_id: VideoId


class DryRun(Query):
    """The choice to see a change without making it."""

    dry_run: bool = False


class NewChangeSet(Body):
    """Changes of many videos, as CSV or as a list: at most 100,000 rows, and a body of 4 MB.

    The CSV's first line names the columns: video_id, and the fields of a change. An empty cell changes
    nothing; tags are joined by |. A row that breaks a rule is marked as invalid and stops no other.
    """

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
    """A video's part of a change set: what is to be changed, what it was, and what became of it.

    before: what the newest report says; with is_exact what YouTube had just before the write.
    """

    row: int
    change_set_id: str | None
    video_id: str
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


class VideoChange(Result):
    """A change of one video. change_set is null for a dry run."""

    change_set: ChangeSet | None
    row: ChangedRow

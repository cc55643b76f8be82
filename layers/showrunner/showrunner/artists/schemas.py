"""Define the request and response bodies of /artists."""

from typing import Annotated, Any, Literal

from pydantic import Field

from showrunner.accounts.schemas import AuthorizationRequest
from showrunner.reports.streams import State
from showrunner.web.fields import (
    Body,
    Line,
    Page,
    Pagination,
    Query,
    Result,
    SpotifyId,
    Text,
    Timestamp,
    YoutubeChannelId,
)

ArtistName = Annotated[Line, Field(max_length=200, description="Unique in the organisation.")]
Tier = Annotated[
    Literal["active", "standard"],
    Field(description="How often figures are collected: `active` hourly, `standard` daily."),
]


class Accounts(Body):
    """The artist's account on each platform: on YouTube the id of the channel, on Spotify of the artist."""

    youtube: YoutubeChannelId | None = None
    spotify: SpotifyId | None = None


class NewArtist(Body):
    name: ArtistName
    tier: Tier = "standard"
    accounts: Accounts = Accounts()


class ArtistChanges(Body):
    """Editable fields of an artist. Omitted fields and accounts keep their value; null removes an account."""

    name: ArtistName | None = None
    tier: Tier | None = None
    accounts: Accounts | None = None


class Roster(Body):
    """A CSV table with the columns name, tier, youtube and spotify, of which only name is required."""

    csv: Annotated[Text, Field(max_length=900_000)]


class RosterRow(Body):
    """One line of a roster. An empty cell keeps what the artist has."""

    name: ArtistName
    tier: Tier | None = None
    youtube: YoutubeChannelId | None = None
    spotify: SpotifyId | None = None


class ArtistFilter(Page):
    tier: Tier | None = None


class ArtistAccounts(Result):
    """The artist's account on each platform. Those on TikTok and Instagram are connected by their owners."""

    youtube: str | None
    spotify: str | None
    tiktok: str | None
    instagram: str | None


class Artist(Result):
    id: str
    name: str
    tier: str
    accounts: ArtistAccounts
    created_at: Timestamp
    updated_at: Timestamp


class ArtistResponse(Result):
    artist: Artist


class ArtistList(Result):
    artists: list[Artist]
    pagination: Pagination


class ImportedRow(Result):
    line: int
    name: str
    result: Literal["added", "updated", "unchanged", "rejected"]
    artist_id: str | None
    message: str | None


class ImportedRoster(Result):
    added: int
    updated: int
    unchanged: int
    rejected: int
    rows: list[ImportedRow]


class MetricsPeriod(Query):
    days: int = Field(default=30, ge=1, le=365, description="Days of history, today included.")


class FigureGrowth(Result):
    days: int
    change: int | None
    since: Timestamp | None
    is_redefined: bool


class DayFigure(Result):
    day: str
    value: int | None


class Figure(Result):
    metric: str
    value: int | None
    observed_at: Timestamp | None
    age_seconds: int | None
    definition: int | None
    growth: list[FigureGrowth]
    history: list[DayFigure]


class DayValue(Result):
    day: str
    value: float | None


class DailyFigure(Result):
    """A figure of whole days. `total` adds up the known ones; averages have none."""

    metric: str
    total: float | None
    known_days: int
    stated_at: Timestamp | None
    age_seconds: int | None
    definition: int
    redefined_on: str | None
    history: list[DayValue]


class ReportSeries(Result):
    """The daily reports that YouTube makes for a connected channel about one subject.

    late: a newer report should be there. gap: one is missing in between. expiring: YouTube ends the job, or
    the type. failed: `reason` says what went wrong at the last look. ended: the job is gone.
    """

    subject: Literal["activity", "reach"]
    report_type: str | None
    state: State
    reason: str | None
    newest_end: Timestamp | None
    checked_at: Timestamp


class PlatformFigures(Result):
    platform: str
    account_id: str
    state: Literal["new", "found", "missing", "disconnected"]
    problem: str | None
    checked_at: Timestamp | None
    connected: bool
    figures: list[Figure]
    daily: list[DailyFigure]
    reports: list[ReportSeries]


class TotalFigure(Result):
    metric: str
    value: int | None
    platforms: list[str]
    missing: list[str]
    definitions: dict[str, int]
    observed_at: Timestamp | None
    age_seconds: int | None
    growth: list[FigureGrowth]


class ArtistMetrics(Result):
    artist_id: str
    platforms: list[PlatformFigures]
    totals: list[TotalFigure]


Platform = Annotated[
    Literal["youtube", "spotify", "tiktok", "instagram"], Field(description="Name of the platform.")
]
ItemKind = Annotated[
    Literal["video", "playlist", "album", "track", "post"], Field(description="What the item is.")
]


class ArtistAuthorization(AuthorizationRequest):
    revenue: bool = Field(
        default=False, description="On YouTube: also ask for the permission to read the revenue."
    )


class ItemFilter(Page):
    """`sort` takes `published_at` and `views`, descending with a minus: `-views` has the top videos first."""

    platform: Platform | None = None
    kind: ItemKind | None = None


class ItemReach(Result):
    """How often a connected channel's video was shown in the 28 days that end with `until`, and clicked.

    known_days: for how many of them YouTube has reported. click_through: 0.05 for five in a hundred.
    """

    impressions: int
    click_through: float | None
    until: str
    known_days: int


class ArtistItem(Result):
    """A video, playlist, album, track or post. `figures` has those that the platform states.

    `reach` is null unless YouTube has reported that a video was shown.
    """

    platform: str
    kind: str
    item_id: str
    title: str | None
    published_at: Timestamp | None
    figures: dict[str, int]
    details: dict[str, Any]
    checked_at: Timestamp | None
    found_at: Timestamp
    reach: ItemReach | None


class ArtistItems(Result):
    items: list[ArtistItem]
    pagination: Pagination


class Refresh(Result):
    artist_id: str
    requested_at: Timestamp

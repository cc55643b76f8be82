"""Define the request and response bodies of /channels."""

from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from showrunner.production import palettes
from showrunner.production.job import CaptionPreset
from showrunner.web.fields import (
    PATTERN_WORDS,
    Body,
    Id,
    Line,
    Moment,
    Page,
    Pagination,
    Query,
    Result,
    Text,
    Timestamp,
    YoutubeChannelId,
)

Colour = Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$"), AfterValidator(str.lower)]
ChannelStatus = Literal["active", "paused", "disabled"]


def _known_zone(name: str) -> str:
    """Return the name of a time zone that the time zone database has."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone; write it like Europe/Berlin") from None
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_known_zone)]
Language = Literal["en", "es", "fr", "de"]
Voice = Literal["male1", "female1", "ai_clone"]
# The renderer's own names; a test compares both lists.
Font = Literal["Inter", "Montserrat", "Anton", "Source Serif 4"]
TimeOfDay = Annotated[
    str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM in the channel's time zone")
]
PlaylistId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{10,64}$")]
Topic = Annotated[Line, Field(max_length=500)]
ChannelName = Annotated[Line, Field(max_length=100)]
Niche = Annotated[Line, Field(max_length=100)]
Dollars = Annotated[str, Field(pattern=r"^[0-9]{1,6}(\.[0-9]{1,2})?$", description="USD, such as 1.50")]
ClonedVoiceId = Annotated[str, Field(pattern="^[A-Za-z0-9]{10,40}$")]


PATTERN_WORDS |= {
    "^#[0-9a-fA-F]{6}$": "is not a colour; write it like #ff6600",
    "^([01][0-9]|2[0-3]):[0-5][0-9]$": "is not a time; write it like 18:30",
    "^[A-Za-z0-9_-]{10,64}$": "is not the id of a playlist; copy it from its address on YouTube",
    r"^[0-9]{1,6}(\.[0-9]{1,2})?$": "is not an amount in USD; write it like 1.50",
    "^[A-Za-z0-9]{10,40}$": "is not the id of a voice; copy it from the speech provider",
}


class Palette(Body):
    """Colours of the channel's videos. `text` and the spoken word (`accent`) need a contrast of 4.5:1."""

    background: Colour | None = None
    surface: Colour | None = None
    primary: Colour | None = None
    accent: Colour | None = None
    text: Colour | None = None

    @model_validator(mode="after")
    def _require_readable(self) -> Self:
        faults = palettes.faults(self.model_dump(exclude_none=True))
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Brand(Body):
    """`logo` is the id of an uploaded image."""

    palette: Palette | None = None
    logo: Id | None = None
    font: Font | None = None
    caption_preset: CaptionPreset | None = None


class Budget(Body):
    """The most that one video, and all videos of one day (UTC), may cost in USD. Omitted: 1.00 and 10.00."""

    video: Dollars | None = None
    day: Dollars | None = None


class Promises(Body):
    """Measures of the channel's videos with footage. Omitted: 0.6."""

    motion_share: Annotated[
        float | None,
        Field(ge=0, le=1, strict=True, description="The least part of the time with real movement."),
    ] = None


class ChannelSettings(Body):
    description: (
        Annotated[
            Text,
            Field(max_length=1000, description="What the channel is about, for the writer of its scripts."),
        ]
        | None
    ) = None
    audience: Annotated[Line, Field(max_length=200, description="For whom its videos are.")] | None = None
    auto_publish: Annotated[bool, Field(strict=True)] = True
    privacy: Literal["private", "unlisted", "public"] = "private"
    videos_per_day: Annotated[int, Field(ge=1, le=10, strict=True)] = 1
    publish_times: Annotated[list[TimeOfDay], Field(max_length=10)] = Field(default_factory=list)
    time_zone: TimeZone = "UTC"
    review: Annotated[
        bool,
        Field(strict=True, description="Publish nothing before a person has approved it."),
    ] = False
    catch_up: Annotated[
        bool,
        Field(strict=True, description="Make the videos of an outage later instead of giving them up."),
    ] = False
    playlist: PlaylistId | None = None
    topics: Annotated[
        list[Topic],
        Field(max_length=1000, description="The backlog. In a change it takes the place of what waits."),
    ] = Field(default_factory=list)
    language: Language = "en"
    voice: Voice = "female1"
    voice_clone_id: ClonedVoiceId | None = None
    style: Literal["educational", "entertainment", "news"] = "educational"
    pace: Annotated[
        Literal["calm", "normal", "fast"],
        Field(description="How long a picture is shown: about 4.6, 3.6 or 2.7 seconds."),
    ] = "normal"
    visual_style: Annotated[
        Literal["footage", "mixed", "typographic"],
        Field(description="Footage wherever there is some, footage and cards in turn, or text only."),
    ] = "mixed"
    promises: Promises = Promises()
    brand: Brand = Brand()
    made_for_kids: Annotated[bool, Field(strict=True)] = False
    category: Annotated[int, Field(ge=1, le=44, strict=True)] = 22
    budget: Budget = Budget()


class NewChannel(Body):
    name: ChannelName
    niche: Annotated[Niche, Field(description="What the channel is about. Scripts are written for it.")]
    youtube_channel_id: YoutubeChannelId | None = None
    settings: ChannelSettings = ChannelSettings.model_construct()


class ChannelChanges(Body):
    """Omitted fields keep their value, those of `settings` too."""

    name: ChannelName | None = None
    # Omitted, it keeps its value; null is refused, because a channel has a niche.
    niche: Niche = Field(default_factory=str)
    youtube_channel_id: YoutubeChannelId | None = None
    status: ChannelStatus | None = None
    settings: ChannelSettings | None = None


class TopicText(Body):
    """One topic, as the backlog takes it."""

    topic: Topic


class NewTopics(Body):
    """Topics to add: either `topics`, or `csv`, a table whose first line names the column "topic"."""

    topics: Annotated[list[Topic], Field(min_length=1, max_length=1000)] | None = None
    csv: Annotated[Text, Field(max_length=600_000)] | None = None
    first: Annotated[bool, Field(strict=True, description="Before the waiting topics.")] = False


class TopicIds(Body):
    """Ids of waiting topics."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=1000)]


class TopicFilter(Page):
    """Filter and page of a backlog."""

    state: Literal["waiting", "used"] = "waiting"


class BacklogTopic(Result):
    """A topic that waits for its video, or was used for one."""

    id: str
    topic: str
    position: Annotated[int, Field(description="Lower ones come first.")]
    state: Literal["waiting", "used"]
    video_id: str | None
    created_at: Timestamp
    used_at: Timestamp | None


class TopicList(Result):
    """One page of a channel's backlog."""

    topics: list[BacklogTopic]
    pagination: Pagination


class AddedTopics(Result):
    """The numbers of added and waiting topics. `skipped` are those that the channel has had before."""

    added: int
    skipped: list[str]
    waiting: int


class RemovedTopics(Result):
    """The numbers of removed and of remaining topics."""

    removed: int
    waiting: int


class CalendarFilter(Query):
    """The time that a calendar shows."""

    date_from: Moment | None = None
    date_to: Moment | None = None


class CalendarSlot(Result):
    """One video of a channel on a local day. `reason` says why it was moved, held, missed or withdrawn.

    `planned_at` is its regular time, `publish_at` its time now.
    """

    id: str
    state: Literal[
        "planned",
        "held",
        "in_production",
        "review",
        "ready",
        "publishing",
        "publish_unknown",
        "scheduled",
        "published",
        "failed",
        "cancelled",
        "removed",
        "skipped",
        "missed",
        "withdrawn",
    ]
    publish_at: Timestamp
    planned_at: Timestamp
    local_day: str
    local_time: str
    reason: str | None
    topic: str | None
    video_id: str | None
    title: str | None
    youtube_video_id: str | None


class ChannelCalendar(Result):
    """The slots of a channel in the order of their times. Local days and times are those of `time_zone`."""

    status: ChannelStatus
    time_zone: str
    slots: list[CalendarSlot]


class ChannelFilter(Page):
    status: ChannelStatus | None = None


class RemovalConfirmation(Query):
    confirmation_token: Annotated[str, Field(max_length=100, pattern="^[A-Za-z0-9_-]+$")] | None = None


class Channel(Result):
    id: str
    name: str
    niche: str | None
    youtube_channel_id: str | None
    status: ChannelStatus
    settings: ChannelSettings
    created_at: Timestamp
    updated_at: Timestamp


class SetupTask(Result):
    task: str
    done: bool
    description: str


class NewChannelResponse(Result):
    channel: Channel
    setup_tasks: list[SetupTask]


class ChannelResponse(Result):
    channel: Channel


class YoutubeChoice(Body):
    """The YouTube channel to connect.

    Omitted: the channel's own `youtube_channel_id`, or the only YouTube channel that is connected.
    """

    youtube_channel_id: YoutubeChannelId | None = None


class ConnectedChannel(Result):
    channel: Channel
    connection_id: str
    disabled_features: list[str]


class ChannelConnection(Result):
    """The YouTube connection of a channel.

    `state`: `none`, `connected`, or `lost` when Google has ended our permission (`lost_reason`).
    `available` lists the YouTube channels of the organisation's connected accounts.
    """

    state: Literal["none", "connected", "lost"]
    youtube_channel_id: str | None
    connection_id: str | None
    connected_at: Timestamp | None
    lost_reason: str | None
    disabled_features: list[str]
    available: list[str]


class ChannelSync(Result):
    """A reading of a channel from YouTube. `error` says why the last one failed.

    Figures that the owner hides are null. They are those of the last reading that succeeded.
    """

    status: Literal["running", "done", "failed"]
    begun_at: Timestamp
    ended_at: Timestamp | None
    error: str | None = None
    title: str | None
    subscribers: int | None
    views: int | None
    videos: int | None
    shown_at: Timestamp | None


class ChannelList(Result):
    channels: list[Channel]
    pagination: Pagination


class ChannelStatistics(Result):
    videos: int
    completed: int
    failed: int
    published: int


class RecentVideo(Result):
    id: str
    title: str | None
    status: str
    progress: int
    created_at: Timestamp


class ChannelOverview(Result):
    """A channel with its figures, its newest videos, and what is left to do for it to run itself."""

    channel: Channel
    statistics: ChannelStatistics
    recent_videos: list[RecentVideo]
    youtube: ChannelSync | None
    setup_tasks: list[SetupTask]

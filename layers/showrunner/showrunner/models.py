"""Values that several packages exchange."""

from datetime import date, datetime
from typing import Any, Literal, NamedTuple

# What change sets and streams name in place of a connected account, where the stage's service account at
# Google acts. No account has it: the ids of connections are made of their names, with another version number.
SERVICE_ACCOUNT_CONNECTION = "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Usage(NamedTuple):
    """Tokens of one response as OpenAI counts them.

    `cached` and `cache_write` are part of `input`; reasoning is part of `output`.
    """

    input: int
    cached: int
    cache_write: int
    output: int


class Representation(NamedTuple):
    """The answer of a platform to a read.

    `etag` names this version of it, None if the platform gives none. For `fresh_seconds` it may be used again
    without asking.
    """

    body: bytes
    etag: str | None
    fresh_seconds: int


class Sighting(NamedTuple):
    """A YouTube video in a notification or feed. `title` is None for a deleted video.

    `at` (UTC) orders the sightings of one video.
    """

    video_id: str
    channel_id: str | None
    channel_title: str | None
    title: str | None
    published_at: datetime | None
    at: datetime


class Statistics(NamedTuple):
    """An account's figures on a platform by our name of the metric, without those that it doesn't state.

    `item` is the account as the platform describes it.
    """

    account_id: str
    figures: dict[str, int]
    item: dict[str, Any]


class DayValue(NamedTuple):
    """An account's figure of one day; revenue in USD, a rate as a fraction, all others numbers of things."""

    metric: str
    day: date
    value: float


class Item(NamedTuple):
    """Describe what an account has with figures of its own: a video, playlist, album, track or post.

    `account_id` is empty where the platform doesn't say whose it is. `figures` are by our name of the metric,
    without those that the platform doesn't state.
    """

    kind: str
    item_id: str
    account_id: str
    title: str | None
    published_at: datetime | None
    figures: dict[str, int]
    details: dict[str, Any]


class Work(NamedTuple):
    """A clip, photograph or piece of music that a search of a library found.

    `address` is its file's, `page` the work's own.

    `words` are the library's about it: title, tags, description. `preview` is the address of a small JPEG
    file of it, empty if there is none. `seconds` is the length of a clip or of music. With `must_credit` its
    licence demands that the author is named.
    """

    library: str
    id: str
    kind: Literal["clip", "image", "audio"]
    address: str
    page: str
    author: str
    licence: str
    licence_url: str
    words: str
    width: int
    height: int
    seconds: float = 0.0
    preview: str = ""
    must_credit: bool = False


class Tokens(NamedTuple):
    """Tokens that a platform grants for an account that its owner connects.

    `access_token` lasts `access_seconds`. `refresh_token`, which gets a new one, lasts `refresh_seconds`.
    """

    account_id: str
    access_token: str
    access_seconds: int
    refresh_token: str
    refresh_seconds: int
    scopes: tuple[str, ...]


# Events on the bus, each imported by its producer and its consumers. `kind` is the detail-type.

type VideoEventKind = Literal[
    "video.progress",
    "video.completed",
    "video.failed",
    "video.cancelled",
    "video.scheduled",
    "video.published",
    "video.publish_failed",
]


class VideoEvent(NamedTuple):
    """A video reached a step or its end.

    `event_id` identifies repeats; `error` is {code, message, ...} of a failed video.
    """

    event_id: str
    video_id: str
    organisation_id: str
    channel_id: str
    attempt: int
    title: str | None
    status: str
    progress: int
    current_step: str | None
    at: str
    message: str
    kind: VideoEventKind
    error: dict[str, str] | None = None


class BacklogLow(NamedTuple):
    """The backlog of a channel that runs itself is low: `waiting` topics are left."""

    event_id: str
    organisation_id: str
    channel_id: str
    waiting: int
    kind: Literal["channel.backlog_low"] = "channel.backlog_low"


class VideoUpdate(NamedTuple):
    """A channel on YouTube published, renamed or deleted a video: a row of the trail.

    `event_id` identifies repeats.
    """

    event_id: str
    webhook_event_id: int
    video_id: str
    channel_id: str | None
    title: str
    update_type: Literal["new_video", "title_update", "deleted", "unknown"]
    kind: Literal["feed.video_update"] = "feed.video_update"


class ReportProcessed(NamedTuple):
    """A report of a content owner was loaded, refused, or waits for a person.

    `event_id` identifies repeats; `progress` is 100 for one that is loaded. rows: those of the file, None if
    it was not read.
    """

    event_id: str
    report_id: str
    organisation_id: str
    status: str
    progress: int
    message: str
    at: str
    kind: Literal["report.processed"] = "report.processed"
    rows: int | None = None


class ReportProgressed(NamedTuple):
    """A report of a content owner is being loaded: so many of its rows were read.

    `progress` is below 100, by the bytes that were read.
    """

    event_id: str
    report_id: str
    organisation_id: str
    status: Literal["loading"]
    progress: int
    rows: int
    message: str
    at: str
    kind: Literal["report.progressed"] = "report.progressed"


class SyncEnded(NamedTuple):
    """A change of a video, claim or policy was written at YouTube, or was refused.

    `event_id` identifies repeats. `video_id` is empty for the match policy of an asset.
    """

    event_id: str
    organisation_id: str
    video_id: str
    status: str
    at: str
    kind: Literal["sync.completed", "sync.failed"]
    asset_id: str | None = None

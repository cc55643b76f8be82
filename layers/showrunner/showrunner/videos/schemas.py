"""Define the request and response bodies of /api/v1/videos."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from showrunner.production.job import CaptionPreset
from showrunner.production.text import SCRIPT_RULE, is_speakable
from showrunner.web.fields import (
    MEGABYTE,
    Body,
    Id,
    Line,
    Moment,
    Page,
    Pagination,
    Result,
    Text,
    Timestamp,
)

MAX_BATCH = 50


def _without_angles(text: str) -> str:
    """Return the text. Raises ValueError for what YouTube refuses in titles, descriptions and tags."""
    if "<" in text or ">" in text:
        raise ValueError("YouTube takes neither < nor >")
    return text


type Title = Annotated[Line, Field(max_length=100), AfterValidator(_without_angles)]

Status = Literal[
    "draft",
    "queued",
    "processing",
    "script_ready",
    "review",
    "completed",
    "publishing",
    "publish_unknown",
    "scheduled",
    "published",
    "failed",
    "cancelled",
]
Aspect = Literal["9:16", "16:9", "1:1"]


def _each_once(aspects: list[str]) -> list[str]:
    if len(set(aspects)) != len(aspects):
        raise ValueError("name each aspect once")
    return aspects


class Brief(Body):
    """A brief: what the video is about and how it looks.

    Without topic, source_text and manual_script the video takes the next topic of its channel's backlog.

    `length_seconds` takes precedence over `length`."""

    channel_id: Id
    topic: Annotated[Line, Field(max_length=500)] | None = None
    source_text: Annotated[Text, Field(max_length=100_000)] | None = None
    manual_script: Annotated[Text, Field(max_length=60_000, description=SCRIPT_RULE)] | None = None
    language: Annotated[
        Literal["en", "es", "fr", "de"] | None,
        Field(description="Omitted: the channel's language. See GET /voices."),
    ] = None
    stop_after: Annotated[
        Literal["script"] | None,
        Field(description="script: stop when the script is written (status script_ready), before the voice."),
    ] = None
    style: Literal["educational", "entertainment", "news"] | None = None
    visual_style: Annotated[
        Literal["footage", "mixed", "typographic"] | None,
        Field(description="What the video shows. Omitted: as the channel's settings say."),
    ] = None
    length: Literal["short", "medium", "long"] = "short"
    length_seconds: Annotated[int, Field(ge=10, le=3600, strict=True)] | None = None
    voice: Literal["male1", "female1", "ai_clone"] | None = None
    aspect: (
        Aspect
        | Annotated[list[Aspect], Field(min_length=1, max_length=3, json_schema_extra={"uniqueItems": True})]
    ) = "9:16"
    priority: Annotated[int, Field(ge=1, le=3, strict=True)] = 2
    assets: Annotated[list[Id], Field(max_length=50)] = Field(default_factory=list)
    music_start_seconds: Annotated[
        float | None,
        Field(ge=0, le=36_000, description="Second at which the music of the first sound asset begins."),
    ] = None
    music_search: Annotated[
        Line | None,
        Field(
            min_length=2,
            max_length=100,
            description="What music is searched for at Wikimedia Commons, such as calm piano. Without a "
            "result, the built-in music of the script's mood plays. A sound asset takes precedence.",
        ),
    ] = None

    @field_validator("aspect")
    @classmethod
    def _list_each_once(cls, value: str | list[str]) -> list[str]:
        return _each_once([value] if isinstance(value, str) else value)


class Batch(Body):
    """Several briefs.

    Each is checked on its own like the body of POST /videos/generate: a bad one stops no other.
    """

    videos: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_BATCH)]


class VideoChanges(Body):
    """Editable fields of a video. Omitted fields keep their value."""

    title: Title | None = None
    description: (
        Annotated[
            Text,
            Field(max_length=5000, description="At most 5,000 bytes in UTF-8."),
            AfterValidator(_without_angles),
        ]
        | None
    ) = None
    thumbnail: Annotated[
        Id | None, Field(description="The id of an uploaded thumbnail; null returns to the rendered one.")
    ] = None
    thumbnail_image: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=4 * MEGABYTE,
            description=(
                "A JPEG or PNG file in base64, at most 3 MB and at least 640 pixels wide. It becomes an "
                "asset of kind thumbnail and takes precedence over `thumbnail`."
            ),
        ),
    ] = None
    tags: (
        Annotated[
            list[Annotated[Line, Field(max_length=500)]],
            Field(max_length=500, description="At most 500 characters in all, by YouTube's counting."),
        ]
        | None
    ) = None

    @field_validator("description")
    @classmethod
    def _limit_bytes(cls, value: str | None) -> str | None:
        if value is not None and len(value.encode()) > 5000:
            raise ValueError("must have at most 5,000 bytes in UTF-8")
        return value

    @field_validator("tags")
    @classmethod
    def _limit_tags(cls, value: list[str] | None) -> list[str] | None:
        from showrunner.production.script import TAGS_CHARACTERS, tags_length

        if value is not None and tags_length(value) > TAGS_CHARACTERS:
            raise ValueError(
                "must have at most 500 characters in all, including commas and quotes around tags with spaces"
            )
        return value


class PublishRequest(Body):
    """The publication of a finished video as its owner wants it.

    Without `privacy` the channel's setting counts; with `schedule_time` the video becomes public then.
    """

    schedule_time: Annotated[Moment, Field(description="15 minutes to 180 days from now.")] | None = None
    privacy: Literal["public", "unlisted", "private"] | None = None
    confirm_repeat: Annotated[
        bool, Field(strict=True, description="Send it again although a first upload may have arrived unseen.")
    ] = False


class Rejection(Body):
    """The rejection of a finished video, with its reason."""

    reason: Annotated[Line, Field(max_length=500)]


class VideoFilter(Page):
    """Filters and page of the list of videos."""

    channel_id: Id | None = None
    status: Status | None = None
    created_by: Annotated[Line, Field(max_length=200)] | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None


class BulkRetry(Body):
    """A filter for the videos to retry after an outage: the oldest first, at most 50 in a call.

    Omitted filters don't restrict. With `dry_run` nothing is changed.
    """

    status: Literal["failed", "cancelled"] = "failed"
    channel_id: Id | None = None
    date_from: Moment | None = None
    date_to: Moment | None = None
    dry_run: Annotated[bool, Field(strict=True)] = False


class OrderedVideo(Result):
    """A video that was accepted: its job and when it will be about ready."""

    job_id: str
    video_id: str
    estimated_time: Annotated[int, Field(description="Seconds until the video is about ready.")]
    queue_position: Annotated[int, Field(description="1 is the next of the organisation's videos to begin.")]
    estimated_duration: Annotated[
        int, Field(description="Seconds of the finished video. A given script sets it.")
    ]
    warnings: Annotated[list[str], Field(description="What of the brief can't be met as asked.")]


class EstimatedCosts(Result):
    """List prices in USD by step, as decimal strings."""

    script: str
    voice: str
    visuals: str
    render: str
    storage: str
    total: str


class VideoEstimate(Result):
    """The estimated time and cost of a brief. Nothing is ordered."""

    estimated_duration: Annotated[int, Field(description="Seconds of the finished video.")]
    estimated_time: Annotated[int, Field(description="Seconds until the video is about ready.")]
    cost_usd: EstimatedCosts
    warnings: list[str]


class ScriptScene(Body):
    """One scene of a script: what is spoken, and the heading shown with it (may be empty)."""

    heading: Annotated[str, Field(max_length=80)] = ""
    narration: Annotated[Text, Field(max_length=5000)]


class ScriptChanges(Body):
    """The edited script. It takes the place of the written one; omitted fields keep their text."""

    title: Title | None = None
    hook: Annotated[str, Field(max_length=400)] | None = None
    scenes: Annotated[list[ScriptScene], Field(min_length=1, max_length=480)] | None = None
    call_to_action: Annotated[str, Field(max_length=400)] | None = None


class ShotReplacement(Body):
    """The picture that one shot shows instead. With neither field it is the next candidate."""

    query: Annotated[
        Line | None,
        Field(max_length=100, description="What to search for instead.", examples=["fishing boat at dawn"]),
    ] = None
    asset_id: Annotated[Id | None, Field(description="An uploaded image or clip of yours.")] = None

    @model_validator(mode="after")
    def _name_one(self) -> "ShotReplacement":
        if self.query and self.asset_id:
            raise ValueError("send a query or an asset_id, not both")
        return self


class SceneChanges(Body):
    """Other texts of one scene. Omitted fields keep their value."""

    heading: Annotated[
        str | None, Field(max_length=80, description="Shown with the scene; may be empty.")
    ] = None
    narration: Annotated[Text | None, Field(max_length=5000, description="What is spoken.")] = None

    @model_validator(mode="after")
    def _name_any(self) -> "SceneChanges":
        if self.heading is None and not self.narration:
            raise ValueError("send a heading, a narration, or both")
        if self.narration and not is_speakable(self.narration):
            raise ValueError("narration must have a letter or a digit")
        return self


class VideoRemake(Body):
    """Differences of the next attempt. Omitted fields keep their value."""

    visual_style: Annotated[
        Literal["footage", "mixed", "typographic"] | None, Field(description="What the video shows.")
    ] = None
    aspect: Annotated[
        list[Aspect] | None,
        Field(
            min_length=1,
            max_length=3,
            description="The aspect ratios to make. Each is named once.",
            json_schema_extra={"uniqueItems": True},
            examples=[["16:9"]],
        ),
    ] = None
    caption_preset: Annotated[CaptionPreset | None, Field(description="Look of the captions.")] = None

    @field_validator("aspect")
    @classmethod
    def _list_each_once(cls, value: list[str] | None) -> list[str] | None:
        return _each_once(value) if value is not None else None


class VideoScript(Result):
    """The script of a video, and what the rest of its production would cost."""

    video_id: str
    title: str
    description: str
    tags: list[str]
    hook: str
    scenes: list[ScriptScene]
    call_to_action: str
    estimated_duration: int
    cost_usd: EstimatedCosts


class TranscriptSegment(Result):
    """One passage: what is spoken, and when."""

    start_s: Annotated[float, Field(description="Seconds from the beginning of the video.", examples=[0.6])]
    end_s: Annotated[float, Field(description="Seconds from the beginning of the video.", examples=[7.25])]
    text: Annotated[str, Field(description="What is spoken.", examples=["The tide comes twice a day."])]


class Transcript(Result):
    """The spoken text of a video. `text` has a line for each passage."""

    video_id: str
    language: str
    text: Annotated[
        str, Field(description="All that is spoken.", examples=["The tide comes twice a day.\nWhy?"])
    ]
    segments: Annotated[list[TranscriptSegment], Field(description="The passages in their order.")]


Sharpness = Annotated[
    float | None,
    Field(
        description="How sharp a library's preview of the work is, 0 to 1; null if none was looked at.",
        examples=[0.93],
    ),
]
SubjectKept = Annotated[
    float | None,
    Field(
        description="How much of what draws the eye is left in the tightest crop of the video's aspects, "
        "0 to 1; null if no preview was looked at.",
        examples=[0.88],
    ),
]


class RunnerUp(Result):
    """A work that was found for a shot and is not shown. `POST …/replace` takes the first one."""

    kind: Annotated[Literal["clip", "image"], Field(description="What it is.")]
    address: Annotated[
        str, Field(description="Page of the work.", examples=["https://www.pexels.com/video/857251/"])
    ]
    author: Annotated[str, Field(description="Who made it, as the library names them.", examples=["Grace"])]
    licence: Annotated[str, Field(description="Name of the licence.", examples=["Pexels License"])]
    score: Annotated[float, Field(description="How well it fits the shot in all, 0 to 1.", examples=[0.71])]
    relevance: Annotated[
        float, Field(description="How well its text fits the shot, 0 to 1.", examples=[0.62])
    ]
    sharpness: Sharpness
    subject_kept: SubjectKept


class ShownSource(Result):
    """The picture of one shot, and the right by which it is shown."""

    scene: Annotated[int, Field(description="Number of the scene, from 0.", examples=[2])]
    shot: Annotated[int, Field(description="Number of the shot in its scene, from 0.", examples=[0])]
    kind: Annotated[Literal["clip", "image", "generated"], Field(description="What it is.")]
    address: Annotated[
        str,
        Field(
            description="Page of the work; `asset:<id>` for an upload, `openai:…` for a generated image, "
            "`generated:…` for what is typeset.",
            examples=["https://www.pexels.com/video/4763822/"],
        ),
    ]
    author: Annotated[str | None, Field(description="Who made it, as the library names them.")]
    licence: Annotated[str, Field(description="Name of the licence.", examples=["Pexels License"])]
    licence_url: Annotated[
        str | None,
        Field(description="Text of the licence.", examples=["https://www.pexels.com/license/"]),
    ]
    fetched_at: Annotated[Timestamp | None, Field(description="When the file was fetched under it.")]
    sha256: Annotated[str | None, Field(description="SHA-256 of the file; null for what is typeset.")]
    library: Annotated[
        str | None, Field(description="Library that it was found in; null for everything else.")
    ]
    query: Annotated[
        str | None,
        Field(description="Phrase by which it was found or drawn.", examples=["harbour at night"]),
    ]
    score: Annotated[
        float | None,
        Field(
            description="How well a work of a library fits the shot in all, 0 to 1: by its text, shape, "
            "resolution and length, and by the sharpness and the subject of its preview.",
            examples=[0.78],
        ),
    ]
    relevance: Annotated[
        float | None,
        Field(
            description="How well the text of a library's work fits the shot, 0 to 1: the cosine of their "
            "vectors (embeddings) or, without them, the part of the phrase's words that it has.",
            examples=[0.67],
        ),
    ]
    sharpness: Sharpness
    subject_kept: SubjectKept
    runners_up: Annotated[list[RunnerUp], Field(description="Works that fit less well, the best first.")]


class FoundMusic(Result):
    """The music of a video that was found in a library, and the right by which it is played."""

    address: Annotated[
        str,
        Field(
            description="Page of the work.", examples=["https://commons.wikimedia.org/wiki/File:Carefree.ogg"]
        ),
    ]
    author: Annotated[str, Field(description="Who made it, as the library names them.")]
    licence: Annotated[str, Field(description="Name of the licence.", examples=["CC BY 4.0"])]
    licence_url: Annotated[
        str,
        Field(description="Text of the licence.", examples=["https://creativecommons.org/licenses/by/4.0"]),
    ]
    fetched_at: Annotated[Timestamp, Field(description="When the file was fetched under it.")]
    sha256: Annotated[str, Field(description="SHA-256 of the file.")]
    query: Annotated[str, Field(description="The phrase that found it.", examples=["calm piano"])]


class SourceList(Result):
    """Everything that a video shows, shot by shot, and its music if that was found in a library."""

    video_id: str
    sources: Annotated[list[ShownSource], Field(description="The shots in their order.")]
    music: Annotated[FoundMusic | None, Field(description="null for built-in music and for the owner's own.")]


class VoiceInfo(Result):
    """A voice: the languages that it speaks on this stage."""

    name: str
    provider: str
    languages: list[str]
    is_usable: bool
    problem: str | None
    sample_url: str | None


class VoiceList(Result):
    """The voices that briefs can name. ai_clone is a channel's own voice and is not listed."""

    voices: list[VoiceInfo]


class BatchResult(Result):
    """The outcome of each brief of a batch, in the order of the request."""

    accepted: int
    rejected: int
    results: list[dict[str, Any]]


class RetriedVideo(Result):
    """The outcome for one video of a bulk retry: `error` says why it was rejected."""

    video_id: str
    status: Literal["matches", "accepted", "rejected"]
    error: dict[str, Any] | None = None


class BulkRetryResult(Result):
    """The outcome of a bulk retry. With `more`, repeat the call for the next videos."""

    dry_run: bool
    results: list[RetriedVideo]
    more: bool


class VideoSummary(Result):
    """A video as lists show it."""

    id: str
    channel_id: str
    status: Status
    title: str | None
    priority: int
    attempt: int
    progress: int
    current_step: str | None
    error: dict[str, Any] | None
    duration_seconds: float | None
    demo: bool
    created_by: Annotated[
        str | None, Field(description="A user's id, or service:<name>; null for videos of before.")
    ]
    created_at: str
    updated_at: str
    completed_at: str | None


class Problem(Result):
    """A fault of a video on YouTube, and the next step against it."""

    step: str
    code: str
    message: str
    next_step: str


class Publication(Result):
    """The publication of a video on YouTube.

    `waiting_for` says why the upload pauses, for instance for quota.
    """

    video_id: str
    status: Status
    youtube_video_id: str | None
    youtube_url: str | None
    privacy: Literal["public", "unlisted", "private"]
    schedule_time: str | None
    published_at: str | None
    waiting_for: str | None
    problems: list[Problem]


class VideoDetails(VideoSummary):
    """A video with its texts, its brief and its product."""

    description: str | None
    tags: list[str]
    thumbnail: str | None
    request: dict[str, Any]
    product: dict[str, Any]
    publication: Annotated[
        dict[str, Any] | None,
        Field(
            description="As POST …/publish returns it, with `shown`: what YouTube showed at `shown_at` "
            "(POST /channels/{id}/sync reads it). Null for a video that was never published."
        ),
    ]


class VideoList(Result):
    """One page of videos."""

    videos: list[VideoSummary]
    pagination: Pagination


class VideoLogLine(Result):
    """One line of a video's processing log."""

    at: str
    attempt: int
    step: str
    level: Literal["info", "warning", "error"]
    message: str


class CostBreakdown(Result):
    """USD by step, as decimal strings."""

    script: str
    voice: str
    visuals: str
    render: str
    upload: str
    storage: str


class CostSummary(Result):
    """The costs of a video so far. `list_price_only`: list prices of a demo, which nobody paid."""

    currency: Literal["USD"]
    total_usd: str
    list_price_only: bool
    breakdown: CostBreakdown


class CostSheet(CostSummary):
    """The costs of a video with each charge."""

    video_id: str
    charges: list[dict[str, Any]]


class VideoResponse(Result):
    """One video with its log and costs."""

    video: VideoDetails
    processing_logs: list[VideoLogLine]
    costs: CostSummary


class VideoProgress(Result):
    """The progress of a video's production."""

    video_id: str
    status: Status
    progress: int
    current_step: str | None
    attempt: int
    errors: list[dict[str, Any]]


class DownloadLinks(Result):
    """Signed links to a video's files, valid until `expires_at`.

    An output has `video`, `thumbnail`, for an upright video `thumbnail_tall`, and `srt` and `vtt` if it has
    captions.
    """

    video_id: str
    outputs: list[dict[str, Any]]
    expires_at: str

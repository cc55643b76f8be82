"""Platform API: /api/v1/channels -> the channels that an organisation runs."""

import hashlib
import secrets
from typing import Annotated, Any, Literal, TypedDict

from pydantic import Field

from showrunner.database import db, pages
from showrunner.errors import Conflict, InvalidRequest
from showrunner.production import voices
from showrunner.store.accounts import cloned_voices
from showrunner.store.studio import assets, channels
from showrunner.web import answers, application, audit, fields, idempotency
from showrunner.web.answers import Answer
from showrunner.web.application import Application
from showrunner.web.body import checked, parse
from showrunner.web.fields import Body, Id, Line, Page, Query
from showrunner.web.routing import Request

app = Application("channels")

CONFIRMATION_MINUTES = 10

Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
Status = Literal["active", "paused", "disabled"]
Language = Literal["en", "es", "fr", "de"]
Voice = Literal["male1", "female1", "ai_clone"]
# The renderer's own names; a test holds both lists together.
CaptionPreset = Literal["bold", "clean", "boxed", "karaoke", "impact", "panel", "documentary"]
Font = Literal["Inter", "Montserrat", "Anton", "Source Serif 4"]


class Palette(Body):
    background: Colour | None = None
    surface: Colour | None = None
    primary: Colour | None = None
    accent: Colour | None = None
    text: Colour | None = None


class Brand(Body):
    """`logo` is the id of an uploaded image."""

    palette: Palette | None = None
    logo: Id | None = None
    font: Font | None = None
    caption_preset: CaptionPreset | None = None


Clock = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", description="HH:MM in UTC")]


class Settings(Body):
    auto_publish: Annotated[bool, Field(strict=True)] = True
    privacy: Literal["private", "unlisted", "public"] = "private"
    videos_per_day: Annotated[int, Field(ge=1, le=10, strict=True)] = 1
    publish_times: Annotated[list[Clock], Field(max_length=10)] = Field(default_factory=list)
    topics: Annotated[list[Annotated[Line, Field(max_length=500)]], Field(max_length=200)] = Field(default_factory=list)
    language: Language = "en"
    voice: Voice = "female1"
    voice_clone_id: Annotated[str, Field(pattern="^[A-Za-z0-9]{10,40}$")] | None = None
    style: Literal["educational", "entertainment", "news"] = "educational"
    brand: Brand = Brand()
    made_for_kids: Annotated[bool, Field(strict=True)] = False
    category: Annotated[int, Field(ge=1, le=44, strict=True)] = 22


Name = Annotated[Line, Field(max_length=100)]
Niche = Annotated[Line, Field(max_length=200)]
YoutubeId = Annotated[str, Field(pattern="^UC[A-Za-z0-9_-]{22}$")]


class NewChannel(Body):
    name: Name
    niche: Niche | None = None
    youtube_channel_id: YoutubeId | None = None
    settings: Settings = Settings.model_construct()


class Changes(Body):
    """What is left out stays as it is; of `settings` too."""

    name: Name | None = None
    niche: Niche | None = None
    youtube_channel_id: YoutubeId | None = None
    status: Status | None = None
    settings: Settings | None = None


class Filter(Page):
    status: Status | None = None


class Confirmation(Query):
    confirmation_token: Annotated[str, Field(max_length=100, pattern="^[A-Za-z0-9_-]+$")] | None = None


class Channel(TypedDict):
    id: str
    name: str
    niche: str | None
    youtube_channel_id: str | None
    status: Status
    settings: dict[str, Any]
    created_at: str
    updated_at: str


class Task(TypedDict):
    task: str
    done: bool
    description: str


class Created(TypedDict):
    channel: Channel
    setup_tasks: list[Task]


class Changed(TypedDict):
    channel: Channel


class Channels(TypedDict):
    channels: list[Channel]
    pagination: fields.Pagination


class Statistics(TypedDict):
    videos: int
    completed: int
    failed: int
    published: int


class Recent(TypedDict):
    id: str
    title: str | None
    status: str
    progress: int
    created_at: str


class Overview(TypedDict):
    channel: Channel
    statistics: Statistics
    recent_videos: list[Recent]


@app.get("/api/v1/channels", permission="channels:read", answer=Channels, max_age=60)
def list_channels(request: Request, query: Filter) -> Answer:
    """The organisation's channels, newest first."""
    with db.reading() as tx:
        found = channels.list_(tx, request.organisation_id, query.status, pages.PageRequest(query.limit, query.page, query.cursor, query.sort))
    return answers.listed("channels", found)


@app.post("/api/v1/channels", permission="channels:write", answer=Created, status=201, idempotent=True, errors=(409,))
def add(request: Request, body: NewChannel) -> Answer:
    """A new channel, with what is left to do before its first video is published."""
    settings = checked(Settings, body.settings.model_dump(exclude_none=True)).model_dump(exclude_none=True)
    check_voice(settings)

    def work(tx: db.Transaction) -> Answer:
        check_logo(tx, request, settings)
        check_clone(tx, request, settings)
        added = channels.add(tx, request.organisation_id, request.caller.holder, body.name, body.niche, body.youtube_channel_id, settings)
        channel = parse(added.encode())
        audit.record(tx, request, "add", "channel", channel["id"], after=channel)
        return Answer({"channel": channel, "setup_tasks": tasks(body, settings)}, 201)

    return idempotency.once(request, work)


def check_voice(settings: dict[str, Any]) -> None:
    """Raises InvalidRequest for a language that has no such voice."""
    language, voice = settings["language"], settings["voice"]
    if voices.find(language, voice, settings.get("voice_clone_id")) is None:
        reason = "settings.voice_clone_id is missing" if voice == "ai_clone" else f"there is no voice {voice} for language {language}"
        raise InvalidRequest(f"The voice can't be used: {reason}.", [{"field": "settings.voice", "message": reason}])


def check_logo(tx: db.Transaction, request: Request, settings: dict[str, Any]) -> None:
    logo = (settings.get("brand") or {}).get("logo")
    if logo and not any(row["kind"] == "image" for row in assets.list_ready(tx, request.organisation_id, [logo])):
        raise InvalidRequest("The logo can't be used.", [{"field": "settings.brand.logo", "message": "not an image of yours that is uploaded completely"}])


def check_clone(tx: db.Transaction, request: Request, settings: dict[str, Any]) -> None:
    """Raises InvalidRequest for a voice that was cloned for somebody else."""
    clone = settings.get("voice_clone_id")
    if clone and not voices.is_configured(clone) and not cloned_voices.belongs(tx, request.organisation_id, clone):
        reason = "not a voice of your organisation; we add it once it is yours"
        raise InvalidRequest("The cloned voice can't be used.", [{"field": "settings.voice_clone_id", "message": reason}])


def tasks(body: NewChannel, settings: dict[str, Any]) -> list[Task]:
    return [
        {"task": "connect_youtube", "done": False, "description": "Connect the YouTube account, so that videos can be published."},
        {"task": "add_brand", "done": bool(settings.get("brand")), "description": "Choose colours, logo and caption style."},
        {"task": "add_topics", "done": bool(settings.get("topics")), "description": "Fill the backlog that scheduled videos draw their topics from."},
    ]


@app.get("/api/v1/channels/{channel_id}", permission="channels:read", answer=Overview, max_age=30)
def show(request: Request, channel_id: str) -> Answer:
    """One channel with its figures and newest videos."""
    with db.reading() as tx:
        return Answer(channels.get_overview(tx, request.organisation_id, channel_id))


@app.put("/api/v1/channels/{channel_id}", permission="channels:write", answer=Changed, errors=(409,))
def change(request: Request, channel_id: str, body: Changes) -> Answer:
    """Changes what is given."""
    changes = body.model_dump(exclude_unset=True, exclude={"settings"})
    given = body.settings.model_dump(exclude_unset=True) if body.settings else {}
    with db.transaction() as tx:
        before = parse(channels.get(tx, request.organisation_id, channel_id).encode())
        settings = {name: value for name, value in {**before["settings"], **given}.items() if value is not None}
        check_voice({"language": "en", "voice": "female1", **settings})
        check_logo(tx, request, given)
        check_clone(tx, request, given)
        channel = channels.save(tx, request.organisation_id, channel_id, changes, given)
        after = parse(channel.encode())
        audit.record(tx, request, "change", "channel", after["id"], **differences(before, after))
    return Answer(f'{{"channel":{channel}}}')


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What differs, before and after; of the settings only the ones that do."""
    old, new = ({**channel, **{f"settings.{name}": value for name, value in channel["settings"].items()}} for channel in (before, after))
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name) and name not in ("settings", "updated_at")]
    return {"before": {name: old.get(name) for name in changed}, "after": {name: new.get(name) for name in changed}}


@app.delete("/api/v1/channels/{channel_id}", permission="channels:write", status=204, errors=(409,))
def remove(request: Request, channel_id: str, query: Confirmation) -> Answer:
    """Removes a channel with its videos. The first call answers 409 with a confirmation token, the second brings it."""
    if query.confirmation_token is None:
        raise ask_first(request, channel_id)
    with db.transaction() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        if not channels.confirm_removal(tx, request.organisation_id, channel_id, digest(query.confirmation_token)):
            raise Conflict("The confirmation is not valid or too old: ask again without it.")
        channels.remove(tx, request.organisation_id, channel_id)
        audit.record(tx, request, "remove", "channel", channel_id.lower())
    return Answer(status=204)


def ask_first(request: Request, channel_id: str) -> Conflict:
    token = secrets.token_urlsafe(24)
    with db.transaction() as tx:
        channels.get(tx, request.organisation_id, channel_id)
        channels.ask_removal(tx, request.organisation_id, channel_id, digest(token), CONFIRMATION_MINUTES)
    message = f"This removes the channel and its videos. Repeat the call within {CONFIRMATION_MINUTES} minutes with ?confirmation_token=…"
    return Conflict(message, details=[{"field": "confirmation_token", "message": token}])


def digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


handler = application.handler(app)

"""Read what YouTube's WebSub hub sends: signatures, topics and Atom bodies.

https://www.w3.org/TR/websub/ and https://developers.google.com/youtube/v3/guides/push_notifications.
Nothing here does I/O; requests to the hub are in `platforms.hub`. Atom is read with expat, which refuses
document types and entities here, and takes a thirtieth of feedparser's time.
"""

import hmac
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.parsers import expat

from showrunner.errors import InvalidRequest, PlatformRejected
from showrunner.models import Sighting

# A notification has 1.3 KB and one entry; the largest feed that YouTube serves (15 entries with descriptions)
# has about 60 KB.
MAX_BYTES = 262_144
# https://www.w3.org/TR/websub/#recognized-signature-algorithms
ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
# https://www.w3.org/TR/websub/#subscriber-sends-subscription-request: hub.secret must be less than 200 bytes.
SECRET_BYTES = 199
# Clocks differ by no more than this. An entry dated later would win over every true entry that follows.
FUTURE = timedelta(hours=1)
# YouTube allows 100 characters; no index of the database takes one that is far longer.
TITLE_CHARACTERS = 500
# YouTube's feeds have 15 entries; a body of 256 KiB has room for 1,300, and a batch of such bodies would
# outlast its function.
MAX_ENTRIES = 1000
# An Atom entry is 4 deep; the extensions in YouTube's feeds (media:group) reach 6.
MAX_DEPTH = 16

TOPIC_PATHS = ("/xml/feeds/videos.xml", "/feeds/videos.xml")
TOPIC_HOSTS = ("www.youtube.com", "youtube.com")
CHANNEL = re.compile(r"UC[A-Za-z0-9_-]{22}", re.ASCII)
VIDEO = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)

_ATOM, _YT, _AT = (
    "http://www.w3.org/2005/Atom ",
    "http://www.youtube.com/xml/schemas/2015 ",
    "http://purl.org/atompub/tombstones/1.0 ",
)
_FEED, _ENTRY, _TOMBSTONE = _ATOM + "feed", _ATOM + "entry", _AT + "deleted-entry"
_FIELDS = {
    _YT + "videoId": 0,
    _YT + "channelId": 1,
    _ATOM + "title": 2,
    _ATOM + "published": 3,
    _ATOM + "updated": 4,
}
_ID_FIELDS = (0, 1)
_BY = (_ATOM + "author", _AT + "by")
_BY_FIELDS = {_ATOM + "name": 5, _ATOM + "uri": 6}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


# ------------------------------------------------------------------------------------------------ Signatures


def is_signed(secrets: Iterable[bytes], header: str, body: bytes) -> bool:
    """Tell whether `header` (X-Hub-Signature, method=hex) signs the raw body with one of the secrets.

    Compares in constant time. https://www.w3.org/TR/websub/#authenticated-content-distribution
    """
    algorithm, _, given = header.partition("=")
    if algorithm.lower() not in ALGORITHMS or not _HEX.fullmatch(given):
        return False
    given = given.lower()
    return any(
        hmac.compare_digest(hmac.digest(secret, body, algorithm.lower()).hex(), given) for secret in secrets
    )


# ------------------------------------------------------------------------------------------------ Topics


def topic(base_url: str, channel_id: str) -> str:
    """Return the topic of a channel. `base_url` is https://www.youtube.com except in tests."""
    return f"{base_url.rstrip('/')}{TOPIC_PATHS[0]}?channel_id={channel_id}"


def channel_of(topic_url: str, own_host: str = "") -> str | None:
    """Return the channel that a topic in either form names, None for any other address.

    The hub sometimes percent-encodes a topic twice. `own_host` is accepted beside YouTube's hosts.
    """
    for text in (topic_url, unquote(topic_url)):
        try:
            parts = urlsplit(text)
        except ValueError:
            return None
        known = parts.netloc.lower() in TOPIC_HOSTS or (own_host and parts.netloc.lower() == own_host.lower())
        if known and parts.scheme in ("https", "http") and parts.path in TOPIC_PATHS:
            match parse_qsl(parts.query, keep_blank_values=True):
                case [("channel_id", channel_id)] if CHANNEL.fullmatch(channel_id):
                    return channel_id
    return None


# ------------------------------------------------------------------------------------------------ Atom


def _refuse(*_: object) -> int:
    raise InvalidRequest("The feed has a document type or entities, which no feed needs.")


def _reader() -> tuple[  # noqa: C901 - one parser's state
    list[Sighting], Callable[[str, dict[str, str]], None], Callable[[str], None], Callable[[str], None]
]:
    """Return the list of entries that a parser of one body fills, and its handlers of start, end and text.

    They are closures, since a method call for each element would cost as much as the parsing. The depth is 1
    in the feed, 2 in an entry, 3 in its fields, 4 in its author's fields.
    """
    seen: list[Sighting] = []
    text: list[str] = []
    found: list[str | None] | None = None
    when: tuple[str, str] | None = None
    depth, field, at_field, parent = 0, -1, 0, ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, field, at_field, parent, found, when
        depth += 1
        if depth == 3:
            parent = name
            number = _FIELDS.get(name, -1)
        elif depth == 4:
            number = _BY_FIELDS.get(name, -1) if parent in _BY else -1
        else:
            number = -1
            if depth == 2:
                when = (attributes.get("ref", ""), attributes.get("when", "")) if name == _TOMBSTONE else None
                found = [None] * 7 if name == _ENTRY or when is not None else None
            elif depth == 1 and name != _FEED:
                raise InvalidRequest("The document is no Atom feed.")
            elif depth > MAX_DEPTH:
                raise InvalidRequest("The feed is nested too deeply.")
        if number >= 0 and found is not None:
            if found[number] is not None:
                raise InvalidRequest("An entry says the same thing twice.")
            field, at_field = number, depth
            text.clear()

    def end(_name: str) -> None:
        nonlocal depth, field, found
        if field >= 0 and depth == at_field and found is not None:
            value = "".join(text)
            # White space around an id is no part of its form; around other fields it comes from indenting.
            found[field] = value if field in _ID_FIELDS else value.strip()
            field = -1
        elif depth == 2 and found is not None:
            if len(seen) == MAX_ENTRIES:
                raise InvalidRequest(f"The feed has more than {MAX_ENTRIES} entries.")
            seen.append(_entry(found) if when is None else _tombstone(when, found))
            found = None
        depth -= 1

    return seen, start, end, text.append


def read(body: bytes) -> list[Sighting]:
    """Return the entries and tombstones of a notification or a feed.

    Raises InvalidRequest with the reason if YouTube would not send such a body.
    """
    seen, start, end, data = _reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ExternalEntityRefHandler = (
        parser.SkippedEntityHandler
    ) = _refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise InvalidRequest(
            f"The body is not well-formed XML: {expat.ErrorString(error.code)}, line {error.lineno}."
        ) from error
    except (LookupError, ValueError) as error:
        raise InvalidRequest("The body is in an encoding that can't be read.") from error
    return seen


def check(seen: list[Sighting], channel_id: str, now: datetime) -> list[Sighting]:
    """Return the entries with the channel filled in where it was missing.

    Raises InvalidRequest if one belongs to another channel than the subscription, or is dated in the future.
    """
    latest = now + FUTURE
    for each in seen:
        if each.channel_id not in (channel_id, None):
            raise InvalidRequest(f"The feed is of another channel than the subscription: {each.channel_id}.")
        if each.at > latest:  # a date of publication may lie ahead: a premiere
            raise InvalidRequest("An entry has a date in the future.")
    return [each if each.channel_id else each._replace(channel_id=channel_id) for each in seen]


def _entry(found: list[str | None]) -> Sighting:
    video_id, channel_id, title, published, updated, name, uri = found
    if not video_id or not VIDEO.fullmatch(video_id):
        raise InvalidRequest(f"An entry has no video id of YouTube's form: {(video_id or 'none')[:50]}.")
    if channel_id and not CHANNEL.fullmatch(channel_id):
        raise InvalidRequest(f"An entry has no channel id of YouTube's form: {channel_id[:50]}.")
    if title is None or len(title) > TITLE_CHARACTERS:
        raise InvalidRequest(
            "An entry has no title."
            if title is None
            else f"A title has more than {TITLE_CHARACTERS} characters."
        )
    if not (published or updated):
        raise InvalidRequest("An entry has no date.")
    written, changed = moment(published or updated or ""), moment(updated or published or "")
    return Sighting(video_id, channel_id or _channel_in(uri), _short(name), title, written, changed)


def _tombstone(when: tuple[str, str], found: list[str | None]) -> Sighting:
    prefix, _, video_id = when[0].rpartition(":")
    if prefix != "yt:video" or not VIDEO.fullmatch(video_id):
        raise InvalidRequest(f"A deleted entry has no video id of YouTube's form: {when[0][:50]}.")
    return Sighting(video_id, _channel_in(found[6]), _short(found[5]), None, None, moment(when[1]))


def _short(name: str | None) -> str | None:
    if name and len(name) > TITLE_CHARACTERS:
        raise InvalidRequest(f"A channel's name has more than {TITLE_CHARACTERS} characters.")
    return name or None


def _channel_in(uri: str | None) -> str | None:
    channel_id = (uri or "").rpartition("/channel/")[2]
    return channel_id if CHANNEL.fullmatch(channel_id) else None


def read_feed(body: bytes, channel_id: str, now: datetime) -> list[Sighting]:
    """Return the videos of a channel's whole feed. Raises PlatformRejected for what is no feed of it."""
    try:
        return check(read(body), channel_id, now)
    except InvalidRequest as error:
        raise PlatformRejected(f"The feed can't be read: {error.message}") from error


def moment(text: str) -> datetime:
    """Read a time in RFC 3339 form. Of its fractional digits six are kept. Raises InvalidRequest."""
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(f"An entry has a date that is none: {text[:50]}.")


# ------------------------------------------------------------------------------------------------ Text


def plain(text: str) -> str:
    """Return a hub's text without line breaks and control characters, which the database refuses."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())

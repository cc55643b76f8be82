"""WebSub as YouTube's hub speaks it: https://www.w3.org/TR/websub/ and https://developers.google.com/youtube/v3/guides/push_notifications. No quota.

Reading is pure: signatures, verification requests and Atom bodies. Only `Hub` talks, and only it imports an
HTTP client: the receiver must start at once. The Atom reader is expat with every door shut: no document type,
no entity, no second document. It reads a feed in a thirtieth of feedparser's time.
"""

import hmac
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.parsers import expat

from showrunner.errors import InvalidRequest, PlatformRejected, PlatformUnavailable
from showrunner.models import Sighting

if TYPE_CHECKING:
    import requests

# A notification has 1.3 KB and one entry; the largest feed that YouTube serves (15 entries with descriptions)
# has about 60 KB.
MAX_BYTES = 262_144
# https://www.w3.org/TR/websub/#recognized-signature-algorithms
ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
# https://www.w3.org/TR/websub/#subscriber-sends-subscription-request: hub.secret must be less than 200 bytes.
SECRET_BYTES = 199
# A clock may be wrong by this much; what claims to be from later would win over every true entry that
# follows.
FUTURE = timedelta(hours=1)
# YouTube allows 100; what is far above is no title, and no index takes it.
TITLE_CHARACTERS = 500
# YouTube's feeds have 15 entries; a body of 256 KiB has room for 1,300, and a batch of such bodies would
# outlast its function.
MAX_ENTRIES = 1000
# An Atom entry is 4 deep; the extensions in YouTube's feeds (media:group) reach 6.
MAX_DEPTH = 16
# A hub that hasn't answered by then is as good as down; the request is sent again later.
HUB_CONNECT_SECONDS, HUB_SECONDS = 3, 7
# Of what it says as much as a log line holds; a page of errors isn't read to its end, whatever its end is.
HUB_BYTES = 4096
# What a hub asks for beyond a day isn't waited for.
MAX_RETRY_SECONDS = 86_400

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
_BY = (_ATOM + "author", _AT + "by")
_BY_FIELDS = {_ATOM + "name": 5, _ATOM + "uri": 6}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)


# ------------------------------------------------------------------------------------------------ Signatures


def is_signed(secrets: Iterable[bytes], header: str, body: bytes) -> bool:
    """Whether `X-Hub-Signature` (method=hex) fits the raw body under one of the secrets; compared in constant time.

    https://www.w3.org/TR/websub/#authenticated-content-distribution
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
    """The topic to subscribe to; https://www.youtube.com but for tests."""
    return f"{base_url.rstrip('/')}{TOPIC_PATHS[0]}?channel_id={channel_id}"


def channel_of(topic_url: str, own_host: str = "") -> str | None:
    """The channel of a topic in either form, even percent-encoded twice as the hub sometimes does; None for any other address."""
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
    """(what was seen, handlers of start, end and text) for one body.

    Closures, since a method call an element would cost as much as the parsing.

    The depth is 1 in the feed, 2 in an entry, 3 in its fields, 4 in its author's.
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
            found[field] = "".join(text).strip()
            field = -1
        elif depth == 2 and found is not None:
            if len(seen) == MAX_ENTRIES:
                raise InvalidRequest(f"The feed has more than {MAX_ENTRIES} entries.")
            seen.append(_entry(found) if when is None else _tombstone(when, found))
            found = None
        depth -= 1

    return seen, start, end, text.append


def read(body: bytes) -> list[Sighting]:
    """The entries and tombstones of a notification or a feed.

    Raises InvalidRequest with the reason when it isn't one that YouTube would send.
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
    """Them, each with the channel.

    Raises InvalidRequest when one belongs to another channel than the subscription, or to the future.
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


def moment(text: str) -> datetime:
    """RFC 3339 with any number of fractional digits, of which six are kept. Raises InvalidRequest."""
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(f"An entry has a date that is none: {text[:50]}.")


# ------------------------------------------------------------------------------------------------ The hub


def plain(text: str) -> str:
    """A hub's words without line breaks and control characters, which no text of the database holds."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


class Hub:
    """The hub at `url`.

    `ask` returns when it has accepted the request; whether it keeps its word is told by its verification.
    """

    def __init__(self, url: str) -> None:
        import requests

        from showrunner.platforms import answers

        self._read = answers.read
        self._session = requests.Session()
        self._failures = requests.RequestException
        self._url = url

    def ask(
        self, mode: str, topic_url: str, callback_url: str, lease_seconds: int, secret: str | None
    ) -> None:
        """https://www.w3.org/TR/websub/#subscriber-sends-subscription-request.

        Raises PlatformUnavailable(retry_after) or PlatformRejected(reason).
        """
        form = {"hub.mode": mode, "hub.topic": topic_url, "hub.callback": callback_url, "hub.verify": "async"}
        if mode == "subscribe":
            form["hub.lease_seconds"] = str(lease_seconds)
        if secret is not None:
            form["hub.secret"] = secret
        try:
            answer = self._session.post(
                self._url,
                data=form,
                timeout=(HUB_CONNECT_SECONDS, HUB_SECONDS),
                allow_redirects=False,
                stream=True,
            )
        except self._failures as error:
            raise PlatformUnavailable(f"The hub doesn't answer: {type(error).__name__}.") from error
        code, words = answer.status_code, self._words(answer)
        if 200 <= code < 300:
            return
        if code >= 500 or code in (408, 429):
            raise PlatformUnavailable(
                f"The hub answers {code}: {words}",
                retry_after(answer.headers.get("retry-after"), datetime.now(UTC)),
            )
        raise PlatformRejected(f"The hub answers {code}: {words}")

    def _words(self, answer: "requests.Response") -> str:
        """What it says beside its status, which stands whether or not its words arrive."""
        try:
            return plain(
                self._read(answer, HUB_BYTES, time.monotonic() + HUB_SECONDS)[:HUB_BYTES].decode(
                    "utf-8", "replace"
                )[:200]
            )
        except PlatformUnavailable as error:
            return error.message


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header in either form (https://www.rfc-editor.org/rfc/rfc9110#field.retry-after), at most a day; None without one."""
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), MAX_RETRY_SECONDS)
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year that no integer of C's holds
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_SECONDS)

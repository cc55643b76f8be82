"""Send HTTP requests to foreign services, within limits of time, size and redirects.

Every module of this package sends through `Sender`, except the SDKs of OpenAI and ElevenLabs, which have
clients of their own. Importing requests takes most of 100 ms of CPU: functions of an API do it when needed.
"""

import json
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import requests
import urllib3

from showrunner.errors import PlatformRejected, PlatformUnavailable

# The edge in front of Pexels refuses libraries that name themselves, such as python-requests.
USER_AGENT = "showrunner/1.0 (video production)"
CONNECT_SECONDS = 3
# A NAT instance forgets a silent connection after 350 s; many servers close theirs after a minute.
IDLE_SECONDS = 50
# A longer Retry-After is cut to a day.
MAX_RETRY_SECONDS = 86_400
_CHUNK_BYTES = 65_536


class Answer(NamedTuple):
    """A response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after(self) -> float | None:
        """The seconds of Retry-After, None without one."""
        return retry_after(self.headers.get("retry-after"), datetime.now(UTC))

    def json(self, service: str) -> Any:
        """Return the body as JSON. Raises PlatformUnavailable if something else came, as from a proxy."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise PlatformUnavailable(f"{service} answers {self.status} without JSON.") from error


class Sender:
    """Sends requests to one service and keeps its connections.

    It follows no redirect, since credentials are meant for one address only, and uses no proxy and no .netrc
    of the machine. `seconds`: the longest silence, and the time for a body unless `send` has a deadline.
    """

    def __init__(self, service: str, seconds: float, max_bytes: int) -> None:
        self._service, self._seconds, self._max_bytes = service, seconds, max_bytes
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = USER_AGENT
        self._used_at = time.monotonic()

    def send(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, str] | Iterable[bytes] | bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        until: float | None = None,
        max_bytes: int | None = None,
        status_only: bool = False,
        decode: bool = True,
    ) -> Answer:
        """Send one request and read its answer, whatever its status.

        A mapping as `body` is sent as a form. `until` (time.monotonic()) is when the whole answer must be
        there; without it the body has `seconds` from the first byte on. With `status_only` a body that is too
        large, breaks off or is late is cut. Without `decode` a packed body stays as it came. Raises
        PlatformUnavailable, with `was_sent` False if no connection came about, and PlatformRejected for a
        body over `max_bytes`.
        """
        self._drop_idle_connections()
        silence = self._seconds if until is None else min(self._seconds, until - time.monotonic())
        if silence <= 0:
            raise PlatformUnavailable(f"{self._service} takes too long.", was_sent=False)
        try:
            response = self._session.request(
                method,
                url,
                params=query,
                data=body,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, silence), silence),
                allow_redirects=False,
                stream=True,
            )
        except (requests.RequestException, OSError) as error:
            raise PlatformUnavailable(
                f"{self._service} doesn't answer: {type(error).__name__}.", was_sent=_was_sent(error)
            ) from error
        limit = max_bytes or self._max_bytes
        late = until or time.monotonic() + self._seconds
        content = self._read(response, limit, late, status_only=status_only, decode=decode)
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, lowered, content)

    def _read(
        self, response: requests.Response, limit: int, until: float, *, status_only: bool, decode: bool
    ) -> bytes:
        """Return the decoded body; a server that drips bytes is late by one silence at most."""
        parts: list[bytes] = []
        room = limit + 1
        try:
            with response:
                while room and (part := response.raw.read1(min(room, _CHUNK_BYTES), decode_content=decode)):
                    parts.append(part)
                    room -= len(part)
                    if time.monotonic() > until:
                        raise PlatformUnavailable(f"{self._service} takes too long to answer.")
            if not room and not status_only:
                raise PlatformRejected(f"{self._service}'s answer is larger than {limit} bytes.")
        except (
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:  # requests translates these in its own readers
            if not status_only:
                message = f"{self._service}'s answer breaks off: {type(error).__name__}."
                raise PlatformUnavailable(message) from error
        except PlatformUnavailable:
            if not status_only:
                raise
        return b"".join(parts)[:limit]

    def _drop_idle_connections(self) -> None:
        """Close connections that the other side has probably closed: a request sent on one would be lost."""
        now = time.monotonic()
        if now - self._used_at > IDLE_SECONDS:
            self._session.close()
        self._used_at = now


def _was_sent(error: BaseException | None) -> bool:
    """Tell whether the request may have reached the service: False if no connection came about."""
    while error is not None:
        if isinstance(error, (requests.ConnectTimeout, ConnectionRefusedError, socket.gaierror)):
            return False
        error = error.__context__
    return True


def retry_after(text: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, at most a day; None without one.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after has both of its forms.
    """
    if not text:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return min(float(text), MAX_RETRY_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: a year that no C integer holds
        return None
    seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds()
    return min(max(0.0, seconds), MAX_RETRY_SECONDS)

"""Ask Spotify's Web API for artists, albums and tracks: https://developer.spotify.com/documentation/web-api.

An app in extended mode gets 50 artists for a call. One in development mode gets a single one, without
followers and popularity: https://developer.spotify.com/documentation/web-api/concepts/quota-modes.
"""

import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from showrunner.errors import (
    CredentialRejected,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)
from showrunner.platforms import credentials
from showrunner.platforms.http import Answer, Sender

# A call with its token is two requests.
SECONDS = 8
CALL_SECONDS = 12
# 50 artists with pictures and genres have 80 KB, 20 albums with their markets 1 MB.
MOST_BYTES = 4 << 20
# Ids of one call: https://developer.spotify.com/documentation/web-api/reference/get-multiple-artists
MOST_IDS = 50
# Albums of a page: https://developer.spotify.com/documentation/web-api/reference/get-an-artists-albums
PAGE = 50
CLIENT_ID, CLIENT_SECRET = "spotify/client_id", "spotify/client_secret"
# A token that ends within a minute isn't used any more.
_LEAST_SECONDS = 60


class Spotify:
    """A client of one app. It keeps the app's access token, which lasts an hour."""

    def __init__(self, client_id: str, client_secret: str, base_url: str, accounts_url: str) -> None:
        self._sender = Sender("Spotify", SECONDS, MOST_BYTES)
        pair = ":".join(
            credentials.checked(value, "Spotify", name)
            for value, name in ((client_id, CLIENT_ID), (client_secret, CLIENT_SECRET))
        )
        self._login = f"Basic {base64.b64encode(pair.encode()).decode()}"
        self._base_url, self._accounts_url = base_url.rstrip("/"), accounts_url.rstrip("/")
        self._token, self._ends_at = "", 0.0

    def artists(self, ids: list[str]) -> bytes:
        """Return the answer about up to 50 artists, for apps in extended mode.

        Those that don't exist are null. Raises QuotaExceeded, CredentialRejected, PlatformRejected or
        PlatformUnavailable.
        """
        if len(ids) > MOST_IDS:
            raise PlatformRejected(f"At most {MOST_IDS} artists can be asked for at once.")
        return self._get("/v1/artists", {"ids": ",".join(ids)})

    def artist(self, id_: str) -> bytes:
        """Return the answer about one artist, an error document without one. Raises as `artists` does."""
        return self._get(f"/v1/artists/{id_}")

    def albums_of(self, artist_id: str, offset: int) -> bytes:
        """Return a page of an artist's albums and singles, from number `offset` on. Raises as `artists` does.

        https://developer.spotify.com/documentation/web-api/reference/get-an-artists-albums
        """
        page = {"include_groups": "album,single", "limit": str(PAGE), "offset": str(offset)}
        return self._get(f"/v1/artists/{artist_id}/albums", page)

    def albums(self, ids: list[str]) -> bytes:
        """Return up to 20 albums with their tracks, for apps in extended mode. Raises as `artists` does."""
        return self._get("/v1/albums", {"ids": ",".join(ids)})

    def album(self, id_: str) -> bytes:
        """Return an album with its tracks, an error document without one. Raises as `artists` does."""
        return self._get(f"/v1/albums/{id_}")

    def tracks(self, ids: list[str]) -> bytes:
        """Return up to 50 tracks, for apps in extended mode. Raises as `artists` does."""
        return self._get("/v1/tracks", {"ids": ",".join(ids)})

    def _get(self, path: str, query: dict[str, str] | None = None) -> bytes:
        """Return the body of an answer 200 or 404. A token that was refused is replaced once."""
        until = time.monotonic() + CALL_SECONDS
        answer = self._send(path, query, until)
        if answer.status == 401:
            self._token = ""
            answer = self._send(path, query, until)
        if answer.status not in (200, 404):
            raise failure(answer)
        answer.json("Spotify")
        return answer.body

    def _send(self, path: str, query: dict[str, str] | None, until: float) -> Answer:
        headers = {"Authorization": f"Bearer {self._access_token(until)}"}
        return self._sender.send("GET", f"{self._base_url}{path}", query=query, headers=headers, until=until)

    def _access_token(self, until: float) -> str:
        """Return the app's token, a new one if the last has ended.

        https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
        """
        if self._token and time.monotonic() < self._ends_at:
            return self._token
        answer = self._sender.send(
            "POST",
            f"{self._accounts_url}/api/token",
            body={"grant_type": "client_credentials"},
            headers={"Authorization": self._login},
            until=until,
        )
        if answer.status in (400, 401):
            raise CredentialRejected(
                f"Spotify refuses our app: {CLIENT_ID} and {CLIENT_SECRET} must be those of its dashboard."
            )
        if answer.status != 200:
            raise failure(answer)
        document = answer.json("Spotify")
        try:
            token, seconds = str(document["access_token"]), int(document["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            raise PlatformUnavailable("Spotify's answer has no token.") from error
        self._token, self._ends_at = token, time.monotonic() + seconds - _LEAST_SECONDS
        return token


def failure(answer: Answer) -> ShowrunnerError:
    """Return the error that an answer means.

    https://developer.spotify.com/documentation/web-api/concepts/api-calls
    """
    reason, words = _reason(answer.body)
    said = f"Spotify answers {answer.status}: {words}" if words else f"Spotify answers {answer.status}."
    if answer.status == 429 and reason == "QUOTA_EXCEEDED":
        seconds = answer.retry_after
        retry_at = None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)
        return QuotaExceeded("The quota of our app at Spotify is spent.", retry_at)
    if answer.status == 429 or answer.status >= 500:
        return PlatformUnavailable(said, answer.retry_after)
    if answer.status == 401 or "Premium" in words:
        # An app in development mode stops when its owner's subscription ends.
        return CredentialRejected(said)
    if answer.status == 403:
        hint = " An app in development mode needs SpotifyMode=development."
        return PlatformRejected(said + hint, "forbidden")
    return PlatformRejected(said, reason)


def _reason(body: bytes) -> tuple[str, str]:
    """Return the error's reason and message; empty where the answer isn't Spotify's JSON."""
    try:
        error: Any = json.loads(body)["error"]
        return str(error.get("reason") or ""), str(error.get("message") or "")[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""

"""Google's OAuth 2.0 and OpenID Connect. No quota.

https://developers.google.com/identity/protocols/oauth2/web-server
https://developers.google.com/identity/protocols/oauth2/service-account
https://developers.google.com/identity/openid-connect/openid-connect

The discovery document names the endpoints, so a single address redirects all calls to a stand-in. The
document and the signing keys are cached as long as their Cache-Control allows. Google's SDK isn't used: its
import takes a quarter of a second, for four calls.
"""

import re
import time
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
)
from showrunner.platforms.http import Answer, Sender

# A login waits for three of these at most (discovery, token, keys), within API Gateway's 30 s.
SECONDS = 8
# The largest of these documents has 2 KB.
MOST_BYTES = 65_536
DISCOVERY = "/.well-known/openid-configuration"
# Cached at least this long, or every forged token with an unknown kid would cause a request; at most this
# long, whatever the header says.
FRESH_SECONDS, STALE_SECONDS = 300, 86_400

_SCOPE = "https://www.googleapis.com/auth/"
LOGIN = ("openid", "email", "profile")
# openid names the account, so that a second consent replaces the first.
# force-ssl writes captions, playlists and changes of metadata, which youtube.upload doesn't cover.
YOUTUBE = (
    "openid",
    f"{_SCOPE}youtube.upload",
    f"{_SCOPE}youtube.force-ssl",
    f"{_SCOPE}youtube.readonly",
    f"{_SCOPE}yt-analytics.readonly",
)
PARTNER = f"{_SCOPE}youtubepartner"
READ = f"{_SCOPE}youtube.readonly"
# What an artist allows whose channel's figures are read; revenue has a scope of its own.
# https://developers.google.com/youtube/analytics/reference/reports/query
ANALYTICS = f"{_SCOPE}yt-analytics.readonly"
REVENUE = f"{_SCOPE}yt-analytics-monetary.readonly"
# What a content owner's organisation is asked for beside YOUTUBE; reports with money need the second.
OWNER = (PARTNER, REVENUE)

_documents: dict[str, tuple[float, float, dict[str, Any]]] = {}


class Granted(NamedTuple):
    """Tokens for an authorization code.

    `scopes` are those that the person granted, perhaps fewer than requested.
    """

    access_token: str
    id_token: str
    refresh_token: str | None
    scopes: tuple[str, ...]


class Google:
    """Google's OAuth. `url` is its issuer, https://accounts.google.com."""

    def __init__(self, url: str) -> None:
        self.issuer = url.rstrip("/")

    def address(
        self, client_id: str, redirect_uri: str, scopes: tuple[str, ...], *, offline: bool, **proof: str
    ) -> str:
        """Return the address of the consent page.

        `proof`: state, nonce, code_challenge (S256). With `offline` Google returns a new refresh token each
        time.
        """
        asked = {
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": " ".join(scopes),
            "code_challenge_method": "S256",
        }
        lasting = (
            {"access_type": "offline", "prompt": "consent select_account"}
            if offline
            else {"prompt": "select_account"}
        )
        return f"{self._endpoint('authorization_endpoint')}?{urlencode({**asked, **proof, **lasting})}"

    def exchange(
        self, client_id: str, client_secret: str, redirect_uri: str, code: str, code_verifier: str
    ) -> Granted:
        """Return the tokens for a code.

        Raises InvalidRequest if the code was used before, has expired or was never issued to us.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": code_verifier,
            "redirect_uri": redirect_uri,
        }
        status, answer = _json(
            _send(
                "POST",
                self._endpoint("token_endpoint"),
                {**form, "client_id": client_id, "client_secret": client_secret},
            )
        )
        if status != 200:
            raise _failure(status, answer)
        access_token, id_token, refresh_token = (
            answer.get(name) for name in ("access_token", "id_token", "refresh_token")
        )
        if (
            not isinstance(access_token, str)
            or not isinstance(id_token, str)
            or not isinstance(refresh_token, str | None)
        ):
            raise PlatformRejected("Google's answer lacks a token.")
        return Granted(access_token, id_token, refresh_token, tuple(str(answer.get("scope", "")).split()))

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> tuple[str, int]:
        """Return an access token and how many seconds it lasts.

        Raises Disconnected when the permission has ended.
        """
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": client_id,
            "client_secret": client_secret,
        }
        status, answer = _json(_send("POST", self._endpoint("token_endpoint"), form))
        if status == 400 and answer.get("error") == "invalid_grant":
            raise Disconnected(
                "Google says that the permission was withdrawn or has expired: connect the account again."
            )
        return _access_token(status, answer)

    def token_endpoint(self) -> str:
        """Return the address that gives tokens, which the assertion of a service account must name."""
        return self._endpoint("token_endpoint")

    def exchange_assertion(self, assertion: str) -> tuple[str, int]:
        """Return an access token of a service account and how many seconds it lasts (RFC 7523).

        `assertion`: a JWT that the account's key has signed. Raises CredentialRejected if Google refuses it.
        """
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        status, answer = _json(_send("POST", self.token_endpoint(), form))
        if 400 <= status < 500 and answer.get("error") in ("invalid_grant", "invalid_scope"):
            # https://developers.google.com/identity/protocols/oauth2/service-account#jwt-error-codes
            raise CredentialRejected(
                f"Google refuses the service account's key: {str(answer.get('error_description', ''))[:200]} "
                "Its key may be deleted or the account disabled: make another key and rotate "
                "google/service_account."
            )
        return _access_token(status, answer)

    def keys(self, kid: str) -> list[dict[str, str]]:
        """Return Google's signing keys. Fetches them again if none has this kid (they are rotated)."""
        url = self._endpoint("jwks_uri")
        found = _document(url).get("keys", [])
        if (
            not any(key.get("kid") == kid for key in found)
            and time.monotonic() - _documents[url][1] > FRESH_SECONDS
        ):
            del _documents[url]
            found = _document(url).get("keys", [])
        return list(found)

    def revoke(self, token: str) -> None:
        """Revoke the permission that a token stands for. One that has ended already is no error."""
        answer = _send("POST", self._endpoint("revocation_endpoint"), {"token": token})
        if answer.status not in (200, 400):
            raise _failure(*_json(answer))

    def _endpoint(self, name: str) -> str:
        document = _document(self.issuer + DISCOVERY)
        address = document.get(name)
        if (
            document.get("issuer") != self.issuer
            or not isinstance(address, str)
            or not address.startswith(self.issuer.partition(":")[0] + "://")
        ):
            raise PlatformRejected(
                f"The discovery document of {self.issuer} is not its own, or has no {name}."
            )
        return address


def _document(url: str) -> dict[str, Any]:
    known = _documents.get(url)
    if known is None or known[0] < time.monotonic():
        sent = _send("GET", url)
        status, answer = _json(sent)
        if status != 200:
            raise _failure(status, answer)
        age = re.search(r"max-age=(\d{1,9})", sent.headers.get("cache-control", ""))
        seconds = min(max(int(age[1]) if age else 0, FRESH_SECONDS), STALE_SECONDS)
        known = _documents[url] = (time.monotonic() + seconds, time.monotonic(), answer)
    return known[2]


def _send(method: str, url: str, form: dict[str, str] | None = None) -> Answer:
    return _sender().send(method, url, body=form, until=time.monotonic() + SECONDS)


@cache
def _sender() -> Sender:
    """Return the sender that all logins of this environment share: it keeps the connection to Google."""
    return Sender("Google", SECONDS, MOST_BYTES)


def _json(answer: Answer) -> tuple[int, dict[str, Any]]:
    found = answer.json("Google")
    return answer.status, found if isinstance(found, dict) else {}


def _access_token(status: int, answer: dict[str, Any]) -> tuple[str, int]:
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if status != 200 or not isinstance(token, str) or not isinstance(seconds, int):
        raise _failure(status, answer)
    return token, seconds


def _failure(status: int, answer: dict[str, Any]) -> Exception:
    """https://developers.google.com/identity/protocols/oauth2/web-server#exchange-errors"""
    reason = str(answer.get("error", "unknown"))[:100]
    if status >= 500 or status in (408, 429):
        return PlatformUnavailable(f"Google answers {status} {reason}.")
    if reason == "invalid_grant":
        return InvalidRequest(
            "The code is not valid, used, or too old: begin again.",
            [{"field": "code", "message": "not valid, used, or too old"}],
        )
    if reason in ("invalid_client", "unauthorized_client"):
        return CredentialRejected(
            f"Google refuses our client: {reason}. "
            "The secrets google/client_id and google/client_secret must be those of its console."
        )
    return PlatformRejected(f"Google refuses the request with {status} {reason}.")

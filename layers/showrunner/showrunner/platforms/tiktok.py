"""TikTok's login and Display API, for accounts whose owners connect them.

https://developers.tiktok.com/doc/oauth-user-access-token-management,
https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info. The Research API is closed to companies:
https://developers.tiktok.com/products/research-api.

A refresh token works once: each refresh returns the next one.
"""

import json
import time
from typing import Any
from urllib.parse import urlencode

from showrunner.errors import (
    CredentialRejected,
    Disconnected,
    InvalidRequest,
    PlatformRejected,
    PlatformUnavailable,
    QuotaExceeded,
    ShowrunnerError,
)
from showrunner.models import Tokens
from showrunner.platforms import credentials
from showrunner.platforms.credentials import TokenRefused
from showrunner.platforms.http import Answer, Sender

SECONDS = 8
CALL_SECONDS = 12
# A page of 20 videos has 30 KB.
MOST_BYTES = 1 << 20
CLIENT_KEY, CLIENT_SECRET = "tiktok/client_key", "tiktok/client_secret"
SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")
_USER_FIELDS = (
    *("open_id", "display_name", "username", "is_verified"),
    *("follower_count", "following_count", "likes_count", "video_count"),
)
_VIDEO_FIELDS = ("id", "title", "create_time", "view_count", "like_count", "comment_count", "share_count")
# Videos of a page: https://developers.tiktok.com/doc/tiktok-api-v2-video-list
PAGE = 20
# The stage lacks these scopes of the grant, or the grant itself is gone.
_ENDED = ("scope_not_authorized", "scope_permission_missed")
# The Display API has no daily quota that TikTok states; its other APIs answer so until 00:00 UTC.
_DAY_SPENT = "daily_quota_limit_exceeded"
# TikTok counts a sliding minute and names no time: https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit
WINDOW_SECONDS = 60


class Tiktok:
    """A client of one app. `api_url` is https://open.tiktokapis.com, `login_url` https://www.tiktok.com."""

    def __init__(self, client_key: str, client_secret: str, api_url: str, login_url: str) -> None:
        self._sender = Sender("TikTok", SECONDS, MOST_BYTES)
        self._client_key = credentials.checked(client_key, "TikTok", CLIENT_KEY)
        self._client_secret = credentials.checked(client_secret, "TikTok", CLIENT_SECRET)
        self._api_url, self._login_url = api_url.rstrip("/"), login_url.rstrip("/")

    def address(self, redirect_uri: str, state: str) -> str:
        """Return the address of the consent page."""
        asked = {
            "client_key": self._client_key,
            "scope": ",".join(SCOPES),
            "response_type": "code",
            "redirect_uri": redirect_uri,
            "state": state,
        }
        return f"{self._login_url}/v2/auth/authorize/?{urlencode(asked)}"

    def exchange(self, code: str, redirect_uri: str) -> Tokens:
        """Return the tokens for a code. Raises InvalidRequest for one that isn't valid (any more)."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        try:
            return self._tokens(form)
        except Disconnected as error:
            raise InvalidRequest(
                "The code is not valid, used, or too old: begin again.",
                [{"field": "code", "message": "not valid, used, or too old"}],
            ) from error

    def refresh(self, refresh_token: str) -> Tokens:
        """Return new tokens; the refresh token that was sent doesn't work any more.

        Raises Disconnected if the permission has ended.
        """
        return self._tokens({"grant_type": "refresh_token", "refresh_token": refresh_token})

    def user(self, access_token: str) -> bytes:
        """Return the answer about the account.

        Raises Disconnected, QuotaExceeded, PlatformRejected or PlatformUnavailable; `TokenRefused` for an
        access token that has ended.
        """
        return self._call("GET", "/v2/user/info/", _USER_FIELDS, access_token, None)

    def videos(self, access_token: str, cursor: int | None) -> bytes:
        """Return a page of up to 20 videos, newest first, after the page that ended with `cursor`.

        Raises as `user` does.
        """
        page = {"max_count": PAGE} | ({} if cursor is None else {"cursor": cursor})
        return self._call("POST", "/v2/video/list/", _VIDEO_FIELDS, access_token, json.dumps(page).encode())

    def _tokens(self, form: dict[str, str]) -> Tokens:
        client = {"client_key": self._client_key, "client_secret": self._client_secret}
        answer = self._sender.send(
            "POST",
            f"{self._api_url}/v2/oauth/token/",
            body=client | form,
            until=time.monotonic() + CALL_SECONDS,
        )
        document = answer.json("TikTok")
        if answer.status != 200 or not isinstance(document, dict) or "access_token" not in document:
            raise _refusal(answer, document if isinstance(document, dict) else {})
        try:
            return Tokens(
                str(document["open_id"]),
                str(document["access_token"]),
                int(document["expires_in"]),
                str(document["refresh_token"]),
                int(document["refresh_expires_in"]),
                tuple(str(document.get("scope", "")).split(",")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise PlatformUnavailable("TikTok's answer lacks a part of the tokens.") from error

    def _call(
        self, method: str, path: str, fields: tuple[str, ...], access_token: str, body: bytes | None
    ) -> bytes:
        answer = self._sender.send(
            method,
            f"{self._api_url}{path}",
            query={"fields": ",".join(fields)},
            body=body,
            headers={"Authorization": f"Bearer {access_token}"}
            | ({"Content-Type": "application/json"} if body else {}),
            until=time.monotonic() + CALL_SECONDS,
        )
        document = answer.json("TikTok")
        code = _code(document)
        if answer.status == 200 and code == "ok":
            return answer.body
        raise _failure(answer, code, document)


def _refusal(answer: Answer, document: dict[str, Any]) -> ShowrunnerError:
    """Return the error that an answer of the token endpoint means; its errors are flat."""
    error = str(document.get("error", ""))[:100]
    said = f"TikTok answers {answer.status} {error}: {str(document.get('error_description', ''))[:200]}"
    if answer.status >= 500 or answer.status == 429:
        return PlatformUnavailable(said, answer.retry_after)
    if error == "invalid_grant":
        return Disconnected(
            "TikTok says that the permission was withdrawn or has expired: connect the account again."
        )
    if error in ("invalid_client", "unauthorized_client"):
        return CredentialRejected(
            f"TikTok refuses our app: {CLIENT_KEY} and {CLIENT_SECRET} must be those of its console."
        )
    return PlatformRejected(said, error)


def _failure(answer: Answer, code: str, document: Any) -> ShowrunnerError:
    """https://developers.tiktok.com/doc/tiktok-api-v2-error-handling"""
    said = f"TikTok answers {answer.status} {code}: {_message(document)}"
    if code == "access_token_invalid":
        return TokenRefused(said)
    if code in _ENDED:
        return Disconnected(f"{said} Connect the account again, and leave all boxes ticked.")
    if code == _DAY_SPENT:
        return QuotaExceeded(said)
    if answer.status == 429:
        return PlatformUnavailable(said, answer.retry_after or WINDOW_SECONDS)
    if answer.status >= 500:
        return PlatformUnavailable(said, answer.retry_after)
    return PlatformRejected(said, code)


def _code(document: Any) -> str:
    try:
        return str(document["error"]["code"])
    except (KeyError, TypeError):
        return ""


def _message(document: Any) -> str:
    try:
        return str(document["error"]["message"])[:200]
    except (KeyError, TypeError):
        return ""

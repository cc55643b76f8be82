"""Instagram's login and API for professional accounts, whose owners connect them.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login. Personal accounts
have no API since the Basic Display API ended on 2024-12-04.

A long-lived token lasts 60 days. It refreshes itself: it must be a day old and still valid.
"""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
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
from showrunner.platforms.http import Answer, Sender

SECONDS = 8
# A consent is two calls, within API Gateway's 30 s.
CALL_SECONDS = 12
# 25 posts with captions of the greatest length have 200 KB.
MOST_BYTES = 2 << 20
CLIENT_ID, CLIENT_SECRET = "instagram/client_id", "instagram/client_secret"
SCOPES = ("instagram_business_basic", "instagram_business_manage_insights")
# Lives until 2028 at least; an expired version runs as the oldest one that lives, without a word:
# https://developers.facebook.com/docs/graph-api/changelog
VERSION = "v26.0"
_PROFILE = "user_id,username,name,account_type,followers_count,follows_count,media_count"
_MEDIA = "id,caption,media_type,media_product_type,permalink,timestamp,like_count,comments_count"
# Of a day that is over; Instagram needs up to two days for them.
_INSIGHTS = "views,reach,total_interactions"
_POST_INSIGHTS = "views,reach"
# https://developers.facebook.com/docs/graph-api/guides/error-handling
_TOKEN_ENDED = 190
# Its code is that of a missing permission, and only its text differs:
# https://developers.facebook.com/docs/instagram-platform/reference/instagram-media/insights
_FEW_VIEWERS = "not enough viewers"
_BUSY = (1, 2)
# An app's calls are spent, or those of an account: of its user, its page, a bound of a kind of calls, or its
# share as a business. https://developers.facebook.com/docs/graph-api/overview/rate-limiting#error-codes
_APP_SPENT, _ACCOUNT_SPENT = 4, (17, 32, 613, 80002)
# Percent of an app's or account's calls from which on the next ones wait.
_FULL = 95
# An app's calls are counted over the last hour. An account's limit without a time is waited for as long.
_WAIT_SECONDS = 3_600.0
# No figure of a header is as large: more is no figure.
_MOST = 1_000_000


class Usage(NamedTuple):
    """How much of the account's and of our app's calls is used, in percent; seconds to wait, 0 for none."""

    account: int = 0
    account_seconds: float = 0.0
    app: int = 0
    app_seconds: float = 0.0


class CallsSpent(QuotaExceeded):
    """Instagram takes no call of the account, or of our app, for a while: `usage` says of which."""

    def __init__(self, message: str, usage: Usage) -> None:
        wait = timedelta(seconds=max(usage.account_seconds, usage.app_seconds))
        super().__init__(message, datetime.now(UTC) + wait)
        self.usage = usage


class Instagram:
    """A client of one app.

    `api_url` is https://graph.instagram.com, `login_url` https://www.instagram.com, `token_url`
    https://api.instagram.com.
    """

    def __init__(
        self, client_id: str, client_secret: str, api_url: str, login_url: str, token_url: str
    ) -> None:
        self._sender = Sender("Instagram", SECONDS, MOST_BYTES)
        self._client_id = credentials.checked(client_id, "Instagram", CLIENT_ID)
        self._client_secret = credentials.checked(client_secret, "Instagram", CLIENT_SECRET)
        self._api_url, self._login_url = api_url.rstrip("/"), login_url.rstrip("/")
        self._token_url = token_url.rstrip("/")

    def address(self, redirect_uri: str, state: str) -> str:
        """Return the address of the consent page."""
        asked = {
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": ",".join(SCOPES),
            "state": state,
        }
        return f"{self._login_url}/oauth/authorize?{urlencode(asked)}"

    def exchange(self, code: str, redirect_uri: str) -> Tokens:
        """Return a long-lived token for a code. Raises InvalidRequest for one that isn't valid (any more)."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "grant_type": "authorization_code",
            "redirect_uri": redirect_uri,
            # Instagram adds #_ to the address, which some pages send on.
            "code": code.removesuffix("#_"),
        }
        answer = self._sender.send(
            "POST", f"{self._token_url}/oauth/access_token", body=form, until=time.monotonic() + CALL_SECONDS
        )
        if answer.status in (400, 403) and "code" in _text(answer).lower():
            raise InvalidRequest(
                "The code is not valid, used, or too old: begin again.",
                [{"field": "code", "message": "not valid, used, or too old"}],
            )
        document = self._document(answer)
        # Newer answers are in a list.
        granted = document["data"][0] if "data" in document else document
        try:
            user_id, short = str(granted["user_id"]), str(granted["access_token"])
            given = granted.get("permissions", "")
            scopes = tuple(given.split(",") if isinstance(given, str) else map(str, given))
        except (KeyError, TypeError) as error:
            raise PlatformUnavailable("Instagram's answer has no token.") from error
        query = {"grant_type": "ig_exchange_token", "client_secret": self._client_secret}
        return self._long_lived(user_id, "/access_token", query | {"access_token": short}, scopes)

    def refresh(self, refresh_token: str) -> Tokens:
        """Return the long-lived token's successor. Raises Disconnected if the permission has ended."""
        query = {"grant_type": "ig_refresh_token", "access_token": refresh_token}
        return self._long_lived("", "/refresh_access_token", query, ())

    def _long_lived(
        self, account_id: str, path: str, query: dict[str, str], scopes: tuple[str, ...]
    ) -> Tokens:
        answer = self._sender.send(
            "GET", f"{self._api_url}{path}", query=query, until=time.monotonic() + CALL_SECONDS
        )
        document = self._document(answer)
        try:
            token, seconds = str(document["access_token"]), int(document["expires_in"])
        except (KeyError, TypeError, ValueError) as error:
            raise PlatformUnavailable("Instagram's answer has no token.") from error
        return Tokens(account_id, token, seconds, token, seconds, scopes)

    def profile(self, access_token: str) -> tuple[dict[str, Any], Usage]:
        """Return the profile, and what is used of the limits.

        Raises Disconnected, CallsSpent, PlatformRejected or PlatformUnavailable, as all calls do.
        """
        return self._get("/me", {"fields": _PROFILE}, access_token)

    def media(self, access_token: str) -> tuple[dict[str, Any], Usage]:
        """Return the newest 25 posts, as `profile` does."""
        return self._get("/me/media", {"fields": _MEDIA, "limit": "25"}, access_token)

    def insights(self, access_token: str, account_id: str, now: datetime) -> tuple[dict[str, Any], Usage]:
        """Return the figures of the last day (UTC) that is over, as `profile` does."""
        end = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        period = {
            "since": str(int((end - timedelta(days=1)).timestamp())),
            "until": str(int(end.timestamp())),
        }
        query = {"metric": _INSIGHTS, "period": "day", "metric_type": "total_value", **period}
        return self._get(f"/{account_id}/insights", query, access_token)

    def post_insights(self, access_token: str, post_id: str) -> tuple[dict[str, Any], Usage]:
        """Return a post's figures since it was published, as `profile` does."""
        return self._get(f"/{post_id}/insights", {"metric": _POST_INSIGHTS}, access_token)

    def _get(self, path: str, query: dict[str, str], access_token: str) -> tuple[dict[str, Any], Usage]:
        answer = self._sender.send(
            "GET",
            f"{self._api_url}/{VERSION}{path}",
            query=query,
            # As a header: an address with it would end in a log.
            headers={"Authorization": f"Bearer {access_token}"},
            until=time.monotonic() + CALL_SECONDS,
        )
        if spent := _spent(answer):
            raise spent
        return self._document(answer), usage(answer)

    def _document(self, answer: Answer) -> dict[str, Any]:
        document = answer.json("Instagram")
        if answer.status != 200 or not isinstance(document, dict):
            raise _failure(answer, document)
        return document


def usage(answer: Answer) -> Usage:
    """Return what Instagram's headers say of its limits.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting: percentages, and minutes until an
    account's calls are free again.
    """
    accounts = [
        each
        for found in _header(answer, "x-business-use-case-usage").values()
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    ]
    waits = [_minutes(each) * 60 for each in accounts if _percent(each) >= _FULL]
    app = _percent(_header(answer, "x-app-usage"))
    return Usage(
        max(map(_percent, accounts), default=0),
        max(waits, default=0.0),
        app,
        _WAIT_SECONDS if app >= _FULL else 0.0,
    )


def _percent(header: dict[str, Any]) -> int:
    return max(int(_number(header.get(name))) for name in ("call_count", "total_cputime", "total_time"))


def _minutes(header: dict[str, Any]) -> float:
    return _number(header.get("estimated_time_to_regain_access")) or _WAIT_SECONDS / 60


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 <= value < _MOST else 0.0


def _spent(answer: Answer) -> CallsSpent | None:
    """Return the error of an answer that says that calls are spent, None of another one."""
    try:
        error = json.loads(answer.body)["error"]
        code, words = error["code"], str(error.get("message", ""))[:200]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    said, used = f"Instagram answers {answer.status} ({code}): {words}", usage(answer)
    if code == _APP_SPENT:
        return CallsSpent(said, used._replace(app=100, app_seconds=used.app_seconds or _WAIT_SECONDS))
    if code in _ACCOUNT_SPENT:
        wait = used.account_seconds or _WAIT_SECONDS
        return CallsSpent(said, used._replace(account=100, account_seconds=wait))
    return None


def _header(answer: Answer, name: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.headers.get(name, "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _failure(answer: Answer, document: Any) -> ShowrunnerError:
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        # The token endpoint's errors are flat: {"error_type", "code", "error_message"}.
        words = _text(answer)
        if "client" in words.lower():
            return CredentialRejected(
                f"Instagram refuses our app: {CLIENT_ID} and {CLIENT_SECRET} must be those of Meta's console."
            )
        return PlatformUnavailable(f"Instagram answers {answer.status}: {words}", answer.retry_after)
    code, subcode = error.get("code"), error.get("error_subcode")
    said = f"Instagram answers {answer.status} ({code}/{subcode}): {str(error.get('message', ''))[:200]}"
    if code == _TOKEN_ENDED:
        return Disconnected(f"{said} Connect the account again.")
    if code == 10 and _FEW_VIEWERS in said.lower():
        return PlatformRejected(said, str(code))
    if code == 10 or (isinstance(code, int) and 200 <= code <= 299):
        return Disconnected(f"{said} Connect the account again, and leave all permissions on.")
    if spent := _spent(answer):
        # Of a call about tokens: the one that is there may be used for longer.
        return PlatformUnavailable(said, max(spent.usage.account_seconds, spent.usage.app_seconds))
    if code in _BUSY or error.get("is_transient") or answer.status >= 500 or answer.status == 429:
        return PlatformUnavailable(said, answer.retry_after)
    return PlatformRejected(said, str(code))


def _text(answer: Answer) -> str:
    return answer.body[:300].decode(errors="replace")

"""TikTok's login and Display API: refresh tokens that work once, and accounts with invented figures.

https://developers.tiktok.com/doc/oauth-user-access-token-management,
https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info.
"""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from local.outcomes import Outcomes
from local.platforms import clock, consent, limits
from local.platforms.http import Reply, Request

Json = dict[str, Any]
LIMITS = limits.of("tiktok")
AUTHORIZE, TOKEN = "/v2/auth/authorize/", "/v2/oauth/token/"
USER, VIDEOS = "/v2/user/info/", "/v2/video/list/"
OUTCOMES = ("rate_limit", "daily_quota", "internal_error", "bad_gateway", "truncated")
# Field -> the scope that it needs.
USER_FIELDS = (
    dict.fromkeys(("open_id", "union_id", "avatar_url", "display_name"), "user.info.basic")
    | dict.fromkeys(("bio_description", "profile_deep_link", "is_verified", "username"), "user.info.profile")
    | dict.fromkeys(("follower_count", "following_count", "likes_count", "video_count"), "user.info.stats")
)
VIDEO_FIELDS = (
    *("id", "title", "create_time", "cover_image_url", "share_url", "video_description", "duration"),
    *("view_count", "like_count", "comment_count", "share_count"),
)
# Followers grow from this moment on: 2026-01-01, in seconds.
BEGIN = 1_767_225_600


class Grant(NamedTuple):
    """The scopes that a person has allowed, and until when the token works."""

    person: str
    scopes: tuple[str, ...]
    ends_at: float


@dataclass
class App:
    """An app at TikTok.

    `figures`: name of the account -> fields of the user that replace invented ones. `videos`: name of the
    account -> how many it has, 3 without an entry. `refreshes` counts the tokens renewed.
    """

    client_key: str = "local"
    client_secret: str = "local"  # noqa: S105 - the launcher's default
    figures: dict[str, Json] = field(default_factory=dict)
    videos: dict[str, int] = field(default_factory=dict)
    codes: dict[str, consent.Code] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, Grant] = field(default_factory=dict)
    refreshes: int = 0
    calls: int = 0
    windows: dict[str, limits.Window] = field(default_factory=dict)
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    token_outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))

    def learn(self, known: Json) -> None:
        """Apply `tiktok` of POST /_state: figures, videos, outcomes, token_outcomes, names revoked."""
        self.figures.update(known.get("figures", {}))
        self.videos.update(known.get("videos", {}))
        self.outcomes.add_all(known.get("outcomes", []))
        self.token_outcomes.add_all(known.get("token_outcomes", []))
        for person in known.get("revoked", []):
            self.revoke(person)

    def revoke(self, person: str) -> None:
        """End all tokens of a person, as they do in TikTok's settings."""
        for tokens in (self.refresh_tokens, self.access_tokens):
            for token in [token for token, grant in tokens.items() if grant.person == person]:
                del tokens[token]


def answer(app: App, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't TikTok's."""
    match request.method, request.path:
        case "GET", path if path == AUTHORIZE:
            if request.query.get("client_key") != app.client_key:
                return Reply(400, b"client_key", "text/plain")
            return consent.answer("TikTok", request, app.codes)
        case "POST", path if path == TOKEN:
            return _token(app, request)
        case "GET", path if path == USER:
            return _guarded(app, request) or _user(app, request)
        case "POST", path if path == VIDEOS:
            return _guarded(app, request) or _videos(app, request)
    return None


def open_id(person: str) -> str:
    """Return the id of an account for this app."""
    return f"-000{hashlib.sha256(person.encode()).hexdigest()[:28]}"


def user(app: App, person: str, now: float | None = None) -> Json:
    """Return an account: the same for the same name and time."""
    digest = hashlib.sha256(person.encode()).digest()
    days = max(0.0, ((clock.now() if now is None else now) - BEGIN) / 86_400)
    return {
        "open_id": open_id(person),
        "union_id": f"union{open_id(person)}",
        "avatar_url": "https://example.com/avatar.jpeg",
        "display_name": person.title(),
        "bio_description": "",
        "profile_deep_link": f"https://www.tiktok.com/@{person}",
        "is_verified": False,
        "username": person,
        "follower_count": 100 * 10 ** (digest[0] % 5) + int(days * (1 + digest[1])),
        "following_count": digest[2],
        "likes_count": 1_000 * (1 + digest[3]) + int(days * digest[4]),
        "video_count": app.videos.get(person, 3),
    } | app.figures.get(person, {})


def _token(app: App, request: Request) -> Reply:
    if refused := _scripted(app.token_outcomes):
        return refused
    form = request.form
    if (form.get("client_key"), form.get("client_secret")) != (app.client_key, app.client_secret):
        return _oauth_error("invalid_client", "Client key or secret is incorrect.", 401)
    if form.get("grant_type") == "authorization_code":
        code = consent.take(
            app.codes, form.get("code", ""), form.get("redirect_uri", ""), LIMITS["code_seconds"]
        )
        if code is None:
            return _oauth_error("invalid_grant", "Authorization code is expired.")
        return _tokens(app, code.person, code.scopes)
    if form.get("grant_type") != "refresh_token":
        return _oauth_error("unsupported_grant_type", "")
    # It works once.
    known = app.refresh_tokens.pop(form.get("refresh_token", ""), None)
    if known is None or known.ends_at <= time.time():
        return _oauth_error("invalid_grant", "Refresh token is invalid or expired.")
    app.refreshes += 1
    return _tokens(app, known.person, known.scopes)


def _tokens(app: App, person: str, scopes: tuple[str, ...]) -> Reply:
    access, refresh, now = f"act.{secrets.token_hex(24)}", f"rft.{secrets.token_hex(24)}", time.time()
    app.access_tokens[access] = Grant(person, scopes, now + LIMITS["access_seconds"])
    app.refresh_tokens[refresh] = Grant(person, scopes, now + LIMITS["refresh_seconds"])
    return Reply.json(
        {
            "open_id": open_id(person),
            "scope": ",".join(scopes),
            "access_token": access,
            "expires_in": LIMITS["access_seconds"],
            "refresh_token": refresh,
            "refresh_expires_in": LIMITS["refresh_seconds"],
            "token_type": "Bearer",
        }
    )


def _grant(app: App, request: Request) -> Grant | None:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    found = app.access_tokens.get(token)
    return found if found and found.ends_at > time.time() else None


def _guarded(app: App, request: Request) -> Reply | None:
    """Return the refusal of a call, None if it may be answered."""
    if refused := _scripted(app.outcomes):
        return refused
    if _grant(app, request) is None:
        return _error(401, "access_token_invalid", "The access token is invalid or not found in the request.")
    window = app.windows.setdefault(
        request.path, limits.Window(LIMITS["window_calls"], LIMITS["window_seconds"])
    )
    app.calls += 1
    return _error(429, "rate_limit_exceeded", "The API rate limit was exceeded.") if window.take() else None


def _user(app: App, request: Request) -> Reply:
    grant, fields = _grant(app, request), request.query.get("fields", "").split(",")
    if grant is None or set(request.query) != {"fields"} or not set(fields) <= set(USER_FIELDS):
        return _error(400, "invalid_params", "Invalid fields is requested.")
    if any(USER_FIELDS[each] not in grant.scopes for each in fields):
        return _error(401, "scope_not_authorized", "The user did not authorize the scope required.")
    found = user(app, grant.person)
    return _ok({"user": {name: found[name] for name in fields}})


def _videos(app: App, request: Request) -> Reply:
    grant, fields = _grant(app, request), request.query.get("fields", "").split(",")
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if (
        grant is None
        or not set(fields) <= set(VIDEO_FIELDS)
        or request.headers.get("content-type") != "application/json"
        or not isinstance(body, dict)
        or not set(body) <= {"max_count", "cursor"}
        or not 1 <= body.get("max_count", 10) <= LIMITS["page"]
    ):
        return _error(400, "invalid_params", "The request parameters are invalid.")
    if "video.list" not in grant.scopes:
        return _error(401, "scope_not_authorized", "The user did not authorize the scope required.")
    count, size = user(app, grant.person)["video_count"], body.get("max_count", 10)
    # A cursor is the time of the page's last video in milliseconds.
    newest = count - 1 if "cursor" not in body else body["cursor"] // 1000 - BEGIN - 1
    numbers = range(newest, max(-1, newest - size), -1)
    found = [{name: _video(number)[name] for name in fields} for number in numbers]
    last = numbers[-1] if numbers else 0
    return _ok({"videos": found, "cursor": (BEGIN + last) * 1000, "has_more": last > 0})


def _video(number: int) -> Json:
    return dict.fromkeys(VIDEO_FIELDS, "") | {
        "id": str(7_300_000_000_000_000_000 + number),
        "create_time": BEGIN + number,
        "duration": 15,
        "view_count": 100 * (1 + number),
        "like_count": 10,
        "comment_count": 1,
        "share_count": 0,
    }


def _scripted(outcomes: Outcomes) -> Reply | None:
    outcome = outcomes.take()
    match outcome.name if outcome else "":
        case "rate_limit":
            return _error(429, "rate_limit_exceeded", "The API rate limit was exceeded.")
        case "daily_quota":
            return _error(429, "daily_quota_limit_exceeded", "The daily quota was exceeded.")
        case "internal_error":
            return _error(500, "internal_error", "Something is wrong.")
        case "bad_gateway":
            return Reply(502, b"<html>Bad gateway</html>", "text/html")
        case "truncated":
            return Reply(200, b'{"data": {"user": {')
    return None


def _ok(data: Json) -> Reply:
    return Reply.json({"data": data, "error": {"code": "ok", "message": "", "log_id": secrets.token_hex(8)}})


def _error(status: int, code: str, message: str) -> Reply:
    return Reply.json(
        {"data": {}, "error": {"code": code, "message": message, "log_id": secrets.token_hex(8)}}, status
    )


def _oauth_error(error: str, words: str, status: int = 400) -> Reply:
    return Reply.json({"error": error, "error_description": words, "log_id": secrets.token_hex(8)}, status)

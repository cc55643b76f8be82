"""Spotify's Web API: tokens for an app, and artists with invented figures that grow.

https://developer.spotify.com/documentation/web-api. What apps in development mode lost in 2024 and 2026,
and the two kinds of 429: https://developer.spotify.com/documentation/web-api/references/changes.
"""

import base64
import hashlib
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from local.outcomes import Outcomes
from local.platforms import clock, limits, spotify_catalogue
from local.platforms.http import Reply, Request

Json = dict[str, Any]
LIMITS = limits.of("spotify")
TOKEN, ARTISTS = "/api/token", "/v1/artists"
ID = re.compile("[A-Za-z0-9]{22}", re.ASCII)
OUTCOMES = ("rate_limit", "quota", "server_error", "bad_gateway", "truncated", "expired_token", "no_premium")
# What only apps in extended mode get.
EXTENDED_FIELDS = ("followers", "popularity")
# Followers grow from this moment on: 2026-01-01, in seconds.
BEGIN = 1_767_225_600


@dataclass
class App:
    """An app at Spotify.

    `missing`: ids that Spotify doesn't have. `figures`: id -> fields that replace invented ones. `window`
    counts its calls, `calls` those of the day for an app in development mode.
    """

    client_id: str = "local"
    client_secret: str = "local"  # noqa: S105 - the launcher's default
    mode: str = "extended"
    missing: set[str] = field(default_factory=set)
    figures: dict[str, Json] = field(default_factory=dict)
    # token -> when it ends
    tokens: dict[str, float] = field(default_factory=dict)
    window: limits.Window = field(
        default_factory=lambda: limits.Window(LIMITS["window_calls"], LIMITS["window_seconds"])
    )
    calls: int = 0
    calls_a_day: int = LIMITS["development_calls_a_day"]
    renewal: limits.Renewal = field(default_factory=lambda: limits.Renewal("UTC"))
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))

    def learn(self, known: Json) -> None:
        """Apply `spotify` of POST /_state: mode, missing, figures, outcomes."""
        self.mode = known.get("mode", self.mode)
        self.missing.update(known.get("missing", []))
        self.figures.update(known.get("figures", {}))
        self.outcomes.add_all(known.get("outcomes", []))


def answer(app: App, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't Spotify's."""
    if request.path == TOKEN:
        return _token(app, request) if request.method == "POST" else _error(405, "Method not allowed")
    if spotify_catalogue.is_path(request.path):
        return _guarded(app, request) or spotify_catalogue.answer(app.mode, request)
    if request.path != ARTISTS and not request.path.startswith(f"{ARTISTS}/"):
        return None
    return _guarded(app, request) or (
        _artists(app, request) if request.path == ARTISTS else _artist(app, request)
    )


def _token(app: App, request: Request) -> Reply:
    login = base64.b64encode(f"{app.client_id}:{app.client_secret}".encode()).decode()
    if request.headers.get("authorization") != f"Basic {login}":
        return Reply.json({"error": "invalid_client", "error_description": "Invalid client"}, 400)
    if request.headers.get("content-type") != "application/x-www-form-urlencoded" or request.form != {
        "grant_type": "client_credentials"
    }:
        return Reply.json({"error": "unsupported_grant_type", "error_description": ""}, 400)
    token = f"BQ{secrets.token_urlsafe(40)}"
    app.tokens[token] = time.time() + LIMITS["token_seconds"]
    return Reply.json({"access_token": token, "token_type": "Bearer", "expires_in": LIMITS["token_seconds"]})


def _guarded(app: App, request: Request) -> Reply | None:
    """Return the refusal of a call, None if it may be answered."""
    outcome = app.outcomes.take()
    scripted = outcome.name if outcome else ""
    if scripted in ("server_error", "bad_gateway"):
        return Reply(502 if scripted == "bad_gateway" else 500, b"<html>Bad gateway</html>", "text/html")
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if scripted == "expired_token":
        app.tokens.pop(token, None)
    if app.tokens.get(token, 0.0) <= time.time():
        return _error(401, "The access token expired" if token else "No token provided")
    if scripted == "no_premium":
        return _error(
            403,
            "Your application is blocked from accessing the Web API since you do not have a Spotify Premium"
            " subscription",
        )
    seconds = 7 if scripted == "rate_limit" else app.window.take()
    if seconds:
        return _error(429, "API rate limit exceeded", {"Retry-After": str(seconds)})
    app.calls += 1
    used = app.renewal.used("calls", app.calls)
    if scripted == "quota" or (app.mode == "development" and used > app.calls_a_day):
        return _error(429, "Too many requests", {"Retry-After": "36000"}, reason="QUOTA_EXCEEDED")
    if scripted == "truncated":
        return Reply(200, b'{"artists": [{"id": "4Z8W4fKe')
    if request.method != "GET":
        return _error(405, "Method not allowed")
    return None


def _artists(app: App, request: Request) -> Reply:
    if app.mode == "development":
        return _error(403, "Forbidden")
    if set(request.query) != {"ids"}:
        return _error(400, "Missing required field: ids")
    ids = request.query["ids"].split(",")
    if len(ids) > LIMITS["ids"]:
        return _error(400, "Too many ids requested")
    if not all(ID.fullmatch(each) for each in ids):
        return _error(400, "invalid id")
    return Reply.json({"artists": [None if each in app.missing else artist(app, each) for each in ids]})


def _artist(app: App, request: Request) -> Reply:
    id_ = request.path.removeprefix(f"{ARTISTS}/")
    if not ID.fullmatch(id_) or request.query:
        return _error(400, "Invalid base62 id")
    return _error(404, "Resource not found") if id_ in app.missing else Reply.json(artist(app, id_))


def artist(app: App, id_: str, now: float | None = None) -> Json:
    """Return an artist: the same for the same id and time."""
    digest = hashlib.sha256(id_.encode()).digest()
    days = max(0.0, ((clock.now() if now is None else now) - BEGIN) / 86_400)
    followers = 50 * 10 ** (digest[0] % 5) + digest[1] + int(days * (1 + digest[2]))
    found = {
        "external_urls": {"spotify": f"https://open.spotify.com/artist/{id_}"},
        "followers": {"href": None, "total": followers},
        "genres": [],
        "href": f"https://api.spotify.com/v1/artists/{id_}",
        "id": id_,
        "images": [],
        "name": f"Artist {id_[:6]}",
        "popularity": digest[3] % 101,
        "type": "artist",
        "uri": f"spotify:artist:{id_}",
    } | app.figures.get(id_, {})
    hidden = EXTENDED_FIELDS if app.mode == "development" else ()
    return {name: value for name, value in found.items() if name not in hidden}


def _error(status: int, message: str, headers: dict[str, str] | None = None, **more: str) -> Reply:
    return Reply.json({"error": {"status": status, "message": message, **more}}, status, headers)

"""Instagram's login and API for professional accounts: tokens of an hour and of 60 days, invented figures.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login.
"""

import hashlib
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from local.outcomes import Outcomes
from local.platforms import clock, consent, limits
from local.platforms.http import Reply, Request

Json = dict[str, Any]
LIMITS = limits.of("instagram")
AUTHORIZE, CODE = "/oauth/authorize", "/oauth/access_token"
EXCHANGE, REFRESH = "/access_token", "/refresh_access_token"
# Versions that live: https://developers.facebook.com/docs/graph-api/changelog
VERSIONED = re.compile(r"/v2[1-6]\.0/(me|me/media|\d+/insights)")
BASIC, INSIGHTS = "instagram_business_basic", "instagram_business_manage_insights"
PROFILE = (
    *("id", "user_id", "username", "name", "account_type", "profile_picture_url"),
    *("followers_count", "follows_count", "media_count"),
)
MEDIA = (
    *("id", "caption", "media_type", "media_product_type", "media_url", "permalink", "thumbnail_url"),
    *("timestamp", "like_count", "comments_count"),
)
# impressions, plays and video_views ended on 2025-04-21.
METRICS = ("views", "reach", "total_interactions", "likes", "comments", "saves", "shares")
OUTCOMES = ("limit", "app_limit", "transient", "bad_gateway", "truncated", "password_changed", "full")
# Posts with fewer viewers have no insights, as stories often do.
FEW = "Not enough viewers for the media to show insights"
# Followers grow from this moment on: 2026-01-01, in seconds.
BEGIN = 1_767_225_600
DAY = 86_400


class Grant(NamedTuple):
    person: str
    scopes: tuple[str, ...]
    issued_at: float
    seconds: float

    @property
    def is_valid(self) -> bool:
        return self.issued_at + self.seconds > time.time()


@dataclass
class App:
    """An app at Instagram.

    Calls are counted as Instagram counts them: those of each account in 24 hours, by how often its content
    was seen (`impressions`), and those of the app in an hour, by its accounts. With `factor` the clock of
    both runs so many times as fast.

    `figures`: name of the account -> fields of the profile that replace invented ones. `unknown`: names
    whose insights are empty, as on the first days. `silent`: days (ISO dates) without insights of any
    account.
    """

    client_id: str = "local"
    client_secret: str = "local"  # noqa: S105 - the launcher's default
    figures: dict[str, Json] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    # Numbers of posts, of every account, that too few people have seen.
    unseen: set[int] = field(default_factory=set)
    codes: dict[str, consent.Code] = field(default_factory=dict)
    short_tokens: dict[str, Grant] = field(default_factory=dict)
    long_tokens: dict[str, Grant] = field(default_factory=dict)
    refreshes: int = 0
    calls: int = 0
    impressions: dict[str, int] = field(default_factory=dict)
    factor: float = 1.0
    windows: dict[str, limits.Window] = field(default_factory=dict)
    app_window: limits.Window | None = None
    # Of how many tokens the app's window is: their people are counted again only after a change.
    counted_tokens: int = 0
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    token_outcomes: Outcomes = field(default_factory=lambda: Outcomes(OUTCOMES))
    # Held while a window is made.
    counting: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, known: Json) -> None:
        """Apply `instagram` of POST /_state.

        It has figures, impressions, unknown, outcomes, token_outcomes, and names revoked.
        """
        self.impressions.update(known.get("impressions", {}))
        self.figures.update(known.get("figures", {}))
        self.unknown.update(known.get("unknown", []))
        self.outcomes.add_all(known.get("outcomes", []))
        self.token_outcomes.add_all(known.get("token_outcomes", []))
        for person in known.get("revoked", []):
            self.revoke(person)

    @property
    def refused(self) -> int:
        """Return how many calls were over a limit."""
        return sum(each.refused for each in (*self.windows.values(), self.window_of_app()))

    def window(self, person: str) -> limits.Window:
        """Return the window of an account's calls, as large as its content was seen."""
        seen = max(self.impressions.get(person, 0), LIMITS["least_impressions"])
        with self.counting:
            if person not in self.windows:
                self.windows[person] = limits.Window(0, LIMITS["account_seconds"], self.factor)
        self.windows[person].calls = LIMITS["calls_an_impression"] * seen
        return self.windows[person]

    def window_of_app(self) -> limits.Window:
        """Return the window of all calls, as large as the app has accounts."""
        with self.counting:
            if self.app_window is None:
                self.app_window = limits.Window(0, LIMITS["app_seconds"], self.factor)
            if len(self.long_tokens) != self.counted_tokens:
                self.counted_tokens = len(self.long_tokens)
                people = {grant.person for grant in self.long_tokens.values()}
                self.app_window.calls = LIMITS["app_calls_a_user"] * len(people)
            return self.app_window

    def revoke(self, person: str) -> None:
        """End all tokens of a person, as they do in Instagram's settings."""
        for tokens in (self.short_tokens, self.long_tokens):
            for token in [token for token, grant in tokens.items() if grant.person == person]:
                del tokens[token]


def answer(app: App, request: Request) -> Reply | None:
    """Return the reply, None if the path isn't Instagram's."""
    match request.method, request.path:
        case "GET", path if path == AUTHORIZE:
            if request.query.get("client_id") != app.client_id:
                return Reply(400, b"Invalid platform app", "text/plain")
            return consent.answer("Instagram", request, app.codes)
        case "POST", path if path == CODE:
            return _code(app, request)
        case "GET", path if path == EXCHANGE:
            return _exchange(app, request)
        case "GET", path if path == REFRESH:
            return _refresh(app, request)
        case "GET", path if VERSIONED.fullmatch(path):
            return _call(app, request, path.partition("/")[2].partition("/")[2])
    return None


def user_id(person: str) -> str:
    """Return the id of an account."""
    return f"17841{int(hashlib.sha256(person.encode()).hexdigest(), 16) % 10**12:012}"


def profile(app: App, person: str, now: float | None = None) -> Json:
    """Return an account: the same for the same name and time."""
    digest = hashlib.sha256(person.encode()).digest()
    days = max(0.0, ((clock.now() if now is None else now) - BEGIN) / 86_400)
    return {
        "id": f"9{user_id(person)[1:]}",
        "user_id": user_id(person),
        "username": person,
        "name": person.title(),
        "account_type": "BUSINESS",
        "profile_picture_url": "https://example.com/picture.jpeg",
        "followers_count": 80 * 10 ** (digest[0] % 5) + int(days * (1 + digest[1])),
        "follows_count": digest[2],
        "media_count": 2 + digest[3] % 30,
    } | app.figures.get(person, {})


def _code(app: App, request: Request) -> Reply:
    if refused := _scripted(app.token_outcomes):
        return refused
    form = request.form
    if (form.get("client_id"), form.get("client_secret")) != (app.client_id, app.client_secret):
        return Reply.json(
            {"error_type": "OAuthException", "code": 400, "error_message": "Invalid platform client"}, 400
        )
    code = consent.take(app.codes, form.get("code", ""), form.get("redirect_uri", ""), LIMITS["code_seconds"])
    if code is None or form.get("grant_type") != "authorization_code":
        words = "Matching code was not found or was already used"
        return Reply.json({"error_type": "OAuthException", "code": 400, "error_message": words}, 400)
    token = f"EAA{secrets.token_hex(24)}"
    app.short_tokens[token] = Grant(code.person, code.scopes, time.time(), LIMITS["short_seconds"])
    granted = {
        "access_token": token,
        "user_id": user_id(code.person),
        "permissions": ",".join(code.scopes),
    }
    return Reply.json({"data": [granted]})


def _exchange(app: App, request: Request) -> Reply:
    if refused := _scripted(app.token_outcomes):
        return refused
    query = request.query
    if query.get("client_secret") != app.client_secret or query.get("grant_type") != "ig_exchange_token":
        return _error(400, 101, "Error validating client secret.")
    known = app.short_tokens.get(query.get("access_token", ""))
    if known is None or not known.is_valid:
        return _error(400, 190, "Invalid OAuth access token.")
    return _long(app, known)


def _refresh(app: App, request: Request) -> Reply:
    if refused := _scripted(app.token_outcomes):
        return refused
    query = request.query
    known = app.long_tokens.get(query.get("access_token", ""))
    if query.get("grant_type") != "ig_refresh_token":
        return _error(400, 100, "Invalid parameter: grant_type")
    if known is None or not known.is_valid:
        return _error(400, 190, "Error validating access token: Session has expired.", 463)
    if time.time() - known.issued_at < LIMITS["least_age_seconds"]:
        return _error(400, 100, "The token is younger than 24 hours.")
    app.refreshes += 1
    return _long(app, known)


def _long(app: App, grant: Grant) -> Reply:
    token = f"IGAA{secrets.token_hex(24)}"
    app.long_tokens[token] = Grant(grant.person, grant.scopes, time.time(), LIMITS["long_seconds"])
    return Reply.json({"access_token": token, "token_type": "bearer", "expires_in": LIMITS["long_seconds"]})


def _call(app: App, request: Request, path: str) -> Reply:
    outcome = app.outcomes.take()
    scripted = outcome.name if outcome else ""
    if scripted != "limit" and (failed := _failure(scripted)):
        return failed
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    grant = app.long_tokens.get(token)
    if grant is None or not grant.is_valid:
        return _error(401, 190, "Error validating access token.", 463)
    app.calls += 1
    usage, refused = _counted(app, grant.person, scripted)
    if refused:
        return Reply(refused.status, refused.body, headers=usage)
    if path == "me":
        reply = _fields(request, PROFILE, lambda fields: _chosen(profile(app, grant.person), fields))
    elif path == "me/media":
        reply = _fields(request, MEDIA, lambda fields: _media(app, grant.person, fields), ("limit", "after"))
    else:
        reply = _insights(app, request, grant, path.partition("/")[0])
    return Reply(reply.status, reply.body, headers=usage)


def _counted(app: App, person: str, scripted: str) -> tuple[dict[str, str], Reply | None]:
    """Count a call. Returns the headers about what is used, and the refusal if it was one too many.

    https://developers.facebook.com/docs/graph-api/overview/rate-limiting
    """
    account, all_calls = app.window(person), app.window_of_app()
    refused, minutes = None, 0
    if all_calls.take() or scripted == "app_limit":
        refused = _error(400, 4, "Application request limit reached")
    elif seconds := account.take():
        minutes = -(-seconds // 60)
        refused = _error(400, 80002, "There have been too many calls to this Instagram account.")
    if scripted == "limit":
        minutes, refused = 9, _failure(scripted)
    used = {"full": 97, "limit": 100}.get(scripted, _percent(account))
    if scripted == "full":
        minutes = 9
    times = {"total_cputime": 1, "total_time": 1}
    of_account = {"type": "instagram", "call_count": used, "estimated_time_to_regain_access": minutes}
    of_app = {"call_count": 100 if scripted == "app_limit" else _percent(all_calls)}
    headers = {
        "X-Business-Use-Case-Usage": json.dumps({user_id(person): [of_account | times]}),
        "X-App-Usage": json.dumps(of_app | times),
    }
    return headers, refused


def _percent(window: limits.Window) -> int:
    return 100 * window.used() // window.calls


def _fields(request: Request, known: tuple[str, ...], make: Any, more: tuple[str, ...] = ()) -> Reply:
    fields = request.query.get("fields", "").split(",")
    if not set(request.query) <= {"fields", *more} or not set(fields) <= set(known):
        return _error(400, 100, "Tried accessing nonexisting field")
    return Reply.json(make(fields))


def _chosen(document: Json, fields: list[str]) -> Json:
    return {name: document[name] for name in fields}


def _media(app: App, person: str, fields: list[str]) -> Json:
    count = min(LIMITS["page"], profile(app, person)["media_count"])
    posts = [
        dict.fromkeys(MEDIA, "")
        | {
            "id": f"18{number:015}",
            "media_type": "VIDEO",
            "media_product_type": "REELS",
            "timestamp": "2026-11-20T07:56:32+0000",
            "like_count": 10 * number,
            "comments_count": number,
        }
        for number in range(count)
    ]
    return {
        "data": [_chosen(post, fields) for post in posts],
        "paging": {"cursors": {"before": "QV", "after": "QW"}},
    }


def _insights(app: App, request: Request, grant: Grant, account: str) -> Reply:
    query = request.query
    metrics = query.get("metric", "").split(",")
    if not set(query) <= {"metric", "period", "metric_type", "since", "until"} or not set(metrics) <= set(
        METRICS
    ):
        return _error(400, 100, "(#100) metric must be one of the following values: views, reach, …")
    if account.startswith("18"):
        return _post_insights(app, query, grant, account)
    if query.get("period") != "day" or query.get("metric_type") != "total_value":
        return _error(400, 100, "(#100) Incompatible metrics and period")
    if account != user_id(grant.person):
        return _error(400, 100, "Object does not exist or cannot be loaded", 33)
    if INSIGHTS not in grant.scopes:
        return _error(403, 10, "Application does not have permission for this action")
    days = _days(query)
    if isinstance(days, Reply):
        return days
    values = [
        {"name": metric, "period": "day", "total_value": {"value": 100 * (number + 1) * len(days)}}
        for number, metric in enumerate(metrics)
    ]
    # Empty instead of 0, up to two days late.
    is_unknown = grant.person in app.unknown or bool(app.silent.intersection(days))
    return Reply.json({"data": [] if is_unknown else values})


def _days(query: dict[str, str]) -> list[str] | Reply:
    """Return the days (ISO dates, UTC) from since to until, or the error for these."""
    since, until = query.get("since", ""), query.get("until", "")
    if not since.isdigit() or not until.isdigit() or int(since) >= int(until):
        return _error(400, 100, "(#100) since param is not valid")
    if int(until) - int(since) > LIMITS["insights_days"] * DAY:
        return _error(
            400, 100, "(#100) There cannot be more than 30 days (2592000 s) between since and until"
        )
    if int(since) < clock.now() - LIMITS["insights_kept_days"] * DAY:
        return _error(400, 100, "(#100) Insights older than two years are not available")
    return [datetime.fromtimestamp(at, UTC).date().isoformat() for at in range(int(since), int(until), DAY)]


def _post_insights(app: App, query: dict[str, str], grant: Grant, post: str) -> Reply:
    """Return a post's insights, of its whole life: these take neither period nor metric_type."""
    if set(query) != {"metric"}:
        return _error(400, 100, "(#100) Incompatible metrics and period")
    if INSIGHTS not in grant.scopes:
        return _error(403, 10, "Application does not have permission for this action")
    number = int(post) % 1_000
    if number in app.unseen:
        return _error(400, 10, f"(#10) {FEW}")
    values = [
        {
            "name": each,
            "period": "lifetime",
            "values": [{"value": 50 * (number + 1)}],
            "id": f"{post}/insights",
        }
        for each in query["metric"].split(",")
    ]
    return Reply.json({"data": values})


def _scripted(outcomes: Outcomes) -> Reply | None:
    outcome = outcomes.take()
    return _failure(outcome.name) if outcome else None


def _failure(scripted: str) -> Reply | None:
    match scripted:
        case "limit":
            return _error(400, 80002, "There have been too many calls to this Instagram account.")
        case "transient":
            return _error(500, 2, "An unexpected error has occurred. Please retry your request later.")
        case "bad_gateway":
            return Reply(502, b"<html>Bad gateway</html>", "text/html")
        case "truncated":
            return Reply(200, b'{"user_id": "178')
        case "password_changed":
            return _error(
                400, 190, "The session has been invalidated because the user changed the password.", 460
            )
    return None


def _error(status: int, code: int, message: str, subcode: int | None = None) -> Reply:
    error: Json = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    return Reply.json({"error": error | ({} if subcode is None else {"error_subcode": subcode})}, status)

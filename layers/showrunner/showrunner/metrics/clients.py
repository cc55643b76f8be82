"""The clients of the platforms whose accounts are connected, with the stage's apps."""

from functools import cache

from showrunner import breakers, config
from showrunner.aws import ssm
from showrunner.errors import ConfigurationMissing
from showrunner.models import Tokens
from showrunner.platforms.google import Google
from showrunner.platforms.instagram import Instagram
from showrunner.platforms.tiktok import Tiktok
from showrunner.platforms.youtube_analytics import Analytics

# https://developers.google.com/identity/protocols/oauth2#expiration
GOOGLE_UNUSED_SECONDS = 180 * 86_400


def client_of_tiktok() -> Tiktok:
    """Return the client of the stage's app at TikTok. Raises ConfigurationMissing without one."""
    found = ssm.secrets(["tiktok/client_key", "tiktok/client_secret"], default="")
    return _tiktok(*_complete("TikTok", found))


def client_of_instagram() -> Instagram:
    """Return the client of the stage's app at Instagram. Raises ConfigurationMissing without one."""
    found = ssm.secrets(["instagram/client_id", "instagram/client_secret"], default="")
    return _instagram(*_complete("Instagram", found))


def address(platform: str, redirect_uri: str, state: str) -> str:
    """Return the address of the platform's consent page."""
    client = client_of_tiktok() if platform == "tiktok" else client_of_instagram()
    return client.address(redirect_uri, state)


def exchange(platform: str, code: str, redirect_uri: str) -> Tokens:
    """Return the tokens for a code that the platform has sent."""
    if platform == "tiktok":
        with breakers.guard("tiktok", "exchange"):
            return client_of_tiktok().exchange(code, redirect_uri)
    with breakers.guard("instagram", "exchange"):
        return client_of_instagram().exchange(code, redirect_uri)


def refresh(platform: str, refresh_token: str) -> Tokens:
    """Return new tokens."""
    if platform == "tiktok":
        with breakers.guard("tiktok", "refresh"):
            return client_of_tiktok().refresh(refresh_token)
    if platform == "youtube":
        return _refresh_at_google(refresh_token)
    with breakers.guard("instagram", "refresh"):
        return client_of_instagram().refresh(refresh_token)


def google_tokens(
    channel_id: str, access_token: str, seconds: int, refresh_token: str, scopes: tuple[str, ...] = ()
) -> Tokens:
    """Return the tokens of a channel. Google's refresh tokens end when nobody uses them for six months."""
    return Tokens(channel_id, access_token, seconds, refresh_token, GOOGLE_UNUSED_SECONDS, scopes)


def _refresh_at_google(refresh_token: str) -> Tokens:
    """Return a new access token; the refresh token stays."""
    client_id, client_secret = ssm.secrets(["google/client_id", "google/client_secret"]).values()
    with breakers.guard("google", "refresh"):
        google = Google(config.setting("GOOGLE_URL"))
        token, seconds = google.refresh(client_id.strip(), client_secret.strip(), refresh_token)
    return google_tokens("", token, seconds, refresh_token)


@cache
def client_of_analytics() -> Analytics:
    """Return the client of YouTube Analytics."""
    return Analytics(config.setting("YOUTUBE_ANALYTICS_URL"))


def _complete(platform: str, found: dict[str, str]) -> list[str]:
    if missing := [name for name, value in found.items() if not value]:
        raise ConfigurationMissing(
            f"This stage has no app at {platform}: store {' and '.join(missing)} in SSM."
        )
    return list(found.values())


@cache
def _tiktok(client_key: str, client_secret: str) -> Tiktok:
    return Tiktok(
        client_key, client_secret, config.setting("TIKTOK_API_URL"), config.setting("TIKTOK_LOGIN_URL")
    )


@cache
def _instagram(client_id: str, client_secret: str) -> Instagram:
    return Instagram(
        client_id,
        client_secret,
        config.setting("INSTAGRAM_API_URL"),
        config.setting("INSTAGRAM_LOGIN_URL"),
        config.setting("INSTAGRAM_OAUTH_URL"),
    )

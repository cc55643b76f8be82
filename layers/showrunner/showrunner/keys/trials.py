"""Try a new key with a harmless call before anything reads it."""

import base64
from collections.abc import Callable, Mapping
from typing import NamedTuple

from showrunner import config
from showrunner.access import service_accounts
from showrunner.aws import ssm
from showrunner.errors import CredentialRejected, Disconnected, PlatformUnavailable
from showrunner.platforms.google import Google
from showrunner.platforms.http import Sender

SECONDS = 20
# The largest answer is OpenAI's list of models.
MOST_BYTES = 1_000_000
# Google answers 400 to a key that it doesn't know.
REFUSALS = (400, 401, 403)


class Trial(NamedTuple):
    """A GET that costs nothing, or one unit.

    `address` is the service's own. `stage_address` returns the stage's, which may be a stand-in's. `known`
    are refusals that a valid key gets too, because the call is none that we need.
    """

    service: str
    address: str
    stage_address: Callable[[], str]
    path: str
    headers: Callable[[str], Mapping[str, str]]
    query: Callable[[str], Mapping[str, str]] = lambda _: {}
    known: tuple[int, ...] = ()


TRIALS: Mapping[str, Trial] = {
    "openai/api_key": Trial(
        "OpenAI",
        "https://api.openai.com/v1",
        lambda: config.setting("OPENAI_BASE_URL"),
        "/models",
        lambda key: {"Authorization": f"Bearer {key}"},
    ),
    "elevenlabs/api_key": Trial(
        "ElevenLabs",
        "https://api.elevenlabs.io",
        lambda: config.setting("ELEVENLABS_BASE_URL"),
        "/v1/user/subscription",
        lambda key: {"xi-api-key": key},
    ),
    "youtube/api_key": Trial(
        "YouTube",
        "https://youtube.googleapis.com",
        lambda: config.setting("YOUTUBE_BASE_URL"),
        "/youtube/v3/videos?part=id&id=jNQXAC9IVRw",
        lambda key: {"X-Goog-Api-Key": key},
    ),
    "pixabay/api_key": Trial(
        "Pixabay",
        "https://pixabay.com",
        lambda: config.setting("PIXABAY_BASE_URL"),
        "/api/?q=sea&per_page=3",
        lambda _: {},
        lambda key: {"key": key},
    ),
    "pexels/api_key": Trial(
        "Pexels",
        "https://api.pexels.com",
        lambda: config.setting("PEXELS_BASE_URL"),
        "/v1/search?query=sea&per_page=1",
        lambda key: {"Authorization": key},
    ),
    # Needs no scope: https://airtable.com/developers/web/api/get-user-id-scopes
    "airtable/token": Trial(
        "Airtable",
        "https://api.airtable.com",
        lambda: config.setting("AIRTABLE_BASE_URL"),
        "/v0/meta/whoami",
        lambda key: {"Authorization": f"Bearer {key}"},
    ),
    # A restricted key that may not see the balance gets 403, an unknown one 401: https://docs.stripe.com/api/errors
    "stripe/api_key": Trial(
        "Stripe",
        "https://api.stripe.com",
        lambda: config.setting("STRIPE_BASE_URL"),
        "/v1/balance",
        lambda key: {"Authorization": f"Bearer {key}"},
        known=(403,),
    ),
}


GOOGLE_CLIENT, SPOTIFY_CLIENT = "google/client_secret", "spotify/client_secret"
GOOGLE_ADDRESS = "https://accounts.google.com"


def address_of(name: str) -> str | None:
    """Return the service's own address for a key that can be tried alone, None for any other."""
    if name == service_accounts.SECRET:
        return GOOGLE_ADDRESS
    return TRIALS[name].address if name in TRIALS else None


def try_key(name: str, key: str, address: str | None = None) -> None:
    """Call the service with the key, at the stage's address unless another is given.

    Raises CredentialRejected if it refuses the key, and PlatformUnavailable if it says nothing about it.
    """
    if name == GOOGLE_CLIENT:
        _try_google_client(key)
        return
    if name == SPOTIFY_CLIENT:
        _try_spotify_client(key)
        return
    if name == service_accounts.SECRET:
        # A token ends after an hour, and asking for one costs nothing.
        service_accounts.access_token(address or config.setting("GOOGLE_URL"), key)
        return
    trial = TRIALS[name]
    address = (address or trial.stage_address()).rstrip("/") + trial.path
    sender = Sender(trial.service, SECONDS, MOST_BYTES)
    status = sender.send(
        "GET", address, query=trial.query(key), headers=trial.headers(key), status_only=True
    ).status
    if status not in trial.known:
        _judge(trial.service, status)


def _judge(service: str, status: int) -> None:
    """Raise what the status of the answer says about the key."""
    if status in REFUSALS:
        raise CredentialRejected(f"{service} refuses the new key ({status}): the old one stays in use.")
    if status >= 400:
        raise PlatformUnavailable(f"{service} answers {status} and says nothing about the new key.")


def _try_google_client(client_secret: str) -> None:
    """Ask Google for a token with a refresh token that nobody has: a known client hears only about that."""
    try:
        Google(config.setting("GOOGLE_URL")).refresh(
            ssm.secret("google/client_id").strip(), client_secret.strip(), "no-refresh-token"
        )
    except Disconnected:
        return


def _try_spotify_client(client_secret: str) -> None:
    """Ask Spotify for an access token, which ends after an hour.

    https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
    """
    pair = f"{ssm.secret('spotify/client_id').strip()}:{client_secret.strip()}"
    headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    address = f"{config.setting('SPOTIFY_ACCOUNTS_URL').rstrip('/')}/api/token"
    sender = Sender("Spotify", SECONDS, MOST_BYTES)
    form = {"grant_type": "client_credentials"}
    _judge("Spotify", sender.send("POST", address, body=form, headers=headers, status_only=True).status)

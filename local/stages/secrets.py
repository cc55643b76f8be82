"""`make secrets STAGE=dev`: ask for each service's key, try it, and put it into SSM.

Secrets that only this stage needs to know are generated.
"""

import getpass
import json
import secrets as random_
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from local.settings import Refused
from local.stages.stage import Stage
from showrunner.access import tokens

TIMEOUT_S = 20


@dataclass(frozen=True)
class Service:
    """A service whose key a person brings."""

    title: str
    where: str
    """Where the key is made."""
    request: Callable[[str], tuple[str, dict[str, str]]] | None = None
    """Address and headers of a call that is free, or costs one unit, and gets 401 or 403 with a wrong key.

    None: the key can't be tried alone.
    """
    without: str = ""
    """What doesn't work without an optional one."""


BROUGHT: Mapping[str, Service] = {
    "openai/api_key": Service(
        "OpenAI",
        "https://platform.openai.com/api-keys",
        lambda key: ("https://api.openai.com/v1/models", {"Authorization": f"Bearer {key}"}),
    ),
    "elevenlabs/api_key": Service(
        "ElevenLabs",
        "https://elevenlabs.io/app/settings/api-keys",
        lambda key: ("https://api.elevenlabs.io/v1/user", {"xi-api-key": key}),
    ),
    "youtube/api_key": Service(
        "YouTube Data API",
        "https://console.cloud.google.com/apis/credentials (enable the YouTube Data API v3 first)",
        lambda key: (
            "https://youtube.googleapis.com/youtube/v3/i18nLanguages?part=snippet",
            {"X-Goog-Api-Key": key},
        ),
    ),
}
OPTIONAL: Mapping[str, Service] = {
    "google/client_id": Service(
        "Google client id",
        "https://console.cloud.google.com/apis/credentials",
        without="no login with Google",
    ),
    "google/client_secret": Service(
        "Google client secret",
        "https://console.cloud.google.com/apis/credentials",
        without="no login with Google",
    ),
    "pexels/api_key": Service(
        "Pexels",
        "https://www.pexels.com/api/",
        lambda key: ("https://api.pexels.com/v1/search?query=sea&per_page=1", {"Authorization": key}),
        without="no stock pictures",
    ),
}
# Of the database's owner, who migrates it, and of the role that the functions log in as.
PASSWORDS = ("database/owner_password", "database/password")
SIGNING_KEY, JWKS = "auth/signing_key", "auth/jwks"
MADE = (*PASSWORDS, SIGNING_KEY, JWKS)

Ask = Callable[[str], str]


def ask_all(stage: Stage, ask: Ask = getpass.getpass) -> None:
    """Ask for each key that is missing, try it, and keep it.

    An empty answer skips an optional one. Raises Refused when a service refuses a key.
    """
    stage.caller()
    there = stage.secrets_there([*BROUGHT, *OPTIONAL])
    for name, service in {**BROUGHT, **OPTIONAL}.items():
        if name in there:
            print(
                f"{name}: there already (to change it, delete it first: aws ssm delete-parameter --name "
                f"{stage.parameter_name(name)})",
                flush=True,
            )
            continue
        optional = f" - Enter to go on without ({service.without})" if name in OPTIONAL else ""
        value = ask(f"{service.title}, from {service.where}{optional}: ").strip()
        if not value and name in BROUGHT:
            raise Refused(
                f"no video can be made without a key of {service.title}; make one there and run it again, "
                "what is in SSM stays"
            )
        if value:
            print(f"{name}: {tried(service, value)}", flush=True)
            stage.put_secret(name, value)


def tried(service: Service, key: str) -> str:
    """What the service says of a key, in words. Raises Refused when it refuses it."""
    if service.request is None:
        return "kept; it can't be tried alone"
    address, headers = service.request(key)
    try:
        status = httpx.get(address, headers=headers, timeout=TIMEOUT_S).status_code
    except httpx.HTTPError as error:
        host, reason = httpx.URL(address).host, type(error).__name__
        return f"kept without trying it, because {host} doesn't answer ({reason})"
    if status in (400, 401, 403):  # Google says 400 to a key that it doesn't know
        raise Refused(
            f"{service.title} refuses this key ({status}); make another at {service.where} and run it "
            "again, what is in SSM stays"
        )
    return (
        "works"
        if status < 400
        else f"kept; {httpx.URL(address).host} answered {status} instead of saying whether it works"
    )


def make_missing(stage: Stage) -> None:
    """Make the secrets that nobody brings, where they aren't there.

    The public half of the signing key always follows the private one.
    """
    there = stage.secrets_there(list(MADE))
    for name in PASSWORDS:
        if name not in there:
            _put(stage, name, random_.token_urlsafe(24))
    if SIGNING_KEY not in there:
        there[SIGNING_KEY] = json.dumps(tokens.new_key())
        _put(stage, SIGNING_KEY, there[SIGNING_KEY])
        there.pop(JWKS, None)
    if JWKS not in there:
        _put(stage, JWKS, json.dumps(tokens.jwk_set(json.loads(there[SIGNING_KEY]))), overwrite=True)


def _put(stage: Stage, name: str, value: str, *, overwrite: bool = False) -> None:
    print(f"New secret {stage.parameter_name(name)}", flush=True)
    stage.put_secret(name, value, overwrite=overwrite)

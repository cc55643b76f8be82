"""`make keys STAGE=dev`: ask for each service's key, try it, and put it into SSM.

Secrets that only this stage needs to know are generated. Before the first one the stage gets its KMS key.
"""

import getpass
import json
import secrets as random_
import uuid
from collections.abc import Callable

from local.settings import Refused
from local.stages import key
from local.stages.stage import Stage
from showrunner.access import tokens
from showrunner.errors import CredentialRejected, PlatformUnavailable
from showrunner.keys import trials
from showrunner.keys.inventory import SECRETS, Secret

# What no function uses yet is asked of nobody; an admin may store it by POST /admin/keys/.../rotate.
_USED = [each for each in SECRETS if each.source and each.readers != ("keys",)]
BROUGHT = {each.name: each for each in _USED if not each.without}
OPTIONAL = {each.name: each for each in _USED if each.without}
# Of the database's owner, who migrates it, of the role that the functions log in as, and of CloudFront.
PASSWORDS = ("database/owner_password", "database/password", "edge/origin_secret")
SIGNING_KEY, JWKS = "auth/signing_key", "auth/jwks"
MADE = (*PASSWORDS, SIGNING_KEY, JWKS)

Ask = Callable[[str], str]


def ask_all(stage: Stage, ask: Ask = getpass.getpass) -> None:
    """Ask for each service's key that is missing, try it, and store it. `make_missing` has to come first.

    An empty answer skips an optional one. Raises Refused when a service refuses a key.
    """
    stage.caller()
    there = stage.secrets_there([*BROUGHT, *OPTIONAL])
    for name, service in {**BROUGHT, **OPTIONAL}.items():
        if name in there:
            print(f"{name}: there already ({_how_to_replace(service)})", flush=True)
            continue
        optional = f" - Enter to go on without ({service.without})" if name in OPTIONAL else ""
        value = ask(f"{service.title}, from {service.source}{optional}: ").strip()
        if not value and name in BROUGHT:
            raise Refused(
                f"no video can be made without a key of {service.title}; make one there and run it again, "
                "what is in SSM stays"
            )
        if value:
            print(f"{name}: {tried(service, value)}", flush=True)
            stage.put_secret(name, value)


def ask_of_organisation(stage: Stage, organisation_id: str, ask: Ask = getpass.getpass) -> None:
    """Ask for the OAuth client of an organisation's own Google project, and keep it in place of an older one.

    Raises Refused for something that is no id, or an empty answer.
    """
    try:
        id_ = str(uuid.UUID(organisation_id))
    except ValueError as error:
        raise Refused(f"{organisation_id} is no id of an organisation") from error
    stage.caller()
    for name, title in (("client_id", "client id"), ("client_secret", "client secret")):
        value = ask(f"Google {title} of the organisation's own project: ").strip()
        if not value:
            raise Refused(f"without a {title} the organisation can't connect accounts; nothing more was kept")
        stage.put_secret(f"organisations/{id_}/google/{name}", value, overwrite=True)
    print(f"Now PUT /api/v1/admin/organisations/{id_}/google-project with the project's quotas.", flush=True)


def wanted(stage: Stage) -> list[str]:
    """Return a line for each key that a person must supply and has not: what, where to get it, what for."""
    there = stage.secrets_there([*BROUGHT, *OPTIONAL])
    return [
        f"{name}: {secret.title}, from {secret.source}"
        + (f" (without it: {secret.without})" if optional else "")
        for optional, secrets in ((False, BROUGHT), (True, OPTIONAL))
        for name, secret in secrets.items()
        if name not in there
    ]


def _how_to_replace(secret: Secret) -> str:
    """Say how a secret that is there is replaced."""
    if secret.rotation == "assisted":
        return f"to replace it: POST /api/v1/admin/keys/{secret.name}/rotate"
    return "to replace it: docs/runbooks/KeysOverdue.md"


def tried(secret: Secret, value: str) -> str:
    """Try a service's key and return the outcome in words. Raises Refused if the service refuses it."""
    address = trials.address_of(secret.name)
    if address is None:
        return "stored; it can't be tried alone"
    try:
        trials.try_key(secret.name, value, address)
    except CredentialRejected as error:
        raise Refused(
            f"{secret.title} refuses this key; make another at {secret.source} and run it again, what is in "
            "SSM stays"
        ) from error
    except PlatformUnavailable as error:
        return f"stored without a trial: {error.message}"
    return "works"


def make_missing(stage: Stage) -> None:
    """Make the stage's KMS key, and under it the secrets that nobody brings, where they aren't there.

    The public half of the signing key always follows the private one.
    """
    key.make(stage)
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


def encrypt_again(stage: Stage) -> None:
    """Encrypt with the stage's key what somebody stored under another one, by hand or by an older release."""
    for name in stage.secrets_under_other_keys():
        (value,) = stage.secrets_there([name]).values()
        stage.put_secret(name, value, overwrite=True)
        print(f"Encrypted {stage.parameter_name(name)} with the stage's key", flush=True)


def _put(stage: Stage, name: str, value: str, *, overwrite: bool = False) -> None:
    print(f"New secret {stage.parameter_name(name)}", flush=True)
    stage.put_secret(name, value, overwrite=overwrite)

"""Replace a secret without a failed call: create, publish, test, finish; or undo.

Beside /showrunner/<stage>/<name> lie `candidates/<name>`, the new one until it is tested, and
`previous/<name>`, the one before. Nothing but this package reads those two. Every step can be repeated, and
until the last write of `finish` all readers use the old secret, which stays valid.

The signing key has a public half: `publish` adds it to auth/jwks, and the machine waits until no cache holds
an older set, before the first token is signed with the new key. Old public keys stay in the set until the
last token that they signed has expired.
"""

import json
import time
import uuid
from typing import Literal, NotRequired, TypedDict

from showrunner.access import tokens
from showrunner.aws import dynamodb, ssm
from showrunner.errors import ConfigurationMissing, Conflict, CredentialRejected
from showrunner.keys import trials
from showrunner.keys.inventory import BY_NAME, JWKS, SIGNING_KEY
from showrunner.keys.state import Kind, candidate, previous, primary_key

Step = Literal["create", "publish", "test", "finish", "revoke", "undo"]
# A cached JWK Set is at most this old; a minute more for clocks and requests under way.
PUBLISHED_SECONDS = ssm.SECRET_SECONDS + 60
# The set must fit into a parameter of 4 KB; a key takes 430 bytes.
MAX_PUBLIC_KEYS = 8


class Next(TypedDict):
    """The next action of the rotation machine.

    work: do `step`. wait: do `step` after `wait_seconds`. record: save `outcome`.
    """

    do: Literal["work", "wait", "record"]
    step: NotRequired[Step]
    wait_seconds: NotRequired[int]
    outcome: NotRequired[Literal["done", "failed"]]


# ------------------------------------------------------------------------------------------------ Steps


def run(name: str, kind: Kind, step: Step) -> Next:
    """Do one step and return what comes next.

    Raises CredentialRejected if the new secret does not work, PlatformUnavailable if nobody can say so.
    """
    if step == "create":
        _create(name, kind)
        return {"do": "work", "step": "publish"}
    if step == "publish":
        seconds = _publish(name)
        return {"do": "wait", "step": "test", "wait_seconds": seconds}
    if step == "test":
        _test(name)
        return {"do": "work", "step": "finish"}
    if step == "undo":
        return {"do": "record", "outcome": "done" if _undo(name) else "failed"}
    _revoke_previous(name) if step == "revoke" else _finish(name)
    return {"do": "record", "outcome": "done"}


def _create(name: str, kind: Kind) -> None:
    """Make sure that there is a candidate. An assisted key's was uploaded with the request."""
    if kind == "rollback":
        ssm.write(candidate(name), _read(previous(name)))
    elif BY_NAME[name].rotation == "automatic" and ssm.current(candidate(name)) is None:
        ssm.write(candidate(name), json.dumps(tokens.new_key()))


def _publish(name: str) -> int:
    """Publish the candidate's public half; return the seconds to wait until all caches have it."""
    if name != SIGNING_KEY:
        return 0
    new = tokens.jwk_set(json.loads(_read(candidate(name))))["keys"][0]
    keys = json.loads(_read(JWKS))["keys"]
    if all(each["kid"] != new["kid"] for each in keys):
        if len(keys) >= MAX_PUBLIC_KEYS:
            raise Conflict(f"{MAX_PUBLIC_KEYS} public keys are in use: revoke the previous ones first.")
        ssm.write(JWKS, json.dumps({"keys": [*keys, new]}))
    return PUBLISHED_SECONDS


def _test(name: str) -> None:
    """Use the candidate as its readers will."""
    if name != SIGNING_KEY:
        trials.try_key(name, _read(candidate(name)))
        return
    key = json.loads(_read(candidate(name)))
    claims = tokens.service_claims("key-test", str(uuid.UUID(int=0)), [], "test", seconds=60)
    header, _, signed, signature = tokens.take_apart(tokens.sign(claims, key))
    public = {each["kid"]: each for each in json.loads(_read(JWKS))["keys"]}
    if header["kid"] not in public:
        raise CredentialRejected("The new signing key is not in the JWK Set.")
    tokens.require_signature(tokens.public_key(public[header["kid"]]), signed, signature)


def _finish(name: str) -> None:
    """Switch all readers to the candidate, and keep the old secret as the previous one."""
    new, old = ssm.current(candidate(name)), _read(name)
    if new is not None and new != old:
        ssm.write(previous(name), old)
        ssm.write(name, new)
    if name == SIGNING_KEY:
        _retire_public_keys()
    ssm.remove(candidate(name))


def _undo(name: str) -> bool:
    """Remove the candidate. Return True if it is in use already: only the end of the last step was lost."""
    new = ssm.current(candidate(name))
    if new is not None and new == _read(name):
        _finish(name)
        return True
    if name == SIGNING_KEY and new is not None:
        _remove_public_keys({json.loads(new)["kid"]})
    ssm.remove(candidate(name))
    return False


def _revoke_previous(name: str) -> None:
    """End the version before at once. Tokens that an old signing key has signed fail from then on."""
    if name == SIGNING_KEY:
        current = json.loads(_read(name))["kid"]
        _remove_public_keys({each["kid"] for each in json.loads(_read(JWKS))["keys"]} - {current})
    ssm.remove(previous(name))


# ------------------------------------------------------------------------------------------------ Public keys


def _retire_public_keys() -> None:
    """Note since when each old public key is out of use, and drop those whose last token has expired."""
    now = int(time.time())
    current = json.loads(_read(SIGNING_KEY))["kid"]
    noted = dynamodb.find(primary_key(SIGNING_KEY), "retired") or {}
    kids = {each["kid"] for each in json.loads(_read(JWKS))["keys"]} - {current}
    retired = {kid: int(noted.get(kid, now)) for kid in kids}
    overlap = BY_NAME[SIGNING_KEY].overlap_hours * 3600
    over = {kid for kid, since in retired.items() if since < now - overlap}
    _remove_public_keys(over)
    dynamodb.put(
        primary_key(SIGNING_KEY), "retired", {kid: since for kid, since in retired.items() if kid not in over}
    )


def _remove_public_keys(kids: set[str]) -> None:
    keys = json.loads(_read(JWKS))["keys"]
    left = [each for each in keys if each["kid"] not in kids]
    if left != keys:
        ssm.write(JWKS, json.dumps({"keys": left}))


def _read(name: str) -> str:
    value = ssm.current(name)
    if value is None:
        raise ConfigurationMissing(f"The secret {ssm.parameter(name)} is not in SSM.")
    return value

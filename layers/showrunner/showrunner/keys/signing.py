"""The signing key's public half: published before the first token, kept until the last one has expired."""

import json
import time
import uuid

from showrunner.access import tokens
from showrunner.aws import dynamodb, ssm
from showrunner.errors import Conflict, CredentialRejected
from showrunner.keys.inventory import BY_NAME, JWKS, SIGNING_KEY
from showrunner.keys.state import primary_key, read

# A cached JWK Set is at most this old; a minute more for clocks and requests under way.
PUBLISHED_SECONDS = ssm.SECRET_SECONDS + 60
# The set must fit into a parameter of 4 KB; a key takes 430 bytes.
MAX_PUBLIC_KEYS = 8


def publish(key: str) -> int:
    """Publish a key's public half; return the seconds to wait until all caches have it."""
    new = tokens.jwk_set(json.loads(key))["keys"][0]
    keys = json.loads(read(JWKS))["keys"]
    if all(each["kid"] != new["kid"] for each in keys):
        if len(keys) >= MAX_PUBLIC_KEYS:
            raise Conflict(f"{MAX_PUBLIC_KEYS} public keys are in use: revoke the previous ones first.")
        ssm.write(JWKS, json.dumps({"keys": [*keys, new]}))
    return PUBLISHED_SECONDS


def test(secret: str) -> None:
    """Sign and verify a token as the readers will. Raises CredentialRejected."""
    key = json.loads(secret)
    claims = tokens.service_claims("key-test", str(uuid.UUID(int=0)), [], "test", seconds=60)
    header, _, signed, signature = tokens.take_apart(tokens.sign(claims, key))
    public = {each["kid"]: each for each in json.loads(read(JWKS))["keys"]}
    if header["kid"] not in public:
        raise CredentialRejected("The new signing key is not in the JWK Set.")
    tokens.require_signature(tokens.public_key(public[header["kid"]]), signed, signature)


def retire_public_keys() -> None:
    """Note since when each old public key is out of use, and drop those whose last token has expired."""
    now = int(time.time())
    current = json.loads(read(SIGNING_KEY))["kid"]
    noted = dynamodb.find(primary_key(SIGNING_KEY), "retired") or {}
    kids = {each["kid"] for each in json.loads(read(JWKS))["keys"]} - {current}
    retired = {kid: int(noted.get(kid, now)) for kid in kids}
    overlap = BY_NAME[SIGNING_KEY].overlap_hours * 3600
    over = {kid for kid, since in retired.items() if since < now - overlap}
    _remove_public_keys(over)
    dynamodb.put(
        primary_key(SIGNING_KEY), "retired", {kid: since for kid, since in retired.items() if kid not in over}
    )


def withdraw(secret: str) -> None:
    """Remove the public half of a key that will not be used."""
    _remove_public_keys({json.loads(secret)["kid"]})


def keep_current_only() -> None:
    """Remove all public keys but the current one: tokens of older keys are refused from now on."""
    current = json.loads(read(SIGNING_KEY))["kid"]
    _remove_public_keys({each["kid"] for each in json.loads(read(JWKS))["keys"]} - {current})


def _remove_public_keys(kids: set[str]) -> None:
    keys = json.loads(read(JWKS))["keys"]
    left = [each for each in keys if each["kid"] not in kids]
    if left != keys:
        ssm.write(JWKS, json.dumps({"keys": left}))

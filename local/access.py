"""Make and keep keys in the state folder (`SHOWRUNNER_HOME`).

The product's own code makes the pair that signs access tokens, with which the launcher signs its own. The key
of a service account is like those that Google's console makes.
"""

import json
import os
import uuid
from pathlib import Path
from typing import NamedTuple

from showrunner.access import tokens

# A month of work on one machine; a lost token expires without anybody's help.
TOKEN_SECONDS = 30 * 24 * 3600


def signing_key(folder: Path) -> dict[str, str]:
    """Return the private key as a JWK. It is made once per state folder."""
    path = folder / "keys" / "signing.json"
    if not path.exists():
        write_closed(path, json.dumps(tokens.new_key()))
    key: dict[str, str] = json.loads(path.read_text())
    return key


def write_closed(path: Path, text: str) -> None:
    """Write a file that only its owner can read. Atomic: readers see all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.rename(path)


def service_token(
    key: dict[str, str], *, issuer: str, name: str, organisation_id: str, scopes: list[str]
) -> str:
    return tokens.sign(tokens.service_claims(name, organisation_id, scopes, issuer, TOKEN_SECONDS), key)


class ServiceAccountKey(NamedTuple):
    """A key of a service account: the JSON key on one line, and the public half that Google keeps (PEM)."""

    email: str
    key_id: str
    text: str
    public_key: str

    @property
    def known(self) -> dict[str, dict[str, str]]:
        """Return what the stand-in for Google learns by POST /_state, `service_accounts`."""
        return {self.email: {self.key_id: self.public_key}}


def new_service_account_key(email: str) -> ServiceAccountKey:
    """Make a key with the fields of Google's own."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private, key_id = rsa.generate_private_key(public_exponent=65537, key_size=2048), uuid.uuid4().hex
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    document = {
        "type": "service_account",
        "project_id": "local",
        "private_key_id": key_id,
        "private_key": pem.decode(),
        "client_email": email,
        "client_id": "1",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "universe_domain": "googleapis.com",
    }
    return ServiceAccountKey(email, key_id, json.dumps(document), public.decode())


def service_account_key(folder: Path, email: str) -> ServiceAccountKey:
    """Return the key of the launcher's own service account. It is made once per state folder."""
    path = folder / "keys" / "service_account.json"
    if not path.exists():
        write_closed(path, json.dumps(new_service_account_key(email)))
    return ServiceAccountKey(*json.loads(path.read_text()))

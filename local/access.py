"""Make and keep the key pair that signs access tokens, and sign the launcher's own tokens with it.

The product's own code makes both; they lie in the state folder (`SHOWRUNNER_HOME`).
"""

import json
import os
from pathlib import Path

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

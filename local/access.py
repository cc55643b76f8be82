"""The key pair that signs access tokens, and the token that the launcher itself works with: made by the product's own code, kept in the folder of state."""

import json
import os
from pathlib import Path

from showrunner.access import tokens

# Enough for a month of work on one machine; a forgotten one dies by itself.
TOKEN_SECONDS = 30 * 24 * 3600


def signing_key(folder: Path) -> dict[str, str]:
    """The private key as JWK; made once per folder of state."""
    path = folder / "keys" / "signing.json"
    if not path.exists():
        write_closed(path, json.dumps(tokens.new_key()))
    key: dict[str, str] = json.loads(path.read_text())
    return key


def write_closed(path: Path, text: str) -> None:
    """Readable by its owner only from the moment that it exists, and whole from the moment that it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.rename(path)


def service_token(key: dict[str, str], *, issuer: str, name: str, organisation_id: str, scopes: list[str]) -> str:
    return tokens.sign(tokens.service_claims(name, organisation_id, scopes, issuer, TOKEN_SECONDS), key)

"""The key pair that signs access tokens, and the token that the launcher itself works with."""

import json
import os
import secrets
import time
import uuid
from pathlib import Path
from typing import Any

from joserfc import jwk, jwt

# Long enough for a month of work on one machine, short enough that a forgotten one dies. The API refuses more than 365 days.
TOKEN_SECONDS = 30 * 24 * 3600


def signing_key(folder: Path) -> jwk.RSAKey:
    """Made once per folder of state; readable by its owner only, from the moment that the file exists."""
    path = folder / "keys" / "signing.json"
    if not path.exists():
        write_closed(path, json.dumps(new_key().as_dict(private=True)))
    return jwk.RSAKey.import_key(json.loads(path.read_text()))


def new_key() -> jwk.RSAKey:
    return jwk.RSAKey.generate_key(2048, {"kid": secrets.token_hex(8), "use": "sig", "alg": "RS256"})


def write_closed(path: Path, text: str) -> None:
    """Readable by its owner only from the moment that it exists, and whole from the moment that it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.rename(path)


def public_keys(key: jwk.RSAKey) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False)]}


def service_token(key: jwk.RSAKey, *, issuer: str, name: str, organisation_id: str, scopes: str, seconds: int = TOKEN_SECONDS) -> str:
    now = int(time.time())
    claims = {
        "iss": issuer,
        "aud": "showrunner",
        "sub": f"service:{name}",
        "org": organisation_id,
        "scope": scopes,
        "iat": now,
        # A clock a few seconds behind must not refuse a token that was made just now.
        "nbf": now - 5,
        "exp": now + seconds,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode({"alg": "RS256", "kid": key.kid, "typ": "at+jwt"}, claims, key)

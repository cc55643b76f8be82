"""Second factor: TOTP (RFC 6238, SHA-1, six digits, 30 seconds), and recovery codes that work once each."""

import base64
import hashlib
import hmac
import secrets
import time
from urllib.parse import quote

STEP_SECONDS = 30
# One step to either side: a phone's clock may be half a minute off.
WINDOW = 1
RECOVERY_CODES = 10


def new_secret() -> str:
    """Return 160 random bits in base32, the length that RFC 4226 recommends."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code(secret: str, step: int) -> str:
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8), "sha1")
    place = digest[-1] & 15
    return f"{(int.from_bytes(digest[place : place + 4]) & 0x7FFFFFFF) % 1_000_000:06d}"


def step_of(secret: str, given: str, now: float | None = None) -> int | None:
    """Return the time step of a code, None if it belongs to no step near `now`.

    Compares with every step, so that the time taken reveals nothing.
    """
    current = int((time.time() if now is None else now) // STEP_SECONDS)
    found = [
        step
        for step in range(current - WINDOW, current + WINDOW + 1)
        if hmac.compare_digest(code(secret, step), given)
    ]
    return found[-1] if found else None


def address(secret: str, email: str) -> str:
    """Return the address that authenticator apps read from a QR code.

    https://github.com/google/google-authenticator/wiki/Key-Uri-Format
    """
    options = f"issuer=showrunner&algorithm=SHA1&digits=6&period={STEP_SECONDS}"
    return f"otpauth://totp/showrunner:{quote(email)}?secret={secret}&{options}"


def new_recovery_codes() -> list[str]:
    """Return ten codes of 50 random bits, which five attempts in 15 minutes can't guess."""
    texts = [
        base64.b32encode(secrets.token_bytes(7)).decode().rstrip("=").lower()[:10]
        for _ in range(RECOVERY_CODES)
    ]
    return [f"{text[:5]}-{text[5:]}" for text in texts]


def digest(recovery_code: str) -> str:
    return hashlib.sha256(recovery_code.strip().lower().replace("-", "").encode()).hexdigest()

"""Passwords: what one must be, and how it is hashed."""

import functools
import re
from pathlib import Path

import bcrypt

from showrunner import config
from showrunner.errors import InvalidRequest

LIST = Path(__file__).with_name("common_passwords.txt")
SHORTEST = 12
# bcrypt looks at 72 bytes and no further: a longer password would promise more than it gives.
LONGEST_BYTES = 72
_KINDS = (
    ("an upper-case letter", str.isupper),
    ("a lower-case letter", str.islower),
    ("a digit", str.isdigit),
)


def require(password: str, *personal: str) -> None:
    """Raise InvalidRequest for a password that is too weak.

    personal: texts that it must not consist of, for example the email address.
    """
    fault = _fault(password, personal)
    if fault:
        raise InvalidRequest(f"The password {fault}.", [{"field": "password", "message": fault}])


def _fault(password: str, personal: tuple[str, ...]) -> str | None:
    size = len(password.encode())
    if len(password) < SHORTEST:
        return f"needs at least {SHORTEST} characters"
    if size > LONGEST_BYTES:
        return f"has {size} bytes in UTF-8: at most {LONGEST_BYTES} are used, so more are refused"
    missing = [name for name, test in _KINDS if not any(test(sign) for sign in password)]
    if all(sign.isalnum() or sign.isspace() for sign in password):
        missing.append("a symbol")
    if missing:
        return f"needs {' and '.join(missing)}"
    return "is too easy to guess" if _is_common(password, personal) else None


# What people put around and into a common word to please the rules above.
_LEET = str.maketrans("0134578@$!", "oleastbasi")


def _is_common(password: str, personal: tuple[str, ...]) -> bool:
    """Return whether the password is a common or personal word, decorated or not ("P@ssw0rd2026!")."""
    lowered = password.lower()
    words = {
        lowered,
        lowered.strip("0123456789!?.,*#$@-_ "),
        re.sub(r"[^a-z]", "", lowered),
        re.sub(r"[^a-z]", "", lowered.translate(_LEET)),
    }
    words |= {re.sub(r"(.+?)\1+", r"\1", word) for word in words}
    own = {
        part
        for name in personal
        for part in [*re.split(r"[^a-z0-9]+", name.lower()), re.sub(r"[^a-z]", "", name.lower())]
        if len(part) > 3
    }
    return any(word in common() or word in own for word in words if word)


@functools.cache
def common() -> frozenset[str]:
    """Return the 30,000 most common passwords. Read at the first registration, not at start."""
    return frozenset(
        line for line in LIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )


def cost() -> int:
    """Return bcrypt's cost. 12 takes 240 ms of a core; tests lower it."""
    return int(config.setting("BCRYPT_COST", "12"))


def digest(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost())).decode()


def matches(password: str, stored: str | None) -> bool:
    """Return whether the password has this hash. Takes the same time without a stored hash."""
    raw = password.encode()
    # More than bcrypt would look at can't have been set, but must cost as much as what can.
    fits = len(raw) <= LONGEST_BYTES and b"\0" not in raw
    checked = bcrypt.checkpw(raw if fits else b"-", (stored or f"$2b${cost():02d}${_NOBODYS}").encode())
    return checked and fits and stored is not None


# Salt and digest of no password at all. Written out: making one at its first use would make that answer twice
# as late.
_NOBODYS = "Dum5vt1KBuX2GzDQkw5s3uNobodyHasThisPasswordAtAll0123456"[:53]


def is_outdated(stored: str) -> bool:
    """Return whether the hash was made at another cost than today's."""
    return int(stored.split("$")[2]) != cost()

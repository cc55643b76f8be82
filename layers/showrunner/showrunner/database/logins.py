"""The database's two roles for functions, which take turns: one is in use while the other's password changes.

The secret database/password holds both halves, so that a cached one is always whole: {"user", "password"} as
JSON. A plain text, as a new stage has it, is the password of the stage's own role, DATABASE_USER.
"""

import json

from showrunner import config

# PostgreSQL cuts names after 63 bytes; a stage's name has 16 at most.
_SECOND = "_2"


def read(secret: str) -> tuple[str, str]:
    """Return (role, password) of the secret database/password."""
    if not secret.startswith("{"):
        return config.setting("DATABASE_USER"), secret
    login = json.loads(secret)
    return login["user"], login["password"]


def written(user: str, password: str) -> str:
    """Return a role and its password as the text of the secret."""
    return json.dumps({"user": user, "password": password})


def roles() -> tuple[str, str]:
    """Return the names of both roles, the stage's own first."""
    own = config.setting("DATABASE_USER")
    return own, own + _SECOND


def other(user: str) -> str:
    """Return the role whose turn is next."""
    own, second = roles()
    return own if user == second else second

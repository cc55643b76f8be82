"""The roles that the functions log in as: what only the database's owner may change."""

import base64
import hashlib
import hmac
import os

from pg8000.native import Connection, identifier

from showrunner.database import logins
from showrunner.errors import InvalidRequest

# What the migrations grant to, and what PostgreSQL itself takes for a password.
GRANTED, SCRAM_ROUNDS = "showrunner_functions", 4096


def admit(connection: Connection, name: str, password: str) -> None:
    """Create or update a role of the functions. It is a member of the role that the migrations grant to.

    Raises InvalidRequest for another role, such as the owner.
    """
    if name not in logins.roles():
        raise InvalidRequest(f"{name[:100]} is not a role of the functions: {', '.join(logins.roles())}.")
    role = identifier(name)
    if not _is_there(connection, name):
        connection.run(f"CREATE ROLE {role}")
    connection.run(f"ALTER ROLE {role} LOGIN PASSWORD '{verifier(password, os.urandom(16))}'")
    connection.run(f"GRANT {GRANTED} TO {role}")


def end_others(connection: Connection, kept: set[str]) -> None:
    """Let no role of the functions log in but those `kept`. Open sessions stay."""
    for name in sorted(set(logins.roles()) - kept):
        if _is_there(connection, name):
            connection.run(f"ALTER ROLE {identifier(name)} NOLOGIN PASSWORD NULL")


def _is_there(connection: Connection, name: str) -> bool:
    return bool(connection.run("SELECT 1 FROM pg_roles WHERE rolname = :name", name=name))


def verifier(password: str, salt: bytes) -> str:
    """Return the SCRAM verifier of a password (RFC 5803), so that no statement or log holds the password."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ROUNDS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    parts = [
        base64.b64encode(part).decode()
        for part in (salt, stored, hmac.digest(salted, b"Server Key", "sha256"))
    ]
    return f"SCRAM-SHA-256${SCRAM_ROUNDS}:{parts[0]}${parts[1]}:{parts[2]}"

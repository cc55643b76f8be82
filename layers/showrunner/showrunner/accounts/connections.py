"""Store the refresh tokens of connected accounts, sealed, in the state table: workers have no database.

The seal is bound to the connection and its organisation: a token copied to another row can't be opened.
"""

import uuid

from showrunner.access import sealing
from showrunner.aws import dynamodb
from showrunner.errors import CredentialRejected

PURPOSE = "connection"


def id_of(organisation_id: str, provider: str, subject: str) -> str:
    """Return the connection's id. The same account connected again has the same id."""
    return str(uuid.uuid5(uuid.UUID(organisation_id), f"{provider}\n{subject}"))


def save(connection_id: str, organisation_id: str, refresh_token: str, *, own_project: bool = False) -> None:
    """Store a refresh token. `own_project`: the client of the organisation's own Google project got it."""
    values: dict[str, str | bytes | bool | None] = {
        "organisation_id": organisation_id,
        "refresh_token": sealing.seal(refresh_token.encode(), PURPOSE, f"{organisation_id}/{connection_id}"),
        "own_project": own_project,
    }
    dynamodb.put(f"connection#{connection_id}", "tokens", values)


def find(connection_id: str, organisation_id: str) -> str | None:
    """Return the refresh token of a connection of this organisation, None if there is none.

    Raises CredentialRejected for a token that was changed or copied from another row.
    """
    from cryptography.exceptions import InvalidTag

    found = dynamodb.find(f"connection#{connection_id}", "tokens")
    try:
        return (
            sealing.open_(found["refresh_token"], PURPOSE, f"{organisation_id}/{connection_id}").decode()
            if found
            else None
        )
    except InvalidTag as error:
        raise CredentialRejected(
            "The connection's token can't be read: connect the account again."
        ) from error


def uses_own_project(connection_id: str) -> bool:
    """Return whether the client of the organisation's own Google project got the connection's token."""
    found = dynamodb.find(f"connection#{connection_id}", "tokens")
    return bool(found and found.get("own_project"))


def exists(connection_id: str) -> bool:
    """Return whether the connection has a token. One whose owner withdrew the permission has none."""
    return dynamodb.find(f"connection#{connection_id}", "tokens") is not None


def remove(connection_id: str) -> None:
    dynamodb.remove(f"connection#{connection_id}", "tokens")

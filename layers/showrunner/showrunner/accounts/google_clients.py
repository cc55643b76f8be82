"""Read the OAuth clients at Google: the stage's, and those of organisations with a project of their own."""

from showrunner.aws import ssm


def client(organisation_id: str | None) -> tuple[str, str]:
    """Return id and secret of the OAuth client: the organisation's own, or the stage's for None.

    Raises ConfigurationMissing, naming the secret.
    """
    if organisation_id is None:
        found = ssm.secrets(["google/client_id", "google/client_secret"])
    else:
        found = ssm.secrets(
            [
                f"organisations/{organisation_id}/google/client_id",
                f"organisations/{organisation_id}/google/client_secret",
            ]
        )
    # Pasted values may end with a line break.
    client_id, client_secret = (value.strip() for value in found.values())
    return client_id, client_secret

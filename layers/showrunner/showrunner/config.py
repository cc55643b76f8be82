"""Read settings from environment variables: the only module that does."""

import os

from showrunner.errors import ConfigurationMissing


def setting(name: str, default: str | None = None) -> str:
    """Return an environment variable. Raises ConfigurationMissing if it is empty and has no default."""
    value = os.environ.get(name) or default
    if value is None:
        raise ConfigurationMissing(f"The function has no setting {name}: template.yaml must give it.")
    return value

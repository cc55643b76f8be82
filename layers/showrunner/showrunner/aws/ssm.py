"""Read the secrets of the stage from SSM Parameter Store."""

import time
from collections.abc import Sequence

from showrunner import config
from showrunner.aws import rpc
from showrunner.errors import ConfigurationMissing

# A rotated key is picked up within this time without a new start; one GetParameters per function and five
# minutes costs nothing.
SECRET_SECONDS = 300

_secrets: dict[str, tuple[float, str | None]] = {}


def secret(name: str, default: str | None = None) -> str:
    """Return the SSM SecureString /showrunner/<stage>/<name>, for example "openai/api_key"."""
    return secrets([name], default)[name]


def secrets(names: Sequence[str], default: str | None = None) -> dict[str, str]:
    """Return several secrets by one GetParameters call, which takes at most ten names."""
    oldest = time.monotonic() - SECRET_SECONDS
    unknown = [name for name in names if name not in _secrets or _secrets[name][0] < oldest]
    if unknown:
        _fetch(unknown)
    return {name: _known(name, default) for name in names}


def forget() -> None:
    """Forget the cached secrets, so that the next look-up asks SSM.

    Called when a platform refuses a key or a token names an unknown one: either may have been rotated.
    """
    _secrets.clear()


def _fetch(names: list[str]) -> None:
    prefix = f"/showrunner/{config.setting('STAGE')}/"
    answer = rpc.call(
        "ssm", "GetParameters", {"Names": [prefix + name for name in names], "WithDecryption": True}
    )
    values = {
        parameter["Name"].removeprefix(prefix): parameter["Value"] for parameter in answer["Parameters"]
    }
    for name in names:
        _secrets[name] = (time.monotonic(), values.get(name))


def _known(name: str, default: str | None) -> str:
    value = _secrets[name][1] or default
    if value is None:
        raise ConfigurationMissing(
            f"The secret /showrunner/{config.setting('STAGE')}/{name} is not in SSM: "
            "put it there as a SecureString."
        )
    return value

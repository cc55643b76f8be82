"""Settings from the environment, secrets from SSM, clients of AWS: the one place that reads any of them."""

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Any

from showrunner.errors import ConfigurationMissing

if TYPE_CHECKING:
    from collections.abc import Sequence

# A rotated key is picked up within this time without a new start; one GetParameters per function and five minutes costs nothing.
SECRET_SECONDS = 300

_secrets: dict[str, tuple[float, str | None]] = {}


def setting(name: str, default: str | None = None) -> str:
    """An environment variable. Raises ConfigurationMissing where it is unset or empty and has no default."""
    value = os.environ.get(name) or default
    if value is None:
        raise ConfigurationMissing(f"The function has no setting {name}: template.yaml must give it.")
    return value


def secret(name: str, default: str | None = None) -> str:
    """The SSM SecureString /showrunner/<stage>/<name>, for instance "openai/api_key"."""
    return secrets([name], default)[name]


def secrets(names: "Sequence[str]", default: str | None = None) -> dict[str, str]:
    """Several of them by one GetParameters call (SSM takes ten names a call)."""
    oldest = time.monotonic() - SECRET_SECONDS
    unknown = [name for name in names if name not in _secrets or _secrets[name][0] < oldest]
    if unknown:
        _fetch(unknown)
    return {name: _known(name, default) for name in names}


def forget_secrets() -> None:
    """The next look-up asks SSM again: called when a platform refuses a key or a token names an unknown one: either may have been rotated since."""
    _secrets.clear()


def _fetch(names: list[str]) -> None:
    from showrunner import signed  # every API function asks for secrets at its start: boto3 alone would be most of that start

    prefix = f"/showrunner/{setting('STAGE')}/"
    answer = signed.call("ssm", "GetParameters", {"Names": [prefix + name for name in names], "WithDecryption": True})
    values = {parameter["Name"].removeprefix(prefix): parameter["Value"] for parameter in answer["Parameters"]}
    for name in names:
        _secrets[name] = (time.monotonic(), values.get(name))


def _known(name: str, default: str | None) -> str:
    value = _secrets[name][1] or default
    if value is None:
        raise ConfigurationMissing(f"The secret /showrunner/{setting('STAGE')}/{name} is not in SSM: put it there as a SecureString.")
    return value


@cache
def aws(service: str, endpoint: str | None = None) -> Any:
    """A client of an AWS service, `endpoint` where an API of ours is one. botocore is imported here, since a route that needs no AWS call
    shouldn't pay 200 ms for it; boto3, which would make the same client, takes 60 ms more."""
    import botocore.session
    from botocore.config import Config

    # Connect fast or fail; a read waits less than the shortest function's timeout. Retries are AWS's standard mode, bounded at three.
    settings = Config(connect_timeout=2, read_timeout=20, retries={"mode": "standard", "max_attempts": 3})
    make: Any = botocore.session.get_session().create_client  # its stubs know each service by a literal name only
    return make(service, endpoint_url=endpoint, config=settings)

"""Convert between jobName (Batch's API) and JobName (CloudFormation, Step Functions). Users' own keys are not
changed.
"""

from collections.abc import Callable
from typing import Any

USERS_OWN = {"parameters", "tags", "options"}


def to_api(value: Any) -> Any:
    return _renamed(value, lambda key: key[:1].lower() + key[1:])


def from_api(value: Any) -> Any:
    return _renamed(value, lambda key: key[:1].upper() + key[1:])


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, rename) for item in value]
    if isinstance(value, dict):
        return {
            rename(key): item if key.lower() in USERS_OWN else _renamed(item, rename)
            for key, item in value.items()
        }
    return value

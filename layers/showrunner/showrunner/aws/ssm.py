"""Read and write the secrets of the stage, SecureStrings in SSM Parameter Store."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from showrunner import config, masking
from showrunner.aws import rpc, secret_uses
from showrunner.errors import ConfigurationMissing, InvalidRequest, ShowrunnerError

# A rotated key is picked up within this time without a new start; one GetParameters per function and five
# minutes costs nothing.
SECRET_SECONDS = 300

# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html: 1,011 characters with
# the ARN before the name, which has at most these (the longest partition and region).
NAME_CHARACTERS = 1011 - len("arn:aws-us-gov:ssm:ap-southeast-1:111122223333:parameter")
# Of the standard tier. The advanced one takes 8,192, costs 0.05 USD a month for each, and can't be left
# again; our longest value, the set of public keys, has 3,500.
VALUE_BYTES = 4096
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
NAMES_A_CALL = 10
# Read like secrets, but anybody may see them: they are not masked.
PUBLIC = ("auth/jwks", "google/client_id")
# The stage on one machine. Only its secrets may come from environment variables.
LOCAL_STAGE = "local"
_NAME = re.compile(r"/[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){0,14}", re.ASCII)

_secrets: dict[str, tuple[float, str | None]] = {}
_versions: dict[str, int] = {}


class Stored(NamedTuple):
    """A secret's metadata: its version in SSM (from 1), and when it was written, in epoch seconds."""

    version: int
    written_at: float


def secret(name: str, default: str | None = None) -> str:
    """Return the SSM SecureString /showrunner/<stage>/<name>, for example "openai/api_key".

    What SSM does not have, the local stage may have as a variable (OPENAI_API_KEY). Without either it is
    `default`; ConfigurationMissing without that.
    """
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

    Called when a token names a key that this environment does not know: it may have been rotated.
    """
    _secrets.clear()


def refused() -> None:
    """Read the cached secrets again, because a service has refused one of them, and forget them.

    Those that were replaced meanwhile are recorded: this function was refused with the version before. The
    next look-up asks SSM in any case, because somebody may replace the secret after the refusal.
    """
    before, names = dict(_versions), sorted(_secrets)
    forget()
    for start in range(0, len(names), NAMES_A_CALL):
        try:
            _fetch(names[start : start + NAMES_A_CALL])
        except ShowrunnerError:
            return
    forget()
    replaced = {name: version for name, version in before.items() if _versions.get(name) != version}
    secret_uses.record({name: replaced[name] for name in names if name in replaced}, "refused")


def current(name: str) -> str | None:
    """Return the secret as it is in SSM at this moment, None if there is none. For those who replace it."""
    asked = {"Names": [parameter(name)], "WithDecryption": True}
    found = rpc.call("ssm", "GetParameters", asked)["Parameters"]
    value = found[0]["Value"] if found else None
    _know(name, value)
    _log_reads({name: int(found[0]["Version"])} if found else {})
    return value


def write(name: str, value: str) -> None:
    """Store a secret, whether it is there or not. Raises InvalidRequest for what SSM would refuse.

    Others have put secrets there by hand, which are kept as they are: only an upload is checked further.
    """
    full = parameter(name)
    _check_size(value)
    _know(name, value)
    # Without a key SSM would take the account's own, whatever the parameter had before.
    key = config.setting("STAGE_KEY_ARN")
    put = {"Name": full, "Value": value, "Type": "SecureString", "KeyId": key, "Overwrite": True}
    rpc.call("ssm", "PutParameter", put)
    _secrets.pop(name, None)


def remove(name: str) -> None:
    """Delete a secret. No error if there is none."""
    try:
        rpc.call("ssm", "DeleteParameter", {"Name": parameter(name)})
    except rpc.AwsError as error:
        if error.code != "ParameterNotFound":
            raise
    _secrets.pop(name, None)


def stored() -> dict[str, Stored]:
    """Return the metadata of all secrets of the stage by name. No value is read."""
    path, found, token = parameter(""), dict[str, Stored](), ""
    while True:
        asked = {"ParameterFilters": [{"Key": "Path", "Option": "Recursive", "Values": [path]}]}
        answer = rpc.call(
            "ssm", "DescribeParameters", {**asked, "MaxResults": 50} | ({"NextToken": token} if token else {})
        )
        for each in answer["Parameters"]:
            name = each["Name"].removeprefix(path + "/")
            found[name] = Stored(int(each["Version"]), float(each["LastModifiedDate"]))
        token = answer.get("NextToken", "")
        if not token:
            return found


def everything() -> list[tuple[str, int, str]]:
    """Return (name, version, value) of all secrets of the stage, in the order of their names."""
    path, found, token = parameter(""), list[tuple[str, int, str]](), ""
    while True:
        asked = {"Path": path, "Recursive": True, "WithDecryption": True, "MaxResults": 10}
        answer = rpc.call("ssm", "GetParametersByPath", asked | ({"NextToken": token} if token else {}))
        for each in answer["Parameters"]:
            name = each["Name"].removeprefix(path + "/")
            _know(name, each["Value"])
            found.append((name, int(each["Version"]), each["Value"]))
        token = answer.get("NextToken", "")
        if not token:
            _log_reads({name: version for name, version, _ in found})
            return sorted(found)


def parameter(name: str) -> str:
    """Return the parameter's name in SSM, for "" the path of all. Raises InvalidRequest if it can't be."""
    full = f"/showrunner/{config.setting('STAGE')}/{name}".rstrip("/")
    if not _NAME.fullmatch(full) or len(full) > NAME_CHARACTERS:
        raise InvalidRequest(
            "A secret's name has letters, digits and _.- between its slashes, and 15 levels at most."
        )
    return full


def check_value(value: str) -> None:
    """Raise InvalidRequest for a value that SSM refuses, or that no key has.

    A key has no white space around it and no line break. It is sent in headers, which take ASCII only.
    """
    _check_size(value)
    if value != value.strip() or not value.isascii() or any(ord(character) < 32 for character in value):
        raise InvalidRequest(
            "The secret begins or ends with white space, has a line break, or a character outside ASCII: "
            "paste it again."
        )


def _check_size(value: str) -> None:
    if not value or len(value.encode()) > VALUE_BYTES:
        raise InvalidRequest(f"A secret has 1 to {VALUE_BYTES} bytes.")


def _fetch(names: list[str]) -> None:
    prefix = parameter("") + "/"
    answer = rpc.call(
        "ssm", "GetParameters", {"Names": [prefix + name for name in names], "WithDecryption": True}
    )
    found = {parameter["Name"].removeprefix(prefix): parameter for parameter in answer["Parameters"]}
    for name in names:
        value = found[name]["Value"] if name in found else None
        _secrets[name] = (time.monotonic(), value)
        _know(name, value)
    versions = {name: int(parameter["Version"]) for name, parameter in found.items()}
    _versions.update(versions)
    _log_reads(versions)
    secret_uses.record(versions)


def _know(name: str, value: str | None) -> None:
    """Let log lines and errors mask the value."""
    if value is not None and name not in PUBLIC:
        masking.know(value)


def _log_reads(versions: Mapping[str, int]) -> None:
    """Write a log line for each secret that was read, which the template counts by name.

    The module `telemetry` imports this one, so its logger can't be used here.
    """
    at, function = datetime.now(UTC).isoformat(timespec="milliseconds"), secret_uses.this_reader()
    for name, version in sorted(versions.items()):
        line = {"level": "INFO", "message": "secret read", "timestamp": at, "function": function}
        masking.write_line(line | {"parameter": name, "version": version})


def _known(name: str, default: str | None) -> str:
    value = _secrets[name][1] or _in_environment(name) or default
    if value is None:
        raise ConfigurationMissing(
            f"The secret /showrunner/{config.setting('STAGE')}/{name} is not in SSM: "
            "put it there as a SecureString."
        )
    return value


def _in_environment(name: str) -> str | None:
    """Return the variable OPENAI_API_KEY for "openai/api_key" in the local stage, None in any other."""
    if config.setting("STAGE") != LOCAL_STAGE:
        return None
    value = config.setting(re.sub("[^A-Z0-9]", "_", name.upper()), "")
    _know(name, value or None)
    return value or None

"""`make restore-keys STAGE=dev FROM=s3://bucket/keys/dev/2026-11-29.json`: all secrets into an empty stage.

Each secret gets the version of the backup too, so that SSM and what notes its versions agree. Run again, it
goes on where it stopped. A stage that has other secrets is left as it is.
"""

import hashlib
import json
from typing import Any

from local.settings import Refused
from local.stages import key
from local.stages.stage import Stage


def restore(stage: Stage, source: str) -> None:
    """Put the backup's secrets into SSM and compare names, versions and checksums.

    Raises Refused for a backup that is not whole, and for a stage with secrets that the backup has not.
    """
    stage.caller()
    wanted = {each["name"]: each for each in _read(stage, source)}
    key.make(stage)
    there = _there(stage)
    for name, (_, digest) in there.items():
        known = wanted.get(name)
        if known is None or digest != known["sha256"]:
            raise Refused(
                f"{stage.parameter_name(name)} is there and is not the backup's; restore into an empty "
                "stage, or delete its parameters first"
            )
    for name, each in wanted.items():
        version = there.get(name, (0, ""))[0]
        if version > each["version"]:  # a call whose answer was lost was repeated
            stage.aws("ssm").delete_parameter(Name=stage.parameter_name(name))
            version = 0
        for _ in range(version, each["version"]):  # SSM counts the versions itself
            stage.put_secret(name, each["value"], overwrite=True)
        print(f"{stage.parameter_name(name)}: version {each['version']}", flush=True)
    found = _there(stage)
    if found != {name: (each["version"], each["sha256"]) for name, each in wanted.items()}:
        raise Refused("what is in SSM now differs from the backup; run it again")
    print(f"{len(found)} secrets are restored: names, versions and checksums are the backup's", flush=True)


def _read(stage: Stage, source: str) -> list[dict[str, Any]]:
    bucket, _, key = source.removeprefix("s3://").partition("/")
    if not source.startswith("s3://") or not key:
        raise Refused("FROM names no object; it begins with s3://, as the nightly run of `keys` logs it")
    body = stage.aws("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    parameters: list[dict[str, Any]] = json.loads(body)["parameters"]
    for each in parameters:
        if _digest(each["value"]) != each["sha256"]:
            raise Refused(
                f"{source} is damaged: the checksum of {each['name']} is another; take another day's"
            )
    return parameters


def _there(stage: Stage) -> dict[str, tuple[int, str]]:
    """Return version and checksum of each secret in SSM."""
    path = stage.parameter_name("")
    pages = stage.aws("ssm").get_paginator("get_parameters_by_path")
    return {
        each["Name"].removeprefix(path): (int(each["Version"]), _digest(each["Value"]))
        for page in pages.paginate(Path=path.rstrip("/"), Recursive=True, WithDecryption=True)
        for each in page["Parameters"]
    }


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()

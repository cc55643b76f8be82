"""Record in the state table which function last read which version of a secret, and which was refused.

One item for each secret and reader. A version's last read is noted once an hour, however many environments
the reader has, and in a thread of its own: a reader neither waits for the state table nor fails with it.

Item: pk "secret_uses", sk "<secret>#<reader>"; `read_<version>` and `refused_<version>` are epoch seconds.
"""

import re
import threading
import time
from collections.abc import Mapping
from typing import Literal, NamedTuple

from showrunner import config, masking
from showrunner.aws import dynamodb, rpc

# A version's last read is known to this many seconds. More would cost more writes and tell nobody more.
INTERVAL_SECONDS = 3600
# A reader that comes back after a year counts as a new one.
KEEP_SECONDS = 400 * 86_400
KEY = "secret_uses"
# Lambda's name of a function of the template: <stack>-<logical id>-<random>.
_LOGICAL_ID = re.compile(r"-([A-Z][A-Za-z0-9]*)Function-[^-]+$", re.ASCII)

type Event = Literal["read", "refused"]

_recorded: dict[tuple[str, int, Event], float] = {}


class Use(NamedTuple):
    """When a reader read each version of a secret, and when it was refused with one, in epoch seconds."""

    secret: str
    reader: str
    read: dict[int, int]
    refused: dict[int, int]

    @property
    def version(self) -> int:
        """The version that was read last, 0 if none was. A parameter that was made anew begins at 1 again."""
        return max(self.read, key=lambda version: (self.read[version], version), default=0)


def record(versions: Mapping[str, int], event: Event = "read") -> None:
    """Record that this function has read these versions, or was refused with them. Returns at once."""
    oldest = time.monotonic() - INTERVAL_SECONDS
    due = {
        name: version
        for name, version in versions.items()
        if _recorded.get((name, version, event), oldest) <= oldest
    }
    if due and config.setting("STATE_TABLE", "none") != "none":
        threading.Thread(target=_write, args=(due, event), name=KEY, daemon=True).start()


def list_() -> list[Use]:
    """Return all uses, in the order of secrets and readers."""
    found = []
    for sk, values in dynamodb.list_(KEY):
        secret, _, reader = sk.partition("#")
        found.append(Use(secret, reader, _times(values, "read"), _times(values, "refused")))
    return found


def this_reader() -> str:
    """Return the folder of this function, such as "feed_hub", or the name that Lambda gives it."""
    name = config.setting("AWS_LAMBDA_FUNCTION_NAME", "local")
    found = _LOGICAL_ID.search(name)
    return re.sub("(?<!^)(?=[A-Z])", "_", found[1]).lower() if found else name


def _write(versions: dict[str, int], event: Event) -> None:
    reader = this_reader()
    for name, version in versions.items():
        try:
            is_new = _save(name, reader, version, event)
        except Exception as error:  # noqa: BLE001 - a reader works without this record; the next read tries again
            line = {"level": "WARNING", "message": "a use of a secret was not recorded", "parameter": name}
            masking.write_line(line | {"function": reader, "error": type(error).__name__})
            continue
        _recorded[name, version, event] = time.monotonic()
        if is_new:
            line = {"level": "WARNING", "message": "a secret has a new reader", "parameter": name}
            masking.write_line(line | {"function": reader})


def _save(name: str, reader: str, version: int, event: Event) -> bool:
    """Note the time unless another environment has within the interval. Return True for a new reader."""
    now = int(time.time())
    request = {
        "TableName": dynamodb.table(),
        "Key": dynamodb.key(KEY, f"{name}#{reader}"),
        "UpdateExpression": "SET #at = :now, expires_at = :end",
        "ConditionExpression": "attribute_not_exists(#at) OR #at <= :before",
        "ExpressionAttributeNames": {"#at": f"{event}_{version}"},
        "ExpressionAttributeValues": {
            ":now": dynamodb.typed(now),
            ":end": dynamodb.typed(now + KEEP_SECONDS),
            ":before": dynamodb.typed(now - INTERVAL_SECONDS),
        },
        "ReturnValues": "ALL_OLD",
    }
    try:
        return not rpc.call("dynamodb", "UpdateItem", request).get("Attributes")
    except rpc.AwsError as error:
        if error.code != "ConditionalCheckFailedException":
            raise
        return False


def _times(values: Mapping[str, int], event: Event) -> dict[int, int]:
    prefix = f"{event}_"
    return {int(name.removeprefix(prefix)): at for name, at in values.items() if name.startswith(prefix)}

"""Let a stack that is created again after a restart adopt its surviving bucket, table, key, parameter and
secret.

Only what was loaded at the start can be adopted, and once. A second stack that wants the same name is
refused, as in AWS.
"""

from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import dynamodb, kms, s3, secretsmanager, ssm
from ministack.services.cloudformation import provisioners

from .expected import expect, expect_keys

Json = dict[str, Any]

HANDLERS = expect_keys(
    provisioners,
    "_RESOURCE_HANDLERS",
    "AWS::S3::Bucket",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::Secret",
)
expect(provisioners, "s3_bucket_name_conflict", "name")
expect(provisioners, "_NAME_SEED")
expect(provisioners, "_physical_name", "stack_name", "logical_id", "lowercase", "max_len")
for update in ("_s3_update", "_kms_key_update"):
    expect(provisioners, update, "physical_id", "old_props", "new_props", "stack_name")
for update in ("_ssm_update", "_ddb_update"):
    expect(provisioners, update, "physical_id", "old_props", "new_props", "stack_name", "logical_id")
for module, store in (
    (s3, "_buckets"),
    (dynamodb, "_tables"),
    (kms, "_keys"),
    (ssm, "_parameters"),
    (secretsmanager, "_secrets"),
):
    expect(module, store)

# The random part of a generated bucket name must be the same after a restart, or the bucket would not be
# found.
NAME_SEED = "local"
# A key has no name; this tag of ours says which stack and resource it belongs to.
OWNER = "_showrunner_owner"

_left: dict[str, set[str]] = {}


def _take(kind: str, name: str) -> bool:
    """Adopt the resource of this name. Returns False if there is none or it has been adopted already."""
    if name in _left.get(kind, ()):
        _left[kind].discard(name)
        return True
    return False


def _names(store: Any) -> set[str]:
    return {key[-1] for key in store._data}


def _bucket(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_adopt(logical_id: str, properties: Json, stack_name: str) -> Any:
        if not properties.get("BucketName"):
            provisioners._NAME_SEED.set(NAME_SEED)
        name = properties.get("BucketName") or provisioners._physical_name(
            stack_name, logical_id, lowercase=True, max_len=63
        )
        if _take("bucket", name):
            return provisioners._s3_update(name, {}, properties, stack_name)
        return create(logical_id, properties, stack_name)

    return create_or_adopt


def _table(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_adopt(logical_id: str, properties: Json, stack_name: str) -> Any:
        name = properties.get("TableName") or provisioners._physical_name(stack_name, logical_id, max_len=255)
        before = dynamodb._tables.get(name) if _take("table", name) else None
        if before is None and name in dynamodb._tables:
            raise ValueError(
                f"Resource of type 'AWS::DynamoDB::Table' with identifier '{name}' already exists."
            )
        created = create(logical_id, properties, stack_name)
        after = dynamodb._tables[name]
        # With another key schema the stored items would not fit.
        if before and before["KeySchema"] == after["KeySchema"]:
            after.update(
                {
                    key: before[key]
                    for key in ("items", "ItemCount", "TableSizeBytes", "CreationDateTime", "TableId")
                }
            )
        return created

    return create_or_adopt


def _key(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_adopt(logical_id: str, properties: Json, stack_name: str) -> Any:
        owner = f"{stack_name}/{logical_id}"
        for record in _keys_of(owner):
            if _take("key", record["KeyId"]):
                return provisioners._kms_key_update(record["KeyId"], properties, properties, stack_name)
        created = create(logical_id, properties, stack_name)
        kms._resolve_key(created[0])[OWNER] = owner
        return created

    return create_or_adopt


def _keys_of(owner: str) -> Iterator[Json]:
    yield from [
        record
        for record in list(kms._keys.values())
        if record.get(OWNER) == owner and record.get("KeyState") == "Enabled"
    ]


def _parameter(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_adopt(logical_id: str, properties: Json, stack_name: str) -> Any:
        name = properties.get("Name") or f"/{stack_name}/{logical_id}"
        if _take("parameter", name):
            return provisioners._ssm_update(name, properties, properties, stack_name, logical_id)
        return create(logical_id, properties, stack_name)

    return create_or_adopt


def _secret(create: Callable[..., Any]) -> Callable[..., Any]:
    def create_or_adopt(logical_id: str, properties: Json, stack_name: str) -> Any:
        name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id)
        if _take("secret", name):
            arn = secretsmanager._secrets[name]["ARN"]
            return name, {"Id": arn, "Arn": arn}
        return create(logical_id, properties, stack_name)

    return create_or_adopt


def install() -> None:
    """Install the adoption. Call it after the state has been loaded."""
    stores = {
        "bucket": s3._buckets,
        "table": dynamodb._tables,
        "key": kms._keys,
        "parameter": ssm._parameters,
        "secret": secretsmanager._secrets,
    }
    _left.update({kind: _names(store) for kind, store in stores.items()})
    conflict = provisioners.s3_bucket_name_conflict
    provisioners.s3_bucket_name_conflict = lambda name: None if name in _left["bucket"] else conflict(name)
    for resource, adopting in (
        ("AWS::S3::Bucket", _bucket),
        ("AWS::DynamoDB::Table", _table),
        ("AWS::KMS::Key", _key),
        ("AWS::SSM::Parameter", _parameter),
        ("AWS::SecretsManager::Secret", _secret),
    ):
        HANDLERS[resource]["create"] = adopting(HANDLERS[resource]["create"])

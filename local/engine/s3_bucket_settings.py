"""LifecycleConfiguration and BucketEncryption of AWS::S3::Bucket, which MiniStack's CloudFormation ignores:
stored and returned, without effect.
"""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from ministack.services import s3
from ministack.services.cloudformation import provisioners

from .expected import expect

Json = dict[str, Any]

expect(provisioners, "_S3_BUCKET_CONFIGURATIONS")
for kind in ("lifecycle", "encryption"):
    expect(s3, f"_put_bucket_{kind}", "name", "body")
    expect(s3, f"_delete_bucket_{kind}", "name")

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# CloudFormation's flat names, and their place in S3's own document.
FLAT = {
    "ExpirationInDays": ("Expiration", "Days"),
    "ExpirationDate": ("Expiration", "Date"),
    "ExpiredObjectDeleteMarker": ("Expiration", "ExpiredObjectDeleteMarker"),
    "NoncurrentVersionExpirationInDays": ("NoncurrentVersionExpiration", "NoncurrentDays"),
}
RENAMED = {
    "Id": "ID",
    "TransitionInDays": "Days",
    "TransitionDate": "Date",
    "TransitionInNoncurrentDays": "NoncurrentDays",
}
LISTS = {"Transitions": "Transition", "NoncurrentVersionTransitions": "NoncurrentVersionTransition"}


def lifecycle_xml(configuration: Json) -> bytes:
    root = ElementTree.Element("LifecycleConfiguration", xmlns=NAMESPACE)
    for rule in configuration.get("Rules", []):
        _fill(ElementTree.SubElement(root, "Rule"), _as_s3_has_it(rule))
    return ElementTree.tostring(root)


def _as_s3_has_it(rule: Json) -> Json:
    shaped: Json = {"Filter": {"Prefix": rule.get("Prefix", "")}}
    for name, value in rule.items():
        if name in FLAT:
            outer, inner = FLAT[name]
            shaped.setdefault(outer, {})[inner] = value
        elif name in LISTS:
            shaped[LISTS[name]] = value
        elif name not in ("Prefix", "TagFilters"):
            shaped[name] = value
    return shaped


def encryption_xml(configuration: Json) -> bytes:
    root = ElementTree.Element("ServerSideEncryptionConfiguration", xmlns=NAMESPACE)
    for rule in configuration.get("ServerSideEncryptionConfiguration", []):
        default = rule.get("ServerSideEncryptionByDefault", {})
        shaped = {
            "ApplyServerSideEncryptionByDefault": default,
            "BucketKeyEnabled": rule.get("BucketKeyEnabled", False),
        }
        _fill(ElementTree.SubElement(root, "Rule"), shaped)
    return ElementTree.tostring(root)


def _fill(element: ElementTree.Element, values: Json) -> None:
    for name, value in _flattened(values):
        child = ElementTree.SubElement(element, RENAMED.get(name, name))
        if isinstance(value, dict):
            _fill(child, value)
        else:
            child.text = str(value).lower() if isinstance(value, bool) else str(value)


def _flattened(values: Json) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            yield name, item


def install() -> None:
    provisioners._S3_BUCKET_CONFIGURATIONS = [
        *provisioners._S3_BUCKET_CONFIGURATIONS,
        ("LifecycleConfiguration", lifecycle_xml, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
        ("BucketEncryption", encryption_xml, s3._put_bucket_encryption, s3._delete_bucket_encryption),
    ]

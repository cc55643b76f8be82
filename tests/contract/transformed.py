"""The two templates as CloudFormation gets them: after the SAM transform with its added names and roles.

No account is asked: the transform is AWS's own (aws-sam-translator), and the managed policies that it would
look up are none of ours.
"""

import functools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.contract.template import DATA, FILES, Json, load, parse

# The transform knows the partition and the endpoint type of APIs by the region.
REGION = "us-east-1"
# Parameters that the transform itself reads; CloudFormation gives it the values of all.
VALUES = {"Release": "0123456789abcdef"}


class Resource(NamedTuple):
    template: str
    """File name of the template."""
    id: str
    type: str
    properties: Json
    whole: Json


@functools.cache
def stack(path: Path) -> Json:
    """A template of ours after the transform. Shared: don't change it."""
    return transform(load(path))


def transform(template: Json) -> Json:
    from samtranslator.translator.transform import transform as sam_transform

    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    plain = _packaged(template)
    return sam_transform(plain, dict(VALUES), _NoManagedPolicies())


def _packaged(template: Json) -> Json:
    """A copy with code in S3, as `sam package` leaves it: the transform refuses local paths."""
    plain = json.loads(
        json.dumps(template)
    )  # not deepcopy: that keeps YAML's anchors shared, and the transform changes what it is given
    for each in plain["Resources"].values():
        properties = each.get("Properties") or {}
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in properties:
                properties[name] = f"s3://code/{properties[name]}"
    return plain


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def text(yaml: str) -> Json:
    """A template written out in a test, after the transform."""
    return transform(parse(yaml))


def resources(*templates: tuple[str, Json]) -> Iterator[Resource]:
    """Every resource of the transformed templates (by default of both files)."""
    for name, each in templates or [
        (path.name, stack(path)) for path in (DATA, *(path for path in FILES if path != DATA))
    ]:
        for identity, whole in each["Resources"].items():
            yield Resource(name, identity, whole["Type"], whole.get("Properties") or {}, whole)


def of_type(*kinds: str) -> dict[str, Resource]:
    """Resources of these types in both templates, by logical id."""
    return {each.id: each for each in resources() if each.type in kinds}

"""The two templates as plain values: long-form intrinsic functions, Globals merged in as SAM does."""

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.contract.code import ROOT

APPLICATION = ROOT / "template.yaml"
DATA = ROOT / "template.data.yaml"
EDGE = ROOT / "template.edge.yaml"
FILES = (APPLICATION, DATA)
"""The two templates of every stage. CloudFront's is a stack of its own, for stages that want it."""

Json = dict[str, Any]


class Loader(yaml.CSafeLoader):
    """A YAML loader that expands CloudFormation's short forms. libyaml's is ten times as fast."""


def _intrinsic(loader: Loader, tag: str, node: yaml.Node) -> Json:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


yaml.add_multi_constructor("!", _intrinsic, Loader)


@functools.cache
def load(path: Path) -> Json:
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Json:
    return yaml.load(text, Loader)


def in_stage(value: int | Json, name: str) -> int:
    """Return a number of the templates as the stage has it: by its file, else by the parameter's default."""
    if isinstance(value, int):
        return value
    given = tomllib.loads((ROOT / "stages" / f"{name}.toml").read_text(encoding="utf-8"))
    return int(given.get(value["Ref"], _parameter(value)["Default"]))


def largest(value: int | Json) -> int:
    """Return the largest number that a value of the templates may be."""
    return value if isinstance(value, int) else int(_parameter(value)["MaxValue"])


def _parameter(value: Json) -> Json:
    found: Json = {**load(DATA)["Parameters"], **load(APPLICATION)["Parameters"]}[value["Ref"]]
    return found


class Function(NamedTuple):
    name: str
    """The name of its folder."""
    id: str
    properties: Json
    own: Json
    """The function's own properties, without Globals."""
    template: Json

    @property
    def variables(self) -> Json:
        return (self.properties.get("Environment") or {}).get("Variables") or {}

    @property
    def statements(self) -> list[Json]:
        return [
            statement
            for policy in self.properties.get("Policies", ())
            for statement in listed(policy["Statement"])
        ]


def functions(*templates: Json) -> dict[str, Function]:
    """Return the functions of the templates (by default of both files) by the name of their folder."""
    found = [function for template in templates or map(load, FILES) for function in _functions(template)]
    return {function.name: function for function in found}


def _functions(template: Json) -> Iterator[Function]:
    common = (template.get("Globals") or {}).get("Function") or {}
    for logical_id, properties in resources(template, "AWS::Serverless::Function").items():
        code = properties.get("CodeUri", "")
        yield Function(Path(code).name, logical_id, merged(common, properties), properties, template)


def resources(template: Json, kind: str) -> dict[str, Json]:
    """Return the properties of the resources of a type by logical id."""
    return {
        name: each.get("Properties") or {}
        for name, each in template["Resources"].items()
        if each["Type"] == kind
    }


def merged(common: Any, own: Any) -> Any:
    """Merge Globals with a function's own properties: maps merged, lists concatenated, others replaced.

    https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
    """
    if (
        isinstance(common, dict)
        and isinstance(own, dict)
        and not (_is_intrinsic(common) or _is_intrinsic(own))
    ):
        return {
            **common,
            **{name: merged(common[name], value) if name in common else value for name, value in own.items()},
        }
    if isinstance(common, list) and isinstance(own, list):
        return [*common, *own]
    return own


def _is_intrinsic(value: Json) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Fn::", "Ref"))


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def walk(value: Any) -> Iterator[Any]:
    """Yield the value and everything inside it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def references(value: Any) -> set[str]:
    """Return the logical ids and parameters that a value refers to, by Ref, GetAtt or inside a Sub."""
    found = set()
    for inner in walk(value):
        if not isinstance(inner, dict):
            continue
        if "Ref" in inner:
            found.add(inner["Ref"])
        if "Fn::GetAtt" in inner:
            found.add(inner["Fn::GetAtt"][0])
        if "Fn::Sub" in inner:
            text, given = inner["Fn::Sub"] if isinstance(inner["Fn::Sub"], list) else (inner["Fn::Sub"], {})
            found |= {
                name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text) if name not in given
            }
    return found

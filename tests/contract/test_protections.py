"""All templates keep every rule of protections.py, and each value is the one in protections.txt."""

import os

import pytest

from tests.contract import protections, transformed
from tests.contract.protections import TEMPLATES
from tests.contract.template import load
from tests.contract.weakenings import Weakening, additions, weakenings


def test_every_resource_keeps_the_rules_of_its_kind():
    stacks = [(path.name, transformed.stack(path)) for path in TEMPLATES]

    assert protections.faults(list(transformed.resources(*stacks))) == []


def test_every_value_that_protects_is_the_one_that_was_reviewed():
    if os.environ.get("PROTECTIONS") == "write":
        print(f"{protections.write()} values written to {protections.FILE.name}")
    found = protections.differences(protections.all_facts(), protections.written())
    if found:
        pytest.fail(
            "these values of the templates changed; if they are meant to, `make protections` writes them "
            "down:\n" + "\n".join(found),
            pytrace=False,
        )


# ---------------------------------------------------------------- Weakenings


def test_an_empty_value_has_a_line_too():
    """`Host: {}` says where a volume lies: its loss must be found although there is nothing in it."""
    documents = {
        "a.yaml": {
            "Resources": {"Job": {"Type": "T", "Properties": {"Volumes": [{"Name": "x", "Host": {}}]}}}
        }
    }

    assert "a.yaml Job Volumes.-.Host = {}" in protections.all_facts(documents)


# Of the serious ones, by rules alone.
LEAST_CAUGHT = 0.95


def all_weakenings() -> list[tuple[str, Weakening]]:
    return [(path.name, each) for path in TEMPLATES for each in [*weakenings(load(path)), *additions()]]


def is_caught(name: str, weakening: Weakening, known: set[str]) -> bool:
    """Return whether `make check` fails for it: by a value that changed, or by a rule.

    `known`: the lines of protections.txt about this template.
    """
    document = weakening.of(load(next(path for path in TEMPLATES if path.name == name)))
    try:
        if protections.differences(protections.facts(document, name), known):
            return True
        return bool(protections.rule_faults({name: document}))
    except Exception as error:  # noqa: BLE001 - the transform or a rule that can't read a template refuses it
        return bool(str(error)) or True


def escaped(chosen: list[tuple[str, Weakening]]) -> list[str]:
    known = {
        path.name: {line for line in protections.written() if line.startswith(f"{path.name} ")}
        for path in TEMPLATES
    }
    return [f"{name} {each.what}" for name, each in chosen if not is_caught(name, each, known[name])]


def test_a_tenth_of_all_weakenings_would_be_found():
    """Every tenth; `make test-full` looks at all of them."""
    everything = all_weakenings()
    chosen = everything[::10]

    assert len(everything) > 2_000
    assert escaped(chosen) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_weakening_of_the_templates_would_be_found():
    everything = all_weakenings()
    left = escaped(everything)
    print(f"{len(everything) - len(left)} of {len(everything)} weakenings are caught")

    assert left == []


def by_rules_alone(chosen: list[tuple[str, Weakening]]) -> list[str]:
    """Weakenings that no rule finds: of these only the line of protections.txt tells."""
    missed = []
    for name, each in chosen:
        document = each.of(next(load(path) for path in TEMPLATES if path.name == name))
        try:
            if not protections.rule_faults({name: document}):
                missed.append(f"{name} {each.what}")
        except Exception:  # noqa: BLE001 - the transform or a rule that can't read a template refuses it
            continue
    return missed


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_rules_alone_find_what_exposes_and_what_unseals():
    """Rules find what opens, widens, unseals or forgets, even if the file of values was written anew."""
    serious = (
        "open",
        "everybody",
        "another account",
        "administrator",
        "anybody",
        "is for everything",
        ":*",
        "public",
        "unsealed",
        "is added",
        "root",
        "Privileged",
    )
    keys = (
        "SseEnabled",
        "KmsKeyId",
        "KmsMasterKeyId",
        "StorageEncrypted",
        "SSESpecification",
        "BucketEncryption",
        "EnableKeyRotation",
        "PublicAccessBlock",
        "PointInTime",
    )
    # A fifth of them: each takes a transform of its own, and all together take eight minutes.
    chosen = [
        (name, each)
        for name, each in all_weakenings()
        if any(word in each.what for word in (*serious, *keys))
    ][::5]
    missed = by_rules_alone(chosen)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} serious weakenings are found by a rule")

    assert len(missed) <= len(chosen) * (1 - LEAST_CAUGHT), "\n".join(missed)

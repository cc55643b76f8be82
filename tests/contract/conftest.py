"""Fixtures of the contract tests."""

import pytest

from tests.contract import template
from tests.contract.template import Function


@pytest.fixture(scope="module")
def functions() -> dict[str, Function]:
    return template.functions()

"""Give the SAM transform the stack's parameter values, as AWS does; MiniStack gives it none.

The transform reads few of them: a function that is published by an alias gets a new version when the value of
its AutoPublishCodeSha256 changes, and the templates make that a parameter.
"""

import contextvars
from typing import Any

from ministack.services.cloudformation import changesets, handlers
from ministack.services.cloudformation import engine as cloudformation
from samtranslator.translator import transform as sam

from .expected import expect

Json = dict[str, Any]

_apply = expect(cloudformation, "_apply_transforms", "template", "provided_params", "previous_params")
_values_of = expect(cloudformation, "_transform_parameters", "template", "provided_params", "previous_params")
_transform = expect(sam, "transform", "input_fragment", "parameter_values", "managed_policy_loader")
_values: contextvars.ContextVar[Json | None] = contextvars.ContextVar("sam_parameters", default=None)


def _applied(template: Json, provided_params: Any = None, previous_params: Any = None) -> Any:
    token = _values.set(_values_of(template, provided_params, previous_params))
    try:
        return _apply(template, provided_params, previous_params)
    finally:
        _values.reset(token)


def _transformed(template: Json, parameter_values: Json, managed_policy_loader: Any) -> Any:
    return _transform(template, {**(_values.get() or {}), **parameter_values}, managed_policy_loader)


def install() -> None:
    for module in (cloudformation, changesets, handlers):
        expect(module, "_apply_transforms")
        module._apply_transforms = _applied
    sam.transform = _transformed

"""Structured logs and metrics for all Lambda handlers."""

import functools
import json
import logging
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from showrunner import masking
from showrunner.aws import correlation, ssm
from showrunner.errors import CredentialRejected

_encode = json.JSONEncoder(separators=(",", ":"), default=str, ensure_ascii=False).encode


def _masked_line(record: Any) -> str:
    """Return a log record as JSON without secrets: Powertools has all parts of it together here."""
    return masking.masked(_encode(record))


logger = Logger(service="showrunner", use_rfc3339=True, utc=True, json_serializer=_masked_line)
metrics = Metrics(namespace="Showrunner", service="showrunner")


def _add_request_id(record: logging.LogRecord) -> bool:
    """Add the request's id to a log record that has none. Keeps the record."""
    if not hasattr(record, "request_id"):
        record.request_id = correlation.current()
    return True


logger.addFilter(_add_request_id)


class MaskedError(Exception):
    """Stands for an error whose text contained a secret and can't be changed, such as pydantic's."""


Handler = Callable[[dict[str, Any], Any], Any]

# What a step's event may carry into every log line: ids only, never texts or addresses.
_IDS = ("video_id", "organisation_id", "attempt", "scene")


def _request_id(event: Any) -> str:
    """Return the id that an execution's input or an event of the bus carries."""
    if not isinstance(event, dict):
        return ""
    detail = event.get("detail")
    return str(
        event.get("request_id") or (detail.get("request_id") if isinstance(detail, dict) else "") or ""
    )


def entrypoint(handler: Handler) -> Handler:
    """Wrap a Lambda handler with a log context and metrics.

    Errors are logged and raised again without secrets, because Lambda logs their texts and a state machine's
    history keeps them.
    """

    @functools.wraps(handler)
    def run(event: dict[str, Any], context: Any) -> Any:
        begun = time.perf_counter()
        ids = {name: event[name] for name in _IDS if name in event}
        invocation_id = getattr(context, "aws_request_id", None) or ""
        with (
            correlation.of_request(_request_id(event) or invocation_id),
            logger.append_context_keys(invocation_id=invocation_id, **ids),
        ):
            try:
                return handler(event, context)
            except Exception as error:
                if isinstance(error, CredentialRejected):
                    # A warm environment must not use the old key after it was replaced.
                    ssm.refused()
                metrics.add_metric("Errors", MetricUnit.Count, 1)
                logger.exception("failed", extra={"error": type(error).__name__})
                masking.mask_error(error)
                if not masking.is_clean(error):
                    raise MaskedError(masking.masked(f"{type(error).__name__}: {error}")) from None
                raise
            finally:
                metrics.add_metric("Duration", MetricUnit.Milliseconds, (time.perf_counter() - begun) * 1000)
                metrics.add_dimension("function", getattr(context, "function_name", "unknown"))
                metrics.flush_metrics()

    return run

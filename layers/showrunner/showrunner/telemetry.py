"""Structured logs and metrics for all Lambda handlers."""

import functools
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from showrunner.aws import ssm
from showrunner.errors import CredentialRejected

logger = Logger(service="showrunner", use_rfc3339=True, utc=True)
metrics = Metrics(namespace="Showrunner", service="showrunner")

Handler = Callable[[dict[str, Any], Any], Any]

# What a step's event may carry into every log line: ids only, never texts or addresses.
_IDS = ("video_id", "organisation_id", "attempt", "scene")


def entrypoint(handler: Handler) -> Handler:
    """Wrap a Lambda handler with a log context and metrics. Errors are logged and raised again."""

    @functools.wraps(handler)
    def run(event: dict[str, Any], context: Any) -> Any:
        begun = time.perf_counter()
        ids = {name: event[name] for name in _IDS if name in event}
        with logger.append_context_keys(request_id=getattr(context, "aws_request_id", None), **ids):
            try:
                return handler(event, context)
            except Exception as error:
                if isinstance(error, CredentialRejected):
                    # A warm environment must not use the old key after it was replaced.
                    ssm.forget()
                metrics.add_metric("Errors", MetricUnit.Count, 1)
                logger.exception("failed", extra={"error": type(error).__name__})
                raise
            finally:
                metrics.add_metric("Duration", MetricUnit.Milliseconds, (time.perf_counter() - begun) * 1000)
                metrics.add_dimension("function", getattr(context, "function_name", "unknown"))
                metrics.flush_metrics()

    return run

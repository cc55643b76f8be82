"""Write the access log line and metrics of a request, and log its failures."""

import time
from datetime import UTC, datetime
from typing import Any

from showrunner import config, masking
from showrunner.web.routing import Request

# A slower request is logged as a warning, with the time of each part.
SLOW_MS = 1000


def request(function: str, request: Request, status: int) -> None:
    """Write one line that is the request's log entry and its metrics at once.

    It is in CloudWatch's embedded metric format, and costs a fifth of a logger and a metrics object.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    now = time.time()
    request.end_part("rest")
    duration = (time.perf_counter() - request.begun) * 1000
    line: dict[str, Any] = {
        "level": "INFO",
        "message": "request",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "request_id": request.id,
        "function": function,
        "method": request.method,
        "route": request.route or "none",
        "status": status,
        "status_class": f"{status // 100}xx",
        "Duration": round(duration, 2),
        f"Answers{status // 100}xx": 1,
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": _metrics(status)},
    }
    if duration > SLOW_MS:
        line |= {"level": "WARNING", "parts_ms": request.parts}
    caller = request.identity
    if caller is not None:
        line |= {"subject": caller.subject, "organisation_id": caller.organisation_id, "actor": caller.actor}
    masking.write_line(line)


def _metrics(status: int) -> list[dict[str, Any]]:
    """Return the metrics of each function, and of each route where the stage pays for those.

    Routes are the declared ones, so an unknown path adds no metric.
    """
    duration = {"Name": "Duration", "Unit": "Milliseconds"}
    count = {"Name": f"Answers{status // 100}xx", "Unit": "Count"}
    dimensions = [["function"]]
    if config.setting("ROUTE_METRICS", "false") == "true":
        dimensions.append(["route", "status_class"])
    return [{"Namespace": "Showrunner", "Dimensions": dimensions, "Metrics": [duration, count]}]


def failure(request: Request, message: str) -> None:
    from showrunner.telemetry import logger

    logger.exception(message, extra={"request_id": request.id, "route": request.route})


def warn(request: Request, message: str, **known: Any) -> None:
    """Log a warning about something that another part of the system will repair."""
    from showrunner.telemetry import logger

    logger.warning(message, extra={"request_id": request.id, "route": request.route, **known})

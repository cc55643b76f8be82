"""Write the access log line and metrics of a request, and log its failures."""

import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from showrunner.web.routing import Request


def request(function: str, request: Request, status: int, begun: float) -> None:
    """Write one line that is the request's log entry and its metrics at once.

    It is in CloudWatch's embedded metric format, and costs a fifth of a logger and a metrics object.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    now = time.time()
    line: dict[str, Any] = {
        "level": "INFO",
        "message": "request",
        "timestamp": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
        "request_id": request.id,
        "function": function,
        "method": request.method,
        "route": request.route or "none",
        "status": status,
        "Duration": round((time.perf_counter() - begun) * 1000, 2),
        f"Answers{status // 100}xx": 1,
        "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": _METRICS[status // 100]},
    }
    caller = request.identity
    if caller is not None:
        line |= {"subject": caller.subject, "organisation_id": caller.organisation_id, "actor": caller.actor}
    sys.stdout.write(json.dumps(line, separators=(",", ":")) + "\n")


_METRICS = {
    hundred: [
        {
            "Namespace": "Showrunner",
            "Dimensions": [["function"]],
            "Metrics": [
                {"Name": "Duration", "Unit": "Milliseconds"},
                {"Name": f"Answers{hundred}xx", "Unit": "Count"},
            ],
        }
    ]
    for hundred in range(1, 6)
}


def failure(request: Request, message: str) -> None:
    from showrunner.telemetry import logger

    logger.exception(message, extra={"request_id": request.id, "route": request.route})


def warn(request: Request, message: str, **known: Any) -> None:
    """Log a warning about something that another part of the system will repair."""
    from showrunner.telemetry import logger

    logger.warning(message, extra={"request_id": request.id, "route": request.route, **known})

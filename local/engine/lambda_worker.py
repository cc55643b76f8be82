"""One execution environment of a function: import the handler once, then serve invocations until the pipe
closes.

Run by the functions' own interpreter with nothing of ours on its path: `lambda_worker.py REQUEST_FD
RESPONSE_FD`, one JSON document per line on both. The function's output goes to standard output and error.
After each invocation, a line that starts with a NUL byte on standard error tells the engine that all output
has been written.
"""

import importlib
import io
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Handler = Callable[[Any, "LambdaContext"], Any]

INVOCATION_ENDS = "\0END"


class LambdaContext:
    """The context object of AWS's Python runtime."""

    def __init__(self, invocation: Json) -> None:
        self._deadline = time.monotonic() + invocation["timeout_s"]
        self.aws_request_id = invocation["request_id"]
        self.invoked_function_arn = invocation["function_arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = None
        self.client_context = None
        self.tenant_id = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.monotonic()) * 1000))

    def log(self, message: object) -> None:
        sys.stdout.write(str(message))


class InvocationFormatter(logging.Formatter):
    """AWS's text format: level, time, request id, message, separated by tabs."""

    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        record.aws_request_id = self.request_id
        return super().format(record)


def set_up_logging() -> InvocationFormatter:
    formatter = InvocationFormatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    return formatter


def set_up_path(code: str, opt: str | None) -> None:
    """Put the function's code before its layers, and both before the standard library, as AWS does."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    layers = [f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"] if opt else []
    sys.path[:0] = [code, *(folder for folder in layers if Path(folder).is_dir())]


def error(error_type: str, message: str, trace: Sequence[str] = ()) -> Json:
    return {"errorMessage": message, "errorType": error_type, "stackTrace": list(trace)}


def from_exception(exception: Exception, skip: int) -> Json:
    frames = traceback.format_list(traceback.extract_tb(exception.__traceback__)[skip:])
    return error(type(exception).__name__, str(exception), frames)


def load(handler: str) -> tuple[Handler | None, Json | None]:
    """Load the handler. Returns (function, None) or (None, the error that AWS reports)."""
    module_name, _, name = handler.rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as failure:
        return None, error(
            "Runtime.ImportModuleError",
            f"Unable to import module '{module_name}': {failure}",
            traceback.format_exc().splitlines(),
        )
    except SyntaxError as failure:
        return None, error(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {failure}"
        )
    except Exception as failure:  # noqa: BLE001 (whatever the user's code raises is reported)
        return None, from_exception(failure, 1)
    if not hasattr(module, name):
        return None, error("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    return getattr(module, name), None


def invoke(function: Handler, invocation: Json) -> Json:
    try:
        result = function(invocation["event"], LambdaContext(invocation))
    except Exception as failure:  # noqa: BLE001
        answer = from_exception(failure, 1)
        print(
            f"[ERROR] {answer['errorType']}: {answer['errorMessage']}\n"
            f"Traceback (most recent call last):\n{''.join(answer['stackTrace'])}",
            flush=True,
        )
        return {"error": answer}
    try:
        return {"result": json.dumps(result, ensure_ascii=False, allow_nan=False)}
    except (TypeError, ValueError) as failure:
        return {"error": error("Runtime.MarshalError", f"Unable to marshal response: {failure}")}


def read_requests(descriptor: int, requests: "queue.SimpleQueue[str]") -> None:
    """Read requests in a thread of its own: when the pipe closes, the engine has ended, and so must the
    function's children.
    """
    with os.fdopen(descriptor, encoding="utf-8") as lines:
        for line in lines:
            requests.put(line)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=read_requests, args=(int(sys.argv[1]), requests), daemon=True).start()
    responses = os.fdopen(int(sys.argv[2]), "w", encoding="utf-8")
    sys.argv = [""]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)

    def answer(document: Json) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, f"{INVOCATION_ENDS}\n".encode())
        responses.write(json.dumps(document) + "\n")
        responses.flush()

    start = json.loads(requests.get())
    set_up_path(start["code"], start["opt"])
    formatter = set_up_logging()
    function, failure = load(start["handler"])
    answer({"error": failure} if failure else {})
    while function:
        invocation = json.loads(requests.get())
        formatter.request_id = invocation["request_id"]
        os.environ["_X_AMZN_TRACE_ID"] = invocation["trace_id"]
        answer(invoke(function, invocation))


if __name__ == "__main__":
    main()

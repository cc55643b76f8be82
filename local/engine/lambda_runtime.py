"""Run functions as AWS does: own interpreter, own environment, code before layers, and AWS's error names.

MiniStack provides the API, versions and aliases, concurrency limits, event sources and the pool of warm
workers. The worker and the handling of its result are ours.

Different from AWS: the memory size limits nothing (only its number is shown), /tmp is this machine's (TMPDIR
and HOME are the worker's own), and the code's folder is writable.
"""

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ministack.core import lambda_runtime as pool
from ministack.services import lambda_svc

from . import lambda_worker
from .callers import Callers
from .expected import expect
from .lambda_code import unpacked
from .logs import LogStream, lines_of
from .settings import Settings

Json = dict[str, Any]

expect(pool, "Worker")
expect(pool.Worker, "__init__", "self", "func_name", "config", "code_zip")
expect(pool.Worker, "_discard_tmpdir", "self")
expect(pool, "_worker_class_for", "config")
expect(pool, "acquire_worker", "func_name", "config", "code_zip", "qualifier")
expect(pool, "release_worker", "worker")
expect(pool, "_account_region_from_function_config", "config")
expect(lambda_svc, "_execute_function_warm", "func", "event", "request_id")
expect(lambda_svc, "_emit_lambda_logs", "func", "request_id", "log_text", "error", "duration_ms")
expect(lambda_svc, "_resolve_layer_zip", "attachment")
expect(lambda_svc, "_ensure_reaper_thread")
expect(lambda_svc, "_invoke", "name", "event", "headers", "path_qualifier", "query_params")
expect(lambda_svc, "error_response_json")

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: 6 MB in and out of a synchronous
# call, 1 MB into an asynchronous one. AWS's error messages contain these numbers.
REQUEST_LIMIT_BYTES = 6_291_456
RESPONSE_LIMIT_BYTES = 6_291_556
ASYNCHRONOUS_LIMIT_BYTES = 1_048_576
# AWS gives initialisation 10 s; after that it repeats it within the function's own timeout.
INITIALISATION_SECONDS = 10
# Output left in the pipe of an ended worker. It is there at once, unless a grandchild keeps the pipe open.
LAST_OUTPUT_SECONDS = 1.0


class WorkerFailed(Exception):
    """AWS's response for an invocation without a result."""

    def __init__(self, error_type: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.answer: Json = {"errorType": error_type, "errorMessage": message} | (
            {"stackTrace": stack} if stack is not None else {}
        )


class Worker(pool.Worker):
    """One execution environment: a process in its own group that serves one invocation at a time."""

    settings: Settings
    callers: Callers

    def __init__(self, func_name: str, config: Json, code_zip: bytes) -> None:
        super().__init__(func_name, config, code_zip)
        today = datetime.now(UTC)
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{func_name}"
        self._log = LogStream(
            group, f"{today:%Y/%m/%d}/[{config.get('Version', '$LATEST')}]{uuid.uuid4().hex}"
        )
        self._answers: queue.SimpleQueue[Json | None] = queue.SimpleQueue()
        self._requests: Any = None
        self._output_done = threading.Event()

    @property
    def alive(self) -> bool:
        return self._proc is not None and self._proc.poll() is None

    def invoke(
        self,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        invoked_function_arn: str | None = None,
        **_: Any,
    ) -> Json:
        """Return the handler's result. Raises WorkerFailed if there is none."""
        with self._lock:
            started = time.monotonic()
            self._log.write(
                [f"START RequestId: {request_id} Version: {self.config.get('Version', '$LATEST')}"]
            )
            initialised_ms = self._initialise(request_id)
            try:
                return self._run(event, request_id, trace_id, invoked_function_arn)
            finally:
                self._report(request_id, (time.monotonic() - started) * 1000 - initialised_ms, initialised_ms)

    def _initialise(self, request_id: str) -> float:
        """Start the worker if needed. Returns the milliseconds of a cold start, 0 for a warm worker."""
        if self.alive:
            return 0.0
        started = time.monotonic()
        self._spawn()
        limit = INITIALISATION_SECONDS + self._timeout_seconds
        failure = self._await(limit, request_id, f"Init phase timed out after {limit:.2f} seconds").get(
            "error"
        )
        if failure:
            self._stop()
            raise WorkerFailed(failure["errorType"], failure["errorMessage"], failure["stackTrace"])
        return (time.monotonic() - started) * 1000

    def _run(self, event: Any, request_id: str, trace_id: str | None, function_arn: str | None) -> Json:
        seconds = self._timeout_seconds
        self._send(
            {
                "event": event,
                "request_id": request_id,
                "timeout_s": seconds,
                "trace_id": trace_id
                or (
                    f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};"
                    f"Parent={uuid.uuid4().hex[:16]};Sampled=0"
                ),
                "function_arn": function_arn or self.config.get("FunctionArn", ""),
            }
        )
        answer = self._await(seconds, request_id, f"Task timed out after {seconds:.2f} seconds")
        if failure := answer.get("error"):
            raise WorkerFailed(failure["errorType"], failure["errorMessage"], failure["stackTrace"])
        if len(answer["result"].encode()) > RESPONSE_LIMIT_BYTES:
            raise WorkerFailed(
                "Function.ResponseSizeTooLarge",
                f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} "
                "bytes).",
            )
        return {"result": json.loads(answer["result"])}

    @property
    def _timeout_seconds(self) -> float:
        return float(self.config.get("Timeout", 3))

    def _send(self, document: Json) -> None:
        try:
            self._requests.write(json.dumps(document).encode() + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            pass  # the process has ended; waiting for its response reports it

    def _await(self, seconds: float, request_id: str, timed_out: str) -> Json:
        try:
            answer = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._stop()
            self._log.write(
                [f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {request_id} {timed_out}"]
            )
            raise WorkerFailed("Sandbox.Timedout", f"RequestId: {request_id} Error: {timed_out}") from None
        if answer is None:
            reason = self._exit_reason()
            self._log.write([f"RequestId: {request_id} Error: {reason}", "Runtime.ExitError"])
            raise WorkerFailed("Runtime.ExitError", f"RequestId: {request_id} Error: {reason}")
        self._output_done.wait(LAST_OUTPUT_SECONDS)
        self._output_done.clear()
        return answer

    def _exit_reason(self) -> str:
        process = self._proc
        self._stop()
        code = process.wait() if process else 0
        if code < 0:
            name = "killed" if code == -signal.SIGKILL else signal.Signals(-code).name
            return f"Runtime exited with error: signal: {name}"
        return (
            f"Runtime exited with error: exit status {code}"
            if code
            else "Runtime exited without providing a reason"
        )

    def _report(self, request_id: str, duration_ms: float, initialised_ms: float) -> None:
        size = self.config.get("MemorySize", 128)
        report = (
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {int(duration_ms) + 1} ms\tMemory Size: {size} MB\t"
        )
        report += f"Max Memory Used: {self._memory_mb()} MB\t" + (
            f"Init Duration: {initialised_ms:.2f} ms\t" if initialised_ms else ""
        )
        self._log.write([f"END RequestId: {request_id}", report])

    def _memory_mb(self) -> int:
        try:
            status = Path(f"/proc/{self._proc.pid}/status").read_text()
            return (
                int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024
            )
        except (OSError, AttributeError, StopIteration):
            return 0

    def _spawn(self) -> None:
        self._stop()
        self._discard_tmpdir()
        self.settings.scratch.mkdir(parents=True, exist_ok=True)
        self._tmpdir = tempfile.mkdtemp(dir=self.settings.scratch, prefix=f"lambda-{self.func_name[:40]}-")
        code = unpacked(self.settings.scratch / "code", [self.code_zip])
        layers = [
            layer for layer in map(lambda_svc._resolve_layer_zip, self.config.get("Layers") or []) if layer
        ]
        opt = unpacked(self.settings.scratch / "layers", layers) if layers else None
        self._start_process(code, opt)
        self._send(
            {"code": str(code), "opt": str(opt or ""), "handler": self.config.get("Handler", "index.handler")}
        )

    def _start_process(self, code: Path, opt: Path | None) -> None:
        request_out, request_in = os.pipe()
        response_out, response_in = os.pipe()
        try:
            self._proc = subprocess.Popen(
                [
                    self.settings.lambda_python,
                    "-P",
                    "-s",
                    lambda_worker.__file__,
                    str(request_out),
                    str(response_in),
                ],
                cwd=code,
                env=self._environment(code, opt),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(request_out, response_in),
                start_new_session=True,
            )
        finally:
            os.close(request_out)
            os.close(response_in)
        self._requests = os.fdopen(request_in, "wb")
        self._answers = queue.SimpleQueue()
        self._output_done = threading.Event()
        threading.Thread(
            target=_read_answers, args=(os.fdopen(response_out, "rb"), self._answers), daemon=True
        ).start()
        threading.Thread(
            target=_ship_output, args=(self._proc.stdout, self._log, self._output_done), daemon=True
        ).start()

    def _environment(self, code: Path, opt: Path | None) -> dict[str, str]:
        """Return AWS's own variables and the function's, which cannot replace reserved ones; none of this
        machine's.
        """
        _, region = pool._account_region_from_function_config(self.config)
        name = self.config.get("FunctionName", self.func_name)
        own = dict((self.config.get("Environment") or {}).get("Variables") or {})
        overridable = {
            "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin", *([f"{opt}/bin"] if opt else [])]),
            "LANG": "C.UTF-8",
            "TZ": ":UTC",
            # The SDKs find the engine through the first; the second keeps them from adding a label to its
            # host name.
            "AWS_ENDPOINT_URL": self.settings.endpoint,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
            # Otherwise the worker would use the developer's home, with its AWS profiles, and the machine's
            # /tmp.
            "HOME": str(self._tmpdir),
            "TMPDIR": str(self._tmpdir),
        }
        reserved = {
            "_HANDLER": self.config.get("Handler", ""),
            **self.callers.credentials("lambda", name),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.config.get('Runtime', 'python3.13')}",
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.config.get("MemorySize", 128)),
            "AWS_LAMBDA_FUNCTION_VERSION": self.config.get("Version", "$LATEST"),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self._log.group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log.stream,
            "LAMBDA_TASK_ROOT": str(code),
            "LAMBDA_RUNTIME_DIR": str(Path(lambda_worker.__file__).parent),
        }
        return {**overridable, **own, **reserved}

    def _stop(self) -> None:
        process, self._proc = self._proc, None  # type: ignore[assignment]  # MiniStack's pool tests for None
        if self._requests:
            # close() flushes the buffer, and the reader may have ended.
            with contextlib.suppress(BrokenPipeError):
                self._requests.close()
            self._requests = None
        if process:
            _kill_group(process)

    def _discard_tmpdir(self) -> None:
        super()._discard_tmpdir()
        self._stop()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read_answers(pipe: Any, answers: "queue.SimpleQueue[Json | None]") -> None:
    with pipe:
        for line in pipe:
            answers.put(json.loads(line))
    answers.put(None)


def _ship_output(pipe: Any, log: LogStream, done: threading.Event) -> None:
    """Copy output to the log until the worker ends. Set `done` when all output of an invocation has been
    written.
    """
    with pipe:
        for lines in lines_of(pipe):
            text = [line for line in lines if line and not line.startswith(lambda_worker.INVOCATION_ENDS)]
            if text:
                log.write(text)
            if any(line.startswith(lambda_worker.INVOCATION_ENDS) for line in lines):
                done.set()
    done.set()


def _execute(func: Json, event: Any, request_id: str) -> Json:
    """Invoke a function: replaces MiniStack's path from a function record to a worker's result."""
    config = func.get("config") or func
    if len(json.dumps(event)) > REQUEST_LIMIT_BYTES:
        return _failed(
            {
                "errorType": "RequestEntityTooLargeException",
                "errorMessage": f"Request must be smaller than {REQUEST_LIMIT_BYTES} bytes",
            },
            request_id,
        )
    lambda_svc._ensure_reaper_thread()
    worker, _ = pool.acquire_worker(
        config["FunctionName"], config, func.get("code_zip"), qualifier=config.get("Version", "$LATEST")
    )
    try:
        result = worker.invoke(event, request_id, invoked_function_arn=config.get("FunctionArn"))
        return {"body": result["result"], "log": ""}
    except WorkerFailed as failure:
        return _failed(failure.answer, request_id)
    finally:
        pool.release_worker(worker)


def _failed(answer: Json, request_id: str) -> Json:
    return {"body": {**answer, "requestId": request_id}, "error": True, "log": ""}


def _limit_invoke(invoke: Any) -> Any:
    async def limited(name: str, event: Any, headers: Json, *arguments: Any, **named: Any) -> Any:
        kind = (
            headers.get("x-amz-invocation-type") or headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        )
        limit = ASYNCHRONOUS_LIMIT_BYTES if kind == "Event" else REQUEST_LIMIT_BYTES
        if len(json.dumps(event)) > limit:
            operation = "InvokeFunction"
            message = f"Request must be smaller than {limit} bytes for the {operation} operation"
            return lambda_svc.error_response_json("RequestTooLargeException", message, 413)
        return await invoke(name, event, headers, *arguments, **named)

    return limited


def _no_second_log(*_: Any, **__: Any) -> None:
    """Write no log: the worker has written it already, line by line."""


def install(settings: Settings, callers: Callers) -> None:
    shutil.rmtree(settings.scratch, ignore_errors=True)
    Worker.settings, Worker.callers = settings, callers
    pool._worker_class_for = lambda config: Worker
    lambda_svc._execute_function_warm = _execute
    lambda_svc._emit_lambda_logs = _no_second_log
    lambda_svc._invoke = _limit_invoke(lambda_svc._invoke)


def stop_all() -> None:
    """Stop every worker and its children: the engine is stopping."""
    with pool._lock:
        workers = [worker for entries in pool._workers.values() for worker in entries]
        pool._workers.clear()
    for worker in workers:
        worker._stop()

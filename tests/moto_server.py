"""moto as the tests and benchmarks need it: as strict as AWS about conditions, and quicker than it comes.

python tests/moto_server.py -H 127.0.0.1 -p PORT
"""

import io
import threading
from functools import cache
from typing import Any


def prepare() -> None:
    """Change moto in this process, before its first request."""
    _be_atomic()
    _remember()


def _be_atomic() -> None:
    """Let moto handle one DynamoDB request at a time.

    DynamoDB checks a condition and writes in one step, moto in two.
    """
    from moto.dynamodb.responses import DynamoHandler

    handle, lock = DynamoHandler.call_action, threading.Lock()

    def handle_alone(self: Any) -> Any:
        with lock:
            return handle(self)

    DynamoHandler.call_action = handle_alone  # type: ignore[method-assign]


def _remember() -> None:
    """Let moto keep what never changes: its own modules, and the methods of its classes.

    It works them out for each request, which takes a fifth of a request's time.
    """
    from moto import backends
    from moto.core import responses

    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    responses.method_names_from_class = cache(responses.method_names_from_class)


def _keep_connections() -> None:
    """Let moto keep a caller's connection, as AWS does. Werkzeug ends each one after its answer."""
    from moto import server
    from moto.server import MotoRequestHandler

    class Handler(MotoRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer's head and body are one packet.
        wbufsize = -1
        disable_nagle_algorithm = True

        def handle_expect_100(self) -> bool:
            is_expected = super().handle_expect_100()
            self.wfile.flush()
            return is_expected

        def run_wsgi(self) -> None:
            environ, answer = self.make_environ(), {}
            # All of it, so that the next request begins behind it.
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(environ.get("CONTENT_LENGTH") or 0)))

            def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
                answer.update(status=status, headers=headers)

            parts = self.server.app(environ, start)
            body = b"".join(parts)
            if hasattr(parts, "close"):
                parts.close()
            code, _, reason = answer["status"].partition(" ")
            self.send_response(int(code), reason)
            headers = {name.lower(): value for name, value in answer["headers"]}
            for name, value in ({"content-length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *_: object) -> None:
            """Write no access log."""

    server.MotoRequestHandler = Handler


if __name__ == "__main__":
    from moto import server

    prepare()
    _keep_connections()
    server.main()

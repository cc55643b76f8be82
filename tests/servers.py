"""Servers that misbehave."""

import contextlib
import socketserver
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def speaking(parts: list[bytes], pause: float = 0.0) -> Iterator[str]:
    """Serve these parts with a pause after each, then close the connection. Returns the server's address."""

    class Speaker(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65_536)
            with contextlib.suppress(OSError):
                for part in parts:
                    self.request.sendall(part)
                    time.sleep(pause)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Speaker) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()

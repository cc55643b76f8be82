"""Connections to Google: a login needs several requests, and each new connection costs a TLS handshake."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from showrunner.errors import Disconnected
from showrunner.platforms import google
from showrunner.platforms.google import DISCOVERY, Google


@pytest.fixture
def server():
    """Serve what Google's OAuth needs over kept connections, and count them."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            served.connections.append(self.client_address[1])

        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{served.server_address[1]}"
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "revocation_endpoint")
            documents = {
                DISCOVERY: {"issuer": url, **{name: f"{url}/{name}" for name in names}},
                "/jwks_uri": {"keys": [{"kid": "1"}]},
            }
            self.answer(200, documents[self.path])

        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"]))
            if b"withdrawn" in form:
                return self.answer(400, {"error": "invalid_grant"})
            return self.answer(200, {"access_token": "a", "id_token": "i", "expires_in": 3600})

        def answer(self, status: int, document: dict) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    google._sender.cache_clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads, served.connections = True, []
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield served
        served.shutdown()
    google._sender.cache_clear()


def test_all_requests_to_google_use_one_connection(server):
    def client() -> Google:
        """Every request of ours to the API makes its own."""
        return Google(f"http://127.0.0.1:{server.server_address[1]}")

    for _ in range(3):
        assert client().exchange("id", "secret", "https://a.test", "code", "verifier").access_token == "a"
        assert client().keys("1") == [{"kid": "1"}]
        assert client().refresh("id", "secret", "token") == ("a", 3600)
        with pytest.raises(Disconnected):
            client().refresh("id", "secret", "withdrawn")
        client().revoke("token")

    assert len(server.connections) == 1

"""make bench-upload: how fast the upload worker sends a film, beside a bare PUT, and its memory.

The worker reads slices from an object store on loopback and sends them to the stand-in for YouTube; the bare
PUT sends the same file from disk in one request. Both run by turns, each in a process of its own, so that
`peak_mb` is the worker's. Films are sparse files of 10 MB to 4 GB. Written to .local/bench/upload.json.
"""

import argparse
import json
import os
import resource
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers/showrunner")]
OUT = ROOT / ".local" / "bench"
MEGABYTE = 1 << 20
RATE_MB, ROUNDS = 512, 3
SIZES_MB = (10, 512, 4096)


class Store(BaseHTTPRequestHandler):
    """Answers GET of any object with a range of the film, as S3 does."""

    film: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        first, last = map(int, self.headers["range"].removeprefix("bytes=").split("-"))
        length = last - first + 1
        self.send_response(206)
        self.send_header("content-length", str(length))
        self.send_header("content-range", f"bytes {first}-{last}/{self.film.stat().st_size}")
        self.end_headers()
        self.wfile.flush()
        with self.film.open("rb") as film:
            sent = 0
            while sent < length:
                sent += os.sendfile(self.connection.fileno(), film.fileno(), first + sent, length - sent)

    def log_message(self, *_: object) -> None:
        """Write no access log."""


def store(film: str, port: str) -> None:
    handler = type("Film", (Store,), {"film": Path(film)})
    ThreadingHTTPServer(("127.0.0.1", int(port)), handler).serve_forever()


def send(film: str, youtube: str, token: str) -> None:
    """Send the film as the upload worker does: slice by slice, from the offset that YouTube reports."""
    from showrunner.aws import s3, sdk
    from showrunner.platforms.youtube_upload import Uploader
    from showrunner.publishing import slices

    total = Path(film).stat().st_size
    uploader = Uploader(youtube, token)
    uri = uploader.start(body(), total, notify=False)
    sdk.client("s3")  # a second of imports, which a film of this size would not show
    begun = time.perf_counter()
    progress = uploader.ask(uri, total)
    while progress.video is None:
        start, end = progress.stored, slices.end_of_slice(progress.stored, total)
        progress = uploader.send(progress.uri, s3.stream("film", start, end), start, end, total)
    report(begun)


def put(film: str, youtube: str, token: str) -> None:
    """Send the film from disk in one request."""
    import requests

    from showrunner.platforms.youtube_upload import Uploader

    uri = Uploader(youtube, token).start(body(), Path(film).stat().st_size, notify=False)
    begun = time.perf_counter()
    with Path(film).open("rb") as file:
        requests.put(uri, data=file, timeout=600).raise_for_status()
    report(begun)


def body() -> dict[str, object]:
    snippet = {"title": "Bench", "categoryId": "22"}
    return {"snippet": snippet, "status": {"privacyStatus": "private"}}


def report(begun: float) -> None:
    seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: str, port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, *command], env={**os.environ, **environment}, cwd=ROOT)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def access_token(youtube: str) -> str:
    """Return a token of the stand-in for Google, for an account with a channel."""
    import requests

    asked = {
        "client_id": "local",
        "redirect_uri": "http://localhost/",
        "response_type": "code",
        "scope": "https://www.googleapis.com/auth/youtube.upload",
        "state": secrets.token_hex(8),
        "as": "bench@example.com",
    }
    consent = requests.get(f"{youtube}/o/oauth2/v2/auth?{urlencode(asked)}", allow_redirects=False, timeout=9)
    code = parse_qs(urlsplit(consent.headers["location"]).query)["code"][0]
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "client_id": "local",
        "client_secret": "local",
        "redirect_uri": asked["redirect_uri"],
    }
    return str(requests.post(f"{youtube}/token", data=form, timeout=9).json()["access_token"])


def measure(kind: str, size_mb: int, folder: str) -> dict[str, float]:
    """Send a film of this size once, to a stand-in of its own. Returns seconds and peak_mb."""
    film, store_port, youtube_port = Path(folder) / "film.mp4", free_port(), free_port()
    with film.open("wb") as file:
        file.truncate(size_mb * MEGABYTE)
    youtube = f"http://127.0.0.1:{youtube_port}"
    environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store_port}",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "MEDIA_BUCKET": "bench",
    }
    me = str(Path(__file__))
    with (
        running(me, "--store", str(film), str(store_port), port=store_port),
        running("-m", "local.platforms", port=youtube_port, PLATFORMS_PORT=str(youtube_port), TMPDIR=folder),
    ):
        command = [sys.executable, me, f"--{kind}", str(film), youtube, access_token(youtube)]
        done = subprocess.run(
            command, env={**os.environ, **environment}, cwd=ROOT, check=True, capture_output=True, text=True
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--store", nargs=2)
    arguments.add_argument("--send", nargs=3)
    arguments.add_argument("--put", nargs=3)
    given = arguments.parse_args()
    for name, work in (("store", store), ("send", send), ("put", put)):
        if values := getattr(given, name):
            work(*values)
            return
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        rounds = [(measure("put", RATE_MB, folder), measure("send", RATE_MB, folder)) for _ in range(ROUNDS)]
        peaks = {size: round(measure("send", size, folder)["peak_mb"], 1) for size in SIZES_MB}
    bare, sent = (statistics.median(each[kind]["seconds"] for each in rounds) for kind in (0, 1))
    found = {
        "put_mb_per_s": round(RATE_MB / bare, 1),
        "send_mb_per_s": round(RATE_MB / sent, 1),
        "throughput_vs_put": round(bare / sent, 3),
        "peak_mb": max(peaks.values()),
        "peak_mb_by_size_mb": peaks,
    }
    (OUT / "upload.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    main()

"""Send a film to YouTube by the resumable protocol.

https://developers.google.com/youtube/v3/guides/using_resumable_upload_protocol

Plain requests for these bytes only; everything else goes through the SDK (youtube_studio). The SDK's
MediaUpload needs a file or its bytes in memory, keeps no state over processes, and continues at its own count
after an error; here the offset always comes from YouTube, and a part streams from S3. Quota: starting a
session costs one of the project's 100 videos.insert calls a day.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from showrunner.errors import PlatformUnavailable
from showrunner.platforms.http import Answer, Sender
from showrunner.platforms.youtube_errors import failure

PATH = "/upload/youtube/v3/videos"
# YouTube may take a minute to answer after the last byte.
READ_SECONDS = 120
# A video resource has a few KB.
ANSWER_BYTES = 1 << 20


class SessionGone(Exception):
    """YouTube doesn't know the upload session: 404, or 410 as in Cloud Storage's version of the protocol."""


class Progress(NamedTuple):
    """The state of a resumable upload.

    `stored`: bytes that YouTube has. `uri`: the session's address, which YouTube may change. `video`: the
    resource once the upload is complete.
    """

    stored: int
    uri: str
    video: dict[str, Any] | None


class _Pieces:
    """An iterable body of known length.

    Without a length requests would send it chunked, which the protocol doesn't allow.
    """

    def __init__(self, pieces: Iterable[bytes], length: int) -> None:
        self._pieces, self._length = pieces, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


class Uploader:
    """Client of the upload endpoint.

    `base_url`: https://www.googleapis.com or a stand-in. `token`: an access token with the scope
    youtube.upload.
    """

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._sender = Sender("YouTube", READ_SECONDS, ANSWER_BYTES)
        self._headers = {"Authorization": f"Bearer {token}"}

    def start(self, body: dict[str, Any], size: int, *, notify: bool) -> str:
        """Start a session and return its URI. No video exists before the last byte has arrived."""
        query = {
            "uploadType": "resumable",
            "part": "snippet,status",
            "notifySubscribers": str(notify).lower(),
        }
        headers = {
            "X-Upload-Content-Length": str(size),
            "X-Upload-Content-Type": "video/mp4",
            "Content-Type": "application/json; charset=UTF-8",
        }
        answer = self._send("POST", self._base_url + PATH, json.dumps(body).encode(), headers, query)
        if answer.status != 200:
            raise failure(answer.status, answer.body)
        return self._location(answer)

    def ask(self, uri: str, total: int) -> Progress:
        """Ask how much of the upload YouTube has. Raises SessionGone."""
        return self._put(uri, b"", {"Content-Range": f"bytes */{total}"}, total)

    def send(self, uri: str, pieces: Iterable[bytes], start: int, end: int, total: int) -> Progress:
        """Send the bytes from `start` to `end` (exclusive). Raises SessionGone."""
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{total}", "Content-Type": "video/mp4"}
        return self._put(uri, _Pieces(pieces, end - start), headers, total)

    def _put(self, uri: str, body: Iterable[bytes] | bytes, headers: dict[str, str], total: int) -> Progress:
        answer = self._send("PUT", uri, body, headers)
        status = answer.status
        if status in (404, 410):
            raise SessionGone
        if status == 308:
            stored = answer.headers.get("range")
            return Progress(
                int(stored.rpartition("-")[2]) + 1 if stored else 0,
                answer.headers.get("location") or uri,
                None,
            )
        if status in (200, 201):
            return Progress(total, uri, _video(answer))
        raise failure(status, answer.body)

    def _send(
        self,
        method: str,
        url: str,
        body: Iterable[bytes] | bytes,
        headers: dict[str, str],
        query: dict[str, str] | None = None,
    ) -> Answer:
        # 308 is an answer of this protocol, not a redirect.
        return self._sender.send(method, url, query=query, body=body, headers={**self._headers, **headers})

    def _location(self, answer: Answer) -> str:
        uri = answer.headers.get("location", "")
        if not uri.startswith(self._base_url.partition("://")[0] + "://"):
            raise PlatformUnavailable("YouTube started an upload without saying where.")
        return uri


def _video(answer: Answer) -> dict[str, Any]:
    try:
        video = json.loads(answer.body)
    except ValueError as error:
        raise PlatformUnavailable("YouTube's last answer broke off.") from error
    if not isinstance(video, dict) or not isinstance(video.get("id"), str):
        raise PlatformUnavailable("YouTube's last answer has no video id.")
    return video

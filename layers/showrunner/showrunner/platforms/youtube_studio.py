"""YouTube Data API v3 on behalf of a channel's owner, through google-api-python-client.

https://developers.google.com/youtube/v3/docs

Quota of the general bucket: UNITS below, https://developers.google.com/youtube/v3/determine_quota_cost. The
bytes of a film are sent by youtube_upload.
"""

import json
import time
from typing import Any

from showrunner.errors import PlatformRejected, PlatformUnavailable
from showrunner.platforms.http import Sender
from showrunner.platforms.youtube_errors import failure

# A call takes so long at most, and twice as long if its answer comes in drops (http.Sender).
SECONDS = 60
# 50 videos with descriptions of the greatest length have 2 MB.
ANSWER_BYTES = 8 << 20
# Units per call; refused calls cost them too.
UNITS = {
    "list": 1,
    "captions.list": 50,
    "captions.insert": 400,
    "thumbnails.set": 50,
    "videos.update": 50,
    "videos.delete": 50,
    "playlistItems.insert": 50,
}
SHOWN_PARTS = "snippet,status,contentDetails,fileDetails,processingDetails,localizations"
# The properties of `status` and `snippet` that videos.update writes: it resets omitted ones.
WRITABLE_STATUS = (
    "privacyStatus",
    "publishAt",
    "license",
    "embeddable",
    "publicStatsViewable",
    "selfDeclaredMadeForKids",
    "containsSyntheticMedia",
)
WRITABLE_SNIPPET = ("title", "description", "tags", "categoryId", "defaultLanguage", "defaultAudioLanguage")
WRITABLE = {"snippet": WRITABLE_SNIPPET, "status": WRITABLE_STATUS}


class _Transport:
    """The HTTP transport of the SDK.

    The SDK's own transport, httplib2, repeats a request whose answer was lost, which inserts a second item.
    """

    def __init__(self) -> None:
        self._sender = Sender("YouTube", SECONDS, ANSWER_BYTES)

    def request(
        self, uri: str, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None, **_: Any
    ) -> tuple[Any, bytes]:
        import httplib2

        answer = self._sender.send(method, uri, body=body, headers=headers, until=time.monotonic() + SECONDS)
        return httplib2.Response({**answer.headers, "status": str(answer.status)}), answer.body


class Studio:
    """`base_url`: https://youtube.googleapis.com or a stand-in.

    `token`: an access token of the channel's owner; with `content_owner`, an id at YouTube, of somebody who
    may act for it: list_details and update then reach the videos of all channels that are linked to it.
    """

    def __init__(self, base_url: str, token: str, content_owner: str | None = None) -> None:
        from googleapiclient import discovery, discovery_cache

        document = json.loads(discovery_cache.get_static_doc("youtube", "v3"))
        document |= {
            "rootUrl": f"{base_url.rstrip('/')}/",
            "baseUrl": f"{base_url.rstrip('/')}/",
            "mtlsRootUrl": f"{base_url.rstrip('/')}/",
        }
        self._token = token
        self._for_owner = {"onBehalfOfContentOwner": content_owner} if content_owner else {}
        self._api = discovery.build_from_document(document, http=_Transport())

    def find_video(self, video_id: str) -> dict[str, Any] | None:
        """Return the video as its owner sees it, None when there is none. One unit."""
        items = self._run(self._api.videos().list(part=SHOWN_PARTS, id=video_id)).get("items", [])
        return items[0] if items else None

    def find_own_channel(self) -> dict[str, Any] | None:
        """Return the channel that the token stands for, with its statistics; None without one. One unit."""
        answer = self._run(self._api.channels().list(part="snippet,statistics", mine=True))
        items: list[dict[str, Any]] = answer.get("items") or []
        return items[0] if items else None

    def list_videos(self, video_ids: list[str]) -> list[dict[str, Any]]:
        """Return status and statistics of up to 50 videos; missing ones are left out. One unit, if any."""
        if not video_ids:
            return []
        request = self._api.videos().list(part="status,statistics", id=",".join(video_ids))
        return list(self._run(request).get("items", []))

    def list_details(self, video_ids: list[str]) -> list[dict[str, Any]]:
        """Return etag, snippet and status of up to 50 videos; missing ones are left out. One unit."""
        request = self._api.videos().list(part="snippet,status", id=",".join(video_ids), **self._for_owner)
        return list(self._run(request).get("items", []))

    def find_marked(self, channel_id: str, marker: str) -> str | None:
        """Return the id of the upload with the tag `marker` among the channel's last 50, or None. 2 units."""
        uploads = self._run(
            self._api.playlistItems().list(
                part="contentDetails", playlistId=f"UU{channel_id[2:]}", maxResults=50
            )
        )
        ids = [item["contentDetails"]["videoId"] for item in uploads.get("items", [])]
        if not ids:
            return None
        videos = self._run(self._api.videos().list(part="snippet", id=",".join(ids))).get("items", [])
        return next(
            (str(video["id"]) for video in videos if marker in video["snippet"].get("tags", [])), None
        )

    def set_thumbnail(self, video_id: str, picture: bytes, content_type: str) -> None:
        """Set the custom thumbnail, 50 units. Shorts take one only after they are processed."""
        self._run(self._api.thumbnails().set(videoId=video_id, media_body=_media(picture, content_type)))

    def list_captions(self, video_id: str) -> set[tuple[str, str]]:
        """Return (language, name) of each caption track. 50 units."""
        tracks = self._run(self._api.captions().list(part="snippet", videoId=video_id)).get("items", [])
        return {(track["snippet"]["language"], track["snippet"]["name"]) for track in tracks}

    def add_captions(self, video_id: str, language: str, name: str, track: bytes) -> None:
        """Add a caption track, 400 units. Needs the scope youtube.force-ssl.

        A track of this language and name that exists already is no error: its answer was lost.
        """
        body = {"snippet": {"videoId": video_id, "language": language, "name": name, "isDraft": False}}
        try:
            self._run(
                self._api.captions().insert(
                    part="snippet", body=body, media_body=_media(track, "application/octet-stream")
                )
            )
        except PlatformRejected as error:
            if error.reason != "captionExists":
                raise

    def is_in_playlist(self, playlist_id: str, video_id: str) -> bool:
        """Return True if the playlist has the video. 1 unit."""
        return bool(
            self._run(
                self._api.playlistItems().list(part="id", playlistId=playlist_id, videoId=video_id)
            ).get("items")
        )

    def add_to_playlist(self, playlist_id: str, video_id: str) -> None:
        """Add the video to a playlist, 50 units. Adding twice makes two items: ask is_in_playlist first."""
        resource = {"kind": "youtube#video", "videoId": video_id}
        self._run(
            self._api.playlistItems().insert(
                part="snippet", body={"snippet": {"playlistId": playlist_id, "resourceId": resource}}
            )
        )

    def update(self, shown: dict[str, Any], changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Write `changes` (part -> fields) over what `shown` (find_video) has. 50 units.

        Only the parts with changes are sent. Their unchanged fields are sent as they are, since videos.update
        resets omitted ones; a field whose new value is None is left out. Raises PlatformRejected with the
        reason conditionNotMet if the video has changed since `shown` was read.
        """
        body: dict[str, Any] = {"id": shown["id"]}
        for part, changed in changes.items():
            kept = {name: shown[part][name] for name in WRITABLE[part] if name in shown.get(part, {})}
            body[part] = {name: value for name, value in {**kept, **changed}.items() if value is not None}
        request = self._api.videos().update(part=",".join(changes), body=body, **self._for_owner)
        request.headers["If-Match"] = shown["etag"]
        return self._run(request)

    def delete(self, video_id: str) -> None:
        """Delete the video, 50 units. One that is deleted already is no error."""
        try:
            self._run(self._api.videos().delete(id=video_id))
        except PlatformRejected as error:
            if error.reason != "videoNotFound":
                raise

    def _run(self, request: Any) -> dict[str, Any]:
        from googleapiclient.errors import HttpError

        request.headers["authorization"] = f"Bearer {self._token}"
        try:
            answer = request.execute(num_retries=0)
        except HttpError as error:
            raise failure(int(error.resp.status), error.content) from error
        except OSError as error:
            raise PlatformUnavailable(f"YouTube doesn't answer: {type(error).__name__}.") from error
        return answer if isinstance(answer, dict) else {}


def _media(content: bytes, content_type: str) -> Any:
    from googleapiclient.http import MediaInMemoryUpload

    return MediaInMemoryUpload(content, mimetype=content_type, resumable=False)

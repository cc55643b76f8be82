"""YouTube Data API v3 for a channel's owner: videos, thumbnails, captions, playlists.

Calls are checked against the discovery document. Only calls with an access token are answered here; calls
with an API key are answered by `youtube`. https://developers.google.com/youtube/v3/docs
"""

import email.parser
import email.policy
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from local.platforms import discovery, rules, schemas, youtube
from local.platforms.http import Reply, Request
from local.platforms.library import Json, Library, Uploaded
from local.platforms.world import World
from local.platforms.youtube import ApiError

UNITS = {
    "youtube.captions.insert": 400,
    "youtube.captions.list": 50,
    "youtube.thumbnails.set": 50,
    "youtube.videos.update": 50,
    "youtube.videos.delete": 50,
    "youtube.playlistItems.insert": 50,
}
# Of an account that acts for a content owner.
PARTNER = "https://www.googleapis.com/auth/youtubepartner"
UPLOAD_PREFIXES = ("/resumable/upload", "/upload")
MOST_THUMBNAIL_BYTES, MOST_CAPTION_BYTES = 52_428_800, 104_857_600
SCOPED = {
    "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "metadata": {"service": "youtube.googleapis.com"},
}


class HangUp(Exception):
    """Closes the connection without an answer."""


def answer(world: World, request: Request) -> Reply | None:
    """Return the reply to an owner's call, None for what isn't one. Raises HangUp."""
    path = request.path
    for prefix in UPLOAD_PREFIXES:
        path = path.removeprefix(prefix)
    called = discovery.method(youtube.API, request.method, path)
    if (
        called is None
        or called["id"] not in METHODS
        or not request.headers.get("authorization", "").lower().startswith("bearer ")
    ):
        return None
    name = called["id"].removeprefix("youtube.")
    fault = world.library.take_fault(name)
    world.spent += UNITS.get(called["id"], 1)
    try:
        scripted(fault, before=True)
        youtube.raise_outcome(world.outcomes.take())
        channel_id = channel_of(world, request, called)
        if world.spent > world.quota:
            raise youtube.ERRORS["daily_quota"]
        query = {name: value for name, value in request.query.items() if name not in ("uploadType", "alt")}
        problem = discovery.check(youtube.API, called, query)
        if problem:
            raise ApiError(400, problem.reason, problem.message, "youtube.parameter", "INVALID_ARGUMENT")
        reply = METHODS[called["id"]](world, request, channel_id)
        scripted(fault, before=False)
    except ApiError as error:
        return Reply.json(error.body, error.status)
    except youtube.BadGateway:
        return Reply(502, b"<!doctype html><title>502. That's an error.</title>", "text/html; charset=UTF-8")
    return reply


def scripted(fault: Json | None, *, before: bool) -> None:
    """Do what a fault says, before or after the call's effect. Raises ApiError or HangUp."""
    if fault is None:
        return
    kind: Any = fault["kind"]
    if before and kind == "slow":
        time.sleep(float(fault.get("seconds", 1)))
    if before and kind == "status":
        raise ApiError(
            int(fault.get("status", 503)),
            str(fault.get("reason", "backendError")),
            "Scripted.",
            str(fault.get("domain", "global")),
        )
    if (before and kind == "close") or (not before and kind == "lost"):
        raise HangUp


def granted(world: World, request: Request, called: Json) -> Any:
    """Return what the access token was granted. Raises ApiError for one without the method's scope."""
    grant = world.sign_ins.access_tokens.get(request.headers.get("authorization", "").partition(" ")[2])
    if grant is None:
        raise ApiError(401, "authError", "Invalid Credentials", "global", "UNAUTHENTICATED")
    if not set(grant.scopes) & set(called["scopes"]):
        raise ApiError(
            403,
            "insufficientPermissions",
            "Request had insufficient authentication scopes.",
            "global",
            "PERMISSION_DENIED",
            SCOPED,
        )
    return grant


def channel_of(world: World, request: Request, called: Json) -> str:
    """Return the channel that the access token stands for.

    Raises ApiError for a token without the method's scope, or without a channel.
    """
    grant = granted(world, request, called)
    if owner_id := request.query.get("onBehalfOfContentOwner"):
        _require_manager(world, grant, owner_id)
        return ""
    channel_id = grant.channel or next(iter(world.owned.get(grant.email, [])), "")
    if not channel_id and called["id"] != "youtube.channels.list":
        raise ApiError(401, "youtubeSignupRequired", "The user has no YouTube channel.", "youtube.header")
    return channel_id


def _require_manager(world: World, grant: Any, owner_id: str) -> None:
    """Raise ApiError unless the account may act for this content owner."""
    if PARTNER not in grant.scopes or owner_id not in world.rights.members.get(grant.email, []):
        raise ApiError(
            403,
            "accountDelegationForbidden",
            "The authenticated user cannot act on behalf of the specified Google account.",
            "global",
        )


def _is_own(world: World, request: Request, channel_id: str, video: Uploaded) -> bool:
    """Tell whether a video is of the channel, or of one linked to the owner for which the account acts."""
    owner_id = request.query.get("onBehalfOfContentOwner")
    if owner_id:
        return world.rights.channels.get(video.channel_id) == owner_id
    return video.channel_id == channel_id


def _own(world: World, request: Request, channel_id: str, video_id: str) -> Uploaded:
    video = world.library.videos.get(video_id)
    if video is None:
        raise ApiError(
            404, "videoNotFound", "The video that you are trying to reach cannot be found.", "youtube.video"
        )
    if not _is_own(world, request, channel_id, video):
        raise ApiError(403, "forbidden", "The request is not properly authorized.", "youtube.video")
    return video


def resource(library: Library, video: Uploaded) -> Json:
    """Return the video as its owner sees it."""
    at = datetime.fromtimestamp(video.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    thumbnails = {
        "default": {"url": f"https://i.ytimg.com/vi/{video.id}/default.jpg", "width": 120, "height": 90}
    }
    processed = library.is_processed(video)
    file: Json = {"fileName": "unknown", "fileSize": str(video.size), "fileType": "video"}
    details: Json = {
        "dimension": "2d",
        "definition": "hd",
        "caption": str(bool(video.captions)).lower(),
        "hasCustomThumbnail": video.thumbnail is not None,
    }
    return {
        "kind": "youtube#video",
        "etag": f'"{video.id}-{video.version}"',
        "id": video.id,
        "snippet": {
            **video.resource["snippet"],
            "publishedAt": at,
            "channelId": video.channel_id,
            "thumbnails": thumbnails,
            "liveBroadcastContent": "none",
        },
        "status": library.status_of(video),
        "statistics": {"viewCount": str(video.views), "likeCount": str(video.likes), "commentCount": "0"},
        "contentDetails": details | ({"duration": "PT1M"} if processed else {}),
        "fileDetails": file | ({"durationMs": str(_milliseconds(video))} if processed else {}),
        "processingDetails": {"processingStatus": "succeeded" if processed else "processing"},
    }


def _milliseconds(video: Uploaded) -> int:
    """Read the film's length from its mvhd box, as YouTube measures it."""
    data = video.path.read_bytes() if video.size < 1 << 30 else b""
    at = data.find(b"mvhd")
    if at < 0:
        return 60_000
    wide = data[at + 4] == 1
    start = at + (24 if wide else 16)
    scale = int.from_bytes(data[start : start + 4])
    return round(1000 * int.from_bytes(data[start + 4 : start + (12 if wide else 8)]) / max(scale, 1))


def list_channels(world: World, request: Request, channel_id: str) -> Reply:
    return Reply.json(youtube.channels(world, request.query, channel_id))


def list_videos(world: World, request: Request, channel_id: str) -> Reply:
    """Answer videos.list: all of one's own videos, the public ones of others."""
    library, ids = world.library, request.query.get("id", "").split(",")
    if not ids[0] or len(ids) > youtube.MOST_IDS:
        raise ApiError(400, "invalidFilters", "One to 50 ids.", "youtube.parameter")
    items = []
    for video in (library.videos[key] for key in ids if key in library.videos):
        if _is_own(world, request, channel_id, video):
            video.looks += 1
            items.append(resource(library, video))
        elif library.is_public(video):
            items.append(
                {
                    name: value
                    for name, value in resource(library, video).items()
                    if name not in ("fileDetails", "processingDetails")
                }
            )
    parts = request.query["part"].split(",")
    shown = [
        {name: value for name, value in item.items() if name in ("kind", "etag", "id", *parts)}
        for item in items
    ]
    return Reply.json(
        {
            "kind": "youtube#videoListResponse",
            "etag": "e",
            "pageInfo": {"totalResults": len(shown), "resultsPerPage": 5},
            "items": shown,
        }
    )


def update_video(world: World, request: Request, channel_id: str) -> Reply:
    """Answer videos.update. It replaces all writable fields of the named parts: omitted ones are reset."""
    document = _document("PUT", "/youtube/v3/videos", request.body)
    video = _own(world, request, channel_id, str(document.get("id", "")))
    match = request.headers.get("if-match")
    if match and match != f'"{video.id}-{video.version}"':
        raise ApiError(412, "conditionNotMet", "Precondition Failed", "global")
    parts = request.query["part"].split(",")
    merged = {
        part: dict(document.get(part, {})) if part in parts else dict(video.resource[part])
        for part in ("snippet", "status")
    }
    merged["status"].setdefault("privacyStatus", "public")
    rules.require_metadata(merged)
    was_public = world.library.is_public(video)
    if was_public and merged["status"].get("publishAt"):
        raise ApiError(
            400,
            "invalidPublishAt",
            "The request metadata specifies an invalid scheduled publishing time.",
            "youtube.video",
        )
    video.resource, video.version = merged, video.version + 1
    return Reply.json(resource(world.library, video))


def delete_video(world: World, request: Request, channel_id: str) -> Reply:
    video = _own(world, request, channel_id, request.query["id"])
    del world.library.videos[video.id]
    video.path.unlink(missing_ok=True)
    return Reply(204)


def set_thumbnail(world: World, request: Request, channel_id: str) -> Reply:
    """Answer thumbnails.set. YouTube requires Shorts to be processed first; here every video must be."""
    video = _own(world, request, channel_id, request.query["videoId"])
    if channel_id in world.library.unverified:
        raise ApiError(
            403,
            "forbidden",
            "The authenticated user doesn't have permissions to upload and set custom video thumbnails.",
            "youtube.thumbnail",
        )
    picture = request.body
    kind = (
        "image/jpeg"
        if picture.startswith(b"\xff\xd8\xff")
        else "image/png"
        if picture.startswith(b"\x89PNG\r\n\x1a\n")
        else ""
    )
    if not picture:
        raise ApiError(
            400, "mediaBodyRequired", "The request does not include the image content.", "youtube.thumbnail"
        )
    if not kind or len(picture) > MOST_THUMBNAIL_BYTES or not world.library.is_processed(video):
        raise ApiError(400, "invalidImage", "The provided image content is invalid.", "youtube.thumbnail")
    video.thumbnail, video.version = (kind, picture), video.version + 1
    default = {
        "default": {"url": f"https://i.ytimg.com/vi/{video.id}/default.jpg", "width": 120, "height": 90}
    }
    return Reply.json({"kind": "youtube#thumbnailSetResponse", "etag": "e", "items": [default]})


def list_captions(world: World, request: Request, channel_id: str) -> Reply:
    video = _own(world, request, channel_id, request.query["videoId"])
    items = [{name: value for name, value in each.items() if name != "text"} for each in video.captions]
    return Reply.json({"kind": "youtube#captionListResponse", "etag": "e", "items": items})


def insert_caption(world: World, request: Request, channel_id: str) -> Reply:
    raw, track = _related(request)
    document = _document("POST", "/youtube/v3/captions", raw)
    snippet = document.get("snippet", {})
    missing = [name for name in ("videoId", "language", "name") if name not in snippet]
    if missing:
        raise ApiError(400, "invalidMetadata", f"Missing: {', '.join(missing)}", "youtube.caption")
    if not track or len(track) > MOST_CAPTION_BYTES:
        raise ApiError(400, "contentRequired", "The caption track contents are required.", "youtube.caption")
    if len(snippet["name"]) > 150:
        raise ApiError(400, "nameTooLong", "The name is too long.", "youtube.caption")
    video = _own(world, request, channel_id, snippet["videoId"])
    if any(
        (each["snippet"]["language"], each["snippet"]["name"]) == (snippet["language"], snippet["name"])
        for each in video.captions
    ):
        raise ApiError(
            409,
            "captionExists",
            "The specified video already has a caption track of this language and name.",
            "youtube.caption",
        )
    item = {
        "kind": "youtube#caption",
        "etag": "e",
        "id": secrets.token_urlsafe(12),
        "snippet": {**snippet, "status": "serving"},
        "text": track.decode(),
    }
    video.captions.append(item)
    return Reply.json({name: value for name, value in item.items() if name != "text"})


def list_playlist_items(world: World, request: Request, channel_id: str) -> Reply:
    """Answer playlistItems.list: a channel's uploads (private ones for the owner only), or a playlist."""
    library, playlist = world.library, request.query.get("playlistId", "")
    if playlist.startswith("UU"):
        own = sorted(
            (each for each in library.videos.values() if each.channel_id[2:] == playlist[2:]),
            key=lambda each: each.at,
            reverse=True,
        )
        ids = [each.id for each in own if each.channel_id == channel_id or library.is_public(each)]
        ids += [key for key, _ in world.uploads("UC" + playlist[2:])]
        if "UC" + playlist[2:] not in world.channels:
            raise ApiError(404, "playlistNotFound", "The playlist cannot be found.", "youtube.playlistItem")
    elif playlist in library.playlists:
        ids = library.playlists[playlist]
    else:
        raise ApiError(404, "playlistNotFound", "The playlist cannot be found.", "youtube.playlistItem")
    wanted = request.query.get("videoId")
    items = [_playlist_item(playlist, key) for key in ids if wanted in (None, key)][
        : int(request.query.get("maxResults", "5"))
    ]
    parts = request.query["part"].split(",")
    shown = [
        {name: value for name, value in item.items() if name in ("kind", "etag", "id", *parts)}
        for item in items
    ]
    return Reply.json(
        {
            "kind": "youtube#playlistItemListResponse",
            "etag": "e",
            "pageInfo": {"totalResults": len(ids), "resultsPerPage": 5},
            "items": shown,
        }
    )


def _playlist_item(playlist: str, key: str) -> Json:
    snippet = {"playlistId": playlist, "resourceId": {"kind": "youtube#video", "videoId": key}}
    return {
        "kind": "youtube#playlistItem",
        "etag": "e",
        "id": f"{playlist}-{key}",
        "snippet": snippet,
        "contentDetails": {"videoId": key},
    }


def insert_playlist_item(world: World, request: Request, channel_id: str) -> Reply:
    """Answer playlistItems.insert. Inserting twice makes two items."""
    snippet = _document("POST", "/youtube/v3/playlistItems", request.body).get("snippet", {})
    playlist, key = snippet.get("playlistId", ""), snippet.get("resourceId", {}).get("videoId", "")
    if playlist not in world.library.playlists:
        raise ApiError(404, "playlistNotFound", "The playlist cannot be found.", "youtube.playlistItem")
    _own(world, request, channel_id, key)
    world.library.playlists[playlist].append(key)
    return Reply.json(_playlist_item(playlist, key))


def _document(method: str, path: str, raw: bytes) -> Json:
    """Return the body, checked against the method's schema. Raises ApiError."""
    called = discovery.method(youtube.API, method, path)
    try:
        document: Json = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "parseError", "Parse Error", "global") from error
    problem = schemas.check_body(youtube.API, called or {}, document)
    if problem:
        raise ApiError(400, problem.reason, problem.message, "global", "INVALID_ARGUMENT")
    return document


def _related(request: Request) -> tuple[bytes, bytes]:
    """Return the JSON and the media of a multipart/related body."""
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/related"):
        raise ApiError(400, "contentRequired", "The caption track contents are required.", "youtube.caption")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + request.body
    )
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    if len(parts) != 2:
        raise ApiError(400, "badRequest", "A multipart/related body has two parts.", "global")
    first, second = parts
    return bytes(first), bytes(second)


METHODS: dict[str, Callable[[World, Request, str], Reply]] = {
    "youtube.channels.list": list_channels,
    "youtube.videos.list": list_videos,
    "youtube.videos.update": update_video,
    "youtube.videos.delete": delete_video,
    "youtube.thumbnails.set": set_thumbnail,
    "youtube.captions.list": list_captions,
    "youtube.captions.insert": insert_caption,
    "youtube.playlistItems.list": list_playlist_items,
    "youtube.playlistItems.insert": insert_playlist_item,
}

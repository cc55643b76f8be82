"""Pages of the YouTube stand-in for a browser: channels, their videos, thumbnails and captions."""

from html import escape

from local.platforms import owner
from local.platforms.http import Reply, Request
from local.platforms.library import Uploaded
from local.platforms.world import World

STYLE = (
    "<style>body{font:16px sans-serif;max-width:60em;margin:2em auto}"
    "article{display:flex;gap:1em;margin:1em 0}"
    "img,video{max-width:20em;max-height:20em}</style>"
)


def answer(world: World, request: Request) -> Reply | None:
    """Return a page, a picture or a film, None for what isn't one of them."""
    if request.method != "GET":
        return None
    head, _, key = request.path.strip("/").partition("/")
    library = world.library
    if request.path == "/":
        return _page(
            "Channels",
            "".join(
                f'<p><a href="/channel/{escape(each)}">{escape(row["title"])}</a></p>'
                for each, row in world.channels.items()
            ),
        )
    if head == "channel" and key in world.channels:
        videos = sorted(
            (each for each in library.videos.values() if each.channel_id == key),
            key=lambda each: each.at,
            reverse=True,
        )
        return _page(
            world.channels[key]["title"],
            "".join(_card(world, each) for each in videos) or "<p>No uploads.</p>",
        )
    video = library.videos.get(request.query.get("v", "") if request.path == "/watch" else key)
    if video is None or head not in ("watch", "film", "thumbnail"):
        return None
    if head == "film":
        return Reply(200, video.path.read_bytes(), "video/mp4")
    if head == "thumbnail":
        return Reply(200, video.thumbnail[1], video.thumbnail[0]) if video.thumbnail else None
    return _page(str(video.resource["snippet"]["title"]), _watch(world, video))


def _page(title: str, body: str) -> Reply:
    text = (
        f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title>{STYLE}"
        f"<p><a href=/>Stand-in for YouTube</a></p><h1>{escape(title)}</h1>{body}"
    )
    return Reply(200, text.encode(), "text/html; charset=utf-8")


def _card(world: World, video: Uploaded) -> str:
    picture = f'<img src="/thumbnail/{video.id}" alt="">' if video.thumbnail else ""
    status, title = world.library.status_of(video), escape(str(video.resource["snippet"]["title"]))
    when = f", public at {escape(status['publishAt'])}" if "publishAt" in status else ""
    words = (
        f"{escape(status['privacyStatus'])}{when}; {escape(status['uploadStatus'])}; "
        f"{len(video.captions)} caption tracks; {video.size:,} bytes"
    )
    return f'<article>{picture}<div><a href="/watch?v={video.id}">{title}</a><p>{words}</p></div></article>'


def _watch(world: World, video: Uploaded) -> str:
    shown = owner.resource(world.library, video)
    captions = "".join(
        f"<h2>{escape(each['snippet']['name'])}</h2><pre>{escape(each['text'])}</pre>"
        for each in video.captions
    )
    tags = ", ".join(map(escape, shown["snippet"].get("tags", [])))
    return (
        f'{_card(world, video)}<video controls src="/film/{video.id}"></video>'
        f"<pre>{escape(str(shown['snippet'].get('description', '')))}</pre>"
        f"<p>Tags: {tags}</p><p>sha256 {video.sha256}</p>{captions}"
    )

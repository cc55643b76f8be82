"""Channels' Atom feeds, as https://www.youtube.com/feeds/videos.xml serves them."""

from xml.sax.saxutils import escape

from local.platforms import youtube_statistics, youtube_videos
from local.platforms.http import Reply
from local.platforms.world import World

PATHS = ("/feeds/videos.xml", "/xml/feeds/videos.xml")


def answer(world: World, query: dict[str, str]) -> Reply:
    """Return the feed of ?channel_id=, 404 for an unknown channel."""
    channel_id = query.get("channel_id", "")
    if channel_id not in world.channels and not (world.seeded and youtube_statistics.invented(channel_id)):
        return Reply(404, b"<!doctype html><title>Error 404 (Not Found)</title>", "text/html; charset=UTF-8")
    return Reply(200, feed(world, channel_id).encode(), "text/xml; charset=UTF-8")


def feed(world: World, channel_id: str) -> str:
    """Return the channel's last 15 videos as Atom."""
    channel = world.channels.get(channel_id) or youtube_statistics.invented(channel_id) or {}
    title = escape(channel["title"])
    entries = "".join(
        f"<entry><id>yt:video:{key}</id><yt:videoId>{key}</yt:videoId><yt:channelId>{channel_id}</yt:channelId><title>{escape(video['title'])}</title>"
        f'<link rel="alternate" href="https://www.youtube.com/watch?v={key}"/><author><name>{title}</name>'
        f"<uri>https://www.youtube.com/channel/{channel_id}</uri></author><published>{video['published_at']}</published>"
        f"<updated>{video.get('updated_at', video['published_at'])}</updated>"
        f"<media:group><media:title>{escape(video['title'])}</media:title>"
        f'<media:community><media:statistics views="{video.get("views", 0)}"/></media:community>'
        "</media:group></entry>"
        for key, video in youtube_videos.of_channel(world, channel_id)[:15]
    )
    names = 'xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/" xmlns="http://www.w3.org/2005/Atom"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><feed {names}>'
        f"<yt:channelId>{channel_id[2:]}</yt:channelId><title>{title}</title>{entries}</feed>"
    )

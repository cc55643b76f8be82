"""Follow the channel of a pasted YouTube address."""

from typing import Any

from showrunner import config
from showrunner.aws import ssm
from showrunner.feed import schemas, subscriptions


def follow(given: schemas.ChannelAddress) -> tuple[dict[str, Any], int]:
    """Ask YouTube for the channel of an address and follow it.

    Returns {channel, subscription}, and how many seconds ago YouTube gave the answer. One that was asked
    before is asked again after an hour, and used for a day if YouTube fails or its quota is spent.

    Raises InvalidRequest, NotFound, Conflict, and what YouTube and its circuit breaker raise.
    """
    # Importing what calls YouTube takes longer than all else here, and only this route needs it.
    from showrunner import breakers, quotas
    from showrunner.caches.public import PublicReads
    from showrunner.platforms import youtube

    link = youtube.parse(given.url)
    cache = PublicReads(lambda: breakers.guard("youtube", "resolve"))
    client = youtube.Youtube(
        ssm.secret("youtube/api_key"),
        config.setting("YOUTUBE_BASE_URL"),
        quotas.polling_ledger(),
        cache=cache,
    )
    found = client.resolve(link)
    row = subscriptions.follow(
        found.channel_id, given.callback_url, schemas.DEFAULT_LEASE, schemas.new_secret(), found.title
    )
    followed = {
        "channel": {
            "channel_id": found.channel_id,
            "title": found.title,
            "channel_url": f"https://www.youtube.com/channel/{found.channel_id}",
        },
        "subscription": {name: row[name] for name in ("id", "channel_id", "callback_url", "status")},
    }
    return followed, cache.age_seconds

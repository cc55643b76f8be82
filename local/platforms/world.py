"""The state of the stand-ins: channels, videos, people, photographs, quotas, and the next outcomes."""

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.outcomes import Outcomes
from local.platforms import (
    airtable,
    commons,
    google,
    instagram,
    limits,
    nasa,
    pexels,
    pixabay,
    spotify,
    tiktok,
)
from local.platforms.library import Library, Processing
from local.platforms.rights import Jobs, Rights

UNITS_A_DAY = 10_000
# Google's two generations of error bodies, and the edge that answers in HTML.
YOUTUBE_OUTCOMES = (
    "daily_quota",
    "daily_quota_new",
    "rate_limit",
    "rate_limit_new",
    "key_invalid",
    "key_service_blocked",
    "key_ip_blocked",
    "key_referrer_blocked",
    "service_disabled",
    "backend_error",
    "bad_gateway",
)


class ChannelsOfAccounts(dict[str, list[str]]):
    """Give each Google account a channel of its own, as most accounts that connect to YouTube have.

    `channels` learns of it.
    """

    def __init__(self, channels: dict[str, dict[str, Any]]) -> None:
        super().__init__()
        self._channels = channels

    def get(self, email: str, default: Any = None) -> Any:
        if email not in self:
            digest = hashlib.sha256(email.encode()).digest()
            channel_id = f"UC{base64.urlsafe_b64encode(digest).decode()[:22]}"
            self._channels.setdefault(
                channel_id, {"title": email.partition("@")[0], "handle": digest.hex()[:12]}
            )
            self[email] = [channel_id]
        return super().get(email, default)


@dataclass
class World:
    """The state of all stand-ins.

    `channels`: id -> {title, handle, user, views, videos, subscribers}; without subscribers they are hidden.
    `videos`: id -> {channel_id, title, published_at, …}.
    `owned`: address of a Google account -> its channel ids, the first of which is the default.
    `failing`: path -> how many requests get 503. `outbox`: the folder of the emails that /mailbox shows.
    `seeded`: every id of the right form is a channel, with invented figures.
    """

    key: str = "local"
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    videos: dict[str, dict[str, Any]] = field(default_factory=dict)
    owned: dict[str, list[str]] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    seeded: bool = False
    # Playlist id -> {channel_id, title, published_at, videos}, where videos is their number.
    channel_playlists: dict[str, dict[str, Any]] = field(default_factory=dict)
    spent: int = 0
    # Channel id -> metric of YouTube Analytics -> day (ISO date) -> value that replaces the invented one.
    analytics: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    analytics_calls: int = 0
    analytics_outcomes: Outcomes = field(default_factory=lambda: Outcomes(YOUTUBE_OUTCOMES))
    # Calls of the methods that have buckets of their own, and calls of any that were over their quota.
    spent_apart: Counter[str] = field(default_factory=Counter)
    refused_for_quota: int = 0
    # Google's quotas begin again at midnight in Los Angeles.
    renewal: limits.Renewal = field(default_factory=lambda: limits.Renewal("America/Los_Angeles"))
    # Answers 304 to the ETag of the answer before.
    unchanged: int = 0
    quota: int = UNITS_A_DAY
    calls: Counter[str] = field(default_factory=Counter)
    # (topic, callback) -> secret
    subscribers: dict[tuple[str, str], str] = field(default_factory=dict)
    sign_ins: google.Accounts = field(default_factory=google.Accounts)
    photographs: pexels.Library = field(default_factory=pexels.Library)
    spotify_app: spotify.App = field(default_factory=spotify.App)
    pixabay_library: pixabay.Library = field(default_factory=pixabay.Library)
    nasa_library: nasa.Library = field(default_factory=nasa.Library)
    commons_library: commons.Library = field(default_factory=commons.Library)
    airtable_app: airtable.App = field(default_factory=airtable.App)
    tiktok_app: tiktok.App = field(default_factory=tiktok.App)
    instagram_app: instagram.App = field(default_factory=instagram.App)
    library: Library = field(default_factory=Library)
    rights: Rights = field(default_factory=Rights)
    reporting: Jobs = field(default_factory=Jobs)
    outcomes: Outcomes = field(default_factory=lambda: Outcomes(YOUTUBE_OUTCOMES))
    outbox: Path = Path(".local/outbox")

    def uploads(self, channel_id: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the channel's videos, newest first."""
        found = [each for each in self.videos.items() if each[1]["channel_id"] == channel_id]
        return sorted(found, key=lambda each: each[1]["published_at"], reverse=True)

    def learn(self, known: dict[str, Any]) -> None:
        """Apply the body of POST /_state: the fields of World by name, and those of `_learn_library`."""
        for name in ("channels", "videos", "owned", "failing", "channel_playlists"):
            getattr(self, name).update(known.get(name, {}))
        self.seeded = known.get("seeded", self.seeded)
        self._learn_library(known)
        self.rights.learn(known.get("rights", {}))
        self.reporting.learn(known.get("reporting", {}))
        for name in ("airtable", "spotify", "tiktok", "instagram"):
            getattr(self, f"{name}_app").learn(known.get(name, {}))
        self.sign_ins.people.update(known.get("people", {}))
        self.sign_ins.service_accounts.update(known.get("service_accounts", {}))
        self.outcomes.add_all(known.get("outcomes", []))
        self.photographs.outcomes.add_all(known.get("photograph_outcomes", []))
        self.photographs.photos.extend(known.get("photos", []))

    def _learn_library(self, known: dict[str, Any]) -> None:
        """Set processing, unverified and full (channel ids), playlists (id -> video ids), inserts_a_day."""
        library = self.library
        if "processing" in known:
            library.processing = Processing(**known["processing"])
        library.unverified.update(known.get("unverified", []))
        library.full.update(known.get("full", []))
        library.playlists.update(known.get("playlists", {}))
        library.inserts_a_day = known.get("inserts_a_day", library.inserts_a_day)

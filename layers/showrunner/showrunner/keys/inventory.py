"""Every secret of a stage: who reads it, how it is replaced, and how old it may become.

The code, `make keys`, the templates' policies and the tests all follow this table.
"""

from typing import Literal, NamedTuple

from showrunner import config

# automatic: the stage makes the new one by itself. assisted: a person brings it, the stage tests it and
# switches. manual: a person replaces it by hand, as docs/runbooks/KeysOverdue.md says. derived: it changes
# with another.
Rotation = Literal["automatic", "assisted", "manual", "derived"]
# What ends the version before. overlap: the time. moved: its readers' reads of the new one, or the time.
End = Literal["overlap", "moved"]

SIGNING_KEY, JWKS = "auth/signing_key", "auth/jwks"
DATABASE = "database/password"
# A person has this long to act on the alarm KeysExpire.
EXPIRY_DAYS = 7
APPSYNC = "appsync/api_key"


class Secret(NamedTuple):
    """A SecureString in SSM, /showrunner/<stage>/<name>.

    `readers` are folders of functions/. `overlap_hours`: how long the version before is kept after a
    rotation, at most. `end`: "moved" ends it before that, as soon as no reader uses it any more; a rollback
    is not possible then. `max_age_days`: an older one is overdue. `source` says where a person gets it.
    `without` says what does not work without it; empty if the stage needs it.
    """

    name: str
    title: str
    rotation: Rotation
    readers: tuple[str, ...]
    overlap_hours: int = 24
    max_age_days: int = 365
    source: str = ""
    without: str = ""
    end: End = "overlap"


_DATABASE = (
    *("accounts", "admin", "artists", "assets", "backup", "channel_schedule", "channels", "cms", "collect"),
    *("feed", "feed_intake", "feed_schedule"),
    *(
        "finish",
        "key_audit",
        "load",
        "prepare",
        "publish",
        "record",
        "reports",
        "retention",
        "sweep",
        "videos",
    ),
)

SECRETS: tuple[Secret, ...] = (
    # The key before stays in the JWK Set until the last service token that it signed has expired.
    Secret(
        SIGNING_KEY,
        "Signing key of access tokens",
        "automatic",
        ("accounts", "admin", "keys"),
        overlap_hours=366 * 24,
        max_age_days=90,
    ),
    Secret(
        JWKS,
        "Public keys of access tokens, which follow the signing key",
        "derived",
        ("accounts", "admin", "artists", "assets", "channels", "cms", "feed", "keys", "videos"),
        max_age_days=90,
    ),
    Secret("database/owner_password", "Password of the database's owner", "manual", ("backup", "migrate")),
    # The stage makes a new login faster than it returns to an old one.
    Secret(
        DATABASE,
        "Login of the functions to the database",
        "automatic",
        (*_DATABASE, "keys", "migrate"),
        end="moved",
    ),
    # AppSync ends a key after 365 days; it is replaced 30 days before that. Nothing of ours reads it: other
    # programs of the account do.
    Secret(
        APPSYNC,
        "AppSync API key",
        "automatic",
        ("keys",),
        max_age_days=335,
        without="no access to the AppSync API",
    ),
    Secret(
        "edge/origin_secret",
        "What CloudFront proves itself to the APIs with",
        "manual",
        ("accounts", "admin", "artists", "assets", "channels", "cms", "feed", "videos", "websub"),
    ),
    Secret(
        "openai/api_key",
        "OpenAI",
        "assisted",
        ("keys", "script", "visuals"),
        source="https://platform.openai.com/api-keys",
    ),
    Secret(
        "elevenlabs/api_key",
        "ElevenLabs",
        "assisted",
        ("keys", "voice", "voice_check"),
        source="https://elevenlabs.io/app/settings/api-keys",
    ),
    Secret(
        "youtube/api_key",
        "YouTube Data API",
        "assisted",
        ("feed", "feed_poll", "keys", "youtube"),
        source="https://console.cloud.google.com/apis/credentials (enable the YouTube Data API v3 first)",
    ),
    Secret(
        "pexels/api_key",
        "Pexels",
        "assisted",
        ("channel_schedule", "keys", "videos", "visuals"),  # two of them only refuse what needs it
        source="https://www.pexels.com/api/",
        without="no stock pictures",
    ),
    *(
        Secret(
            name,
            title,
            "manual",
            ("artists", "social"),
            max_age_days=3650 if name.endswith(("client_key", "client_id")) else 365,  # a name, not a secret
            source=source,
            without=f"no accounts on {platform}",
        )
        for name, title, platform, source in (
            ("tiktok/client_key", "TikTok client key", "TikTok", "https://developers.tiktok.com/apps"),
            ("tiktok/client_secret", "TikTok client secret", "TikTok", "https://developers.tiktok.com/apps"),
            ("instagram/client_id", "Instagram app id", "Instagram", "https://developers.facebook.com/apps"),
            (
                "instagram/client_secret",
                "Instagram app secret",
                "Instagram",
                "https://developers.facebook.com/apps",
            ),
        )
    ),
    Secret(
        "spotify/client_id",
        "Spotify client id",
        "manual",
        ("keys", "spotify"),
        max_age_days=3650,  # a name, not a secret
        source="https://developer.spotify.com/dashboard",
        without="no figures from Spotify",
    ),
    Secret(
        "spotify/client_secret",
        "Spotify client secret",
        "assisted",
        ("keys", "spotify"),
        source="https://developer.spotify.com/dashboard",
        without="no figures from Spotify",
    ),
    Secret(
        "pixabay/api_key",
        "Pixabay",
        "assisted",
        ("channel_schedule", "keys", "videos", "visuals"),
        source="https://pixabay.com/api/docs/",
        without="fewer stock pictures",
    ),
    Secret(
        "speech/api_key",
        "Second speech service",
        "manual",
        ("voice",),
        source="https://platform.openai.com/api-keys, or the service of SpeechFallbackUrl",
        without="no speech while ElevenLabs is away",
    ),
    Secret(
        "google/client_id",
        "Google client id",
        "manual",
        ("accounts", "artists", "cms", "keys", "social", "upload"),
        max_age_days=3650,  # a name, not a secret: it changes only with the Google project
        source="https://console.cloud.google.com/apis/credentials",
        without="no login with Google",
    ),
    Secret(
        "google/client_secret",
        "Google client secret",
        "assisted",
        ("accounts", "artists", "cms", "keys", "social", "upload"),
        source="https://console.cloud.google.com/apis/credentials",
        without="no login with Google",
    ),
    Secret(
        "google/service_account",
        "Google service account",
        "assisted",
        ("cms", "keys", "upload"),
        source="https://console.cloud.google.com/iam-admin/serviceaccounts (its JSON key, on one line: "
        "jq -c . key.json)",
        without="content owners are reached through people's accounts only",
    ),
    Secret(
        "airtable/token",
        "Airtable personal access token",
        "assisted",
        ("airtable", "keys"),
        source="https://airtable.com/create/tokens",
        without="no catalogue at Airtable",
    ),
    Secret(
        "stripe/api_key",
        "Stripe",
        "assisted",
        ("keys",),
        source="https://dashboard.stripe.com/apikeys (a restricted key)",
        without="no payments through Stripe",
    ),
)


class Many(NamedTuple):
    """A kind of secret of which a stage has many: in the database or the state table, hashed or sealed.

    `overlap_hours`: how long the one before is valid beside the new one. `max_age_days`: an older one is
    replaced by itself, or overdue if somebody has to do it; None if age says nothing about it.
    """

    kind: str
    title: str
    rotation: Rotation
    overlap_hours: float
    max_age_days: int | None


# The program's owner gives it the new key, so nobody here can tell when all its machines have moved.
INGESTION_KEYS = Many("ingestion_keys", "API keys of the Ingestion API", "assisted", 24, 365)
# Replaced when the lease is renewed anyway. The hours count from the hub's verification of the new one.
HUB_SECRETS = Many("hub_secrets", "Secrets that the hub signs notifications with", "automatic", 0.25, 90)
# Google gives no new refresh token for an old one: only its owner's next consent makes another. A token that
# nobody uses for six months ends by itself.
GOOGLE_TOKENS = Many("google_refresh_tokens", "Permissions of connected YouTube accounts", "manual", 0, None)
# Each renewal gives a new token that replaces the one before, which TikTok ends at once (metrics/grants.py).
# Accounts are asked at least once a day, and a token lasts for hours at TikTok, 60 days at Instagram.
TIKTOK_TOKENS = Many(
    "tiktok_refresh_tokens", "Permissions of connected TikTok accounts", "automatic", 0, None
)
INSTAGRAM_TOKENS = Many(
    "instagram_tokens", "Permissions of connected Instagram accounts", "automatic", 0, None
)

# In SSM, organisations/<id>/google/client_id and client_secret: `make keys ORGANISATION=<id>` asks for both.
ORGANISATION_CLIENTS = Many(
    "organisation_google_clients", "Google clients of organisations' own projects", "manual", 0, 365
)

BY_NAME = {secret.name: secret for secret in SECRETS}


def is_configured(name: str) -> bool:
    """Return True if this stage uses the secret: one without an AppSync API has no key of it."""
    return name != APPSYNC or config.setting("APPSYNC_API_ID", "none") != "none"

"""Every request of our clients to the five platforms, once: path, parameters and body are what documents say.

A function of a client without an example here fails, and so does a client that is new.
"""

import contextlib
import functools
import importlib
import inspect
import json
import pkgutil
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pyairtable
import pytest
import spotipy

from local.platforms import google as google_stand_in
from local.platforms import instagram as instagram_stand_in
from local.platforms import tiktok as tiktok_stand_in
from local.platforms.rights import Jobs
from local.platforms.world import World
from showrunner import platforms as package
from showrunner.errors import CredentialRejected
from showrunner.platforms import google, instagram, tiktok
from showrunner.platforms.airtable import Airtable
from showrunner.platforms.content_id import ContentId
from showrunner.platforms.google import Google
from showrunner.platforms.instagram import Instagram
from showrunner.platforms.spotify import Spotify
from showrunner.platforms.tiktok import Tiktok
from showrunner.platforms.youtube import Feeds, Link, Youtube
from showrunner.platforms.youtube_analytics import Analytics
from showrunner.platforms.youtube_reporting import Reporting
from showrunner.platforms.youtube_studio import Studio
from showrunner.platforms.youtube_upload import Uploader
from tests.contract import template
from tests.platforms import requests_and_documents as checks
from tests.rights import partner as partners

# Clients of other services: stock libraries, voices, language models, the WebSub hub.
OTHERS = {
    *("commons", "nasa", "pexels", "pixabay", "stock", "hub", "http"),
    *("embeddings", "images", "language", "openai_account", "second_speech", "speech", "voice_catalogue"),
}
BASE = "app" + "L" * 14
CHANNEL, VIDEO, PLAYLIST = "UC" + "a" * 22, "vid00000001", "PLaaaaaaaaaaaaaaaa"
SPOTIFY_ID = "4Z8W4fKeB5YxbusRsdQVPb"
RECORDS = [{"Artist ID": "a1", "Artist": "Tides", "YouTube followers": 3, "Spotify": None}]
POLICY = {"policy_id": None, "rules": [{"action": "monetize"}]}
SAVED = {"policy_id": "S1", "rules": []}
RETURN = "https://app.example.com/back"
UPLOAD = {
    "snippet": {"title": "Tides", "description": "d", "tags": ["a"], "categoryId": "10"},
    "status": {"privacyStatus": "private", "selfDeclaredMadeForKids": False},
}


class Quota:
    """No quota: what is counted is tested elsewhere."""

    def spend(self, units: int) -> str:
        return "today"

    def give_back(self, units: int, day: str) -> None: ...

    def exhaust(self, day: str) -> Exception:
        return AssertionError("the stand-in says that the quota is spent")


class Uncached:
    """A cache that knows one old answer, so that clients ask with its ETag."""

    def read(self, request: str, ask: Any) -> bytes:
        ask("an-old-etag")
        return ask(None).body


@pytest.fixture(scope="module")
def stage():
    """Return clients of all platforms at a recording stand-in, with what their calls are about."""
    world = World(seeded=True)
    recorder = checks.Recorder(world)
    url, now = recorder.url, time.time()
    partner = partners.add(world)
    account = partner.account
    world.owned[account] = [CHANNEL]
    world.channels[CHANNEL] = {"title": "Tides", "handle": "tides", "user": "tides"}
    world.videos[VIDEO] = {"channel_id": CHANNEL, "title": "T", "published_at": "2026-11-01T10:00:00Z"}
    world.library.playlists[PLAYLIST] = []
    scopes = [*google.YOUTUBE, google.PARTNER, google.REVENUE]
    world.sign_ins.access_tokens["token"] = google_stand_in.Grant(account, scopes)
    world.sign_ins.refresh_tokens["1//refresh"] = google_stand_in.Grant(account, scopes)
    world.reporting = Jobs()
    world.reporting.types = {"channel_basic_a3": {"name": "a"}, "channel_demographics_a1": {"name": "b"}}
    world.reporting.jobs["j1"] = {"account": CHANNEL, "reportTypeId": "channel_basic_a3", "name": "n"}
    world.reporting.reports["r1"] = {
        "jobId": "j1",
        "startTime": "2026-11-01T07:00:00Z",
        "endTime": "2026-11-02T07:00:00Z",
        "createTime": "2026-11-03T07:00:00Z",
        "content": "a,b\n1,2\n",
    }
    world.tiktok_app.access_tokens["act"] = tiktok_stand_in.Grant("ada", tiktok.SCOPES, now + 900)
    world.tiktok_app.refresh_tokens["rft"] = tiktok_stand_in.Grant("ada", tiktok.SCOPES, now + 900)
    long = instagram_stand_in.Grant("ada", instagram.SCOPES, now - 90_000, 900_000)
    world.instagram_app.long_tokens["long"] = long
    made = SimpleNamespace(
        world=world,
        recorder=recorder,
        recorded={},
        url=url,
        partner=partner,
        youtube=Youtube(world.key, url, Quota()),
        cached=Youtube(world.key, url, Quota(), cache=Uncached()),
        owner=Youtube("", url, Quota(), "token"),
        feeds=Feeds(url),
        studio=Studio(url, "token"),
        uploader=Uploader(url, "token"),
        analytics=Analytics(url),
        reporting=Reporting(url, "token"),
        content_id=ContentId(url, "token", partner.youtube_id),
        google=Google(url),
        spotify=Spotify("local", "local", url, url),
        tiktok=Tiktok("local", "local", url, url),
        instagram=Instagram("local", "local", url, url, url),
        airtable=Airtable("local", url),
    )
    made.asset = partner.add_asset(123456789012345)
    partner.add_video(VIDEO)
    session = made.uploader.start(UPLOAD, 4, notify=False)
    made.video = made.uploader.send(session, [b"film"], 0, 4, 4).video["id"]
    recorder.take()
    yield made
    recorder.close()


def claim(stage: Any) -> str:
    """Return the id of a claim at the stand-in, made without our client."""
    partner = stage.partner
    video = partner.add_video(uuid.uuid4().hex[:11])
    made = stage.content_id.insert_claim(video, stage.asset, "audiovisual", POLICY)
    stage.recorder.take()
    return made.id


def code(stage: Any, address: str) -> str:
    """Return the code that the owner's consent on the page of an address brings."""
    from tests.metrics.conftest import consent

    found = consent(address)["code"]
    stage.recorder.take()
    return found


def google_code(stage: Any) -> tuple[str, str]:
    """Return a code of the stand-in for Google, and its verifier."""
    import base64
    import hashlib
    import secrets

    verifier = secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    address = stage.google.address(
        "local", RETURN, google.YOUTUBE, offline=True, state="s", nonce="n", code_challenge=challenge
    )
    return code(stage, address), verifier


def refused_assertion(stage: Any) -> None:
    """Send an assertion that nobody has signed. Signed ones: tests/access/test_service_accounts.py."""
    with pytest.raises(CredentialRejected):
        stage.google.exchange_assertion("header.claims.signature")


def sessions(stage: Any) -> str:
    session = stage.uploader.start(UPLOAD, 4, notify=False)
    stage.recorder.take()
    return session


# Client and function -> calls of it with each form of its arguments. `s` is the stage.
EXAMPLES: dict[str, Any] = {
    "youtube.Youtube.resolve": lambda s: [
        client.resolve(Link(kind, value))
        for client in (s.youtube, s.cached)
        for kind, value in (
            ("channel", CHANNEL),
            ("handle", "@tides"),
            ("user", "tides"),
            ("custom", "tides"),
            ("video", VIDEO),
        )
    ],
    "youtube.Youtube.own": lambda s: s.owner.own(),
    "youtube.Youtube.details": lambda s: s.youtube.details([VIDEO, VIDEO]),
    "youtube.Youtube.statistics": lambda s: s.youtube.statistics([CHANNEL, CHANNEL]),
    "youtube.Youtube.video_statistics": lambda s: s.youtube.video_statistics([VIDEO, VIDEO]),
    "youtube.Youtube.top_videos": lambda s: s.youtube.top_videos(CHANNEL),
    "youtube.Youtube.playlists": lambda s: s.youtube.playlists(CHANNEL),
    "youtube.Youtube.uploads": lambda s: s.youtube.uploads(CHANNEL),
    "youtube.Feeds.get": lambda s: s.feeds.get(CHANNEL, datetime.now(UTC)),
    "youtube.Feeds.raw": lambda s: s.feeds.raw(CHANNEL),
    "youtube_studio.Studio.find_video": lambda s: s.studio.find_video(s.video),
    "youtube_studio.Studio.find_own_channel": lambda s: s.studio.find_own_channel(),
    "youtube_studio.Studio.list_videos": lambda s: s.studio.list_videos([s.video]),
    "youtube_studio.Studio.list_details": lambda s: s.studio.list_details([s.video]),
    "youtube_studio.Studio.find_marked": lambda s: s.studio.find_marked(CHANNEL, "a"),
    "youtube_studio.Studio.set_thumbnail": lambda s: s.studio.set_thumbnail(s.video, JPEG, "image/jpeg"),
    "youtube_studio.Studio.list_captions": lambda s: s.studio.list_captions(s.video),
    "youtube_studio.Studio.add_captions": lambda s: s.studio.add_captions(s.video, "en", "", CAPTIONS),
    "youtube_studio.Studio.is_in_playlist": lambda s: s.studio.is_in_playlist(PLAYLIST, s.video),
    "youtube_studio.Studio.add_to_playlist": lambda s: s.studio.add_to_playlist(PLAYLIST, s.video),
    "youtube_studio.Studio.update": lambda s: s.studio.update(
        s.studio.find_video(s.video),
        {"snippet": {"title": "New", "tags": ["a"]}, "status": {"privacyStatus": "unlisted"}},
    ),
    "youtube_studio.Studio.delete": lambda s: s.studio.delete("unknown0001"),
    "youtube_upload.Uploader.start": lambda s: s.uploader.start(UPLOAD, 4, notify=True),
    "youtube_upload.Uploader.ask": lambda s: s.uploader.ask(sessions(s), 4),
    "youtube_upload.Uploader.send": lambda s: s.uploader.send(sessions(s), [b"film"], 0, 4, 4),
    "youtube_analytics.Analytics.days": lambda s: [
        s.analytics.days("token", date(2026, 11, 1), date(2026, 11, 20), with_revenue=money)
        for money in (False, True)
    ],
    "youtube_analytics.Analytics.top_videos": lambda s: s.analytics.top_videos(
        "token", date(2026, 11, 1), date(2026, 11, 20)
    ),
    "youtube_reporting.Reporting.list_types": lambda s: s.reporting.list_types(),
    "youtube_reporting.Reporting.list_jobs": lambda s: s.reporting.list_jobs(),
    "youtube_reporting.Reporting.create_job": lambda s: s.reporting.create_job(
        "channel_demographics_a1", "ours"
    ),
    "youtube_reporting.Reporting.list_reports": lambda s: [
        s.reporting.list_reports("j1", since) for since in (None, datetime(2026, 11, 2, tzinfo=UTC))
    ],
    "youtube_reporting.Reporting.download": lambda s: s.reporting.download(s.reporting.list_reports("j1")[0]),
    "content_id.ContentId.list_owners": lambda s: s.content_id.list_owners(),
    "content_id.ContentId.search_assets": lambda s: [
        *s.content_id.search_assets("song"),
        *s.content_id.search_assets(isrc="QZABC2600001", type_="sound_recording"),
    ],
    "content_id.ContentId.list_shares": lambda s: s.content_id.list_shares(s.asset),
    "content_id.ContentId.list_policies": lambda s: s.content_id.list_policies(),
    "content_id.ContentId.list_claims": lambda s: s.content_id.list_claims([claim(s)]),
    "content_id.ContentId.list_claims_of": lambda s: s.content_id.list_claims_of(VIDEO, s.asset),
    "content_id.ContentId.search_claims": lambda s: list(
        s.content_id.search_claims(videoId=VIDEO, assetId=s.asset, status="active", contentType="audiovisual")
    ),
    "content_id.ContentId.insert_claim": lambda s: [
        s.content_id.insert_claim(s.partner.add_video(video), s.asset, kind, policy, is_manual=manual)
        for video, kind, policy, manual in (
            ("vid0000000a", "audiovisual", POLICY, False),
            ("vid0000000b", "audio", SAVED, True),
        )
    ],
    "content_id.ContentId.release_claim": lambda s: s.content_id.release_claim(claim(s)),
    "content_id.ContentId.set_policy": lambda s: [
        s.content_id.set_policy(claim(s), policy) for policy in (POLICY, SAVED)
    ],
    "content_id.ContentId.find_match_policy": lambda s: s.content_id.find_match_policy(s.asset),
    "content_id.ContentId.set_match_policy": lambda s: [
        s.content_id.set_match_policy(s.asset, policy) for policy in (POLICY, SAVED)
    ],
    "content_id.ContentId.find_metadata": lambda s: s.content_id.find_metadata(s.asset),
    "content_id.ContentId.set_metadata": lambda s: [
        s.content_id.set_metadata(s.asset, {"artist": ["Tide"], "genre": ["Ambient"], "custom_id": "T1"}),
        s.content_id.set_metadata(s.asset, {"genre": None}),
    ],
    "google.Google.address": lambda s: [
        s.google.address(
            "local", RETURN, scopes, offline=offline, state="s", nonce="n", code_challenge="c" * 43
        )
        for scopes, offline in ((google.LOGIN, False), (google.YOUTUBE, True))
    ],
    "google.Google.exchange": lambda s: s.google.exchange("local", "local", RETURN, *google_code(s)),
    "google.Google.refresh": lambda s: s.google.refresh("local", "local", "1//refresh"),
    "google.Google.token_endpoint": lambda s: s.google.token_endpoint(),
    "google.Google.exchange_assertion": lambda s: refused_assertion(s),
    "google.Google.keys": lambda s: s.google.keys("none"),
    "google.Google.revoke": lambda s: s.google.revoke("1//another"),
    "spotify.Spotify.artists": lambda s: s.spotify.artists([SPOTIFY_ID, SPOTIFY_ID]),
    "spotify.Spotify.artist": lambda s: s.spotify.artist(SPOTIFY_ID),
    "spotify.Spotify.albums_of": lambda s: s.spotify.albums_of(SPOTIFY_ID, 50),
    "spotify.Spotify.albums": lambda s: s.spotify.albums([SPOTIFY_ID, SPOTIFY_ID]),
    "spotify.Spotify.album": lambda s: s.spotify.album(SPOTIFY_ID),
    "spotify.Spotify.tracks": lambda s: s.spotify.tracks([SPOTIFY_ID, SPOTIFY_ID]),
    "tiktok.Tiktok.address": lambda s: s.tiktok.address(RETURN, "s"),
    "tiktok.Tiktok.exchange": lambda s: s.tiktok.exchange(code(s, s.tiktok.address(RETURN, "s")), RETURN),
    "tiktok.Tiktok.refresh": lambda s: s.tiktok.refresh("rft"),
    "tiktok.Tiktok.user": lambda s: s.tiktok.user("act"),
    "tiktok.Tiktok.videos": lambda s: [s.tiktok.videos("act", cursor) for cursor in (None, 1767225601000)],
    "instagram.Instagram.address": lambda s: s.instagram.address(RETURN, "s"),
    "instagram.Instagram.exchange": lambda s: s.instagram.exchange(
        code(s, s.instagram.address(RETURN, "s")), RETURN
    ),
    "instagram.Instagram.refresh": lambda s: s.instagram.refresh("long"),
    "instagram.Instagram.profile": lambda s: s.instagram.profile("long"),
    "instagram.Instagram.media": lambda s: s.instagram.media("long"),
    "instagram.Instagram.insights": lambda s: s.instagram.insights(
        "long", instagram_stand_in.user_id("ada"), datetime.now(UTC)
    ),
    "instagram.Instagram.post_insights": lambda s: s.instagram.post_insights("long", f"18{1:015}"),
    "airtable.Airtable.upsert": lambda s: s.airtable.upsert(BASE, "Catalogue", "Artist ID", RECORDS),
}
JPEG = b"\xff\xd8\xff\xe0" + bytes(100)
CAPTIONS = b"1\n00:00:00,000 --> 00:00:01,000\nTides\n"
# Ours -> spotipy's.
SPOTIPY = {
    "artists": lambda c: c.artists([SPOTIFY_ID, SPOTIFY_ID]),
    "artist": lambda c: c.artist(SPOTIFY_ID),
    "albums_of": lambda c: c.artist_albums(SPOTIFY_ID, include_groups="album,single", limit=50, offset=50),
    "albums": lambda c: c.albums([SPOTIFY_ID, SPOTIFY_ID]),
    "album": lambda c: c.album(SPOTIFY_ID),
    "tracks": lambda c: c.tracks([SPOTIFY_ID, SPOTIFY_ID]),
}
# The bytes of an upload go to the address that YouTube has given: no document has its parameters.
TO_SESSIONS = ("youtube_upload.Uploader.ask", "youtube_upload.Uploader.send")


def clients() -> dict[str, Any]:
    """Return the public functions of all clients of the five platforms, by name."""
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        if info.name in OTHERS:
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for class_ in vars(module).values():
            if not inspect.isclass(class_) or class_.__module__ != module.__name__ or is_value(class_):
                continue
            for name, function in vars(class_).items():
                if inspect.isfunction(function) and not name.startswith("_"):
                    found[f"{info.name}.{class_.__name__}.{name}"] = function
    return found


def is_value(class_: type) -> bool:
    """Return whether a class is no client: a record, an error, a protocol, or for its module alone."""
    return (
        class_.__name__.startswith("_")
        or issubclass(class_, (tuple, Exception))
        or getattr(class_, "_is_protocol", False)
    )


def test_every_function_of_every_client_has_an_example():
    assert EXAMPLES.keys() == clients().keys()
    assert {info.name for info in pkgutil.iter_modules(package.__path__)} >= OTHERS


def requests_of(stage: Any, name: str) -> list[checks.Sent]:
    """Do an example once, and return its requests; an address to which a browser is sent is one, too."""
    if name in stage.recorded:
        return stage.recorded[name]
    google._documents.clear()
    stage.recorder.take()
    result = EXAMPLES[name](stage)
    sent = stage.recorder.take()
    if name.endswith(".address"):
        sent += [checks.of_address(each) for each in ([result] if isinstance(result, str) else result)]
    stage.recorded[name] = sent
    return sent


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_requests_are_what_the_documents_say(stage, name):
    sent = requests_of(stage, name)

    assert sent, "no request was recorded"
    if name in TO_SESSIONS:
        assert all("upload_id" in each.query and each.method == "PUT" for each in sent)
        return
    if name.startswith(("spotify.", "airtable.")):
        sent = [each for each in sent if each.path == "/api/token"]  # the others: below
    assert [fault for each in sent for fault in checks.faults(each)] == []


@pytest.mark.parametrize("name", sorted(SPOTIPY))
def test_requests_to_spotify_are_those_of_spotipy(stage, name):
    [ours] = [each for each in requests_of(stage, f"spotify.Spotify.{name}") if each.path != "/api/token"]
    theirs = spotipy.Spotify(auth="token", retries=0, status_retries=0)
    theirs.prefix = f"{stage.url}/v1/"
    with contextlib.suppress(spotipy.SpotifyException):  # the stand-in knows no token of spotipy's
        SPOTIPY[name](theirs)
    [expected] = stage.recorder.take()

    assert shown(ours) == shown(expected)
    assert ours.headers["authorization"].startswith("Bearer ")


def shown(sent: checks.Sent) -> tuple[Any, ...]:
    """Return what is compared; spotipy ends some paths with a slash."""
    return sent.method, sent.path.rstrip("/"), sent.query, sent.body


def test_every_function_of_spotify_is_compared():
    assert {f"spotify.Spotify.{name}" for name in SPOTIPY} == {
        name for name in EXAMPLES if name.startswith("spotify.")
    }


def test_requests_to_airtable_are_those_of_pyairtable(stage):
    [ours] = requests_of(stage, "airtable.Airtable.upsert")
    table = pyairtable.Api("local", endpoint_url=stage.url, retry_strategy=None).table(BASE, "Catalogue")
    table.batch_upsert([{"fields": each} for each in RECORDS], key_fields=["Artist ID"])
    [expected] = stage.recorder.take()

    assert (ours.method, ours.path, ours.query) == (expected.method, expected.path, expected.query)
    body, theirs = json.loads(ours.body), json.loads(expected.body)
    assert body.items() <= theirs.items()
    assert ours.headers["content-type"] == expected.headers["content-type"]
    assert ours.headers["authorization"] == expected.headers["authorization"]


# ------------------------------------------------------------------------------------------------ Faults


def changed(sent: checks.Sent, **more: Any) -> checks.Sent:
    """Return a request with other parameters, or with other fields in its JSON."""
    body = more.pop("body", None)
    path = more.pop("path", sent.path)
    query = {name: value for name, value in {**sent.query, **more}.items() if value is not None}
    document = sent.body if body is None else json.dumps(json.loads(sent.body) | body).encode()
    return sent._replace(path=path, query=query, body=document)


@pytest.mark.parametrize(
    ("name", "wrong", "fault"),
    [
        ("youtube.Youtube.statistics", {"ids": ["UC1"]}, "ids is no parameter"),
        ("youtube.Youtube.statistics", {"part": ["statistic"]}, "part statistic"),
        ("youtube.Youtube.statistics", {"part": None}, "part is missing"),
        ("youtube.Youtube.statistics", {"maxResults": ["51"]}, "not in 0..50"),
        ("youtube.Youtube.statistics", {"maxResults": ["many"]}, "is no integer"),
        ("youtube.Youtube.statistics", {"path": "/youtube/v3/channel"}, "no document has GET"),
        ("youtube.Youtube.top_videos", {"order": ["views"]}, "is none of"),
        ("youtube.Youtube.top_videos", {"channelId": ["a", "b"]}, "given 2 times"),
        ("youtube.Youtube.own", {"mine": ["yes"]}, "is no boolean"),
        ("youtube_analytics.Analytics.days", {"metric": ["views"]}, "metric is no parameter"),
        ("youtube_reporting.Reporting.create_job", {"body": {"type": "a"}}, "body.type: there is no"),
        ("youtube_reporting.Reporting.create_job", {"body": {"name": 3}}, "is no string"),
        ("youtube_upload.Uploader.start", {"body": {"snippet": {"tags": "a"}}}, "is no array"),
        ("youtube_upload.Uploader.start", {"body": {"status": {"privacyStatus": "open"}}}, "is none of"),
        ("youtube_upload.Uploader.start", {"body": {"statistics": {}}}, "part names"),
        ("tiktok.Tiktok.user", {"fields": ["open_id,followers"]}, "'followers' is none of"),
        ("tiktok.Tiktok.user", {"path": "/v2/user/info"}, "no document has GET"),
        ("tiktok.Tiktok.videos", {"body": {"max_count": 21}}, "not in 1..20"),
        ("tiktok.Tiktok.videos", {"body": {"count": 20}}, "there is no such field"),
        ("instagram.Instagram.insights", {"metric": ["impressions"]}, "is none of"),
        ("instagram.Instagram.profile", {"path": "/v20.0/me"}, "no document has GET"),
        ("content_id.ContentId.release_claim", {"body": {"state": "inactive"}}, "there is no such field"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_a_wrong_request_is_found(stage, name, wrong, fault):
    [right, *_] = requests_of(stage, name)
    assert checks.faults(right) == []

    found = checks.faults(changed(right, **wrong))

    assert any(fault in each for each in found), found


# Nobody misspells these: the address of a file is YouTube's own word.
NAMED_BY_YOUTUBE = {*TO_SESSIONS, "youtube_reporting.Reporting.download"}
# Compared with the requests of spotipy and pyairtable, above.
COMPARED = {name for name in EXAMPLES if name.startswith(("spotify.", "airtable."))}


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - NAMED_BY_YOUTUBE - COMPARED))
def test_every_parameter_and_field_is_found_if_it_is_misspelt(stage, name):
    """Each name of each recorded request gets a letter too many."""
    for sent in requests_of(stage, name):
        assert checks.faults(sent) == []
        for parameter in sent.query:
            wrong = sent._replace(
                query={(f"{each}x" if each == parameter else each): v for each, v in sent.query.items()}
            )
            assert checks.faults(wrong), f"{sent.path}: {parameter}x"
        segments = sent.path.split("/")
        for number, segment in enumerate(segments):
            # Ids are anything: only the names of a path count.
            if segment.isalpha() and segment.islower():
                wrong = sent._replace(
                    path="/".join([*segments[:number], f"{segment}x", *segments[number + 1 :]])
                )
                assert checks.faults(wrong), wrong.path
        if sent.headers.get("content-type", "").startswith("application/json"):
            for field in misspelt(json.loads(sent.body)):
                assert checks.faults(sent._replace(body=json.dumps(field).encode())), f"{sent.path}: {field}"


def misspelt(document: Any) -> Iterator[Any]:
    """Return the document once for each of its fields, which has a letter too many there."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield {(f"{each}x" if each == name else each): known for each, known in document.items()}
            for changed_value in misspelt(value):
                yield {**document, name: changed_value}
    if isinstance(document, list):
        for number, value in enumerate(document):
            for changed_value in misspelt(value):
                yield [*document[:number], changed_value, *document[number + 1 :]]


def test_a_form_with_another_field_is_found(stage):
    [sent] = requests_of(stage, "instagram.Instagram.exchange")[:1]

    assert checks.faults(sent) == []
    assert checks.faults(sent._replace(body=sent.body + b"&scope=a")) == [
        "scope is no parameter of /oauth/access_token"
    ]


@functools.cache
def hosts() -> set[str]:
    """Return the hosts that documents name."""
    listed = {each["host"] for each in checks.listed()}
    return listed | {checks.discovery.document(api)["rootUrl"].rstrip("/") for api in checks.APIS}


def test_the_stage_calls_the_hosts_of_the_documents():
    parameters = template.load(template.APPLICATION)["Parameters"]
    ours = {
        parameters[name]["Default"]
        for name in (
            *("YouTubeBaseUrl", "YouTubeAnalyticsUrl", "ReportingUrl", "ContentIdUrl", "GoogleUrl"),
            *("FeedBaseUrl", "TikTokApiUrl", "TikTokLoginUrl", "SpotifyAccountsUrl"),
            *("InstagramApiUrl", "InstagramLoginUrl", "InstagramOAuthUrl"),
        )
    }

    assert ours <= hosts()
    assert spotipy.Spotify(auth="token").prefix == f"{parameters['SpotifyBaseUrl']['Default']}/v1/"
    assert str(pyairtable.Api("local").endpoint_url).rstrip("/") == parameters["AirtableBaseUrl"]["Default"]

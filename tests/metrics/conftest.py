"""A stage that collects figures: the stand-in for YouTube, a key, artists, and a machine to start."""

import json
import os
import threading
import uuid
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from urllib.request import HTTPErrorProcessor, build_opener

import pytest

from functions.collect import app as collect
from functions.load import app as load
from functions.social import app as social
from functions.spotify import app as spotify
from functions.youtube import app as youtube
from showrunner.aws import s3, sdk
from showrunner.database import db
from showrunner.metrics import clients
from tests.conftest import Client, put_secrets


@pytest.fixture(scope="package")
def metrics_machine(aws):
    definition = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}
    machine = sdk.client("stepfunctions").create_state_machine(
        name="metrics",
        roleArn="arn:aws:iam::123456789012:role/machine",
        definition=json.dumps(definition),
    )
    os.environ["METRICS_MACHINE_ARN"] = machine["stateMachineArn"]
    return machine["stateMachineArn"]


@pytest.fixture(autouse=True)
def no_other_accounts(request):
    """Leave out accounts that tests of other folders have committed: a run collects every one that is due."""
    if "tx" in request.fixturenames:
        db.run(request.getfixturevalue("tx"), "DELETE FROM metrics.accounts")


@pytest.fixture
def world(aws, monkeypatch):
    """Return the world of a stand-in for YouTube of this test alone; the quotas of all tests are empty."""
    from local.platforms import server as stand_ins

    world = stand_ins.World()
    serving = stand_ins.server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    monkeypatch.setenv("YOUTUBE_BASE_URL", f"http://127.0.0.1:{serving.server_port}")
    monkeypatch.setenv("FEED_BASE_URL", f"http://127.0.0.1:{serving.server_port}")
    put_secrets({"youtube/api_key": world.key})
    youtube.fetching._youtube.cache_clear()
    youtube.fetching._feeds.cache_clear()
    forget()
    yield world
    serving.shutdown()
    forget()
    youtube.fetching._youtube.cache_clear()
    youtube.fetching._feeds.cache_clear()
    sdk.client("ssm").delete_parameter(Name="/showrunner/test/youtube/api_key")


def forget() -> None:
    """Remove the archive, and the quotas and marks of schedules from the state table."""
    s3.remove(s3.list_keys("archive/"))
    table = {"TableName": os.environ["STATE_TABLE"]}
    client = sdk.client("dynamodb")
    for item in client.scan(**table)["Items"]:
        if item["pk"]["S"].startswith(("quota#", "rate#", "loads#", "schedule#metrics")):
            client.delete_item(**table, Key={name: item[name] for name in ("pk", "sk")})


FETCHERS = {"youtube": youtube, "spotify": spotify, "tiktok": social, "instagram": social}


class Result(NamedTuple):
    """The result of a run: states of its batches, and the artists that were loaded."""

    states: list[str]
    artists: int


def run(name: str, platform: str = "youtube", **artist: Any) -> Result:
    """Do what the machine does in a run, without its retries."""
    return work(collect.handler({"run": name, "platform": platform, **artist}, None), platform)


def run_items(name: str, platform: str = "youtube") -> Result:
    """Do what the machine does in a run about videos and other items."""
    return work(collect.handler({"run": name, "platform": platform, "part": "items"}, None), platform)


def work(planned: dict[str, Any], platform: str) -> Result:
    batches = s3.get_json(planned["key"]) if planned["batches"] else []
    fetched = [
        {"state": "archived", "key": batch["key"]}
        if batch["is_archived"]
        else FETCHERS[platform].handler(batch, None)
        for batch in batches
    ]
    loaded = [load.handler({"key": each["key"]}, None) for each in fetched if "key" in each]
    return Result([each["state"] for each in fetched], sum(each["artists"] for each in loaded))


def count_points(tx: Any) -> int:
    return int(db.value(tx, "SELECT count(*) FROM metrics.points"))


@pytest.fixture
def person(tx, signing_key, aws):
    """Return a client of a person with an organisation: services connect no accounts."""
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    login = {"email": email, "password": "Correct-horse-7-battery"}
    Client()("POST", "/api/v1/auth/register", {**login, "full_name": "Ada"})
    db.run(tx, "UPDATE accounts.users SET verified_at = now() WHERE email = :email", email=email)
    pair = Client()("POST", "/api/v1/auth/login", login).body
    return Client(pair["access_token"], pair["user"]["organisation_id"])


class NoRedirect(HTTPErrorProcessor):
    def http_response(self, request, response):
        return response


def consent(address, name="ada", without=""):
    """Agree on the platform's page, as the owner does. Returns the query that comes back."""
    with build_opener(NoRedirect).open(f"{address}&as={name}&without={without}") as page:
        assert page.status == 302, page.read()
        back = urlsplit(page.headers["location"])
    return {name: values[0] for name, values in parse_qs(back.query).items()}


CHANNEL, OTHER = "UC" + "a" * 22, "UC" + "b" * 22
OWNER = "ada@example.com"
NAMES = ("google/client_id", "google/client_secret")


@pytest.fixture
def google(world, monkeypatch):
    """Return the world, in which a person owns two channels; the stage has a client at Google."""
    base = os.environ["YOUTUBE_BASE_URL"]
    for name in ("GOOGLE_URL", "YOUTUBE_ANALYTICS_URL", "REPORTING_URL"):
        monkeypatch.setenv(name, base)
    put_secrets(dict.fromkeys(NAMES, "local"))  # as other tests have them, who need them afterwards
    clients.client_of_analytics.cache_clear()
    for channel in (CHANNEL, OTHER):
        world.channels[channel] = {"title": "Tides", "views": 5, "videos": 1, "subscribers": 7}
    world.owned[OWNER] = [CHANNEL, OTHER]
    world.videos["vid00000000"] = {
        "channel_id": CHANNEL,
        "title": "Tide",
        "published_at": "2026-11-01T00:00:00Z",
        "views": 90,
    }
    yield world
    clients.client_of_analytics.cache_clear()


@pytest.fixture
def artist(person):
    return person("POST", "/api/v1/artists", {"name": "Tides", "tier": "active"}).body["artist"]["id"]


def connect(person, artist, *, channel=CHANNEL, revenue=False, without=""):
    path = f"/api/v1/artists/{artist}/accounts/youtube"
    begun = person("GET", f"{path}/connect?revenue={'true' if revenue else 'false'}")
    assert begun.status == 200, begun.body
    back = consent(begun.body["authorization_url"], f"{OWNER}&channel={channel}", without)
    cookie = begun.headers["set-cookie"].partition(";")[0]
    return person("POST", f"{path}/callback", {"code": back["code"], "state": back["state"]}, cookie=cookie)

"""Fixtures for every test: PostgreSQL, rolled back per test, AWS as moto over HTTP, events, API clients."""

import contextlib
import importlib
import json
import logging
import os
import shutil
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import hypothesis
import pytest

# Two workers and their servers share two cores, so the time of one example says nothing about the code.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")

ROOT = Path(__file__).resolve().parent.parent

# Set before our code is imported: no test may reach the developer's own AWS account.
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_SESSION_TOKEN="",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    STAGE="test",
    VOICES="female1=LocalFemaleVoice0001,male1=LocalMaleVoice000001",
    POWERTOOLS_METRICS_DISABLED="true",
    MEDIA_BUCKET="showrunner-media-test",
    PARAMETER_BACKUP_BUCKET="showrunner-backups-test",
    BACKUP_BUCKET="showrunner-backups-test",
    EVENT_BUS_NAME="default",
    STATE_TABLE="state-test",
    PLATFORM_URL="http://127.0.0.1:8000",
    OAUTH_REDIRECTS="http://localhost:5173/oauth",
    LIVE_URL="ws://127.0.0.1:8001",
    # The real cost takes 240 ms of CPU per login, most of the suite's time. One test measures it.
    BCRYPT_COST="4",
    AIRTABLE_CALLS_A_MONTH="1000",
    PRODUCTION_MACHINE_ARN="arn:aws:states:us-east-1:123456789012:stateMachine:production",
)
for _name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "SHOWRUNNER_HOME"):
    os.environ.pop(_name, None)


# Whole files are handed out in this order, the rest after them, so that no worker is left alone with minutes
# of work at the end.
LONGEST_FILES_FIRST = (
    "tests/functions/test_schema.py",
    "tests/render/test_film.py",
    "tests/local/test_language.py",
    "tests/local/test_voice.py",
    "tests/render/picture/test_compositor.py",
    "tests/local/test_postgres.py",
    "tests/local/test_engine_persistence.py",
    "tests/bench/test_trials.py",
    "tests/local/test_release.py",
    "tests/local/test_stages.py",
    "tests/keys/test_rotation.py",
    "tests/feed/test_document.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {ROOT / name: place for place, name in enumerate(LONGEST_FILES_FIRST)}
    if missing := [str(path) for path in places if not path.exists()]:
        raise pytest.UsageError(f"LONGEST_FILES_FIRST names files that are gone: {', '.join(missing)}")
    items.sort(key=lambda item: places.get(item.path, len(places)))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres(aws: str) -> Iterator[Any]:
    """Start a server for this test process alone, and delete it at the end.

    Parallel workers must not share one.
    """
    from functions.migrate import app as migrate
    from local import postgres as server
    from showrunner.database import db

    home = ROOT / ".local" / "test" / f"postgres-{os.getpid()}"
    home.mkdir(parents=True, exist_ok=True)
    try:
        with server.server(home, free_port(), throwaway=True) as running:
            os.environ.update(running.environment)
            put_secrets(running.secrets)
            migrate.handler({}, None)
            yield running
            db.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def put_secrets(secrets: dict[str, str]) -> None:
    from showrunner.aws import sdk, ssm

    for name, value in secrets.items():
        sdk.client("ssm").put_parameter(
            Name=f"/showrunner/test/{name}", Value=value, Type="SecureString", Overwrite=True
        )
    ssm.forget()


@pytest.fixture
def tx(postgres: Any) -> Iterator[Any]:
    """Open a transaction that the tested handlers join by savepoints, and roll it back after the test."""
    from showrunner.database import db

    class RollBack(Exception):
        pass

    with contextlib.suppress(RollBack), db.transaction() as transaction:
        yield transaction
        raise RollBack


def forget_uses() -> None:
    """Remove what earlier tests of this process have recorded about their reads of secrets."""
    from showrunner.aws import dynamodb, secret_uses

    for thread in threading.enumerate():
        if thread.name == secret_uses.KEY:
            thread.join(10)
    for use in secret_uses.list_():
        dynamodb.remove(secret_uses.KEY, f"{use.secret}#{use.reader}")


def forget_answers() -> None:
    """Remove the kept answers of platforms, from this process and from the state table."""
    from showrunner.aws import dynamodb, s3, sdk
    from showrunner.caches import public, reads

    reads._memory.__init__()  # type: ignore[misc]
    for item in sdk.client("dynamodb").scan(TableName=os.environ["STATE_TABLE"])["Items"]:
        if item["pk"]["S"].startswith("cache#"):
            dynamodb.remove(item["pk"]["S"], item["sk"]["S"])
    s3.remove(s3.list_keys(f"{public.FOLDER}/"))


@pytest.fixture(scope="session")
def aws() -> Iterator[str]:
    """Start moto on a real port, so that clients sign, send and parse as in AWS. Returns its address."""
    from moto.server import ThreadedMotoServer

    from tests import moto_server
    from tests.contract import recorded

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto_server.prepare()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ["AWS_ENDPOINT_URL"] = f"http://{host}:{port}"
    from local.deploy import verify_sender
    from showrunner.aws import sdk, ssm

    sdk.client.cache_clear()
    ssm.forget()
    for bucket in ("MEDIA_BUCKET", "BACKUP_BUCKET"):
        sdk.client("s3").create_bucket(Bucket=os.environ[bucket])
    keys = {"pk": "HASH", "sk": "RANGE"}
    sdk.client("dynamodb").create_table(
        TableName=os.environ["STATE_TABLE"],
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
    )
    os.environ["STAGE_KEY_ARN"] = sdk.client("kms").create_key()["KeyMetadata"]["Arn"]
    verify_sender(sdk.client("ses"))
    role, definition = (
        "arn:aws:iam::123456789012:role/machine",
        json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "End": True}}}),
    )
    machine = sdk.client("stepfunctions").create_state_machine(
        name="production", roleArn=role, definition=definition
    )
    os.environ["PRODUCTION_MACHINE_ARN"] = os.environ["BACKUP_MACHINE_ARN"] = machine["stateMachineArn"]
    with pytest.MonkeyPatch.context() as patch:
        recorded.record(patch)
        yield os.environ["AWS_ENDPOINT_URL"]
    server.stop()


@pytest.fixture(autouse=True)
def least_privilege() -> Iterator[None]:
    """Fail a test in which a function asked AWS for something that its role in the template doesn't allow."""
    from showrunner.aws import ssm
    from tests.contract import recorded

    # A refused function reads the secrets of its process again. Here other functions have read some of them.
    for name in [each for each in ssm._secrets if not each.startswith(("auth/", "database/"))]:
        del ssm._secrets[name]
    yield
    if recorded.calls and (faults := recorded.faults()):
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.fixture(autouse=True)
def close_breakers(request: pytest.FixtureRequest) -> Iterator[None]:
    """Close the circuit breakers after each test: the next one's platforms are other servers."""
    yield
    if "aws" not in request.fixturenames:
        return
    from moto.core import DEFAULT_ACCOUNT_ID
    from moto.dynamodb.models import dynamodb_backends
    from moto.dynamodb.models.dynamo_type import DynamoType

    from showrunner import breakers

    items = dynamodb_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].tables[os.environ["STATE_TABLE"]].items
    for platform in breakers.PLATFORMS:
        items.pop(DynamoType({"S": f"breaker#{platform}"}), None)


@pytest.fixture(scope="session")
def platforms(aws: str) -> Iterator[Any]:
    """The stand-ins for foreign platforms on a port of their own, and a client's secrets for Google's."""
    from local.platforms import server as stand_ins

    world = stand_ins.World()
    serving = stand_ins.server(world, 0)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    os.environ["GOOGLE_URL"] = f"http://127.0.0.1:{serving.server_port}"
    put_secrets(
        {"google/client_id": world.sign_ins.client_id, "google/client_secret": world.sign_ins.client_secret}
    )
    yield world
    serving.shutdown()


@pytest.fixture(scope="session")
def served_documents() -> None:
    """The OpenAPI documents beside the functions that serve them, as the build puts them there."""
    from tests import documents

    documents.write()


@pytest.fixture(scope="session")
def signing_key(aws: str) -> dict[str, str]:
    """Create the private JWK that signs tokens; its public part is in SSM."""
    from showrunner.access import tokens

    key = tokens.new_key()
    document = json.dumps(tokens.jwk_set(key))
    put_secrets({"auth/jwks": document, "auth/signing_key": json.dumps(key)})
    return key


class Answer(NamedTuple):
    """An HTTP response. `body` is parsed JSON, or text if it is not JSON."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """Call the handlers of the Platform API as API Gateway would, choosing the function by the path."""

    def __init__(
        self, token: str | None = None, organisation_id: str = "", address: str = "192.0.2.1"
    ) -> None:
        self.token, self.organisation_id, self.address = token, organisation_id, address

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        response = send(self.event(method, path, body, headers))
        text = response["body"]
        is_json = response["headers"].get("content-type", "").startswith("application/json")
        return Answer(
            response["statusCode"], json.loads(text) if text and is_json else text, response["headers"]
        )

    def event(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        given = {name.replace("_", "-").lower(): value for name, value in (headers or {}).items()}
        if self.token and "authorization" not in given:
            given["authorization"] = f"Bearer {self.token}"
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        return payload(method, path, given, text, self.address)


def payload(
    method: str, path: str, headers: dict[str, str], body: str | None, address: str = "192.0.2.1"
) -> dict[str, Any]:
    """Return an HTTP API event, payload format 2.0."""
    raw_path, _, query = path.partition("?")
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    http = {
        "method": method,
        "path": raw_path,
        "protocol": "HTTP/1.1",
        "sourceIp": address,
        "userAgent": "test",
    }
    context = {
        "http": http,
        "requestId": "gateway",
        "stage": "$default",
        "routeKey": "$default",
        "apiId": "api",
        "domainName": "127.0.0.1",
    }
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": context,
    }
    # API Gateway passes cookies separately from the other headers.
    event |= {"cookies": event["headers"].pop("cookie").split("; ")} if "cookie" in event["headers"] else {}
    event |= (
        {"isBase64Encoded": False}
        | ({"queryStringParameters": parameters} if parameters else {})
        | ({"body": body} if body is not None else {})
    )
    return event


def send(event: dict[str, Any]) -> dict[str, Any]:
    return handler_for(event["rawPath"])(event, None)


def handler_for(path: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the handler that template.yaml routes this path to: its prefix's function, otherwise admin."""
    segments = path.split("/")
    prefix = segments[3] if segments[:3] == ["", "api", "v1"] and len(segments) > 3 else "admin"
    name = PREFIXES.get(prefix, "admin")
    return importlib.import_module(f"functions.{name}.app").handler  # type: ignore[no-any-return]


PREFIXES = {
    "voices": "videos",
    "videos": "videos",
    "artists": "artists",
    "channels": "channels",
    "assets": "assets",
    "auth": "accounts",
    "users": "accounts",
    "organisations": "accounts",
    "live": "accounts",
    "webhooks": "websub",
    "cms": "cms",
}


@pytest.fixture
def organisation_id(tx: Any) -> str:
    return add_organisation(tx)


def add_organisation(tx: Any, name: str = "Test studio") -> str:
    from showrunner.database import db

    return str(
        db.value(tx, "INSERT INTO accounts.organisations (name) VALUES (:name) RETURNING id", name=name)
    )


def add_user(tx: Any) -> str:
    """Add a person whose address is not confirmed. Returns the user id."""
    from showrunner.store.accounts import users

    return users.add(tx, f"{uuid.uuid4().hex[:12]}@example.com", None, "Somebody", None, None)


@pytest.fixture
def service(signing_key: dict[str, str]) -> Callable[..., Client]:
    """Return a function:

    `service(organisation_id, "videos:all")` is a client with a service token of that scope.
    """
    return lambda organisation_id, *scopes: service_client(signing_key, organisation_id, *scopes)


def service_client(
    key: dict[str, str], organisation_id: str, *scopes: str, name: str = "test", creator: str | None = None
) -> Client:
    from showrunner.access import tokens

    given = list(scopes) or ["artists:all", "channels:read", "channels:write", "videos:all", "internal:all"]
    return Client(
        tokens.sign(
            tokens.service_claims(name, organisation_id, given, os.environ["PLATFORM_URL"], creator=creator),
            key,
        ),
        organisation_id,
    )


@pytest.fixture
def client(organisation_id: str, signing_key: dict[str, str]) -> Client:
    """Return a client with a service token of the test's organisation and all the scopes of these tests."""
    return service_client(signing_key, organisation_id)


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    """Return a function:

    `event("videos.get")` reads events/videos.get.json, so that a broken sample fails a test.
    """

    def read(name: str) -> dict[str, Any]:
        return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]

    return read


@pytest.fixture(scope="module")
def suppressions(aws: str) -> Iterator[None]:
    """Serve SES's suppression list for the routes that read it."""
    from pytest_httpserver import HTTPServer

    from showrunner.aws import sdk
    from tests.suppressions import suppression_list

    with HTTPServer(host="127.0.0.1") as server, pytest.MonkeyPatch.context() as patch:
        suppression_list(server)
        patch.setenv("AWS_ENDPOINT_URL_SESV2", server.url_for("").rstrip("/"))
        sdk.client.cache_clear()
        yield
    sdk.client.cache_clear()


def in_threads(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Run `call(0)` to `call(count - 1)` at the same time, each with its own connection.

    Returns results and exceptions in order.
    """
    from showrunner.database import db

    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def work(number: int) -> None:
        gate.wait()
        try:
            results[number] = call(number)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            results[number] = error
        finally:
            db.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

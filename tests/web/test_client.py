"""A client that openapi-python-client generates from the documents has every operation, and works."""

import importlib

import httpx
import pytest

from tests import clients, documents
from tests.conftest import add_organisation, payload, send, service_client


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Generate both clients. Returns the folder of the packages and the generator's warnings."""
    with clients.generated(tmp_path_factory.mktemp("clients")) as made:
        yield made


def through_the_handlers(request: httpx.Request) -> httpx.Response:
    """Answer as API Gateway with our handlers would."""
    path = request.url.raw_path.decode()
    body = request.content.decode() or None
    answer = send(payload(request.method, path, dict(request.headers), body))
    return httpx.Response(answer["statusCode"], headers=answer["headers"], text=answer["body"])


@pytest.mark.parametrize("name", clients.TEXTS)
def test_a_client_is_generated_without_a_warning(packages, name):
    folder, warnings = packages
    document = {"platform": documents.platform, "ingestion": documents.ingestion}[name]()
    operations = sum(len(methods) for methods in document["paths"].values())

    assert [f"{each.header} {each.detail}" for each in warnings[name]] == []
    assert (
        len([each for each in folder.glob(f"{name}_client/api/*/*.py") if each.stem != "__init__"])
        == operations
    )


def test_the_generated_client_calls_the_platform(packages, tx, signing_key):
    client = service_client(signing_key, add_organisation(tx, "Clients"))
    generated = importlib.import_module("platform_client")
    channels = importlib.import_module("platform_client.api.channels.channels_list_channels")
    add = importlib.import_module("platform_client.api.channels.channels_add")
    models = importlib.import_module("platform_client.models")
    caller = generated.AuthenticatedClient(
        "http://127.0.0.1", client.token, httpx_args={"transport": httpx.MockTransport(through_the_handlers)}
    )

    added = add.sync(client=caller, body=models.NewChannel(name="Tides", niche="The sea"))
    listed = channels.sync(client=caller)

    assert added.channel.name == "Tides"
    assert added.channel.settings.videos_per_day == 1
    assert [each.id for each in listed.channels] == [added.channel.id]
    assert listed.pagination.total == 1

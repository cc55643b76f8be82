"""The stand-in for OpenAI answers as the service does:

SDK types in, every kind of response out. No model is loaded.
"""

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from local.language import responses
from local.language.images import ImageRequest
from local.language.server import LanguageServer, application
from tests.serving import serving

TEXT = '{"title": "Cables"}'


class Words:
    """Counts words as tokens; completes nothing."""

    def count(self, text: str) -> int:
        return len(text.split())

    def complete(self, system: str, user: str, most_tokens: int, seed: int) -> str:
        return f"{system} {user}"[:20]


def drawn(asked: ImageRequest) -> bytes:
    """Return what a client takes for a JPEG file: its first bytes, and the size."""
    return b"\xff\xd8\xff" + f"{asked.width}x{asked.height}".encode()


@pytest.fixture(scope="module")
def server() -> LanguageServer:
    return LanguageServer(
        Words(),
        "stand-in",
        ("gpt-6-luna", "gpt-5.4-mini"),
        128_000,
        drawn,
    )


@pytest.fixture(scope="module")
def client(server: LanguageServer) -> Iterator[openai.OpenAI]:
    with serving(application(server)) as address:
        yield openai.OpenAI(api_key="key", base_url=f"{address}/v1", max_retries=0)


def ask(client: openai.OpenAI, server: LanguageServer, outcome: str, **details) -> Response:
    server.outcomes.add(outcome, text=TEXT, **details)
    return client.responses.create(
        model="gpt-6-luna", input="Write.", reasoning={"effort": "low"}, store=False
    )


def refused(client: openai.OpenAI, **parameters) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(**{"model": "gpt-6-luna", "input": "Write.", **parameters})
    return caught.value


@pytest.mark.parametrize("outcome", sorted(set(responses.WRITTEN) - {"bad_gateway"}))
def test_every_written_outcome_is_a_response_of_the_sdks_type(client, server, outcome) -> None:
    raw = ask(client, server, outcome).model_dump(mode="json")

    Response.model_validate(raw, strict=False)
    assert raw["object"] == "response"


def test_an_ordinary_response_reasons_first_and_bills_its_reasoning(client, server) -> None:
    response = ask(client, server, "text")

    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.output_text == TEXT
    assert response.usage.output_tokens_details.reasoning_tokens > 0
    assert response.usage.output_tokens > response.usage.output_tokens_details.reasoning_tokens


def test_a_refusal_is_completed_and_has_no_text(client, server) -> None:
    response = ask(client, server, "refusal")

    assert (response.status, response.output_text) == ("completed", "")
    assert response.output[-1].content[0].type == "refusal"


def test_reasoning_can_use_up_the_whole_budget(client, server) -> None:
    response = ask(client, server, "only_reasoning")

    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert [item.type for item in response.output] == ["reasoning"]


def test_the_content_filter_ends_a_response_in_the_middle(client, server) -> None:
    response = ask(client, server, "content_filter")

    assert (response.status, response.incomplete_details.reason) == ("incomplete", "content_filter")
    assert TEXT.startswith(response.output_text)
    assert response.output_text != TEXT


def test_a_failed_response_comes_with_status_200_and_an_error(client, server) -> None:
    response = ask(client, server, "failed")

    assert (response.status, response.error.code, response.usage) == ("failed", "server_error", None)


@pytest.mark.parametrize("outcome", sorted(responses.ERRORS))
def test_every_error_has_openais_body(client, server, outcome) -> None:
    server.outcomes.add(outcome)

    error = refused(client)

    assert error.type
    assert error.request_id
    assert (error.type == "insufficient_quota") == (
        outcome.startswith(("insufficient", "credit"))
        or (outcome.endswith("_limit") and "rate" not in outcome)
    )


def test_the_edge_may_answer_in_html(client, server) -> None:
    server.outcomes.add("bad_gateway")

    assert refused(client).status_code == 502


@pytest.mark.parametrize(
    ("parameters", "code", "param"),
    [
        ({"extra_body": {"max_tokens": 5}}, "unknown_parameter", "max_tokens"),
        (
            {"extra_body": {"reasoning": {"effort": "low", "depth": 3}}},
            "unknown_parameter",
            "reasoning.depth",
        ),
        ({"reasoning": {"effort": "enormous"}}, "invalid_value", "reasoning.effort"),
        ({"max_output_tokens": 5}, "integer_below_min_value", "max_output_tokens"),
        ({"safety_identifier": "x" * 65}, "string_above_max_length", "safety_identifier"),
        ({"temperature": 0.5}, "unsupported_parameter", "temperature"),
        (
            {"prompt_cache_options": {"mode": "explicit"}, "prompt_cache_retention": "24h"},
            "invalid_value",
            "prompt_cache_retention",
        ),
    ],
)
def test_requests_are_checked_against_the_sdks_types(client, parameters, code, param) -> None:
    error = refused(client, **parameters)

    assert (error.status_code, error.code, error.param) == (400, code, param)


def cached_request(client: openai.OpenAI, model: str, words: int, user: str) -> Response:
    constant = [
        {"type": "input_text", "text": "rule " * words, "prompt_cache_breakpoint": {"mode": "explicit"}}
    ]
    messages = [{"role": "developer", "content": constant}, {"role": "user", "content": user}]
    return client.responses.create(model=model, input=messages, prompt_cache_options={"mode": "explicit"})


def test_a_marked_prefix_is_written_once_and_then_read(client, server) -> None:
    first = cached_request(client, "gpt-6-luna", 1500, "Write about cables.").usage.input_tokens_details
    second = cached_request(client, "gpt-6-luna", 1500, "Write about ships.").usage.input_tokens_details

    assert (first.cached_tokens, first.cache_write_tokens > 1024) == (0, True)
    assert (second.cached_tokens, second.cache_write_tokens) == (first.cache_write_tokens, 0)


def test_a_short_prefix_is_not_cached(client) -> None:
    for _ in range(2):
        usage = cached_request(client, "gpt-6-luna", 100, "Write.").usage.input_tokens_details
        assert (usage.cached_tokens, usage.cache_write_tokens) == (0, 0)


def test_an_older_model_knows_no_breakpoints(client) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        cached_request(client, "gpt-5.4-mini", 1500, "Write.")

    assert caught.value.code == "unsupported_parameter"


def generate(client, **changes: Any) -> Any:
    wanted = {"model": "gpt-image-2.6-flare", "prompt": "A harbour.", "output_format": "jpeg"}
    return client.images.generate(**{**wanted, **changes})


def test_an_image_has_the_size_that_was_asked_for_and_its_tokens(client) -> None:
    found = generate(client, size="1152x2048", quality="low", output_compression=90, safety_identifier="x")

    assert base64.b64decode(found.data[0].b64_json) == b"\xff\xd8\xff1152x2048"
    assert (found.size, found.quality, found.output_format) == ("1152x2048", "low", "jpeg")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (2, 157)


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": "gpt-image-1"}, "model"),
        ({"model": "dall-e-3"}, "model"),
        ({"model": "gpt-6-luna"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"size": "1000x1000"}, "size"),
        ({"size": "512x512"}, "size"),
        ({"size": "512x2048"}, "size"),
        ({"size": "4096x2048"}, "size"),
        ({"size": "tall"}, "size"),
        ({"quality": "hd"}, "quality"),
        ({"quality": "max"}, "quality"),
        ({"response_format": "b64_json"}, "response_format"),
        ({"style": "vivid"}, "style"),
        ({"output_compression": 101}, "output_compression"),
        ({"background": "transparent"}, "background"),
        ({"safety_identifier": "x" * 65}, "safety_identifier"),
        ({"extra_body": {"seed": 1}}, "seed"),
    ],
)
def test_images_are_refused_as_openai_refuses_them(client, changes, param) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        generate(client, **changes)

    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param


def embed(client, **changes: Any) -> Any:
    wanted = {"model": "text-embedding-3-small", "input": ["boats in a harbour"], "encoding_format": "float"}
    return client.embeddings.create(**{**wanted, **changes})


def test_texts_with_words_in_common_have_near_vectors(client) -> None:
    texts = ["boats in an old harbour", "the harbour with its boats", "barcos en el puerto", "a red car"]
    found = embed(client, input=texts, dimensions=256)

    first, *others = (each.embedding for each in found.data)
    near = [sum(a * b for a, b in zip(first, other, strict=True)) for other in others]
    assert len(first) == 256
    # boats, harbour of three words; puerto is the harbour of the list; two random directions are near 0.
    assert near[0] > near[1] > 0.3 > abs(near[2])
    assert found.usage.prompt_tokens == sum(len(text.split()) for text in texts)
    assert embed(client, input=texts, dimensions=256).data == found.data


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"model": "gpt-6-luna"}, "model"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": ["a " * 8193]}, "input"),
        ({"dimensions": 1537}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"extra_body": {"pooling": "mean"}}, "pooling"),
    ],
)
def test_embeddings_are_refused_as_openai_refuses_them(client, changes, param) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        embed(client, **changes)

    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param

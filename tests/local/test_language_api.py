"""The stand-in for OpenAI answers as the service does:

SDK types in, every kind of response out. No model is loaded.
"""

from collections.abc import Iterator

import openai
import pytest
from openai.types.responses import Response

from local.language import responses
from local.language.server import LanguageServer, application
from tests.serving import serving

TEXT = '{"title": "Cables"}'


class Words:
    """Counts words as tokens; completes nothing."""

    def count(self, text: str) -> int:
        return len(text.split())

    def complete(self, system: str, user: str, most_tokens: int, seed: int) -> str:
        return f"{system} {user}"[:20]


@pytest.fixture(scope="module")
def server() -> LanguageServer:
    return LanguageServer(Words(), "stand-in", ("gpt-6-luna", "gpt-5.4-mini"), 128_000)


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

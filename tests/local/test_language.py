import json
import socket
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from local.language import shots, visuals
from local.language.schema import SchemaError, check_strict, fill
from local.language.selection import choose, scenes
from local.language.text import (
    count_words,
    needs_previous,
    noun_phrases,
    read,
    split,
    variants,
    weights,
    without_connective,
)
from local.language.writer import Brief, Writer
from showrunner.production import script as product
from tests.local.model_servers import process, running

PORT = 8170
BRIEF = json.loads((Path(__file__).parents[2] / "events" / "brief.json").read_text(encoding="utf-8"))
SOURCE, TOPIC = BRIEF["source_text"], BRIEF["topic"]
SCRIPT = product.Question(shape="Script", instructions="", source="", prompt="", words_target=0).schema_


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(
        "local.language",
        "LANGUAGE_PORT",
        PORT,
        LANGUAGE_MODELS="own-model, other",
        LANGUAGE_CONTEXT_TOKENS="8000",
    ) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="local", base_url=f"{address}/v1", max_retries=0, timeout=110)


def prompt(
    words: int, scene_count: int, source: str | None = SOURCE, topic: str = TOPIC, **more: object
) -> str:
    brief = {
        "topic": topic,
        "style": "educational",
        "words_target": words,
        "scene_count": scene_count,
        "language": "en",
        "outline": None,
        "part": None,
        **more,
    }
    text = f"<brief>\n{json.dumps(brief)}\n</brief>"
    return f"{text}\n<source_text>\n{source}\n</source_text>" if source else text


def said(script: dict) -> int:
    passages = [
        script.get("hook", ""),
        script.get("call_to_action", ""),
        *(scene["narration"] for scene in script["scenes"]),
    ]
    return sum(count_words(passage) for passage in passages)


def written(words: int, scene_count: int, source: str = SOURCE, **more: object) -> dict:
    return Writer.of(
        source, Brief.read({"topic": TOPIC, "words_target": words, "scene_count": scene_count, **more})
    ).script()


def stats(address: str) -> dict:
    with urllib.request.urlopen(f"{address}/stats", timeout=5) as answer:
        return json.load(answer)


def refused(client: openai.OpenAI, **request: object) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(**{"model": "gpt-6-luna", "input": prompt(60, 2), **request})
    return caught.value


SHORT_SCRIPT = written(60, 2)


# --- sentences
# -------------------------------------------------------------------------------------------------------


def test_sentences_end_where_they_end() -> None:
    text = (
        'Dr. Smith weighed 3.5 kg in the U.S. Army. "Stop!" he said. '
        "J. R. Poe left at 5 p.m. and slept. Then it rained… Birds sang."
    )
    assert split(text) == [
        "Dr. Smith weighed 3.5 kg in the U.S. Army.",
        '"Stop!" he said.',
        "J. R. Poe left at 5 p.m. and slept.",
        "Then it rained…",
        "Birds sang.",
    ]


def test_headings_and_lists_are_not_told_as_sentences() -> None:
    source = read(
        "# Cables\n\nThe sea floor\n\nA cable lies on\nthe sea floor. It is thin.\n\n"
        "- Ships repair the cables.\n- glass"
    )
    assert [sentence.text for sentence in source.sentences] == [
        "A cable lies on the sea floor.",
        "It is thin.",
        "Ships repair the cables.",
    ]
    assert source.headings[0] in {"Cables", "The sea floor"}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("They carry only a small share.", True),
        ("When it breaks, engineers sail.", True),
        ("A cable needs more than 100 of them.", True),
        ("The result was a surprise.", True),
        ("Satellites look good, but they carry little.", False),
        ("A message goes out, and it takes 16 hours.", False),
        ("There are 600 cables in service.", False),
        ("However, light moves through glass.", False),
    ],
)
def test_a_sentence_that_needs_its_neighbour_is_known(sentence: str, expected: bool) -> None:
    assert needs_previous(sentence) is expected


def test_a_sentence_told_alone_loses_its_connective() -> None:
    assert without_connective("However, the cable failed.") == "The cable failed."
    assert (
        without_connective("A message therefore needs 30 milliseconds.") == "A message needs 30 milliseconds."
    )


def test_a_shorter_form_keeps_the_main_clause() -> None:
    assert variants(
        "While assigned to bridges, such as long ones, Fresnel developed an interest in light."
    ) == ["While assigned to bridges, such as long ones, Fresnel developed an interest in light."]
    assert (
        variants("The lens, which was made of glass, sent out a bright beam.")[-1]
        == "The lens sent out a bright beam."
    )
    assert (
        variants("The beam went far out to sea, making the coast safer.")[-1]
        == "The beam went far out to sea."
    )


@given(st.text(alphabet=st.sampled_from("ab A.!?, \n“”()-—1"), max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_read_without_losing_count(text: str) -> None:
    source = read(text)
    assert [sentence.index for sentence in source.sentences] == list(range(len(source.sentences)))
    for sentence in source.sentences:
        assert all(count_words(shorter) <= sentence.words for shorter in variants(sentence.text))


# --- what is told
# ----------------------------------------------------------------------------------------------------


@given(st.integers(20, 400), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_chosen_sentences_keep_order_length_and_neighbours(words: int, count: int) -> None:
    source = read(SOURCE)
    told = choose(source.sentences, words, max(2, words // 33), count, TOPIC)
    places = [item.origin.index for item in told]
    assert places == sorted(set(places))
    assert abs(sum(item.words for item in told) - words) <= max(3, words // 20)
    for item in told:
        assert not item.origin.needs_previous or item.origin.index - 1 in places
    parts = scenes(told, count)
    assert [item for part in parts for item in part] == told
    assert len(parts) <= count
    assert not any(part[0].origin.needs_previous for part in parts)


@pytest.mark.parametrize(("words", "scene_count"), [(23, 1), (51, 2), (119, 4), (200, 7), (325, 12)])
def test_a_script_has_the_words_that_were_asked_for(words: int, scene_count: int) -> None:
    script = written(words, scene_count)
    assert abs(said(script) - words) <= max(1, words * 0.05)
    assert len(script["scenes"]) <= scene_count
    assert count_words(script["hook"]) <= 20


def test_what_is_told_stands_in_the_source_and_nothing_twice() -> None:
    script = written(300, 10)
    told = [
        sentence
        for text in [script["hook"], *(scene["narration"] for scene in script["scenes"])]
        for sentence in split(text)
    ]
    known = {
        form
        for sentence in read(SOURCE).sentences
        for form in [*variants(sentence.text), *variants(without_connective(sentence.text))]
    }
    assert len(told) == len(set(told))
    assert all(sentence in known or "wondered" in sentence for sentence in told)
    assert all(sentence[-1] in ".!?" for sentence in told)


def test_a_short_source_is_told_whole_and_framed_but_never_repeated() -> None:
    source = " ".join(split(SOURCE)[:6])
    script = written(150, 4, source)
    told = [sentence for scene in script["scenes"] for sentence in split(scene["narration"])]
    assert len(told) == len(set(told))
    assert {sentence for sentence in split(source) if sentence != script["hook"]} <= set(told)
    assert said(script) > 120


def test_the_parts_of_a_long_script_share_the_source_without_repeating() -> None:
    count = 4
    outline = Writer.of(
        SOURCE, Brief.read({"topic": TOPIC, "words_target": 380, "part_count": count})
    ).outline()
    assert len(outline["parts"]) == count
    assert len({part["heading"] for part in outline["parts"]}) == count
    covered: list[str] = []
    for index, part in enumerate(outline["parts"]):
        asked = {
            "index": index,
            "of": count,
            "heading": part["heading"],
            "words_target": 90,
            "covered": covered,
        }
        answer = Writer.of(
            SOURCE,
            Brief.read(
                {"topic": TOPIC, "words_target": 90, "scene_count": 3, "outline": outline, "part": asked}
            ),
        ).part()
        assert abs(said(answer) - 90) <= 9
        covered += [scene["narration"] for scene in answer["scenes"]]
    sentences = [sentence for narration in covered for sentence in split(narration)]
    assert max(Counter(sentences).values()) == 1


# --- what is shown
# ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("More than 1.4 million kilometers of cable lie there.", [("1.4 million", "kilometers of cable")]),
        ("Cables break about 150 to 200 times a year.", [("150–200", "times a year")]),
        ("It was finished in 1858.", []),
        ("It carries 95 percent of the traffic.", [("95%", "of traffic")]),
        ("Light covers 200,000 kilometers per second.", [("200,000", "kilometers per second")]),
    ],
)
def test_figures_come_with_what_they_count(sentence: str, expected: list[tuple[str, str]]) -> None:
    found = [(figure.value, figure.label.replace("of the ", "of ")) for figure in visuals.figures(sentence)]
    assert found == expected


@pytest.mark.parametrize(
    ("sentences", "template"),
    [
        (
            [
                "A message by cable needs 30 milliseconds.",
                "The same message by satellite needs 250 milliseconds.",
            ],
            "chart_bar",
        ),
        (["It is wrapped in gel, steel wires, a copper tube and a skin of plastic."], "list"),
        (["“The Eagle has landed on the Moon,” said Neil Armstrong."], "quote"),
        (["A repeater needs up to 15,000 volts."], "counter"),
        (["A repair ship finds the broken fiber."], "phrase"),
        (["First the crew drags a hook, then divers cut the cable, and finally they join it."], "steps"),
    ],
)
def test_the_template_follows_what_is_said(sentences: list[str], template: str) -> None:
    visual = visuals.of(sentences, weights(sentences), "cables", 0, Counter())
    assert visual.template == template


def test_a_chart_names_its_bars() -> None:
    sentences = [
        "A message by cable needs 30 milliseconds.",
        "The same message by satellite needs 250 milliseconds.",
    ]
    visual = visuals.of(sentences, weights(sentences), "cables", 0, Counter())
    assert visual.series == [{"label": "Cable", "value": 30.0}, {"label": "Satellite", "value": 250.0}]
    assert visual.label == "Milliseconds"


def test_shots_are_described_by_the_words_that_they_show() -> None:
    sentences = [
        "Satellites look more impressive than they are, but they carry a small share of all the traffic.",
        "A repeater needs up to 15,000 volts.",
        "It never sleeps.",
    ]
    card = visuals.of(sentences, weights(sentences), "Undersea cables", 0, Counter())

    found = shots.of(sentences, card, "Undersea cables", "Satellites in orbit, cables in the sea")

    assert [shot["begins"] for shot in found] == [
        "Satellites look more",
        "but they carry",
        "A repeater needs",
        "It never sleeps.",
    ]
    assert [shot["kind"] for shot in found] == ["footage", "footage", "number", "title"]
    assert all(2 <= len(shot["searches"]) <= 3 for shot in found)
    assert found[0]["avoid"] == ["television"]
    assert found[1]["avoid"] == []


def test_a_spanish_source_is_searched_with_english_words() -> None:
    sentences = ["La luna tira del agua del mar.", "En 1872 construyó una máquina con ruedas y poleas."]
    card = visuals.of(sentences, weights(sentences), "El reloj de las mareas", 0, Counter())

    found = shots.of(sentences, card, "El reloj de las mareas", " ".join(sentences))

    assert found[0]["searches"] == ["moon water", "moon", "water"]
    assert found[-1]["searches"] == ["machine wheel", "machine", "wheel"]


def test_noun_phrases_are_no_chopped_sentences() -> None:
    assert noun_phrases("A repair ship drags a small grapnel along the muddy bottom.")[:2] == [
        "repair ship",
        "small grapnel",
    ]


# --- schemas
# ---------------------------------------------------------------------------------------------------------


def strict(properties: dict) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@given(
    st.recursive(
        st.one_of(
            st.builds(
                lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
                st.integers(0, 30),
                st.integers(0, 200),
            ),
            st.builds(
                lambda least: {"type": "integer", "minimum": least, "maximum": least + 5}, st.integers(-5, 5)
            ),
            st.just({"type": "boolean"}),
            st.just({"enum": ["calm", "bright", "cable"]}),
            st.just({"anyOf": [{"type": "number"}, {"type": "null"}]}),
            st.just({"type": ["string", "null"]}),
        ),
        lambda inner: st.one_of(
            st.builds(
                lambda items, least: {
                    "type": "array",
                    "items": items,
                    "minItems": least,
                    "maxItems": least + 3,
                },
                inner,
                st.integers(0, 4),
            ),
            st.dictionaries(
                st.sampled_from(["title", "scenes", "tags", "lines", "label", "mood", "narration"]),
                inner,
                min_size=1,
                max_size=4,
            ).map(strict),
        ),
        max_leaves=8,
    )
)
@settings(max_examples=30, deadline=None)
def test_any_strict_schema_gets_an_answer_that_keeps_it(schema: dict) -> None:
    whole = strict({"answer": schema})
    check_strict(whole)
    Draft202012Validator(whole).validate(fill(whole, SHORT_SCRIPT, SOURCE))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "required": [],
            "additionalProperties": False,
        },
        strict(
            {
                "a": {
                    "type": "object",
                    "properties": {"b": {"type": "string"}},
                    "required": [],
                    "additionalProperties": False,
                }
            }
        ),
        strict({"a": {"allOf": [{"type": "string"}]}}),
        strict({"a": {}}),
        strict({"a": {"type": "array"}}),
    ],
)
def test_a_schema_that_is_not_strict_is_known(schema: dict) -> None:
    with pytest.raises(SchemaError):
        check_strict(schema)


# --- over HTTP, with OpenAI's own library
# ----------------------------------------------------------------------------


def test_the_products_script_is_parsed_and_keeps_its_rules(client: openai.OpenAI) -> None:
    response = client.responses.parse(
        model="gpt-6-luna", input=[{"role": "user", "content": prompt(119, 4)}], text_format=product.Script
    )
    script = response.output_parsed
    assert response.model == "smollm2-135m-extract"
    assert abs(sum(count_words(passage) for passage in script.passages) - 119) <= 6
    assert len(script.title) <= 100
    assert len(script.description.encode()) <= 5000
    assert response.usage.output_tokens > 200
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def write_from_a_topic(client: openai.OpenAI) -> Any:
    """Let the model write a short script. It takes seconds: its sentences are made word by word."""
    return client.responses.parse(
        model="gpt-6-luna",
        input=prompt(45, 2, None, "how compound interest works"),
        text_format=product.Script,
    )


@pytest.fixture(scope="module")
def from_a_topic(client: openai.OpenAI) -> Any:
    return write_from_a_topic(client)


def test_the_same_request_gives_the_same_answer(client: openai.OpenAI, from_a_topic: Any) -> None:
    assert write_from_a_topic(client).output_text == from_a_topic.output_text


def test_a_topic_alone_is_written_by_the_model(from_a_topic: Any) -> None:
    script = from_a_topic.output_parsed
    assert from_a_topic.model == "smollm2-135m-generate"
    assert abs(sum(count_words(passage) for passage in script.passages) - 45) <= 5
    narration = " ".join(scene.narration for scene in script.scenes)
    assert not set("{}[]<>*#") & set(narration)
    assert len(set(split(narration))) == len(split(narration))


def test_another_schema_is_filled_from_the_source(client: openai.OpenAI) -> None:
    class Notes(BaseModel):
        title: str
        lines: list[str]
        mood: str | None

    notes = client.responses.parse(model="own-model", input=prompt(60, 2), text_format=Notes).output_parsed
    assert notes.title == "How Undersea Cables Carry the Internet"
    assert notes.lines[0] in SOURCE


def test_an_answer_that_is_too_long_is_marked_as_cut(client: openai.OpenAI) -> None:
    form = {"format": {"type": "json_schema", "name": "script", "strict": True, "schema": SCRIPT}}
    response = client.responses.create(
        model="gpt-6-luna", input=prompt(119, 4), text=form, max_output_tokens=120
    )
    assert response.status == "incomplete"
    assert response.incomplete_details.reason == "max_output_tokens"


def test_models_are_listed(client: openai.OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"gpt-6-luna", "own-model", "other"} <= models.keys()
    assert models["gpt-6-luna"].created > 0
    assert models["gpt-6-luna"].shutdown_date is None


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"model": "gpt-4"}, 404, "model_not_found"),
        ({"input": []}, 400, "missing_required_parameter"),
        ({"input": [{"role": "nobody", "content": "x"}]}, 400, "invalid_value"),
        (
            {
                "text": {
                    "format": {
                        "type": "json_schema",
                        "name": "s",
                        "strict": True,
                        "schema": {"type": "array"},
                    }
                }
            },
            400,
            "invalid_json_schema",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "no spaces", "schema": SCRIPT}}},
            400,
            "invalid_value",
        ),
        ({"temperature": 0.5}, 400, "unsupported_parameter"),
        ({"input": prompt(60, 2, "A cable lies on the sea floor. " * 1500)}, 400, "context_length_exceeded"),
    ],
)
def test_refusals_have_openais_codes(client: openai.OpenAI, request_: dict, status: int, code: str) -> None:
    error = refused(client, **request_)
    assert error.status_code == status
    assert error.code == code
    assert error.type == "invalid_request_error"
    assert error.request_id


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        (b"{}", "", 401),
        (b"{not json", "Bearer k", 400),
        (b"[]", "Bearer k", 400),
        (b"x" * 4_000_001, "Bearer k", 413),
    ],
)
def test_bad_bodies_and_missing_keys_are_refused(address: str, body: bytes, key: str, status: int) -> None:
    request = urllib.request.Request(
        f"{address}/v1/responses",
        body,
        {"content-type": "application/json", **({"authorization": key} if key else {})},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == status
    assert json.load(caught.value)["error"]["message"]


def test_requests_are_counted_and_timed(client: openai.OpenAI, address: str) -> None:
    before = stats(address)["by_endpoint"]["POST /v1/responses"]
    raw = client.responses.with_raw_response.create(
        model="gpt-6-luna",
        input=prompt(30, 1),
        text={"format": {"type": "json_schema", "name": "s", "schema": SCRIPT}},
    )
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["x-request-id"]
    assert stats(address)["by_endpoint"]["POST /v1/responses"] == before + 1


def test_a_port_in_use_is_said_in_one_line_and_sigterm_ends_the_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = process("local.language", LANGUAGE_PORT=str(taken.getsockname()[1]))
        output, _ = server.communicate(timeout=20)
    assert server.returncode == 2
    assert "LANGUAGE_PORT" in output
    assert output.count("\n") == 1
    with running("local.language", "LANGUAGE_PORT", PORT + 1):
        begun = time.monotonic()
    assert time.monotonic() - begun < 2


SPANISH = (
    "Casi todo lo que se envía a través del océano viaja por un cable en el fondo del mar. Más del 95 por "
    "ciento pasa por fibras de vidrio. En aguas profundas, un cable moderno es tan grueso como una "
    "manguera de jardín. Un mensaje de Madrid a Buenos Aires necesita unos 60 milisegundos. El primer cable "
    "falló a las pocas semanas, y la reina Victoria tardó unas 16 horas en enviar un mensaje de 98 palabras."
)


def test_a_spanish_source_gives_a_spanish_script_of_its_own_sentences() -> None:
    found = Writer.of(
        SPANISH, Brief(topic="El cable", language="es", words_target=60, scene_count=3)
    ).script()

    assert {scene["narration"] in SPANISH for scene in found["scenes"]} == {True}
    assert found["call_to_action"] == "Síguenos para más historias como esta."
    words = {word for scene in found["scenes"] for word in scene["heading"].lower().split()}
    assert words <= set(SPANISH.lower().split())
    assert not words & {"más", "del", "unas", "y", "el", "falló", "tardó"}

"""web/mistakes.py: errors of every field of every body are in the API's words."""

import importlib
import re

import pytest
from pydantic import BaseModel

from local import openapi
from showrunner.accounts import schemas
from showrunner.channels.schemas import ChannelSettings, NewChannel, Palette
from showrunner.errors import InvalidRequest
from showrunner.videos.schemas import Brief, ScriptChanges, VideoChanges
from showrunner.web import body, mistakes

CHANNEL = "00000000-0000-0000-0000-000000000001"
VALUES = [
    None,
    True,
    7,
    -7,
    0.5,
    10**30,
    "",
    " ",
    "x",
    "4:5",
    "\u2028",
    "x" * 20_000,
    [],
    [None],
    ["x"] * 2_000,
    {},
    {"x": 1},
]
# Regular expressions, pydantic's words and types, class names.
FORBIDDEN = re.compile(
    r"\^|\\\\|\[0-9|\[a-z|\$$|pydantic|validat|Input should|Field required|Extra inputs|String should|"
    r"literal\[|constrained|function-|model_type|NoneType|<class"
)


def details_of(model, value):
    try:
        body.checked(model, value)
    except InvalidRequest as refused:
        return refused.details
    return []


def models():
    found = {}
    for app in [*openapi.applications(), importlib.import_module("functions.feed.app").app]:
        for route in app.routes:
            for model in (route.body, route.query):
                if model is not None:
                    found |= {f"{each.__module__}.{each.__name__}": each for each in (model, *nested(model))}
    return found


def nested(model):
    for field in model.model_fields.values():
        for inner in mistakes._models_in(field.annotation):
            yield inner
            yield from nested(inner)


MODELS = models()
CLASSES = re.compile(
    r"\b("
    + "|".join(name.rpartition(".")[2] for name in MODELS if not name.endswith((".Page", ".Brand", ".Code")))
    + r")\b"
)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_mistake_in_every_field_is_told_in_the_apis_words(name):
    model = MODELS[name]
    assert issubclass(model, BaseModel)
    for field in model.model_fields:
        for value in VALUES:
            for detail in details_of(model, {field: value}):
                own_words = detail["message"].replace(str(value), "")
                assert not FORBIDDEN.search(own_words), (field, value, detail)
                assert not CLASSES.search(own_words), (field, value, detail)
                assert not FORBIDDEN.search(detail["field"]), (field, value, detail)
                assert detail["message"] not in ("is not valid", ""), (field, value, detail)
                assert "as the documentation shows" not in detail["message"], (field, value, detail)


def test_an_unknown_field_suggests_the_nearest_one():
    brand = details_of(NewChannel, {"name": "A", "niche": "B", "settings": {"brand": {"pallete": {}}}})
    top = details_of(NewChannel, {"nam": "A", "name": "A", "niche": "B"})
    far = details_of(NewChannel, {"zzzz": 1, "name": "A", "niche": "B"})

    assert {
        "field": "settings.brand.pallete",
        "message": "there is no such field; did you mean palette?",
    } in brand
    assert {"field": "nam", "message": "there is no such field; did you mean name?"} in top
    assert {"field": "zzzz", "message": "there is no such field"} in far


@pytest.mark.parametrize(
    ("model", "value", "detail"),
    [
        (Palette, {"primary": "FF6600"}, ("primary", "FF6600 is not a colour; write it like #ff6600")),
        (ChannelSettings, {"videos_per_day": 11}, ("videos_per_day", "must be at most 10")),
        (ChannelSettings, {"language": "it"}, ("language", "it is none of en, es, fr, de")),
        (ChannelSettings, {"auto_publish": "yes"}, ("auto_publish", "must be true or false")),
        (
            schemas.EmailAddress,
            {"email": "ada"},
            ("email", "is no address that can receive email; write it like name@example.com"),
        ),
        (VideoChanges, {"title": "Sea > land"}, ("title", "YouTube takes neither < nor >")),
        (VideoChanges, {"description": "<b>"}, ("description", "YouTube takes neither < nor >")),
        (ScriptChanges, {"title": "Mar < tierra"}, ("title", "YouTube takes neither < nor >")),
        (schemas.EmailAddress, {}, ("email", "is required")),
        (Brief, {"channel_id": CHANNEL, "aspect": ["4:5"]}, ("aspect.0", "4:5 is none of 9:16, 16:9, 1:1")),
        (
            Brief,
            {"channel_id": CHANNEL, "topic": "\0"},
            ("topic", "the value must be one line of text with at least one visible character"),
        ),
        (schemas.EmailAddress, [], ("body", "must be an object")),
    ],
)
def test_a_mistake_says_what_to_write_instead(model, value, detail):
    assert [(each["field"], each["message"]) for each in details_of(model, value)] == [detail]


def test_a_colour_may_be_written_in_capitals():
    assert body.checked(Palette, {"primary": "#FF6600"}).primary == "#ff6600"


@pytest.mark.parametrize(
    "code", ["123 456", "123-456", "12 34 56", "123\u00a0456", "１２３４５６", "١٢٣٤٥٦", "१२३-४५६"]
)
def test_a_code_may_be_written_as_the_app_shows_it(code):
    assert body.checked(schemas.SecondFactorConfirmation, {"code": code}).code == "123456"


@pytest.mark.parametrize("code", ["abcde-fghij", "ABCDEFGHIJ"])
def test_a_recovery_code_keeps_its_letters(code):
    assert body.checked(schemas.SecondFactorConfirmation, {"code": code}).code == code


def test_the_kelvin_sign_never_becomes_the_k_of_another_address():
    value = body.parse('{"email": "\u212aim@example.com"}'.encode())

    assert [each["field"] for each in details_of(schemas.EmailAddress, value)] == ["email"]
    assert body.parse('"e\u0301"'.encode()) == "é", "other texts are composed"

"""access/strict_json.py: JSON of callers has one encoding and one meaning."""

import json

import pytest

from showrunner.access import strict_json, tokens
from showrunner.errors import InvalidRequest, Unauthorized
from showrunner.web import body


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-8-sig", "latin-1"]
)
def test_a_body_in_another_encoding_than_utf_8_is_refused(encoding):
    with pytest.raises(InvalidRequest) as refused:
        body.parse('{"name": "Ö"}'.encode(encoding))

    assert refused.value.code == "INVALID_FORMAT"


def test_a_body_with_a_repeated_key_is_refused_and_the_key_is_named():
    with pytest.raises(InvalidRequest) as refused:
        body.parse(b'{"settings": {"privacy": "private", "privacy": "public"}}')

    assert refused.value.details == [{"field": "privacy", "message": "occurs twice"}]


def test_values_are_those_of_json():
    value = {"a": [1, 2.5, "Ö", None, True, {}], "b": {"a": "again, in another object"}}

    assert strict_json.loads(json.dumps(value).encode()) == value


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-32-le"])
def test_a_token_with_claims_in_another_encoding_is_refused(signing_key, encoding, monkeypatch):
    claims = tokens.service_claims(
        "test", "0f9619ff-8b86-4d01-b42d-00cf4fc964ff", ["videos:all"], "http://127.0.0.1:8000"
    )
    assert tokens.verify(tokens.sign(claims, signing_key)).subject == "service:test"
    monkeypatch.setattr(
        tokens.json, "dumps", lambda value, real=json.dumps, **given: Text(real(value, **given), encoding)
    )

    forged = tokens.sign(claims, signing_key)

    with pytest.raises(Unauthorized):
        tokens.verify(forged)


class Text(str):
    """A text that encodes itself in a chosen encoding."""

    __slots__ = ("encoding",)

    def __new__(cls, text, encoding):
        made = super().__new__(cls, text)
        made.encoding = encoding
        return made

    def encode(self, *_):
        return super().encode(self.encoding)

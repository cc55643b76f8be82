"""Mask secrets in everything that is written down: log lines, errors, histories of executions, audit rows.

A text is masked in two ways. Values that this environment has read from SSM are found wherever they occur:
plain, in base64, or escaped as in a URL. Everything else is found by the name before it (apiKey, token,
authorization, password, secret and their variants), in JSON at any depth, in reprs, headers and URLs, or by
its own form (a JWT, a key of OpenAI, Google, Stripe, AppSync or ours).

Most lines contain none of the words below, and cost some microseconds. The patterns are compiled when the
first line needs them: together they take 15 ms, which a webhook's receiver would pay at each cold start.
"""

import base64
import binascii
import json
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
# A shorter value, such as the stand-ins' "local", would be found inside ordinary words.
SHORTEST = 8
# More values than any function reads; the oldest are forgotten first.
MOST_VALUES = 32

# A name is secret if it ends with one of these, without its - _ and ., in any case.
_NAMES = (
    *("apikey", "accesskey", "privatekey", "signingkey", "streamkey", "xkey", "token", "authorization"),
    *("authorisation", "password", "passwd", "passphrase", "pwd", "secret", "credential", "credentials"),
    *("cookie", "sessionid", "signature", "codeverifier", "mfacode", "otp", "jws", "clientassertion"),
)
# One of these occurs in every text with such a name, in lower case.
_WORDS = (
    *("key", "token", "authori", "passw", "passphrase", "pwd", "secret", "credential", "cookie", "session"),
    *("signature", "verifier", "mfa", "otp", "jws", "assertion"),
)
# A name and what separates it from its value: in JSON and reprs, however often quotes are escaped, and in
# URLs, forms, headers and messages.
_HEAD = (
    r"(?<![\w.-])(?P<name>[\w.-]++)"
    r"(?:(?P<q>\\*[\"'])\s*:\s*|\s*[=:]\s*|%3[dD]|%3[aA])"
    r"(?=(?P<quoted>b?\\*[\"'\[{])?)"
)
# A value in quotes, a list or an object without further ones inside.
_QUOTED = r"b?(?P<q>\\*[\"'])(?P<text>.*?)(?<!\\)(?P=q)|\[[^\[\]]*\]|\{[^{}]*\}"
# Any other value ends where a URL's or a header's would. Behind a name stands a path if it is the name of a
# secret, and no value.
_BARE = r"(?:(?:Bearer|Basic|Digest|Token)(?:\s|\+|%20)+)?[^\s\"'&,;<>(){}\[\]\\/%][^\s\"'&,;<>(){}\[\]\\]*"
_NO_VALUES = ("null", "true", "false", "None", "True", "False")
# What a secret looks like, wherever it stands, with a part that is in each in lower case.
_FORMS = (
    ("bearer", r"(?<=\bBearer )[\w.~+/=-]{8,}"),
    ("basic ", r"(?<=\bBasic )[\w+/=-]{8,}"),
    ("://", r"(?<=://)[^/\s:@\"'\\]*:[^/\s@\"'\\]+(?=@)"),
    ("eyj", r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}"),
    ("sk-", r"\bsk-[\w-]{16,}"),
    ("k_", r"\b[srp]k_(?:live|test)_\w{16,}|\bsk_\w{24,}"),
    ("sr_", r"\bsr_[\w-]{20,}"),
    ("whsec_", r"\bwhsec_[\w+/=-]{16,}"),
    ("da2-", r"\bda2-[a-z0-9]{20,}"),
    ("ya29.", r"\bya29\.[\w.-]{10,}"),
    ("1//", r"(?<![\w/])1//[\w-]{20,}"),
    ("aiza", r"\bAIza[\w-]{30,}"),
    ("gocspx-", r"\bGOCSPX-[\w-]{20,}"),
)
# JSON in base64 begins with one of these ('{"', '{\n ', '[{"').
_ENCODED = r"(?:eyJ|ewog|W3si)[\w+/-]{12,}={0,2}"

_values: dict[str, tuple[str, ...]] = {}


def know(secret: str) -> None:
    """Remember a secret that was read, so that its value is masked wherever it occurs.

    Of a JSON object the members with a secret's name count, and a JWK's private part.
    """
    for value in _parts(secret):
        if value in _values or len(value) < SHORTEST:
            continue
        if len(_values) >= MOST_VALUES:
            del _values[next(iter(_values))]
        _values[value] = tuple(dict.fromkeys(_forms_of(value)))


def masked(text: str) -> str:
    """Return the text with each secret replaced by ***."""
    text = without_values(text)
    lowered = text.lower()
    for word, form in _FORMS:
        if word in lowered:
            text = re.sub(form, MASK, text, flags=re.IGNORECASE)
    if "eyJ" in text or "ewog" in text or "W3si" in text:
        text = re.sub(_ENCODED, _mask_encoded, text)
    return _mask_named(text) if any(word in lowered for word in _WORDS) else text


def without_values(text: str) -> str:
    """Return the text without the values that are known. Names and forms are left alone.

    For what people read: an answer may say "password: too short".
    """
    for forms in _values.values():
        for form in forms:
            if form in text:
                text = text.replace(form, MASK)
    return text


def write_line(line: dict[str, Any]) -> None:
    """Write a log line as JSON."""
    sys.stdout.write(masked(_encode(line)) + "\n")


def mask_error(error: BaseException) -> None:
    """Mask the texts of an error and of its causes: Lambda logs them, and executions keep them.

    An error that builds its text itself, as pydantic's do, can't be changed: see `is_clean`.
    """
    for each in _chain(error):
        each.args = tuple(_mask_argument(argument) for argument in each.args)
        message = getattr(each, "message", None)
        if isinstance(message, str) and isinstance(each.__dict__.get("message"), str):
            each.__dict__["message"] = masked(message)
        notes = getattr(each, "__notes__", None)
        if notes:
            each.__notes__ = [masked(str(note)) for note in notes]


def is_clean(error: BaseException) -> bool:
    """Return True if the texts of an error and its causes contain no secret any more."""
    return all(masked(text) == text for text in map(str, _chain(error)))


_encode = json.JSONEncoder(separators=(",", ":"), default=str).encode


def _parts(secret: str) -> Iterator[str]:
    if not secret.startswith("{"):
        yield secret
        return
    try:
        members = json.loads(secret)
    except ValueError:
        yield secret
        return
    for name, value in members.items() if isinstance(members, dict) else ():
        if isinstance(value, str) and (name == "d" or _is_secret(name)):
            yield value


def _forms_of(value: str) -> Iterator[str]:
    """Yield the value as it is, escaped in JSON and URLs, and in base64 at each of the three offsets."""
    yield value
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="")
    yield quote_plus(value)
    raw = value.encode()
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw).decode()
        # The first and the last characters depend on what stands around the value.
        inner = whole[(0, 2, 3)[offset] :].rstrip("=")
        inner = inner[: len(inner) - (1 if (offset + len(raw)) % 3 else 0)]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _mask_named(text: str) -> str:
    """Mask the values behind secret names."""
    pieces, done = [], 0
    for head in re.finditer(_HEAD, text):
        if head.end() < done or not _is_secret(head["name"]):
            continue
        pattern, flags = (_QUOTED, re.DOTALL) if head["quoted"] else (_BARE, re.IGNORECASE)
        value = re.compile(pattern, flags).match(text, head.end())
        if value is None or value[0] in _NO_VALUES:
            continue
        # A number, a list or an object becomes a text, so that JSON stays JSON.
        quotes = (value["q"] if head["quoted"] else None) or head["q"] or ""
        pieces += [text[done : head.end()], quotes, MASK, quotes]
        done = value.end()
    return "".join([*pieces, text[done:]]) if pieces else text


@lru_cache(256)
def _is_secret(name: str) -> bool:
    return re.sub("[-_.]", "", name).lower().endswith(_NAMES)


def _mask_encoded(found: re.Match[str]) -> str:
    """Mask JSON in base64 as a whole if it has a secret inside."""
    text = found[0].rstrip("=")
    text += "=" * (-len(text) % 4)
    try:
        inner = base64.b64decode(text, altchars=b"-_" if "-" in text or "_" in text else None).decode()
    except (binascii.Error, UnicodeDecodeError):
        return found[0]
    return found[0] if masked(inner) == inner else MASK


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__]


def _mask_argument(argument: Any) -> Any:
    if isinstance(argument, str):
        return masked(argument)
    if isinstance(argument, bytes):
        text = argument.decode("utf-8", "replace")
        return argument if masked(text) == text else masked(text)
    if isinstance(argument, dict | list | tuple):
        text = str(argument)
        return argument if masked(text) == text else masked(text)
    return argument

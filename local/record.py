"""`make record SERVICE=…`: save the shapes of a real service's responses, one call for each kind.
For people with keys: each run costs a fraction of a cent. A sample holds no value of a response but those of
KEPT, so that no secret and no personal data can get into it. tests/local/test_record.py compares the
stand-ins with the samples there are.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from local.settings import ROOT, Refused

SAMPLES = ROOT / "local" / "samples"
SECONDS = 60
# Fields whose values are the vendor's own words; of all others only the type is kept.
KEPT = frozenset(
    {"code", "type", "status", "reason", "object", "kind", "domain", "role", "param", "quota_limit"}
)
# Headers that we read.
HEADERS = (
    "content-type",
    "retry-after",
    "request-id",
    "x-request-id",
    "character-cost",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining",
)
_SCHEMA = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}
_TEXT = {"format": {"type": "json_schema", "name": "s", "strict": True, "schema": _SCHEMA}}


class Call(NamedTuple):
    """One request. `key` is False for the response to a wrong key."""

    name: str
    method: str
    path: str
    body: Any = None
    key: bool = True


class Service(NamedTuple):
    """`variable` holds the key, `header` and `prefix` carry it."""

    url: str
    variable: str
    header: str
    prefix: str
    calls: tuple[Call, ...]


SERVICES = {
    "openai": Service(
        "https://api.openai.com",
        "OPENAI_API_KEY",
        "authorization",
        "Bearer ",
        (
            Call(
                "completed",
                "POST",
                "/v1/responses",
                {"model": "gpt-6-luna", "input": "Give a title for a video about the sea.", "text": _TEXT},
            ),
            Call(
                "incomplete",
                "POST",
                "/v1/responses",
                {"model": "gpt-6-luna", "input": "Count to one thousand.", "max_output_tokens": 16},
            ),
            Call(
                "unknown_parameter",
                "POST",
                "/v1/responses",
                {"model": "gpt-6-luna", "input": "x", "bogus": 1},
            ),
            Call("unknown_model", "POST", "/v1/responses", {"model": "no-such-model", "input": "x"}),
            Call("wrong_key", "POST", "/v1/responses", {"model": "gpt-6-luna", "input": "x"}, key=False),
        ),
    ),
    "elevenlabs": Service(
        "https://api.elevenlabs.io",
        "ELEVENLABS_API_KEY",
        "xi-api-key",
        "",
        (
            Call(
                "spoken",
                "POST",
                "/v1/text-to-speech/{voice}/with-timestamps",
                {"text": "Hello.", "model_id": "eleven_multilingual_v2"},
            ),
            Call(
                "unknown_voice",
                "POST",
                "/v1/text-to-speech/NoSuchVoice000000000/with-timestamps",
                {"text": "Hello."},
            ),
            Call(
                "unknown_model",
                "POST",
                "/v1/text-to-speech/{voice}/with-timestamps",
                {"text": "Hello.", "model_id": "none"},
            ),
            Call("wrong_type", "POST", "/v1/text-to-speech/{voice}/with-timestamps", {"text": 5}),
            Call("subscription", "GET", "/v1/user/subscription"),
            Call("wrong_key", "GET", "/v1/user/subscription", key=False),
        ),
    ),
    "pexels": Service(
        "https://api.pexels.com",
        "PEXELS_API_KEY",
        "authorization",
        "",
        (
            Call("found", "GET", "/v1/search?query=sea&per_page=1"),
            Call("wrong_key", "GET", "/v1/search?query=sea", key=False),
        ),
    ),
    "youtube": Service(
        "https://youtube.googleapis.com",
        "YOUTUBE_API_KEY",
        "x-goog-api-key",
        "",
        (
            Call("found", "GET", "/youtube/v3/videos?part=snippet,contentDetails,statistics&id=dQw4w9WgXcQ"),
            Call("no_channel", "GET", "/youtube/v3/channels?part=snippet&forHandle=no-such-handle-at-all"),
            Call("unknown_part", "GET", "/youtube/v3/videos?part=nonsense&id=x"),
            Call("wrong_key", "GET", "/youtube/v3/videos?part=snippet&id=x", key=False),
        ),
    ),
}


def shape(value: Any, name: str = "") -> Any:
    """Return the value with types in place of values, except for fields in KEPT.

    A list keeps its first element.
    """
    if isinstance(value, Mapping):
        return {key: shape(each, key) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return [shape(value[0], name)] if value else []
    if name in KEPT and isinstance(value, str | int):
        return value
    return "null" if value is None else type(value).__name__


def record(service: Service, key: str, url: str, voice: str) -> dict[str, Any]:
    """Make every call once. Returns name -> {status, headers, body}, as shapes."""
    recorded = {}
    with httpx.Client(base_url=url, timeout=SECONDS, headers={"user-agent": "showrunner/1.0"}) as client:
        for call in service.calls:
            headers = {service.header: f"{service.prefix}{key if call.key else 'wrong'}"}
            answer = client.request(
                call.method, call.path.replace("{voice}", voice), json=call.body, headers=headers
            )
            recorded[call.name] = {
                "status": answer.status_code,
                "headers": [name for name in HEADERS if name in answer.headers],
                "body": _body(answer),
            }
    return recorded


def _body(answer: httpx.Response) -> Any:
    try:
        return shape(answer.json())
    except ValueError:
        return answer.headers.get("content-type", "none")


def missing(sample: Any, other: Any, place: str = "") -> list[str]:
    """Return the fields of a sample that the other response lacks, and values of KEPT that differ."""
    if isinstance(sample, dict):
        if not isinstance(other, dict):
            return [place]
        return [
            gap
            for name, each in sample.items()
            for gap in (
                missing(each, other[name], f"{place}/{name}") if name in other else [f"{place}/{name}"]
            )
        ]
    if isinstance(sample, list):
        return (
            missing(sample[0], other[0], f"{place}[]") if sample and isinstance(other, list) and other else []
        )
    return []


def main(name: str) -> None:
    """Record one service with the key in the environment, and save the sample."""
    if name not in SERVICES:
        raise Refused(f"SERVICE={name}: there are {', '.join(SERVICES)}")
    service = SERVICES[name]
    key, voice = os.environ.get(service.variable, "").strip(), os.environ.get("VOICE", "").strip()
    if not key or (name == "elevenlabs" and not voice):
        raise Refused(
            f"set {service.variable}"
            f"{' and VOICE (an id of a voice in the account)' if name == 'elevenlabs' else ''}"
            " in the environment"
        )
    recorded = record(service, key, service.url, voice)
    SAMPLES.mkdir(exist_ok=True)
    path = SAMPLES / f"{name}.json"
    path.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(
        f"{len(recorded)} responses: {Path(path).relative_to(ROOT)}. Look at it before you commit it.",
        file=sys.stderr,
    )

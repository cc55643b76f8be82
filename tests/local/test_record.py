"""The recorder keeps no value that could be secret, and the stand-ins have what recorded responses have."""

import json
import threading

import numpy as np
import pytest

from local import record
from local.language.server import LanguageServer
from local.language.server import application as language
from local.outcomes import Outcome
from local.platforms.server import World, server
from local.voice.account import PLANS, Account
from local.voice.ids import FEMALE
from local.voice.server import VoiceServer
from local.voice.server import application as voice
from tests.local.test_language_api import Words
from tests.local.test_voice_api import Tone
from tests.serving import serving

SECRET = "top-secret-key"


@pytest.fixture(scope="module")
def addresses():
    world = World(
        key=SECRET,
        videos={
            "dQw4w9WgXcQ": {
                "channel_id": "UC1",
                "title": "Private title",
                "published_at": "2026-11-01T00:00:00Z",
            }
        },
    )
    world.channels["UC1"] = {"title": "Channel"}
    world.photographs.key = SECRET
    world.photographs.photos = [{"id": 1, "photographer": "Ada"}]
    others = server(world, 0)
    threading.Thread(target=others.serve_forever, daemon=True).start()
    model = LanguageServer(Words(), "stand-in", ("gpt-6-luna",), 128_000, lambda _: b"")
    model.outcomes.extend(
        [Outcome("text", {"text": '{"title": "x"}'}), Outcome("text", {"text": "one two three " * 20})]
    )
    speaker = VoiceServer(
        Tone(), {FEMALE: {"en": np.zeros((1, 256), np.float32)}}, Account(PLANS["creator"], 3, 3)
    )
    platforms = f"http://127.0.0.1:{others.server_port}"
    with serving(language(model)) as openai, serving(voice(speaker)) as elevenlabs:
        yield {"openai": openai, "elevenlabs": elevenlabs, "pexels": platforms, "youtube": platforms}
    others.shutdown()


@pytest.mark.parametrize("name", sorted(record.SERVICES))
def test_a_recording_has_every_kind_of_response_and_no_value_of_one(addresses, name):
    recorded = record.record(record.SERVICES[name], SECRET, addresses[name], FEMALE)

    text = json.dumps(recorded)
    assert set(recorded) == {call.name for call in record.SERVICES[name].calls}
    assert not [word for word in (SECRET, "Private title", "Ada", "Hello") if word in text]
    compare(name, recorded)


def compare(name, recorded):
    """Against what was recorded of the real service, once somebody has."""
    path = record.SAMPLES / f"{name}.json"
    if path.exists():
        for call, sample in json.loads(path.read_text(encoding="utf-8")).items():
            assert recorded[call]["status"] == sample["status"], call
            assert record.missing(sample["body"], recorded[call]["body"]) == [], call


def test_what_a_stand_in_lacks_is_named():
    sample, other = record.shape({"a": {"b": [{"c": 1}]}, "code": "x"}), record.shape({"a": {"b": [{}]}})

    assert record.missing(sample, other) == ["/a/b[]/c", "/code"]

"""Voices are the stage's: without an id there is a clear reason, not a call to a voice that is gone."""

from pathlib import Path

import pytest

from local.voice.ids import RETIRED
from showrunner.production import voices

SETTING = "female1=one, male1=two ,"


def test_ids_come_from_the_stages_setting():
    assert voices.configured(SETTING) == {"female1": "one", "male1": "two"}
    assert voices.find("en", "male1", setting=SETTING).provider_id == "two"
    assert voices.is_configured("one", setting=SETTING)


@pytest.mark.parametrize("setting", ["", " ", "female1=", "=one", "female1"])
def test_a_stage_without_ids_has_no_voice_and_says_what_to_set(setting):
    assert voices.find("en", "female1", setting=setting) is None
    assert "parameter Voices" in voices.missing("en", "female1")
    assert "language xx" in voices.missing("xx", "female1")


def test_a_clone_needs_no_setting():
    assert voices.find("en", "ai_clone", "mine", setting=" ").provider_id == "mine"
    assert voices.find("en", "ai_clone", None, setting=SETTING) is None


def test_no_retired_voice_is_built_in():
    source = Path(voices.__file__).read_text(encoding="utf-8")
    assert not [voice for voice in RETIRED if voice in source]

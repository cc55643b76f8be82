"""Prices of answers and of a whole video; errors that reach users."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from showrunner.models import Usage
from showrunner.production import costs, prices, progress, script
from tests.production.samples import job


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_price_of_an_answer_is_exact_to_the_token(
    fresh: int, cached: int, cache_write: int, output: int
) -> None:
    charge = costs.language_charge(
        "n", "gpt-6-luna", Usage(fresh + cached + cache_write, cached, cache_write, output)
    )

    assert charge.amount_usd * 1_000_000 == fresh * Decimal("0.10") + cached * Decimal(
        "0.01"
    ) + cache_write * Decimal("0.125") + output * Decimal("0.50")


def test_prices_are_the_vendors_of_november_2026() -> None:
    """Sources: prices.py.

    ElevenLabs' were 2.2 times too high, and four cache writes were those of the input.
    """
    thousand = {
        model: costs.speech_charge("n", model, 1000, None).amount_usd
        for model in ("eleven_flash_v2_5", "eleven_multilingual_v2")
    }
    writes = {
        model: prices.TOKENS[model].cache_write
        for model in ("gpt-6.1-sol", "gpt-6-astra", "gpt-5.6-luna", "gpt-6.2-sol")
    }

    assert thousand == {"eleven_flash_v2_5": Decimal("0.05"), "eleven_multilingual_v2": Decimal("0.10")}
    assert writes == {
        "gpt-6.1-sol": Decimal("2.50"),
        "gpt-6-astra": Decimal("12.50"),
        "gpt-5.6-luna": Decimal("0.25"),
        "gpt-6.2-sol": Decimal("2.50"),
    }


def test_every_price_has_a_source_and_is_outdated_after_sixty_days() -> None:
    read_on = max(source.read_on for source in prices.SOURCES)

    assert {source.item.rpartition(" ")[2] for source in prices.SOURCES} >= {*prices.TOKENS, *prices.SPEECH}
    assert all(source.url.startswith("https://") for source in prices.SOURCES)
    assert (
        prices.outdated(
            min(source.read_on for source in prices.SOURCES) + timedelta(days=prices.OUTDATED_DAYS)
        )
        == []
    )
    assert len(prices.outdated(read_on + timedelta(days=prices.OUTDATED_DAYS + 1))) == len(prices.SOURCES)


def test_a_model_without_a_price_costs_as_much_as_the_dearest() -> None:
    usage = Usage(1000, 0, 0, 1000)

    assert costs.language_charge("n", "unheard-of", usage).amount_usd == max(
        costs.language_charge("n", model, usage).amount_usd for model in prices.TOKENS
    )


def test_the_price_in_the_answers_header_wins_over_the_models_rate() -> None:
    assert costs.speech_charge("n", "eleven_flash_v2_5", 100, 42).quantity == 42
    assert costs.speech_charge("n", "eleven_flash_v2_5", 100, None).quantity == 50
    assert costs.speech_charge("n", "eleven_multilingual_v2", 100, None).quantity == 100


@pytest.mark.parametrize(("length", "dollars"), [(45, "0.15"), (240, "0.60")])
def test_a_video_costs_less_than_a_dollar_at_list_price(length: int, dollars: str) -> None:
    """At six characters a word (English with its space). README says the same, and what ten minutes cost."""
    asked = job(length_seconds=length)
    voice = costs.speech_charge("n", "eleven_multilingual_v2", asked.words_target * 6, None).amount_usd
    calls = 1 + (script.part_count(asked) if asked.is_long else 0)
    language = calls * costs.language_charge("n", "gpt-6-luna", Usage(6000, 0, 0, 3000)).amount_usd
    render = costs.render_charge(1, "gpu", length / 4 + 240).amount_usd

    assert voice + language + render < Decimal(dollars)


def test_every_error_message_names_the_next_step() -> None:
    refused = progress.explain("voice", "CredentialRejected", "401")

    assert refused["step"] == "voice"
    assert "elevenlabs/api_key" in refused["message"]
    assert "retry" in refused["message"]
    assert progress.explain("render", "NeverSeen", "boom")["message"] == "The step render failed: boom"

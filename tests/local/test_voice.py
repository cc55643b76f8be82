import base64
import io
import json
import socket
import subprocess
import threading
import time
import urllib.request
import wave
from collections.abc import Iterator
from itertools import pairwise

import imageio_ffmpeg
import numpy as np
import pytest
from elevenlabs import ElevenLabs
from elevenlabs.core.api_error import ApiError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.voice.alignment import Span, character_times
from local.voice.chunks import LONGEST_CHUNK, Word, fitting, sequence_of
from local.voice.english import numbers
from local.voice.ids import FEMALE, MALE
from local.voice.spoken import units
from tests.local.model_servers import process, running

PORT = 8160
SENTENCES = (
    "In deep water, a modern cable is about as thick as a garden hose. Close to the shore, engineers add "
    "one or two layers of steel armor. "
    "Every repeater makes the signal stronger, and a ship repairs the cable when it breaks."
)
HARD = (
    "In 1969, it ran 1,200 km for $3.5M… said Dr. Smith at https://example.com/a-b. "
    "“Hello—there,” he (quietly) said: 50% & more! 🎉 日本語 café 10–20."
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with running(
        "local.voice", "VOICE_PORT", PORT, VOICE_PLAN="pro", VOICE_CONCURRENCY="2", VOICE_QUEUE="1"
    ) as address:
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> ElevenLabs:
    return ElevenLabs(api_key="local", base_url=address, timeout=60)


def spoken(text: str) -> str:
    return " ".join(unit.spoken for unit in units(text) if unit.spoken)


def stats(address: str) -> dict:
    with urllib.request.urlopen(f"{address}/stats", timeout=5) as answer:
        return json.load(answer)


def refusal(client: ElevenLabs, voice_id: str = FEMALE, **request: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        client.text_to_speech.convert_with_timestamps(voice_id, **{"text": "Hello.", **request})
    return caught.value


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (21, "twenty one"),
        (100, "one hundred"),
        (1_200, "one thousand two hundred"),
        (1_000_001, "one million one"),
    ],
)
def test_cardinals_are_spelled_out(number: int, words: str) -> None:
    assert numbers.cardinal(number) == words


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("It ran 1,200 km.", "It ran one thousand two hundred kilometers."),
        (
            "It cost $3.5M, or $3.5 million.",
            "It cost three point five million dollars, or three point five million dollars.",
        ),
        ("$1 and $2.50", "one dollar and two dollars and fifty cents"),
        ("In 1969 and 2026", "In nineteen sixty nine and twenty twenty six"),
        ("The 1960s, 21st", "The nineteen sixties, twenty first"),
        ("Dr. Smith vs. Mr. Jones", "Doctor Smith versus Mister Jones"),
        ("50% at 12:30", "fifty percent at twelve thirty"),
        ("pages 10–20", "pages ten to twenty"),
        ("a 16-bit word", "a sixteen bit word"),
        ("see https://www.example.com/a-b.", "see example dot com slash a dash b."),
        ("5 GB of 450K", "five gigabytes of four hundred fifty thousand"),
        ("café naïve", "cafe naive"),
        ("🎉 日本語", ""),
        ("−5 °C", "minus five degrees Celsius"),
    ],
)
def test_what_is_written_is_said_in_words(written: str, said: str) -> None:
    assert spoken(written) == said


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_units_cover_the_words_of_any_text_in_order(text: str) -> None:
    found = units(text)
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert "".join(text[unit.start : unit.end] for unit in found).replace(" ", "") == "".join(
        text.split()
    ).replace(" ", "") or len(found) < len(text.split())
    assert all(character.isascii() or character in "…—" for unit in found for character in unit.spoken)
    assert not any(character.isdigit() for unit in found for character in unit.spoken)


@given(st.text(max_size=60), st.data())
@settings(max_examples=150, deadline=None)
def test_times_of_characters_are_monotone_whatever_was_heard(text: str, data: st.DataObject) -> None:
    found = units(text)
    times = sorted(data.draw(st.lists(st.floats(0, 30), min_size=2 * len(found), max_size=2 * len(found))))
    silent = data.draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
    spans = [
        Span(unit.start, unit.end, None, None)
        if quiet
        else Span(unit.start, unit.end, times[2 * place], times[2 * place + 1])
        for place, (unit, quiet) in enumerate(zip(found, silent, strict=True))
    ]
    starts, ends = character_times(text, spans, 30.0)
    assert len(starts) == len(ends) == len(text)
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert all(end == start for end, start in zip(ends, starts[1:], strict=False))
    assert all(0 <= time <= 30 for time in [*starts, *ends])


def test_a_word_is_timed_without_the_comma_behind_it() -> None:
    starts, ends = character_times("Yes, no", [Span(0, 4, 0.1, 0.4), Span(5, 7, 0.9, 1.2)], 1.5)
    assert (starts[0], ends[2]) == (0.1, 0.4)
    assert (starts[5], ends[6]) == (0.9, 1.2)
    assert ends[3] == pytest.approx(0.65)


def test_speech_comes_with_the_time_of_every_character_of_the_original_text(client: ElevenLabs) -> None:
    answer = client.text_to_speech.with_raw_response.convert_with_timestamps(
        FEMALE, text=HARD, model_id="eleven_multilingual_v2", output_format="pcm_24000"
    )
    alignment, normalized = answer.data.alignment, answer.data.normalized_alignment
    duration_s = len(base64.b64decode(answer.data.audio_base_64)) / 2 / 24_000
    assert "".join(alignment.characters) == HARD
    assert "three point five million dollars" in "".join(normalized.characters)
    for one in (alignment, normalized):
        starts, ends = one.character_start_times_seconds, one.character_end_times_seconds
        assert len(one.characters) == len(starts) == len(ends)
        assert starts == sorted(starts)
        assert ends == sorted(ends)
        assert ends[-1] <= duration_s + 0.001
    assert answer.headers["character-cost"] == str(len(HARD))
    assert answer.headers["request-id"]
    assert answer.headers["maximum-concurrent-requests"] == "2"


def test_flash_reads_figures_digit_by_digit(client: ElevenLabs) -> None:
    answer = client.text_to_speech.with_raw_response.convert_with_timestamps(
        FEMALE, text="It cost $3.50.", model_id="eleven_flash_v2_5"
    )

    assert "".join(answer.data.normalized_alignment.characters) == " It cost $3.50. "
    assert answer.headers["character-cost"] == "7"
    assert [unit.spoken for unit in units("It cost $3.50.", normalize=False)] == [
        "It",
        "cost",
        "three five zero.",
    ]


def test_words_are_where_a_forced_alignment_hears_them(client: ElevenLabs) -> None:
    from pocketsphinx import Decoder

    answer = client.text_to_speech.convert_with_timestamps(FEMALE, text=SENTENCES, output_format="pcm_16000")
    samples = base64.b64decode(answer.audio_base_64)
    ours = word_starts(SENTENCES, answer.alignment.character_start_times_seconds)
    decoder = Decoder(lm=None, samprate=16_000, loglevel="FATAL")
    decoder.set_align_text(" ".join(word for word, _ in ours))
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    heard = [
        (segment.word.split("(")[0], segment.start_frame / 100)
        for segment in decoder.seg()
        if segment.word[0] not in "<([" and segment.word != "sil"
    ]
    assert [word for word, _ in heard] == [word for word, _ in ours]
    off = np.array([theirs - mine for (_, theirs), (_, mine) in zip(heard, ours, strict=True)])
    # The recogniser's own frames begin earlier by a constant; what matters is that words don't wander against
    # each other.
    residual = np.abs(off - np.median(off))
    assert np.percentile(residual, 90) <= 0.08
    assert abs(np.median(off)) <= 0.12


def word_starts(text: str, starts: list[float]) -> list[tuple[str, float]]:
    found, place = [], 0
    for word in text.split():
        place = text.index(word, place)
        found.append((word.strip(".,").lower(), starts[place]))
        place += len(word)
    return found


def test_the_first_and_last_word_sit_at_the_ends_of_the_audio(client: ElevenLabs) -> None:
    answer = client.text_to_speech.convert_with_timestamps(
        MALE, text="Cables break. Ships repair them.", output_format="pcm_24000"
    )
    samples = np.frombuffer(base64.b64decode(answer.audio_base_64), "<i2").astype(np.float32) / 32768
    audible = np.flatnonzero(np.abs(samples) > 0.02) / 24_000
    assert audible[0] < 0.2
    assert len(samples) / 24_000 - audible[-1] < 0.3
    assert abs(answer.alignment.character_start_times_seconds[0] - audible[0]) < 0.1
    # Joins are faded: nowhere does the signal jump as a cut would make it jump.
    assert np.abs(np.diff(samples)).max() < 0.5


def test_the_same_request_gives_the_same_bytes(client: ElevenLabs) -> None:
    first, again = (
        client.text_to_speech.convert_with_timestamps(FEMALE, text="The same, twice over.", seed=1)
        for _ in range(2)
    )
    client.text_to_speech.convert_with_timestamps(
        MALE, text="Something else between.", output_format="pcm_24000"
    )
    third = client.text_to_speech.convert_with_timestamps(FEMALE, text="The same, twice over.", seed=1)
    assert first.audio_base_64 == again.audio_base_64 == third.audio_base_64
    assert first.alignment == third.alignment


def test_speed_and_voice_change_what_is_heard(client: ElevenLabs) -> None:
    def seconds(voice_id: str, speed: float) -> float:
        chunks = client.text_to_speech.convert(
            voice_id,
            text="A ship repairs the cable.",
            output_format="pcm_24000",
            voice_settings={"speed": speed},
        )
        return len(b"".join(chunks)) / 48_000

    assert seconds(FEMALE, 0.8) > 1.1 * seconds(FEMALE, 1.1)
    assert seconds(FEMALE, 1.0) != seconds(MALE, 1.0)


@pytest.mark.parametrize(
    ("output_format", "rate"), [("mp3_44100_128", 44_100), ("mp3_22050_32", 22_050), ("wav_44100", 44_100)]
)
def test_every_format_plays_for_as_long_as_the_alignment_says(
    client: ElevenLabs, output_format: str, rate: int
) -> None:
    answer = client.text_to_speech.convert_with_timestamps(
        FEMALE, text="A ship repairs the cable.", output_format=output_format
    )
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-i",
        "pipe:0",
        "-f",
        "wav",
        "-bitexact",
        "pipe:1",
    ]
    decoded = subprocess.run(
        command, input=base64.b64decode(answer.audio_base_64), capture_output=True, check=True
    ).stdout
    with wave.open(io.BytesIO(decoded)) as sound:
        assert sound.getframerate() == rate
        heard_s = (len(decoded) - 44) / 2 / rate
    assert heard_s == pytest.approx(answer.alignment.character_end_times_seconds[-1], abs=0.15)


@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40).filter(str.strip))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_spoken_and_aligned(client: ElevenLabs, text: str) -> None:
    answer = client.text_to_speech.convert_with_timestamps(FEMALE, text=text, output_format="pcm_24000")
    assert "".join(answer.alignment.characters) == text
    starts = answer.alignment.character_start_times_seconds
    assert starts == sorted(starts)
    assert len(base64.b64decode(answer.audio_base_64)) > 0


def test_a_sentence_that_is_too_long_for_the_model_is_cut_at_a_breath() -> None:
    words = [
        Word(0, "sea," if place % 9 == 8 else "floor", "flˈɔɹ" + ("," if place % 9 == 8 else ""))
        for place in range(200)
    ]
    parts = list(fitting(words))
    assert [word for part in parts for word in part] == words
    assert all(sum(len(word.phonemes) + 1 for word in part) <= LONGEST_CHUNK for part in parts)
    assert all(part[-1].text == "sea," for part in parts[:-1])


def test_one_endless_word_is_a_chunk_of_its_own() -> None:
    endless = Word(0, "a" * 40, "a" * 450)
    assert list(fitting([endless, Word(1, "b", "b")])) == [[endless], [Word(1, "b", "b")]]


def test_the_place_of_a_word_leaves_its_punctuation_out() -> None:
    sequence, places = sequence_of([Word(0, "(Yes", "(jˈɛs"), Word(1, "—", "—"), Word(2, "no.", "nˈO.")])
    assert sequence == "(jˈɛs— nˈO."
    assert [sequence[first:last] for first, last in places] == ["jˈɛs", "", "nˈO"]


@pytest.mark.parametrize(
    ("voice_id", "request_", "status", "code"),
    [
        ("unknown", {}, 404, "voice_not_found"),
        (FEMALE, {"text": "a" * 5001, "model_id": "eleven_v3"}, 400, "max_character_limit_exceeded"),
        (FEMALE, {"model_id": "eleven_monolingual_v0"}, 400, "model_not_found"),
        (FEMALE, {"language_code": "de"}, 400, "unsupported_language"),
        (FEMALE, {"output_format": "mp3_1_1"}, 400, "invalid_output_format"),
        (FEMALE, {"voice_settings": {"speed": 3.0}}, 400, "invalid_voice_settings"),
        (FEMALE, {"text": "  "}, 400, "empty_text"),
    ],
)
def test_refusals_say_what_is_wrong(
    client: ElevenLabs, voice_id: str, request_: dict, status: int, code: str
) -> None:
    error = refusal(client, voice_id, **request_)
    assert error.status_code == status
    assert error.body["detail"]["status"] == code
    assert error.body["detail"]["message"]


def test_wrong_types_name_their_field(client: ElevenLabs) -> None:
    error = refusal(client, text=5)
    assert error.status_code == 422
    assert error.body["detail"][0]["loc"] == ["body", "text"]


def test_without_a_key_nothing_is_spoken(address: str) -> None:
    request = urllib.request.Request(
        f"{address}/v1/text-to-speech/{FEMALE}", b'{"text": "Hello."}', {"content-type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    assert caught.value.code == 401
    assert json.load(caught.value)["detail"]["status"] == "invalid_api_key"


def test_a_voice_names_a_preview_that_plays_without_a_key(client: ElevenLabs) -> None:
    preview_url = client.voices.get(FEMALE).preview_url
    with urllib.request.urlopen(str(preview_url), timeout=30) as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        assert len(answer.read()) > 10_000


def test_a_crowd_is_refused_past_the_queue(address: str) -> None:
    statuses = []

    def ask() -> None:
        body = json.dumps({"text": "One of many voices."}).encode()
        request = urllib.request.Request(
            f"{address}/v1/text-to-speech/{FEMALE}",
            body,
            {"xi-api-key": "k", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                statuses.append((answer.status, "ok"))
        except urllib.error.HTTPError as error:
            statuses.append((error.code, json.load(error)["detail"]["status"]))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Two speak, one waits, three are sent away.
    assert sorted(statuses) == [(200, "ok")] * 3 + [(429, "too_many_concurrent_requests")] * 3


def test_the_offer_and_the_account_are_listed(client: ElevenLabs) -> None:
    assert {FEMALE, MALE} <= {voice.voice_id for voice in client.voices.get_all().voices}
    assert "eleven_flash_v2_5" in {model.model_id for model in client.models.list()}
    before = client.user.subscription.get().character_count
    client.text_to_speech.convert_with_timestamps(
        FEMALE, text="Ten chars.", model_id="eleven_multilingual_v2", output_format="pcm_24000"
    )
    assert client.user.subscription.get().character_count == before + 10


def test_requests_are_counted(client: ElevenLabs, address: str) -> None:
    route = "POST /v1/text-to-speech/{voice_id}/with-timestamps"
    before = stats(address)["by_endpoint"][route]
    client.text_to_speech.convert_with_timestamps(FEMALE, text="Counted.", output_format="pcm_24000")
    assert stats(address)["by_endpoint"][route] == before + 1


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = process("local.voice", VOICE_PORT=str(taken.getsockname()[1]))
        output, _ = server.communicate(timeout=20)
    assert server.returncode == 2
    assert "in use" in output
    assert "VOICE_PORT" in output
    assert output.count("\n") == 1


def test_without_styles_the_bundled_voice_serves_and_the_server_ends_on_sigterm(tmp_path) -> None:
    with running("local.voice", "VOICE_PORT", PORT + 1, VOICE_STYLES=str(tmp_path)) as address:
        client = ElevenLabs(api_key="local", base_url=address, timeout=60)
        assert client.text_to_speech.convert_with_timestamps(FEMALE, text="Still here.").audio_base_64
        begun = time.monotonic()
    assert time.monotonic() - begun < 2

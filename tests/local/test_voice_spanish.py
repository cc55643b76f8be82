"""The local voice in Spanish: what is said, how it sounds, and when each word is heard."""

import base64
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from elevenlabs import ElevenLabs
from hypothesis import given, settings
from hypothesis import strategies as st

from local.voice.ids import FEMALE, MALE
from local.voice.spanish import numbers
from local.voice.spanish.phonemes import Phonemes, pronounce
from local.voice.spoken import language_of, units
from tests.local.model_servers import running

PORT = 8168
SENTENCES = (
    "Dos veces al día el mar sube, cubre la arena y vuelve a bajar. Quienes viven en la costa lo saben."
)
# The nearest sounds of the English model that pocketsphinx carries.
ENGLISH = {
    "a": "AA", "e": "EY", "ɛ": "EH", "i": "IY", "o": "OW", "u": "UW", "j": "Y", "w": "W", "I": "AY",
    "W": "AW", "A": "EY", "ɪ": "IY", "ʊ": "UW", "b": "B", "β": "B", "d": "D", "ð": "DH", "ɡ": "G",
    "ɣ": "G", "f": "F", "k": "K", "l": "L", "ʎ": "Y", "ʝ": "Y", "m": "M", "n": "N", "ŋ": "NG", "ɲ": "N",
    "p": "P", "r": "R", "ɾ": "D", "s": "S", "t": "T", "θ": "TH", "x": "HH", "ʧ": "CH",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[ElevenLabs]:
    with running("local.voice", "VOICE_PORT", PORT, VOICE_PLAN="pro") as address:
        yield ElevenLabs(api_key="local", base_url=address, timeout=60)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("21 cajas y 21 barcos", "veintiuna cajas y veintiún barcos"),
        ("200 personas en 501 días", "doscientas personas en quinientos un días"),
        ("1.000.000 de euros", "un millón de euros"),
        (
            "1.234.567,89",
            "un millón doscientos treinta y cuatro mil quinientos sesenta y siete coma ocho nueve",
        ),
        ("3.5 o 0,5", "tres punto cinco o cero coma cinco"),
        ("$1,200 y $3.50", "mil doscientos dólares y tres dólares con cincuenta"),
        ("1,234.5", "mil doscientos treinta y cuatro punto cinco"),
        ("$3 millones, 1 € y £2,50", "tres millones de dólares, un euro y dos libras con cincuenta"),
        ("el 21 %, el 45%…", "el veintiuno por ciento, el cuarenta y cinco por ciento…"),
        ("a las 13:00, a la 1:15", "a las trece, a la una y quince"),
        ("el 05/01/1858", "el cinco de enero de mil ochocientos cincuenta y ocho"),
        ("el 2026-11-29", "el veintinueve de noviembre de dos mil veintiséis"),
        ("entre 1914-1918", "entre mil novecientos catorce a mil novecientos dieciocho"),
        ("la 1.ª y el 3.er piso, 2º", "la primera y el tercer piso, segundo"),
        ("el siglo XIX, Felipe II e Isabel II", "el siglo diecinueve, Felipe segundo e Isabel segunda"),
        ("la BBC, el ADN y la OTAN", "la be be ce, el a de ene y la OTAN"),
        ("el Dr. Pérez y la Sra. Gil, p. ej.", "el doctor Pérez y la señora Gil, por ejemplo"),
        ("50 a. C. en EE. UU.", "cincuenta antes de Cristo en Estados Unidos"),
        ("−5 °C, 3 MB/s", "menos cinco grados Celsius, tres megabytes por segundo"),
        ("www.ejemplo.es/a-b", "ejemplo punto es barra a guion be"),
        ("🎉 日本語", ""),
    ],
)
def test_what_is_written_is_said_in_words(written: str, said: str) -> None:
    assert " ".join(unit.spoken for unit in units(written, "es") if unit.spoken) == said


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "cero"),
        (16, "dieciséis"),
        (31, "treinta y uno"),
        (100, "cien"),
        (101, "ciento uno"),
        (1_001, "mil uno"),
        (21_000, "veintiún mil"),
        (700_700, "setecientos mil setecientos"),
        (2_000_001, "dos millones uno"),
        (10**12, "un billón"),
        (10**18, "uno" + " cero" * 18),
    ],
)
def test_cardinals_are_spelled_out(number: int, words: str) -> None:
    assert numbers.cardinal(number) == words


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_units_cover_the_words_of_any_text_in_order(text: str) -> None:
    found = units(text, "es")
    assert all(one.end <= other.start for one, other in pairwise(found))
    assert not any(character.isdigit() for unit in found for character in unit.spoken)
    vocabulary = dict.fromkeys("abdefijklmnoprstuwxβðŋɡɣɛɪɲɾʃʊʎʝθIWAʧˈˌ" + '.,!?;:…—()"“”', 1)
    words = [word for unit in found for word in unit.spoken.split()]
    assert len(Phonemes(vocabulary).of(words)) == len(words)


@pytest.mark.parametrize(
    ("word", "phonemes"),
    # As espeak-ng 1.51 writes them, which is the notation that the voices were trained with.
    [
        ("tiempo", "tjˈempo"),
        ("ciudad", "θjuðˈad"),
        ("guarda", "ɡwˈaɾða"),
        ("causa", "kˈWsa"),
        ("aire", "ˈIɾe"),
        ("seis", "sˈAs"),
        ("hoy", "ˈoɪ"),
        ("Europa", "eʊɾˈopa"),
        ("país", "paˈis"),
        ("todavía", "tˌoðaβˈia"),
        ("pingüino", "piŋɡwˈino"),
        ("guerra", "ɡˈera"),
        ("honra", "ˈonra"),
        ("caro", "kˈaɾo"),
        ("construyó", "kˌonstɾuʝˈo"),
        ("psicología", "sˌikoloxˈia"),
        ("México", "mˈexiko"),
        ("excelente", "ˌeksθelˈɛnte"),
        ("enviar", "embjˈaɾ"),
        ("jamás", "xamˈas"),
        ("pompa", "pˈompa"),
        ("solamente", "sˈolamˈɛnte"),
        ("el", "el"),
        ("él", "ˈel"),
        ("NIÑO", "nˈiɲo"),
    ],
)
def test_a_word_is_pronounced_by_the_rules_of_spelling(word: str, phonemes: str) -> None:
    assert pronounce(word) == phonemes


def test_a_consonant_is_soft_inside_a_phrase_and_hard_after_a_pause() -> None:
    vocabulary = dict.fromkeys("abdefiklmnorstuβðˈˌ,", 1)

    assert Phonemes(vocabulary).of(["una", "vaca,", "vaca"]) == ["ˈuna", "βˈaka,", "bˈaka"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Dos veces al día el mar sube.", "es"),
        ("¿Listos?", "es"),
        ("Twice a day the sea comes in.", "en"),
        ("La La Land is the film of the year.", "en"),
        ("2026", "en"),
        ("", "en"),
    ],
)
def test_the_language_of_a_text_is_that_of_its_frequent_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("voice_id", [FEMALE, MALE])
def test_words_are_where_a_forced_alignment_hears_them(client: ElevenLabs, voice_id: str) -> None:
    from pocketsphinx import Decoder

    answer = client.text_to_speech.convert_with_timestamps(
        voice_id, text=SENTENCES, language_code="es", output_format="pcm_16000"
    )
    samples = base64.b64decode(answer.audio_base_64)
    assert "".join(answer.alignment.characters) == SENTENCES
    ours = word_starts(SENTENCES, answer.alignment.character_start_times_seconds)
    decoder = Decoder(lm=None, samprate=16_000, loglevel="FATAL")
    for word in sorted({word for word, _ in ours}):
        decoder.add_word(
            f"es{word}", " ".join(ENGLISH[sound] for sound in pronounce(word) if sound in ENGLISH), False
        )
    decoder.set_align_text(" ".join(f"es{word}" for word, _ in ours))
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    heard = [
        (segment.word.split("(")[0], segment.start_frame / 100)
        for segment in decoder.seg()
        if segment.word[0] not in "<([" and segment.word != "sil"
    ]
    assert [word for word, _ in heard] == [f"es{word}" for word, _ in ours]
    off = np.array([theirs - mine for (_, theirs), (_, mine) in zip(heard, ours, strict=True)])
    residual = np.abs(off - np.median(off))
    assert np.percentile(residual, 90) <= 0.08
    assert abs(np.median(off)) <= 0.12
    # 20 words at 90 to 270 words a minute, with sound in the words and silence between the sentences.
    sound = np.frombuffer(samples, "<i2").astype(np.float32) / 32768
    assert 4.4 < len(sound) / 16_000 < 13
    at = dict(reversed(ours))
    assert loudness(sound, at["quienes"] - 0.2, at["quienes"] - 0.08) < 0.1 * loudness(
        sound, at["mar"], at["sube"]
    )


def loudness(sound: np.ndarray, start_s: float, end_s: float) -> float:
    return float(np.sqrt(np.mean(sound[round(start_s * 16_000) : round(end_s * 16_000)] ** 2)))


def word_starts(text: str, starts: list[float]) -> list[tuple[str, float]]:
    found, place = [], 0
    for word in text.split():
        place = text.index(word, place)
        found.append((word.strip(".,").lower(), starts[place]))
        place += len(word)
    return found


def test_both_voices_sound_different_in_each_language(client: ElevenLabs) -> None:
    def samples(voice_id: str, language: str) -> bytes:
        chunks = client.text_to_speech.convert(
            voice_id, text="No.", language_code=language, output_format="pcm_24000"
        )
        return b"".join(chunks)

    assert len({samples(voice_id, language) for voice_id in (FEMALE, MALE) for language in ("en", "es")}) == 4

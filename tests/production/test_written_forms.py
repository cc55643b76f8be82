"""Test how numbers, dates, signs and names are spoken, shown and timed in the contract's languages.

The product sends a passage to the voice as it is written, and captions show the written form.
The voice reads figures as words: the default model (eleven_multilingual_v2), and the local voice in its two
languages.
"""

import pytest

from local.voice.spoken import units
from showrunner.production import planning, timeline
from tests.production.samples import recording

# Kind -> language -> a sentence. A word of a caption is what stands between two spaces.
TABLE = {
    "number": {
        "en": "The ship carried 1,234 crates and 3.5 tons.",
        "es": "El barco llevaba 1.234 cajas y 3,5 toneladas.",
        "fr": "Le navire portait 1 234 caisses et 3,5 tonnes.",
        "de": "Das Schiff trug 1.234 Kisten und 3,5 Tonnen.",
    },
    "currency": {
        "en": "It costs $3.50, €1,200 or £2 million.",
        "es": "Cuesta 3,50 € o 1.200 US$ o S/ 20.",
        "fr": "Cela coûte 3,50 € ou 1 200 $ CA.",
        "de": "Das kostet 3,50 € oder 1.200 CHF.",
    },
    "date": {
        "en": "It began on Jan. 5, 1858, at 9 a.m. and ended on 2026-11-29.",
        "es": "Empezó el 5 de enero de 1858 a las 9:30 h.",
        "fr": "Cela commença le 1er janvier 1858 à 9 h 30.",
        "de": "Es begann am 5. Jan. 1858 um 9:30 Uhr.",
    },
    "unit": {
        "en": "It weighs 3.5 kg, runs at 60 km/h and melts at 20 °C.",
        "es": "Pesa 3,5 kg, va a 60 km/h y funde a 20 °C.",
        "fr": "Il pèse 3,5 kg, roule à 60 km/h et fond à 20 °C.",
        "de": "Es wiegt 3,5 kg, fährt 60 km/h und schmilzt bei 20 °C.",
    },
    "acronym": {
        "en": "NASA, the U.S. Navy and the BBC agreed.",
        "es": "La ONU, la UE y los EE. UU. firmaron.",
        "fr": "L'ONU, l'U.E. et la SNCF ont signé.",
        "de": "Die NASA, die EU und die z. B. genannte UNO stimmten zu.",
    },
    "version": {
        "en": "Python 3.13.1 and v2.0.1 came out.",
        "es": "Salieron Python 3.13.1 y v2.0.1.",
        "fr": "Python 3.13.1 et v2.0.1 sont sortis.",
        "de": "Python 3.13.1 und v2.0.1 sind da.",
    },
    "phone": {
        "en": "Call +1 415 555-0199 today.",
        "es": "Llama al +34 912 345 678 hoy.",
        "fr": "Appelez le +33 1 23 45 67 89 ce soir.",
        "de": "Ruf +49 30 901820 heute an.",
    },
    "emoji": {
        "en": "Ready? 🚀 Go 👩‍👩‍👧‍👧 now!",
        "es": "¿Listos? 🚀 ¡Ya 👩‍👩‍👧‍👧!",
        "fr": "Prêts ? 🚀 Partez 👩‍👩‍👧‍👧 !",
        "de": "Fertig? 🚀 Los 👩‍👩‍👧‍👧 jetzt!",
    },
    "hashtag": {
        "en": "Follow #SeaCables and #2026 now.",
        "es": "Sigue #CablesDelMar y #2026 ya.",
        "fr": "Suivez #CâblesMarins et #2026 ici.",
        "de": "Folge #Seekabel und #2026 jetzt.",
    },
    "mention": {
        "en": "Ask @ada_l or @sea.team today.",
        "es": "Pregunta a @ada_l o a @mar.equipo hoy.",
        "fr": "Demandez à @ada_l ou à @mer.equipe ici.",
        "de": "Frag @ada_l oder @see.team heute.",
    },
}
ROWS = [(kind, language) for kind, languages in TABLE.items() for language in languages]

# How the local voice speaks its two columns. An emoji and the sign of a hashtag are silent.
ENGLISH = {
    "number": "The ship carried one thousand two hundred thirty four crates and three point five tons.",
    "currency": "It costs three dollars and fifty cents, one thousand two hundred euros or two million",
    "date": "It began on January five, eighteen fifty eight, at nine a.m. and ended on",
    "unit": (
        "It weighs three point five kilograms, runs at sixty kilometers per hour "
        "and melts at twenty degrees Celsius."
    ),
    "acronym": "NASA, the U.S. Navy and the BBC agreed.",
    "version": "Python three point thirteen point one and version two point zero point one came out.",
    "phone": "Call plus one four one five five five five zero one nine nine today.",
    "emoji": "Ready? Go now!",
    "hashtag": "Follow SeaCables and number two thousand twenty six now.",
    "mention": "Ask at ada l or at sea team today.",
}
SPANISH = {
    "number": "El barco llevaba mil doscientas treinta y cuatro cajas y tres coma cinco toneladas.",
    "currency": "Cuesta tres euros con cincuenta o mil doscientos dólares o veinte soles.",
    "date": ("Empezó el cinco de enero de mil ochocientos cincuenta y ocho a las nueve y treinta horas."),
    "unit": (
        "Pesa tres coma cinco kilogramos, va a sesenta kilómetros por hora y funde a veinte grados Celsius."
    ),
    "acronym": "La ONU, la UE y los Estados Unidos firmaron.",
    "version": "Salieron Python tres punto trece punto uno y versión dos punto cero punto uno.",
    "phone": (
        "Llama al más treinta y cuatro novecientos doce trescientos cuarenta y cinco "
        "seiscientos setenta y ocho hoy."
    ),
    "emoji": "Listos? Ya",
    "hashtag": "Sigue Cables Del Mar y número dos mil veintiséis ya.",
    "mention": "Pregunta a arroba ada ele o a arroba mar equipo hoy.",
}
SPOKEN = {"en": ENGLISH, "es": SPANISH}


def passage_of(kind: str, language: str) -> str:
    text = TABLE[kind][language]
    script = planning.finished(planning.manual(text, None, language), language)
    assert script.passages == [text]
    return text


@pytest.mark.parametrize(("kind", "language"), ROWS)
def test_the_voice_gets_the_text_as_written_and_captions_show_it(kind: str, language: str) -> None:
    text = passage_of(kind, language)

    shown = timeline.align(recording(text, len(text) * 0.07), language)

    assert [word.text for word in shown.words] == text.split()
    assert shown.repair == ""


@pytest.mark.parametrize(("kind", "language"), ROWS)
def test_each_word_is_shown_while_its_characters_are_spoken(kind: str, language: str) -> None:
    text = passage_of(kind, language)
    seconds = len(text) * 0.07

    shown = timeline.align(recording(text, seconds), language).words

    at = 0
    for word in shown:
        start = text.index(word.text, at)
        at = start + len(word.text)
        assert word.start_s == pytest.approx(start * 0.07, abs=0.002)
        assert word.end_s == pytest.approx(at * 0.07, abs=0.002)


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("kind", TABLE)
def test_the_local_voice_speaks_figures_as_words(kind: str, language: str) -> None:
    spoken = " ".join(unit.spoken for unit in units(TABLE[kind][language], language) if unit.spoken)

    assert spoken.startswith(SPOKEN[language][kind])

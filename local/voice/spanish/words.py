"""Convert written Spanish words to spoken ones: figures, dates, units, currencies, acronyms, addresses. Pure.

Latin letters, hyphens and the punctuation at which the voice pauses reach the phonemes; the rest is silent.
"""

import re
import unicodedata
from collections.abc import Callable

from local.voice.punctuation import AFFIXES, breath
from local.voice.spanish import numbers

# numbers.parts says which mark groups digits.
NUMBER = r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}|\d+(?:[.,]\d+)?"
# Name, plural, and whether it is feminine.
CURRENCIES = {
    "€": ("euro", "euros", False), "$": ("dólar", "dólares", False), "US$": ("dólar", "dólares", False),
    "USD": ("dólar", "dólares", False), "EUR": ("euro", "euros", False), "£": ("libra", "libras", True),
    "¥": ("yen", "yenes", False), "S/": ("sol", "soles", False), "R$": ("real", "reales", False),
    "CHF": ("franco suizo", "francos suizos", False), "MXN": ("peso mexicano", "pesos mexicanos", False),
}  # fmt: skip
SIGN = "|".join(sorted(map(re.escape, CURRENCIES), key=len, reverse=True))
MAGNITUDES = frozenset({"mil", "millón", "millones", "billón", "billones"})
# Name, plural, and whether it is feminine. Only these spellings match.
UNITS = {
    "km": ("kilómetro", "kilómetros", False), "m": ("metro", "metros", False),
    "cm": ("centímetro", "centímetros", False), "mm": ("milímetro", "milímetros", False),
    "kg": ("kilogramo", "kilogramos", False), "g": ("gramo", "gramos", False),
    "mg": ("miligramo", "miligramos", False), "t": ("tonelada", "toneladas", True),
    "l": ("litro", "litros", False), "L": ("litro", "litros", False),
    "ml": ("mililitro", "mililitros", False), "km/h": ("kilómetro por hora", "kilómetros por hora", False),
    "m/s": ("metro por segundo", "metros por segundo", False), "ha": ("hectárea", "hectáreas", True),
    "Hz": ("hercio", "hercios", False), "kHz": ("kilohercio", "kilohercios", False),
    "MHz": ("megahercio", "megahercios", False), "GHz": ("gigahercio", "gigahercios", False),
    "MB/s": ("megabyte por segundo", "megabytes por segundo", False),
    "KB": ("kilobyte", "kilobytes", False), "MB": ("megabyte", "megabytes", False),
    "GB": ("gigabyte", "gigabytes", False), "TB": ("terabyte", "terabytes", False),
    "W": ("vatio", "vatios", False), "kW": ("kilovatio", "kilovatios", False),
    "MW": ("megavatio", "megavatios", False), "GW": ("gigavatio", "gigavatios", False),
    "kWh": ("kilovatio hora", "kilovatios hora", False), "V": ("voltio", "voltios", False),
    "°C": ("grado Celsius", "grados Celsius", False), "ºC": ("grado Celsius", "grados Celsius", False),
    "°F": ("grado Fahrenheit", "grados Fahrenheit", False), "°": ("grado", "grados", False),
    "s": ("segundo", "segundos", False), "ms": ("milisegundo", "milisegundos", False),
    "min": ("minuto", "minutos", False), "h": ("hora", "horas", True), "hs": ("hora", "horas", True),
    "km²": ("kilómetro cuadrado", "kilómetros cuadrados", False),
    "m²": ("metro cuadrado", "metros cuadrados", False), "m³": ("metro cúbico", "metros cúbicos", False),
    "Mbps": ("megabit por segundo", "megabits por segundo", False),
    "Gbps": ("gigabit por segundo", "gigabits por segundo", False),
}  # fmt: skip
UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
ABBREVIATIONS = {
    "sr.": "señor", "sra.": "señora", "srta.": "señorita", "sres.": "señores", "dr.": "doctor",
    "dra.": "doctora", "dña.": "doña", "ud.": "usted", "uds.": "ustedes", "vd.": "usted",
    "etc.": "etcétera", "núm.": "número", "n.º": "número", "nº": "número", "n.°": "número",
    "pág.": "página", "págs.": "páginas", "av.": "avenida", "avda.": "avenida", "c/": "calle",
    "prof.": "profesor", "profa.": "profesora", "ing.": "ingeniero", "lic.": "licenciado", "sto.": "santo",
    "sta.": "santa", "aprox.": "aproximadamente", "máx.": "máximo", "mín.": "mínimo", "tel.": "teléfono",
    "vs.": "versus", "vs": "versus", "cap.": "capítulo", "dpto.": "departamento",
    "ee.uu.": "Estados Unidos", "a.c.": "antes de Cristo", "d.c.": "después de Cristo",
    "p.ej.": "por ejemplo", "ene.": "enero", "feb.": "febrero", "abr.": "abril", "ago.": "agosto",
    "sept.": "septiembre", "oct.": "octubre", "nov.": "noviembre", "dic.": "diciembre",
}  # fmt: skip
PAIRS = {
    ("p.", "ej."): "por ejemplo", ("ee.", "uu."): "Estados Unidos", ("a.", "c."): "antes de Cristo",
    ("d.", "c."): "después de Cristo", ("a.", "m."): "de la mañana", ("p.", "m."): "de la tarde",
}  # fmt: skip
MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
    "noviembre", "diciembre",
)  # fmt: skip
SYMBOLS = {
    "&": "y", "+": "más", "=": "igual a", "@": "arroba", "%": "por ciento", "×": "por", "<": "menor que",
    ">": "mayor que", "~": "aproximadamente", "°": "grados", "§": "sección",
}  # fmt: skip
LETTERS = {
    "a": "a", "b": "be", "c": "ce", "d": "de", "e": "e", "f": "efe", "g": "ge", "h": "hache", "i": "i",
    "j": "jota", "k": "ka", "l": "ele", "m": "eme", "n": "ene", "ñ": "eñe", "o": "o", "p": "pe", "q": "cu",
    "r": "erre", "s": "ese", "t": "te", "u": "u", "v": "uve", "w": "uve doble", "x": "equis", "y": "ye",
    "z": "zeta",
}  # fmt: skip
# Acronyms that can be said as a word; others are spelled.
SYLLABLES = re.compile(
    r"(?:(?:[BCDFGKPT][LR]|[BCDFGHJKLMNPQRSTVZ])?[AEIOUÁÉÍÓÚ]+(?:[LMNRSZDBPTCX](?![LR]?[AEIOUÁÉÍÓÚ]))?)+"
)
ROMAN = re.compile(r"(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,3})")
ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:[\w-]+\.)+(?:com|org|net|io|gov|edu|tv|es|mx|ar|co|cl|pe|eu|app|dev)(?:/\S*)?",
    re.IGNORECASE,
)
# Nouns with these endings are feminine ("doscientas cajas"); these words are masculine all the same.
FEMININE = re.compile(
    r"(?i).*(?:as?|ci[oó]n(?:es)?|si[oó]n(?:es)?|dad(?:es)?|veces|noches|mujeres|partes|leyes)"
)
MASCULINE = re.compile(
    r"(?i)d[ií]as?|.*(?:gramas?|blemas?|stemas?|planetas?|idiomas?|temas?|mapas?|kilogramos?)"
)


def spoken_pair(word: str, following: str) -> str | None:
    """Return how two words are said that are read as one ("3,50 €", "$3 millones", "EE. UU.")."""
    lead, core, trail = AFFIXES.fullmatch(following).groups()  # type: ignore[union-attr]
    opened = word.lstrip("(\"'“«¿¡")
    fixed = PAIRS.get((opened.lower(), f"{core}.".lower())) if trail.startswith(".") else None
    if fixed and not lead:
        return fixed + breath(trail[1:])
    if re.fullmatch(NUMBER, opened) and core in CURRENCIES and not lead:
        return _amount(opened, core) + breath(trail)
    money = re.fullmatch(rf"({SIGN})({NUMBER})", opened)
    if money and core.lower() in MAGNITUDES:
        of = "" if core.lower() == "mil" else "de "
        amount_of = f"{numbers.decimal(money[2], noun=True)} {core.lower()} {of}{CURRENCIES[money[1]][1]}"
        return amount_of + breath(trail)
    if opened in CURRENCIES and re.fullmatch(NUMBER, core):  # "S/ 20"
        return _amount(core, opened) + breath(trail)
    return None


def spoken_word(word: str, previous: str, following: str) -> str:
    """Return how a word is said between its neighbours, with the punctuation at which the voice pauses."""
    _, core, trail = AFFIXES.fullmatch(word).groups()  # type: ignore[union-attr]
    dotted = f"{core}." if trail.startswith(".") else core
    for written, rest in ((dotted, trail[1:]), (core, trail)):
        if written.lower() in ABBREVIATIONS:
            return ABBREVIATIONS[written.lower()] + breath(rest if written != core else trail)
    if not core:
        return breath(word) if word.strip("-–—") else "—"
    spoken = _core(core, previous, following)
    return f"{spoken}{breath(trail)}" if spoken else ""


def unnormalized(word: str) -> str:
    """Read figures digit by digit, without currency, unit or grouping."""
    pieces = re.findall(r"\d|[^\W\d_]+", word)
    read = " ".join(numbers.digits(piece) if piece in "0123456789" else _letters(piece) for piece in pieces)
    spoken = " ".join(read.split())
    return spoken + breath(re.search(r"\W*$", word).group()) if spoken else ""  # type: ignore[union-attr]


def _core(core: str, previous: str, following: str) -> str:
    if ADDRESS.fullmatch(core):
        return _address(core)
    if core in SYMBOLS:
        return SYMBOLS[core]
    if core in UNITS and re.search(r"\d[)]?$", previous):
        one, many, _ = UNITS[core]
        return one if re.fullmatch(r"\D*1", previous) else many
    if core.startswith("@"):
        return f"arroba {_letters(core[1:])}"
    for pattern, say in FIGURES:
        if found := pattern.fullmatch(core):
            return say(found, following)
    if any(character.isdecimal() and character.isascii() for character in core):
        return _mixed(core)
    if core.isupper() and core.isalpha():
        return _capitals(core, previous)
    return _letters(core)


def _counted(figures: str, following: str) -> str:
    """Convert a number as the word after it asks: "veintiún kilómetros", "doscientas cajas"."""
    noun = AFFIXES.fullmatch(following)[2]  # type: ignore[index]
    if noun in UNITS:
        return numbers.decimal(figures, noun=True, feminine=UNITS[noun][2])
    counts = (
        len(noun) > 3 and noun.isalpha() and noun.islower() and noun not in ("para", "como", "hasta", "desde")
    )
    feminine = counts and bool(FEMININE.fullmatch(noun)) and not MASCULINE.fullmatch(noun)
    return numbers.decimal(figures, noun=counts, feminine=feminine)


def _amount(figures: str, sign: str) -> str:
    one, many, feminine = CURRENCIES[sign]
    whole, _, cents = numbers.parts(figures)
    if len(cents) == 3:  # $1,200 in Mexico: no currency has three decimals
        whole, cents = whole + cents, ""
    if cents.strip("0") and len(cents) != 2:
        return f"{numbers.decimal(figures)} {many}"
    spoken = f"{numbers.decimal(whole, noun=True, feminine=feminine)} {one if whole == '1' else many}"
    return f"{spoken} con {numbers.cardinal(int(cents))}" if cents.strip("0") else spoken


def _date(day: str, month: str, year: str) -> str:
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return " ".join(numbers.cardinal(int(part)) for part in (day, month, year))
    return f"{numbers.cardinal(int(day))} de {MONTHS[int(month) - 1]} de {numbers.cardinal(int(year))}"


def _clock(found: re.Match[str], _: str) -> str:
    hour, minutes = numbers.cardinal(int(found[1]), noun=True, feminine=True), int(found[2])
    if minutes == 0:
        return hour
    return f"{hour} y {numbers.cardinal(minutes)}"


def _range(found: re.Match[str], following: str) -> str:
    spoken = f"{_counted(found[1], following)} a {_counted(found[2], following)}"
    return f"{spoken} por ciento" if found[3] else spoken


def _version(found: re.Match[str], _: str) -> str:
    spoken = " punto ".join(numbers.cardinal(int(part)) for part in found[1].split("."))
    return f"versión {spoken}" if found[0].startswith("v") else spoken


def _with_unit(found: re.Match[str], _: str) -> str:
    one, many, feminine = UNITS[found[2]]
    return f"{numbers.decimal(found[1], noun=True, feminine=feminine)} {one if found[1] == '1' else many}"


def _ordinal(found: re.Match[str], _: str) -> str:
    ending = {"º": "o", "°": "o", "ª": "a"}.get(found[2], found[2])
    return numbers.ordinal(int(found[1]), ending)


FIGURES: list[tuple[re.Pattern[str], Callable[[re.Match[str], str], str]]] = [
    (re.compile(rf"({SIGN})({NUMBER})"), lambda found, _: _amount(found[2], found[1])),
    (re.compile(rf"({NUMBER})({SIGN})"), lambda found, _: _amount(found[1], found[2])),
    (re.compile(rf"({NUMBER})"), lambda found, following: _counted(found[1], following)),
    (re.compile(rf"[−-]({NUMBER})"), lambda found, following: "menos " + _counted(found[1], following)),
    (re.compile(rf"\+({NUMBER})"), lambda found, following: "más " + _counted(found[1], following)),
    (re.compile(rf"~({NUMBER})"), lambda found, following: "unos " + _counted(found[1], following)),
    (re.compile(rf"({NUMBER})%"), lambda found, _: numbers.decimal(found[1]) + " por ciento"),
    (re.compile(rf"#({NUMBER})"), lambda found, _: "número " + numbers.decimal(found[1])),
    (re.compile(r"(\d{4})-(\d\d)-(\d\d)"), lambda found, _: _date(found[3], found[2], found[1])),
    (re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})"), lambda found, _: _date(*found.groups())),
    (re.compile(r"v?(\d+(?:\.\d+)+)"), _version),
    (re.compile(rf"({NUMBER})[-–—]({NUMBER})(%)?"), _range),
    (re.compile(r"(\d{1,4})\.?([ºª°]|er|os?|as?)"), _ordinal),
    (re.compile(r"(\d{1,2}):([0-5]\d)"), _clock),
    (re.compile(rf"({NUMBER})[×x]"), lambda found, _: numbers.decimal(found[1]) + " veces"),
    (re.compile(rf"({NUMBER})({UNIT})"), _with_unit),
]


def _capitals(core: str, previous: str) -> str:
    """Return how a word in capitals is said: a Roman number, an acronym as a word, or its letters."""
    before = previous.strip("(\"'“«¿¡,").lower()
    if len(core) == 1:
        counted = core in "VX" and before in ("siglo", "siglos", "capítulo", "tomo", "acto")
        return numbers.cardinal(_roman(core)) if counted else _letters(core)
    if ROMAN.fullmatch(core):
        number = _roman(core)
        if previous[:1].isupper() and number <= 10:  # Felipe II, Isabel II
            return numbers.ordinal(number, "a" if before.endswith("a") or before == "isabel" else "o")
        return numbers.cardinal(number)
    if len(core) <= 6 and not SYLLABLES.fullmatch(core):
        return _spelled(core)
    return _letters(core)


def _roman(figures: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[figure] for figure in figures]
    return sum(-value if value < max(values[place:]) else value for place, value in enumerate(values))


def _spelled(letters: str) -> str:
    names = (LETTERS.get(letter, "") for letter in letters.lower())
    return " ".join(name for name in names if name)


def _address(core: str) -> str:
    names = {".": "punto", "/": "barra", "@": "arroba", "-": "guion", "_": "guion bajo", ":": "dos puntos"}
    plain = re.sub(r"^https?://", "", core, flags=re.IGNORECASE)
    plain = re.sub(r"^www\.|[?#].*$|/$", "", plain, flags=re.IGNORECASE)
    pieces = re.findall(r"[^\W\d_]+|\d+|[./@_:-]", plain)
    return " ".join(
        names.get(piece)
        or (numbers.digits(piece) if piece.isdecimal() and piece.isascii() else _letters(piece))
        for piece in pieces
    )


def _mixed(core: str) -> str:
    """Convert "16-bit" to "dieciséis bit", "A320" to "A trescientos veinte"."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", core)
    spoken = [numbers.decimal(piece) if piece[0] in "0123456789" else _letters(piece) for piece in pieces]
    return " ".join(" ".join(spoken).split())


def _letters(core: str) -> str:
    """Return Latin letters as words: signs between them divide words, other scripts are silent.

    A lone consonant is named; #CablesDelMar is three words.
    """
    opened = (
        re.sub(r"[—–]|--+", "— ", unicodedata.normalize("NFC", core))
        .replace("&", " y ")
        .replace("@", " arroba ")
    )
    divided = re.sub(r"(?<=[a-záéíóúüñ])(?=[A-ZÁÉÍÓÚÑ])", " ", re.sub(r"[^\w—]|_", " ", opened))
    heard = [
        "".join(character for character in word if character == "—" or _is_latin(character))
        for word in divided.split()
    ]
    return " ".join(
        _spelled(word) if len(word) == 1 and word.lower() not in "aeiouyáéíóú—" else word
        for word in heard
        if word
    )


def _is_latin(character: str) -> bool:
    return (
        character.isalpha()
        and unicodedata.normalize("NFKD", character)[0].lower() in "abcdefghijklmnopqrstuvwxyz"
    )

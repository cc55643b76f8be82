"""Convert written English words to spoken ones: figures, units, currencies, abbreviations, addresses. Pure.

Only ASCII letters, apostrophes, hyphens and the punctuation at which the voice pauses reach the phonemes.
"""

import re
import unicodedata

from local.voice.english import numbers
from local.voice.punctuation import AFFIXES, INITIALS, breath

NUMBER = r"\d[\d,]*(?:\.\d+)?|\.\d+"
CURRENCIES = {
    "$": ("dollar", "dollars", "cents"),
    "€": ("euro", "euros", "cents"),
    "£": ("pound", "pounds", "pence"),
    "¥": ("yen", "yen", "sen"),
}
MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "b": "billion",
    "bn": "billion",
    "t": "trillion",
    "tn": "trillion",
}
MAGNITUDE_WORDS = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
# (singular, plural). Only these spellings match, so that m and M are not mixed up.
UNITS = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "nm": ("nanometer", "nanometers"), "kg": ("kilogram", "kilograms"),
    "g": ("gram", "grams"), "mg": ("milligram", "milligrams"), "t": ("ton", "tons"),
    "l": ("liter", "liters"), "L": ("liter", "liters"), "ml": ("milliliter", "milliliters"),
    "ft": ("foot", "feet"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "mi": ("mile", "miles"), "mph": ("mile per hour", "miles per hour"),
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "kph": ("kilometer per hour", "kilometers per hour"), "m/s": ("meter per second", "meters per second"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"),
    "GHz": ("gigahertz", "gigahertz"), "B": ("byte", "bytes"), "KB": ("kilobyte", "kilobytes"),
    "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"), "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"),
    "MW": ("megawatt", "megawatts"), "GW": ("gigawatt", "gigawatts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"), "kV": ("kilovolt", "kilovolts"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"), "K": ("kelvin", "kelvin"), "s": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"), "min": ("minute", "minutes"), "h": ("hour", "hours"),
    "hrs": ("hour", "hours"), "km²": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"), "m³": ("cubic meter", "cubic meters"),
    "bps": ("bit per second", "bits per second"), "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "Tbps": ("terabit per second", "terabits per second"),
}  # fmt: skip
# After a figure, K, M or B means the magnitude ("450K subscribers"), not kelvin or bytes.
ATTACHED = {unit: words for unit, words in UNITS.items() if unit not in {"K", "B", "t"}}
ABBREVIATIONS = {
    "dr.": "Doctor", "mr.": "Mister", "mrs.": "Missus", "ms.": "Miz", "prof.": "Professor", "st.": "Saint",
    "vs.": "versus", "vs": "versus", "e.g.": "for example", "i.e.": "that is", "etc.": "et cetera",
    "approx.": "approximately", "no.": "number", "jr.": "Junior", "sr.": "Senior", "mt.": "Mount",
    "fig.": "figure", "inc.": "Incorporated", "ltd.": "Limited", "co.": "Company", "corp.": "Corporation",
    "dept.": "department",
    "jan.": "January", "feb.": "February", "aug.": "August", "sept.": "September",
    "oct.": "October", "nov.": "November", "dec.": "December",
}  # fmt: skip
SYMBOLS = {
    "&": "and",
    "+": "plus",
    "=": "equals",
    "@": "at",
    "%": "percent",
    "×": "times",
    "<": "less than",
    ">": "greater than",
    "~": "about",
    "°": "degrees",
    "§": "section",
}
LETTERS = {
    "ß": "ss",
    "æ": "ae",
    "Æ": "Ae",
    "œ": "oe",
    "Œ": "Oe",
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
    "þ": "th",
    "Þ": "Th",
    "ð": "d",
}
ADDRESS = re.compile(
    r"(?:https?://|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|(?:[\w-]+\.)+(?:com|org|net|io|gov|edu|tv|co|uk|de|fr|es|ai|app|dev)(?:/\S*)?",
    re.IGNORECASE,
)
# The letter-to-sound model reads letter by letter; longer unbroken words are cut here.
LONGEST_WORD = 40


def unnormalized(word: str) -> str:
    """Read figures digit by digit, without currency, unit or grouping: "$3.50" is "three five zero"."""
    pieces = re.findall(r"\d|[^\W\d_]+", word)
    read = " ".join(
        numbers.digits(piece) if piece.isdecimal() and piece.isascii() else _letters(piece)
        for piece in pieces
    )
    spoken = " ".join(read.split())
    return spoken + breath(re.search(r"\W*$", word).group()) if spoken else ""  # type: ignore[union-attr]


def spoken_pair(word: str, following: str) -> str | None:
    """Convert "$3.5" before "million," to "three point five million dollars,".

    None if the next word is not a magnitude.
    """
    money = re.fullmatch(rf"([(\"“]*)(?:US)?([$€£¥])({NUMBER})", word)
    magnitude = re.match(r"([A-Za-z]+)(\W*)$", following)
    if not money or not magnitude or magnitude[1].lower() not in MAGNITUDE_WORDS:
        return None
    return (
        f"{numbers.decimal(money[3])} {magnitude[1].lower()} {CURRENCIES[money[2]][1]}{breath(magnitude[2])}"
    )


def spoken_word(word: str, previous: str, following: str) -> str:
    """Return how a word is said between its neighbours, with the punctuation at which the voice pauses."""
    lead, core, trail = AFFIXES.fullmatch(word).groups()  # type: ignore[union-attr]
    dotted = core + "." if trail.startswith(".") else core
    if dotted.lower() in ABBREVIATIONS and not (dotted.lower() == "no." and not following[:1].isdigit()):
        return ABBREVIATIONS[dotted.lower()] + breath(trail[1:] if dotted != core else trail)
    if INITIALS.fullmatch(dotted):
        return dotted + breath(trail[1:])
    if not core:
        return breath(word) if word.strip("-–—") else "—"
    if lead.endswith(("'", "‘", "’")) and re.fullmatch(r"\d0s", core):
        return numbers.decade(int(core[:-1])) + breath(trail)
    spoken = _core(core, previous, following)
    return spoken + breath(trail) if spoken else ""


def _core(core: str, previous: str, following: str) -> str:
    if ADDRESS.fullmatch(core):
        return _address(core)
    if core in SYMBOLS:
        return SYMBOLS[core]
    if core.isdecimal() and re.fullmatch(r"\+\d{1,3}", previous):
        return numbers.digits(core)  # the area of a telephone number
    if core in UNITS and re.search(r"\d[)]?$", previous):
        return UNITS[core][0 if re.fullmatch(r"\D*1", previous) else 1]
    for pattern, say in FIGURES:
        found = pattern.fullmatch(core)
        if found:
            return say(found, following)
    if any(character.isdecimal() and character.isascii() for character in core):
        return _mixed(core)
    return _letters(core)


def _plain(figures: str, following: str = "") -> str:
    """Convert a number on its own.

    Four figures without a comma from 1500 to 2099 are a year, unless a unit follows.
    """
    if re.fullmatch(r"1[5-9]\d\d|20\d\d", figures) and following.strip(".,;:!?)") not in UNITS:
        return numbers.year(int(figures))
    return (
        numbers.decimal(figures)
        if len(figures.replace(",", "").partition(".")[0]) <= 18
        else numbers.digits(re.sub(r"\D", "", figures))
    )


def _money(found: re.Match[str], _: str) -> str:
    one, many, cents = CURRENCIES[found[1]]
    if found[3]:
        return f"{numbers.decimal(found[2])} {MAGNITUDES[found[3].lower()]} {many}"
    whole, _, fraction = found[2].replace(",", "").partition(".")
    spoken = f"{numbers.decimal(whole or '0')} {one if whole == '1' else many}"
    return (
        f"{spoken} and {numbers.cardinal(int(fraction))} {cents}"
        if len(fraction) == 2 and int(fraction)
        else spoken
    )


def _range(found: re.Match[str], following: str) -> str:
    return f"{_plain(found[1], following)} to {_plain(found[2], following)}{' percent' if found[3] else ''}"


def _version(found: re.Match[str], _: str) -> str:
    """Convert "3.13.1" to "three point thirteen point one"."""
    spoken = " point ".join(numbers.cardinal(int(part)) for part in found[1].split("."))
    return f"version {spoken}" if found[0].startswith("v") else spoken


def _clock(found: re.Match[str], _: str) -> str:
    minutes = int(found[2])
    return numbers.cardinal(int(found[1])) + (
        "" if minutes == 0 else f" {'oh ' if found[2][0] == '0' else ''}{numbers.cardinal(minutes)}"
    )


def _with_unit(found: re.Match[str], _: str) -> str:
    return f"{numbers.decimal(found[1])} {ATTACHED[found[2]][0 if found[1] == '1' else 1]}"


FIGURES = [
    (re.compile(rf"(?:US)?([$€£¥])({NUMBER})(k|K|M|m|B|b|bn|T|tn)?"), _money),
    (re.compile(rf"[−-]({NUMBER})"), lambda found, following: "minus " + _plain(found[1], following)),
    (re.compile(rf"\+({NUMBER})"), lambda found, following: "plus " + _plain(found[1], following)),
    (re.compile(rf"({NUMBER})%"), lambda found, _: numbers.decimal(found[1]) + " percent"),
    (re.compile(rf"#({NUMBER})"), lambda found, _: "number " + numbers.decimal(found[1])),
    (re.compile(rf"~({NUMBER})"), lambda found, following: "about " + _plain(found[1], following)),
    (re.compile(r"(\d{3})-(0\d{3})"), lambda found, _: " ".join(map(numbers.digits, found.groups()))),
    (re.compile(r"v?(\d+(?:\.\d+){2,})"), _version),
    (re.compile(rf"({NUMBER})[-–—]({NUMBER})(%)?"), _range),
    (re.compile(r"(\d{1,4})(?:st|nd|rd|th)", re.IGNORECASE), lambda found, _: numbers.ordinal(int(found[1]))),
    (re.compile(r"['’]?(\d{1,3}0)s"), lambda found, _: numbers.decade(int(found[1]))),
    (re.compile(r"(\d{1,2}):([0-5]\d)"), _clock),
    (re.compile(rf"({NUMBER})[×x]"), lambda found, _: numbers.decimal(found[1]) + " times"),
    (
        re.compile(rf"({NUMBER})(bn|tn|[KMB])"),
        lambda found, _: f"{numbers.decimal(found[1])} {MAGNITUDES[found[2].lower()]}",
    ),
    (
        re.compile(rf"({NUMBER})({'|'.join(sorted(map(re.escape, ATTACHED), key=len, reverse=True))})"),
        _with_unit,
    ),
    (re.compile(rf"({NUMBER})"), lambda found, following: _plain(found[1], following)),
]


def _address(core: str) -> str:
    names = {".": "dot", "/": "slash", "@": "at", "-": "dash", "_": "underscore", ":": "colon"}
    plain = re.sub(r"^https?://", "", core, flags=re.IGNORECASE)
    plain = re.sub(r"^www\.|[?#].*$|/$", "", plain, flags=re.IGNORECASE)
    pieces = re.findall(r"[A-Za-z']+|\d+|[./@_:-]", plain)
    return " ".join(
        names.get(piece) or (numbers.digits(piece) if piece.isdigit() else _letters(piece))
        for piece in pieces
    )


def _mixed(core: str) -> str:
    """Convert "16-bit" to "sixteen bit", "A320" to "A three two zero", "4K" to "four K"."""
    pieces = re.findall(r"[0-9][0-9,]*(?:\.[0-9]+)?|[^0-9]+", core)
    spoken = [
        (_figure(piece.rstrip(",")) if piece[0].isdecimal() else _letters(re.sub(r"[-–—/+]", " ", piece)))
        for piece in pieces
    ]
    return " ".join(" ".join(spoken).split())


def _figure(figures: str) -> str:
    plain = figures.replace(",", "")
    glued = len(plain) > 2 and plain.isdigit() and "," not in figures
    return (
        numbers.digits(plain)
        if glued and not re.fullmatch(r"1[5-9]\d\d|20\d\d|\d+00", plain)
        else _plain(figures)
    )


def _letters(core: str) -> str:
    """Fold Latin letters to ASCII.

    Dashes inside become a pause, slashes a space; other scripts and signs are silent.
    """
    opened = re.sub(r"[—–]|--+", "— ", core).replace("’", "'").replace("&", " and ").replace("@", " at ")
    folded = unicodedata.normalize("NFKD", "".join(LETTERS.get(character, character) for character in opened))
    words = re.sub(r"[/_.+,;:]", " ", folded)
    heard = "".join(
        character
        for character in words
        if (character.isascii() and character.isalpha()) or character in " '-—"
    )
    return " ".join(word.strip("-")[:LONGEST_WORD] for word in heard.split() if re.search(r"[A-Za-z]", word))

"""Write figures as words, as a Spanish narrator says them. Pure."""

import re

SMALL = (
    "cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce",
    "trece", "catorce", "quince", "dieciséis", "diecisiete", "dieciocho", "diecinueve", "veinte", "veintiuno",
    "veintidós", "veintitrés", "veinticuatro", "veinticinco", "veintiséis", "veintisiete", "veintiocho",
    "veintinueve",
)  # fmt: skip
TENS = (
    "-", "-", "-", "treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa",
)  # fmt: skip
HUNDREDS = (
    "-", "ciento", "doscientos", "trescientos", "cuatrocientos", "quinientos", "seiscientos", "setecientos",
    "ochocientos", "novecientos",
)  # fmt: skip
SCALES = (("", ""), ("millón", "millones"), ("billón", "billones"))  # each a million times the one before
ORDINALS = (
    "",
    "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo",
)  # fmt: skip
# Beyond the last scale a figure is read digit by digit.
LARGEST = 1_000_000 ** len(SCALES)


def digits(figures: str) -> str:
    return " ".join(SMALL[int(figure)] for figure in figures)


def cardinal(number: int, *, noun: bool = False, feminine: bool = False) -> str:
    """Convert 21 to "veintiuno", before a noun "veintiún", before a feminine noun "veintiuna"."""
    if number >= LARGEST:
        return digits(str(number))
    words = []
    for power in range(len(SCALES) - 1, 0, -1):
        if group := number // 1_000_000**power % 1_000_000:
            words += [_below_million(group, noun=True, feminine=False), SCALES[power][group > 1]]
    if number % 1_000_000 or not words:
        words.append(_below_million(number % 1_000_000, noun=noun, feminine=feminine))
    return " ".join(words)


def _below_million(number: int, *, noun: bool, feminine: bool) -> str:
    thousands, rest = divmod(number, 1000)
    words = []
    if thousands:
        words = (["mil"] if thousands == 1 else
                 [_below_thousand(thousands, noun=True, feminine=feminine), "mil"])  # fmt: skip
    if rest or not words:
        words.append(_below_thousand(rest, noun=noun, feminine=feminine))
    return " ".join(words)


def _below_thousand(number: int, *, noun: bool, feminine: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if number == 100:
        return "cien"
    words = [HUNDREDS[hundreds]] if hundreds else []
    if feminine and hundreds > 1:
        words[0] = words[0][:-2] + "as"
    if rest < 30:
        words += [SMALL[rest]] if rest or not hundreds else []
    else:
        words.append(TENS[rest // 10] + (f" y {SMALL[rest % 10]}" if rest % 10 else ""))
    spoken = " ".join(words)
    if not spoken.endswith("uno"):
        return spoken
    if feminine:
        return f"{spoken[:-1]}a"
    return (
        spoken if not noun else "veintiún".join(spoken.rsplit("veintiuno", 1)) if rest == 21 else spoken[:-1]
    )


def parts(figures: str) -> tuple[str, str, str]:
    """Divide a number into its whole part, the decimal mark and its decimals.

    "1.234,5" and "1,234.5" (as Mexico writes it) are both 1234 and 5; "1.234" is 1234, "1.5" is 1 and 5.
    """
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+\.\d+|\d{1,3}(?:,\d{3}){2,}", figures):
        whole, mark, fraction = figures.replace(",", "").partition(".")
    elif re.fullmatch(r"\d+\.(?:\d{1,2}|\d{4,})", figures):
        whole, mark, fraction = figures.partition(".")
    else:
        whole, mark, fraction = figures.replace(".", "").partition(",")
    return whole, mark, fraction


def decimal(figures: str, *, noun: bool = False, feminine: bool = False) -> str:
    """Convert "3,50" to "tres coma cinco cero", "3.5" to "tres punto cinco".

    A number with a leading zero is read digit by digit.
    """
    whole, mark, fraction = parts(figures)
    if fraction:
        noun = feminine = False
    zeros = len(whole) > 1 and whole.startswith("0")
    spoken = digits(whole) if zeros else cardinal(int(whole), noun=noun, feminine=feminine)
    return f"{spoken} {'punto' if mark == '.' else 'coma'} {digits(fraction)}" if fraction else spoken


def ordinal(number: int, ending: str) -> str:
    """Convert 3 with "a" to "tercera", with "er" to "tercer"; beyond 10 the cardinal number is said."""
    if not 1 <= number <= 10:
        return cardinal(number, noun=ending == "er", feminine=ending == "a")
    spoken = ORDINALS[number]
    return {"a": f"{spoken[:-1]}a", "er": spoken[:-1]}.get(ending, spoken)

"""Write figures as words, as an American narrator says them. Pure."""

SMALL = (
    *(
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
    ),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
IRREGULAR_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
# Beyond the last scale a figure is read digit by digit.
LARGEST = 1000 ** len(SCALES)


def digits(figures: str) -> str:
    return " ".join(SMALL[int(figure)] for figure in figures)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [SMALL[hundreds], "hundred"] if hundreds else []
    if 0 < rest < 20:
        words.append(SMALL[rest])
    elif rest:
        words.append(TENS[rest // 10])
        words += [SMALL[rest % 10]] if rest % 10 else []
    return " ".join(words)


def cardinal(number: int) -> str:
    if number == 0:
        return SMALL[0]
    if number >= LARGEST:
        return digits(str(number))
    words = []
    for power in range(len(SCALES) - 1, -1, -1):
        group = number // 1000**power % 1000
        if group:
            words += [_below_thousand(group), SCALES[power]]
    return " ".join(word for word in words if word)


def decimal(figures: str) -> str:
    """Convert "3.50" to "three point five zero".

    Commas group digits; a number with a leading zero is read digit by digit.
    """
    whole, _, fraction = figures.replace(",", "").partition(".")
    spoken = digits(whole) if len(whole) > 1 and whole.startswith("0") else cardinal(int(whole or "0"))
    return f"{spoken} point {digits(fraction)}" if fraction else spoken


def ordinal(number: int) -> str:
    head, _, last = cardinal(number).rpartition(" ")
    regular = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{head} {IRREGULAR_ORDINALS.get(last, regular)}".strip()


def year(number: int) -> str:
    """Convert a year: 1969 → "nineteen sixty nine", 1905 → "nineteen oh five"."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decade(number: int) -> str:
    """Convert a decade: 1960 → "nineteen sixties", 90 → "nineties"."""
    head, _, last = (year(number) if number >= 100 else cardinal(number)).rpartition(" ")
    last = last[:-1] + "ies" if last.endswith("y") else last + "s"
    return f"{head} {last}".strip()

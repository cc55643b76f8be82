"""Read what the figure of a number card measures: its unit as a sign, its share of a whole, its count.

From that follows what moves around the figure on its card, the card's motif.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

type Motif = Literal["ring", "dots", "dial", "scale", "streaks", "pulse"]
type _Measure = Literal["share", "count", "time", "rate", "length", "other"]
# What fits a measure, the best first. A figure over time or distance has no dots to count.
_MOTIFS: dict[_Measure, tuple[Motif, ...]] = {
    "share": ("ring", "dots"),
    "count": ("dots", "pulse", "streaks"),
    "time": ("dial", "pulse"),
    "rate": ("streaks", "dial", "pulse"),
    "length": ("scale", "streaks", "pulse"),
    "other": ("pulse", "streaks", "scale"),
}
# More dots than these can't be told apart on a phone.
MOST_DOTS = 240
# Words of units in English, Spanish, French and German, each with what it measures and its sign. Units
# without a sign keep their words.
_UNITS: dict[str, tuple[_Measure, str]] = {
    **dict.fromkeys(("kilometer", "kilometre", "kilómetro", "kilomètre", "km"), ("length", "km")),
    **dict.fromkeys(("meter", "metre", "metro", "mètre", "m"), ("length", "m")),
    **dict.fromkeys(("centimeter", "centimetre", "centímetro", "centimètre", "zentimeter"), ("length", "cm")),
    **dict.fromkeys(("millimeter", "millimetre", "milímetro", "millimètre"), ("length", "mm")),
    **dict.fromkeys(("mile", "milla", "meile", "foot", "feet"), ("length", "")),
    **dict.fromkeys(("millisecond", "milisegundo", "milliseconde", "millisekunde"), ("time", "ms")),
    **dict.fromkeys(("second", "segundo", "seconde", "sekunde"), ("time", "s")),
    **dict.fromkeys(("minute", "minuto"), ("time", "min")),
    **dict.fromkeys(("hour", "hora", "heure", "stunde"), ("time", "h")),
    **dict.fromkeys(("day", "día", "jour", "tag", "week", "semana", "semaine", "woche"), ("time", "")),
    **dict.fromkeys(("month", "mes", "mois", "monat", "year", "año", "an", "jahr", "century"), ("time", "")),
    **dict.fromkeys(("kilobit", "kbit"), ("other", "kbit")),
    **dict.fromkeys(("megabit", "mbit"), ("other", "Mbit")),
    **dict.fromkeys(("gigabit", "gbit"), ("other", "Gbit")),
    **dict.fromkeys(("terabit", "tbit"), ("other", "Tbit")),
    **dict.fromkeys(("megabyte", "mb"), ("other", "MB")),
    **dict.fromkeys(("gigabyte", "gb"), ("other", "GB")),
    **dict.fromkeys(("terabyte", "tb"), ("other", "TB")),
    **dict.fromkeys(("volt", "voltio"), ("other", "V")),
    **dict.fromkeys(("watt", "vatio"), ("other", "W")),
    **dict.fromkeys(("kilowatt", "kilovatio"), ("other", "kW")),
    **dict.fromkeys(("gram", "gramo", "gramme", "gramm"), ("other", "g")),
    **dict.fromkeys(("kilogram", "kilogramo", "kilogramme", "kilogramm"), ("other", "kg")),
    **dict.fromkeys(("ton", "tonne", "tonelada"), ("other", "t")),
}
_PER = {
    **dict.fromkeys(("second", "segundo", "seconde", "sekunde"), "s"),
    **dict.fromkeys(("minute", "minuto"), "min"),
    **dict.fromkeys(("hour", "hora", "heure", "stunde"), "h"),
}
_RATE = re.compile(r"^(?:per|a|an|each|every|por|a la|al|cada|par|pro|je)\s+([^\W\d_]+)\b\s*", re.IGNORECASE)
_OF = re.compile(r"^(?:of|de|du|des|d'|von|an)\s+", re.IGNORECASE)
_RANGE = re.compile(r"(?<=\d)\s+(?:to|a|à|bis)\s+(?=\d)")
_NUMBER = re.compile(r"\d+(?:[.,’ \u00a0\u202f]\d+)*")


@dataclass(frozen=True)
class Figure:
    """A figure as its card shows it.

    `value` has the sign of the unit, `label` the rest of what is counted. `share` is from 0 to 1 where it is
    a part of a whole, `count` a number of things that can be drawn.
    """

    value: str
    label: str | None
    measure: _Measure
    share: float | None = None
    count: int | None = None

    def as_plan(self, motif: Motif) -> dict[str, Any]:
        """Return the figure's part of a generated visual in the timeline."""
        return {"motif": motif, "share": self.share, "count": self.count}


def read(value: str, label: str | None) -> Figure:
    """Return the figure with its unit as a sign, such as ("200,000 km/s", None) of "kilometers per second".

    A label whose unit isn't known stays as it is.
    """
    shown, words = _RANGE.sub("–", value.strip()), (label or "").strip()
    counted = amount(shown)
    if "%" in shown or re.match(r"(?:percent|per cent|por ciento|pour cent|prozent)\b", words, re.IGNORECASE):
        share = counted / 100 if counted is not None and counted <= 100 else None
        return Figure(shown, label, "share" if share is not None else "other", share)
    first, _, rest = words.partition(" ")
    unit = _unit(first)
    if unit is None:
        whole = counted is not None and counted == int(counted) and 1 < counted <= MOST_DOTS
        if counted is not None and whole and shown.isdigit() and not _is_rate(rest):
            return Figure(shown, label, "count", None, int(counted))
        return Figure(shown, label, "other")
    measure, sign = unit
    per = _RATE.match(rest)
    if sign and per and (of := _singular(per[1], _PER)):
        return Figure(f"{shown} {sign}/{_PER[of]}", _rest(rest[per.end() :]), "rate")
    if sign and not per:
        return Figure(f"{shown} {sign}", _rest(rest), measure)
    return Figure(shown, label, measure)


def is_unit(word: str) -> bool:
    """Return True if the word or sign is a unit's."""
    return _unit(word) is not None


def motif(figure: Figure, before: str, used: Counter[str]) -> Motif:
    """Return what moves around the figure: what fits, not what the figure `before` had, the least used."""
    fitting = [each for each in _MOTIFS[figure.measure] if each != before]
    return min(fitting, key=lambda each: (used[each], fitting.index(each)))


def amount(value: str) -> float | None:
    """Return the number if the value has just one, without its magnitude."""
    found = _NUMBER.findall(value)
    if len(found) != 1:
        return None
    digits = re.sub(r"[.,’ \u00a0\u202f](?=\d{3}(?!\d))", "", found[0]).replace(",", ".")
    try:
        return float(digits)
    except ValueError:
        return None


def _unit(word: str) -> tuple[_Measure, str] | None:
    name = _singular(word, _UNITS)
    return _UNITS[name] if name else None


def _singular(word: str, known: dict[str, Any]) -> str | None:
    """Return the word as `known` has it, without the ending of its plural."""
    low = word.lower().strip(".,;:")
    return next((each for each in (low, *(low.removesuffix(end) for end in ("es", "s", "n", "e", "en")))
                 if each in known), None)  # fmt: skip


def _is_rate(rest: str) -> bool:
    return _RATE.match(rest) is not None


def _rest(words: str) -> str | None:
    return _OF.sub("", words.strip()) or None

"""Units, shares and counts of figures, and what moves around them."""

from collections import Counter

import pytest

from showrunner.production import figures


@pytest.mark.parametrize(
    ("value", "label", "shown", "rest", "measure"),
    [
        ("200,000", "kilometers per second", "200,000 km/s", None, "rate"),
        ("1.4 million", "kilometers of cable", "1.4 million km", "cable", "length"),
        ("30", "milliseconds", "30 ms", None, "time"),
        ("25", "years", "25", "years", "time"),
        ("200", "terabits every second", "200 Tbit/s", None, "rate"),
        ("16", "metros", "16 m", None, "length"),
        ("24", "horas", "24 h", None, "time"),
        ("12", "Stunden", "12 h", None, "time"),
        ("15,000", "volts", "15,000 V", None, "other"),
        ("150 to 200", "times a year", "150–200", "times a year", "other"),
        ("60 a 100", "kilómetros", "60–100 km", None, "length"),
        ("95%", "of the traffic", "95%", "of the traffic", "share"),
        ("150%", "more", "150%", "more", "other"),
        ("100", "repeaters", "100", "repeaters", "count"),
        ("600", "cables", "600", "cables", "other"),
        ("$40", "dollars a month", "$40", "dollars a month", "other"),
        ("3.5", "points", "3.5", "points", "other"),
        ("12", None, "12", None, "count"),
    ],
)
def test_a_unit_is_shown_as_its_sign(value, label, shown, rest, measure):
    found = figures.read(value, label)

    assert (found.value, found.label or None, found.measure) == (shown, rest, measure)


def test_shares_and_counts_are_drawn_as_they_are_said():
    assert figures.read("37 %", "of the ocean floor").share == pytest.approx(0.37)
    assert figures.read("37,5", "por ciento del agua").share == pytest.approx(0.375)
    assert figures.read("98", "words").count == 98
    assert figures.read("98", "words").share is None
    assert figures.read("4 millones", "personas").count is None


def test_motifs_fit_and_take_turns():
    used, before, shown = Counter(), "", []
    for _ in range(4):
        before = figures.motif(figures.read("40", "years"), before, used)
        used[before] += 1
        shown.append(before)

    assert shown == ["dial", "pulse", "dial", "pulse"]
    assert figures.motif(figures.read("95%", None), "", Counter()) == "ring"

"""production/palettes.py: colours of a channel can be read."""

import re

import pytest

from functions.render.picture import colour
from showrunner.channels.schemas import Palette
from showrunner.errors import InvalidRequest
from showrunner.production import palettes
from showrunner.web.body import checked


def refused(**given):
    with pytest.raises(InvalidRequest) as error:
        checked(Palette, given)
    (detail,) = error.value.details
    return detail["message"]


def test_the_default_palette_can_be_read():
    assert palettes.faults({}) == []


@pytest.mark.parametrize(
    ("first", "second"), [("#ffffff", "#000000"), ("#ff6600", "#123456"), ("#777777", "#ffffff")]
)
def test_contrast_is_what_the_renderer_measures(first, second):
    measured = colour.contrast(colour.parse(first), colour.parse(second))

    assert palettes.contrast(first, second) == pytest.approx(measured, abs=1e-3)


@pytest.mark.parametrize(
    "given",
    [
        {"text": "#ffffff", "background": "#ffffff", "surface": "#eeeeee", "accent": "#7a3b00"},
        {"text": "#f8fafc", "background": "#f0f0f0", "surface": "#ffffff", "accent": "#7a3b00"},
        {"text": "#333333"},
        {"accent": "#101820"},
        {"background": "#808080", "surface": "#7f7f7f", "accent": "#000000"},
    ],
)
def test_an_unreadable_palette_is_refused_with_the_nearest_colour_that_is_readable(given):
    message = refused(**given)
    name, nearest = re.search(r"(text|accent) #\w{6} on .*; (#\w{6}) can be read", message).groups()

    assert "4.5:1 is needed" in message
    assert palettes.faults(given | {name: nearest}) == []


def test_grounds_that_no_colour_can_be_read_on_are_named():
    message = refused(background="#ffffff", surface="#333333", text="#ff0000", accent="#000000")

    assert message.endswith("choose another background")


def test_readable_colours_are_accepted():
    assert checked(
        Palette, {"background": "#FFFFFF", "surface": "#f4f4f4", "text": "#222222", "accent": "#b00020"}
    )

"""Colours of a channel: the default palette, and whether text can be read on it (WCAG 2 contrast)."""

# Dark ground, high contrast for captions, one warm accent.
DEFAULT = {
    "background": "#0f172a",
    "surface": "#1e293b",
    "primary": "#38bdf8",
    "accent": "#fbbf24",
    "text": "#f8fafc",
}
LEAST_CONTRAST = 4.5
# The letters of captions and the spoken word among them, and what they are drawn on.
_READ_ON = {"text": ("background", "surface"), "accent": ("background",)}
_STEPS = 50


def contrast(first: str, second: str) -> float:
    """Return the WCAG 2 contrast ratio of two colours like #ff6600, from 1 to 21."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def faults(given: dict[str, str]) -> list[str]:
    """Return what can't be read with these colours, each with the nearest colour that can.

    Colours that are not given have their default.
    """
    palette = DEFAULT | given
    found = []
    for name, grounds in _READ_ON.items():
        unreadable = [each for each in grounds if contrast(palette[name], palette[each]) < LEAST_CONTRAST]
        if unreadable:
            ground = unreadable[0]
            ratio = contrast(palette[name], palette[ground])
            nearest = nearest_readable(palette[name], [palette[each] for each in grounds])
            advice = f"{nearest} can be read" if nearest else f"choose another {ground}"
            found.append(
                f"{name} {palette[name]} on {ground} {palette[ground]} has a contrast of {ratio:.1f}:1, "
                f"at least {LEAST_CONTRAST}:1 is needed; {advice}"
            )
    return found


def nearest_readable(colour: str, grounds: list[str]) -> str | None:
    """Return the colour with as little white or black as it needs to be read on all the grounds.

    None if no such colour exists, because one ground is light and another dark.
    """
    for step in range(_STEPS + 1):
        for goal in (255, 0):
            candidate = _mixed(colour, goal, step / _STEPS)
            if all(contrast(candidate, ground) >= LEAST_CONTRAST for ground in grounds):
                return candidate
    return None


def _mixed(colour: str, goal: int, share: float) -> str:
    return "#" + "".join(f"{round(part + (goal - part) * share):02x}" for part in _parts(colour))


def _parts(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (each / 255 for each in _parts(colour))
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

"""Areas of a picture: marks and heading at the top, captions at the bottom, content between them.

Whatever is drawn as text or as a mark stays inside its own area, so nothing covers anything else.
"""

from dataclasses import dataclass

from render.plan.timeline import Output, Shot, Timeline, Visual
from render.text import styles

# Sizes as shares of the short side of the picture.
HEADING = 0.042
LOGO_WIDTH, LOGO_HEIGHT = 0.26, 0.09
DEMO = 0.024
_GAP = 0.021


@dataclass(frozen=True)
class Area:
    """A rectangle in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def short_side(output: Output) -> int:
    return min(output.width, output.height)


def heading_height(output: Output) -> int:
    """Return the height of the box behind a scene's heading: twice its letters' size."""
    return 2 * round(short_side(output) * HEADING)


def logo_top(output: Output, height: int) -> int:
    """Return the y of a logo: above the safe area of a tall picture, elsewhere in its upper margin."""
    edge = output.safe_area.top * output.height
    return round(max(4, edge - height * 1.35 if output.shape == "tall" else edge * 0.5))


def demo_height(output: Output) -> int:
    return round(round(short_side(output) * DEMO) * 1.75)


def demo_top(output: Output) -> int:
    """Return the y of the DEMO mark."""
    edge = output.safe_area.top * output.height
    return round(max(4, edge - demo_height(output) * 1.6 if output.shape == "tall" else edge * 0.6))


def heading_top(output: Output) -> int:
    return round(output.safe_area.top * output.height)


def content(timeline: Timeline, output: Output, heading: bool) -> Area:
    """Return the area for a title card or a generated scene. `heading`: the scene has one.

    Burned-in captions keep the room of two lines, because they move to the bottom for such a scene.
    """
    safe, gap = output.safe_area, short_side(output) * _GAP
    side = max(safe.left, safe.right, 0.07) * output.width
    bottom = (1 - safe.bottom) * output.height - caption_room(timeline, output)
    return Area(
        round(side),
        round(content_top(timeline, output, heading) + gap),
        round(output.width - side),
        round(bottom),
    )


def content_top(timeline: Timeline, output: Output, heading: bool) -> int:
    """Return the lower edge of whatever is at the top of the picture."""
    lowest = [heading_top(output)]
    if heading:
        lowest.append(heading_top(output) + heading_height(output))
    if timeline.logo:
        height = round(short_side(output) * LOGO_HEIGHT)
        lowest.append(logo_top(output, height) + height)
    if timeline.demo:
        lowest.append(demo_top(output) + demo_height(output))
    return max(lowest)


def caption_room(timeline: Timeline, output: Output) -> int:
    """Return the height that two lines of burned-in captions take above the lower edge of the safe area."""
    if timeline.captions is None or not timeline.captions.burn_in:
        return 0
    chosen = styles.resolve_style(timeline.captions, timeline.palette, output, timeline.language)
    return chosen.room + round(short_side(output) * _GAP)


def filled(timeline: Timeline) -> list[tuple[float, float, str]]:
    """Return when a title card or generated text fills the picture: (start, end, the text of a whole card).

    The text is empty where captions still say something that isn't on the card.
    """
    card = timeline.title_card
    times = [(card.start_s, card.end_s, "")] if card else []
    whole = [(shot, shot.visual.generated) for shot in timeline.shots if _has_text(shot)]
    return times + [(shot.start_s, shot.end_s, (card.text if card else "") or "") for shot, card in whole]


def shows_heading(heading: str | None, visual: Visual) -> bool:
    """Return True if there is a heading, and the generated text of the visual does not repeat it."""
    if not heading:
        return False
    plan = visual.card
    return not plan or _plain(heading) not in (_plain(plan.text), _plain(plan.label))


def _plain(text: str | None) -> str:
    return "".join(sign for sign in (text or "").casefold() if sign.isalnum())


def _has_text(shot: Shot) -> bool:
    return shot.visual.card is not None and shot.visual.card.template != "gradient"

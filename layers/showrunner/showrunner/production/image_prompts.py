"""Describe the images of a video to a model that draws them, all in one style."""

from showrunner.production.job import Job, Output
from showrunner.production.visuals import Shot

# How the images of a video look, by the style of its script.
_STYLES = {
    "educational": "a realistic photograph with soft daylight and one clear subject",
    "entertainment": "a lively photograph with strong colours and dramatic light",
    "news": "a sober documentary photograph with natural light",
}
# Sides that the models take: multiples of 16 pixels. A tall or wide one has its frame's shape exactly and is
# as large as the frame, so that little is enlarged while the renderer moves over it.
_TALL, _WIDE, _SQUARE = "1152x2048", "2048x1152", "1536x1536"
# What a channel says of itself, and what a picture can show of it.
_SAID = ("niche", "description")
# Longer texts say nothing more about a picture.
_TEXT = 300


def size(outputs: list[Output]) -> str:
    """Return the size of a video's images, such as 1152x2048: square if its outputs have several shapes."""
    if all(each.height > each.width for each in outputs):
        return _TALL
    return _WIDE if all(each.width > each.height for each in outputs) else _SQUARE


def prompt(job: Job, shot: Shot) -> str:
    """Return what is to be drawn for a shot. Everything but its subject is the same for the whole video."""
    subject = (shot.queries[0] if shot.queries else shot.visual.description)[:_TEXT]
    parts = [
        f"Subject: {subject}.",
        f"It illustrates this sentence of a video: {shot.text[:_TEXT]}",
        f"Style: {_STYLES[job.style]}.",
        f"Colours that the whole video shares: {', '.join(sorted(set(job.palette.values())))}.",
        *(f"The video's channel: {job.channel[name][:_TEXT]}." for name in _SAID if job.channel.get(name)),
        "No text, letters, numbers, logos, watermarks, borders or famous people.",
        f"Not in the picture: {', '.join(shot.avoid)}." if shot.avoid else "",
    ]
    return "\n".join(part for part in parts if part)

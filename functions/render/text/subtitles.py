"""Write caption pages as SRT and WebVTT files."""

from collections.abc import Sequence

from render.text.pages import Page


def srt(found: Sequence[Page]) -> str:
    """Return the pages as SubRip text."""
    return "".join(
        f"{number}\n{_clock(page.start_s, ',')} --> {_clock(page.end_s, ',')}\n{page.text()}\n\n"
        for number, page in enumerate(found, 1)
    )


def vtt(found: Sequence[Page], language: str) -> str:
    """Return the pages as WebVTT text. `language` is a BCP 47 tag."""
    cues = "".join(
        f"{_clock(page.start_s, '.')} --> {_clock(page.end_s, '.')}\n{_escaped(page.text())}\n\n"
        for page in found
    )
    return f"WEBVTT\nLanguage: {language}\n\n{cues}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    millis = round(seconds * 1000)
    hours, minutes = millis // 3_600_000, millis // 60_000 % 60
    return f"{hours:02d}:{minutes:02d}:{millis // 1000 % 60:02d}{point}{millis % 1000:03d}"

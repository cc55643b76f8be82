"""Turn a user's own text into a script, and any script into one that keeps all limits."""

import re

from showrunner.errors import InvalidRequest, ScriptRejected
from showrunner.production import cards, markup, tags
from showrunner.production.script import (
    HEADING_CHARACTERS,
    TAGS_CHARACTERS,
    TITLE_CHARACTERS,
    Scene,
    Script,
    tags_length,
)
from showrunner.production.segmentation import pieces, sentences
from showrunner.production.text import count_words, is_speakable

# Longest text of one recording. ElevenLabs' smallest limit is 3,000 characters (eleven_v3); a passage of this
# length takes a minute, and a picture that stands longer than that is a fault.
PASSAGE_CHARACTERS = 800
# Step Functions ends an execution after 25,000 events. A passage needs 14 (two Map iterations of 7), and 50
# with six retries of each of its two tasks.
MAX_PASSAGES = 480

# A passage of about ten seconds, and the shortest that a paragraph's end closes.
_CHUNK_WORDS, _SHORT_WORDS = 28, 12
# YouTube's lists cut longer titles off.
_TITLE_READABLE = 70


def manual(text: str, topic: str | None, language: str) -> Script:
    """Return the user's script as scenes. No model is asked, and no word is changed: see text.SCRIPT_RULE.

    Raises InvalidRequest if there is nothing to speak, or if it has too many parts for one video."""
    sections = markup.read(text)
    scenes = _manual_scenes(sections, language, _SHORT_WORDS)
    if len(scenes) > MAX_PASSAGES:
        scenes = _manual_scenes(sections, language, _CHUNK_WORDS)
    if not scenes:
        raise _refused("The script has nothing to speak: it needs a letter or a digit.")
    if len(scenes) > MAX_PASSAGES:
        raise _refused(
            f"The script has {len(scenes)} parts (headings, scene breaks, paragraphs); "
            f"at most {MAX_PASSAGES} fit a video."
        )
    first = sentences(scenes[0].narration, language)
    title = _shorten(topic or _title(sections, first[0]), TITLE_CHARACTERS)
    narration = " ".join(scene.narration for scene in scenes)
    named = [title, *(each.heading for each in sections)]
    return Script(
        title=title,
        description=_shorten(" ".join(first[:3]), 400),
        tags=tags.of_text(narration, named, language),
        hook="",
        scenes=scenes,
        call_to_action="",
    )


def _refused(message: str) -> InvalidRequest:
    return InvalidRequest(message, [{"field": "manual_script", "message": message}])


def _manual_scenes(sections: list[markup.Section], language: str, short_words: int) -> list[Scene]:
    """Fill passages with whole sentences.

    A paragraph ends its passage unless that has fewer than `short_words`.
    """
    scenes: list[Scene] = []
    for section in sections:
        heading = _shorten(section.heading, HEADING_CHARACTERS)
        chunks = _chunks(section.paragraphs, language, short_words)
        scenes += [
            Scene(heading=heading, narration=chunk, visual=cards.from_words(chunk, language))
            for chunk in chunks
        ]
    return scenes


def finished(script: Script, language: str) -> Script:
    """Return the script as it is stored: long narrations cut into scenes, tags within YouTube's limit.

    Raises ScriptRejected if it has more passages than one production can speak."""
    kept: list[str] = []
    for tag in dict.fromkeys(tag.strip().strip("#").strip() for tag in script.tags):
        if tag and not tags.is_empty(tag, language) and tags_length([*kept, tag]) <= TAGS_CHARACTERS:
            kept.append(tag)
    changes = {
        "title": script.title.strip(),
        "description": script.description.strip(),
        "tags": kept,
        "scenes": _cut_scenes(script.scenes, language),
    }
    result = script.model_copy(update=changes)
    if not 0 < len(result.passages) <= MAX_PASSAGES:
        raise ScriptRejected(f"it has {len(result.passages)} passages; there must be 1 to {MAX_PASSAGES}")
    return result


def _cut_scenes(scenes: list[Scene], language: str) -> list[Scene]:
    found: list[Scene] = []
    for scene in scenes:
        if len(scene.narration) <= PASSAGE_CHARACTERS:
            found.append(scene)
        else:
            found += [
                scene.model_copy(update={"narration": piece})
                for piece in pieces(scene.narration, PASSAGE_CHARACTERS, language)
            ]
    return found


def _chunks(paragraphs: list[str], language: str, short_words: int) -> list[str]:
    """Return the speakable sentences of the paragraphs, packed into passages, in order and unchanged."""
    chunks: list[str] = []
    current = ""
    for paragraph in paragraphs:
        for piece in _speakable_pieces(paragraph, language):
            joined = f"{current} {piece}".strip()
            if current and (count_words(joined) > _CHUNK_WORDS or len(joined) > PASSAGE_CHARACTERS):
                chunks.append(current)
                current = piece
            else:
                current = joined
        if count_words(current) >= short_words:
            chunks.append(current)
            current = ""
    return [*chunks, current] if current else chunks


def _speakable_pieces(paragraph: str, language: str) -> list[str]:
    found: list[str] = []
    for sentence in sentences(paragraph, language):
        found += [piece for piece in pieces(sentence, PASSAGE_CHARACTERS, language) if is_speakable(piece)]
    return found


def _title(sections: list[markup.Section], first: str) -> str:
    """Return the first heading, or else the first sentence if it is short, else its first clause."""
    heading = next((each.heading for each in sections if each.heading), None)
    if heading:
        return heading
    sentence = re.sub(r"[.。।]$", "", first)
    if len(sentence) <= _TITLE_READABLE:
        return sentence
    clause = re.split(r"[,;:–—，、；：،؛]", sentence, maxsplit=1)[0].strip()
    return clause if count_words(clause) >= 3 and len(clause) <= _TITLE_READABLE else _shorten(sentence, 60)


def _shorten(text: str, limit: int) -> str:
    """Return the text with at most `limit` characters, cut between words."""
    text = " ".join(re.sub(r"[<>]", "", text).split())
    return text if len(text) <= limit else text[: limit - 1].rsplit(" ", 1)[0] + "…"

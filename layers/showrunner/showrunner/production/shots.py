"""Divide passages into shots: parts of their words that have a picture of their own.

The division needs the words only, so pictures are chosen while the voice speaks. `timeline` gives each shot
its times when the recording is there.
"""

import itertools
import random
import re
from collections import Counter
from collections.abc import Container, Sequence

from showrunner.production import cards, figures, tags, visuals
from showrunner.production.job import Job
from showrunner.production.script import Kind, Script, ShotDescription, Template, Visual
from showrunner.production.segmentation import caption_words, sentence_ends
from showrunner.production.text import count_words
from showrunner.production.visuals import Shot

# A card that stands for less can't be read.
SHORTEST_CARD_SECONDS = 2.5


# Shots of the same length one after another are dull: the usual length is varied by one of these.
_VARIED = (0.8, 1.0, 1.25)
# What a cut costs at the end of a sentence, of a clause, elsewhere, and after a short word, which often
# belongs to the next one. A length that is half off its usual one costs 0.75.
_SENTENCE, _CLAUSE, _ELSEWHERE, _AFTER_SHORT_WORD = 0.0, 0.45, 4.0, 0.7
_OFF_LENGTH, _OUT_OF_BOUNDS, _THROUGH_A_CARD, _AFTER_ITS_SENTENCE = 3.0, 6.0, 8.0, 4.0
_SHORT_WORD = 3
# A digit is spoken as about so many letters: "1858" is eighteen fifty-eight, "15,000" fifteen thousand.
_DIGIT_LETTERS = 4
# Cards for which there is no footage.
_NOT_FILMED = ("chart_bar", "chart_line", "quote", "steps")
# Phrases of one shot that are searched for: each costs a request, and the first ones are the most exact.
_SEARCHES = 3
_CLAUSE_END = re.compile(r"[,;:—–、，；：،؛][\"'”’»」』)]*$")


def of_script(script: Script, job: Job) -> list[list[Shot]]:
    """Return the shots of each passage. No two neighbours are typeset with the same template.

    With the style `typographic` no footage is searched for. Otherwise no two neighbours are cards or
    photographs, and with `footage` only what can't be filmed is a card, and everything else should move.
    Numbers are set over footage, and so is the title at the film's end.
    """
    found: list[list[Shot]] = []
    before: Shot | None = None
    used: Counter[str] = Counter()
    passages = zip(script.passages, visuals.of_passages(script), script.scene_of_passage, strict=True)
    for index, (passage, visual, scene) in enumerate(passages):
        shots = []
        is_closing = index > 0 and scene is None
        for shot in divide(passage, visual, job, job.seed + index, scene.shots if scene else []):
            wanted = _closing(shot, script, job) if is_closing else shot
            last = before.visual.template if before else ""
            styled = _unlike(_styled(wanted, before, job), last)
            if job.visual_style == "typographic" and styled.visual.template == "gradient":
                # Without footage, a ground would be all that is seen.
                styled = _unlike(_key_word(styled, job.language), last)
            before = _with_motif(styled, before, used)
            shots.append(before)
        found.append(shots)
    return found


def _closing(shot: Shot, script: Script, job: Job) -> Shot:
    """Return a shot of the call to action: the film's title over footage of its subject."""
    queries, language = _queries(script.title, script.title, shot.visual, False, job.language)
    return shot.model_copy(update={"queries": queries, "language": language, "overlaid": True})


def _with_motif(shot: Shot, before: Shot | None, used: Counter[str]) -> Shot:
    """Return the shot with what moves around its number. `used` counts the motifs of the video so far."""
    if shot.kind != "number":
        return shot
    last = before.motif if before and before.motif else ""
    figure = figures.read(shot.visual.value or "", shot.visual.label)
    chosen = figures.motif(figure, last, used)
    used[chosen] += 1
    return shot.model_copy(update={"motif": chosen})


def _styled(shot: Shot, before: Shot | None, job: Job) -> Shot:
    """Return the shot as the video's style wants it: with or without its card, with or without footage."""
    if job.visual_style == "typographic":
        kind = visuals.kind_of(shot.visual.template)
        return shot.model_copy(update={"kind": kind, "queries": [], "overlaid": False})
    if shot.kind == "number" and (before is None or before.kind != "number"):
        return shot.model_copy(update={"overlaid": True})
    filmed = job.visual_style == "footage" and shot.visual.template not in _NOT_FILMED
    second = shot.kind == "number" or (before is not None and before.is_card)
    if shot.is_card and (filmed or second):
        phrase = "phrase" if shot.visual.text else "gradient"
        ground = shot.visual.model_copy(update={"template": phrase})
        return shot.model_copy(update={"kind": "footage", "visual": ground})
    still = shot.kind == "photograph"
    if still and (filmed or (before is not None and before.kind == "photograph")):
        return shot.model_copy(update={"kind": "footage"})
    return shot


def divide(
    passage: str, visual: Visual, job: Job, seed: int, described: Sequence[ShotDescription] = ()
) -> list[Shot]:
    """Return the shots of a passage. The one that speaks the words of `visual`'s card shows it.

    `described` is what the writer of the script wants to be seen, in the order of the words.
    """
    spans = caption_words(passage, job.language)
    words = [passage[start:end] for start, end in spans]
    if not words:
        return [
            Shot(words=0, text=passage, visual=visual, queries=[visual.description], language=job.language)
        ]
    ends = sentence_ends(passage, words, job.language)
    card = cards.spoken_range(visual, words)
    wanted = _placed(described, words)
    edges = _edges(words, ends, card, wanted, job, seed)
    shown = list(itertools.pairwise(edges))
    texts = [passage[spans[first][0] : spans[last - 1][1]] for first, last in shown]
    descriptions = [_described_at(wanted, (first + last - 1) // 2) for first, last in shown]
    shows = _shot_of_card(visual, texts, edges, card, descriptions)
    return [
        _shot(text, last - first, visual, index == shows, each, passage, bool(described), job.language)
        for index, (text, (first, last), each) in enumerate(zip(texts, shown, descriptions, strict=True))
    ]


def _placed(described: Sequence[ShotDescription], words: list[str]) -> dict[int, ShotDescription]:
    """Return the descriptions by the index of the word at which each begins.

    One whose words aren't spoken is left out: the scene was cut, or its text was changed.
    """
    found: dict[int, ShotDescription] = {}
    at = 0
    for each in described:
        place = cards.find_words(each.begins, words[at:])
        if place is not None:
            found[at + place[0]] = each
            at += place[0] + 1
    return found


def _described_at(wanted: dict[int, ShotDescription], word: int) -> ShotDescription | None:
    """Return the description that holds at a word: the last one that began."""
    begun = [first for first in wanted if first <= word]
    return wanted[max(begun)] if begun else None


def _shot(
    text: str,
    words: int,
    scene: Visual,
    shows_card: bool,
    description: ShotDescription | None,
    passage: str,
    is_described: bool,
    language: str,
) -> Shot:
    """Return a shot with these words of a passage. `is_described` is True if a model described its scene."""
    visual = scene if shows_card else _of_words(text, scene, language)
    kind: Kind = visuals.kind_of(visual.template)
    if kind == "title":
        # A title stands alone where the writer wants it; elsewhere it is typeset if no picture is found.
        is_title = description is not None and description.kind == "title" and visual.template != "gradient"
        kind = (
            "title"
            if is_title
            else "photograph"
            if description and description.kind == "photograph"
            else "footage"
        )
    searches = [each for each in description.searches if each.strip()][:_SEARCHES] if description else []
    if not searches:
        searches, searched_in = _queries(text, passage, scene, is_described, language)
    else:
        # Models are asked for English phrases.
        searched_in = "en"
    return Shot(
        words=words,
        text=text,
        visual=visual,
        kind=kind,
        queries=searches,
        language=searched_in,
        avoid=description.avoid if description else [],
    )


def _edges(
    words: list[str],
    ends: set[int],
    card: tuple[int, int] | None,
    wanted: Container[int],
    job: Job,
    seed: int,
) -> list[int]:
    """Return the indices of words at which shots begin, and the number of words: the cheapest division.

    `ends` are the indices after which a sentence ends; `card` is the first and last word of the card; at the
    words `wanted` the writer of the script begins a shot.
    """
    lengths, rng = visuals.LENGTHS[job.pace], random.Random(seed)  # noqa: S311 - the same plan again, no secret
    usual = [lengths.usual * rng.choice(_VARIED) for _ in words]
    letters = sum(len(word) + 1 for word in words)
    second = count_words(" ".join(words)) * 60 / job.voice.words_per_minute / letters
    weights = [len(word) + 1 + (_DIGIT_LETTERS - 1) * sum(map(str.isdigit, word)) for word in words]
    spoken = [0.0]
    for weight in weights:
        spoken.append(spoken[-1] + weight * second)
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(words) + 1):
        options: list[tuple[float, int]] = []
        for first in range(last - 1, -1, -1):
            seconds = spoken[last] - spoken[first]
            if seconds > 2 * lengths.longest and options:
                break
            shows = card is not None and first <= card[0] < last
            cost = best[first][0] + _length_cost(seconds, usual[first], lengths, shows)
            # A figure leaves when the sentence about it ends.
            late = shows and any(first <= end < last - 1 for end in ends if card and end >= card[1])
            options.append((cost + (_AFTER_ITS_SENTENCE if late else 0.0), first))
        cost, first = min(options)
        best.append((cost + _cut_cost(words, last, ends, card, wanted), first))
    edges = [len(words)]
    while edges[-1]:
        edges.append(best[edges[-1]][1])
    return edges[::-1]


def _length_cost(seconds: float, usual: float, lengths: visuals.Lengths, is_card: bool) -> float:
    shortest = max(lengths.shortest, SHORTEST_CARD_SECONDS) if is_card else lengths.shortest
    outside = max(0.0, shortest - seconds, seconds - lengths.longest)
    return float(_OFF_LENGTH * (seconds / usual - 1) ** 2 + _OUT_OF_BOUNDS * outside)


def _cut_cost(
    words: list[str], at: int, ends: set[int], card: tuple[int, int] | None, wanted: Container[int]
) -> float:
    """Return what a cut before the word at this index costs."""
    if at == len(words):
        return 0.0
    through = _THROUGH_A_CARD if card and card[0] < at <= card[1] else 0.0
    if at - 1 in ends or at in wanted:
        return _SENTENCE + through
    if _CLAUSE_END.search(words[at - 1]):
        return _CLAUSE + through
    return _ELSEWHERE + through + (_AFTER_SHORT_WORD if len(words[at - 1]) <= _SHORT_WORD else 0.0)


def _shot_of_card(
    visual: Visual,
    texts: list[str],
    edges: list[int],
    card: tuple[int, int] | None,
    descriptions: list[ShotDescription | None],
) -> int | None:
    """Return which shot shows the card, None if there is none.

    A card whose words are not spoken, such as a chart, is shown where the writer of the script wants its
    kind, else with the most figures, else with the longest words.
    """
    if visual.template == "gradient":
        return None
    if card:
        return max(index for index, first in enumerate(edges[:-1]) if first <= card[0])
    if visual.template not in visuals.TYPESET:
        return 0
    kind = visuals.kind_of(visual.template)
    named = next((index for index, each in enumerate(descriptions) if each and each.kind == kind), None)
    if named is not None:
        return named
    return max(
        range(len(texts)), key=lambda index: (len(re.findall(r"\d+", texts[index])), len(texts[index]))
    )


def _of_words(text: str, scene: Visual, language: str) -> Visual:
    """Return what a shot without a card of its scene shows: its own figure or quotation, else footage."""
    own = cards.from_words(text, language)
    return own.model_copy(update={"description": scene.description})


def _key_word(shot: Shot, language: str) -> Shot:
    """Return the shot with its first noun as a title, unchanged if it has none."""
    nouns = tags.of_text(shot.text, [], language)
    if not nouns:
        return shot
    title = shot.visual.model_copy(update={"template": "title", "text": nouns[0].capitalize()})
    return shot.model_copy(update={"visual": title, "kind": "title"})


def _queries(
    text: str, passage: str, scene: Visual, is_described: bool, language: str
) -> tuple[list[str], str]:
    """Return the phrases to search for, the best first, and their language.

    They are what the shot's own words name, then its passage's. A model describes scenes in English; the
    description of a user's own scene is the beginning of its text.
    """
    if language == "en":
        nouns = tags.of_text(text, [], language)
        found = [" ".join(nouns[:2]), scene.description, *nouns[:1]]
    elif is_described:
        return [scene.description], "en"
    else:
        nouns = tags.named(text, language)
        found = [" ".join(nouns[:2]), *nouns[:1], " ".join(tags.named(passage, language)[:2])]
    queries = [query for query in dict.fromkeys(found) if query.strip()]
    return queries or [scene.description], language


def _unlike(shot: Shot, before: str) -> Shot:
    """Return the shot with another template than the one before it has."""
    visual = shot.visual
    # A counter is typeset as a number.
    same = "number" if before == "counter" else before
    if ("number" if visual.template == "counter" else visual.template) != same or same == "gradient":
        return shot
    # Phrases alternate with titles, which are set otherwise. Of two figures in a row the second is in words.
    figure = " ".join(filter(None, [visual.value, visual.label])) if visual.value else None
    text = figure or visual.text
    template: Template = "title" if visual.template == "phrase" else "phrase" if text else "gradient"
    kind = visuals.kind_of(template) if shot.kind not in visuals.FILMED else shot.kind
    other = visual.model_copy(update={"template": template, "text": text or None})
    return shot.model_copy(update={"kind": kind, "visual": other})

"""Write a narrated script, an outline or one part of a long script from a source text.

Pure and deterministic.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from local.language import connectives, shots, visuals
from local.language.selection import ChosenSentence, choose, scenes
from local.language.text import (
    Sentence,
    Source,
    capitalised,
    count_words,
    key_phrases,
    label_of,
    noun_phrases,
    read,
    terms,
    title_case,
    weights,
)

TITLE_CHARACTERS = 90
TAGS = 10
HOOK_WORDS = 20
# Largest deviation from the wanted number of words; the product allows a tenth.
TOLERANCE = 0.03
# Framing sentences may lengthen a source by this share; with more of them the content would be lost.
MOST_EXTENSION = 0.9


@dataclass(frozen=True)
class Brief:
    """The request's wishes. Every field has a default: requests without a brief are answered too."""

    topic: str = ""
    style: str = "educational"
    language: str = "en"
    words_target: int = 120
    scene_count: int = 5
    part_count: int = 3
    outline: dict[str, Any] = field(default_factory=dict)
    part: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, found: dict[str, Any]) -> "Brief":
        """Read the brief of a request. A field of the wrong type counts as absent."""
        kinds = {
            "topic": str,
            "style": str,
            "language": str,
            "words_target": int,
            "scene_count": int,
            "part_count": int,
            "outline": dict,
            "part": dict,
        }
        known = {
            name: found[name]
            for name, kind in kinds.items()
            if isinstance(found.get(name), kind) and not isinstance(found[name], bool)
        }
        known |= {
            name: max(1, min(known[name], 20_000))
            for name in ("words_target", "scene_count", "part_count")
            if name in known
        }
        return cls(**known)


@dataclass(frozen=True)
class Writer:
    """Writes from one source. Every method is a pure function of the source and the brief."""

    source: Source
    brief: Brief
    trusted: bool = True  # may a sentence of the source open the script as a fact

    @classmethod
    def of(cls, text: str, brief: Brief, trusted: bool = True) -> "Writer":
        return cls(read(text), brief, trusted)

    @property
    def subject(self) -> str:
        """Return the subject in the words of the request, else of the source."""
        topic = re.sub(r"\s+", " ", self.brief.topic).strip().rstrip(".!?")
        return (
            topic
            or next(iter(self.source.headings.values()), "")
            or capitalised(" and ".join(self._phrases(2)) or "A short story")
        )

    def script(self) -> dict[str, Any]:
        hook, closing, chosen = self._framed(self.source.sentences, self.brief.words_target)
        left = self.brief.words_target - count_words(hook) - count_words(closing)
        parts = self._scenes(chosen, self.brief.scene_count, left, {hook})
        return {**self._frame(hook, closing), "scenes": parts}

    def outline(self) -> dict[str, Any]:
        hook, closing, _ = self._framed(self.source.sentences, 10_000)
        sections = self._sections(self.brief.part_count)
        share = max(1, self.brief.words_target // len(sections))
        parts = [
            {"heading": self._heading(section), "points": self._points(section), "words_target": share}
            for section in sections
        ]
        return {**self._frame(hook, closing), "parts": _distinct_headings(parts)}

    def part(self) -> dict[str, Any]:
        """Return the scenes of one part. Content of the hook and of earlier parts is not repeated."""
        part, outline = self.brief.part, self.brief.outline
        index, count = _whole(part.get("index"), 0), max(1, _whole(part.get("of"), 1))
        words = _whole(part.get("words_target"), self.brief.words_target)
        covered = {
            " ".join(str(text).split()) for text in [*_texts(part.get("covered")), outline.get("hook", "")]
        }
        sections = self._sections(count)
        section = sections[min(max(index, 0), len(sections) - 1)]
        fresh = [
            sentence
            for sentence in section
            if not any(sentence.text in text or _told_as(sentence.text, text) for text in covered)
        ]
        chosen = choose(fresh, words, _room(words), self.brief.scene_count, self.brief.topic)
        return {
            "scenes": self._scenes(chosen, self.brief.scene_count, words, covered),
            "heading": self._heading(section),
        }

    def _framed(self, sentences: Sequence[Sentence], words: int) -> tuple[str, str, list[ChosenSentence]]:
        """Return hook, call to action and the sentences between them, as close to the length as possible."""
        best: tuple[float, str, str, list[ChosenSentence]] | None = None
        for rank, (hook, spent) in enumerate(self._hooks(words)):
            rest = [sentence for sentence in sentences if sentence.index != spent]
            for closing in connectives.closings(self.brief.language, words):
                left = words - count_words(hook) - count_words(closing)
                chosen = (
                    choose(
                        rest,
                        left,
                        _room(words),
                        min(self.brief.scene_count, max(1, left // 8)),
                        self.brief.topic,
                    )
                    if left > 0
                    else []
                )
                off = abs(sum(item.words for item in chosen) - left)
                # A difference of three words weighs as much as the next-best hook.
                score = off / 3 + rank + (50 if not chosen else 0)
                if best is None or score < best[0]:
                    best = (score, hook, closing, chosen)
        if best is None:
            raise ValueError("no hook for this brief")
        return best[1:]

    def _hooks(self, words: int) -> list[tuple[str, int | None]]:
        """Return openings, best first, each with the sentence that it uses.

        An opening is a question about the subject, or a striking fact.
        """
        limit = min(HOOK_WORDS, max(5, words // 3))
        questions = [
            (text, None)
            for text in connectives.questions(self.subject, self.brief.style, self.brief.language)
        ]
        fitting = [
            (text, spent) for text, spent in [*self._facts(), *questions] if count_words(text) <= limit
        ]
        return fitting[:4] or [min(questions, key=lambda pair: count_words(pair[0]))]

    def _facts(self) -> list[tuple[str, int]]:
        """Return short sentences about the subject that stand alone and that no later sentence needs."""
        known, topic = weights(sentence.text for sentence in self.source.sentences), set(terms(self.subject))
        central = {term for term, count in known.most_common(6)} | topic
        leant_on = {sentence.index - 1 for sentence in self.source.sentences if sentence.needs_previous}
        if len(self.source.sentences) < 4 or not self.trusted:
            return []
        found = [
            (sentence.text, sentence.index)
            for sentence in self.source.sentences
            if 6 <= sentence.words <= HOOK_WORDS
            and not re.search(r"[()“”\"]", sentence.text)
            and not sentence.needs_previous
            and sentence.index not in leant_on
            and topic & set(terms(sentence.text))
            and central & set(terms(sentence.text))
        ]
        return sorted(
            found,
            key=lambda pair: (
                pair[1] > 0,
                not visuals.figures(pair[0])
                and not re.search(r"\b(?:most|every|almost|no one|never|only)\b", pair[0]),
                pair[1],
            ),
        )[:2]

    def _frame(self, hook: str, closing: str) -> dict[str, Any]:
        return {
            "title": self._title(),
            "description": self._description(hook),
            "tags": self._tags(),
            "hook": hook,
            "call_to_action": closing,
            "topic": self.subject,
        }

    def _title(self) -> str:
        title = title_case(self.subject) if self.brief.language == "en" else capitalised(self.subject)
        title = re.sub(r"[<>]", "", title)
        return title if len(title) <= TITLE_CHARACTERS else title[:TITLE_CHARACTERS].rsplit(" ", 1)[0]

    def _description(self, hook: str) -> str:
        best = choose(
            [sentence for sentence in self.source.sentences if sentence.text != hook],
            45,
            15,
            2,
            self.brief.topic,
        )
        return re.sub(r"[<>]", "", " ".join([hook, *(item.text for item in best[:3])]))[:900].strip()

    def _tags(self) -> list[str]:
        phrases = [
            phrase for phrase in [*noun_phrases(self.subject), *self._phrases(TAGS)] if len(phrase) <= 30
        ]
        return (
            list(dict.fromkeys(phrase.lower() for phrase in phrases))[:TAGS]
            or terms(self.subject)[:TAGS]
            or ["explained"]
        )

    def _phrases(self, limit: int) -> list[str]:
        texts = [sentence.text for sentence in self.source.sentences]
        return key_phrases(texts, weights(texts), limit)

    def _sections(self, count: int) -> list[list[Sentence]]:
        """Divide the source into `count` runs. With fewer sentences the last runs are empty."""
        chosen = [ChosenSentence(sentence, sentence.text) for sentence in self.source.sentences]
        runs = [[item.origin for item in run] for run in scenes(chosen, count)] if chosen else []
        return runs + [[] for _ in range(count - len(runs))]

    def _heading(self, section: Sequence[Sentence]) -> str:
        above = [
            self.source.headings[sentence.paragraph]
            for sentence in section
            if sentence.paragraph in self.source.headings
        ]
        return above[0] if above else self._named([sentence.text for sentence in section])

    def _named(self, texts: Sequence[str]) -> str:
        phrases = key_phrases(texts, weights(sentence.text for sentence in self.source.sentences), 3)
        return label_of(phrases) or capitalised(self.subject)

    def _points(self, section: Sequence[Sentence]) -> list[str]:
        texts = [sentence.text for sentence in section]
        return [
            capitalised(phrase)
            for phrase in key_phrases(texts, weights(sentence.text for sentence in self.source.sentences), 4)
        ] or [self.subject]

    def _scenes(
        self, chosen: Sequence[ChosenSentence], count: int, words: int, used: Iterable[str]
    ) -> list[dict[str, Any]]:
        """Return heading, narration, visual and shots of each scene.

        Framing sentences are added last: they do not affect visuals.
        """
        runs = [[item.text for item in run] for run in scenes(chosen, count)]
        headings = [self._named(run) for run in runs]
        known, templates = weights(sentence.text for sentence in self.source.sentences), Counter[str]()
        shown = [visuals.of(run, known, self.subject, number, templates) for number, run in enumerate(runs)]
        missing = words - sum(item.words for item in chosen)
        if missing > _room(words):
            room = round(MOST_EXTENSION * sum(item.words for item in chosen))
            runs = connectives.extended(runs, headings, min(missing, room), set(used), self.brief.language)
        whole = " ".join(sentence.text for sentence in self.source.sentences)
        return [
            {
                "heading": heading,
                "narration": " ".join(run),
                "visual": asdict(visual),
                "shots": shots.of(run, visual, self.subject, whole),
            }
            for heading, run, visual in zip(headings, runs, shown, strict=True)
        ]


def _room(words: int) -> int:
    return max(1, int(words * TOLERANCE))


def _whole(value: Any, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _told_as(sentence: str, text: str) -> bool:
    """Return True if the text has the sentence in a shorter form: same beginning, most of its terms."""
    return len(sentence) > 20 and sentence[:24] in text


def _distinct_headings(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    for part in parts:
        seen[part["heading"]] += 1
        if seen[part["heading"]] > 1:
            other = next(
                (point for point in part["points"] if point not in seen),
                f"{part['heading']}, part {seen[part['heading']]}",
            )
            part["heading"] = other
            seen[other] += 1
    return parts


def seed_of(*texts: str) -> int:
    """Return a number that is the same for the same request."""
    return int.from_bytes(hashlib.sha256("\0".join(texts).encode()).digest()[:4])

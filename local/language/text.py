"""Divide English prose, and Spanish as far as it needs no grammar, into sentences and noun phrases. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


def read_words(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / "words" / f"{name}.txt").read_text(encoding="utf-8").split())


# Number of terms that count as the subject of the whole text.
SUBJECTS = 2
# The Spanish lists have no word that English has in another sense (sin, son).
STOPWORDS = read_words("function") | read_words("function_spanish")
VERBS = read_words("verbs")
IRREGULAR = read_words("irregular")
ABBREVIATIONS = read_words("abbreviations")
# Words that may be dropped from the start of a sentence whose previous sentence is missing.
CONNECTIVES = re.compile(
    r"^(?:However|Moreover|Furthermore|Therefore|Thus|Hence|Consequently|Meanwhile|Instead|Nevertheless|"
    r"Nonetheless|Likewise|Similarly|Also|Besides|Still|Yet|"
    r"Then|Next|Finally|In addition|In fact|In other words|As a result|For example|For instance|"
    r"On the other hand|By contrast|In contrast|Of course|"
    r"That said|After all|At the same time|In turn),\s+|"
    r"^(?:But|And|So|Yet|Or|Nor)\s+(?=[a-zA-Z])|^(?:Then|Meanwhile|Now|Still)\s+(?=(?:the|a|an|engineers|most|some|many)\b)",
)
SINGULAR = frozenset({"it", "its", "itself"})
PLURAL = frozenset({"they", "their", "theirs", "them", "themselves"})
PERSONAL = frozenset({"he", "him", "his", "she", "her", "hers"})
PEOPLE = read_words("people")
BACKWARD = re.compile(
    r"^(?:It|Its|They|Their|He|His|She|Her|This|These|Those|That|Such|Both|Neither|Either|Another|"
    r"(?:One|Some|Most|All|Each) of them|"
    r"The (?:two|three|four|other|others|same|latter|former|result|reason|answer|effect|rest)|Not all|Here|"
    r"There(?! (?:is|are|was|were|has|have)\b)|Only then|Even so|Doing so|"
    r"That is why|Why\?|Others|Some(?= (?:are|were|have|had|do|did|can|could|even)\b)|"
    r"Nor|Nothing else|Everything else)\b"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`index` counts through the whole text. `leans` is True if the sentence needs the one before it."""

    index: int
    paragraph: int
    opens_paragraph: bool
    text: str
    needs_previous: bool

    @property
    def words(self) -> int:
        return count_words(self.text)


@dataclass(frozen=True, slots=True)
class Source:
    sentences: list[Sentence]
    headings: dict[int, str]  # the heading above a paragraph, by the paragraph's number


def count_words(text: str) -> int:
    return len(text.split())


def read(text: str) -> Source:
    """Return paragraphs, headings and sentences.

    A short line without final punctuation is a heading; list marks are removed.
    """
    paragraphs: list[list[str]] = []
    headings: dict[int, str] = {}
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\u00a0", " ")):
        heading, lines = _heading(block)
        found = [sentence for line in lines for sentence in split(line) if _is_sentence(sentence)]
        if heading:
            headings[len(paragraphs)] = heading
        paragraphs += [found] if found else []
    return Source(_sentences(paragraphs), headings)


def _sentences(paragraphs: Sequence[Sequence[str]]) -> list[Sentence]:
    everywhere = {
        term
        for term, _ in weights(sentence for paragraph in paragraphs for sentence in paragraph).most_common(
            SUBJECTS
        )
    }
    made: list[Sentence] = []
    for number, paragraph in enumerate(paragraphs):
        for place, sentence in enumerate(paragraph):
            made.append(
                Sentence(
                    len(made),
                    number,
                    place == 0,
                    sentence,
                    needs_previous(sentence, paragraph[:place], everywhere),
                )
            )
    return made


def _heading(block: str) -> tuple[str | None, list[str]]:
    """Return the block's heading and text. Wrapped lines are joined; list entries stay separate."""
    found = [(line.strip(), _without_markdown(line)) for line in block.split("\n") if _without_markdown(line)]
    heading = None
    if found and (
        found[0][0].startswith("#")
        or (_looks_like_heading(found[0][1]) and (len(found) == 1 or not found[1][1][0].islower()))
    ):
        heading = found.pop(0)[1].rstrip(":")
    lines: list[str] = []
    for line, bare in found:
        if lines and bare == line:
            lines[-1] += f" {bare}"
        elif not line.startswith("#"):
            lines.append(bare)
    return heading, lines


def _without_markdown(line: str) -> str:
    """Remove Markdown from a line: heading, list entry, bold."""
    return (
        re.sub(r"^(?:#{1,6}\s+|[-*•]\s+|\d{1,2}[.)]\s+)", "", line.strip())
        .replace("**", "")
        .replace("__", "")
        .strip()
    )


def _looks_like_heading(line: str) -> bool:
    return count_words(line) <= 9 and not re.search(r"[.!?…,;][\"”’)]*$", line)


def _is_sentence(text: str) -> bool:
    return count_words(text) >= 3 and bool(re.search(r"[.!?…][\"”’)]*$", text)) and text[0] not in ",;:)"


def split(paragraph: str) -> list[str]:
    """Split running text into sentences. "Dr. Smith", "3.5", "U.S. Navy" and initials do not end one."""
    text = " ".join(re.sub(r"\[\d+\]", "", paragraph).split())
    sentences, start = [], 0
    for mark in re.finditer(r"[.!?…]+[\"”’)]*\s+(?=[\"“‘(]*[A-Z0-9À-Þ])", text):
        before = text[start : mark.start()].rsplit(None, 1)
        last = before[-1].lower().lstrip('("“‘') if before else ""
        if mark.group().startswith(".") and (
            last in ABBREVIATIONS or re.fullmatch(r"[a-z]|(?:[a-z]\.)+[a-z]", last)
        ):
            continue
        sentences.append(text[start : mark.end()].strip())
        start = mark.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def needs_previous(sentence: str, before: Sequence[str] = (), everywhere: Collection[str] = ()) -> bool:
    """Return True if a sentence needs the one before it: "They ...", "The result ...", "When it ...".

    `everywhere` contains the terms of the whole text; repeating one of those refers to nothing.
    """
    plain = without_connective(sentence)
    if BACKWARD.match(plain) or _has_loose_pronoun(plain):
        return True
    if not before:
        return False
    if re.match(r"(?:Meanwhile|Instead|Then|Afterwards|Otherwise)\b", sentence):
        return True
    definite = re.match(r"(?:The|((?:Most|Some|Much|Many|All|Half|None) of the)) (.+)", plain)
    first = next(iter(terms(definite[2] if definite else plain)), "")
    if definite:
        return bool(definite[1]) or first in terms(" ".join(before))
    # "Repeaters get ..." after "a repeater makes ...".
    return (
        plain.split()[0].endswith("s")
        and stem(plain.split()[0]) in terms(before[-1])
        and first not in everywhere
    )


def _has_loose_pronoun(sentence: str) -> bool:
    """Return True if a pronoun has no noun before it in its own sentence."""
    if re.search(r"\b(?:\d+|many|some|most|all|none|each|one|two|both) of (?:them|these|those)\b", sentence):
        return True
    singular = plural = named = False
    for word in re.findall(
        r"[^\W\d_][\w'-]*",
        re.sub(r"\b(?:[Ii]t (?:turns out|seems|takes|took|is|was)|that is)\b", "", sentence).replace(
            "’", "'"
        ),
    ):
        low = word.lower().removesuffix("'s")
        if (
            (low in SINGULAR and not singular)
            or (low in PLURAL and not plural)
            or (low in PERSONAL and not named)
        ):
            return True
        if is_content(word) and low not in VAGUE and not is_verb(word) and not ADVERB.match(low):
            many = low.endswith("s") and not low.endswith("ss")
            plural, singular = plural or many or singular, singular or not many
            named = named or word[0].isupper() or low in PEOPLE or low.endswith(("er", "or", "ist"))
    return False


def without_connective(sentence: str) -> str:
    """Return the sentence without the connective that refers to the previous one."""
    plain = re.sub(r",? (?:therefore|thus|however|too|then),?(?= [a-z])", "", CONNECTIVES.sub("", sentence))
    return plain[:1].upper() + plain[1:]


SHORTEST_VARIANT = 6  # minimum of words; shorter is a fragment
ASIDES = (
    r"\s*\([^()]*\)",
    r" — [^—]*? — | – [^–]*? – ",
    r", (?:which|who|whose|where) [^,;:]*?(?=, |[.!?]$)(?:, (?=[a-z]+(?:ed|s|d)? ))?",
)
LAST_CLAUSE = re.compile(
    r"(?:,| —) (?:making|allowing|giving|leaving|forcing|turning|creating|meaning|including|such as|"
    r"especially|mostly|mainly) [^,.!?;]*(?=[.!?]$)"
)
SUBORDINATE = re.compile(
    r"^(?:While|When|Whenever|If|Because|Although|Though|After|Before|Since|As|Unless|Until|Once|Where|Whereas|Despite|\w+ing|\w+ed)\b"
)


def variants(sentence: str) -> list[str]:
    """Return the sentence and shorter forms: without aside, relative clause or last participle clause."""
    found = [sentence]
    # After a subordinate clause, the main clause follows a comma and cannot be told from an aside.
    patterns = ASIDES[:1] if SUBORDINATE.match(sentence) else ASIDES
    for pattern in patterns:
        shorter = " ".join(re.sub(r"\s+([.,;!?])", r"\1", re.sub(pattern, " ", found[-1])).split())
        if shorter != found[-1] and count_words(shorter) >= SHORTEST_VARIANT:
            found.append(shorter)
    tail = LAST_CLAUSE.sub("", found[-1])
    if tail != found[-1] and count_words(tail) >= SHORTEST_VARIANT and not SUBORDINATE.match(tail):
        found.append(tail)
    return [
        variant
        for variant in found
        if variant.count("(") == variant.count(")") and variant.count("“") == variant.count("”")
    ]


@lru_cache(maxsize=20_000)
def is_verb(word: str) -> bool:
    word = word.lower()
    if word in VERBS or word in IRREGULAR:
        return True
    for ending, replacements in (
        ("ies", ("y",)),
        ("ied", ("y",)),
        ("es", ("", "e")),
        ("s", ("",)),
        ("ed", ("", "e")),
        ("ing", ("", "e")),
    ):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            if any(stem + replacement in VERBS for replacement in replacements) or (
                len(stem) > 2 and stem[-1] == stem[-2] and stem[:-1] in VERBS
            ):
                return True
    return False


def is_content(word: str) -> bool:
    return len(word) > 2 and word.lower().strip("'") not in STOPWORDS


def stem(word: str) -> str:
    word = word.lower().removesuffix("'s")
    for ending in ("ies", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("ss"):
            return word[: -len(ending)] + (
                "y" if ending == "ies" else "e" if ending == "es" and word[-3] in "lgvkrt" else ""
            )
    return word


def terms(text: str) -> list[str]:
    return [stem(word) for word in re.findall(r"[^\W\d_][\w'-]*", text.replace("’", "'")) if is_content(word)]


def weights(sentences: Iterable[str]) -> Counter[str]:
    """Count in how many sentences each term occurs."""
    return Counter(term for sentence in sentences for term in set(terms(sentence)))


# Words that open or join noun phrases.
DETERMINERS = read_words("determiners") | read_words("determiners_spanish")
ADVERB = re.compile(r"^[a-z]+ly$")
NOT_ADVERBS = read_words("adverb_like_nouns")
VAGUE = read_words("vague")


NUMBERS = frozenset({"million", "billion", "thousand", "hundred", "trillion"})
COMPARED = read_words("compared")


def noun_phrases(text: str) -> list[str]:
    """Return runs of words that form a noun phrase.

    A phrase begins at a determiner, a preposition or the start,
    and ends before a verb, a function word or a punctuation mark.
    """
    phrases: list[str] = []
    for clause in re.split(r"[.,;:!?…()\"“”—–]|\s-\s", text.replace("’", "'")):
        run: list[str] = []
        before = opener = ""
        for word in [*clause.split(), "."]:
            if _continues(word, run, before):
                opener = opener if run else before
                run.append(word)
            else:
                # "Light moves ...": a word at the start of a clause with a verb after it is its subject.
                phrases += _phrase(run, "the" if not opener and is_verb(word) else opener)
                run = []
            before = word.lower()
    return phrases


def _continues(word: str, run: Sequence[str], before: str) -> bool:
    if not re.fullmatch(r"[^\W\d_][\w'-]*", word) or word.lower() in STOPWORDS:
        return False
    if ADVERB.match(word.lower()) and word.lower() not in NOT_ADVERBS:
        return False
    if run and word.lower().endswith(("ed", "ó", "aron", "ieron")):
        return False
    if is_verb(word):
        # "a repair ship", "the broken ends": the word after a determiner is not a verb.
        return not run and before in DETERMINERS
    return True


def _phrase(run: Sequence[str], opener: str) -> list[str]:
    words = list(run)
    while words and (words[-1].endswith("'s") or is_verb(words[-1])):
        words.pop()
    while words and words[0].lower() in NUMBERS:
        words.pop(0)
    if (
        not 1 <= len(words) <= 4
        or words[-1].lower() in VAGUE
        or (words[-1].endswith(("er", "est")) and words[-1] in COMPARED)
    ):
        return []
    # A single word is often an adjective ("is thin"): only a plural, or a word after a determiner, is surely
    # a noun.
    if len(words) == 1 and not (opener in DETERMINERS or words[0].endswith("s")):
        return []
    return [" ".join(words)] if len(" ".join(words)) > 3 else []


def key_phrases(texts: Sequence[str], whole: Counter[str], limit: int) -> list[str]:
    """Return the noun phrases that best describe `texts`.

    They are frequent here, known in the whole text, and early in their sentence.
    """
    scores: Counter[str] = Counter()
    written: dict[str, str] = {}
    for text in texts:
        for place, phrase in enumerate(noun_phrases(text)):
            key = " ".join(stem(word) for word in phrase.split())
            written.setdefault(key, phrase)
            scores[key] += _weight(key.split(), whole) * (1.3 if place == 0 else 1.0)  # type: ignore[assignment]
    chosen: list[str] = []
    for key in sorted(scores, key=lambda key: (-scores[key], list(written).index(key))):
        if not any(set(key.split()) & set(other.split()) for other in chosen):
            chosen.append(key)
    return [written[key] for key in chosen[:limit]]


def _weight(parts: Sequence[str], whole: Counter[str]) -> float:
    """Weigh a phrase. Two or three words say more than one, if the text repeats one of them."""
    known = sum(min(whole[part], 4) for part in parts) / len(parts)
    return (known + 0.5) * (
        1.0 if len(parts) == 1 or len(parts) > 3 else 1.9 if max(whole[part] for part in parts) > 1 else 1.2
    )


def label_of(phrases: Sequence[str]) -> str:
    """Return a heading: the best phrase if it is long enough, else the first two single words."""
    if not phrases or count_words(phrases[0]) > 1 or len(phrases) == 1:
        return capitalised("".join(phrases[:1]))
    return capitalised(
        phrases[1] if count_words(phrases[1]) > 1 else f"{phrases[0]} and {_lowered(phrases[1])}"
    )


def _lowered(phrase: str) -> str:
    """Lower the capital of a plural that opened its sentence; other capitals may be names."""
    return phrase.lower() if phrase.endswith("s") and phrase[1:] == phrase[1:].lower() else phrase


def capitalised(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


def title_case(phrase: str) -> str:
    small = {
        "a",
        "an",
        "the",
        "and",
        "or",
        "but",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "by",
        "with",
        "from",
        "as",
    }
    words = phrase.split()
    return " ".join(
        word if word in small and place else capitalised(word) for place, word in enumerate(words)
    )

"""Framing sentences of a script: openings, closings and transitions. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence

from local.language.text import capitalised, count_words

# Shortest first; the writer picks the one that makes the word count right.
CALLS = {
    "en": (
        "Follow for more.",
        "Follow along for more.",
        "Follow for more stories like this.",
        "Follow for more short stories like this one.",
        "If you learned something new, follow for more of these.",
        "If you learned something new today, follow along for more stories like this one.",
    ),
    "es": (
        "Síguenos para más.",
        "Síguenos para más historias como esta.",
        "Si has aprendido algo nuevo, síguenos para más historias.",
    ),
    "fr": (
        "Abonnez-vous pour la suite.",
        "Abonnez-vous pour d'autres histoires comme celle-ci.",
        "Si vous avez appris quelque chose, abonnez-vous pour la suite.",
    ),
    "de": (
        "Mehr davon im Abo.",
        "Abonniere für mehr Geschichten wie diese.",
        "Wenn du etwas Neues gelernt hast, abonniere für mehr Geschichten.",
    ),
}
QUESTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {
        "question": ("Ever wondered {0}?", "Have you ever wondered {0}?", "Here is {0}."),
        "educational": ("What do you know about {0}?", "Here is the story of {0}.", "{1}, explained."),
        "entertainment": (
            "You have never heard {0} told like this.",
            "Ready for {0}?",
            "{1}, and why it is stranger than it looks.",
        ),
        "news": ("{1}: here is what is known.", "{1}, in brief.", "Here is the latest on {0}."),
    },
    "es": {"educational": ("¿Qué sabes de {0}?", "{1}, en pocas palabras.")},
    "fr": {"educational": ("Que savez-vous de ce sujet : {0} ?", "{1}, en quelques mots.")},
    "de": {"educational": ("Was steckt dahinter: {0}?", "{1}, kurz erklärt.")},
}

OPENERS = (
    "Next, let us look at {0}.",
    "That brings us to {0}.",
    "Now, what about {0}?",
    "The next piece of the picture is {0}.",
    "It is worth taking a closer look at {0}.",
    "Let us turn to {0} for a moment.",
    "Here is where {0} comes into the story.",
    "With that in mind, on to {0}.",
    "Let us stay with {0} a little longer.",
    "There is more to say about {0}.",
    "So far so good, but {0} deserves a word too.",
    "Now for the part that most people skip: {0}.",
    "From here, the road leads to {0}.",
    "If you remember one thing from this part, let it be {0}.",
)
CLOSERS = (
    "Take a moment to picture that.",
    "Hold on to that thought, because we will need it again.",
    "It sounds simple, and yet a great deal depends on it.",
    "Most of us never give it a second thought.",
    "That is easy to overlook, and worth remembering.",
    "Put like that, it seems almost obvious, but somebody had to find it out.",
    "It is the kind of detail that rarely makes the headlines.",
    "Once you know it, you will notice it again and again.",
    "Let that sink in for a moment before we go on.",
    "It may sound like a small thing, but the whole picture rests on details like this.",
    "None of this is visible from the outside, which is why it is so rarely talked about.",
    "If that surprises you, you are not alone.",
    "You might want to hear that twice, because it is easy to miss.",
    "Keep that in the back of your mind while we move on.",
    "That answers one question, and it raises the next one.",
    "It is a good example of how much lies behind an everyday thing.",
    "Seen on its own it is a curiosity, seen in context it explains a lot.",
    "There is a reason for that, and it fits with everything we have heard so far.",
    "Try explaining that to a friend tonight, and see whether it holds their attention.",
    "And that is only one part of the story.",
)
RECAPS = (
    "So far, we have come across {0} and {1}.",
    "Let us gather what we have: {0}, and then {1}.",
    "Between {0} and {1}, the outline of the whole thing begins to show.",
    "Put {0} next to {1}, and the picture becomes clearer.",
    "From {0} to {1}: step by step, one thing leads to another.",
    "We began this part with {0}, and we have arrived at {1}.",
)


def closings(language: str, words: int) -> Sequence[str]:
    """Return closings that use at most a fifth of the script; the shortest is always allowed."""
    known = CALLS.get(language[:2].lower(), CALLS["en"])
    return [call for call in known if count_words(call) * 5 <= words] or known[:1]


def questions(subject: str, style: str, language: str) -> list[str]:
    """Return opening questions about the subject: "Ever wondered how cables carry the internet?"."""
    known = QUESTIONS.get(language[:2].lower(), QUESTIONS["en"])
    is_question = (
        re.match(r"(?:how|why|what|where|when|who)\b", subject, re.IGNORECASE) and "question" in known
    )
    first = subject.split(maxsplit=1)[0]
    inner = subject if first[1:] != first[1:].lower() else subject[:1].lower() + subject[1:]
    patterns = known["question"] if is_question else known.get(style, known["educational"])
    # Inside a sentence a name keeps its capital; a question word or a common noun does not.
    plain = inner if is_question or first.lower() in {"the", "a", "an"} or not _is_name(subject) else subject
    return [pattern.format(plain, capitalised(subject)) for pattern in patterns]


def _is_name(subject: str) -> bool:
    words = subject.split()
    return len(words) > 1 and words[1][:1].isupper()


def extended(
    runs: list[list[str]], headings: Sequence[str], missing: int, used: Iterable[str], language: str
) -> list[list[str]]:
    """Insert framing sentences between the runs until about `missing` words are added. None is used twice."""
    if not language.lower().startswith("en"):
        return runs
    made = [list(run) for run in runs]
    used_text = " ".join(used)
    for place, at_front, text in _offers(headings):
        length = count_words(text)
        if text.split("{")[0] in used_text or length > missing + 2 or any(text in run for run in made):
            continue
        made[place] = [text, *made[place]] if at_front else [*made[place], text]
        missing -= length
        if missing <= 2:
            break
    return made


def _offers(headings: Sequence[str]) -> Iterator[tuple[int, bool, str]]:
    """Yield (scene, before or after its text, sentence): first closers, then openers, then recaps."""
    scenes = range(len(headings))
    named = [_in_sentence(heading) for heading in headings]
    closers, openers, recaps = iter(CLOSERS), iter(OPENERS), iter(RECAPS)
    for turn in range(max(len(CLOSERS), 4)):
        for place in scenes:
            kind = (place + turn) % 3
            if kind == 0 and place > 0 and turn < 2 and (opener := next(openers, None)):
                yield place, True, opener.format(named[place])
            elif (
                kind == 1 and place > 0 and named[place] != named[place - 1] and (recap := next(recaps, None))
            ):
                yield place, False, recap.format(named[place - 1], named[place])
            elif closer := next(closers, None):
                yield place, False, closer


def _in_sentence(heading: str) -> str:
    """Convert "Repair ship" to "the repair ship"; plurals and names stay as they are."""
    words = heading.split(" and ", maxsplit=1)[0].split()
    plain = " ".join(words)
    if len(words) > 1 and words[1][:1].isupper():
        return plain
    lowered = plain if plain[1:] != plain[1:].lower() else plain[:1].lower() + plain[1:]
    return lowered if words[-1].endswith("s") and not words[-1].endswith("ss") else f"the {lowered}"

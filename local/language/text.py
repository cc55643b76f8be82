"""English prose to sentences, their content words and their noun phrases, by rules and word lists; pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

STOPWORDS = frozenset(
    """a about above across after again against ago all almost alone along already also although always am among an and another any anyone anything are
    around as at away back be became because become been before behind being below between both but by can cannot could did do does doing done down during
    each either else enough even ever every everyone everything few first for from further had has have having he hence her here hers herself him himself
    his how however i if in indeed inside instead into is it its itself just later least less like many may me might mine more most much must my myself
    near nearly neither never next no nobody none nor not nothing now of off often on once one only onto or other others our ours out outside over own
    per perhaps quite rather really roughly same second several she should since so some someone something soon still such than that the their theirs
    them themselves then there therefore these they this those though through throughout thus to today together too toward towards under unless until up
    upon us use very via was we well were what whatever when where whether which while who whole whom whose why will with within without would yet you
    your yours yourself despite meanwhile besides beyond beneath among amid plus minus exactly simply barely hardly entirely actually slowly quickly directly usually mostly merely soon twice half ever two three four
    five six seven eight nine ten eleven twelve""".split()
)
VERBS = frozenset(
    """add allow answer appear arrive ask attach bear become begin believe belong bend boil borrow break bring build burn bury call carry carve catch cause
    change check choose climb collapse collect combine come compare complete connect consider consist contain continue control convert cool copy cost
    count cover create cross cut decide deliver demand depend describe design destroy develop die discover divide draw drift drink drive drop earn eat
    emerge enable encourage end enter escape evolve exist expect explain explode extend face fade fail fall feed feel fight fill find finish fit fix float
    flow fly fold follow force form freeze gain gather get give glow go grow guide handle hang happen hear help hide hit hold house hunt include increase
    invent invite keep kick kill know land last launch lay lead lean learn leave let lie lift link listen live load look lose lower maintain make manage
    match mean measure meet melt mix move need notice occur offer open operate own pass pay pick place plan plant play point pour prefer prepare press
    prevent produce protect prove provide pull pump push put raise reach read receive record reduce reflect release remain remember remove repair repeat
    replace require resist rest return reveal ride rise rotate run save say see seem sell send separate serve set settle shake shape share shift shine
    show shrink shut sing sink sit sleep slide slip slow snap solve speak spend spin split spread stand start stay steal stick stop store stretch strike
    struggle suffer suggest support surround survive swim take talk teach tell think throw tie touch train transform travel treat trigger trust try turn
    understand unite vanish vary visit wait wake walk want warm wash watch wear weave weigh win wonder work write wrap yield amplify crawl
    navigate steer compute calculate execute restart reboot explore snag sail swallow absorb drag join bounce circle""".split()
)
IRREGULAR = frozenset(
    """began begun bent bit blew blown bore born bought bound broke broken brought built burnt came caught chose chosen cost cut dealt did done drank drawn
    drew driven drove dug ate eaten fallen fed fell felt flew flown forgot forgotten fought found froze frozen gave given gone got grew grown heard held
    hid hidden hit hung kept knew known laid lain lay led left lent lost made meant met paid put ran rang read ridden risen rode rose said sang sank sat
    saw seen sent set shaken shone shook shot shown shrank shut slept slid sold sought spent spoke spoken sprang spread spun stood stolen struck stuck
    sung sunk swam swept swum taken taught thought threw thrown told took torn tore understood went woke won wore worn wound wove woven written wrote""".split()
)
ABBREVIATIONS = frozenset(
    "dr mr mrs ms prof st vs e.g i.e etc approx no jr sr mt fig inc ltd co corp dept u.s u.k a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec cf al".split()
)
# What may be dropped from the front of a sentence whose neighbour is not there to be answered to.
CONNECTIVES = re.compile(
    r"^(?:However|Moreover|Furthermore|Therefore|Thus|Hence|Consequently|Meanwhile|Instead|Nevertheless|Nonetheless|Likewise|Similarly|Also|Besides|Still|Yet|"
    r"Then|Next|Finally|In addition|In fact|In other words|As a result|For example|For instance|On the other hand|By contrast|In contrast|Of course|"
    r"That said|After all|At the same time|In turn),\s+|^(?:But|And|So|Yet|Or|Nor)\s+(?=[a-zA-Z])|^(?:Then|Meanwhile|Now|Still)\s+(?=(?:the|a|an|engineers|most|some|many)\b)",
)
SINGULAR = frozenset({"it", "its", "itself"})
PLURAL = frozenset({"they", "their", "theirs", "them", "themselves"})
PERSONAL = frozenset({"he", "him", "his", "she", "her", "hers"})
PEOPLE = frozenset("man woman child boy girl king queen person mother father captain scientist president".split())
BACKWARD = re.compile(
    r"^(?:It|Its|They|Their|He|His|She|Her|This|These|Those|That|Such|Both|Neither|Either|Another|One of them|Some of them|Most of them|All of them|Each of them|"
    r"The (?:two|three|four|other|others|same|latter|former|result|reason|answer|effect|rest)|Not all|Here|There(?! (?:is|are|was|were|has|have)\b)|Only then|Even so|Doing so|"
    r"That is why|Why\?|Others|Some(?= (?:are|were|have|had|do|did|can|could|even)\b)|Nor|Nothing else|Everything else)\b"
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`index` counts through the whole text; `leans` says that it can't be understood without the sentence before it."""

    index: int
    paragraph: int
    opens_paragraph: bool
    text: str
    leans: bool

    @property
    def words(self) -> int:
        return count_words(self.text)


@dataclass(frozen=True, slots=True)
class Source:
    sentences: list[Sentence]
    headings: dict[int, str]  # the heading that stands above a paragraph, by the paragraph's number


def count_words(text: str) -> int:
    return len(text.split())


def read(text: str) -> Source:
    """Paragraphs, headings and sentences. A short line without a final mark is a heading; list marks are taken off."""
    sentences: list[Sentence] = []
    headings: dict[int, str] = {}
    paragraph = 0
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\u00a0", " ")):
        heading, lines = _heading(block)
        if heading:
            headings[paragraph] = heading
        found = [sentence for line in lines for sentence in split(line) if _is_sentence(sentence)]
        for place, sentence in enumerate(found):
            sentences.append(Sentence(len(sentences), paragraph, place == 0, sentence, leans(sentence, " ".join(found[:place]) or None)))
        paragraph += bool(found)
    return Source(sentences, headings)


def _heading(block: str) -> tuple[str | None, list[str]]:
    """The block's heading and its text: lines that a wrap broke are joined, list entries stand alone."""
    lines: list[str] = []
    heading = None
    for raw in block.split("\n"):
        line = raw.strip()
        bare = re.sub(r"^(?:#{1,6}\s+|[-*•]\s+|\d{1,2}[.)]\s+)", "", line).replace("**", "").replace("__", "").strip()
        if not bare:
            continue
        if line.startswith("#") or (not lines and heading is None and _looks_like_heading(bare) and "\n" in block.strip()):
            heading = heading or bare.rstrip(":")
        elif lines and bare == line and not re.search(r"[.!?…][\"”’)]*$", lines[-1]):
            lines[-1] += " " + bare
        elif lines and bare == line:
            lines[-1] += " " + bare
        else:
            lines.append(bare)
    if heading is None and len(lines) == 1 and _looks_like_heading(lines[0]):
        return lines[0].rstrip(":"), []
    return heading, lines


def _looks_like_heading(line: str) -> bool:
    return count_words(line) <= 9 and not re.search(r"[.!?…,;][\"”’)]*$", line)


def _is_sentence(text: str) -> bool:
    return count_words(text) >= 3 and bool(re.search(r"[.!?…][\"”’)]*$", text)) and text[0] not in ",;:)"


def split(paragraph: str) -> list[str]:
    """Sentences of running text; "Dr. Smith", "3.5", "U.S. Navy" and initials don't end one."""
    text = " ".join(re.sub(r"\[\d+\]", "", paragraph).split())
    sentences, start = [], 0
    for mark in re.finditer(r"[.!?…]+[\"”’)]*\s+(?=[\"“‘(]*[A-Z0-9À-Þ])", text):
        before = text[start : mark.start()].rsplit(None, 1)
        last = before[-1].lower().lstrip('("“‘') if before else ""
        if mark.group().startswith(".") and (last in ABBREVIATIONS or re.fullmatch(r"[a-z]|(?:[a-z]\.)+[a-z]", last)):
            continue
        sentences.append(text[start : mark.end()].strip())
        start = mark.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def leans(sentence: str, before: str | None = None) -> bool:
    """Whether a sentence needs the one `before` it in its paragraph: "They ...", "The result ...", "When it ...", "The cable" just told of."""
    plain = standing(sentence)
    if BACKWARD.match(plain) or _has_loose_pronoun(plain):
        return True
    if before is None:
        return False
    subject = re.match(r"(?:The|(?:Most|Some|Much|Many|All|Half|None) of the) (.+)", plain)
    first = next((term for term in terms(subject[1])), None) if subject else None
    return bool(first and (first in terms(before) or not plain.startswith("The ")))


def _has_loose_pronoun(sentence: str) -> bool:
    """A pronoun with no noun before it, in its own sentence, that it could stand for."""
    if re.search(r"\b(?:\d+|many|some|most|all|none|each|one|two|both) of (?:them|these|those)\b", sentence):
        return True
    singular = plural = named = False
    for word in re.findall(r"[^\W\d_][\w'-]*", re.sub(r"\b(?:[Ii]t (?:turns out|seems|takes|took|is|was)|that is)\b", "", sentence).replace("’", "'")):
        low = word.lower().removesuffix("'s")
        if (low in SINGULAR and not singular) or (low in PLURAL and not plural) or (low in PERSONAL and not named):
            return True
        if is_content(word) and low not in VAGUE and not is_verb(word) and not ADVERB.match(low):
            many = low.endswith("s") and not low.endswith("ss")
            plural, singular = plural or many or singular, singular or not many
            named = named or word[0].isupper() or low in PEOPLE or low.endswith(("er", "or", "ist"))
    return False


def standing(sentence: str) -> str:
    """The sentence without the connective that answers to another one."""
    plain = re.sub(r",? (?:therefore|thus|however|too|then),?(?= [a-z])", "", CONNECTIVES.sub("", sentence))
    return plain[:1].upper() + plain[1:]


def variants(sentence: str) -> list[str]:
    """The sentence and shorter ones that say the same with less: without its aside, its relative clause, its last participle clause."""
    found = [sentence]
    for pattern in (r"\s*\([^()]*\)", r" — [^—]*? — | – [^–]*? – ", r", (?:which|who|whose|where) [^,;:]*?(?=, |[.!?]$)(?:, (?=[a-z]+(?:ed|s|d)? ))?"):
        shorter = re.sub(r"\s+([.,;!?])", r"\1", re.sub(pattern, " ", found[-1])).strip()
        if shorter != found[-1] and count_words(shorter) >= 6:
            found.append(" ".join(shorter.split()))
    tail = re.sub(
        r"(?:,| —) (?:making|allowing|giving|leaving|forcing|turning|creating|meaning|including|such as|especially|mostly|mainly) [^.!?;]*(?=[.!?]$)",
        "",
        found[-1],
    )
    if tail != found[-1] and count_words(tail) >= 6:
        found.append(tail)
    return [variant for variant in found if variant.count("(") == variant.count(")") and variant.count("“") == variant.count("”")]


@lru_cache(maxsize=20_000)
def is_verb(word: str) -> bool:
    word = word.lower()
    if word in VERBS or word in IRREGULAR:
        return True
    for ending, replacements in (("ies", ("y",)), ("ied", ("y",)), ("es", ("", "e")), ("s", ("",)), ("ed", ("", "e")), ("ing", ("", "e"))):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            if any(stem + replacement in VERBS for replacement in replacements) or (len(stem) > 2 and stem[-1] == stem[-2] and stem[:-1] in VERBS):
                return True
    return False


def is_content(word: str) -> bool:
    return len(word) > 2 and word.lower().strip("'") not in STOPWORDS


def stem(word: str) -> str:
    word = word.lower().removesuffix("'s")
    for ending in ("ies", "es", "s"):
        if word.endswith(ending) and len(word) > len(ending) + 2 and not word.endswith("ss"):
            return word[: -len(ending)] + ("y" if ending == "ies" else "e" if ending == "es" and word[-3] in "lgvkrt" else "")
    return word


def terms(text: str) -> list[str]:
    return [stem(word) for word in re.findall(r"[^\W\d_][\w'-]*", text.replace("’", "'")) if is_content(word)]


def weights(sentences: Iterable[str]) -> Counter[str]:
    """In how many sentences each term stands: what a text is about."""
    return Counter(term for sentence in sentences for term in set(terms(sentence)))


# Words that open or join noun phrases.
DETERMINERS = frozenset("a an the this that these those its their his her our your each every no some any many most several all both".split())
ADVERB = re.compile(r"^[a-z]+ly$")
NOT_ADVERBS = frozenset("family supply assembly anomaly butterfly jelly belly rally ally fly monopoly".split())
VAGUE = frozenset(
    """way ways thing things time times day days year years part parts kind number lot place end fact case point people man men woman world moment
    example side piece long big small large new old good great little high low full different possible able percent hundred thousand million billion
    name line row order hour hours minute minutes week weeks month months century mean rest result reason answer same lot share thirds quarter quarters
    second seconds millisecond milliseconds kilometer kilometers kilometre kilometres meter meters metre metres mile miles foot feet inch inches kilogram
    kilograms pound pounds ton tons volt volts watt watts degree degrees bit bits byte bytes terabits gigabits dollar dollars euro euros billion size
    bottom top best center centre front surface third dozen dozens total average rate level amount""".split()
)


NUMBERS = frozenset({"million", "billion", "thousand", "hundred", "trillion"})
COMPARED = frozenset(
    "stronger faster slower larger smaller bigger higher lower longer shorter deeper older younger better worse easier harder cheaper closer".split()
)


def noun_phrases(text: str) -> list[str]:
    """Runs of words that read as a noun phrase: after a determiner, preposition or the start, up to a verb, a function word or a mark."""
    phrases: list[str] = []
    for clause in re.split(r"[.,;:!?…()\"“”—–]|\s-\s", text.replace("’", "'")):
        run: list[str] = []
        before = opener = ""
        for word in [*clause.split(), "."]:
            if _continues(word, run, before):
                opener = opener if run else before
                run.append(word)
            else:
                phrases += _phrase(run, opener)
                run = []
            before = word.lower()
    return phrases


def _continues(word: str, run: Sequence[str], before: str) -> bool:
    if not re.fullmatch(r"[^\W\d_][\w'-]*", word) or word.lower() in STOPWORDS:
        return False
    if ADVERB.match(word.lower()) and word.lower() not in NOT_ADVERBS:
        return False
    if is_verb(word):
        # "a repair ship", "the broken ends": what follows a determiner is no verb of the sentence.
        return not run and before in DETERMINERS
    return True


def _phrase(run: Sequence[str], opener: str) -> list[str]:
    words = list(run)
    while words and (words[-1].endswith("'s") or is_verb(words[-1])):
        words.pop()
    while words and words[0].lower() in NUMBERS:
        words.pop(0)
    if not 1 <= len(words) <= 4 or words[-1].lower() in VAGUE or words[-1].endswith(("er", "est")) and words[-1] in COMPARED:
        return []
    # A word alone is often an adjective ("is thin"): only a plural or one after a determiner is surely a noun.
    if len(words) == 1 and not (opener in DETERMINERS or words[0].endswith("s")):
        return []
    return [" ".join(words)] if len(" ".join(words)) > 3 else []


def key_phrases(texts: Sequence[str], whole: Counter[str], limit: int) -> list[str]:
    """The noun phrases that say best what `texts` are about: frequent here and known to the whole text, longer before shorter."""
    counted: Counter[str] = Counter()
    written: dict[str, str] = {}
    for phrase in (phrase for text in texts for phrase in noun_phrases(text)):
        key = " ".join(stem(word) for word in phrase.split())
        written.setdefault(key, phrase)
        counted[key] += 1

    def score(key: str) -> float:
        parts = key.split()
        known = sum(min(whole[part], 4) for part in parts) / len(parts)
        return (
            counted[key]
            * (known + 0.5)
            * (1.0, 1.9, 1.8, 1.3)[len(parts) - 1]
            * (1.15 if any(word[0].isupper() for word in written[key].split()[-1:]) else 1.0)
        )

    ranked = sorted(counted, key=lambda key: (-score(key), list(written).index(key)))
    chosen: list[str] = []
    for key in ranked:
        if not any(set(key.split()) & set(other.split()) for other in chosen):
            chosen.append(key)
        if len(chosen) == limit:
            break
    return [written[key] for key in chosen]


def capitalised(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:]


def title_case(phrase: str) -> str:
    small = {"a", "an", "the", "and", "or", "but", "of", "in", "on", "at", "to", "for", "by", "with", "from", "as"}
    words = phrase.split()
    return " ".join(word if word in small and place else capitalised(word) for place, word in enumerate(words))

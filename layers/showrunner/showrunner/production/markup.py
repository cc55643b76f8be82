"""Read a user's script: Markdown, URLs and stage directions are neither shown nor spoken.

The rule, in text.SCRIPT_RULE as POST /videos/generate documents it: markup is dropped; a link becomes its
text and a bare URL its host; a heading becomes the heading of the scenes after it; `---` is a scene break;
[directions] in square brackets and known directions in parentheses, such as (music), are dropped. All other
words stay as they are and in their order.
"""

import re
from typing import Any, NamedTuple

# A pair of parentheses belongs to a URL: https://en.wikipedia.org/wiki/Tide_(disambiguation)
_PATH = r"(?:[^\s<>()\[\]{}\"“”«»]|\([^\s<>()]*\))"
_URL = re.compile(
    rf"\b(?:(?:https?|ftps?)://|www\.){_PATH}+|(?<![\w@.:/-])(?:[a-z0-9-]+\.)+[a-z]{{2,6}}/{_PATH}*|\bmailto:(?=\S+@)",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\[[^\[\]\n]{0,80}\]")
_PARENTHESES = re.compile(r"[(（【]([^()（）【】\n]{1,40})[)）】]")
_HIGHLIGHT = re.compile(r"(?<![\w=])==(?=\S)(.{1,200}?)(?<=\S)==(?![\w=])")
_ATTRIBUTES = re.compile(r" ?\{[#.][^{}\n]{0,80}\}")
# What other dialects of Markdown have and markdown-it does not read as we want it.
_FRONT_MATTER = re.compile(r"\A\s*---\n(?:\w[\w-]*:.*\n|[ \t-].*\n)+---[ \t]*(?:\n|\Z)")
_FENCE_OF_A_NOTE = re.compile(r"^:::.*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^([^\s#>|=*+-].*)\n={2,}[ \t]*$", re.MULTILINE)
_FOOTNOTE = re.compile(r"^ {0,3}\[\^[^\]\n]+\]:[ \t]*", re.MULTILINE)
_REFERENCE = re.compile(
    r"^ {0,3}\[([^\[\]\n]+)\]:[ \t]*<?(?:https?://|www\.|mailto:|[/#.])\S*(?:[ \t]+[\"'(].*)?$",
    re.IGNORECASE | re.MULTILINE,
)
_REFERRING = re.compile(r"\[([^\[\]\n]+)\](?:\[([^\[\]\n]*)\])?(?!\()")
_TIMES = re.compile(r"`[^`\n]*`|(?<=\d)\*(?=\d)")
# Stands for what was removed. Markdown replaces this character, so no text has it.
_REMOVED = "\0"
_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_DIRECTIONS = re.compile(
    r"music|pause|beat|silence|applause|laughter|laughs|laughing|sighs|whispers|whispering|sfx|cut"
    r"|sighing|smiles|smiling|coughs|gasps|cries|crying|shouts|shouting|chuckles|giggles|fade|intro|outro"
    r"|susurra|susurrando|ríe|riendo|sonríe|suspira|tose|grita|llora|rit|soupire|chuchote|lacht|seufzt|flüstert|笑"
    r"|música|musica|pausa|silencio|silêncio|aplausos|risas|risos|musique|silence"
    r"|applaudissements|rires|musik|pause|stille|applaus|gelächter|lachen|muziek|stilte|музыка|пауза"
    r"|смех|аплодисменты|тишина|müzik|duraklama|muzyka|śmiech|音乐|音樂|停顿|停頓|掌声|掌聲|笑声|笑聲|音楽|間|拍手|笑い|음악|잠시"
    r"|박수|웃음|संगीत|विराम|हँसी|موسيقى|وقفة|ضحك|מוזיקה|הפסקה|צחוק|เพลง|หยุด|ดนตรี"
)


class Section(NamedTuple):
    """Paragraphs between two scene breaks or headings. `heading` is empty before the first one."""

    heading: str
    paragraphs: list[str]


def read(text: str) -> list[Section]:
    """Return the sections of a script in order, without markup. Paragraphs have single spaces."""
    from markdown_it import MarkdownIt

    # Indented text is no code, `text` over `---` is no heading, and [a]: b is no hidden reference.
    parser = MarkdownIt("commonmark").disable(["code", "lheading", "reference"])
    parser.enable(["table", "strikethrough"])
    reader = _Reader()
    for token in parser.parse(_common(text)):
        reader.take(token)
    cleaned = [
        Section(each.heading, [words for words in each.paragraphs if words]) for each in reader.sections
    ]
    return [each for each in cleaned if each.paragraphs or each.heading]


def _common(text: str) -> str:
    """Return the text with the markup of other dialects removed, or written as CommonMark has it."""
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"))
    text = _UNDERLINED.sub(r"# \1", _FENCE_OF_A_NOTE.sub("", text))
    labels = {match[1].lower() for match in _REFERENCE.finditer(text)}
    text = _REFERRING.sub(
        lambda found: found[1] if (found[2] or found[1]).lower() in labels else found[0],
        _REFERENCE.sub("", text),
    )
    # 2*3*4 is a product, no emphasis.
    return _TIMES.sub(lambda found: "\\*" if found[0] == "*" else found[0], _FOOTNOTE.sub("", text))


class _Reader:
    """Collects sections from the tokens of markdown-it, one after another."""

    def __init__(self) -> None:
        self.sections = [Section("", [])]
        self._in_heading = False
        self._list_starts: list[str] = []
        self._number = ""
        self._cells: list[str] | None = None

    def take(self, token: Any) -> None:
        match token.type:
            case "hr":
                self.sections.append(Section(self.sections[-1].heading, []))
            case "heading_open" | "heading_close":
                self._in_heading = token.type == "heading_open"
            case "ordered_list_open" | "list_item_open" | "ordered_list_close":
                self._take_list(token)
            case "tr_open":
                self._cells = []
            case "tr_close":
                self._add(", ".join(filter(None, self._cells or [])))
                self._cells = None
            case "inline":
                self._take_inline(_clean(self._number + _inline(token)))
            case "fence" | "html_block":
                for paragraph in re.split(r"\n\s*\n", _TAG.sub(" ", token.content)):
                    self._add(_clean(paragraph))

    def _take_list(self, token: Any) -> None:
        """Keep the numbers of a list that doesn't begin at 1: "2025.

        That was it." is a list to Markdown only.
        """
        if token.type == "ordered_list_open":
            self._list_starts.append(str(token.attrs.get("start", 1)))
        elif token.type == "ordered_list_close":
            self._list_starts.pop()
        else:
            is_text = token.info and self._list_starts and self._list_starts[-1] not in ("0", "1")
            self._number = f"{token.info}{token.markup} " if is_text else ""

    def _take_inline(self, words: str) -> None:
        self._number = ""
        if self._in_heading:
            self.sections.append(Section(words, []))
        elif self._cells is not None:
            self._cells.append(words)
        else:
            self._add(words)

    def _add(self, words: str) -> None:
        self.sections[-1].paragraphs.append(words)


def _inline(token: Any) -> str:
    found: list[str] = []
    for child in token.children or []:
        if child.type in ("softbreak", "hardbreak") or re.match(r"<br\b", child.content, re.IGNORECASE):
            found.append(" ")
        elif child.type in ("text", "code_inline"):
            found.append(child.content)
    return "".join(found)


def _clean(text: str) -> str:
    text = _HIGHLIGHT.sub(r"\1", _ATTRIBUTES.sub("", _URL.sub(_host, text)))
    text = _BRACKETS.sub(_REMOVED, text)
    text = _PARENTHESES.sub(_direction, text)
    text = re.sub(rf"^{_REMOVED} ?:", "", text)  # [Narrator]: Hello.
    # Only where something was removed: French has a space before some signs.
    text = re.sub(rf"\s*{_REMOVED}\s*(?=[,.;:!?…])", "", text)
    return " ".join(text.replace(_REMOVED, " ").split())


def _host(match: re.Match[str]) -> str:
    url = match.group().rstrip(".,;:!?…'")
    if match.group().lower() == "mailto:":
        return ""
    host = re.sub(r"^(?:[a-z]+://)?(?:[^/@\s]*@)?(?:www\.)?", "", url, flags=re.IGNORECASE)
    host = re.split(r"[/?#:]", host, maxsplit=1)[0]
    return host + match.group()[len(url) :]


def _direction(match: re.Match[str]) -> str:
    words = [word.strip(".,:…!").lower() for word in match[1].split()]
    return (
        _REMOVED if len(words) <= 3 and any(_DIRECTIONS.fullmatch(word) for word in words) else match.group()
    )

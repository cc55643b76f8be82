"""Test that markup of a user's script is neither shown nor spoken, and that its words are unchanged."""

import pytest

from showrunner.production import markup, planning
from showrunner.production.text import is_speakable

# Kind -> language -> (as the user wrote it, what is spoken of it).
MARKUP = {
    "emphasis": {
        "en": ("The sea rises **twice** a _day_.", "The sea rises twice a day."),
        "de": ("Die Flut kommt __zweimal__ am *Tag*.", "Die Flut kommt zweimal am Tag."),
        "fr": ("La mer monte ***deux*** fois.", "La mer monte deux fois."),
        "ja": ("海は**二回**上がります。", "海は二回上がります。"),
        "ar": ("البحر **يرتفع** مرتين.", "البحر يرتفع مرتين."),
        "hi": ("समुद्र *दो* बार उठता है।", "समुद्र दो बार उठता है।"),
    },
    "link": {
        "en": ("See [the table](https://example.org/t).", "See the table."),
        "es": ('Mira [la tabla](https://example.org/t "título") ya.', "Mira la tabla ya."),
        "ru": ("Смотри [таблицу](http://пример.рф/т).", "Смотри таблицу."),
        "pt": ("Veja <https://www.exemplo.com.br/a?b=1>.", "Veja exemplo.com.br."),
        "zh": ("请看[表格](https://example.cn)。", "请看表格。"),
    },
    "bare URL": {
        "en": ("Read https://example.org/a/b?c=d#e, then go.", "Read example.org, then go."),
        "de": ("Mehr unter www.beispiel.de/pfad.", "Mehr unter beispiel.de."),
        "fr": ("Voir HTTPS://WWW.Exemple.FR:8080/x ici.", "Voir Exemple.FR ici."),
        "es": ("Está en (https://ejemplo.es/p).", "Está en (ejemplo.es)."),
        "it": ("Vedi https://utente@esempio.it/pagina!", "Vedi esempio.it!"),
    },
    "stage direction": {
        "en": ("(music) Welcome back [pause] to the show. (laughs)", "Welcome back to the show."),
        "es": ("(música) Bienvenidos [pausa].", "Bienvenidos."),
        "fr": ("(rires) Prêts ? [musique] Partez !", "Prêts ? Partez !"),
        "ja": ("（拍手）始めましょう。", "始めましょう。"),
        "ru": ("(музыка) Начнём [пауза], друзья.", "Начнём, друзья."),
        "kept": ("The band (four people) plays (music theory) now.", "The band (four people) plays now."),
    },
    "list and quotation": {
        "en": ("- Salt\n- Water", "Salt Water"),
        "de": ("1. Salz\n2. Wasser", "Salz Wasser"),
        "fr": ("> Le port dort.", "Le port dort."),
        "year": ("2025. That was it.", "2025. That was it."),
        "table": ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b 1, 2"),
    },
    "code and HTML": {
        "en": ("Type `ls` in the <b>shell</b>.", "Type ls in the shell."),
        "de": ("Ende<br>gut <!-- nicht sagen -->alles gut.", "Ende gut alles gut."),
        "fence": ("```\nhello world\n```", "hello world"),
        "indented": ("    Four spaces are no code.", "Four spaces are no code."),
        "comparison": ("If 3 < 5 and 7 > 2, stop.", "If 3 < 5 and 7 > 2, stop."),
    },
}
ROWS = [(kind, name) for kind, rows in MARKUP.items() for name in rows]


@pytest.mark.parametrize(("kind", "name"), ROWS)
def test_markup_is_removed_and_the_words_are_kept(kind: str, name: str) -> None:
    written, spoken = MARKUP[kind][name]

    sections = markup.read(written)

    assert " ".join(words for section in sections for words in section.paragraphs) == spoken


@pytest.mark.parametrize(
    ("written", "headings"),
    [
        ("# The tide clock\n\nIt turns.", ["The tide clock"]),
        ("It begins.\n\n## Zweiter Teil ##\n\nEs geht weiter.", ["", "Zweiter Teil"]),
        ("### Un *mot* [ici](https://e.org)\n\nTexte.", ["Un mot ici"]),
        ("# 潮汐\n\n港口。\n\n---\n\n船。", ["潮汐", "潮汐"]),
        ("One.\n\n---\n\nTwo.\n\n***\n\nThree.", ["", "", ""]),
    ],
)
def test_headings_name_their_scenes_and_breaks_divide_them(written: str, headings: list[str]) -> None:
    assert [scene.heading for scene in planning.manual(written, None, "en").scenes] == headings


@pytest.mark.parametrize(
    "nothing",
    ["***", "😀", "—", "👇👇", "…", "?!", "。", "---", "#", "[pause]", "(music)", "🇳🇴 🇩🇪", "\u200b", "¿"],
)
def test_a_paragraph_without_words_is_not_spoken(nothing: str) -> None:
    script = planning.manual(f"The sea is calm.\n\n{nothing}\n\nThe boats wait for the tide.", None, "en")

    assert all(map(is_speakable, script.passages))
    assert " ".join(script.passages) == "The sea is calm. The boats wait for the tide."

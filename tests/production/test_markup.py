"""Test that markup of a user's script is neither shown nor spoken, and that its words are unchanged."""

import time

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
        "parentheses": (
            "It is in https://en.wikipedia.org/wiki/Tide_(sea) too.",
            "It is in en.wikipedia.org too.",
        ),
        "without https": (
            "Mira ejemplo.es/ruta?x=1, ftp://x.org/a o mailto:a@b.org.",
            "Mira ejemplo.es, x.org o a@b.org.",
        ),
        "no URL": (
            "A 60 km/h y/o 24/7, v2.0/beta, U.S./Canada.",
            "A 60 km/h y/o 24/7, v2.0/beta, U.S./Canada.",
        ),
    },
    "stage direction": {
        "en": ("(music) Welcome back [pause] to the show. (laughs)", "Welcome back to the show."),
        "es": ("(música) Bienvenidos [pausa].", "Bienvenidos."),
        "fr": ("(rires) Prêts ? [musique] Partez !", "Prêts ? Partez !"),
        "ja": ("（拍手）始めましょう。", "始めましょう。"),
        "ru": ("(музыка) Начнём [пауза], друзья.", "Начнём, друзья."),
        "in two languages": ("*(se ríe)* Hola 【音楽】 (sighing) adiós（笑）", "Hola adiós"),
        "kept": ("The band (four people) plays (music theory) now.", "The band (four people) plays now."),
    },
    "list and quotation": {
        "en": ("- Salt\n- Water", "Salt Water"),
        "de": ("1. Salz\n2. Wasser", "Salz Wasser"),
        "fr": ("> Le port dort.", "Le port dort."),
        "year": ("2025. That was it.", "2025. That was it."),
        "table": ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b 1, 2"),
    },
    "other dialects": {
        "struck out": ("Es ~~viejo~~ nuevo.", "Es viejo nuevo."),
        "highlight": ("Das ist ==wichtig==, a==b==c nicht.", "Das ist wichtig, a==b==c nicht."),
        "reference": (
            'See [the table][1] or [Tide].\n\n[1]: https://e.org "t"\n[tide]: /tide',
            "See the table or Tide.",
        ),
        "no reference": ("[Narrator]: Hello there.", "Hello there."),
        "footnote": ("Nota[^1].\n\n[^1]: Un pie de página.", "Nota. Un pie de página."),
        "front matter": ("---\ntitle: Meer\ntags:\n  - a\n---\nDas Meer.", "Das Meer."),
        "note": ("::: tip\nAttention !\n:::", "Attention !"),
        "attributes": ("Mar {#mar .azul} adentro.", "Mar adentro."),
    },
    "code and HTML": {
        "en": ("Type `ls` in the <b>shell</b>.", "Type ls in the shell."),
        "de": ("Ende<br>gut <!-- nicht sagen -->alles gut.", "Ende gut alles gut."),
        "fence": ("```\nhello world\n```", "hello world"),
        "indented": ("    Four spaces are no code.", "Four spaces are no code."),
        "product": ("So 2*3*4 is 24, and `5*6*7` is 210.", "So 2*3*4 is 24, and 5*6*7 is 210."),
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
        ("Título\n======\n\nTexto.", ["Título"]),
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


@pytest.mark.parametrize(
    "hostile", ["-a: x\n", "==a ", "[a", "{#", "a.", "`", "2*", "\\[", "](", "~~", "=\n"]
)
def test_no_script_takes_long_to_read(hostile: str) -> None:
    begun = time.process_time()

    markup.read("---\n" + hostile * 10_000)

    assert time.process_time() - begun < 5

"""Test scripts in twelve languages from planning to the timeline: nothing is lost, every limit is kept."""

import re

import pytest

from render.plan import timeline as renderer
from showrunner.production import markup, planning, timeline
from showrunner.production.text import is_speakable
from tests.production.samples import TIMELINE, job, pictures, recording

# Three sentences of our own each: an abbreviation or a number, a question, and a plain one.
SENTENCES = {
    "en": (
        "Dr. Okafor left St. Ives at 9 a.m. with 3.5 tons of salt.",
        "Who would buy it?",
        "The harbour was already asleep.",
    ),
    "de": ("Prof. Lind kam z. B. am 3. Mai um 9 Uhr.", "Wer hätte das gedacht?", "Der Hafen schlief schon."),
    "fr": ("M. Dupont a payé 3,50 € à Mme. Curie.", "Qui l'aurait cru ?", "Le port dormait déjà."),
    "es": (
        "El Sr. López llegó a las 9 a. m. con 1.200 kg de sal.",
        "¿Quién lo diría?",
        "El puerto ya dormía.",
    ),
    "pt": ("A Sra. Costa pagou R$ 3,50 na av. Central.", "Quem diria?", "O porto já dormia."),
    "it": ("Il sig. Rossi arrivò alle 9 con 3,5 t di sale.", "Chi l'avrebbe detto?", "Il porto dormiva già."),
    "ru": ("Проф. Иванов приехал в г. Казань в 9 ч.", "Кто бы мог подумать?", "Порт уже спал."),
    "ar": ("وصل د. أحمد الساعة ٩ ومعه ٣٫٥ طن من الملح.", "من كان يظن ذلك؟", "كان الميناء نائما."),
    "hi": ("डॉ. शर्मा 9 बजे 3.5 टन नमक लेकर आए।", "किसने सोचा था?", "बंदरगाह सो चुका था।"),
    "zh": ("王医生上午9点带着3.5吨盐离开了。", "谁会买呢？", "港口已经睡着了。"),
    "ja": ("田中さんは9時に塩を3.5トン運びました。", "誰が買うのでしょう？", "港はもう眠っていました。"),
    "th": ("คุณสมชายออกเดินทางตอน 9 โมงพร้อมเกลือ 3.5 ตัน", "ใครจะซื้อ", "ท่าเรือหลับไปแล้ว"),
}
URL = "https://www.example.org/a/" + "b" * 200
FORMS = {
    "plain": "{0} {1} {2}",
    "paragraphs": "{0}\n\n{1}\n\n{2}",
    "headings": "# {1}\n\n{0}\n\n## {2}\n\n{1} {2}",
    "emphasis": "**{0}** _{1}_ `{2}`",
    "scene breaks": "{0}\n\n---\n\n{1}\n***\n{2}",
    "list": "- {0}\n- {1}\n\n1. {2}\n2. {0}",
    "year at the start": "2025. {0}\n\n{1}",
    "links": "[{0}](https://example.org/t) {1} " + URL,
    "directions": "(music) {0} [pause]\n\n{1} (laughs)",
    "emoji": "😀 {0} 👩‍👩‍👧‍👧\n\n👇👇\n\n{1} 🇳🇴",
    "signs only between": "{0}\n\n***\n\n— … —\n\n{1}",
    "no break points": "{0}" * 40,
    "many short paragraphs": "{1}\n\n" * 150,
    "long": "{0} {1} {2} " * 25,
    "quotes": "“{0}” {1}\n> {2}",
    "table and code": "| a | b |\n|---|---|\n| {0} | {1} |\n\n```\n{2}\n```",
    "html": "<b>{0}</b> <!-- hidden --> {1}<br>{2}",
}


def letters(text: str) -> str:
    """Letters and digits in order: what must neither be lost nor doubled."""
    return re.sub(r"[\W_]+", "", text)


def corpus():
    return [(language, form) for language in SENTENCES for form in FORMS]


def test_the_corpus_has_two_hundred_scripts_in_twelve_languages():
    assert len(corpus()) >= 200
    assert len(SENTENCES) == 12


@pytest.mark.parametrize("language", SENTENCES)
def test_every_script_becomes_a_timeline_without_loss(language):
    for form, shape in FORMS.items():
        text = shape.format(*SENTENCES[language])
        script = planning.finished(planning.manual(text, None, language), language)

        read = [paragraph for section in markup.read(text) for paragraph in section.paragraphs]
        assert letters("".join(script.passages)) == letters("".join(read)), form
        assert all(is_speakable(passage) for passage in script.passages), form
        assert max(map(len, script.passages)) <= planning.PASSAGE_CHARACTERS, form
        assert len(script.passages) <= planning.MAX_PASSAGES, form
        assert not re.search(r"https?://|\*\*|\[pause\]|hidden|b{50}", "".join(script.passages)), form

        recordings = [recording(passage, max(0.5, len(passage) * 0.06)) for passage in script.passages]
        ordered = job(language=language, manual_script=text)
        planned = timeline.plan(ordered, script, recordings, pictures(script, ordered))
        TIMELINE.validate(planned)
        renderer.parse(planned)
        narrations = [scene["narration"] for scene in planned["scenes"] if scene["narration"]]
        words = [word for narration in narrations for word in narration["words"]]
        assert letters("".join(word["text"] for word in words)) == letters("".join(script.passages)), form
        times = [time for word in words for time in (word["start_s"], word["end_s"])]
        assert times == sorted(times), form

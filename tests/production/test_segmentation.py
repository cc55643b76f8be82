"""Sentences: our splitter on a table of our own, compared with ICU's."""

import pytest
from icu4py.breakers import SentenceBreaker

from showrunner.production import segmentation

# Language, text, number of sentences.
TABLE = [
    (
        "en",
        "Dr. Okafor met Prof. Lind at 9 a.m. on Jan. 5 near St. Pancras: vaccines vs. serums. They agreed.",
        2,
    ),
    ("en", "The U.S. economy grew 3.5 percent. Mr. Smith Jr. disagreed, e.g. about No. 5. Why?", 3),
    ("en", "It costs $3.50 vs. €4.20. Version 2.0.1 is out! Visit example.org today.", 3),
    ("en", 'J. R. R. Tolkien wrote it. He said "Stop." Then he left.', 3),
    ("en", "Wait... what? Yes. No!", 3),
    ("en", "She works at Acme Inc. in Boston. Sales rose approx. 4 %.", 2),
    ("de", "Dr. Müller kam am 3. Mai um 9 Uhr, z. B. mit Prof. Weiß. Das war gut.", 2),
    ("de", "Das kostet ca. 3,50 Euro. Nr. 5 lebt!", 2),
    ("fr", "M. Dupont a vu Mme. Curie. C'était le 1er mai. Vraiment ?", 3),
    ("es", "El Sr. López llegó a las 9 a.m. a la Av. Central. ¿Qué pasó? Nada.", 3),
    ("pt", "O Dr. Silva chegou às 9h. A Sra. Costa saiu.", 2),
    ("it", "Il sig. Rossi e la dott.ssa Bianchi arrivano. Bene!", 2),
    ("ru", "Это г. Москва, ул. Ленина, д. 5. Он жил там в 1990 г. и позже. Правда?", 3),
    ("zh", "今天天气很好。我们去公园吧！你来吗？", 3),
    ("ja", "今日は晴れです。公園に行きましょう！「行く。」と言った。", 3),
    ("hi", "डॉ. शर्मा आए। सब खुश थे। क्या हुआ?", 3),
    ("ar", "وصل د. أحمد الساعة ٩. هل أنت بخير؟ نعم.", 3),
    ("th", "สวัสดีครับ วันนี้อากาศดี", 1),
    ("ko", "김 박사는 9시에 왔다. 그는 웃었다! 왜?", 3),
    ("tr", "Dr. Yılmaz saat 9'da geldi. Bu iyi mi? Evet.", 3),
    ("es", "La Dra. Ruiz y D. Juan viven en la C/ Mayor n.º 5, p. ej. cerca de la pza. Sol. ¡Sí!", 2),
    ("es", "Nació hacia el 50 a. C. en Roma. Murió en el s. XIX.", 2),
    ("fr", "Mme Curie a reçu le prix no. 2 selon l'art. 5. Bravo.", 2),
    ("de", "Der Zug fährt um 9.30 Uhr ab, d. h. bald. Am 24. Dezember kam Fr. Dr. Weber nach St. Gallen.", 2),
    ("it", "L'on. Bianchi cita l'art. 3 della legge. Vale.", 2),
    ("pt", "O Eng. Costa mora na R. Augusta. Chegou às 9h30.", 2),
    ("pl", "Dr hab. Nowak i mgr. inż. Lis czekają. Tak.", 2),
    ("vi", "TS. Nguyễn ở TP. Hồ Chí Minh. Đẹp quá!", 2),
    ("bn", "ড. রহমান এলেন। কী হলো?", 2),
    ("nl", "Dr. de Vries kwam om 9 u. aan. Prima!", 2),
    ("pl", "Prof. Kowalski mieszka przy ul. Długiej 5. Ładnie tam!", 2),
]


@pytest.mark.parametrize(("language", "text", "count"), TABLE)
def test_sentences_are_found_and_no_letter_is_lost(language, text, count):
    found = segmentation.sentences(text, language)

    assert len(found) == count, found
    assert "".join(found).replace(" ", "") == text.replace(" ", "")


def test_icu_alone_finds_fewer():
    right = sum(
        len([part for part in SentenceBreaker(text, language) if str(part).strip()]) == count
        for language, text, count in TABLE
    )

    assert right < len(TABLE) / 2


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "word " * 3360), ("zh", "字" * 16_800), ("en", "x" * 5000), ("th", "สวัสดีครับ" * 400)],
)
def test_text_without_break_points_is_cut_within_the_limit(language, text):
    pieces = segmentation.pieces(text, 800, language)

    assert max(map(len, pieces)) <= 800
    assert "".join(pieces).replace(" ", "") == text.replace(" ", "")

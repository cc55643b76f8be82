"""Choose the mood of a script's music by its style and its words.

The renderer has built-in tracks for each mood (functions/render/sound/tracks.py).
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args

from showrunner.production.script import Script

type Mood = Literal["calm", "bright", "news", "hopeful", "tense", "playful"]
MOODS: tuple[Mood, ...] = get_args(Mood.__value__)

# The moods that a style may have. The first is that of a script whose words say nothing else.
_MOODS_OF_STYLES: Mapping[str, tuple[Mood, ...]] = {
    "educational": ("calm", "bright", "hopeful", "tense", "playful"),
    "entertainment": ("bright", "hopeful", "tense", "playful"),
    "news": ("news", "hopeful", "tense"),
}
# The mood of a renderer that knows only calm, bright and news.
NEAREST_OF_THREE: Mapping[Mood, Mood] = {
    "calm": "calm",
    "bright": "bright",
    "news": "news",
    "hopeful": "bright",
    "tense": "news",
    "playful": "bright",
}
# Beginnings of words, in the languages of scripts. With a point: the whole word, or its plural with s.
_WORDS: Mapping[Mood, Mapping[str, str]] = {
    "calm": {
        "en": "calm gentl quiet slow peace breath sleep rest. silen soft. softly garden forest",
        "es": "calma tranquil lent paz. respir dorm descans silenci suave jardín bosque",
        "fr": "calme tranquill lent paix respir dorm repos silenc doux. douce jardin forêt",
        "de": "ruhig ruhe langsam fried atem schlaf sanft leise. garten wald",
    },
    "bright": {
        "en": "bright sunn sun. summer easy. easily tip. trick travel cook recipe colour color music fresh",
        "es": "brillant sol. verano fácil truco viaj cocin receta color música fresc",
        "fr": "brillant soleil été. facile astuce voyag cuisin recette couleur musique frais.",
        "de": "hell. sonn sommer einfach tipp. reis koch rezept farb musik frisch",
    },
    "hopeful": {
        "en": "hope dream future achiev overcom succe inspir courag heal. heals healed victor rescu discover",
        "es": "esperan sueñ futuro logr superar éxito inspir valor. sanar mejor victoria rescat descub",
        "fr": "espoir espér rêv avenir réuss surmont succès inspir courag guéri victoire sauver sauvé découv",
        "de": "hoff traum. träum zukunft erfolg überwind inspir mut. mutig heilen sieg rett entdeck",
    },
    "tense": {
        "en": (
            "danger threat war. wars crime murder kill. killed death dead. dark. darkness fear terror myster "
            "disaster crash. crashed attack crisis collaps vanish storm. victim poison"
        ),
        "es": (
            "peligr amenaz guerra crimen asesin muert oscur miedo terror misteri desastr ataque crisis "
            "colaps desapare tormenta víctim veneno"
        ),
        "fr": (
            "danger menac guerre crime meurtr mort. mortel sombre peur terreur mystèr désastre attaqu crise "
            "effondr dispar tempête victim poison."
        ),
        "de": (
            "gefahr gefähr bedroh krieg verbrech mord. mörder tot. tod. tödlich dunkel angst terror geheim "
            "katastroph angriff krise zusammenbruch verschw sturm opfer. gift."
        ),
    },
    "playful": {
        "en": "fun. funn laugh joke silly cat. kitten dog. pupp toy. game. kid. weird prank clown cute",
        "es": "divert gracios risa broma tont gato perr juguet juego. raro payas fiesta",
        "fr": "drôle amus rire. blague chat. chien jouet jeu. jeux. bizarre clown fête mignon",
        "de": "lustig spaß lach witz albern katz hund. hunde spielzeug spiel. spiele komisch clown süß",
    },
}
_LANGUAGES = frozenset.intersection(*(frozenset(words) for words in _WORDS.values()))
# One word of a mood says nothing: so many are needed, and so many of a hundred words.
_FEWEST, _PER_HUNDRED = 3, 1.5


def of_script(script: Script, style: str, language: str) -> Mood:
    """Return the mood whose words the script has most often, of those that fit its style.

    Without enough such words, or in a language whose words are not listed, it is the style's own mood.
    """
    moods = _MOODS_OF_STYLES[style]
    if language not in _LANGUAGES:
        return moods[0]
    text = " ".join([script.title, *script.passages]).casefold()
    enough = max(_FEWEST, _PER_HUNDRED * len(text.split()) / 100)
    counts = {mood: len(_pattern(mood, language).findall(text)) for mood in moods if mood in _WORDS}
    best = max(counts, key=counts.__getitem__)
    return best if counts[best] >= enough else moods[0]


@cache
def _pattern(mood: Mood, language: str) -> re.Pattern[str]:
    words = [re.sub(r"\.$", r"s?\\b", word) for word in _WORDS[mood][language].split()]
    return re.compile(rf"\b(?:{'|'.join(words)})")

"""Choose the tags of a user's own script: what it names, not what happens."""

import re
from collections import Counter

MOST = 10
_SHORTEST = 4

# Words of a text without nouns that can be told that say what it is about.
_LONGEST_WORDS = 3

# Words after which a noun or its adjective stands, in the contract's languages.
_DETERMINERS = {
    "en": "the a an this that these those its his her their our your my every each some many most of",
    "es": "el la los las un una unos unas este esta estos estas ese esa su sus cada del al",
    "fr": "le la les un une des du de au aux ce cet cette ces son sa ses leur leurs chaque",
    "de": "der die das den dem des ein eine einen einem einer eines dieser diese dieses jeder jede jedes",
}
# Frequent words of four letters or more that name nothing.
_EMPTY = {
    "en": "meters metres kilometers kilometres degrees percent"
    " about after again against almost along already also although always among another around away back"
    " because been before began behind being below beneath best better between beyond both came cannot come"
    " could does doing done down during each either else enough even ever every everyone everything first"
    " five four from gave give goes going good great have having here high hour hours however inside into"
    " itself just keep kept kind know last later least less like little long made make many maybe might"
    " minute minutes more most much must near need never next none nothing often once only onto other"
    " others ought over"
    " part perhaps quite rather really same second seen several shall should since small some someone"
    " something sometimes soon still such take than that their them then there therefore these they thing"
    " things think third this those though three through time times today together told tomorrow toward"
    " towards twelve twice under until upon used usually very want well went were what when where whether"
    " which while whole whom whose will with within without would year years yesterday your",
    "es": "metros kilómetros grados"
    " ahora algo algunos ante antes aquel aquella aunque cada casi como contra cual cuando cuanto dentro"
    " desde después donde durante ella ellas ellos entonces entre eran eres esta estaba están estar este"
    " estos fuera fueron haber había hace hacer hacia hasta luego mientras mismo mucho muchos nada nadie"
    " nunca otra otro otros para pero poco porque pueden puede pues quien sido siempre sino sobre solo sólo"
    " también tanto tenía tiene tienen toda todas todavía todo todos tras veces vida",
    "fr": "mètres kilomètres degrés"
    " afin ainsi alors après assez aucun aussi autre autres avait avant avec avoir beaucoup bien cela"
    " celle celui cent cependant ceux chaque chez comme contre dans depuis derrière dessous dessus deux"
    " devant donc dont elle elles encore entre était étaient être eux faire fait fois font hors jamais jour"
    " jours jusque leur leurs lorsque mais malgré même mieux moins notre nous ont parce parfois pendant"
    " personne peut peuvent plus plusieurs pour pourquoi presque puis quand quatre quelque quelques qui"
    " quoi rien sans selon sera seulement sont sous souvent tard tout toute toutes tous toujours très trois"
    " trop vers votre vous",
    "de": "meter metern kilometer grad prozent"
    " aber alle allem allen aller alles also andere anderen auch beim bereits bevor beide beiden bisher"
    " dabei dadurch dafür dagegen daher damit danach dann daran darauf daraus darin darüber darum dass davon"
    " davor dazu denn dessen deren dich dies diese diesem diesen dieser dieses doch dort durch eben ebenso"
    " einem einen einer eines einige einmal erst etwa etwas euch fast für ganz gegen genau gerade gibt habe"
    " haben hatte hatten heute hier hinter ihre ihrem ihren ihrer immer jede jedem jeden jeder jedes jetzt"
    " kann kein keine können mehr mein meist mich muss nach nicht nichts noch oder ohne schon sehr sein seine"
    " seinem seinen seiner seit selbst sich sind soll sondern sonst sowie über unter vom viel viele von vor"
    " wann warum weil welche wenn werden wieder will wird wurde wurden zwischen zwei drei vier zum zur zwar",
}


def is_empty(tag: str, language: str) -> bool:
    """Return True if a tag is a single word that names nothing, such as "toward"."""
    return tag.lower() in _EMPTY.get(_base(language), "").split()


def _base(language: str) -> str:
    return language.partition("-")[0].lower()


def of_text(text: str, named: list[str], language: str) -> list[str]:
    """Return at most MOST tags: words of the titles in `named` first, then the text's most frequent nouns.

    Nouns are found by what stands before them, or by their capital; other languages give repeated words.
    """
    base = _base(language)
    counts: Counter[str] = Counter()
    nouns: Counter[str] = Counter()
    for word, before, starts_sentence in _words(text):
        counts[word.lower()] += 1
        is_name = word[0].isupper() and not starts_sentence
        if is_name or before in _DETERMINERS.get(base, "").split():
            nouns[word.lower()] += 1
    titled = [word.lower() for title in named for word, _, _ in _words(title) if counts[word.lower()]]
    known = base in _DETERMINERS
    found = [word for word in nouns if known] or [word for word, count in counts.items() if count > 1]
    ranked = sorted(dict.fromkeys(found), key=lambda word: -counts[word])
    titled = [word for word in titled if word in nouns or not known]
    chosen = dict.fromkeys([*titled, *ranked])
    return [word for word in chosen if len(word) >= _SHORTEST and not is_empty(word, language)][:MOST]


def named(text: str, language: str) -> list[str]:
    """Return what a short text names, the most exact first: its nouns, else its longest words in their order.

    Of a language without spaces between its words these are runs of signs up to the next mark.
    """
    if _base(language) in _DETERMINERS and (nouns := of_text(text, [], language)):
        return nouns
    words = [word.lower() for word, _, _ in _words(text) if not is_empty(word, language)]
    longest = sorted(dict.fromkeys(words), key=len, reverse=True)[:_LONGEST_WORDS]
    return [word for word in dict.fromkeys(words) if word in longest and len(word) >= 2]


def _words(text: str) -> list[tuple[str, str, bool]]:
    """Return (word, the word before it in lower case, True at the start of a sentence)."""
    found: list[tuple[str, str, bool]] = []
    before, starts = "", True
    for match in re.finditer(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|[.!?:]", text):
        word = match.group()
        if word in ".!?:":
            before, starts = "", True
            continue
        # L'eau, d'un: the article and the noun are written together.
        article = re.match(r"(?:[ldLD]|qu|Qu)['’]", word)
        if article:
            word, before = word[article.end() :], "le"
        word = re.sub(r"['’]s$", "", word)
        found.append((word, before, starts and not article))
        before, starts = word.lower(), False
    return found

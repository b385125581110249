"""French morphology: conjugation, agreement, contraction, elision and the verb group, as far as the phrasebook needs it."""

from __future__ import annotations

import re
from functools import lru_cache

from .lexicon import FRENCH_VERBS, Noun, Subject

PERSONS = 6  # 0 je · 1 tu · 2 il, elle · 3 nous · 4 vous · 5 ils, elles
PRONOUNS = ("je", "tu", "il", "nous", "vous", "ils")
REFLEXIVE = ("me", "te", "se", "nous", "vous", "se")

# Verbs whose passé composé takes être (reflexive ones do too, and need no list).
ETRE_VERBS = frozenset(
    "aller venir arriver partir sortir entrer rentrer rester tomber retourner revenir devenir naître mourir".split()
)
# Reflexive verbs used here with a direct object after them: the participle then stays as it is (elle s'est lavé les mains).
OBJECT_FOLLOWS = frozenset("laver brosser casser acheter".split())

# Verbs in -er whose e or é becomes è before a silent ending: j'achète, je préfère.
E_GRAVE = frozenset("acheter lever promener emmener préférer espérer répéter inquiéter".split())

# Words whose initial h blocks elision (h aspiré); "onze" and "huit" behave alike.
H_ASPIRE = frozenset("haricot haricots hamster hamsters haut haute hauts hautes héros huit huitième onze hockey hamburger "
                     "hamburgers hibou hiboux homard hongrois hongroise hollandais handball hors huitaine".split())
VOWEL = "aàâäeéèêëiîïoôöuùûüœæh"

IMPERATIVES = {
    "être": ("sois", "soyons", "soyez"),
    "avoir": ("aie", "ayons", "ayez"),
    "aller": ("va", "allons", "allez"),
    "savoir": ("sache", "sachons", "sachez"),
}
NEGATIONS = {"not": "pas", "never": "jamais", "anymore": "plus", "nothing": "rien"}


def starts_with_vowel(word: str) -> bool:
    """Whether ``word`` calls for elision, liaison forms (cet, mon amie) and the like."""
    word = re.split(r"[\s,.'-]", word.lower(), maxsplit=1)[0]
    return word == "y" or (word[:1] in VOWEL and word[:1] != "" and word not in H_ASPIRE)


# --- Verbs ------------------------------------------------------------------------------------------------------------


def _present_er(verb: str) -> list[str]:
    stem = verb[:-2]
    weak = strong = stem
    if verb.endswith("ger"):
        weak = stem + "e"
    elif verb.endswith("cer"):
        weak = stem[:-1] + "ç"
    elif verb.endswith("yer"):
        strong = stem[:-1] + "i"
    elif verb in ("appeler", "jeter", "rappeler"):
        strong = stem + stem[-1]
    elif verb in E_GRAVE:
        strong = re.sub(r"[eé](\w)$", r"è\1", stem)
    return [strong + "e", strong + "es", strong + "e", weak + "ons", stem + "ez", strong + "ent"]


@lru_cache(maxsize=None)
def present(verb: str) -> tuple[str, ...]:
    """The six present forms of ``verb``."""
    if verb in FRENCH_VERBS:
        return FRENCH_VERBS[verb].present
    if verb.endswith("er"):
        return tuple(_present_er(verb))
    stem = verb[:-2]
    if verb.endswith("ir"):
        return tuple(stem + end for end in ("is", "is", "it", "issons", "issez", "issent"))
    if verb.endswith("re"):
        return tuple(stem + end for end in ("s", "s", "", "ons", "ez", "ent"))
    raise ValueError(f"not a French infinitive: {verb!r}")


def participle(verb: str) -> str:
    """The masculine singular past participle."""
    if verb in FRENCH_VERBS:
        return FRENCH_VERBS[verb].participle
    return verb[:-2] + {"er": "é", "ir": "i", "re": "u"}[verb[-2:]]


def imperfect(verb: str, person: int) -> str:
    stem = "ét" if verb == "être" else present(verb)[3][:-3]
    if person in (3, 4):  # nous mangions, nous commencions: no softening needed before i
        stem = re.sub("ge$", "g", re.sub("ç$", "c", stem)) if verb.endswith(("ger", "cer")) else stem
    return stem + ("ais", "ais", "ait", "ions", "iez", "aient")[person]


def _future_stem(verb: str) -> str:
    if verb in FRENCH_VERBS and FRENCH_VERBS[verb].future:
        return FRENCH_VERBS[verb].future
    if verb.endswith("er") and "é" not in verb[-4:]:  # achèter-, appeller-, paier-; but préférer-
        return present(verb)[0] + "r"
    return verb[:-1] if verb.endswith("re") else verb


def future(verb: str, person: int) -> str:
    return _future_stem(verb) + ("ai", "as", "a", "ons", "ez", "ont")[person]


def conditional(verb: str, person: int) -> str:
    return _future_stem(verb) + ("ais", "ais", "ait", "ions", "iez", "aient")[person]


def imperative(verb: str, person: int) -> str:
    """The command form for tu (1), nous (3) or vous (4)."""
    if verb in IMPERATIVES:
        return IMPERATIVES[verb][{1: 0, 3: 1, 4: 2}[person]]
    form = present(verb)[person]
    return form[:-1] if person == 1 and form.endswith("es") else form


# --- Agreement --------------------------------------------------------------------------------------------------------


def feminine(word: str) -> str:
    """The regular feminine of an adjective or participle."""
    for ending, replacement in (("e", "e"), ("eux", "euse"), ("f", "ve"), ("er", "ère"), ("el", "elle"), ("en", "enne"),
                                ("on", "onne"), ("eur", "euse")):
        if word.endswith(ending):
            return word[: -len(ending)] + replacement
    return word + "e"


def plural(word: str) -> str:
    """The regular plural of a noun or adjective; only the first word of a compound ("salle de bains") changes."""
    if " " in word:
        head, rest = word.split(" ", 1)
        return f"{plural(head)} {rest}"
    if word.endswith(("s", "x", "z")):
        return word
    if word.endswith("al"):
        return word[:-2] + "aux"
    return word + ("x" if word.endswith(("au", "eu")) and word not in ("bleu", "pneu") else "s")


def agree(masculine: str, gender: str, number: str, feminine_form: str = "") -> str:
    """``masculine`` agreeing with a ``gender`` ("m", "f") and ``number`` ("s", "p")."""
    word = masculine if gender == "m" else feminine_form or feminine(masculine)
    return plural(word) if number == "p" else word


# --- Noun phrases -----------------------------------------------------------------------------------------------------

_BY_GENDER = {
    "un": ("un", "une", "des"),
    "le": ("le", "la", "les"),
    "de+le": ("du", "de la", "des"),
    "à+le": ("au", "à la", "aux"),
    "quel": ("quel", "quelle", "quels|quelles"),
    "ce": ("ce", "cette", "ces"),
    "mon": ("mon", "ma", "mes"),
    "ton": ("ton", "ta", "tes"),
    "son": ("son", "sa", "ses"),
    "notre": ("notre", "notre", "nos"),
    "votre": ("votre", "votre", "vos"),
    "leur": ("leur", "leur", "leurs"),
    "tout+le": ("tout le", "toute la", "tous les|toutes les"),
    "aucun": ("aucun", "aucune", "aucun"),
    "combien+de": ("combien de", "combien de", "combien de"),
    "beaucoup+de": ("beaucoup de", "beaucoup de", "beaucoup de"),
    "trop+de": ("trop de", "trop de", "trop de"),
    "assez+de": ("assez de", "assez de", "assez de"),
    "un+peu+de": ("un peu de", "un peu de", "un peu de"),
    "plus+de": ("plus de", "plus de", "plus de"),
    "de": ("de", "de", "de"),
    "de+un": ("d'un", "d'une", "de"),
}
POSSESSIVES = ("mon", "ton", "son", "notre", "votre", "leur")


def determiner(name: str, gender: str, number: str, following: str, *, owner: int = 0, negative: bool = False) -> str:
    """The form of determiner ``name`` before the word ``following``.

    ``name`` is a key of the table above, "du" (partitive), "mon" (possessive of the person ``owner``), or "un/de" and
    "du/de", which become "de" in a negative sentence (je n'ai pas de voiture).
    """
    if name.endswith("/de"):
        name = "de" if negative else name[:-3]
    if name.startswith("de+") and name[3:] in ("mon", "ton"):
        return "de " + determiner(name[3:], gender, number, following, owner=owner)
    if name in ("mon", "mon1"):
        name = POSSESSIVES[owner if name == "mon" else 0]
    vowel = starts_with_vowel(following)
    masculine, fem, many = _BY_GENDER["de+le" if name == "du" else name]
    if number == "p":
        return many.split("|")[-1 if gender == "f" else 0]
    if vowel:
        if name in ("mon", "ton", "son"):
            return masculine
        if name == "ce":
            return "cet" if gender == "m" else "cette"
        if name in ("du", "de+le"):
            return "de l'"
        if name == "à+le":
            return "à l'"
    return masculine if gender == "m" else fem


def country(preposition: str, noun: Noun) -> str:
    """A country after "en" (en France, au Japon, aux États-Unis) or "de" (de France, du Japon)."""
    if noun.number == "p":
        return {"en": "aux", "de": "des"}[preposition] + " " + noun.french
    if noun.gender == "f" or starts_with_vowel(noun.french):
        return f"{preposition} {noun.french}"
    return {"en": "au", "de": "du"}[preposition] + " " + noun.french


# --- The verb group ---------------------------------------------------------------------------------------------------


def clause(subject: Subject, verb: str, tense: str, polarity: str, question: str = "", clitics: tuple[str, ...] = (),
           adverb: str = "", object_agreement: tuple[str, str] | None = None) -> str:
    """Subject, negation, clitics, verb and adverb in their order.

    ``tense`` is one of the names in ``compose.TENSES``; ``polarity`` "plain" or a key of NEGATIONS; ``question`` "" (a
    statement), "est-ce que", "inversion" (which falls back on est-ce que for nouns and je) or "verb first" (où est la clé). ``object_agreement`` is the
    gender and number of a direct object pronoun among ``clitics``.
    """
    person = subject.person
    reflexive = "se" in clitics
    clitics = tuple(REFLEXIVE[person] if word == "se" else word for word in clitics)
    before, after = list(clitics), []
    if tense in ("past", "perfect"):
        with_etre = reflexive or verb in ETRE_VERBS
        finite = present("être" if with_etre else "avoir")[person]
        form = participle(verb)
        if with_etre and not (reflexive and verb in OBJECT_FOLLOWS):
            form = agree(form, subject.gender, "p" if person in (3, 5) else "s")
        elif object_agreement:
            form = agree(form, *object_agreement)
        after = [form]
    elif tense == "soon":
        finite, before, after = present("aller")[person], [], [*clitics, verb]
    elif tense in ("state", "used", "ongoing"):
        finite = imperfect(verb, person)
    elif tense == "future":
        finite = future(verb, person)
    elif tense == "would":
        finite = conditional(verb, person)
    else:
        finite = present(verb)[person]
    ne, negation = (["ne"], [NEGATIONS[polarity]]) if polarity != "plain" else ([], [])
    adverbs = [adverb] if adverb else []
    pronoun_first = subject.is_pronoun and subject.french in ("tu", "il", "elle", "nous", "vous", "ils", "elles")
    if question == "inversion" and pronoun_first:
        link = "-t-" if finite[-1] in "aeé" and person == 2 else "-"
        words = [*ne, *before, finite + link + subject.french, *negation, *adverbs, *after]
    elif question == "verb first":
        words = [finite, subject.french]
    else:
        start = ["est-ce que"] if question else []
        words = [*start, subject.french, *ne, *before, finite, *negation, *adverbs, *after]
    return " ".join(words)


# --- Spelling ---------------------------------------------------------------------------------------------------------

_ELIDING = re.compile(r"\b(je|ne|le|la|de|que|me|te|se|ce|jusque|puisque|lorsque) (?=(\w[\w'-]*))", re.IGNORECASE)


def elide(text: str) -> str:
    """Apply elision: "je ai" becomes "j'ai", "si il" becomes "s'il"."""

    def replace(match: re.Match[str]) -> str:
        word, following = match.group(1), match.group(2)
        if not starts_with_vowel(following):
            return match.group(0)
        if word.lower() == "ce" and following not in ("est", "était", "étaient"):
            return match.group(0)
        return word[:-1] + "'"

    text = re.sub(r"\b([Ss])i (?=ils?\b)", r"\1'", text)
    text = _ELIDING.sub(replace, text)
    return text.replace("' ", "'")


def finish(text: str, mark: str) -> str:
    """Elide, tidy spaces and punctuation, and capitalise a French sentence that ends in ``mark``."""
    text = elide(re.sub(r"\s+", " ", text).strip())
    text = re.sub(r"\s*([?!])", r" \1", re.sub(r"\s+([.,])", r"\1", text))
    if text[-1] not in ".?!":
        text += " " + mark if mark in "?!" else mark
    return re.sub(r"(^|[.?!] )(\w)", lambda m: m.group(1) + m.group(2).upper(), text)
